"""test_full.py: every pool filled to its end: what then happens, and that nothing is lost."""
import time

import bodies
from case import GZIP, NDJSON, TEXT, ServiceCase, reaches
from client import LAST_CHUNK, Wire, chunk, request

KIB = 1 << 10
OVERFLOW = {"otel_metric_overflow": "true"}


class ConnectionsFull(ServiceCase):
    """More connections than allowed wait; the operator listener answers; they are served when there is room."""

    settings = {"server.connections": 4, "server.operator_connections": 2, "limits.idle_timeout": "60s"}
    seconds = 4

    def fill(self):
        wires = [self.held_push() for _ in range(4)]
        self.service.await_requests(4)
        return wires

    @reaches("server.connections")
    def test_more_wait_and_are_served_in_the_end(self):
        held = self.fill()
        waiting = [self.wire() for _ in range(6)]
        for wire in waiting:
            wire.send(request("POST", "/v1/push", ["Connection: close"], b"waited_total 1\n"))
        self.assertFalse(any(wire.is_readable(0) or wire.is_ended(0.1) for wire in waiting))
        self.check_operator()
        self.assertEqual(self.service.memory()["requests"]["live"], 5)
        held[0].close()
        for wire in waiting:  # one after the other, through the one place that is free
            self.assert_accepted(wire.reply(), 1)
        self.assertEqual(self.scrape_after(held).value("waited_total"), 6)

    def scrape_after(self, held):
        for wire in held:
            wire.close()
        return self.scrape()

    def check_operator(self):
        for target in ("/memory", "/healthz", "/readyz", "/memory/holders", "/metrics?scope=self"):
            self.assertEqual(self.service.ask_operator(target).status, 200)

    def test_idle_connections_count(self):
        """A kept-alive connection at rest holds its place; what waits is served when it closes."""
        idle = [self.wire() for _ in range(4)]
        for wire in idle:
            wire.send(request("GET", "/healthz"))
            self.assertEqual(wire.reply().status, 200)
        late = self.wire()
        late.send(request("GET", "/healthz"))
        self.assertFalse(late.is_readable(0.3))
        idle[2].close()
        self.assertEqual(late.reply().status, 200)

    @reaches("server.operator_connections")
    def test_operator_connections(self):
        """Its own limit; the data listener is not touched by it."""
        held = [Wire(self.service.operator) for _ in range(2)]
        for wire in held:
            wire.send(b"GET /memory HTTP/1.1\r\nHost: half")
        time.sleep(0.2)
        late = Wire(self.service.operator)
        late.send(request("GET", "/healthz"))
        self.assertFalse(late.is_readable(0.2))
        self.assertEqual(self.get("/memory").status, 200)
        held[0].close()
        self.assertEqual(late.reply().status, 200)
        late.close()
        held[1].close()

    def test_a_queue_that_left_is_no_burden(self):
        held = self.fill()
        for _ in range(50):
            wire = self.wire()
            wire.send(request("GET", "/metrics"))
            wire.close()
        for wire in held:
            wire.close()


