"""test_windows.py: history: what was pushed stays what it was, while windows are sealed, folded, cached and dropped."""
import collections
import signal
import threading
import time
import urllib.parse

import bodies
from case import NDJSON, TEXT, ServiceCase, reaches
from client import Wire, curl, request

OVERFLOW = "otel_metric_overflow"
SHORT = {"windows.fine": "1s", "windows.middle": "2s", "windows.coarse": "4s"}
SEALED_WITHIN = 0.2  # seconds behind a window's end by which a push may still be in it

Sent = collections.namedtuple("Sent", "began ended total")


def sealed_points(series):
    return [point for point in series["points"] if len(point) == 2 and point[1] is not None]


def total(series):
    return sum(point[1] for point in series["points"] if point[1] is not None)


class Load:
    """Threads that push the same body again and again, each over one connection."""

    def __init__(self, service, body, worth, content_type="text/plain", threads=2, pause=0.03):
        self.service, self.body, self.worth, self.pause = service, body, worth, pause
        self.headers = [f"Content-Type: {content_type}"]
        self.lock = threading.Lock()
        self.begun = self.ended = 0  # what was sent, and what was answered, added up
        self.sent = []
        self.problems = []
        self.stopping = threading.Event()
        self.threads = [threading.Thread(target=self.run, daemon=True) for _ in range(threads)]

    def __enter__(self):
        for thread in self.threads:
            thread.start()
        return self

    def __exit__(self, *_):
        self.stop()

    def stop(self):
        self.stopping.set()
        for thread in self.threads:
            thread.join()
        assert not self.problems, self.problems[:3]

    def run(self):
        try:
            with Wire(self.service.data) as wire:
                while not self.stopping.wait(self.pause):
                    self.push(wire)
        except Exception as problem:  # the main thread tells
            self.problems.append(problem)

    def push(self, wire):
        with self.lock:
            self.begun += self.worth
        began = time.time()
        wire.send(request("POST", "/v1/push", self.headers, self.body))
        reply = wire.reply()
        assert reply.status == 200 and "overflowed" not in reply.json(), reply
        with self.lock:
            self.ended += self.worth
            self.sent.append(Sent(began, time.time(), self.worth))


class WindowsCase(ServiceCase):
    def query(self, metric, **parameters):
        pairs = [("metric", metric)] + [(name.rstrip("_"), value) for name, value in parameters.items()]
        if "from_" not in parameters:
            pairs.append(("from", f"{int(self.began) - 10}"))
        reply = self.get("/v1/query?" + urllib.parse.urlencode(pairs))
        self.assertEqual(reply.status, 200, reply)
        return reply.json()

    def total(self, metric, **parameters):
        answer = self.query(metric, **parameters)
        self.assertNotIn("approximate", str(answer.get("notes")), answer)
        return sum(total(series) for series in answer["series"])

    @classmethod
    def setUpClass(cls):
        cls.began = time.time()
        super().setUpClass()

    def tiers(self):
        """(of each tier: its report); what never may be is asserted here."""
        memory = self.service.memory()
        for tier in memory["windows"]:
            self.assertLessEqual(tier["live_bytes"], tier["capacity_bytes"], tier)
        for pool in memory["pools"]:
            self.assertLessEqual(pool["peak_bytes"], pool["capacity_bytes"], pool)
        self.assertEqual(memory["audit"]["ledger_mismatch_bytes"], 0)
        return memory["windows"]

    def await_sealed(self, count=1):
        """So many windows from now on have been sealed."""
        before = self.sealed()
        self.assertTrue(self.service.await_that(lambda: self.sealed() >= before + count, 10 + 2 * count))

    def sealed(self):
        return self.scrape("self").value("mayfly_windows_sealed_total")


