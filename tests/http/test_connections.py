"""test_connections.py: keep-alive, refusals in mid-body, framing, headers: what goes on between two requests."""
import bodies
from case import GZIP, TEXT, ServiceCase, reaches
from client import LAST_CHUNK, Closed, Wire, chunk, curl, request

KIB = 1 << 10
MIB = 1 << 20

PUSH = ["Content-Type: text/plain"]


def push_request(body=b"next_total 1\n", headers=PUSH):
    return request("POST", "/v1/push", headers, body)


class ConnectionCase(ServiceCase):
    def assert_refusal_on(self, wire, status, code):
        reply = wire.reply()
        self.assertEqual((reply.status, reply.error.get("code")), (status, code), reply)
        return reply

    def assert_reusable(self, wire):
        """The next request on the same connection works."""
        wire.send(push_request())
        self.assert_accepted(wire.reply(), 1)

    def assert_closed(self, wire, seconds=5):
        self.assertTrue(wire.is_ended(seconds), "the connection is still open")


class KeepAlive(ConnectionCase):
    """Two requests back to back on one connection, the first of them refused."""

    REFUSED = {
        "media type": (["Content-Type: application/xml"], b"x" * 100, 415, "unsupported_media_type"),
        "encoding": (["Content-Encoding: br"], b"x" * 100, 415, "unsupported_encoding"),
        "empty": (["Content-Length: 0"], b"", 400, "empty_body"),
        "in mid-body": (["Content-Encoding: gzip"], b"not gzip at all" * 50_000, 400, "bad_encoding"),
        "a bomb": (["Content-Encoding: gzip"], bodies.gzip_repeated(b"a", 64 * MIB), 413,
                   "inflated_too_large"),
        "json": (["Content-Type: application/json"], b"[7}" + b" " * 500_000, 400, "bad_json"),
    }

    def test_after_a_refusal(self):
        for what, (headers, body, status, code) in self.REFUSED.items():
            with self.subTest(what):
                wire = self.wire()
                for _ in range(2):
                    wire.send(request("POST", "/v1/push", headers, body))
                    self.assert_refusal_on(wire, status, code)
                    self.assert_reusable(wire)
                wire.close()
            self.check_well()

    def test_after_a_refusal_in_chunks(self):
        wire = self.wire()
        headers = ["Transfer-Encoding: chunked", "Content-Encoding: gzip"]
        wire.send(request("POST", "/v1/push", headers))
        for _ in range(100):
            wire.send(chunk(b"not gzip" * 1000))
        wire.send(LAST_CHUNK)
        self.assert_refusal_on(wire, 400, "bad_encoding")
        self.assert_reusable(wire)

    def test_after_bad_lines(self):
        wire = self.wire()
        wire.send(push_request(b"bad\n" * 1000))
        self.assertEqual(wire.reply().status, 400)
        self.assert_reusable(wire)

    def test_after_not_found_with_a_body(self):
        wire = self.wire()
        for method, target, status in (("POST", "/nothing", 404), ("POST", "/metrics", 405),
                                       ("PUT", "/v1/push", 405), ("DELETE", "/healthz", 405)):
            wire.send(request(method, target, PUSH, b"x" * 10_000))
            self.assertEqual(wire.reply().status, status)
            self.assert_reusable(wire)

    def test_a_body_on_a_get(self):
        wire = self.wire()
        for target in ("/metrics", "/memory", "/healthz", "/v1/series"):
            wire.send(request("GET", target, [], b"who reads this?" * 100))
            self.assertEqual(wire.reply().status, 200)
            self.assert_reusable(wire)

    def test_curl_reuses_the_connection(self):
        url = self.service.data_url + "/v1/push"
        reply = curl(url, *GZIP, "--next", "--silent", "--write-out", "%{num_connects}",
                     "--data-binary", "kept_total 1", "--output", "/dev/null", url, body=b"not gzip" * 1000)
        self.assertTrue(reply.body.endswith(b"0"), reply)  # the second request made no new connection

    def test_many_requests_on_one_connection(self):
        wire = self.wire()
        for i in range(500):
            wire.send(push_request(b"many_total 1\n"))
            self.assertEqual(wire.reply().status, 200, i)
        self.assertEqual(self.scrape().value("many_total"), 500)

    def test_connection_close_is_kept(self):
        wire = self.wire()
        wire.send(push_request(headers=PUSH + ["Connection: close"]))
        self.assert_accepted(wire.reply(), 1)
        self.assert_closed(wire)

    def test_http_1_0(self):
        wire = self.wire()
        wire.send(b"GET /metrics?scope=self HTTP/1.0\r\n\r\n")
        reply = wire.reply()
        self.assertEqual(reply.status, 200)
        self.assertNotIn("Transfer-Encoding", reply.headers)
        self.assertIn("mayfly_series", reply.text())
        self.assert_closed(wire)