class PoolEmpty(ServiceCase):
    """The pool that requests grow into is taken: busy for those who need it, and nobody else notices."""

    settings = {"requests.bytes": "256KiB", "limits.request_bytes": "256KiB", "limits.zstd_window_bytes": "64KiB"}
    seconds = 4

    def take_all(self):
        """Gzip pushes held in their middle until one is refused. The held ones, and the refusal."""
        held = []
        for _ in range(40):
            wire = self.wire()
            held.append(wire)
            wire.send(request("POST", "/v1/push", ["Content-Type: text/plain", "Content-Encoding: gzip",
                                                   "Content-Length: 60", "Expect: 100-continue"]))
            status, headers = wire.head()
            if status != 100:
                return held, status, headers
        self.fail("the pool has no end")
        return None

    @reaches("requests.bytes")
    def test_busy_with_retry_after(self):
        held, status, headers = self.take_all()
        self.assertEqual(status, 503)
        self.assertGreaterEqual(int(headers["Retry-After"]), 1)
        reply = self.push(bodies.gzip(b"x_total 1\n"), *TEXT, *GZIP)
        self.assert_refused(reply, 503, "busy", "requests.bytes", 256 * KIB)
        self.assertIn("Retry-After", reply.headers)
        self.assertEqual(reply.json()["accepted"], 0)
        self.assertGreater(len(held), 1)
        self.check_admission()

    def check_admission(self):
        """The operator listener tells what is going on."""
        memory = self.service.memory()
        self.assertGreaterEqual(memory["budget"]["admission"]["refused_total"]["pool"], 2)
        growth = next(pool for pool in memory["pools"] if pool["name"] == "growth")
        self.assertGreaterEqual(growth["refusals_total"]["capacity"], 2)
        self.assertLessEqual(growth["live_bytes"], growth["capacity_bytes"])
        for target in ("/memory", "/memory?format=prometheus", "/memory/holders", "/metrics?scope=self",
                       "/healthz", "/readyz"):
            self.assertEqual(self.service.ask_operator(target).status, 200)

    def test_what_fits_its_first_block_works_meanwhile(self):
        self.take_all()
        self.assert_accepted(self.push(b"small_total 1\n", *TEXT), 1)
        self.assertEqual(self.get("/healthz").status, 200)
        self.assertEqual(self.get("/nothing").status, 404)

    def test_other_routes_are_busy_too(self):
        self.take_all()
        for target in ("/metrics", "/memory", "/v1/series", "/v1/labels", "/v1/cardinality"):
            reply = self.get(target)
            if reply.status != 200:
                self.assert_refused(reply, 503, "busy", "requests.bytes", 256 * KIB)
                self.assertIn("Retry-After", reply.headers)

    def test_there_is_room_again(self):
        held, _, _ = self.take_all()
        for wire in held[:2]:  # a plain text push takes a line's buffer more than these, whose format is not known yet
            wire.close()
        self.assertTrue(self.service.await_that(
            lambda: self.push(bodies.gzip(b"again_total 1\n"), *TEXT, *GZIP).status == 200))

    def test_atomic_pushes_that_take_all(self):
        """They grow as they go; the one that finds nothing left is refused, and nothing of it is applied."""
        body = bodies.counters("atomic", 1200)
        held = []
        for _ in range(10):
            wire = self.wire()
            wire.send(request("POST", "/v1/push?atomic=1", ["Content-Type: text/plain",
                                                            "Transfer-Encoding: chunked"]) + chunk(body))
            held.append(wire)
        self.service.await_requests(10)
        for wire in held:
            wire.send(LAST_CHUNK)
        replies = [wire.reply() for wire in held]
        refused = [reply for reply in replies if reply.status == 503]
        self.assertTrue(refused, "there was room for all")
        for reply in refused:
            self.check_error(reply.error, "busy", "requests.bytes", 256 * KIB)
        done = len(replies) - len(refused)
        self.assertEqual(self.scrape().sum("atomic_total"), 1200 * done)


