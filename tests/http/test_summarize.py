"""test_summarize.py: POST /v1/summarize: tables of a body's values, and nothing kept of it."""
import csv
import io
import json
import math
import random
import statistics

import bodies
from case import GZIP, JSON, NDJSON, TEXT, ZSTD, ServiceCase, reaches
from client import curl_stream
from service import SANITIZED

CSV = ("-H", "Content-Type: text/csv")
AS_CSV = ("-H", "Accept: text/csv")


def groups_of(reply):
    """The groups by the values of their by fields; the overflow group by None."""
    return {None if group.get("overflow") else tuple(group["by"].values()): group
            for group in reply.json()["groups"]}


class SummarizeCase(ServiceCase):
    def summarize(self, body, *arguments, query="value=v&by=k"):
        return self.push(body, *arguments, target=f"/v1/summarize?{query}")

    def assert_table(self, reply, groups, rejected=0):
        """`groups`: count and sum of each."""
        self.assertEqual((reply.curl_exit, reply.status), (0, 200), reply)
        found = {key: (group["count"], group["sum"]) for key, group in groups_of(reply).items()}
        self.assertEqual(found, groups, reply)
        document = reply.json()
        self.assertEqual((document["rows"], document["rejected"]),
                         (sum(count for count, _ in groups.values()), rejected), reply)


class Formats(SummarizeCase):
    EXPECTED = {("a",): (2, 4), ("b",): (1, 2)}
    ROWS = b'k,x,v\na,0,1\nb,0,2\na,0,3\n'
    LINES = bodies.ndjson({"k": "a", "v": 1}, {"k": "b", "v": 2}, {"labels": {"k": "a"}, "v": 3})
    METRICS = b'v{k="a",x="y"} 1\nw{k="a"} 9\nv{k="b"} 2\nv{k="a"} 3\n'

    def test_each_by_its_type(self):
        for body, header in ((self.ROWS, CSV), (self.LINES, NDJSON), (self.LINES, JSON),
                             (self.METRICS, TEXT),
                             (self.LINES, ("-H", "Content-Type: application/jsonl")),
                             (self.METRICS, ("-H", "Content-Type: application/openmetrics-text")),
                             (self.ROWS, ("-H", "Content-Type: text/csv; header=present"))):
            self.assert_table(self.summarize(body, *header), self.EXPECTED)

    def test_first_byte_decides(self):
        array = bodies.json_array({"k": "a", "v": 1}, {"k": "b", "v": 2}, {"k": "a", "v": 3})
        for body in (self.ROWS, self.LINES, array):
            self.assert_table(self.summarize(b"\n " + body), self.EXPECTED)
            self.assert_table(self.summarize(body, "-H", "Content-Type:"), self.EXPECTED)
        self.assert_table(self.summarize(array, *JSON), self.EXPECTED)

    def test_encodings(self):
        for pack, header in ((bodies.gzip, GZIP), (bodies.zstd, ZSTD)):
            for body, kind in ((self.ROWS, CSV), (self.LINES, NDJSON), (self.METRICS, TEXT),
                               (self.ROWS, ())):
                self.assert_table(self.summarize(pack(body), *kind, *header), self.EXPECTED)

    def test_chunked_and_cut_anywhere(self):
        body = b'\xef\xbb\xbfk,v\r\n"a\r\n""b""",1\r\n"c,d",2\r\n"a\r\n""b""",3'
        for size in (1, 2, 3, 7):
            pieces = [body[at:at + size] for at in range(0, len(body), size)]
            reply = curl_stream(self.service.data_url + "/v1/summarize?value=v&by=k", pieces, *CSV)
            self.assert_table(reply, {('a\r\n"b"',): (2, 4), ("c,d",): (1, 2)})

    def test_nothing_is_kept(self):
        self.summarize(self.METRICS, *TEXT)
        self.assertEqual(self.scrape().labels("v"), [])

    def test_reply_as_csv(self):
        reply = self.summarize(b'k,v\n"a,""b\n",1\nc,3\nc,2\n', *CSV, *AS_CSV,
                               query="value=v&by=k&q=0,1")
        self.assertEqual(reply.headers["Content-Type"].split(";")[0], "text/csv")
        rows = list(csv.reader(io.StringIO(reply.text(), newline="")))
        self.assertEqual(rows[0], ["k", "count", "sum", "mean", "stddev", "min", "max", "q0", "q1",
                                   "relative_error", "overflow"])
        self.assertEqual(rows[1][:2] + rows[1][-1:], ['a,"b\n', "1", "false"])
        self.assertEqual(rows[2][:7], ["c", "2", "5", "2.5", "0.5", "2", "3"])

    def test_no_by_is_one_group(self):
        reply = self.summarize(self.ROWS, query="value=v")
        self.assert_table(reply, {(): (3, 6)})

    def test_several_by_and_escaped_names(self):
        body = 'a b,"é,",v\n1,2,3\n'.encode()
        reply = self.summarize(body, *CSV, query="value=v&by=a+b")
        self.assert_table(reply, {("1",): (1, 3)})
        reply = self.summarize(b"k,l,v\n1,2,3\n1,3,3\n", *CSV, query="value=v&by=l,k")
        self.assert_table(reply, {("2", "1"): (1, 3), ("3", "1"): (1, 3)})
        self.assertEqual(reply.json()["groups"][0]["by"], {"l": "2", "k": "1"})