class Landing(WindowsCase):
    """Windows of a second, and room for all of them."""

    settings = SHORT
    seconds = 12

    @reaches("windows.fine")
    def test_pushes_land_in_the_windows_they_came_in(self):
        with Load(self.service, b'land_total{a="1"} 2\nland_total{a="2"} 1\n', 3, threads=3) as load:
            time.sleep(4.5)
        self.await_sealed()
        answer = self.query("land_total")
        self.assertEqual((answer["step"], answer["resolution"]), (1, 1))
        series, = answer["series"]
        points = sealed_points(series)
        self.assertGreaterEqual(len(points), 4)
        self.assertEqual(sum(point[1] for point in points), load.ended)
        so_far = 0
        for start, value in points:
            so_far += value
            end = start + 1
            self.assertGreaterEqual(so_far, sum(push.total for push in load.sent if push.ended < end), start)
            most = sum(push.total for push in load.sent if push.began < end + SEALED_WITHIN)
            self.assertLessEqual(so_far, most, start)

    def test_hits_grow_by_what_was_sealed(self):
        """The same question each second: what was sealed before is found, and only the new is worked out."""
        def ask():
            answer = self.query("again_total", by="a", match="a!=9")
            sealed = {start for series in answer["series"] for start, *_ in sealed_points(series)}
            return sealed, answer["cache"]
        with Load(self.service, b'again_total{a="1"} 2\nagain_total{a="2"} 1\n', 3):
            time.sleep(2.2)
            seen, cache = ask()
            self.assertEqual(cache, {"hits": 0, "misses": len(seen)})
            for _ in range(4):
                time.sleep(1)
                sealed, cache = ask()
                self.assertEqual(cache, {"hits": len(seen), "misses": len(sealed - seen)})
                self.assertLess(len(sealed - seen), 3)
                seen = sealed
        memory = self.service.memory()["cache"]
        self.assertGreater(memory["hits_total"], 0)
        self.assertGreater(memory["misses_total"], 0)
        self.assertEqual(memory["entries"], memory["admitted_total"] - sum(memory["evictions_total"].values()))

    def test_windows_that_passed_unseen(self):
        """A machine that slept: those windows are empty, and what was open before is not lost."""
        self.push(b"slept_total 3\n", *TEXT)
        self.service.signal(signal.SIGSTOP)
        time.sleep(3.2)
        self.service.signal(signal.SIGCONT)
        self.push(b"slept_total 4\n", *TEXT)
        self.await_sealed()
        self.assertEqual(self.total("slept_total"), 7)
        self.assertEqual(self.total("slept_total", step="4s"), 7)
        self.assertGreaterEqual(self.scrape("self").value("mayfly_windows_skipped_total"), 2)

    def test_what_is_deleted_has_no_history(self):
        self.push(b'# TYPE gone counter\ngone{a="1"} 5\ngone{a="2"} 6\n', *TEXT)
        self.await_sealed(2)
        self.assertEqual(self.total("gone", by="a"), 11)
        self.assertEqual(self.total("gone", by="a"), 11)  # the second time out of the cache
        self.get("/v1/series?metric=gone", "-X", "DELETE")
        self.assertEqual(self.query("gone", by="a")["series"], [])
        self.push(b'# TYPE gone counter\ngone{a="1"} 2\n', *TEXT)
        self.assertEqual(self.total("gone", by="a"), 2)
        self.await_sealed(2)
        self.assertEqual(self.total("gone", by="a"), 2)

    def test_a_deleted_series_of_several(self):
        """History is by metric: all of it goes, that of the series that stay too; their totals stay."""
        self.push(b'# TYPE part counter\npart{a="1"} 5\npart{a="2"} 6\n', *TEXT)
        self.await_sealed(2)
        self.get("/v1/series?metric=part&match=a=1", "-X", "DELETE")
        self.push(b'# TYPE part counter\npart{a="2"} 1\n', *TEXT)
        found = {series["labels"].get("a"): total(series) for series in self.query("part", by="a")["series"]}
        self.assertEqual(found, {"2": 1})

    def test_every_kind_across_sealing(self):
        samples = bodies.ndjson({"name": "kh", "kind": "histogram", "values": [1, 2, 4, 8]},
                                {"name": "kg", "kind": "gauge", "value": 7}, {"name": "ks", "kind": "set", "value": "one"})
        lines = (b'# TYPE kc histogram\nkc_bucket{le="1"} 2\nkc_bucket{le="+Inf"} 3\nkc_sum 4\nkc_count 3\n'
                 b"# TYPE kq summary\nkq_sum 2\nkq_count 1\n")
        with Load(self.service, samples, 1, "application/x-ndjson"), Load(self.service, lines, 1) as text:
            time.sleep(3.5)
        self.await_sealed()
        pushes = self.total("kg", fn="count")
        self.assertGreater(pushes, 10)
        self.assertEqual((self.total("kh", fn="count"), self.total("kh", fn="sum")), (4 * pushes, 15 * pushes))
        self.assertEqual(self.total("ks", fn="count"), pushes)
        self.assertEqual((self.total("kc", fn="count"), self.total("kc", fn="sum")), (3 * text.ended, 4 * text.ended))
        self.assertEqual((self.total("kq", fn="count"), self.total("kq", fn="sum")), (text.ended, 2 * text.ended))
        for metric, function, value in (("kh", "min", 1), ("kh", "max", 8), ("kh", "p0", 1), ("kh", "p100", 8),
                                        ("kg", "last", 7), ("kg", "sum", 7), ("ks", "unique", 1)):
            series, = self.query(metric, fn=function)["series"]
            self.assertEqual({point[1] for point in sealed_points(series)}, {value}, (metric, function))


