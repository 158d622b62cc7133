"""test_exposition.py: GET /metrics, as its readers ask for it."""
import math
import zlib

import bodies
import exposition
from case import JSON, NDJSON, TEXT, ServiceCase
from client import curl

# what Prometheus 2.42 and vmagent send
PROMETHEUS = ("application/openmetrics-text;version=1.0.0,application/openmetrics-text;version=0.0.1;q=0.75,"
              "text/plain;version=0.0.4;q=0.5,*/*;q=0.1")
VMAGENT = "text/plain;version=0.0.4;q=1,*/*;q=0.1"

TEXT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
OPENMETRICS_TYPE = "application/openmetrics-text; version=1.0.0; charset=utf-8"

PUSHED = b"""\
# HELP requests_total Requests "served", by route.\\n
# TYPE requests_total counter
requests_total{route="/a",code="200"} 3
requests_total{route="/\\"b\\"\\\\\\n",code="500"} 1
# TYPE odd_counter counter
odd_counter 2
# TYPE temperature_celsius gauge
temperature_celsius{room="\xc3\xa9t\xc3\xa9"} NaN
temperature_celsius{room="cellar"} -Inf
untyped_thing 1.5
# TYPE size_bytes histogram
size_bytes_bucket{le="1"} 1
size_bytes_bucket{le="10.0"} 2
size_bytes_bucket{le="+Inf"} 3
size_bytes_sum 120
size_bytes_count 3
# TYPE rpc_seconds summary
rpc_seconds_sum{m="a"} 4
rpc_seconds_count{m="a"} 2
"""