class Figures(SummarizeCase):
    def test_they_are_those_of_the_values(self):
        random.seed(41)
        values = [random.lognormvariate(-4, 1) for _ in range(20000)]
        body = "v\n" + "".join(f"{value!r}\n" for value in values)
        document = self.summarize(body.encode(), *CSV, query="value=v&q=0,0.5,0.99,1").json()
        group = document["groups"][0]
        values.sort()
        self.assertEqual((group["count"], group["min"], group["max"]),
                         (20000, values[0], values[-1]))
        self.assertEqual(group["sum"], math.fsum(values))
        self.assertAlmostEqual(group["mean"], statistics.fmean(values), delta=1e-15)
        self.assertAlmostEqual(group["stddev"], statistics.pstdev(values), delta=1e-12)
        self.assertEqual(document["relative_error"], group["relative_error"])
        self.assertLess(group["relative_error"], 0.1)
        for name, value in group["quantiles"].items():
            truth = values[max(1, math.ceil(float(name) * len(values))) - 1]
            self.assertLessEqual(abs(value - truth), truth * group["relative_error"], name)

    def test_values_near_a_billion(self):
        body = "v\n" + "".join(f"{1000000000 + i % 2}\n" for i in range(100000))
        group = self.summarize(body.encode(), *CSV, query="value=v").json()["groups"][0]
        self.assertEqual((group["mean"], group["stddev"]), (1000000000.5, 0.5))


class Questions(SummarizeCase):
    def test_what_is_asked_badly(self):
        for query, code in (("by=k", "missing_value"), ("value=&by=k", "missing_value"),
                            ("value=v&by=k,,l", "bad_parameter"), ("value=v&by=k,", "bad_parameter"),
                            ("value=v&by=k,k", "bad_parameter"), ("value=v&q=1.5", "bad_parameter"),
                            ("value=v&q=x", "bad_parameter"), ("value=v&q=nan", "bad_parameter"),
                            ("value=v&q=0.5,0.50", "bad_parameter"),
                            ("value=v&q=0.5,", "bad_parameter"), ("value=v&x=1", "bad_parameter"),
                            ("value=v&by=" + ",".join(map(str, range(17))), "bad_parameter"),
                            ("value=v&q=" + ",".join(str(i / 100) for i in range(17)),
                             "bad_parameter"), ("value=w", "bad_parameter"),
                            ("value=v&by=w", "bad_parameter")):
            self.assert_refused(self.summarize(b"k,v\na,1\n", *CSV, query=query), 400, code)

    def test_bodies_that_cannot_be_read(self):
        self.assert_refused(self.summarize(b""), 400, "empty_body")
        self.assert_refused(self.summarize(b"\n \n"), 400, "empty_body")
        self.assert_refused(self.summarize(b"x", "-H", "Content-Type: image/png"), 415,
                            "unsupported_media_type")
        self.assert_refused(self.summarize(b"x", "-H", "Content-Encoding: br"), 415,
                            "unsupported_encoding")
        self.assert_refused(self.summarize(b"k,v\n" * 9, *CSV, *GZIP), 400, "bad_encoding")
        self.assert_refused(self.summarize(b'k,v\na,1\n"b,2\n', *CSV), 400, "truncated_body")
        self.assert_refused(self.summarize(b"k,v,k\na,1,b\n", *CSV), 400, "bad_parameter")

    def test_other_methods(self):
        self.assertEqual(self.get("/v1/summarize?value=v").status, 405)

    def test_sixteen_of_each(self):
        names = [f"f{i}" for i in range(16)]
        body = ",".join(names) + ",v\n" + ",".join(names) + ",1\n"
        quantiles = ",".join(str(i / 16) for i in range(16))
        reply = self.summarize(body.encode(), *CSV,
                               query=f"value=v&by={','.join(names)}&q={quantiles}")
        self.assert_table(reply, {tuple(names): (1, 1)})
        self.assertEqual(len(reply.json()["groups"][0]["quantiles"]), 16)


