"""test_bad_samples.py: bad lines and elements among good ones: the good are applied, each bad one is named."""
import json

import bodies
from case import JSON, NDJSON, TEXT, ServiceCase, reaches

LIMITS = {
    "limits.line_bytes": 1024,
    "limits.element_bytes": 512,
    "limits.json_depth": 8,
    "limits.name_bytes": 40,
    "limits.labels": 4,
    "limits.label_name_bytes": 20,
    "limits.label_value_bytes": 100,
    "limits.label_set_bytes": 200,
}


def labels_text(count, value="v", start=0):
    return ",".join(f'l{i}="{value}"' for i in range(start, start + count))


class BadLines(ServiceCase):
    """Prometheus text."""

    settings = LIMITS

    def check_line(self, bad, code, limited=None, more=b""):
        """`bad` as the third of five lines: it is rejected, with its number, and the four others count."""
        name = f"around_{code}_total"
        before = self.scrape().value(name) or 0
        good = f"{name} 1\n".encode()
        body = more + good + good + bad + b"\n" + good + good
        reply = self.push(body, *TEXT)
        self.assert_rejected(reply, 4, [code])
        error = reply.json()["errors"][0]
        self.check_error(error, code, limited, LIMITS.get(limited))
        line = body[:body.index(bad)].count(b"\n") + 1
        self.assertEqual(error["line"], line, error)
        self.assertIn(f"line {line}", error["message"])
        self.assertEqual(self.scrape().value(name), before + 4)
        self.check_well()

    @reaches("limits.line_bytes")
    def test_line_too_long(self):
        for length in (LIMITS["limits.line_bytes"] + 1, 100_000, 1_000_000):
            line = b'long_total{a="' + b"x" * (length - 18) + b'"} 1'
            self.assertEqual(len(line), length)
            self.check_line(line, "line_too_long", "limits.line_bytes")
        self.check_line(b"#" * 5000, "line_too_long", "limits.line_bytes")

    def test_line_of_just_the_limit(self):
        line = b"edge_total 1" + b" " * (LIMITS["limits.line_bytes"] - 12)
        self.assert_accepted(self.push(line + b"\n" + line, *TEXT), 2)

    def test_last_line_too_long(self):
        reply = self.push(b"last_total 1\nlong_total" + b" " * 3000 + b"1", *TEXT)
        self.assert_rejected(reply, 1, ["line_too_long"])

    @reaches("limits.name_bytes")
    def test_name_too_long(self):
        self.assert_accepted(self.push(b"n" * 40 + b" 1\n", *TEXT), 1)
        self.check_line(b"n" * 41 + b" 1", "name_too_long", "limits.name_bytes")
        self.check_line(b"# TYPE " + b"n" * 41 + b" gauge", "name_too_long", "limits.name_bytes")

    @reaches("limits.labels")
    def test_too_many_labels(self):
        good = f"lab_total{{{labels_text(4)}}} 1\n".encode()
        self.assert_accepted(self.push(good, *TEXT), 1)
        for count in (5, 30, 64, 65, 150):
            line = f"lab_total{{{labels_text(count)}}} 1".encode()
            if len(line) <= LIMITS["limits.line_bytes"]:
                self.check_line(line, "too_many_labels", "limits.labels")

    @reaches("limits.label_name_bytes")
    def test_label_name_too_long(self):
        self.assert_accepted(self.push(b"ln_total{" + b"a" * 20 + b'="1"} 1\n', *TEXT), 1)
        self.check_line(b"ln_total{" + b"a" * 21 + b'="1"} 1', "label_name_too_long",
                        "limits.label_name_bytes")

    @reaches("limits.label_value_bytes")
    def test_label_value_too_long(self):
        self.assert_accepted(self.push(b'lv_total{a="' + b"v" * 100 + b'"} 1\n', *TEXT), 1)
        self.check_line(b'lv_total{a="' + b"v" * 101 + b'"} 1', "label_value_too_long",
                        "limits.label_value_bytes")

    @reaches("limits.label_set_bytes")
    def test_label_set_too_long(self):
        for labels in (labels_text(3, "v" * 90), "b=\"1\",a=\"" + "v" * 95 + "\",c=\"" + "v" * 95 + '"'):
            self.check_line(f"ls_total{{{labels}}} 1".encode(), "label_set_too_long",
                            "limits.label_set_bytes")

    def test_bad_utf8(self):
        for bytes_ in (b"\xff", b"\xc3", b"\xc0\xaf", b"\xed\xa0\x80", b"\xf4\x90\x80\x80", b"\x80"):
            self.check_line(b'u_total{a="' + bytes_ + b'"} 1', "bad_utf8")
        self.check_line(b"# HELP u_total \xff", "bad_utf8")

    def test_bad_number(self):
        for text in (b"one", b"1.2.3", b"0x", b"--1", b"1e", b"1,5", b"nanx", b"1_000", b".", b"1e999"):
            self.check_line(b"num_total " + text, "bad_number")

    def test_bad_timestamp(self):
        for text in (b"x", b"1.5", b"99999999999999999999", b"-"):
            self.check_line(b"ts_total 1 " + text, "bad_timestamp")

    def test_bad_value(self):
        """Counters take finite values of at least 0."""
        for text in (b"-1", b"NaN", b"+Inf", b"-Inf", b"-0.001"):
            self.check_line(b"neg_total " + text, "bad_value")
        self.check_line(b"cval -1", "bad_value", more=b"# TYPE cval counter\n")
        self.check_line(b'hv_bucket{le="+Inf"} -1', "bad_value", more=b"# TYPE hv histogram\n")
        self.check_line(b"hv_count NaN", "bad_value", more=b"# TYPE hv histogram\n")
        self.check_line(b'hv_bucket{le="x"} 1', "bad_value", more=b"# TYPE hv histogram\n")
        self.check_line(b"hv_bucket 1", "bad_value", more=b"# TYPE hv histogram\n")

    def test_duplicate_label(self):
        self.check_line(b'd_total{a="1",a="2"} 1', "duplicate_label")
        self.check_line(b'd_total{b="1",a="1",b="1"} 1', "duplicate_label")

    def test_unknown_kind(self):
        self.check_line(b"# TYPE k meter", "unknown_kind")
        self.check_line(b"gh 1", "unknown_kind", more=b"# TYPE gh gaugehistogram\n")

    def test_kind_conflict(self):
        self.push(b"# TYPE gauge_here gauge\ngauge_here 1\n", *TEXT)
        self.check_line(b"gauge_here 2", "kind_conflict", more=b"# TYPE gauge_here counter\n")
        self.assertEqual(self.scrape().value("gauge_here"), 1)
        sample = {"name": "gauge_here", "kind": "set", "value": 1}
        self.assert_rejected(self.push(bodies.ndjson(sample), *NDJSON), 0, ["kind_conflict"])

    def test_kind_conflict_with_a_part_of_a_histogram(self):
        self.push(bodies.ndjson({"name": "lat", "kind": "histogram", "value": 1}), *NDJSON)
        for name in (b"lat_bucket", b"lat_count", b"lat_sum"):
            self.check_line(name + b" 1", "kind_conflict")
        self.push(b"dur_count 1\n", *TEXT)
        sample = {"name": "dur", "kind": "histogram", "value": 1}
        self.assert_rejected(self.push(bodies.ndjson(sample), *NDJSON), 0, ["kind_conflict"])

    def test_reserved_name(self):
        for line in (b"mayfly_x 1", b"mayfly_ 1", b'mayfly_memory_live_bytes{a="b"} 1'):
            self.check_line(line, "reserved_name")
        self.check_line(b"mayfly_h_count 1", "reserved_name", more=b"# TYPE mayfly_h histogram\n")
        self.assert_accepted(self.push(b"mayflyx 1\nmy_mayfly_x 1\n", *TEXT), 2)

    def test_bad_name(self):
        for line in (b"1abc 1", b"-x 1", b"{} 1", b'{a="b"} 1', b"\xc3\xa9 1", b'{"quoted"} 1'):
            self.check_line(line, "bad_name")

    def test_bad_label_name(self):
        for name in (b"__x", b"1a", b"", b"a:b", b"__name__", b"-"):
            self.check_line(b"bl_total{" + name + b'="1"} 1', "bad_label_name")

    def test_bad_syntax(self):
        for line in (b"alone", b"alone ", b'q_total{a="1} 1', b"q_total{a=1} 1", b'q_total{a "1"} 1',
                     b'q_total{a="1"b="2"} 1', b'q_total{a="\\x"} 1', b"q_total 1 1 1",
                     b'q_total{a="1"', b'q_total{a="1"}'):
            self.check_line(line, "bad_syntax")

    def test_unmergeable(self):
        self.check_line(b'q{quantile="0.5"} 1', "unmergeable", more=b"# TYPE q summary\n")

    def test_only_the_first_ten_errors_are_listed(self):
        reply = self.push(b"bad\n" * 25 + b"listed_total 1\n", *TEXT)
        document = reply.json()
        self.assertEqual((reply.status, document["accepted"], document["rejected"]), (400, 1, 25))
        self.assertEqual([error["line"] for error in document["errors"]], list(range(1, 11)))

    def test_bytes_of_all_kinds(self):
        """No byte sequence does harm."""
        every = bytes(range(256))
        for body in (every * 100, b"\0" * 5000, b"{" * 5000, b"\n" * 5000, every[::-1] * 100):
            for kind in (TEXT, NDJSON, JSON):
                self.assertIn(self.push(body, *kind).status, (200, 400))
                self.check_well()


