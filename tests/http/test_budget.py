"""test_budget.py: --memory is a promise: VmHWM stays within it whatever is sent.

And a long body costs what a short one does.
"""
import resource

import bodies
from case import GZIP, NDJSON, TEXT, ZSTD, ServiceCase
from client import Wire, curl, curl_stream, request
from service import SANITIZED

KIB = 1 << 10
MIB = 1 << 20

# Sanitizers make everything some ten times slower.
LONG_BYTES = (30 if SANITIZED else 300) * MIB


class Streaming(ServiceCase):
    """A push of any length, in flat memory."""

    settings = {"limits.inflated_bytes": "2GiB"}
    seconds = 15

    BLOCK = bodies.counters("stream", 1000, value=2) * 30  # some 700 kB, 30,000 samples

    def check_flat(self, reply, blocks, resident, arena_bytes):
        samples = blocks * self.BLOCK.count(b"\n")
        self.assert_accepted(reply, samples)
        self.assertLess(reply.arena_peak, arena_bytes)
        self.service.await_quiet()
        if not SANITIZED:
            self.assertLess(self.service.resident_peak_bytes() - resident, 256 * KIB)
        return 2 * samples

    def sum_of(self):
        return self.scrape().sum("stream_total")

    def warm_up(self, *arguments, body=None):
        """What the first request of its kind makes resident is not what its length does."""
        self.assertEqual(self.push(body or self.BLOCK, *arguments).status, 200)
        return self.service.resident_peak_bytes(), self.sum_of()

    def test_text(self):
        resident, before = self.warm_up(*TEXT)
        blocks = LONG_BYTES // len(self.BLOCK)
        reply = curl_stream(self.service.data_url + "/v1/push", (self.BLOCK for _ in range(blocks)), *TEXT)
        added = self.check_flat(reply, blocks, resident, 64 * KIB)
        self.assertEqual(self.sum_of(), before + added)

    def test_text_with_a_length(self):
        resident, before = self.warm_up(*TEXT)
        blocks = LONG_BYTES // len(self.BLOCK) // 4
        wire = self.wire()
        wire.send(request("POST", "/v1/push", ["Content-Type: text/plain",
                                               f"Content-Length: {blocks * len(self.BLOCK)}"]))
        for _ in range(blocks):
            wire.send(self.BLOCK)
        added = self.check_flat(wire.reply(), blocks, resident, 64 * KIB)
        self.assertEqual(self.sum_of(), before + added)

    def check_packed(self, packed, *arguments):
        """Members one behind the other are one stream."""
        resident, before = self.warm_up(*TEXT, *arguments, body=packed)
        blocks = LONG_BYTES // len(self.BLOCK)
        reply = curl_stream(self.service.data_url + "/v1/push", (packed for _ in range(blocks)), *TEXT, *arguments)
        added = self.check_flat(reply, blocks, resident, 3 * MIB)
        self.assertEqual(self.sum_of(), before + added)
        return reply

    def test_gzip(self):
        self.assertLess(self.check_packed(bodies.gzip(self.BLOCK), *GZIP).arena_peak, 128 * KIB)

    def test_zstd(self):
        self.check_packed(bodies.zstd(self.BLOCK), *ZSTD)

    def test_ndjson(self):
        sample = {"name": "stream_total", "kind": "counter", "labels": {"i": "1"}, "value": 2}
        block = bodies.ndjson(*[sample] * 5000)
        resident = self.warm_up(*NDJSON, body=block)[0]
        blocks = LONG_BYTES // 5 // len(block)
        reply = curl_stream(self.service.data_url + "/v1/push", (block for _ in range(blocks)), *NDJSON)
        self.assert_accepted(reply, blocks * 5000)
        self.assertLess(reply.arena_peak, 64 * KIB)
        if not SANITIZED:
            self.assertLess(self.service.resident_peak_bytes() - resident, 256 * KIB)

    def test_one_endless_line(self):
        resident = self.service.resident_peak_bytes()
        pieces = (b"x" * MIB for _ in range(LONG_BYTES // MIB // 3))
        reply = curl_stream(self.service.data_url + "/v1/push", pieces, *TEXT)
        self.assert_rejected(reply, 0, ["line_too_long"])
        self.assertLess(reply.arena_peak, 64 * KIB)
        if not SANITIZED:
            self.assertLess(self.service.resident_peak_bytes() - resident, 256 * KIB)


class Budget(ServiceCase):
    """Everything that takes memory, all of it at once, at 64 MiB. Subclasses do the same at other sizes."""

    settings = {"memory": "64MiB", "limits.reply_timeout": "20s"}
    seconds = 12

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
        rows = curl(cls.service.data_url + "/v1/config").json()["settings"]
        cls.limit = {path: row["value"] for path, row in rows.items()}

    def check_budget(self):
        """Also asserted of every service of every test when it stops."""
        memory = self.service.memory()
        self.assertEqual(memory["audit"]["ledger_mismatch_bytes"], 0)
        for pool in memory["pools"]:
            self.assertLessEqual(pool["peak_bytes"], pool["capacity_bytes"], pool)
        if not SANITIZED:
            self.assertLessEqual(self.service.resident_peak_bytes(), self.limit["memory"])
            self.assertLess(memory["process"]["unaccounted_bytes"], MIB)

    def test_everything_at_once(self):
        self.fill_store()
        self.check_budget()
        self.large_requests()
        self.check_budget()
        self.every_connection()
        self.check_budget()
        self.scrapes()
        self.check_budget()

    # ---- what takes memory ----

    def fill_store(self):
        """More series, histograms, sets, families and label bytes than there is room for."""
        count = self.limit["series.max"] + 2000
        if SANITIZED:
            count = min(count, 60_000)
        pad = "p" * 90
        for start in range(0, count, 50_000):
            rows = range(start, min(count, start + 50_000))
            body = "".join(f'fill_total{{i="{i}",pad="{pad}"}} 1\n' for i in rows)
            self.assertEqual(self.push(body.encode(), *TEXT).status, 200)
        for kind, path in (("histogram", "histograms.max"), ("set", "sets.max")):
            sample = '{{"name":"fill_{}","kind":"{}","labels":{{"i":"{}"}},"value":{}}}\n'
            rows = range(min(self.limit[path] + 50, 80_000))
            body = "".join(sample.format(kind, kind, i, i % 97 + 0.5) for i in rows)
            self.assertEqual(self.push(body.encode(), *NDJSON).status, 200)
        families = "".join(f"fam{i}_total 1\n" for i in range(self.limit["limits.families"] + 50))
        self.assertEqual(self.push(families.encode(), *TEXT).status, 200)

    def large_requests(self):
        """Atomic pushes and windows of zstd, side by side until there is no room, and beyond."""
        held = [self.held_push(bodies.counters("atomic", 200), "/v1/push?atomic=1") for _ in range(8)]
        big = b"".join(b'big_total{i="%d"} 1\n' % i for i in range(100_000))
        for wire in held:
            wire.send_what_it_takes(big[:400_000])
        plain = bodies.counters("window", 1000) * 150
        for body, arguments in ((big, ()), (bodies.zstd(plain), ZSTD), (bodies.gzip(big), GZIP)):
            reply = self.push(body, *TEXT, *arguments, target="/v1/push?atomic=1")
            self.assertIn(reply.status, (200, 413, 503), reply)
        # at 16 MiB there is no room for a window of 2 MiB
        self.assertIn(self.push(bodies.zstd(plain), *TEXT, *ZSTD).status, (200, 413, 503))
        for wire in held:
            wire.close()
        self.service.await_quiet()

    def every_connection(self):
        """All of them: headers that fill the buffer, then a packed push held in its middle, then a reply not read."""
        count = self.limit["server.connections"]
        wires = [Wire(self.service.data, receive_bytes=4096) for _ in range(count)]
        headers = ["X-Fill: " + "f" * (self.limit["server.connection_bytes"] - 4 * KIB)]
        for wire in wires:
            wire.send(request("GET", "/healthz", headers))
        self.assertEqual({wire.reply().status for wire in wires}, {200})
        packed = bodies.gzip(bodies.counters("held", 3000))
        for wire in wires:
            wire.send(request("POST", "/v1/push", ["Content-Type: text/plain", "Content-Encoding: gzip",
                                                   f"Content-Length: {len(packed)}"], packed[:-9], length=False))
        self.service.await_requests(count)
        self.check_budget()
        for wire in wires:
            wire.send(packed[-9:])
        self.assertLessEqual({wire.reply().status for wire in wires}, {200, 503})
        for wire in wires:
            wire.send(request("GET", "/metrics"))
        self.service.await_that(lambda: self.service.memory()["requests"]["live"] > count // 4)
        self.check_budget()
        for wire in wires:
            wire.close()
        self.service.await_quiet()

    def scrapes(self):
        for target in ("/", "/metrics", "/memory", "/memory/holders", "/v1/series?limit=1000", "/v1/cardinality",
                       "/v1/labels/i/values?limit=1000", "/v1/config"):
            for arguments in ((), ("--compressed",)):
                self.assertEqual(curl(self.service.data_url + target, *arguments).status, 200, target)


class BudgetSmall(Budget):
    settings = {"memory": "16MiB", "limits.reply_timeout": "20s"}


class BudgetLarge(Budget):
    settings = {"memory": "512MiB", "limits.reply_timeout": "20s"}
    seconds = 30


class BudgetUntouched(Budget):
    """Without prefault the memory becomes resident under load; the promise is the same."""

    settings = {"memory": "16MiB", "prefault": "false", "limits.reply_timeout": "20s"}
