"""test_sites.py: GET /memory/sites: which line of the source holds memory, with `trace`; and nothing without."""
import threading
import urllib.parse

import bodies
from case import GZIP, JSON, NDJSON, TEXT, ZSTD, ServiceCase
from client import Wire, curl

CSV = ("-H", "Content-Type: text/csv")
SLOT_POOLS = ("families", "series", "histograms", "buckets", "sets")
SITE = {"site", "live_bytes", "live_objects", "peak_bytes", "allocated_bytes_total", "allocations_total"}
TARGET = "/memory/sites"

CLASSIC = (b"# TYPE t histogram\n" b't_bucket{le="1"} 2\nt_bucket{le="+Inf"} 3\nt_sum 4\nt_count 3\n')
DEEP = b'[{"name":"d","kind":"counter","value":' + b"[" * 40 + b"]" * 40 + b"}]"

# files of which a line must have pushed once everything was asked for: else the test below says little
PUSHING = ("lib/ingest/decoder.c", "lib/ingest/inflate.c", "lib/ingest/json_decoder.c", "lib/ingest/json_element.c",
           "lib/ingest/prometheus_text.c", "lib/ingest/push.c", "lib/query/cardinality.c", "lib/query/group_map.c",
           "lib/query/matcher.c", "lib/query/name_page.c", "lib/query/names.c", "lib/query/query_plan.c",
           "lib/query/query_run.c", "lib/query/regex.c", "lib/query/series_page.c", "lib/query/summarize.c",
           "lib/query/summarize_csv.c", "lib/query/summary.c", "lib/reply/compress.c", "lib/reply/exposition.c",
           "lib/reply/query_reply.c", "server/holders_route.c", "server/push_route.c", "server/query_route.c",
           "server/read_routes.c", "server/report_routes.c", "server/request.c", "server/summarize_route.c")


def is_of_slots(site):
    """Slots are acquired in one file, and nothing else is."""
    return site["site"].startswith("lib/store/store_life.c:")