class Metrics(ServiceCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        url = cls.service.data_url + "/v1/push"
        assert curl(url, *TEXT, body=PUSHED).status == 200
        samples = [{"name": "latency_seconds", "kind": "histogram", "labels": {"r": r}, "values": [0.01, 0.2, 3]}
                   for r in ("a", "b")]
        members = [{"name": "visitors", "kind": "set", "value": f"v{i}"} for i in range(3)]
        assert curl(url, *NDJSON, body=bodies.ndjson(*samples, *members)).status == 200

    def kinds(self, found):
        beside = ("good_total", "fig_total")
        return {name: family.kind for name, family in found.families.items() if name not in beside}

    def test_text(self):
        found = self.scrape(strict=True)
        self.assertEqual(self.kinds(found), {
            "requests_total": "counter", "odd_counter": "counter", "temperature_celsius": "gauge",
            "untyped_thing": "gauge", "size_bytes": "histogram", "rpc_seconds": "summary",
            "latency_seconds": "histogram", "visitors": "gauge"})
        self.assertEqual(found.families["requests_total"].help, 'Requests "served", by route.\\n')
        self.check_values(found)

    def check_values(self, found):
        self.assertEqual(found.value("requests_total", route="/a", code="200"), 3)
        self.assertEqual(found.value("requests_total", route='/"b"\\\n', code="500"), 1)
        self.assertTrue(math.isnan(found.value("temperature_celsius", room="\u00e9t\u00e9")))
        self.assertEqual(found.value("temperature_celsius", room="cellar"), -math.inf)
        self.assertEqual(found.value("size_bytes_count"), 3)
        self.assertEqual(found.value("rpc_seconds_sum", m="a"), 4)
        self.assertEqual(found.value("latency_seconds_count", r="b"), 3)
        self.assertEqual(found.value("visitors"), 3)

    def test_openmetrics(self):
        found = self.scrape(accept=PROMETHEUS, strict=True)
        self.assertTrue(found.openmetrics)
        self.assertEqual(found.families["requests"].kind, "counter")
        self.assertEqual(found.families["odd_counter"].kind, "unknown")  # OpenMetrics wants _total of a counter
        self.assertEqual(found.families["rpc_seconds"].kind, "summary")
        self.check_values(found)

    def test_openmetrics_bounds_are_floats(self):
        found = self.scrape(accept=PROMETHEUS)
        self.assertEqual([labels["le"] for labels in found.labels("size_bytes_bucket")], ["1.0", "10.0", "+Inf"])

    def test_negotiation(self):
        for accept, expected in ((PROMETHEUS, OPENMETRICS_TYPE), (VMAGENT, TEXT_TYPE), ("*/*", TEXT_TYPE),
                                 ("", TEXT_TYPE), ("text/plain", TEXT_TYPE), ("text/html", TEXT_TYPE),
                                 ("application/openmetrics-text", OPENMETRICS_TYPE),
                                 ("text/plain;q=0.9,application/openmetrics-text;q=0.1", TEXT_TYPE),
                                 ("application/openmetrics-text;q=0", TEXT_TYPE),
                                 ("application/openmetrics-text; version=1.0.0; q=0.5, */*", OPENMETRICS_TYPE)):
            reply = self.get("/metrics", "-H", f"Accept: {accept}")
            self.assertEqual((reply.status, reply.headers["Content-Type"]), (200, expected), accept)
            self.assertIn("Accept", reply.headers["Vary"])
            exposition.parse(reply.text(), expected == OPENMETRICS_TYPE, strict=True)

    def test_gzip_is_the_same_text(self):
        for accept in (PROMETHEUS, VMAGENT):
            plain = self.get("/metrics?scope=pushed", "-H", f"Accept: {accept}")
            packed = self.get("/metrics?scope=pushed", "-H", f"Accept: {accept}", "-H", "Accept-Encoding: gzip")
            self.assertEqual(packed.headers["Content-Encoding"], "gzip")
            self.assertNotIn("Content-Encoding", plain.headers)
            self.assertEqual(zlib.decompress(packed.body, 31), plain.body)
            self.assertLess(len(packed.body), len(plain.body))

    def test_gzip_only_where_accepted(self):
        for header, packed in (("gzip", True), ("gzip, deflate, br", True), ("gzip;q=0.1", True), ("GZIP", True),
                               ("gzip;q=0", False), ("gzip;Q=0", False), ("deflate", False), ("identity", False), ("", False)):
            reply = self.get("/metrics", "-H", f"Accept-Encoding: {header}")
            self.assertEqual("Content-Encoding" in reply.headers, packed, header)
            self.assertIn("Accept-Encoding", reply.headers["Vary"])
        self.assertEqual(self.get("/metrics", "--compressed").status, 200)

    def test_final_arena_peak_is_a_trailer(self):
        for arguments in ((), ("-H", "Accept-Encoding: gzip")):
            reply = self.get("/metrics", *arguments)
            self.assertIn("Mayfly-Arena-Peak", reply.trailers)
            self.assertGreaterEqual(int(reply.trailers["Mayfly-Arena-Peak"]), int(reply.headers["Mayfly-Arena-Peak"]))

    def test_scopes(self):
        everything, pushed, own = (self.scrape(scope) for scope in ("", "pushed", "self"))
        self.assertEqual({name for name in pushed.names() if name.startswith(("mayfly_", "process_"))}, set())
        self.assertNotIn("requests_total", own.names())
        self.assertIn("process_resident_memory_bytes", own.names())
        self.assertNotIn("process_resident_memory_bytes", everything.names())
        own_names = {name for name in own.names() if name.startswith("mayfly_")}
        self.assertEqual(everything.names(), pushed.names() | own_names)
        self.assertEqual(own.names() - own_names, {name for name in own.names() if name.startswith("process_")})

    def test_unknown_scope(self):
        for scope in ("all", "x", "self,pushed", "SELF"):
            self.assert_refused(self.get(f"/metrics?scope={scope}"), 400, "bad_parameter")

    def test_whole_expositions_are_well_formed(self):
        for scope in ("", "pushed", "self"):
            for accept in (PROMETHEUS, VMAGENT):
                self.scrape(scope, accept, strict=True)

    def test_own_figures_count(self):
        before = self.scrape("self")
        self.push(b"fig_total 1\nfig_total 2\nbad\n", *TEXT)
        after = self.scrape("self")
        accepted = [found.value("mayfly_samples_accepted_total") for found in (before, after)]
        self.assertEqual(accepted[1] - accepted[0], 2)
        rejected = [found.value("mayfly_samples_rejected_total", code="bad_syntax") for found in (before, after)]
        self.assertEqual(rejected[1] - rejected[0], 1)


class ManySeries(ServiceCase):
    """A long exposition, in flat memory."""

    settings = {"memory": "96MiB"}
    COUNT = 50_000
    seconds = 4

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        reply = curl(cls.service.data_url + "/v1/push", body=bodies.counters("many", cls.COUNT, value=3))
        assert reply.status == 200 and "overflowed" not in reply.json(), reply

    def test_all_of_it_is_there(self):
        found = self.scrape(strict=True)
        self.assertEqual(found.sum("many_total"), 3 * self.COUNT)
        self.assertEqual(len(found.labels("many_total")), self.COUNT)

    def test_in_flat_memory(self):
        for arguments in ((), ("-H", "Accept-Encoding: gzip"), ("-H", f"Accept: {PROMETHEUS}")):
            reply = self.get("/metrics", *arguments)
            self.assertLess(int(reply.trailers["Mayfly-Arena-Peak"]), 384 << 10)
        reply = self.get("/metrics")
        self.assertLess(int(reply.trailers["Mayfly-Arena-Peak"]), 64 << 10)

    def test_gzip_is_the_same_text(self):
        plain = self.get("/metrics?scope=pushed")
        packed = self.get("/metrics?scope=pushed", "-H", "Accept-Encoding: gzip")
        self.assertEqual(zlib.decompress(packed.body, 31), plain.body)

    def test_while_series_come_and_go(self):
        """What lived throughout is there once, whatever is added and deleted meanwhile."""
        wire = self.wire(receive_bytes=4096)
        wire.send(b"GET /metrics?scope=pushed HTTP/1.1\r\nHost: t\r\n\r\n")
        self.service.await_requests(1)
        self.push(bodies.counters("new", 2000), *TEXT)
        self.get("/v1/series?metric=new_total", "-X", "DELETE")
        found = exposition.parse(wire.reply().text(), strict=True)
        self.assertEqual(found.sum("many_total"), 3 * self.COUNT)


class LongRows(ServiceCase):
    """Rows as long as the limits allow, in every form they come out in."""

    settings = {"limits.label_set_bytes": "8KiB", "limits.name_bytes": "1KiB", "limits.label_value_bytes": "4KiB",
                "limits.line_bytes": "32KiB", "limits.request_bytes": "1MiB"}

    def test_the_longest(self):
        name = "n" * 1020
        labels = ",".join(f'l{i}="{chr(97 + i) * 4080}"' for i in range(2))
        help_text = "h" * 256
        for i in range(5):
            line = (f"# HELP {name}{i} {help_text}\n# TYPE {name}{i} gauge\n"
                    f"{name}{i}{{{labels}}} -1.2345678901234567e-300\n")
            self.assert_accepted(self.push(line.encode(), *TEXT), 1)
        samples = [{"name": "h" * 1000, "kind": "histogram", "labels": {"l": "v" * 4000, "m": chr(98 + i) * 4000},
                    "value": 1} for i in range(3)]
        self.assert_accepted(self.push(bodies.ndjson(*samples[:1]), *NDJSON), 1)
        for accept in (PROMETHEUS, VMAGENT):
            found = self.scrape("", accept, strict=True)
            self.assertEqual(found.value(name + "3", l0="a" * 4080, l1="b" * 4080), -1.2345678901234567e-300)
        self.check_reads(name)

    def check_reads(self, name):
        listed = self.get(f"/v1/series?metric={name}2").json()["series"]
        self.assertEqual(listed[0]["labels"], {"l0": "a" * 4080, "l1": "b" * 4080})
        for target in ("/v1/labels", "/v1/labels/l0/values", "/v1/labels/__name__/values", "/v1/cardinality",
                       "/memory/holders", "/v1/series"):
            reply = self.get(target)
            self.assertEqual(reply.status, 200, (target, reply))
            reply.json()

    def test_values_that_grow_when_escaped(self):
        for value in ('"' * 2000, "\\" * 2000, "\n" * 2000, "\u0001" * 1300, "\u20ac" * 1300):
            sample = {"name": "grow", "kind": "counter", "labels": {"v": value}, "value": 1}
            self.assert_accepted(self.push(bodies.json_array(sample), *JSON), 1)
            self.assertEqual(self.scrape().value("grow", v=value), 1)
        rows = []
        after = ""
        while True:
            page = self.get(f"/v1/series?metric=grow&limit=1000{after}").json()
            rows += page["series"]
            if "next" not in page:
                break
            after = f"&after={page['next']}"
        self.assertEqual(len(rows), 5)


class ProcessNames(ServiceCase):
    """A pushed exposition that has process_* of its own: it is exposed, and nothing collides with it."""

    NODE = (b"# HELP process_resident_memory_bytes Resident memory size in bytes.\n"
            b"# TYPE process_resident_memory_bytes gauge\nprocess_resident_memory_bytes 12345\n"
            b"# TYPE process_cpu_seconds_total counter\nprocess_cpu_seconds_total 1.5\n"
            b"# TYPE process_open_fds gauge\nprocess_open_fds 9\n")

    def test_no_collision(self):
        self.assert_accepted(self.push(self.NODE, *TEXT), 3)
        for accept in (PROMETHEUS, VMAGENT):
            found = self.scrape("", accept, strict=True)
            self.assertEqual(found.value("process_resident_memory_bytes"), 12345)
            self.assertEqual(found.value("process_cpu_seconds_total"), 1.5)
            self.assertGreater(found.value("mayfly_memory_budget_bytes"), 0)
        own = self.scrape("self", strict=True)
        self.assertNotEqual(own.value("process_resident_memory_bytes"), 12345)

    def test_names_that_only_openmetrics_confuses(self):
        """`a` and `a_total` are two families in text, and must not be one name in OpenMetrics."""
        self.push(b"# TYPE mix gauge\nmix 1\n# TYPE mix_total counter\nmix_total 2\n", *TEXT)
        self.push(b"# TYPE pair_total counter\npair_total 1\n", *TEXT)
        self.push(bodies.ndjson({"name": "pair", "kind": "histogram", "value": 1}), *NDJSON)
        self.scrape("", VMAGENT, strict=True)
        self.scrape("", PROMETHEUS, strict=True)

    def test_names_with_suffixes_of_their_own(self):
        self.push(b"# TYPE g_total gauge\ng_total 1\n# TYPE c_count counter\nc_count 1\n# TYPE i_info gauge\ni_info 1\n"
                  b"# TYPE x_created gauge\nx_created 1\n# TYPE b_bucket gauge\nb_bucket{le=\"1\"} 1\n", *TEXT)
        for accept in (PROMETHEUS, VMAGENT):
            self.scrape("", accept, strict=True)