class Pipelined(ConnectionCase):
    def test_requests_sent_at_once(self):
        wire = self.wire()
        wire.send(push_request(b"pipe_total 1\n") + request("GET", "/healthz") + push_request(b"bad\n")
                  + request("GET", "/nothing") + request("POST", "/v1/push", ["Content-Encoding: br"], b"x")
                  + request("GET", "/metrics?scope=pushed") + push_request(b"pipe_total 1\n"))
        statuses = [wire.reply().status for _ in range(7)]
        self.assertEqual(statuses, [200, 200, 400, 404, 415, 200, 200])
        self.assertEqual(self.scrape().value("pipe_total"), 2)

    def test_chunked_requests_sent_at_once(self):
        one = request("POST", "/v1/push", PUSH + ["Transfer-Encoding: chunked"]) \
            + chunk(b"chunks_total 1\n") + LAST_CHUNK
        wire = self.wire()
        wire.send(one * 20)
        self.assertEqual([wire.reply().status for _ in range(20)], [200] * 20)
        self.assertEqual(self.scrape().value("chunks_total"), 20)

    def test_many_small_ones(self):
        wire = self.wire()
        wire.send(request("GET", "/healthz") * 200)
        self.assertEqual([wire.reply().status for _ in range(200)], [200] * 200)

    def test_the_client_leaves_before_the_replies(self):
        for _ in range(20):
            wire = self.wire()
            wire.send((push_request() + request("GET", "/metrics")) * 20)
            wire.close()
        self.service.await_quiet()


class Expect(ConnectionCase):
    """Expect: 100-continue: told to go on, or refused at once."""

    def test_told_to_go_on(self):
        wire = self.wire()
        wire.send(request("POST", "/v1/push", PUSH + ["Expect: 100-continue", "Content-Length: 11"]))
        self.assertEqual(wire.head()[0], 100)
        wire.send(b"go_total 1\n")
        self.assert_accepted(wire.reply(), 1)

    def test_refused_at_once(self):
        """The body is not asked for."""
        for headers, status, code in ((["Content-Type: a/b"], 415, "unsupported_media_type"),
                                      (["Content-Encoding: br"], 415, "unsupported_encoding")):
            wire = self.wire()
            wire.send(request("POST", "/v1/push",
                              headers + ["Expect: 100-continue", "Content-Length: 5000000"]))
            status_seen, seen = wire.head()
            self.assertEqual(status_seen, status)
            self.assertIn("Content-Length", seen)
            wire.close()
        self.check_well()

    def test_refused_at_once_for_curl(self):
        reply = self.push(b"x" * 2_000_000, "-H", "Content-Type: a/b", "-H", "Expect: 100-continue")
        self.assert_refused(reply, 415, "unsupported_media_type")
        reply = self.push(b"x" * 2_000_000, "-H", "Expect: 100-continue", target="/nothing")
        self.assert_refused(reply, 404, "not_found")

    def test_goes_on_for_curl(self):
        reply = self.push(bodies.counters("exp", 5000), *TEXT, "-H", "Expect: 100-continue")
        self.assert_accepted(reply, 5000)


