"""test_query.py: /v1/query: what was pushed comes back by window, by group, by function; and what is refused."""
import re
import time
import urllib.parse

import bodies
from case import NDJSON, TEXT, ServiceCase, reaches
from client import curl


def target(metric="hits", **parameters):
    pairs = [("metric", metric)] if metric is not None else []
    for name, value in parameters.items():
        pairs += [(name.rstrip("_"), each) for each in (value if isinstance(value, list) else [value])]
    return "/v1/query?" + urllib.parse.urlencode(pairs)


def values(series):
    return [point[1] for point in series["points"] if point[1] is not None]


class Query(ServiceCase):
    """Windows of a second, so that some are sealed; all is pushed once, before the first test."""

    settings = {"windows.fine": "1s", "windows.middle": "5s", "windows.coarse": "60s"}
    seconds = 6

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        url = cls.service.data_url + "/v1/push"
        for turn in range(3):
            lines = "".join(f'hits{{route="/r{i % 5}",code="{200 + i % 2}",i="{i}"}} {i}\n' for i in range(50))
            gauges = "".join(f'temp{{room="{i}"}} {10 * turn + i}\n' for i in range(4))
            curl(url, *TEXT, body=f"# TYPE hits counter\n{lines}# TYPE temp gauge\n{gauges}".encode())
            curl(url, *TEXT, body=b"# TYPE lat histogram\n"
                 b'lat_bucket{le="1"} 10\nlat_bucket{le="2"} 30\nlat_bucket{le="+Inf"} 40\nlat_sum 60\nlat_count 40\n'
                 b"# TYPE rpc summary\nrpc_sum 8\nrpc_count 4\n")
            curl(url, *NDJSON, body=bodies.ndjson({"name": "sizes", "kind": "histogram", "values": [1, 2, 4, 8]},
                                                  {"name": "who", "kind": "set", "value": f"user-{turn}"},
                                                  {"name": "who", "kind": "set", "value": "user-0"}))
            time.sleep(1.1)

    def query(self, metric="hits", status=200, **parameters):
        reply = self.get(target(metric, **{"from": "-10m", **parameters}))
        self.assertEqual((reply.curl_exit, reply.status), (0, status), reply)
        self.assertEqual(reply.headers["Content-Type"], "application/json")
        return reply.json()

    def total(self, metric, function, step="30m", **parameters):
        """The one value that an hour comes to; a bucket's edge may lie in it."""
        series, = self.query(metric, fn=function, step=step, **parameters)["series"]
        return values(series)

    # ---- what comes back ----

    def test_a_sum(self):
        answer = self.query()
        series, = answer["series"]
        self.assertEqual(sum(values(series)), 3 * sum(range(50)))
        self.assertEqual(series["labels"], {})
        self.assertEqual((answer["metric"], answer["kind"], answer["fn"]), ("hits", "counter", "sum"))
        self.assertEqual((answer["step"], answer["resolution"]), (1, 1))
        times = [point[0] for point in series["points"]]
        self.assertEqual(times, list(range(answer["from"], answer["from"] + len(times))))
        self.assertEqual([len(point) for point in series["points"][:-3]], [2] * (len(times) - 3))

    def test_groups(self):
        by = {row["labels"]["route"]: sum(values(row)) for row in self.query(by="route")["series"]}
        self.assertEqual(by, {f"/r{k}": 3 * sum(i for i in range(50) if i % 5 == k) for k in range(5)})
        without = self.query(without="i,code")["series"]
        self.assertEqual({row["labels"]["route"]: sum(values(row)) for row in without}, by)
        pairs = self.query(by="code,route")["series"]
        self.assertEqual(len(pairs), 10)
        self.assertEqual(sum(sum(values(row)) for row in pairs), 3 * sum(range(50)))
        self.assertEqual(len(self.query(without="")["series"]), 50)
        self.assertEqual(len(self.query(by="none")["series"]), 1)

    def test_matchers(self):
        for match, chosen in (("code=200", range(0, 50, 2)), ("code!=200", range(1, 50, 2)), ("i=~1.", range(10, 20)),
                              ("i!~.", range(10, 50)), (["code=200", "route=/r0"], range(0, 50, 10)), ("none=", range(50)),
                              ("__name__=hits", range(50))):
            with self.subTest(match):
                series, = self.query(match=match)["series"]
                self.assertEqual(sum(values(series)), 3 * sum(chosen))
        for match in ("code=404", "none!=", "__name__=other"):
            with self.subTest(match):
                self.assertEqual(self.query(match=match)["series"], [])

    def test_functions(self):
        pushes = 3
        for metric, function, expected in (
                ("hits", "count", 50 * pushes), ("hits", "min", 0), ("hits", "max", 49), ("hits", "avg", 24.5),
                ("temp", "count", 4 * pushes), ("temp", "min", 0), ("temp", "max", 23), ("temp", "last", 23),
                ("temp", "sum", 20 + 21 + 22 + 23),
                ("sizes", "count", 4 * pushes), ("sizes", "sum", 15 * pushes), ("sizes", "min", 1), ("sizes", "max", 8),
                ("sizes", "p0", 1), ("sizes", "quantile(1)", 8), ("sizes", "avg", 3.75),
                ("who", "unique", 3), ("who", "count", 2 * pushes),
                ("lat", "count", 40 * pushes), ("lat", "sum", 60 * pushes), ("lat", "avg", 1.5), ("lat", "p50", 1.5),
                ("lat", "p99", 2), ("rpc", "count", 4 * pushes), ("rpc", "sum", 8 * pushes), ("rpc", "avg", 2)):
            with self.subTest(f"{function} of {metric}"):
                found = self.total(metric, function)
                if len(found) == 1:  # else a bucket ended between two pushes
                    self.assertAlmostEqual(found[0], expected)

    def test_a_rate_is_the_sum_by_the_second(self):
        end = int(time.time())
        sums = self.query(to=end - 1, step="5s")["series"][0]["points"]
        rates = self.query(to=end - 1, step="5s", fn="rate")["series"][0]["points"]
        sealed = [(total[1], rate[1]) for total, rate in zip(sums, rates) if len(total) == 2 and total[1] is not None]
        for total, rate in sealed:
            self.assertAlmostEqual(rate, total / 5)

    def test_quantiles_say_how_sure_they_are(self):
        self.assertLess(self.query("sizes", fn="p99")["relative_error"], 0.1)
        self.assertEqual(self.query("lat", fn="p99")["bounds"], [1, 2])
        self.assertNotIn("relative_error", self.query("sizes", fn="sum"))

    def test_what_is_sealed_is_read_once(self):
        to = int(time.time()) - 2
        asked = {"from": to - 600, "to": to, "by": "route", "match": "code!=999"}  # no second may pass between the two
        first = self.query(**asked)
        again = self.query(**asked)
        self.assertGreater(first["cache"]["misses"], 0)
        self.assertEqual(again["cache"], {"hits": first["cache"]["hits"] + first["cache"]["misses"], "misses": 0})
        self.assertEqual(again["series"], first["series"])

    def test_the_open_window_is_marked(self):
        for _ in range(20):  # a window may just have been sealed
            self.push(b"# TYPE fresh counter\nfresh 7\n", *TEXT)
            series, = self.query("fresh")["series"]
            if len(series["points"][-1]) == 3 and series["points"][-1][1] is not None:
                self.assertEqual(series["points"][-1][2], "open")
                return
        self.fail("no point of the open window in 20 tries")

    # ---- times ----

    def test_a_step_is_whole_windows(self):
        answer = self.query(step="500ms")
        self.assertEqual(answer["step"], 1)
        self.assertEqual(answer["notes"][0], "step was rounded up to a multiple of the resolution")
        for step, seconds in (("10s", 10), ("1m", 60), ("90", 90), ("2500ms", 3)):
            with self.subTest(step):
                answer = self.query(step=step)
                self.assertEqual((answer["step"], answer["from"] % seconds), (seconds, 0))

    def test_a_range_beyond_what_is_held(self):
        answer = self.query(step="1h", **{"from": "-30d"})
        self.assertIn("nothing is held from before held_from", answer["notes"])
        self.assertEqual(sum(values(answer["series"][0])), 3 * sum(range(50)))
        self.assertGreater(answer["held_from"], answer["from"])
        past = self.query(to="-20d", step="1h", **{"from": "-30d"})
        self.assertEqual(past["series"], [])

    def test_every_form_of_a_time(self):
        start = int(time.time()) - 300
        forms = (str(start), f"{start}.25", time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(start)),
                 time.strftime("%Y-%m-%dT%H:%M:%S.5+01:00", time.gmtime(start + 3600)))
        for form in forms:
            with self.subTest(form):
                self.assertEqual(self.query(**{"from": form})["from"], start)

    # ---- what is refused ----

    def test_an_unknown_metric_has_no_series(self):
        answer = self.query("nobody_pushed_this", fn="p99")
        self.assertEqual((answer["series"], answer["kind"]), ([], None))

    def test_bad_parameters(self):
        for query in ("metric=hits&fn=median", "metric=hits&fn=p101", "metric=hits&fn=quantile(2)",
                      "metric=hits&from=yesterday", "metric=hits&from=-5", "metric=hits&from=1969-12-31T00:00:00Z",
                      "metric=hits&from=1e99", "metric=hits&to=2025-02-30T00:00:00Z", "metric=hits&from=-1m&to=-2m",
                      "metric=hits&from=now%2B1h", "metric=hits&step=0", "metric=hits&step=-1m", "metric=hits&step=x",
                      "metric=hits&by=a&without=b", "metric=hits&by=1a", "metric=hits&by=" + ",".join("abcdefghijklmnopq"),
                      "metric=hits&match=", "metric=hits&limit=3", "metric=hits&metric=hits", "metric=a-b",
                      "metric=hits&fn=%zz"):
            with self.subTest(query):
                self.assert_refused(self.get("/v1/query?" + query), 400, "bad_parameter")
        self.assert_refused(self.get("/v1/query"), 400, "missing_metric")
        self.assert_refused(self.get("/v1/query?metric="), 400, "missing_metric")
        self.assert_refused(self.get("/v1/query?metric=hits&match=i=~("), 400, "bad_regex")

    def test_functions_that_a_kind_has_not(self):
        for metric, missing in (("hits", ("last", "p50", "unique")), ("temp", ("rate", "p50", "unique")),
                                ("sizes", ("last", "unique")), ("who", ("sum", "rate", "avg", "min", "max", "last", "p50")),
                                ("lat", ("min", "max", "last", "unique")), ("rpc", ("min", "max", "last", "unique", "p50"))):
            for function in missing:
                with self.subTest(f"{function} of {metric}"):
                    self.assert_refused(self.get(target(metric, fn=function)), 422, "bad_function")

    def test_methods(self):
        self.assertEqual(self.push(b"", target=target()).status, 405)
        self.assertEqual(curl(self.service.data_url + target(), "-I").status, 200)


