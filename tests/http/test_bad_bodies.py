"""test_bad_bodies.py: requests that are refused as a whole, and what is left of them: nothing."""
import struct

import bodies
from case import GZIP, JSON, NDJSON, TEXT, ZSTD, ServiceCase, reaches
from client import LAST_CHUNK, chunk, request
from service import SANITIZED

KIB = 1 << 10
MIB = 1 << 20


class Unsupported(ServiceCase):
    def test_unknown_encoding(self):
        for name in ("br", "deflate", "gzip, gzip", "zstd,gzip", "snappy", "*", "gzipx"):
            reply = self.push(b"enc_total 1\n", *TEXT, "-H", f"Content-Encoding: {name}")
            self.assert_refused(reply, 415, "unsupported_encoding")
            self.check_well()
        self.assertNotIn("enc_total", self.scrape().names())

    def test_unknown_media_type(self):
        for name in ("application/xml", "text/html", "text/csv", "application/octet-stream",
                     "application/vnd.google.protobuf", "multipart/form-data", "text", "x" * 3000):
            reply = self.push(b"type_total 1\n", "-H", f"Content-Type: {name}")
            self.assert_refused(reply, 415, "unsupported_media_type")
            self.check_well()
        self.assertNotIn("type_total", self.scrape().names())

    def test_unknown_query_parameter_value(self):
        for query in ("atomic=2", "atomic=", "atomic=%31%", "atomic=%zz"):
            reply = self.push(b"query_total 1\n", *TEXT, target="/v1/push?" + query)
            self.assert_refused(reply, 400, "bad_parameter")
            self.check_well()


class NoBody(ServiceCase):
    def test_length_zero(self):
        for kind in ((), TEXT, NDJSON, JSON, GZIP, ZSTD):
            reply = self.push(b"", *kind)
            self.assert_refused(reply, 400, "empty_body")
            self.check_well()

    def test_no_length_at_all(self):
        wire = self.wire()
        wire.send(request("POST", "/v1/push"))
        self.assert_refused(wire.reply(), 400, "empty_body")

    def test_chunked_and_empty(self):
        for headers in ([], ["Content-Type: text/plain"], ["Content-Type: application/json"]):
            wire = self.wire()
            wire.send(request("POST", "/v1/push", ["Transfer-Encoding: chunked", *headers]) + LAST_CHUNK)
            self.assert_refused(wire.reply(), 400, "empty_body")

    def test_packed_emptiness_is_no_error_of_the_encoding(self):
        """A gzip stream of nothing has no sample in it: accepted 0, or an empty body; nothing else."""
        reply = self.push(bodies.gzip(b""), *TEXT, *GZIP)
        self.assertIn(reply.status, (200, 400), reply)
        if reply.status == 400:
            self.assert_refused(reply, 400, "empty_body")

    def test_with_expect(self):
        reply = self.push(b"", *TEXT, "-H", "Expect: 100-continue")
        self.assert_refused(reply, 400, "empty_body")

    def test_only_blanks(self):
        reply = self.push(b" \n\t\n")
        self.assertIn(reply.status, (200, 400), reply)