class BadElements(ServiceCase):
    """NDJSON and JSON arrays."""

    settings = LIMITS

    def check_element(self, bad, code, limited=None, limit=None):
        """`bad`, as a line among good ones, and as an element among good ones."""
        if not isinstance(bad, (str, bytes)):
            bad = json.dumps(bad)
        bad = bad if isinstance(bad, bytes) else bad.encode()
        name = f"around_{code}"
        before = self.scrape().value(name) or 0
        good = json.dumps({"name": name, "kind": "counter", "value": 1}).encode()
        line = self.push(good + b"\n" + bad + b"\n" + good + b"\n", *NDJSON)
        array = self.push(b"[" + good + b",\n" + bad + b"," + good + b"]", *JSON)
        limit = limit or LIMITS.get(limited)
        for reply, place in ((line, "line"), (array, "element")):
            self.assert_rejected(reply, 2, [code])
            error = reply.json()["errors"][0]
            self.check_error(error, code, limited, limit)
            self.assertEqual(error[place], 2, error)
            self.assertIn(f"{place} 2", error["message"])
        self.assertEqual(self.scrape().value(name), before + 4)
        self.check_well()

    def sample(self, **fields):
        return {"name": "el", "kind": "counter", "value": 1, **fields}

    def test_bad_json(self):
        for text in ('{"name":"a" "b"}', '{"name":"a",}', '{"name":"a","name":"b","value":1}',
                     '{"name":"a\\u0000","value":1}', "{'name':1}", '{"name":"a","value":01}'):
            self.check_element(text, "bad_json")

    def test_not_an_object(self):
        for text in ("7", '"text"', "null", "[1]", "true"):
            self.check_element(text, "bad_json")

    def test_bad_field(self):
        for bad in ({}, {"value": 1}, {"name": 1, "value": 1}, {"name": "el"},
                    self.sample(value="1"), self.sample(value=None), self.sample(unknown=1),
                    self.sample(labels=[]), self.sample(labels={"a": 1}), self.sample(kind=1),
                    self.sample(values=[1]), {"name": "h", "kind": "histogram", "values": []},
                    {"name": "h", "kind": "histogram", "values": ["1"]},
                    {"name": "c", "kind": "counter", "values": [1]}):
            self.check_element(bad, "bad_field")

    def test_unknown_kind(self):
        self.check_element(self.sample(kind="meter"), "unknown_kind")
        self.check_element(self.sample(kind=""), "unknown_kind")

    def test_bad_value(self):
        self.check_element(self.sample(value=-1), "bad_value")
        self.check_element('{"name":"el","value":1e999}', "bad_value")
        self.check_element({"name": "eh", "kind": "counter", "value": -0.5}, "bad_value")

    def test_bad_number_is_no_json(self):
        for text in ("NaN", "Infinity", "-Infinity", "0x1", "1.", ".5", "+1"):
            self.check_element('{"name":"el","value":%s}' % text, "bad_json")

    def test_bad_timestamp(self):
        for ts in ("1", 1e300, -1e300, None):
            self.check_element(self.sample(ts=ts), "bad_timestamp")

    def test_bad_utf8(self):
        self.check_element(b'{"name":"el","labels":{"a":"\xff"},"value":1}', "bad_utf8")
        self.check_element(b'{"name":"\xc3","value":1}', "bad_utf8")

    def test_names(self):
        self.check_element(self.sample(name="1a"), "bad_name")
        self.check_element(self.sample(name=""), "bad_name")
        self.check_element(self.sample(name="mayfly_x"), "reserved_name")
        self.check_element(self.sample(name="n" * 41), "name_too_long", "limits.name_bytes")

    def test_labels(self):
        self.check_element(self.sample(labels={"__a": "1"}), "bad_label_name")
        self.check_element(self.sample(labels={"a b": "1"}), "bad_label_name")
        self.check_element(self.sample(labels={"a" * 21: "1"}), "label_name_too_long",
                           "limits.label_name_bytes")
        self.check_element(self.sample(labels={"a": "v" * 101}), "label_value_too_long",
                           "limits.label_value_bytes")
        self.check_element(self.sample(labels={f"l{i}": "v" * 90 for i in range(3)}),
                           "label_set_too_long", "limits.label_set_bytes")
        for count in (5, 30):
            self.check_element(self.sample(labels={f"l{i}": str(i) for i in range(count)}),
                               "too_many_labels", "limits.labels")

    def test_duplicate_label(self):
        self.check_element('{"name":"el","labels":{"a":"1","a":"2"},"value":1}', "bad_json")

    def test_kind_conflict(self):
        self.push(bodies.ndjson({"name": "taken", "kind": "gauge", "value": 1}), *NDJSON)
        self.check_element({"name": "taken", "kind": "counter", "value": 1}, "kind_conflict")

    @reaches("limits.element_bytes")
    def test_element_too_large(self):
        big = self.sample(labels={"a": "x" * 600})
        self.check_element(big, "element_too_large", "limits.element_bytes")

    @reaches("limits.json_depth")
    def test_too_deep(self):
        for depth in (9, 100):
            deep = '{"name":"el","value":' + "[" * depth + "]" * depth + "}"
            self.check_element(deep, "too_deep", "limits.json_depth")
        objects = '{"a":' * 20 + "1" + "}" * 20
        self.check_element(objects, "too_deep", "limits.json_depth")

    def test_a_line_too_long(self):
        good = json.dumps(self.sample(name="nd_around")).encode()
        reply = self.push(good + b'\n{"name":"' + b"x" * 5000 + b'"}\n' + good, *NDJSON)
        self.assert_rejected(reply, 2, ["line_too_long"])
        self.check_error(reply.json()["errors"][0], "line_too_long", "limits.line_bytes", 1024)

    def test_broken_arrays(self):
        """Where the brackets are lost there is no way on; what stood before is applied, and said so."""
        good = json.dumps(self.sample(name="before_break")).encode()
        for rest, code in ((b",", "truncated_body"), (b"", "truncated_body"), (b" x]", "bad_json"),
                           (b',{"name":', "truncated_body"), (b"]]", "bad_json"),
                           (b"] {}", "bad_json"), (b",,", "bad_json")):
            reply = self.push(b"[" + good + rest, *JSON)
            self.assert_refused(reply, 400, code)
            self.assertEqual(reply.json()["accepted"], 1, reply)
            self.check_well()

    def test_no_json_at_all(self):
        for body in (b"x", b"7", b"null", b'"text"'):
            self.assert_refused(self.push(body, *JSON), 400, "bad_json")
        for body in (b"", b" \n "):
            self.assert_refused(self.push(body, *JSON), 400, "empty_body")