class Limits(ServiceCase):
    """As few groups, points, cells and steps as can be set."""

    settings = {"limits.query_groups": 3, "limits.query_points": 100, "limits.query_cells": 1000, "limits.regex_steps": 100}

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        lines = "".join(f'hits{{route="/r{i % 4}",i="{i}"}} 1\n' for i in range(1100))
        lines += f'few{{a="1"}} 1\nfew{{a="2"}} 1\nfew{{a="3"}} 1\nlong{{a="{"a" * 400}b"}} 1\n'
        curl(cls.service.data_url + "/v1/push", *TEXT, body=lines.encode())

    def assert_too_much(self, query, what, limit, cost):
        """Refused, with what it would have cost beside what is allowed."""
        reply = self.get(query)
        self.assert_refused(reply, 422, f"too_many_{what}", f"limits.query_{what}", limit)
        said = int(re.search(rf"would (?:read|return) (\d+) (?:or more )?{what}", reply.error["message"])[1])
        self.assertGreater(said, limit)
        self.assertLessEqual(abs(said - cost), cost // 100 + 2, reply)

    @reaches("limits.query_groups")
    def test_groups(self):
        self.assertEqual(len(self.get(target("few", by="a", **{"from": "-1m"})).json()["series"]), 3)
        self.assert_too_much(target("hits", by="route", **{"from": "-1m"}), "groups", 3, 4)

    @reaches("limits.query_points")
    def test_points(self):
        self.assertEqual(self.get(target("few", **{"from": "-10m"})).status, 200)
        for query, cost in ((target("few", **{"from": "-20m"}), 120), (target("few", **{"from": "0"}), time.time() / 10),
                            (target("none", **{"from": "0"}), time.time() / 10),
                            (target("few", by="a", **{"from": "-10m"}), 180)):
            self.assert_too_much(query, "points", 100, int(cost))
        self.assertEqual(self.get(target("few", step="1d", **{"from": "-50d"})).status, 200)

    @reaches("limits.query_cells")
    def test_cells(self):
        self.assert_too_much(target("hits", **{"from": "-1m"}), "cells", 1000, 1100)

    @reaches("limits.regex_steps")
    def test_a_costly_expression(self):
        query = target("long", match="a=~(a+)+[cd]", **{"from": "-1m"})
        self.assert_refused(self.get(query), 422, "regex_too_costly", "limits.regex_steps", 100)


class ManyGroups(ServiceCase):
    """A metric of ten thousand series, with the settings as they are."""

    COUNT = 10_000

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        lines = "".join(f'wide{{i="{i}",few="{i % 4}"}} {i}\n' for i in range(cls.COUNT))
        lines += "# TYPE costly counter\n" + "".join(f'costly{{v="{"a" * 40}b{i}"}} 1\n' for i in range(200))
        reply = curl(cls.service.data_url + "/v1/push", *TEXT, body=b"# TYPE wide counter\n" + lines.encode())
        assert reply.status == 200 and "overflowed" not in reply.json(), reply

    def ask(self, metric="wide", **parameters):
        return self.get(target(metric, **{"from": "-1m", "step": "1h", **parameters}))

    def test_each_its_own_group(self):
        reply = self.ask(by="i")
        limit = reply.error["limit"]
        self.assert_refused(reply, 422, "too_many_groups", "limits.query_groups", limit)
        self.assertIn(f"{limit + 1} or more groups", reply.error["message"])
        self.assert_refused(self.ask(without="few"), 422, "too_many_groups", "limits.query_groups", limit)

    def test_few_groups_of_many_series(self):
        found = {row["labels"]["few"]: values(row)[-1] for row in self.ask(by="few").json()["series"]}
        self.assertEqual(found, {str(k): sum(range(k, self.COUNT, 4)) for k in range(4)})
        self.assertEqual(values(self.ask().json()["series"][0]), [sum(range(self.COUNT))])
        found = self.ask(by="i", match="i=~99.{2}").json()["series"]
        self.assertEqual({row["labels"]["i"] for row in found}, {str(i) for i in range(9900, 10_000)})

    def test_a_label_that_nothing_has(self):
        """As in Prometheus it is the empty one: all are of one group, and matching its value matches none."""
        series, = self.ask(by="nobody").json()["series"]
        self.assertEqual((series["labels"], values(series)), ({}, [sum(range(self.COUNT))]))
        self.assertEqual(self.ask(by="nobody", match="nobody=x").json()["series"], [])
        series, = self.ask(match="nobody=").json()["series"]
        self.assertEqual(values(series), [sum(range(self.COUNT))])

    @reaches("limits.regex_steps")
    def test_costly_expressions_end_in_time(self):
        for pattern in ("(a+)+$", "(a|aa)+", "(.*)*[xy]", "(?R)?a"):
            for operator in ("=~", "!~"):
                began = time.monotonic()
                reply = self.ask("costly", match=f"v{operator}{pattern}", by="v")
                self.assertLess(time.monotonic() - began, 2, pattern)
                self.assert_refused(reply, 422, "regex_too_costly", "limits.regex_steps", 10_000)
        self.assertEqual(self.ask("costly", match="v=~a+b[0-9]{3}").status, 200)
