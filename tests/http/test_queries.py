"""test_queries.py: what is held: /v1/series, /v1/labels, values, /v1/cardinality, DELETE."""
import time
import urllib.parse

import bodies
from case import NDJSON, TEXT, ServiceCase, reaches
from client import curl


def query(**parameters):
    return "?" + urllib.parse.urlencode(parameters)


class Series(ServiceCase):
    COUNT = 250

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        url = cls.service.data_url + "/v1/push"
        lines = "".join(f'items_total{{route="/r{i % 5}",code="{200 + i % 2}",i="{i}"}} {i}\n'
                        for i in range(cls.COUNT))
        curl(url, *TEXT, body=lines.encode() + b'temp{room="a"} 21.5\ntemp 3\n')
        curl(url, *NDJSON, body=bodies.ndjson({"name": "lat", "kind": "histogram", "values": [1, 2, 5]},
                                              {"name": "who", "kind": "set", "value": "x"},
                                              {"name": "bad_gauge", "value": 1}))
        curl(url, *TEXT, body=b"nan_gauge NaN\n")

    def pages(self, target, key):
        """All rows, page by page."""
        rows, joint = [], "&" if "?" in target else "?"
        page = self.get(target).json()
        for _ in range(1000):
            rows += page[key]
            if "next" not in page:
                return rows
            page = self.get(f"{target}{joint}after={urllib.parse.quote(str(page['next']))}").json()
        self.fail("the pages have no end")
        return None

    def series(self, **parameters):
        return self.pages("/v1/series" + query(**parameters), "series")

    def test_a_row(self):
        row, = self.series(metric="items_total", match="i=17")
        idle = row.pop("idle_seconds")
        self.assertEqual(row, {"metric": "items_total", "kind": "counter", "value": 17,
                               "labels": {"route": "/r2", "code": "201", "i": "17"}})
        self.assertGreaterEqual(idle, 0)

    def test_kinds(self):
        histogram, = self.series(metric="lat")
        self.assertEqual((histogram["kind"], histogram["count"], histogram["sum"]), ("histogram", 3, 8))
        members, = self.series(metric="who")
        self.assertEqual((members["kind"], members["value"]), ("set", 1))
        gauge, = self.series(metric="temp", match="room=a")
        self.assertEqual((gauge["kind"], gauge["value"]), ("gauge", 21.5))
        nothing, = self.series(metric="nan_gauge")
        self.assertIsNone(nothing["value"])  # JSON has no NaN

    def test_matchers(self):
        for parameters, count in ((("match", "code=200"),), 125), \
                ((("match", "code=200"), ("match", "route=/r1")), 25), \
                ((("match", "code!=200"), ("metric", "items_total")), 125), \
                ((("match", "route=/none"),), 0), ((("metric", "none"),), 0), \
                ((("match", "room="), ("metric", "temp")), 1), ((("match", "room!="), ("metric", "temp")), 1), \
                ((("match", "__name__=temp"),), 2), ((("match", "temp"),), 2):
            with self.subTest(parameters):
                target = "/v1/series?limit=1000&" + urllib.parse.urlencode(parameters)
                self.assertEqual(len(self.get(target).json()["series"]), count)

    def test_pages_of_every_size(self):
        whole = {tuple(sorted(row["labels"].items())) for row in self.series(metric="items_total", limit=1000)}
        self.assertEqual(len(whole), self.COUNT)
        for limit in (1, 7, 100, 249, 250, 251):
            rows = self.series(metric="items_total", limit=limit)
            self.assertEqual(len(rows), self.COUNT, limit)
            self.assertEqual({tuple(sorted(row["labels"].items())) for row in rows}, whole)

    def test_a_page_has_at_most_its_limit(self):
        page = self.get("/v1/series?limit=10").json()
        self.assertEqual(len(page["series"]), 10)
        self.assertIn("next", page)
        self.assertLessEqual(len(self.get("/v1/series").json()["series"]), 100)

    def test_labels(self):
        self.assertEqual(self.pages("/v1/labels", "labels"), ["__name__", "code", "i", "room", "route"])
        self.assertEqual(self.pages("/v1/labels?limit=2", "labels"), ["__name__", "code", "i", "room", "route"])
        self.assertEqual(self.pages("/v1/labels?metric=temp", "labels"), ["__name__", "room"])
        self.assertEqual(self.pages("/v1/labels?match=route=/r1", "labels"), ["__name__", "code", "i", "route"])

    def test_label_values(self):
        routes = ["/r0", "/r1", "/r2", "/r3", "/r4"]
        for limit in (1, 2, 5, 100):
            self.assertEqual(self.pages(f"/v1/labels/route/values?limit={limit}", "values"), routes)
        document = self.get("/v1/labels/route/values?match=code=200&match=i=12").json()
        self.assertEqual(document, {"name": "route", "values": ["/r2"]})
        self.assertEqual(self.pages("/v1/labels/none/values", "values"), [])
        names = self.pages("/v1/labels/__name__/values", "values")
        self.assertEqual([name for name in names if not name.startswith("good")],
                         ["bad_gauge", "items_total", "lat", "nan_gauge", "temp", "who"])
        self.assertEqual(len(self.pages("/v1/labels/i/values?limit=33", "values")), self.COUNT)

    def test_cardinality(self):
        document = self.get("/v1/cardinality").json()
        by_metric = {row["metric"]: row for row in document["metrics"]}
        self.assertEqual(by_metric["items_total"]["series"], self.COUNT)
        self.assertEqual(by_metric["temp"]["series"], 2)
        counts = [row["series"] for row in document["metrics"]]
        self.assertEqual(counts, sorted(counts, reverse=True))
        by_label = {row["label"]: row["series"] for row in document["labels"]}
        self.assertEqual({name: by_label[name] for name in ("code", "i", "room", "route")},
                         {"code": 250, "i": 250, "room": 1, "route": 250})
        self.assertEqual(document["overflowed_samples"], 0)
        self.assertEqual(document["series"], self.service_series())

    def service_series(self):
        return self.scrape("self").value("mayfly_series")

    def test_bad_parameters(self):
        for target in ("/v1/series?limit=0", "/v1/series?limit=1001", "/v1/series?limit=x", "/v1/series?limit=-1",
                       "/v1/series?limit=", "/v1/series?after=x", "/v1/series?after=99999999999999999999",
                       "/v1/series?unknown=1", "/v1/series?match=1a=b", "/v1/series?metric=1a", "/v1/series?match=",
                       "/v1/series?match=%zz", "/v1/series?%", "/v1/labels?limit=0", "/v1/labels?nonsense",
                       "/v1/labels/a/values?limit=9999", "/v1/series?" + "&".join(["match=a=b"] * 17)):
            self.assert_refused(self.get(target), 400, "bad_parameter")
            self.check_well()

    def test_expressions(self):
        for metric, match, count in (("items_total", "route=~/r[12]", 100), ("items_total", "route!~/r[12]", 150),
                                     ("items_total", "route=~/r", 0), ("items_total", "route=~.*", 250),
                                     ("items_total", "route!~.+", 0), ("items_total", "route=~|/r0", 50),
                                     ("items_total", "code=~2\\d1", 125), ("items_total", "i=~[0-9]{2}", 90),
                                     ("items_total", "i=~1|2|(?:24)+", 3), ("items_total", "__name__=~items?_.*", 250),
                                     ("temp", "__name__=~temp|lat", 2), ("temp", "__name__=~tem", 0),
                                     ("temp", "room=~(?i)A", 1), ("temp", "room=~.*", 2), ("temp", "room!~.+", 1)):
            with self.subTest(metric=metric, match=match):
                self.assertEqual(len(self.series(metric=metric, match=match, limit=1000)), count)

    def test_names_of_what_an_expression_selects(self):
        self.assertEqual(self.pages("/v1/labels" + query(match="__name__=~te.*"), "labels"), ["__name__", "room"])
        self.assertEqual(self.pages("/v1/labels/route/values" + query(match="route=~/r[^0-2]"), "values"),
                         ["/r3", "/r4"])
        self.assertEqual(self.pages("/v1/labels/__name__/values" + query(match="__name__=~.{4}"), "values"), ["temp"])

    def test_bad_expressions(self):
        for pattern in (b"(", b"[", b"*", b"a{2,1}", b"\\", b"(a)\\1", b"(?", b"\xff", b"(" * 60 + b")" * 60):
            for path in ("/v1/series", "/v1/labels", "/v1/labels/a/values"):
                reply = self.get(path + query(match=b"a=~" + pattern))
                self.assert_refused(reply, 400, "bad_regex")
                self.assertIn("not a regular expression: ", reply.error["message"])

    def test_values_with_operators_in_them(self):
        values = ["a=b", "!=", "=", "~", 'q"u', "sp ace", "per%cent", "a&b", "plus+"]
        for value in values:
            sample = {"name": "op", "kind": "counter", "labels": {"v": value}, "value": 1}
            self.push(bodies.ndjson(sample), *NDJSON)
        for value in values:
            if value.startswith("~"):
                continue  # v=~ is an operator
            rows = self.series(metric="op", match=f"v={value}")
            self.assertEqual([row["labels"] for row in rows], [{"v": value}], value)
        self.get("/v1/series?metric=op", "-X", "DELETE")