class BrokenEncodings(ServiceCase):
    """Compressed bodies that are not whole. What came out before was applied, and the reply says how much."""

    LINES = 4000

    def plain(self, name):
        return bodies.counters(name, self.LINES)

    def check_partly(self, reply, code, name):
        self.assert_refused(reply, 400, code)
        accepted = reply.json()["accepted"]
        self.assertEqual(self.scrape().sum(f"{name}_total"), accepted)
        self.assertLessEqual(accepted, self.LINES)
        self.check_well()
        return accepted

    def test_truncated_gzip(self):
        packed = bodies.gzip(self.plain("tg"))
        accepted = self.check_partly(self.push(packed[:len(packed) // 2], *TEXT, *GZIP),
                                     "truncated_body", "tg")
        self.assertGreater(accepted, 0)

    def test_truncated_anywhere(self):
        for pack, header in ((bodies.gzip, GZIP), (bodies.zstd, ZSTD)):
            packed = pack(b"cut_total 1\n")
            for end in range(1, len(packed)):
                reply = self.push(packed[:end], *TEXT, *header)
                self.assert_refused(reply, 400, "truncated_body")

    def test_truncated_zstd(self):
        packed = bodies.zstd(self.plain("tz"))
        self.check_partly(self.push(packed[:len(packed) - 7], *TEXT, *ZSTD), "truncated_body", "tz")

    def test_corrupt(self):
        packed = bytearray(bodies.gzip(self.plain("cg")))
        packed[10] = 0x07  # a block of a type there is not
        self.check_partly(self.push(bytes(packed), *TEXT, *GZIP), "bad_encoding", "cg")
        packed = bytearray(bodies.zstd(self.plain("cz")))
        packed[len(packed) // 2] ^= 0x55
        self.check_partly(self.push(bytes(packed), *TEXT, *ZSTD), "bad_encoding", "cz")

    def test_bad_checksum(self):
        packed = bytearray(bodies.gzip(b"sum_total 1\n"))
        packed[-6] ^= 1
        self.assert_refused(self.push(bytes(packed), *TEXT, *GZIP), 400, "bad_encoding")
        packed = bytearray(bodies.zstd(b"sum_total 1\n", "--check"))
        packed[-1] ^= 1
        self.assert_refused(self.push(bytes(packed), *TEXT, *ZSTD), 400, "bad_encoding")

    def test_no_such_stream(self):
        for body in (b"plain_total 1\n", b"\x1f\x8b\x07" + b"\0" * 50, b"\x28\xb5\x2f\xfd\xff" * 10):
            for header in (GZIP, ZSTD):
                reply = self.push(body, *TEXT, *header)
                self.assertEqual(reply.status, 400, reply)
                self.assertIn(reply.error["code"], ("bad_encoding", "truncated_body"))
                self.check_well()

    def test_garbage_behind_the_stream(self):
        for pack, header in ((bodies.gzip, GZIP), (bodies.zstd, ZSTD)):
            reply = self.push(pack(b"behind_total 1\n") + b"garbage garbage", *TEXT, *header)
            self.assert_refused(reply, 400, "bad_encoding")


class Bombs(ServiceCase):
    """Small bodies that come to much."""

    seconds = 6

    @reaches("limits.inflated_bytes")
    def test_gzip_bomb_of_one_line(self):
        """64 MiB of one line in 65 kB: refused; it costs what any small gzip body costs."""
        small = self.push(bodies.gzip(b"small_total 1\n"), *TEXT, *GZIP)
        self.assert_accepted(small, 1)
        resident = self.service.resident_bytes()
        pools = self.service.pools()
        bomb = bodies.gzip_repeated(b"a", 64 * MIB)
        self.assertLess(len(bomb), 70_000)
        for _ in range(3):
            reply = self.push(bomb, *TEXT, *GZIP)
            self.assert_refused(reply, 413, "inflated_too_large", "limits.inflated_bytes", 32 * MIB)
            self.assertEqual(reply.headers["Mayfly-Arena-Peak"], small.headers["Mayfly-Arena-Peak"])
            self.check_well()
        self.assertEqual(self.service.pools()["growth"]["peak_bytes"], pools["growth"]["peak_bytes"])
        if not SANITIZED:
            self.assertLess(self.service.resident_bytes() - resident, 256 * KIB)

    def test_gzip_bomb_of_many_lines(self):
        """The lines within the limit are applied, and the refusal says how many."""
        line = b'bomb_total{pad="%s"} 1\n' % (b"p" * 100)
        reply = self.push(bodies.gzip(line * (33 * MIB // len(line)), 9), *TEXT, *GZIP)
        self.assert_refused(reply, 413, "inflated_too_large", "limits.inflated_bytes", 32 * MIB)
        accepted = reply.json()["accepted"]
        self.assertEqual(self.scrape().sum("bomb_total"), accepted)
        self.assertLessEqual(abs(accepted - 32 * MIB // len(line)), 1)

    def test_gzip_bomb_on_a_pushgateway_path(self):
        reply = self.push(bodies.gzip_repeated(b"a", 64 * MIB), *TEXT, *GZIP, target="/metrics/job/bomb")
        self.assert_refused(reply, 413, "inflated_too_large", "limits.inflated_bytes", 32 * MIB)

    def test_gzip_bomb_as_json(self):
        for byte, kind in ((b"[", JSON), (b" ", JSON), (b"{", NDJSON), (b"\n", NDJSON)):
            reply = self.push(bodies.gzip_repeated(byte, 64 * MIB), *kind, *GZIP)
            self.assert_refused(reply, 413, "inflated_too_large", "limits.inflated_bytes", 32 * MIB)
            self.assertLess(reply.arena_peak, 128 * KIB)
            self.check_well()

    def test_zstd_bomb(self):
        small = self.push(bodies.zstd(b"x_total 1\n" * 300_000), *TEXT, *ZSTD)
        self.assert_accepted(small, 300_000)
        bomb = bodies.zstd(b"\0" * (64 * MIB))
        self.assertLess(len(bomb), 70_000)
        reply = self.push(bomb, *TEXT, *ZSTD)
        self.assert_refused(reply, 413, "inflated_too_large", "limits.inflated_bytes", 32 * MIB)
        self.assertLessEqual(reply.arena_peak, small.arena_peak)

    @reaches("limits.zstd_window_bytes")
    def test_zstd_window_too_large(self):
        """An 8 MiB window for a few bytes; refused before it takes any memory for it."""
        limit = self.get("/v1/config").json()["settings"]["limits.zstd_window_bytes"]["value"]
        plain = b"window_total 1\n" * 700_000
        reply = self.push(bodies.zstd(plain, "--long=23"), *TEXT, *ZSTD)
        self.assert_refused(reply, 413, "window_too_large", "limits.zstd_window_bytes", limit)
        self.assertLess(reply.arena_peak, 128 * KIB)
        huge = struct.pack("<IBB", 0xFD2FB528, 0x00, 0xA0)  # a frame that asks for a terabyte
        reply = self.push(huge + b"\0" * 100, *TEXT, *ZSTD)
        self.assert_refused(reply, 413, "window_too_large", "limits.zstd_window_bytes", limit)

    def test_zstd_skippable_frames(self):
        """Frames that say they are 4 GiB of nothing are passed over as they come."""
        frame = struct.pack("<II", 0x184D2A50, 0xFFFFFFFF)
        self.assert_refused(self.push(frame + b"x" * 1000, *TEXT, *ZSTD), 400, "truncated_body")
        frames = struct.pack("<II", 0x184D2A50, 3) + b"abc"
        self.assert_accepted(self.push(frames * 1000 + bodies.zstd(b"skip_total 1\n"), *TEXT, *ZSTD), 1)

    def test_the_zstd_tools_default_fits(self):
        plain = bodies.counters("tool", 1000) * 150
        self.assertGreater(len(plain), 2 * MIB)
        self.assert_accepted(self.push(bodies.zstd(plain), *TEXT, *ZSTD), 150_000)


class AtomicTooLarge(ServiceCase):
    """An atomic push must fit the request's arena."""

    settings = {"limits.request_bytes": "256KiB"}

    @reaches("limits.request_bytes")
    def test_too_long(self):
        body = bodies.counters("big", 20_000)
        for arguments in ((), ("-H", "Expect:"), ("-H", "Transfer-Encoding: chunked")):
            reply = self.push(body, *TEXT, *arguments, target="/v1/push?atomic=1")
            self.assert_refused(reply, 413, "request_too_large", "limits.request_bytes", 256 * KIB)
            self.assertEqual(reply.json()["accepted"], 0)
            self.assertLessEqual(reply.arena_peak, 256 * KIB)
            self.check_well()
        self.assertEqual(self.scrape().sum("big_total"), 0)

    def test_the_same_fits_when_streamed(self):
        self.assert_accepted(self.push(bodies.counters("stream", 20_000), *TEXT), 20_000)

    def test_packed(self):
        reply = self.push(bodies.gzip(bodies.counters("pack", 20_000)), *TEXT, *GZIP,
                          target="/v1/push?atomic=1")
        self.assert_refused(reply, 413, "request_too_large", "limits.request_bytes", 256 * KIB)

    @reaches("limits.first_block_bytes")
    def test_growth_begins_behind_the_first_block(self):
        """What fits the first block takes nothing of the shared pool; what does not, does."""
        before = self.service.pools()["growth"]["allocations_total"]
        reply = self.push(b"small_total 1\n", *TEXT)
        self.assertLessEqual(reply.arena_peak, 8 * KIB)
        self.assertEqual(self.service.pools()["growth"]["allocations_total"], before)
        reply = self.push(bodies.counters("more", 500), *TEXT, target="/v1/push?atomic=1")
        self.assertGreater(reply.arena_peak, 8 * KIB)
        self.assertGreater(self.service.pools()["growth"]["allocations_total"], before)


class HalfBodies(ServiceCase):
    """A client that goes away in the middle."""

    def left(self, first, *, abort=False, headers=(), target="/v1/push"):
        before = self.service.closed("client")
        wire = self.held_push(first, target, headers)
        self.service.await_requests(1)
        wire.abort() if abort else wire.close()
        self.service.await_quiet()
        self.assertEqual(self.service.closed("client"), before + 1)

    def test_half_a_body(self):
        self.left(b"half_total 1\nhalf_total 2\nhalf_to")
        self.assertEqual(self.scrape().value("half_total"), 3)  # a stream is applied as it comes

    def test_reset(self):
        self.left(b"half_total 1\n", abort=True)

    def test_half_a_gzip_body(self):
        self.left(bodies.gzip(b"x_total 1\n" * 1000)[:30], headers=["Content-Encoding: gzip"])

    def test_half_of_a_refused_body(self):
        self.left(b"not gzip", headers=["Content-Encoding: gzip"])

    def test_half_a_chunk(self):
        before = self.service.closed("client")
        wire = self.wire()
        wire.send(request("POST", "/v1/push", ["Transfer-Encoding: chunked"]))
        wire.send(chunk(b"chunk_total 1\n") + b"ff\r\nchu")
        self.service.await_requests(1)
        wire.close()
        self.service.await_quiet()
        self.assertEqual(self.service.closed("client"), before + 1)

    def test_nothing_at_all(self):
        for _ in range(20):
            self.wire().close()
        self.service.await_quiet()

    def test_many_at_once(self):
        wires = [self.held_push() for _ in range(40)]
        for i, wire in enumerate(wires):
            wire.abort() if i % 2 else wire.close()
        self.service.await_quiet()


class GoneAtOnce(ServiceCase):
    """A client that sends a part and closes, all at once: its end is seen then, not when a timeout comes."""

    settings = {"limits.header_timeout": "3s", "limits.body_timeout": "3s"}
    seconds = 8

    PARTS = {
        "header": b"POST /v1/push HTTP/1.1\r\nHost: te",
        "body": request("POST", "/v1/push", ["Content-Length: 100000"], b"gone_total 1\n" * 1000, length=False),
        "chunk": request("POST", "/v1/push", ["Transfer-Encoding: chunked"]) + b"ff\r\ngone_total 1\n",
        "gzip": request("POST", "/v1/push", ["Content-Length: 9000", "Content-Encoding: gzip"],
                        bodies.gzip(b"gone_total 1\n" * 1000)[:30], length=False),
    }

    def check_part(self, part, leave):
        before = self.service.closed("client")
        for _ in range(20):
            wire = self.wire()
            wire.send(self.PARTS[part])
            leave(wire)
        seen = self.service.await_that(lambda: self.service.quiet_problem() is None, 1.0)
        held = self.service.holders()["requests"]
        self.assertTrue(seen, f"{len(held) - 1} of 20 are held after their clients were gone: {held[0]}")
        if part != "header":
            # quiet may also mean that some were not begun yet: the count settles it
            self.assertTrue(self.service.await_that(lambda: self.service.closed("client") >= before + 20, 2))

    def test_close(self):
        for part in self.PARTS:
            with self.subTest(part):
                self.check_part(part, lambda wire: wire.close())
            self.service.await_quiet()

    def test_half_close(self):
        """No more will come, and the body is not complete."""
        for part in self.PARTS:
            with self.subTest(part):
                self.check_part(part, lambda wire: wire.end_sending())
            self.service.await_quiet()

    def test_reset(self):
        for part in self.PARTS:
            with self.subTest(part):
                self.check_reset(part)
            self.service.await_quiet()

    def check_reset(self, part):
        """What was received is thrown away by a reset, so that a request may never have begun."""
        for _ in range(20):
            wire = self.wire()
            wire.send(self.PARTS[part])
            wire.abort()
        self.assertTrue(self.service.await_that(lambda: self.service.quiet_problem() is None, 1.0))

    def test_half_close_behind_a_whole_request(self):
        """That is how `nc -N` and the like ask: they are answered."""
        wire = self.wire()
        wire.send(request("POST", "/v1/push", ["Content-Type: text/plain"], b"whole_total 1\n"))
        wire.end_sending()
        self.assert_accepted(wire.reply(), 1)