class Folding(WindowsCase):
    """The finer rings as small as can be: windows go on to the next tier all the time, and nothing is lost."""

    settings = {**SHORT, "limits.families": 16, "windows.fine_bytes": "32KiB", "windows.middle_bytes": "32KiB"}
    seconds = 60
    SERIES = 700

    def load(self):
        lines = "".join(f'fold_total{{i="{i}",a="{i % 3}"}} {i}\n' for i in range(self.SERIES))
        return Load(self.service, lines.encode(), sum(range(self.SERIES)), pause=0.1)

    def histograms(self):
        samples = [{"name": "fold_h", "kind": "histogram", "labels": {"i": str(i)}, "values": [i + 1, 2 * i + 1]}
                   for i in range(40)]
        return Load(self.service, bodies.ndjson(*samples), 80, "application/x-ndjson", threads=1, pause=0.2)

    @reaches("windows.fine_bytes", "windows.middle_bytes", "windows.middle", "windows.coarse")
    def test_sums_stay_exact(self):
        resolutions = set()
        with self.load() as counters, self.histograms() as histograms:
            least_end = time.monotonic() + 12
            most_end = least_end + 30
            while time.monotonic() < least_end or (4 not in resolutions and time.monotonic() < most_end):
                for load, metric, function in ((counters, "fold_total", "sum"), (histograms, "fold_h", "count")):
                    least = load.ended
                    answer = self.query(metric, fn=function, by="a")
                    found, most = sum(total(series) for series in answer["series"]), load.begun
                    self.assertTrue(least <= found <= most, (metric, least, found, most, answer.get("notes")))
                    resolutions.add(answer["resolution"])
                self.tiers()
                time.sleep(0.15)
        for _ in range(2):  # worked out, and out of the cache
            for by in ("", "a", "i"):
                self.assertEqual(self.total("fold_total", by=by), counters.ended)
                self.assertEqual(self.total("fold_h", fn="count", by=by), histograms.ended)
        self.assertTrue({1, 4} <= resolutions, resolutions)  # the middle tier is seen if a question meets it
        fine, middle, coarse = self.tiers()
        self.assertEqual([tier["tier"] for tier in (fine, middle, coarse)], ["1s", "2s", "4s"])
        for tier in (fine, middle):
            self.assertGreater(tier["left_total"], 0)
        self.assertGreater(coarse["records"], 0)
        self.assertEqual(coarse["left_total"], 0)
        self.assertLess(fine["retention_seconds"], middle["retention_seconds"])
        self.assertLess(middle["retention_seconds"], coarse["retention_seconds"])
        self.check_config()

    def check_config(self):
        rows = self.get("/v1/config").json()["windows"]
        held = {row["tier"]: row["retention_seconds"] for row in rows}
        for tier in self.tiers():
            self.assertAlmostEqual(held[tier["tier"]], tier["retention_seconds"], delta=3)