class Delete(ServiceCase):
    def setUp(self):
        super().setUp()
        self.push(bodies.counters("del", 100) + b'del_total{i="0",x="y"} 1\nother_total 5\n', *TEXT)

    def delete(self, tail):
        reply = self.get("/v1/series" + tail, "-X", "DELETE")
        self.assertEqual(reply.status, 200, reply)
        return reply.json()["deleted_series"]

    def test_by_metric(self):
        self.assertEqual(self.delete("?metric=del_total"), 101)
        self.assertEqual(self.delete("?metric=del_total"), 0)
        found = self.scrape(strict=True)
        self.assertNotIn("del_total", found.names())
        self.assertGreaterEqual(found.value("other_total"), 5)

    def test_by_expression(self):
        self.assertEqual(self.delete(query(match="__name__=~del_.*") + "&match=i%3D~1%5B0-4%5D"), 5)
        self.assertEqual(self.delete(query(match="x=~.%2B")), 0)  # decoded once
        self.assertEqual(self.delete(query(match="x=~.+")), 1)
        self.assertEqual(self.delete("?metric=del_total&match=i!~.*"), 0)
        self.assertEqual(len(self.scrape().labels("del_total")), 95)

    def test_by_label(self):
        self.assertEqual(self.delete("?match=i=0&match=x=y"), 1)
        self.assertEqual(self.delete("?metric=del_total&match=i=1"), 1)
        self.assertEqual(len(self.scrape().labels("del_total")), 99)

    def test_everything_must_be_meant(self):
        for tail in ("", "?", "?limit=10", "?after=0"):
            reply = self.get("/v1/series" + tail, "-X", "DELETE")
            self.assert_refused(reply, 400, "missing_match")
        self.assertEqual(len(self.scrape().labels("del_total")), 101)

    def test_bad_match_deletes_nothing(self):
        for tail in ("?match=1a=b", "?match=%zz", "?metric=del_total&nonsense=1"):
            self.assert_refused(self.get("/v1/series" + tail, "-X", "DELETE"), 400, "bad_parameter")
        self.assert_refused(self.get("/v1/series" + query(match="i!~("), "-X", "DELETE"), 400, "bad_regex")
        self.assertEqual(len(self.scrape().labels("del_total")), 101)

    def test_a_deleted_series_begins_anew(self):
        self.delete("?metric=other_total")
        self.push(b"other_total 2\n", *TEXT)
        self.assertEqual(self.scrape().value("other_total"), 2)

    def test_every_kind_gives_its_room_back(self):
        before = self.service.pools()
        samples = [{"name": f"k{kind}", "kind": kind, "labels": {"i": str(i)}, "value": i}
                   for kind in ("histogram", "set", "gauge", "counter") for i in range(20)]
        self.push(bodies.ndjson(*samples), *NDJSON)
        self.push(b'# TYPE kc histogram\nkc_bucket{le="+Inf"} 1\nkc_sum 1\nkc_count 1\n', *TEXT)
        for name in ("khistogram", "kset", "kgauge", "kcounter", "kc"):
            self.delete(f"?match=__name__={name}")
        self.delete("?match=__name__!=none")
        after = self.service.pools()
        for pool in ("histograms", "sets"):
            # what is left is the overflow series that a family is born with
            self.assertLessEqual(after[pool]["live_objects"], before[pool]["live_objects"] + 2, pool)

    def test_while_others_push(self):
        wire = self.held_push(b"busy_total 1\n")
        self.delete("?metric=del_total")
        wire.close()
        self.assertIsNotNone(self.scrape().value("busy_total"))