class SeriesFull(ServiceCase):
    """More series than slots: sums stay exact over the series and the family's overflow series."""

    settings = {"series.max": 50}

    def setUp(self):
        super().setUp()
        self.get("/v1/series?match=__name__!=none", "-X", "DELETE")  # overflow series stay with their families

    def fill(self, name, count):
        reply = self.push(b"".join(b'%s_total{i="%d"} %d\n' % (name.encode(), i, i) for i in range(count)), *TEXT)
        self.assertEqual(reply.status, 200, reply)
        return reply.json()

    @reaches("series.max")
    def test_counters(self):
        document = self.fill("full", 200)
        self.assertEqual((document["accepted"], document["rejected"], document["overflowed"]), (200, 0, 150))
        found = self.scrape(strict=True)
        self.assertEqual(found.sum("full_total"), sum(range(200)))
        self.assertEqual(found.value("full_total", **OVERFLOW), sum(range(50, 200)))
        self.assertEqual(len(found.labels("full_total")), 51)
        again = self.fill("full", 200)  # those that have a slot keep it
        self.assertEqual(again["overflowed"], 150)
        self.assertEqual(self.scrape().sum("full_total"), 2 * sum(range(200)))
        self.check_cardinality("full_total", 300)

    def check_cardinality(self, metric, overflowed):
        document = self.get("/v1/cardinality").json()
        self.assertEqual((document["series"], document["series_max"]), (50, 50))
        row = next(row for row in document["metrics"] if row["metric"] == metric)
        self.assertEqual((row["series"], row["overflowed_samples"]), (50, overflowed))
        self.assertGreaterEqual(document["overflowed_samples"], overflowed)

    def test_several_families(self):
        """Each family has an overflow series of its own, born with it."""
        self.fill("one", 60)
        self.fill("two", 30)
        found = self.scrape(strict=True)
        self.assertEqual(found.sum("one_total"), sum(range(60)))
        self.assertEqual(found.sum("two_total"), sum(range(30)))
        self.assertEqual(found.labels("two_total"), [OVERFLOW])

    def test_gauges(self):
        """Of an overflowing gauge there is the last value only."""
        self.fill("block", 50)
        reply = self.push(b'late_gauge{i="1"} 5\nlate_gauge{i="2"} 7\n', *TEXT)
        self.assertEqual(reply.json()["overflowed"], 2)
        self.assertEqual(self.scrape().value("late_gauge", **OVERFLOW), 7)

    def test_histograms_and_sets(self):
        self.fill("block", 50)
        samples = [{"name": "oh", "kind": "histogram", "labels": {"i": str(i)}, "value": i} for i in range(1, 9)]
        members = [{"name": "os", "kind": "set", "labels": {"i": str(i)}, "value": i % 5} for i in range(20)]
        self.push(bodies.ndjson(*samples, *members), *NDJSON)
        found = self.scrape(strict=True)
        self.assertEqual(found.value("oh_sum", **OVERFLOW), sum(range(1, 9)))
        self.assertEqual(found.value("oh_count", **OVERFLOW), 8)
        self.assertEqual(found.value("oh_bucket", le="4", **OVERFLOW), 4)
        self.assertAlmostEqual(found.value("os", **OVERFLOW), 5, delta=1)

    def test_summaries(self):
        self.fill("block", 50)
        self.push(b'# TYPE osm summary\nosm_sum{a="1"} 5\nosm_count{a="1"} 2\nosm_sum{a="2"} 6\nosm_count{a="2"} 1\n',
                  *TEXT)
        found = self.scrape(strict=True)
        self.assertEqual((found.value("osm_sum", **OVERFLOW), found.value("osm_count", **OVERFLOW)), (11, 3))

    def test_atomic(self):
        body = b"".join(b'at_total{i="%d"} 1\n' % i for i in range(80))
        reply = self.push(body, *TEXT, target="/v1/push?atomic=1")
        self.assertEqual((reply.json()["accepted"], reply.json()["overflowed"]), (80, 30))
        self.assertEqual(self.scrape().sum("at_total"), 80)

    def test_room_again_after_delete(self):
        self.fill("gone", 80)
        self.get("/v1/series?metric=gone_total", "-X", "DELETE")
        self.assertNotIn("overflowed", self.fill("next", 50))


class ClassicHistogramsFull(ServiceCase):
    settings = {"series.max": 50}

    def classic(self, name, child):
        return (f'# TYPE {name} histogram\n{name}_bucket{{c="{child}",le="1"}} 1\n'
                f'{name}_bucket{{c="{child}",le="+Inf"}} 3\n{name}_sum{{c="{child}"}} 5\n'
                f'{name}_count{{c="{child}"}} 3\n')

    def test_classic_histograms(self):
        self.push(bodies.counters("block", 48), *TEXT)  # room for half a child
        reply = self.push("".join(self.classic("och", child) for child in range(4)).encode(), *TEXT)
        self.assertEqual((reply.status, reply.json()["accepted"]), (200, 16), reply)
        found = self.scrape(strict=True)
        self.assertEqual(found.sum("och_sum"), 20)
        self.assertEqual(found.sum("och_count"), 12)
        self.assertEqual(sum(found.value("och_bucket", **labels) for labels in found.labels("och_bucket")
                             if labels["le"] == "+Inf"), 12)


class OverflowLabelPushed(ServiceCase):
    settings = {"series.max": 50}

    def test_no_row_comes_twice(self):
        """A client that sends the label itself means the overflow series, or one that is told apart from it."""
        self.push(b'mine_total{otel_metric_overflow="true"} 1\n', *TEXT)
        self.push(bodies.counters("block", 60), *TEXT)
        self.push(b'mine_total{a="new"} 2\n', *TEXT)
        self.assertEqual(self.scrape(strict=True).sum("mine_total"), 3)