class Drain(ConnectionCase):
    """What is still read of a refused body."""

    settings = {"limits.drain_bytes": "128KiB"}

    def test_up_to_the_limit_is_read_and_answered(self):
        wire = self.wire()
        wire.send(request("POST", "/v1/push", ["Content-Encoding: gzip"], b"x" * (120 * KIB)))
        self.assert_refusal_on(wire, 400, "bad_encoding")
        self.assert_reusable(wire)

    def test_a_length_above_it_is_answered_at_once(self):
        """The client has sent no byte of the body, and may never."""
        for target, status, code in (("/nothing", 404, "not_found"), ("/metrics", 405, "method_not_allowed"),
                                     ("/v1/push?atomic=x", 400, "bad_parameter"),
                                     ("/metrics/job/a/b", 400, "bad_path")):
            wire = self.wire()
            wire.send(request("POST", target, PUSH + [f"Content-Length: {128 * KIB + 1}"]))
            self.assert_refusal_on(wire, status, code)
            wire.close()
            self.check_well()

    @reaches("limits.drain_bytes")
    def test_endless_chunks_are_cut_and_counted(self):
        before = self.service.closed("drain")
        wire = self.wire()
        wire.send(request("POST", "/v1/push", ["Content-Encoding: br", "Transfer-Encoding: chunked"]))
        piece = chunk(b"x" * 16 * KIB)
        sent = 0
        while sent < 64 * MIB and wire.send_what_it_takes(piece):
            sent += 16 * KIB
        self.assertLess(sent, 16 * MIB)
        self.assert_closed(wire)
        self.service.await_quiet()
        self.assertEqual(self.service.closed("drain"), before + 1)

    def test_a_long_body_refused_in_its_middle_is_cut_and_counted(self):
        before = self.service.closed("drain")
        wire = self.wire()
        length = 64 * MIB
        wire.send(request("POST", "/v1/push", ["Content-Encoding: gzip", f"Content-Length: {length}"]))
        piece = b"not gzip" * 2048
        sent = 0
        while sent < length and wire.send_what_it_takes(piece):
            sent += len(piece)
        self.assertLess(sent, length)
        self.service.await_quiet()
        self.assertEqual(self.service.closed("drain"), before + 1)

    def test_curl_sees_the_refusal_of_a_long_body(self):
        reply = self.push(b"x" * (4 * MIB), "-H", "Content-Type: a/b", "-H", "Expect:")
        self.assertEqual(reply.status, 415, reply)

    def test_a_body_nobody_wants_is_drained_too(self):
        before = self.service.closed("drain")
        wire = self.wire()
        wire.send(request("GET", "/metrics", ["Transfer-Encoding: chunked"]))
        piece = chunk(b"x" * 16 * KIB)
        cut = any(not wire.send_what_it_takes(piece) for _ in range(4096))
        self.assertTrue(cut)
        self.service.await_quiet()
        self.assertEqual(self.service.closed("drain"), before + 1)


class Framing(ConnectionCase):
    """Where a body ends must be beyond doubt, or what stands behind it is read as a request of its own."""

    settings = {"limits.header_timeout": "2s"}

    SMUGGLED = request("DELETE", "/v1/series?metric=framing_total")

    def setUp(self):
        super().setUp()
        self.push(b"framing_total 1\n", *TEXT)

    def check_framing(self, headers, body, code="bad_framing"):
        wire = self.wire()
        wire.send(request("POST", "/v1/push", PUSH + headers) + body + self.SMUGGLED)
        reply = self.assert_refusal_on(wire, 400, code)
        self.assert_closed(wire)
        self.assertEqual(self.scrape().value("framing_total") is not None, True, "smuggled")
        self.check_well()
        return reply

    def test_two_lengths(self):
        for second in (3, 11, 0):
            self.check_framing(["Content-Length: 11", f"Content-Length: {second}"], b"frm_total 1\n")

    def test_length_and_chunks(self):
        body = chunk(b"frm_total 1\n") + LAST_CHUNK
        for headers in (["Content-Length: 5", "Transfer-Encoding: chunked"],
                        ["Transfer-Encoding: chunked", f"Content-Length: {len(body)}"]):
            self.check_framing(headers, body)

    def test_transfer_encodings_that_are_not_chunked(self):
        body = chunk(b"frm_total 1\n") + LAST_CHUNK
        for encoding in ("gzip", "identity", "gzip, chunked", "chunked, gzip", "xchunked", "chunkedx",
                         "chunked, chunked"):
            self.check_framing([f"Transfer-Encoding: {encoding}"], body)

    def test_two_transfer_encodings(self):
        body = chunk(b"frm_total 1\n") + LAST_CHUNK
        for first, second in (("chunked", "gzip"), ("gzip", "chunked"), ("chunked", "identity"),
                              ("identity", "chunked"), ("chunked", "chunked")):
            self.check_framing([f"Transfer-Encoding: {first}", f"Transfer-Encoding: {second}"], body)

    def test_an_empty_transfer_encoding(self):
        self.check_framing(["Transfer-Encoding:", "Content-Length: 12"], b"frm_total 1\n")

    def test_lengths_that_are_no_numbers(self):
        """libmicrohttpd's own 400 or ours; the connection ends, and nothing behind it is read."""
        for length in ("-1", "abc", "1 1", "+11", "0x10", "11,11", "99999999999999999999999", "1.0", ""):
            wire = self.wire()
            wire.send(request("POST", "/v1/push", PUSH + [f"Content-Length: {length}"])
                      + b"frm_total 1\n" + self.SMUGGLED)
            status = self.first_status(wire)
            self.assertIn(status, (None, 400, 413), length)
            wire.close()
            self.assertIsNotNone(self.scrape().value("framing_total"), length)
            self.check_well()

    def first_status(self, wire):
        """None: closed without a word."""
        try:
            return wire.reply().status
        except Closed:
            return None

    def test_broken_chunks(self):
        """A chunk that is none ends the connection; what came before it was applied as it came."""
        for broken in (b"zz\r\nfrm_total 1\n\r\n", b"-5\r\nfrm\r\n", b"fffffffffffffffff\r\nx\r\n",
                       b"5\r\nfrm_total 1\n\r\n", b"\r\n\r\n", b"c frm_total 1\n"):
            wire = self.wire()
            wire.send(request("POST", "/v1/push", PUSH + ["Transfer-Encoding: chunked"])
                      + broken + LAST_CHUNK + self.SMUGGLED)
            status = self.first_status(wire)
            self.assertIn(status, (None, 400, 413), broken)
            wire.close()
            self.assertIsNotNone(self.scrape().value("framing_total"), broken)
            self.check_well()

    def test_chunk_extensions_and_trailers(self):
        wire = self.wire()
        wire.send(request("POST", "/v1/push", PUSH + ["Transfer-Encoding: chunked"])
                  + b"c;name=value\r\next_total  1\r\n0\r\nSome: trailer\r\n\r\n")
        reply = wire.reply()
        self.assertEqual(reply.status, 200, reply)
        self.assert_reusable(wire)

    def test_an_early_reply_to_a_get_with_doubt(self):
        wire = self.wire()
        wire.send(request("GET", "/healthz", ["Content-Length: 5", "Transfer-Encoding: chunked"]))
        self.assert_refusal_on(wire, 400, "bad_framing")
        self.assert_closed(wire)