class CostlyExpressions(ServiceCase):
    """(a+)+$ takes exponential time where it does not match."""

    STEPS = 10000
    PATTERNS = ("(a+)+$", "(a|aa)+", "(.*)*[xy]", "(?R)?a")

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        lines = "".join(f'costly_total{{v="{"a" * 28}b{i}"}} 1\n' for i in range(100))
        curl(cls.service.data_url + "/v1/push", *TEXT, body=b"plain_total 1\n" + lines.encode())

    @reaches("limits.regex_steps")
    def test_they_are_refused_in_time(self):
        for pattern in self.PATTERNS:
            for operator in ("=~", "!~"):
                for path in ("/v1/series", "/v1/labels", "/v1/labels/v/values", "/v1/labels/__name__/values"):
                    began = time.monotonic()
                    reply = self.get(path + query(match=f"v{operator}{pattern}"))
                    self.assertLess(time.monotonic() - began, 2)
                    self.assert_refused(reply, 422, "regex_too_costly", "limits.regex_steps", self.STEPS)
                    self.check_well()

    def test_nothing_is_deleted(self):
        before = self.get("/v1/cardinality").json()
        for match in ("v!~(a+)+$", "v=~|(a+)+$"):
            reply = self.get("/v1/series" + query(match=match), "-X", "DELETE")
            self.assert_refused(reply, 422, "regex_too_costly", "limits.regex_steps", self.STEPS)
        after = self.get("/v1/cardinality").json()
        self.assertEqual(after["deleted_series"], before["deleted_series"])

    def test_a_metric_decides_before_the_expression(self):
        reply = self.get("/v1/series" + query(metric="plain_total", match="v!~(a+)+$"))
        self.assertEqual([row["metric"] for row in reply.json()["series"]], ["plain_total"])

    def test_depth_takes_memory(self):
        self.push(b'deep_total{v="' + b"ab" * 500 + b'"} 1\n', *TEXT)
        reply = self.get("/v1/series" + query(metric="deep_total", match="v=~(a|b)*"))
        self.assertIn(reply.status, (200, 413), reply)
        if reply.status == 413:
            self.assertEqual(reply.error["setting"], "limits.request_bytes")
        self.get("/v1/series?metric=deep_total", "-X", "DELETE")