class Dropping(WindowsCase):
    """All rings as small as can be: the oldest goes, retention says how much is left, and nothing else happens."""

    settings = {**SHORT, "limits.families": 16, "windows.fine_bytes": "32KiB", "windows.middle_bytes": "32KiB",
                "windows.coarse_bytes": "32KiB", "cache.bytes": "64KiB"}
    seconds = 25

    @reaches("windows.coarse_bytes")
    def test_the_oldest_is_dropped(self):
        lines = "".join(f'drop_total{{i="{i}"}} 1\n' for i in range(2000))
        with Load(self.service, lines.encode(), 2000, threads=1, pause=0.1) as load:
            self.assertTrue(self.service.await_that(lambda: self.tiers()[2]["left_total"] > 3, 60))
            for _ in range(10):
                answer = self.query("drop_total")
                self.assertLessEqual(sum(total(series) for series in answer["series"]), load.begun)
                self.assertIn("nothing is held from before held_from", answer["notes"])
                self.assertGreater(answer["held_from"], self.began + 1)
                time.sleep(0.2)
        self.await_sealed()
        lost = load.ended - self.total("drop_total")
        self.assertGreater(lost, 0)
        coarse = self.tiers()[2]
        self.assertLess(coarse["retention_seconds"], time.time() - self.began)
        self.assertEqual(self.scrape().sum("drop_total"), load.ended)  # totals know nothing of windows
        held = self.scrape("self").value("mayfly_windows_retention_seconds", own="false", tier="4s")
        self.assertAlmostEqual(held, coarse["retention_seconds"], delta=3)
        # what is held is whole: every window behind held_from is what was pushed in it
        answer = self.query("drop_total", from_=str(self.query("drop_total")["held_from"]))
        whole = sum(push.total for push in load.sent if push.began > answer["held_from"] + SEALED_WITHIN)
        self.assertGreaterEqual(sum(total(series) for series in answer["series"]), whole)

    def test_beyond_retention(self):
        answer = self.query("none_total", from_="-1d", step="1h")
        self.assertIn("nothing is held from before held_from", answer["notes"])
        self.assertGreater(answer["held_from"], answer["from"])


class Cached(WindowsCase):
    """The same questions with a cache of every size: the same answers."""

    settings = {**SHORT, "cache.bytes": "4KiB"}
    seconds = 8

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        for turn in range(4):
            lines = "".join(f'c_total{{i="{i}",a="{i % 7}"}} {i + turn}\n' for i in range(100))
            curl(cls.service.data_url + "/v1/push", *TEXT, body=lines.encode())
            time.sleep(1)
        time.sleep(1.3)

    def ask_all(self):
        """The sum, by every way to choose half of it."""
        caches = []
        expected = sum(4 * i + 6 for i in range(100))
        for k in range(40):
            found = 0
            for operator in ("=", "!="):
                answer = self.query("c_total", match=f"i{operator}{k}", by="a")
                found += sum(total(series) for series in answer["series"])
                caches.append(answer["cache"])
            self.assertEqual(found, expected, k)
        return caches

    @reaches("cache.bytes")
    def test_answers_are_right(self):
        self.ask_all()
        caches = self.ask_all()
        memory = self.service.memory()["cache"]
        self.assertLessEqual(memory["live_bytes"], memory["capacity_bytes"])
        self.check_cache(caches, memory)

    def check_cache(self, caches, memory):
        """A tiny one: the least recently used go, so that a round of questions finds none of the round before."""
        self.assertGreater(memory["capacity_bytes"], 0)
        self.assertGreater(memory["evictions_total"]["size"], 100)
        self.assertGreater(memory["evicted_unused_total"], 100)
        self.assertGreater(memory["admitted_total"], memory["entries"])
        self.assertGreater(self.scrape("self").value("mayfly_cache_evictions_total", cause="size"), 100)
        again = [self.query("c_total", match="a=3")["cache"] for _ in range(3)]
        self.assertEqual([cache["misses"] for cache in again[1:]], [0, 0])


