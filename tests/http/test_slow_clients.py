"""test_slow_clients.py: clients that take their time: ended at a deadline, and counted by cause."""
import time

import bodies
from case import TEXT, ServiceCase, reaches
from client import LAST_CHUNK, Wire, chunk, curl, request

MARGIN = 1.5  # seconds beyond a deadline: the ticker's 50 ms, and a machine that is busy


class SlowCase(ServiceCase):
    """Each test names the cause its connections are counted for."""

    def counted(self, cause, before):
        """One more connection was ended for that cause, and for no other."""
        expected = dict(before)
        expected[cause] += 1
        self.service.await_quiet()
        self.assertEqual(self.causes(), expected)

    def causes(self):
        return self.service.memory()["budget"]["admission"]["closed_without_reply_total"]

    def assert_ended_after(self, seconds, least, most):
        self.assertIsNotNone(seconds, "it was never ended")
        self.assertGreaterEqual(seconds, least)
        self.assertLess(seconds, most + MARGIN)


class SlowHeaders(SlowCase):
    settings = {"limits.header_timeout": "800ms", "limits.idle_timeout": "1s"}
    seconds = 8

    HEADER = request("GET", "/healthz", ["X-Slow: " + "x" * 200])

    @reaches("limits.header_timeout")
    def test_a_byte_now_and_then(self):
        """On either listener."""
        for address in (self.service.data, self.service.operator):
            before = self.causes()
            with Wire(address) as wire:
                seconds = wire.drip(self.HEADER, 0.1)
            self.assert_ended_after(seconds, 0.6, 0.8)
            self.counted("header_timeout", before)

    def test_only_blank_lines(self):
        before = self.causes()
        seconds = self.wire().drip(b"\r\n" * 200, 0.05)
        self.assert_ended_after(seconds, 0.6, 0.8)
        self.counted("header_timeout", before)

    def test_nothing_at_all(self):
        wire = self.wire()
        start = time.monotonic()
        self.assertTrue(wire.is_ended(5))
        self.assert_ended_after(time.monotonic() - start, 0.6, 1.0)

    def test_the_second_request_of_a_connection(self):
        """It may rest for idle_timeout, and has header_timeout from then on at most."""
        before = self.causes()
        wire = self.wire()
        wire.send(request("GET", "/healthz"))
        self.assertEqual(wire.reply().status, 200)
        self.assert_ended_after(wire.drip(self.HEADER, 0.1), 0.6, 1.8)
        self.counted("header_timeout", before)

    def test_one_that_is_done_in_time(self):
        wire = self.wire()
        data = request("GET", "/healthz")
        for at in range(0, len(data), 10):
            wire.send(data[at:at + 10])
            time.sleep(0.02)
        self.assertEqual(wire.reply().status, 200)

    @reaches("limits.idle_timeout")
    def test_idle_connection_is_closed(self):
        before = self.causes()
        wire = self.wire()
        wire.send(request("GET", "/healthz"))
        wire.reply()
        start = time.monotonic()
        self.assertTrue(wire.is_ended(10))
        self.assert_ended_after(time.monotonic() - start, 0.5, 2.0)
        self.service.await_quiet()
        self.assertEqual(self.causes()["client"], before["client"])