class FewSteps(ServiceCase):
    settings = {"limits.regex_steps": 100}

    def test_the_setting_decides(self):
        self.push(b'few_total{v="' + b"a" * 28 + b'b"} 1\n', *TEXT)
        self.assertEqual(len(self.get("/v1/series" + query(match="v=~a+b")).json()["series"]), 1)
        self.assert_refused(self.get("/v1/series" + query(match="v=~(a|aa)+")), 422, "regex_too_costly",
                            "limits.regex_steps", 100)


class ManyLabels(ServiceCase):
    """More names and values than a page has room for."""

    def test_values_by_the_thousand(self):
        lines = "".join(f'wide_total{{v="{"x" * 200}{i:05}"}} 1\n' for i in range(3000))
        self.push(lines.encode(), *TEXT)
        found, after = [], ""
        while True:
            page = self.get(f"/v1/labels/v/values?limit=1000{after}").json()
            found += page["values"]
            if "next" not in page:
                break
            self.assertTrue(page["values"])
            after = "&after=" + urllib.parse.quote(page["next"])
        self.assertEqual(found, [f"{'x' * 200}{i:05}" for i in range(3000)])

    def test_names_by_the_hundred(self):
        lines = "".join(f'n_total{{label_{i:04}="x"}} 1\n' for i in range(900))
        self.push(lines.encode(), *TEXT)
        names = self.get("/v1/labels?limit=1000&metric=n_total").json()["labels"]
        self.assertEqual(names, ["__name__"] + [f"label_{i:04}" for i in range(900)])
        document = self.get("/v1/cardinality").json()
        self.assertEqual(len(document["labels"]), 20)
        self.assertTrue(document["labels_approximate"])