class NoCache(Cached):
    settings = {**SHORT, "cache.bytes": "0"}

    def check_cache(self, caches, memory):
        self.assertEqual({cache["hits"] for cache in caches}, {0})
        self.assertGreater(min(cache["misses"] for cache in caches), 0)
        self.assertEqual((memory["capacity_bytes"], memory["live_bytes"], memory["entries"], memory["hits_total"]),
                         (0, 0, 0, 0))


class AmpleCache(Cached):
    settings = SHORT

    def check_cache(self, caches, memory):
        self.assertEqual({cache["misses"] for cache in caches}, {0})
        self.assertGreater(min(cache["hits"] for cache in caches), 0)
        self.assertEqual(memory["evictions_total"]["size"], 0)


class Ended(WindowsCase):
    """Series that make way, or expire: what they were stays, under the overflow label."""

    settings = {**SHORT, "series.max": 20, "series.idle_min": "10s", "series.expire_after": "25s"}
    seconds = 55

    def found(self):
        rows = self.query("old_total", by=f"i,{OVERFLOW}", step="1h")["series"]
        by = collections.Counter()
        for row in rows:
            by[OVERFLOW if OVERFLOW in row["labels"] else row["labels"]["i"]] += total(row)
        return by

    def test_their_history_stays(self):
        self.push(b"".join(b'old_total{i="%d"} %d\n' % (i, i + 1) for i in range(18)), *TEXT)
        self.push(bodies.counters("young", 5), *TEXT)  # and there is no room any more
        self.await_sealed(2)
        everything = sum(range(1, 19))
        self.assertEqual(self.found(), {str(i): i + 1 for i in range(18)})
        self.assertTrue(self.service.await_that(self.try_new, 40))
        self.push(b'old_total{i="17"} 1\n', *TEXT)  # keeps the metric
        found = self.found()
        self.assertGreater(found[OVERFLOW], 0)
        self.assertEqual(sum(found.values()), everything + 1)
        self.assertTrue(self.service.await_that(self.most_have_expired, 60))
        found = self.found()
        self.assertEqual(sum(found.values()), everything + 1)
        self.assertGreater(found[OVERFLOW], everything / 2)
        self.assertTrue(self.service.await_that(self.all_have_expired, 60))
        found = self.found()
        self.assertEqual(found, {OVERFLOW: everything + 1})
        self.assertEqual(self.found(), found)

    def most_have_expired(self):
        time.sleep(0.5)
        return self.get("/v1/cardinality").json()["expired_series"] > 10

    def all_have_expired(self):
        time.sleep(0.5)
        return self.scrape().sum("old_total") == 0

    def try_new(self):
        time.sleep(0.5)
        return "overflowed" not in self.push(b'fresh_total{i="%d"} 1\n' % int(time.time()), *TEXT).json()


class Buckets(WindowsCase):
    """Histograms pushed as buckets are whole: what different bounds have in common is exact."""

    settings = SHORT
    seconds = 5

    def test_different_bounds(self):
        for low, count in ((b"1", (5, 10)), (b"2", (3, 4))):
            self.push(b'# TYPE mixed histogram\nmixed_bucket{le="%s"} %d\nmixed_bucket{le="+Inf"} %d\nmixed_sum 1\n'
                      b"mixed_count %d\n" % (low, *count, count[1]), *TEXT)
        found = self.scrape(strict=True)
        rows = {labels["le"]: found.value("mixed_bucket", le=labels["le"]) for labels in found.labels("mixed_bucket")}
        self.assertEqual(rows, {"+Inf": 14})
        self.assertEqual((found.value("mixed_sum"), found.value("mixed_count")), (2, 14))
        document = self.get("/v1/cardinality").json()
        row = next(row for row in document["metrics"] if row["metric"] == "mixed")
        self.assertGreaterEqual(row["lost_bounds"], 1)
        self.assertGreaterEqual(document["lost_bounds"], row["lost_bounds"])
        self.await_sealed(2)
        self.assertEqual(self.total("mixed", fn="count"), 14)