class LargeHostileJson(ServiceCase):
    """At the shipped limits."""

    def test_a_megabyte_of_empty_objects(self):
        body = b"[" + b",".join([b"{}"] * 349_525) + b"]"
        self.assertGreater(len(body), 1_000_000)
        reply = self.push(body, *JSON)
        document = reply.json()
        self.assertEqual((reply.status, document["accepted"], document["rejected"]), (400, 0, 349_525))
        self.assertEqual([error["element"] for error in document["errors"]], list(range(1, 11)))
        self.assertEqual({error["code"] for error in document["errors"]}, {"bad_field"})
        self.assertLess(reply.arena_peak, 64 << 10)

    def test_a_megabyte_of_empty_objects_in_one_element(self):
        """jansson would make 79 bytes of each byte of it."""
        inner = b"[" + b",".join([b"{}"] * 349_525) + b"]"
        reply = self.push(b'[{"name":"x","values":' + inner + b"}]", *JSON)
        self.assert_rejected(reply, 0, ["element_too_large"])
        self.check_error(reply.json()["errors"][0], "element_too_large", "limits.element_bytes", 16384)
        self.assertLess(reply.arena_peak, 64 << 10)

    @reaches("limits.scratch_bytes")
    def test_an_element_that_needs_more_scratch_than_there_is(self):
        inner = b"[" + b",".join([b"{}"] * 5400) + b"]"
        element = b'{"name":"x","values":' + inner + b"}"
        self.assertLessEqual(len(element), 16384)
        reply = self.push(b"[" + element + b"]", *JSON)
        self.assert_rejected(reply, 0, ["element_too_large"])
        self.check_error(reply.json()["errors"][0], "element_too_large", "limits.scratch_bytes",
                         512 << 10)
        self.assertLessEqual(self.service.pools()["scratch"]["peak_bytes"], 512 << 10)

    def test_nested_ten_thousand_deep(self):
        deep = b"[" * 10_000 + b"]" * 10_000
        for body, kind in ((b'{"name":"x","value":' + deep + b"}", NDJSON),
                           (b'[{"name":"x","value":' + deep + b"}]", JSON),
                           (b'{"name":"x","value":' + deep + b"}", JSON), (deep, JSON)):
            reply = self.push(body, *kind)
            self.assertEqual(reply.status, 400, reply)
            codes = [error["code"] for error in reply.json()["errors"]]
            self.assertIn(codes[0], ("too_deep", "line_too_long"), reply)
            self.assertLess(reply.arena_peak, 64 << 10)
            self.check_well()

    def test_nested_and_never_closed(self):
        for unit in (b"[", b'{"a":', b'[{"a":['):
            reply = self.push(unit * 100_000, *JSON)
            self.assertEqual(reply.status, 400, reply)
            self.check_well()