class TracedCase(ServiceCase):
    settings = {"trace": "true", "windows.fine": "1s", "windows.middle": "2s", "windows.coarse": "4s"}

    def document(self):
        return self.service.ask_operator(TARGET).json()

    def sites(self):
        return self.document()["sites"]

    def push_all(self, good=(200,)):
        """In every format, packed and not, good and refused."""
        sample = {"name": "j", "kind": "counter", "value": 1, "labels": {"a": "escaped \\u00e9", "b": "2"}}
        kinds = [{"name": "h", "kind": "histogram", "value": 0.5}, {"name": "u", "kind": "set", "value": "x"},
                 {"name": "g", "kind": "gauge", "value": 2}]
        text = bodies.counters("hits", 3000)
        for body, arguments in ((text, TEXT), (CLASSIC, TEXT), (b"# HELP hits All.\n" + text, TEXT), (text, ()),
                                (bodies.gzip(text), TEXT + GZIP), (bodies.zstd(text), TEXT + ZSTD),
                                (bodies.ndjson(sample, *kinds), NDJSON), (bodies.json_array(sample, *kinds), JSON),
                                (bodies.gzip(bodies.json_array(*[sample] * 500)), JSON + GZIP)):
            self.assertIn(self.push(body, *arguments).status, good, body[:100])
            self.assertIn(self.push(body, *arguments, target="/v1/push?atomic=true").status, good, body[:100])
        self.assertIn(self.push(text, *TEXT, target="/metrics/job/j/instance/i%2F1").status, good)
        for body, arguments in ((b"hits_total x\n", TEXT), (b"[{", JSON), (DEEP, JSON), (text[:-9], TEXT + GZIP),
                                (bodies.gzip(text)[:-9], TEXT + GZIP), (b"", TEXT),
                                (b"{}", ("-H", "Content-Type: a/b")),
                                (b'[{"name":"hits_total","kind":"gauge","value":1}]', JSON)):
            self.assertGreaterEqual(self.push(body, *arguments).status, 400, body)

    def summarize_all(self):
        rows = b"k,v\n" + b"".join(b"%d,%d\n" % (i % 50, i) for i in range(2000))
        lines = bodies.ndjson(*[{"k": str(i % 50), "v": i} for i in range(200)])
        for body, arguments in ((rows, CSV), (lines, NDJSON), (bodies.gzip(rows), CSV + GZIP), (rows, ())):
            reply = self.push(body, *arguments, target="/v1/summarize?value=v&by=k&q=0.5,0.99")
            self.assertEqual(reply.status, 200, reply)

    def read_all(self):
        expression = urllib.parse.quote('i=~"1.*"')
        for target in ("/v1/query?metric=hits_total", "/v1/query?metric=hits_total&by=i&fn=rate",
                       "/v1/query?metric=h&fn=p99", "/v1/query?metric=t&fn=p50", "/v1/query?metric=u&fn=distinct",
                       f"/v1/query?metric=hits_total&match={expression}", "/v1/query?metric=hits_total&fn=last",
                       f"/v1/series?match={expression}", "/v1/labels", "/v1/labels/i/values", "/v1/cardinality",
                       "/v1/config", "/metrics", "/metrics?scope=self", "/memory", "/memory/holders", TARGET,
                       "/nothing"):
            for arguments in ((), ("--compressed",), ("-I",)):
                self.get(target, *arguments)
        for target in ("/memory", "/memory/holders", "/metrics?scope=self", "/memory?format=prometheus", TARGET):
            self.assertEqual(curl(self.service.operator_url + target).status, 200, target)

    def assert_all_back(self):
        """Of requests and scratch nothing is held but by the one that asks: its target, and its reply."""
        self.service.await_quiet()
        asking = 0
        for site in self.sites():
            if is_of_slots(site) or site["site"].startswith("server/sites_route.c:"):
                continue
            if site["live_objects"] == 1 and site["site"].startswith("server/request.c:"):
                self.assertEqual(site["live_bytes"], (len(TARGET) + 15) // 16 * 16, site)
                asking += 1
                continue
            self.assertEqual((site["live_bytes"], site["live_objects"]), (0, 0), site)
        self.assertEqual(asking, 1)

    def assert_slots_add_up(self):
        self.service.await_quiet()
        pools = self.service.pools()
        sites = [site for site in self.sites() if is_of_slots(site)]
        for of_site, of_pool in (("live_bytes", "live_bytes"), ("live_objects", "live_objects"),
                                 ("allocations_total", "allocations_total")):
            self.assertEqual(sum(site[of_site] for site in sites), sum(pools[name][of_pool] for name in SLOT_POOLS))


class Traced(TracedCase):
    def test_form(self):
        self.push(bodies.counters("form", 100), *TEXT)
        for url in (self.service.data_url, self.service.operator_url):
            reply = curl(url + TARGET)
            self.assertEqual((reply.status, reply.headers["Content-Type"]), (200, "application/json"))
            document = reply.json()
            self.assertEqual(set(document), {"trace", "sites", "sites_truncated"})
            self.assertEqual((document["trace"], document["sites_truncated"]), (True, 0))
            for site in document["sites"]:
                self.assertEqual(set(site), SITE)
                self.assertRegex(site["site"], r"^(lib|server)/[a-z_/]+\.[ch]:[0-9]+$")
                self.assertLessEqual(site["live_bytes"], site["peak_bytes"], site)
                self.assertLessEqual(site["peak_bytes"], site["allocated_bytes_total"], site)
                self.assertLessEqual(site["live_objects"], site["allocations_total"], site)
            names = [site["site"] for site in document["sites"]]
            self.assertEqual(len(names), len(set(names)))

    def test_largest_first(self):
        sizes = [(site["live_bytes"], site["allocated_bytes_total"]) for site in self.sites()]
        self.assertEqual(sizes, sorted(sizes, reverse=True))
        self.assertGreater(len(sizes), 5)

    def test_slots_add_up_to_their_pools(self):
        self.push_all()
        self.assert_slots_add_up()
        self.assertEqual(self.get("/v1/series?metric=hits_total", "-X", "DELETE").status, 200)
        self.assert_slots_add_up()

    def test_an_open_push_is_seen_by_its_lines(self):
        self.service.await_quiet()
        before = {site["site"]: site["live_bytes"] for site in self.sites()}
        wire = self.held_push(headers=["Content-Encoding: gzip"], first=bodies.gzip(b"held_total 1\n" * 9)[:-12])
        self.service.await_requests(1)

        def grown():
            return {site["site"].split(":")[0] for site in self.sites()
                    if site["live_bytes"] > before.get(site["site"], 0)}
        self.assertTrue(self.service.await_that(
            lambda: {"lib/ingest/inflate.c", "lib/ingest/push.c", "lib/ingest/prometheus_text.c"} <= grown()), grown())
        wire.close()
        self.assert_all_back()

    def test_tracing_is_in_the_plan(self):
        sites = self.service.pools()["sites"]
        self.assertEqual(sites["live_bytes"], sites["capacity_bytes"])
        self.assertGreater(sites["capacity_bytes"], 16384)
        self.assertEqual(self.get("/v1/config").json()["settings"]["trace"]["value"], True)


class TracedTotals(TracedCase):
    seconds = 6

    def test_everything_comes_back(self):
        self.push_all()
        self.summarize_all()
        self.read_all()
        self.assert_all_back()
        self.get("/v1/series?metric=hits_total", "-X", "DELETE")
        self.assert_all_back()
        pushed = {site["site"].split(":")[0] for site in self.sites()}
        self.assertEqual(set(PUSHING) - pushed, set())

    def test_many_at_once(self):
        """Threads push into arenas side by side: rows are shared, and every byte finds its way back."""
        problems = []

        def work():
            try:
                for _ in range(2):
                    self.push_all((200, 503))  # the growth pool may be taken
                    self.read_all()
            except Exception as problem:  # the main thread tells
                problems.append(problem)
        threads = [threading.Thread(target=work) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.assertEqual(problems, [])
        self.assert_all_back()
        self.assert_slots_add_up()

    def test_a_client_that_leaves(self):
        wires = [Wire(self.service.data) for _ in range(5)]
        for wire in wires:
            wire.send(b"POST /v1/push HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
                      b"Content-Length: 999\r\n\r\n[{\"name\": \"left\",")
        self.service.await_requests(5)  # or a quiet moment might be the one before they were read
        for wire in wires:
            wire.close()
        self.assert_all_back()


class TraceOff(ServiceCase):
    def test_it_says_which_setting(self):
        for url in (self.service.data_url, self.service.operator_url):
            self.assert_refused(curl(url + TARGET), 403, "trace_off", "trace")

    def test_nothing_is_kept_for_it(self):
        sites = self.service.pools()["sites"]
        self.assertEqual((sites["capacity_bytes"], sites["live_bytes"], sites["live_objects"]), (0, 0, 0))


class Growth(TracedCase):
    """Between two snapshots: which line holds more."""

    def take(self):
        return curl(self.service.operator_url + "/memory/snapshots", "-X", "POST").json()["id"]

    def grown(self, query):
        reply = curl(self.service.operator_url + f"{TARGET}?{query}")
        self.assertEqual(reply.status, 200, reply)
        return reply.json()["sites"]

    def test_series_are_held_by_the_line_that_acquires_them(self):
        self.push(bodies.counters("before", 100), *TEXT)
        before = self.take()
        pool = self.service.pools()["series"]
        self.push(bodies.counters("grown", 2000), *TEXT)
        self.service.await_quiet()
        after = self.take()
        self.push(bodies.counters("after", 500), *TEXT)
        for query, series in ((f"from={before}&to={after}", 2001), (f"from={before}", 2502)):
            rows = self.grown(query)
            growth = [row["live_bytes_diff"] for row in rows]
            self.assertEqual(growth, sorted(growth, reverse=True))
            self.assertTrue(is_of_slots(rows[0]), rows[0])
            self.assertLessEqual(abs(rows[0]["live_objects_diff"] - series), 2)
            each = pool["live_bytes"] // pool["live_objects"]
            self.assertEqual(rows[0]["live_bytes_diff"], rows[0]["live_objects_diff"] * each)
        back = self.grown(f"from={after}&to={before}")
        self.assertEqual(min(row["live_bytes_diff"] for row in back), -self.grown(
            f"from={before}&to={after}")[0]["live_bytes_diff"])

    def test_bad_questions(self):
        for query, status, code in (("from=x", 400, "bad_parameter"), ("from=0", 400, "bad_parameter"),
                                    ("from=99999", 404, "no_snapshot"), ("to=99999", 400, "bad_parameter"),
                                    ("to=x", 400, "bad_parameter")):
            reply = curl(self.service.operator_url + f"{TARGET}?{query}")
            self.assert_refused(reply, status, code)