class Own(WindowsCase):
    """The service's own figures are kept like pushed ones, and nobody can crowd them out."""

    settings = {**SHORT, "windows.own_bytes": "512KiB", "limits.families": 64, "series.max": 2000,
                "windows.fine_bytes": "32KiB", "windows.middle_bytes": "32KiB", "windows.coarse_bytes": "32KiB"}
    seconds = 25

    def test_they_are_asked_like_others(self):
        self.await_sealed(3)
        live, = self.query("mayfly_memory_live_bytes", fn="last")["series"]
        self.assertGreater(len(sealed_points(live)), 1)
        self.assertGreater(sealed_points(live)[-1][1], 0)
        accepted, = self.query("mayfly_samples_accepted_total", fn="sum")["series"]
        self.assertGreaterEqual(total(accepted), 0)
        rows = self.query("mayfly_memory_pool_live_bytes", fn="max", by="pool")["series"]
        self.assertIn("series", {row["labels"]["pool"] for row in rows}, rows)
        for metric in ("mayfly_cache_hits_total", "mayfly_cache_misses_total"):
            self.assertEqual(len(self.query(metric)["series"]), 1, metric)
        again = self.query("mayfly_memory_live_bytes", fn="last", to=int(time.time()) - 2)
        again = self.query("mayfly_memory_live_bytes", fn="last", to=again["to"])
        self.assertEqual(again["cache"]["misses"], 0)

    def own_tiers(self):
        return self.service.memory()["own_windows"]

    @reaches("windows.own_bytes")
    def test_clients_do_not_shorten_it(self):
        lines = "".join(f'crowd_total{{i="{i}"}} 1\n' for i in range(4000)).encode()
        families = "".join(f"crowd_{i} 1\n" for i in range(100)).encode()
        began = time.time()
        end = time.monotonic() + 12
        while time.monotonic() < end:
            self.assertIn("overflowed", self.push(lines, *TEXT).json())
            self.push(families, *TEXT)
            time.sleep(0.2)
        crowded, kept = self.tiers()[0], self.own_tiers()[2]
        self.assertGreater(crowded["left_total"], 0)
        self.assertGreaterEqual(kept["retention_seconds"], time.time() - began)
        self.assertEqual(kept["left_total"], 0)
        live, = self.query("mayfly_series", fn="last", from_=str(int(began)))["series"]
        self.assertGreaterEqual(max(point[1] for point in sealed_points(live)), 1900)

    def test_their_bytes_are_one_pool(self):
        pool = self.service.pools()["own"]
        self.assertEqual(pool["live_bytes"], pool["capacity_bytes"])
        self.assertLessEqual(abs(pool["capacity_bytes"] - (512 << 10)), 64 << 10)


