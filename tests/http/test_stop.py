"""test_stop.py: SIGTERM: what is in flight is finished within shutdown_timeout; then it ends, and says what is left."""
import signal
import time

import bodies
from case import unittest
from client import LAST_CHUNK, Closed, Wire, chunk, request
from service import Service, check_ended

BUDGET = 64 << 20
CHUNKED = ["Content-Type: text/plain", "Transfer-Encoding: chunked"]


def begin_push(service, first=b"stop_total 1\n"):
    wire = Wire(service.data)
    wire.send(request("POST", "/v1/push", CHUNKED) + chunk(first))
    return wire


class Stop(unittest.TestCase):
    seconds = 12

    def ended(self, service, drained):
        ended = service.await_end()
        check_ended(ended, BUDGET)
        self.assertEqual(ended.stopped["drained"], drained, ended.stopped)
        return ended

    def start(self, **settings):
        service = Service({name.replace("__", "."): value for name, value in settings.items()}).start()
        self.addCleanup(service.kill)
        return service

    def test_at_rest(self):
        for number in (signal.SIGTERM, signal.SIGINT):
            service = self.start()
            start = time.monotonic()
            service.signal(number)
            self.ended(service, "true")
            self.assertLess(time.monotonic() - start, 3)

    def test_idle_connections_do_not_delay_it(self):
        service = self.start()
        wires = [Wire(service.data) for _ in range(20)] + [Wire(service.operator) for _ in range(4)]
        for wire in wires[:10]:
            wire.send(request("GET", "/healthz"))
            wire.reply()
        start = time.monotonic()
        service.signal()
        self.ended(service, "true")
        self.assertLess(time.monotonic() - start, 3)
        self.assertTrue(all(wire.is_ended(1) for wire in wires))

    def test_a_slow_request_is_finished(self):
        service = self.start()
        wire = begin_push(service)
        service.await_requests(1)
        service.signal()
        self.assert_stopping(service)
        time.sleep(0.5)
        self.assertIsNone(service.process.poll())
        wire.send(chunk(b"stop_total 1\n") + LAST_CHUNK)
        self.assertEqual(wire.reply().json(), {"accepted": 2, "rejected": 0})
        start = time.monotonic()
        self.ended(service, "true")
        self.assertLess(time.monotonic() - start, 3)

    def assert_stopping(self, service):
        """While it drains: not ready, alive, and nobody new on the data listener."""
        self.assertTrue(service.await_that(lambda: service.ask_operator("/readyz").status == 503, 3))
        ready = service.ask_operator("/readyz")
        self.assertEqual(ready.error["code"], "stopping")
        self.assertIn("Retry-After", ready.headers)
        self.assertEqual(service.ask_operator("/healthz").status, 200)
        self.assertEqual(service.memory()["budget"]["admission"]["state"], "stopping")
        with self.assertRaises((Closed, ConnectionError)):
            with Wire(service.data) as late:
                late.send(request("GET", "/healthz"))
                late.reply()

    def test_a_request_that_does_not_end_is_cut(self):
        service = self.start(server__shutdown_timeout="1s")
        wire = begin_push(service)
        service.await_requests(1)
        start = time.monotonic()
        service.signal()
        self.ended(service, "false")
        self.assertGreater(time.monotonic() - start, 0.9)
        self.assertLess(time.monotonic() - start, 4)
        self.assertTrue(wire.is_ended(1))

    def test_no_patience_at_all(self):
        service = self.start(server__shutdown_timeout="0s")
        wire = begin_push(service)  # held: a wire that nobody holds is closed
        self.addCleanup(wire.close)
        service.await_requests(1)
        start = time.monotonic()
        service.signal()
        self.ended(service, "false")
        self.assertLess(time.monotonic() - start, 2)

    def test_everything_at_once_is_cut_and_comes_back(self):
        """Requests in every state: all of their memory is back at the end."""
        service = self.start(server__shutdown_timeout="500ms", server__socket_bytes="4KiB")
        with Wire(service.data) as filler:
            filler.send(request("POST", "/v1/push", [], bodies.counters("fill", 20_000)))
            filler.reply()
        held = self.in_every_state(service)
        service.await_requests(len(held))
        service.signal()
        self.ended(service, "false")

    def in_every_state(self, service):
        gzip_head = bodies.gzip(b"a_total 1\n" * 5000)[:50]
        starts = [
            b"POST /v1/push HTTP/1.1\r\nHost: x\r\nX-Half: ",
            request("POST", "/v1/push", ["Content-Length: 500"], b"a_total 1\n", length=False),
            request("POST", "/v1/push?atomic=1", CHUNKED) + chunk(bodies.counters("held", 2000)),
            request("POST", "/v1/push", ["Content-Length: 900", "Content-Encoding: gzip"], gzip_head, length=False),
            request("POST", "/v1/push", ["Content-Length: 900", "Content-Encoding: br"], b"drain", length=False),
            request("GET", "/metrics"),
            request("GET", "/metrics", ["Accept-Encoding: gzip"]),
            request("POST", "/nothing", ["Content-Length: 900"], b"drain", length=False),
        ]
        wires = []
        for data in starts * 3:
            wires.append(Wire(service.data, receive_bytes=4096))
            wires[-1].send(data)
        return wires

    def test_under_load(self):
        """Stopped while clients push as fast as they can."""
        for _ in range(5):
            service = self.start(server__shutdown_timeout="2s")
            wires = [Wire(service.data) for _ in range(16)]
            for wire in wires:
                wire.send(request("POST", "/v1/push", [], b"load_total 1\n") * 200)
            service.signal()
            self.assertEqual(service.process.wait(10), 0)
            check_ended(service.await_end(), BUDGET)
            for wire in wires:
                wire.close()

    def test_a_second_signal_does_no_harm(self):
        service = self.start()
        wire = begin_push(service)  # held: a wire that nobody holds is closed
        self.addCleanup(wire.close)
        service.await_requests(1)
        for _ in range(3):
            service.signal()
        time.sleep(0.1)
        self.assertIn(service.process.poll(), (None, 0))
        service.kill()

    def test_half_a_header_is_no_reason_to_wait_for_ever(self):
        service = self.start(server__shutdown_timeout="1s", limits__header_timeout="60s")
        wire = Wire(service.data)
        wire.send(b"GET /healthz HTTP/1.1\r\nHo")
        service.await_requests(1)
        start = time.monotonic()
        service.signal()
        self.ended(service, "false")
        self.assertLess(time.monotonic() - start, 4)
        wire.close()

    def test_the_log_is_one_event_a_line(self):
        service = self.start()
        service.signal()
        ended = self.ended(service, "true")
        events = [line for line in ended.log.splitlines() if line.startswith("ts=")]
        self.assertEqual([line.split(" msg=")[1].split()[0] for line in events][:2], ["listening", "stopping"])
        self.assertTrue(events[-1].split(" msg=")[1].startswith("stopped"))
        for line in events:
            self.assertRegex(line, r"^ts=\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z level=(info|warning|error) msg=\w+")