class HeaderBounds(ConnectionCase):
    """What a request's headers may come to."""

    def check_some_reply(self, data, statuses):
        """One of these, or closed without a word where None is among them; and all is well afterwards."""
        for address in (self.service.data, self.service.operator):
            with Wire(address) as wire:
                wire.send_what_it_takes(data)
                try:
                    status = wire.reply().status
                except Closed:
                    status = None
            self.assertIn(status, statuses)
            self.check_well()

    @reaches("server.connection_bytes")
    def test_header_over_the_limit(self):
        reply = self.push(b"x_total 1\n", *TEXT, "-H", "X-Long: " + "x" * 40_000)
        self.assertEqual(reply.status, 431, reply)
        self.check_some_reply(request("GET", "/healthz", ["X-Long: " + "x" * 40_000]), (431,))

    def test_many_headers_over_the_limit(self):
        self.check_some_reply(request("GET", "/healthz", [f"X-{i}: y" for i in range(5000)]), (431,))

    def test_headers_below_the_limit(self):
        reply = self.push(b"x_total 1\n", *TEXT, "-H", "X-Long: " + "x" * 20_000)
        self.assert_accepted(reply, 1)

    def test_header_without_an_end(self):
        self.check_some_reply(b"GET /healthz HTTP/1.1\r\nHost: t\r\nX: " + b"x" * 100_000, (431, None))

    def test_huge_cookie(self):
        for cookie in ("a=" + "b" * 20_000, "a=" + "b" * 30_000, "; ".join(f"c{i}=1" for i in range(3000)),
                       "=" * 20_000, ";" * 20_000, '"' * 15_000):
            self.check_some_reply(request("GET", "/healthz", ["Cookie: " + cookie]), (200, 400, 413, 431, None))

    @reaches("limits.target_bytes")
    def test_target_too_long(self):
        for tail in ("x" * 3000, "/" * 3000, "?" + "x" * 3000, "?" + "%41" * 1000):
            reply = self.get("/healthz" + tail)
            self.assert_refused(reply, 414, "target_too_long", "limits.target_bytes", 2048)
            self.check_well()
        reply = self.push(b"x_total 1\n", target="/v1/push?" + "x" * 3000)
        self.assert_refused(reply, 414, "target_too_long", "limits.target_bytes", 2048)

    def test_target_of_just_the_limit(self):
        self.assertEqual(self.get("/healthz?" + "x" * (2048 - 9)).status, 200)
        self.assertEqual(self.get("/healthz?" + "x" * (2048 - 8)).status, 414)

    def test_target_longer_than_the_buffer(self):
        self.check_some_reply(request("GET", "/" + "x" * 40_000), (414, 431))

    def test_other_requests_that_are_none(self):
        for data in (b"\r\n\r\n\r\n", b"GET\r\n\r\n", b"GET /\r\n\r\n", b"\0" * 100 + b"\r\n\r\n",
                     b"GET / HTTP/9.9\r\n\r\n", b"GET / JUNK/1.1\r\n\r\n", b"x" * 50_000,
                     b"GET / HTTP/1.1\r\nno colon\r\n\r\n", b"GET / HTTP/1.1\r\n: empty\r\n\r\n",
                     b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"):
            wire = self.wire()
            wire.send_what_it_takes(data)
            wire.is_ended(0.1)
            wire.close()
        self.check_well()


class QueryArguments(ConnectionCase):
    """More arguments than libmicrohttpd has room for, which then leaves out the completed callback."""

    settings = {"limits.header_timeout": "2s"}
    seconds = 12

    def check_ended(self, data, statuses):
        """Answered with one of these, or closed; at once, not when a timeout comes."""
        for address in (self.service.data, self.service.operator):
            with Wire(address) as wire:
                wire.send(data)
                self.assertTrue(wire.is_readable(1.0), "neither an answer nor an end")
                try:
                    self.assertIn(wire.reply().status, statuses)
                except Closed:
                    pass
            self.check_well()

    def test_many(self):
        for target in ("/?" + "&".join("a" * 1000), "/healthz?" + "&".join("a" * 500),
                       "/memory?" + "a=&" * 600, "/?" + "=&" * 1000):
            with self.subTest(target[:20]):
                self.check_ended(request("GET", target), (400, 404, 413, 414, 431))

    def test_many_on_a_push(self):
        data = request("POST", "/v1/push?" + "&".join("a" * 600), PUSH, b"args_total 1\n")
        self.check_ended(data, (400, 404, 405, 413, 414, 431))

    def test_many_that_are_too_long_as_well(self):
        self.check_ended(request("GET", "/healthz?" + "x=y&" * 750), (413, 414, 431))

    def test_as_many_as_fit(self):
        self.assertEqual(self.get("/healthz?" + "&".join("a" * 64)).status, 200)
        self.assert_refused(self.get("/healthz?" + "&".join("a" * 65)), 414, "too_many_parameters")

    def test_over_and_over(self):
        """What is not given back after such a request adds up."""
        for _ in range(300):
            with Wire(self.service.data) as wire:
                wire.send(request("GET", "/?" + "&".join("a" * 1000)))
                wire.is_ended(0.005)
        self.check_well()


class Lockstep(ConnectionCase):
    """
    Many keep-alive clients that all send, and then all wait. libmicrohttpd 0.9.75 asks epoll for 128 events at a time,
    and when it gets exactly that many asks again before it handles them, with its long timeout: 128 connections of one
    thread that are ready together, and nothing else that happens, would be answered when some timeout comes.
    """

    settings = {"memory": "128MiB", "server.threads": 1}
    seconds = 6

    ROUNDS = 10
    PATIENCE = 3.0

    def check_rounds(self, count):
        wires = [Wire(self.service.data, patience=self.PATIENCE) for _ in range(count)]
        for wire in wires:
            self.addCleanup(wire.close)
            wire.send(request("GET", "/healthz"))
        for wire in wires:
            self.assertEqual(wire.reply().status, 200)
        for number in range(self.ROUNDS):
            for wire in wires:
                wire.send(push_request(b"step_total 1\n"))
            try:
                self.assertEqual({wire.reply().status for wire in wires}, {200})
            except TimeoutError as problem:
                raise AssertionError(f"{count} clients wait for a reply in round {number + 1}") from problem
        for wire in wires:
            wire.close()

    def allowed(self):
        return self.get("/v1/config").json()["settings"]["server.connections"]["value"]

    def counts(self):
        return (124, 125, 126, 127, 128, 129, 130, 254, 255, 256, 257)

    def test_all_are_answered(self):
        for count in self.counts():
            if count <= self.allowed():
                with self.subTest(count):
                    self.check_rounds(count)
                self.service.await_quiet()


class LockstepByDefault(Lockstep):
    """At the defaults, as many as are allowed."""

    settings = {}

    def counts(self):
        return (self.allowed() - 1, self.allowed())