class Storm(WindowsCase):
    """Everything asked of everything, by many at once: then no memory of a request is live."""

    settings = SHORT
    seconds = 20
    ANSWERED = 500
    FUNCTIONS = ("sum", "rate", "avg", "min", "max", "last", "count", "unique", "p50", "p99.9")
    METRICS = ("storm_total", "storm_gauge", "storm_h", "storm_s", "storm_c", "mayfly_memory_pool_live_bytes", "none")

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        url = cls.service.data_url + "/v1/push"
        rows = curl(cls.service.data_url + "/v1/config").json()["settings"]
        cls.limit = {path: row["value"] for path, row in rows.items()}
        groups = cls.limit["limits.query_groups"]
        for _ in range(3):
            lines = "# TYPE storm_gauge gauge\n"
            lines += "".join(f'storm_total{{i="{i}",g="{i % groups}",a="{i % 5}"}} {i}\n' for i in range(5000))
            lines += "".join(f'storm_gauge{{i="{i}",g="{i % groups}",a="{i % 5}"}} {i}\n' for i in range(3000))
            lines += "# TYPE storm_c histogram\n"
            for i in range(300):
                labels = f'i="{i}",a="{i % 5}"'
                lines += (f'storm_c_bucket{{{labels},le="{i % 3}"}} 1\nstorm_c_bucket{{{labels},le="+Inf"}} 2\n'
                          f"storm_c_sum{{{labels}}} 1\nstorm_c_count{{{labels}}} 2\n")
            curl(url, *TEXT, body=lines.encode())
            samples = [{"name": name, "kind": kind, "labels": {"i": str(i), "a": str(i % 5)}, "value": i + 1}
                       for name, kind, count in (("storm_h", "histogram", 1200), ("storm_s", "set", 150))
                       for i in range(count)]
            curl(url, *NDJSON, body=bodies.ndjson(*samples))
            time.sleep(1.05)

    def targets(self):
        points = self.limit["limits.query_points"] - 10
        for metric in self.METRICS:
            for function in self.FUNCTIONS:
                for by in ("", "a", "g", "i"):
                    yield f"/v1/query?metric={metric}&fn={function}&by={by}&from=-20s"
                yield f"/v1/query?metric={metric}&fn={function}&from=-{points}s"
                yield f"/v1/query?metric={metric}&fn={function}&by=a&from=-{points // 6}s&match=i=~[0-9]*"

    def ask(self, targets, number, outcomes, problems):
        try:
            for k, target in enumerate(targets):
                wire = Wire(self.service.data)
                wire.send(request("GET", target, ["Connection: close"]))
                if (k + number) % 7 == 0:
                    wire.abort()  # in the middle of it
                    continue
                reply = wire.reply()
                wire.close()
                outcomes[reply.status, reply.error.get("code") if reply.status != 200 else None] += 1
                assert reply.status in (200, 413, 422, 503), (target, reply)
                peak = reply.arena_peak
                outcomes["peak"] = max(outcomes["peak"], peak)
                assert peak <= self.limit["limits.request_bytes"], (target, reply.headers.pairs)
        except Exception as problem:  # the main thread tells
            problems.append(problem)

    def test_memory_at_rest(self):
        targets = list(self.targets())
        outcomes, problems = collections.Counter(), []
        threads = [threading.Thread(target=self.ask, args=(targets[k:] + targets[:k], k, outcomes, problems))
                   for k in range(0, len(targets), len(targets) // 6)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.assertEqual(problems, [])
        self.service.await_quiet()
        self.assertGreater(outcomes[200, None], self.ANSWERED, outcomes)
        self.assertGreater(outcomes[422, "bad_function"], self.ANSWERED / 5, outcomes)
        self.tiers()
        self.check_biggest()
        self.service.await_quiet()

    def check_biggest(self):
        """As many groups as may be; and as many points."""
        groups = self.limit["limits.query_groups"]
        answer = self.query("storm_total", by="g", step="1h")
        self.assertEqual(len(answer["series"]), groups)
        points = self.limit["limits.query_points"]
        answer = self.query("storm_total", from_=f"-{points - 10}s")
        self.assertGreater(len(answer["series"][0]["points"]), points - 20)
        reply = self.get("/v1/query?metric=storm_total&by=i&step=1h")
        self.assert_refused(reply, 422, "too_many_groups", "limits.query_groups", groups)


class StormSmall(Storm):
    """The same where hardly anything fits: most of what was pushed overflowed, and most of what is asked is refused."""

    settings = {**SHORT, "memory": "16MiB"}
    ANSWERED = 100

    def check_biggest(self):
        reply = self.get(f"/v1/query?metric=storm_total&from=-{self.limit['limits.query_points'] - 10}s")
        self.assertEqual(reply.status, 200, reply)


class Families(WindowsCase):
    """Metrics beyond limits.families have their history together, under the overflow metric of their kind."""

    settings = {**SHORT, "limits.families": 16}
    seconds = 4

    def test_the_overflow_metric_is_asked_by_its_name(self):
        for _ in range(2):
            self.push(b"".join(b"each%d_total 2\n" % i for i in range(40)), *TEXT)
            self.push(b"".join(b'# TYPE l%d histogram\nl%d_bucket{le="+Inf"} 3\nl%d_sum 5\nl%d_count 3\n' % (i, i, i, i)
                               for i in range(3)), *TEXT)
            self.await_sealed()
        found = self.scrape()
        name, = (name for name in found.names() if name.startswith("mayfly_") and name.endswith("_total"))
        kept = sum(self.total(f"each{i}_total") for i in range(40))
        self.assertGreater(kept, 0)
        self.assertEqual(kept + self.total(name), 160)
        self.assertEqual(self.total(name), found.sum(name))