class HistogramsFull(ServiceCase):
    settings = {"histograms.max": 20, "buckets.max": 20, "sets.max": 8}

    @reaches("histograms.max")
    def test_histograms(self):
        samples = [{"name": "h", "kind": "histogram", "labels": {"i": str(i)}, "value": 2} for i in range(60)]
        reply = self.push(bodies.ndjson(*samples), *NDJSON).json()
        self.assertEqual((reply["accepted"], reply["rejected"]), (60, 0))
        self.assertGreater(reply["overflowed"], 40)
        found = self.scrape(strict=True)
        self.assertEqual((found.sum("h_sum"), found.sum("h_count")), (120, 60))
        self.assertEqual(found.value("h_count", **OVERFLOW), reply["overflowed"])
        self.assertGreater(self.service.pools()["histograms"]["refusals_total"]["capacity"], 0)

    @reaches("buckets.max")
    def test_buckets(self):
        """Beyond it there is one histogram, with the bounds that all have that went there."""
        lines = "# TYPE b histogram\n" + "".join(
            f'b_bucket{{i="{i}",le="1"}} 1\nb_bucket{{i="{i}",le="{i + 2}"}} 2\nb_bucket{{i="{i}",le="+Inf"}} 3\n'
            f'b_sum{{i="{i}"}} 4\nb_count{{i="{i}"}} 3\n' for i in range(60))
        reply = self.push(lines.encode(), *TEXT).json()
        self.assertEqual((reply["accepted"], reply["rejected"], reply["overflowed"]), (300, 0, 5 * 42))
        found = self.scrape(strict=True)
        self.assertEqual((found.sum("b_sum"), found.sum("b_count")), (240, 180))
        self.assertEqual(found.value("b_bucket", le="1", **OVERFLOW), 42)
        self.assertEqual(found.value("b_bucket", le="+Inf", **OVERFLOW), 126)
        row = next(row for row in self.get("/v1/cardinality").json()["metrics"] if row["metric"] == "b")
        self.assertEqual(row["lost_bounds"], 42)
        self.assertGreater(self.service.pools()["buckets"]["refusals_total"]["capacity"], 0)

    @reaches("sets.max")
    def test_sets(self):
        samples = [{"name": "s", "kind": "set", "labels": {"i": str(i)}, "value": "same"} for i in range(30)]
        reply = self.push(bodies.ndjson(*samples), *NDJSON).json()
        self.assertGreater(reply["overflowed"], 20)
        found = self.scrape(strict=True)
        self.assertEqual(found.value("s", **OVERFLOW), 1)

    def test_plain_series_have_room_still(self):
        self.assert_accepted(self.push(bodies.counters("plain", 100), *TEXT), 100)


class FamiliesFull(ServiceCase):
    settings = {"limits.families": 16}

    @reaches("limits.families")
    def test_one_overflow_family_for_each_kind(self):
        lines = b"".join(b"fam%d_total 2\n" % i for i in range(40))
        reply = self.push(lines, *TEXT).json()
        self.assertEqual((reply["accepted"], reply["rejected"]), (40, 0))
        self.assertGreaterEqual(reply["overflowed"], 24)
        found = self.scrape(strict=True)
        total = sum(found.sum(name) for name in found.names() if name.endswith("_total"))
        good = found.value("good_total") or 0
        self.assertEqual(total - good, 80)
        self.check_other_kinds()

    def check_other_kinds(self):
        samples = [{"name": "fh", "kind": "histogram", "value": 3}, {"name": "fs", "kind": "set", "value": 1},
                   {"name": "fg", "kind": "gauge", "value": 4}]
        self.assertEqual(self.push(bodies.ndjson(*samples), *NDJSON).json()["overflowed"], 3)
        found = self.scrape(strict=True)
        self.assertEqual(sum(found.sum(name) for name in found.names() if name.endswith("_sum")), 3)
        self.assertEqual(self.get("/v1/cardinality").status, 200)
        reply = self.push(b"# TYPE fam0_total gauge\nfam0_total 1\n", *TEXT)
        self.assert_rejected(reply, 0, ["kind_conflict"])


class LabelBytesFull(ServiceCase):
    """Long labels: their blocks run out before the slots."""

    settings = {"series.label_bytes": "64KiB"}

    @reaches("series.label_bytes")
    def test_labels_run_out(self):
        value = "v" * 500
        lines = "".join(f'long_total{{i="{i}",v="{value}"}} 1\n' for i in range(300))
        reply = self.push(lines.encode(), *TEXT).json()
        self.assertEqual((reply["accepted"], reply["rejected"]), (300, 0))
        self.assertGreater(reply["overflowed"], 100)
        self.assertEqual(self.scrape(strict=True).sum("long_total"), 300)
        labels = self.service.pools()["labels"]
        self.assertLessEqual(labels["live_bytes"], labels["capacity_bytes"])
        short = self.push(b'short_total{a="b"} 1\n', *TEXT).json()
        self.assertEqual(short["accepted"], 1)
        self.assertEqual(self.scrape().sum("short_total"), 1)