class Rejects(SummarizeCase):
    settings = {"limits.line_bytes": "1KiB"}

    @reaches("limits.line_bytes")
    def test_bad_rows_are_counted_and_the_rest_goes_on(self):
        long = "x" * 2000
        rows = ["k,v", "a,1", "a", "a,1,2", "a,one", "a,", "a,NaN", 'a,"', '2"', f"{long},1",
                f'"{long}\n,\n",1', "b,2", '"c"d,3', "a,1"]
        reply = self.summarize("\n".join(rows).encode(), *CSV)
        self.assert_table(reply, {("a",): (2, 2), ("b",): (1, 2)}, rejected=9)
        self.assertEqual([(error["line"], error["code"]) for error in reply.json()["errors"]],
                         [(3, "bad_row"), (4, "bad_row"), (5, "bad_number"), (6, "bad_number"),
                          (7, "bad_value"), (8, "bad_number"), (10, "line_too_long"),
                          (11, "line_too_long"), (15, "bad_row")])
        self.check_error(reply.json()["errors"][6], "line_too_long", "limits.line_bytes", 1024)

    def test_bad_objects(self):
        lines = ['{"k":"a","v":1}', '{"k":"a"}', '{"v":1}', '{"k":"a","v":"1"}', "[]", "{",
                 '{"k":[],"v":1}', '{"k":"a","v":1e999}']
        reply = self.summarize("\n".join(lines).encode(), *NDJSON)
        self.assert_table(reply, {("a",): (1, 1)}, rejected=7)
        self.assertEqual([error["code"] for error in reply.json()["errors"]],
                         ["bad_field", "bad_field", "bad_number", "bad_json", "bad_json",
                          "bad_field", "bad_value"])

    def test_only_the_first_ten_are_told(self):
        reply = self.summarize(b"k,v\n" + b"a\n" * 1000 + b"a,1\n", *CSV)
        self.assert_table(reply, {("a",): (1, 1)}, rejected=1000)
        self.assertEqual([error["line"] for error in reply.json()["errors"]], list(range(2, 12)))

    def test_a_header_too_long(self):
        self.assert_refused(self.summarize(b"x" * 2000 + b",v\n", *CSV), 400, "line_too_long",
                            "limits.line_bytes", 1024)


class Overflow(SummarizeCase):
    settings = {"limits.summary_groups": 500}

    @reaches("limits.summary_groups")
    def test_ten_thousand_groups(self):
        body = "k,v\n" + "".join(f"key{i % 10000},{i % 7}\n" for i in range(30000))
        for arguments, packed in ((CSV, body.encode()),
                                  ((*CSV, *GZIP), bodies.gzip(body.encode()))):
            reply = self.summarize(packed, *arguments)
            groups = groups_of(reply)
            self.assertEqual(list(groups)[:2], [("key0",), ("key1",)])
            self.assertEqual(len(groups), 501)
            self.assertEqual(groups[None]["count"], 30000 - 1500)
            self.assertNotIn("by", groups[None])
            self.assertEqual(sum(group["sum"] for group in groups.values()),
                             sum(i % 7 for i in range(30000)))
            self.assertIn("Mayfly-Arena-Peak", reply.trailers)

    def test_overflow_in_csv(self):
        body = "k,v\n" + "".join(f"key{i},1\n" for i in range(501))
        rows = self.summarize(body.encode(), *CSV, *AS_CSV).text().split("\r\n")
        self.assertEqual(len(rows), 503)
        self.assertEqual(rows[501].split(",")[0], "")
        self.assertTrue(rows[501].endswith(",true"))


class Memory(SummarizeCase):
    settings = {"memory": "20MiB", "limits.summary_groups": 5000}
    seconds = 4

    def rss(self):
        return json.loads(self.get("/memory").body)["process"]["rss_bytes"]

    def test_a_long_body_is_flat(self):
        """40 MB through a process of 20 MiB, for what a few rows take."""
        rows = "".join(f"2026-11-22T10:00:00Z,/r{i % 10},200,0.0{i % 100}\n" for i in range(25000))
        header = b"time,k,status,v\n"
        small = self.summarize(header + rows[:20000].encode(), *CSV)
        before = self.rss()
        large = curl_stream(self.service.data_url + "/v1/summarize?value=v&by=k",
                            [header] + [rows.encode()] * 40, *CSV)
        self.assertEqual(large.json()["rows"], 1000000)
        self.assertEqual(len(large.json()["groups"]), 10)
        self.assertLessEqual(large.arena_peak, small.arena_peak)
        self.assertLess(large.arena_peak, 100000)
        if not SANITIZED:
            self.assertLess(self.rss() - before, 512 << 10)

    @reaches("limits.request_bytes")
    def test_groups_without_room_end_the_request(self):
        """A table that lacks a group would be wrong: the request is refused, and names the limit."""
        long = "x" * 900
        body = "k,v\n" + "".join(f"{long}{i},1\n" for i in range(5000))
        reply = self.summarize(body.encode(), *CSV)
        self.assertEqual(reply.status, 413, reply)
        self.assertEqual((reply.error["code"], reply.error["setting"]),
                         ("request_too_large", "limits.request_bytes"))