class SlowBodies(SlowCase):
    settings = {"limits.header_timeout": "700ms", "limits.body_timeout": "1200ms",
                "limits.body_bytes_per_second": "100"}
    seconds = 10

    def begin(self, headers):
        wire = self.wire()
        wire.send(request("POST", "/v1/push", ["Content-Type: text/plain", *headers]))
        return wire

    @reaches("limits.body_bytes_per_second")
    def test_a_byte_now_and_then(self):
        """Under body_bytes_per_second, once it had header_timeout to begin."""
        before = self.causes()
        wire = self.begin(["Content-Length: 100000"])
        self.assert_ended_after(wire.drip(b"slow_total 1\n" * 100, 0.1), 0.5, 1.0)
        self.counted("body_timeout", before)

    def test_chunks_of_a_byte(self):
        before = self.causes()
        wire = self.begin(["Transfer-Encoding: chunked"])
        pieces = chunk(b"#") * 200
        self.assert_ended_after(wire.drip(pieces, 0.02), 0.5, 1.2)
        self.counted("body_timeout", before)

    @reaches("limits.body_timeout")
    def test_fast_enough_but_too_long(self):
        before = self.causes()
        wire = self.begin(["Content-Length: 100000"])
        start = time.monotonic()
        while wire.send_what_it_takes(b"long_total 1\n") and not wire.is_ended(0.02):
            self.assertLess(time.monotonic() - start, 5)
        self.assert_ended_after(time.monotonic() - start, 1.0, 1.2)
        self.counted("body_timeout", before)

    def test_nothing_of_the_body(self):
        before = self.causes()
        wire = self.begin(["Content-Length: 100000"])
        start = time.monotonic()
        self.assertTrue(wire.is_ended(5))
        self.assert_ended_after(time.monotonic() - start, 0.5, 1.2)
        self.counted("body_timeout", before)

    def test_a_refused_body_has_the_same_time(self):
        """Draining is no way to stay."""
        before = self.causes()
        wire = self.begin(["Content-Length: 100000", "Content-Encoding: br"])
        self.assert_ended_after(wire.drip(b"x" * 1000, 0.05), 0.5, 1.2)
        self.counted("body_timeout", before)

    def test_a_body_nobody_reads_has_the_same_time(self):
        before = self.causes()
        wire = self.wire()
        wire.send(request("GET", "/healthz", ["Content-Length: 100000"]))
        self.assert_ended_after(wire.drip(b"x" * 1000, 0.05), 0.5, 1.2)
        self.counted("body_timeout", before)

    def test_what_came_was_applied(self):
        wire = self.begin(["Content-Length: 100000"])
        wire.send(b"kept_total 1\nkept_total 1\nkept_")
        self.assertTrue(wire.is_ended(5))
        self.assertEqual(self.scrape().value("kept_total"), 2)

    def test_a_slow_one_that_is_fast_enough(self):
        wire = self.begin(["Transfer-Encoding: chunked"])
        for _ in range(5):
            wire.send(chunk(b"ok_total 1\n" * 10))
            self.assertFalse(wire.is_ended(0.1))
        wire.send(LAST_CHUNK)
        self.assert_accepted(wire.reply(), 50)

    def test_others_are_served_meanwhile(self):
        wires = [self.begin(["Content-Length: 100000"]) for _ in range(20)]
        for wire in wires:
            wire.send(b"many_total 1\n")
        self.assert_accepted(self.push(b"meanwhile_total 1\n", *TEXT), 1)
        self.assertTrue(all(wire.is_ended(5) for wire in wires))


class SlowReaders(SlowCase):
    """A reply that is long and not read."""

    settings = {"limits.reply_timeout": "1s", "server.socket_bytes": "4KiB", "limits.header_timeout": "1s"}
    seconds = 12

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        curl(cls.service.data_url + "/v1/push", body=bodies.counters("much", 30_000))

    def ask(self, target="/metrics", headers=()):
        wire = self.wire(receive_bytes=4096)
        wire.send(request("GET", target, headers))
        return wire

    def states(self):
        return [row["state"] for row in self.service.holders()["requests"] if row["route"] != "holders"]

    @reaches("limits.reply_timeout")
    def test_never_read(self):
        before = self.causes()
        wire = self.ask()
        self.assertTrue(self.service.await_that(lambda: self.states() == ["reply"]), self.states())
        start = time.monotonic()
        self.service.await_quiet()
        self.assert_ended_after(time.monotonic() - start, 0.3, 1.0)
        self.counted("reply_timeout", before)
        wire.close()

    def test_never_read_packed(self):
        before = self.causes()
        wire = self.ask(headers=["Accept-Encoding: gzip"])
        self.service.await_requests(1)
        self.service.await_quiet()
        self.counted("reply_timeout", before)
        wire.close()

    def test_read_a_little_now_and_then(self):
        before = self.causes()
        wire = self.ask()
        start = time.monotonic()
        while time.monotonic() - start < 6 and wire.socket.recv(64):
            time.sleep(0.02)
            if self.service.quiet_problem() is None:
                break
        self.assert_ended_after(time.monotonic() - start, 0.7, 1.0)
        self.counted("reply_timeout", before)

    def test_memory_is_flat_meanwhile(self):
        """Twenty of them hold a page each."""
        wires = [self.ask() for _ in range(20)]
        self.assertTrue(self.service.await_that(lambda: len(self.states()) == 20), self.states())
        held = self.service.memory()["requests"]["live_bytes"]
        self.assertLess(held, 20 * (64 << 10) + (64 << 10))
        self.assertEqual(self.service.ask_operator("/healthz").status, 200)
        self.service.await_quiet()
        for wire in wires:
            wire.close()

    def test_the_client_leaves(self):
        before = self.causes()
        wire = self.ask()
        self.service.await_requests(1)
        wire.abort()
        self.counted("client", before)

    def test_read_in_time(self):
        wire = self.ask("/metrics?scope=pushed")
        time.sleep(0.3)
        self.assertEqual(wire.reply().status, 200)

    def test_a_slow_reader_does_not_hold_up_a_push(self):
        wire = self.ask()
        self.service.await_requests(1)
        self.assert_accepted(self.push(b"besides_total 1\n", *TEXT), 1)
        wire.close()