class Recycling(ServiceCase):
    """The longest idle goes when the room is needed, and only if it was idle for series.idle_min."""

    settings = {"series.max": 20, "series.idle_min": "10s"}
    seconds = 40

    @reaches("series.idle_min")
    def test_the_longest_idle_is_recycled(self):
        self.push(bodies.counters("old", 19), *TEXT)
        reply = self.push(bodies.counters("young", 5), *TEXT).json()
        self.assertEqual(reply["overflowed"], 4)  # nothing is idle for long enough yet
        self.assertTrue(self.service.await_that(self.try_new, 40))
        found = self.scrape(strict=True)
        self.assertIsNotNone(found.value("fresh_total", i="new"))
        document = self.get("/v1/cardinality").json()
        self.assertEqual(document["recycled_series"], 1)
        old = next(row for row in document["metrics"] if row["metric"] == "old_total")
        self.assertEqual((old["series"], old["recycled_series"], old["recycled_sum"]), (18, 1, 1))
        self.assertEqual(found.sum("old_total"), 18)  # as in Prometheus, its total leaves

    def try_new(self):
        self.push(b'young_total{i="0"} 1\n', *TEXT)  # keeps it young
        time.sleep(0.5)
        return "overflowed" not in self.push(b'fresh_total{i="new"} 1\n', *TEXT).json()


class Expiry(ServiceCase):
    settings = {"series.expire_after": "10s", "series.idle_min": "10s"}
    seconds = 40

    @reaches("series.expire_after")
    def test_idle_series_are_dropped(self):
        self.push(bodies.counters("brief", 100), *TEXT)
        histograms = [{"name": "bh", "kind": "histogram", "labels": {"i": str(i)}, "value": 1} for i in range(10)]
        self.push(bodies.ndjson(*histograms), *NDJSON)
        self.assertTrue(self.service.await_that(self.brief_is_gone, 40))
        found = self.scrape(strict=True)
        self.assertIsNotNone(found.value("kept_total"))
        self.assertEqual(found.sum("bh_count"), 0)
        document = self.get("/v1/cardinality").json()
        self.assertEqual(document["expired_series"], 110)
        self.push(b'# TYPE brief_total gauge\nbrief_total 1\n', *TEXT)

    def brief_is_gone(self):
        self.push(b"kept_total 1\n", *TEXT)
        time.sleep(0.5)
        found = self.scrape()
        return found.sum("brief_total") == 0 and found.sum("bh_count") == 0


class LogRate(ServiceCase):
    settings = {"log.events_per_second": 5, "limits.header_timeout": "300ms"}
    seconds = 3

    @reaches("log.events_per_second")
    def test_lines_are_left_out_and_counted(self):
        for _ in range(30):
            for _ in range(3):
                self.wire().send(b"GET /slow")
            time.sleep(0.05)
        time.sleep(0.5)
        lines = [line for line in self.service.log().splitlines() if line.startswith("ts=")]
        by_second = {}
        for line in lines:
            by_second[line[3:22]] = by_second.get(line[3:22], 0) + 1
        self.assertLessEqual(max(by_second.values()), 5)
        self.assertGreater(self.scrape(scope="self").value("mayfly_log_lines_dropped_total"), 0)


class Backlog(ServiceCase):
    """Beyond the backlog the kernel does not even complete connections; the service does not notice."""

    settings = {"server.connections": 2, "server.threads": 1, "server.backlog": 4}

    @reaches("server.backlog")
    def test_a_crowd(self):
        held = [self.held_push() for _ in range(2)]
        self.service.await_requests(2)
        crowd = []
        with self.assertRaises(TimeoutError):
            while len(crowd) < 40:
                crowd.append(Wire(self.service.data, patience=0.3))
        self.assertLess(len(crowd), 12, "more were let in than the backlog has room for")
        self.assertEqual(self.service.ask_operator("/healthz").status, 200)
        for wire in crowd + held:
            wire.close()
