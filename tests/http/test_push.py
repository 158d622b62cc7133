"""test_push.py: what is good, in every format and encoding, and what it adds up to."""
import concurrent.futures
import json
import math

import bodies
from case import GZIP, JSON, NDJSON, TEXT, ZSTD, ServiceCase
from client import Wire, curl_stream, request


class PushFormats(ServiceCase):
    """The format follows Content-Type, or the body's first byte."""

    def check_format(self, body, *arguments, name, accepted=1):
        self.assert_accepted(self.push(body, *arguments), accepted)
        self.assertEqual(self.scrape().value(name), 3)

    def test_prometheus_text(self):
        for i, header in enumerate(("text/plain", "text/plain; version=0.0.4; charset=utf-8",
                                    "TEXT/PLAIN", "text/plain;version=1.0.0")):
            name = f"text{i}_total"
            self.check_format(f"{name} 1\n{name} 2\n".encode(), "-H", f"Content-Type: {header}",
                              name=name, accepted=2)

    def test_openmetrics(self):
        body = b"# TYPE om counter\n# HELP om \"a\"\nom_total 3 # {trace_id=\"x\"} 1 1.5\n# EOF\n"
        reply = self.push(body, "-H", "Content-Type: application/openmetrics-text; version=1.0.0")
        self.assert_accepted(reply, 1)
        self.assertEqual(self.scrape().value("om_total"), 3)

    def test_ndjson(self):
        for i, header in enumerate(("application/x-ndjson", "application/jsonl")):
            body = bodies.ndjson({"name": f"nd{i}", "kind": "counter", "value": 1},
                                 {"name": f"nd{i}", "kind": "counter", "value": 2})
            self.check_format(body, "-H", f"Content-Type: {header}", name=f"nd{i}", accepted=2)

    def test_json_array_and_single_object(self):
        body = bodies.json_array({"name": "arr", "kind": "counter", "value": 1},
                                 {"name": "arr", "kind": "counter", "value": 2})
        self.check_format(body, *JSON, name="arr", accepted=2)
        self.check_format(b' {"name":"one","kind":"counter",\n"value":3}\n', *JSON, name="one")

    def test_empty_array(self):
        self.assert_accepted(self.push(b"[]", *JSON), 0)

    def test_first_byte_decides_with_curls_own_type(self):
        """curl sends application/x-www-form-urlencoded unless it is told otherwise."""
        self.check_format(b"\n \tsniff_total 3\n", name="sniff_total")
        self.check_format(b'\n {"name":"sniff_nd","kind":"counter","value":3}\n', name="sniff_nd")
        self.check_format(b' \r\n[{"name":"sniff_arr","kind":"counter","value":3}]',
                          name="sniff_arr")
        self.check_format(b"# HELP sniff_help_total x\nsniff_help_total 3", name="sniff_help_total")

    def test_first_byte_decides_without_a_type(self):
        self.assert_accepted(self.push(b"bare_total 3\n", "-H", "Content-Type:"), 1)
        self.assert_accepted(self.push(b'[{"name":"bare","value":1}]', "-H", "Content-Type:"), 1)

    def test_json_object_without_a_type_is_ndjson(self):
        body = bodies.ndjson({"name": "lines", "value": 1}, {"name": "lines", "value": 2})
        self.assert_accepted(self.push(body), 2)

    def test_chunked_without_a_length(self):
        pieces = [b"chunk", b"ed_tot", b"al 1\nchunked_total 2", b"\n"]
        reply = curl_stream(self.service.data_url + "/v1/push", pieces)
        self.assert_accepted(reply, 2)
        self.assertEqual(self.scrape().value("chunked_total"), 3)

    def test_encodings(self):
        packed = {"gzip": bodies.gzip, "x-gzip": bodies.gzip, "zstd": bodies.zstd,
                  "identity": bytes, "GZIP": bodies.gzip}
        for i, (encoding, pack) in enumerate(packed.items()):
            body = pack(bodies.counters(f"enc{i}", 3000, value=2))
            reply = self.push(body, *TEXT, "-H", f"Content-Encoding: {encoding}")
            self.assert_accepted(reply, 3000)
            self.assertEqual(self.scrape().sum(f"enc{i}_total"), 6000)

    def test_encodings_of_every_format(self):
        sample = {"name": "packed", "kind": "counter", "value": 1}
        self.assert_accepted(self.push(bodies.gzip(bodies.ndjson(sample)), *NDJSON, *GZIP), 1)
        self.assert_accepted(self.push(bodies.zstd(bodies.json_array(sample)), *JSON, *ZSTD), 1)
        self.assert_accepted(self.push(bodies.zstd(bodies.ndjson(sample)), *ZSTD), 1)
        self.assertEqual(self.scrape().value("packed"), 3)

    def test_encodings_in_several_members(self):
        parts = [bodies.counters("member", 1), bodies.counters("member", 1)]
        self.assert_accepted(self.push(b"".join(map(bodies.gzip, parts)), *TEXT, *GZIP), 2)
        self.assert_accepted(self.push(b"".join(map(bodies.zstd, parts)), *TEXT, *ZSTD), 2)
        self.assertEqual(self.scrape().sum("member_total"), 4)

    def test_many_formats_give_one_series(self):
        """The same series with its labels in two orders, from text and JSON, is one series."""
        self.push(b'same_total{a="1",b="2"} 1\nsame_total{b="2",a="1"} 1\n', *TEXT)
        self.push(b'same_total{ b = "2" , a = "1" , } 1\nsame_total{a="1",b="2",c=""} 1\n', *TEXT)
        self.push(bodies.ndjson({"name": "same_total", "kind": "counter",
                                 "labels": {"b": "2", "a": "1"}, "value": 1}), *NDJSON)
        self.assertEqual(self.scrape().labels("same_total"), [{"a": "1", "b": "2"}])
        self.assertEqual(self.scrape().value("same_total", a="1", b="2"), 5)

    def test_crlf_blanks_comments_and_no_final_newline(self):
        body = b"# a comment\r\n\r\n  loose_total\t 1 \r\nloose_total 2"
        self.assert_accepted(self.push(body, *TEXT), 2)
        self.assertEqual(self.scrape().value("loose_total"), 3)

    def test_escapes_and_utf8(self):
        value = 'a"b\\c\nd \u00e9\u4e16'
        escaped = value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
        self.assert_accepted(self.push(f'esc_total{{v="{escaped}"}} 1\n'.encode(), *TEXT), 1)
        sample = {"name": "esc_total", "kind": "counter", "labels": {"v": value}, "value": 1}
        self.assert_accepted(self.push(bodies.ndjson(sample), *NDJSON), 1)
        self.assertEqual(self.scrape().value("esc_total", v=value), 2)
        listed = self.get("/v1/series?metric=esc_total").json()["series"]
        self.assertEqual([row["labels"] for row in listed], [{"v": value}])

    def test_long_lines_cut_anywhere(self):
        """A body that arrives in pieces of every size is the same body."""
        body = bodies.counters("cut", 40)
        for size in (1, 7, 61):
            pieces = [body[at:at + size] for at in range(0, len(body), size)]
            wire = self.wire()
            wire.send(b"POST /v1/push HTTP/1.1\r\nHost: t\r\nTransfer-Encoding: chunked\r\n\r\n")
            for piece in pieces:
                wire.send(b"%x\r\n%s\r\n" % (len(piece), piece))
            wire.send(b"0\r\n\r\n")
            self.assertEqual(wire.reply().json(), {"accepted": 40, "rejected": 0})
        self.assertEqual(self.scrape().sum("cut_total"), 120)


class PushKinds(ServiceCase):
    """What each kind adds up to."""

    def push_samples(self, *samples):
        reply = self.push(bodies.ndjson(*samples), *NDJSON)
        self.assert_accepted(reply, len(samples))

    def test_counter_adds(self):
        self.push(b"# TYPE c counter\nc 1.5\n", *TEXT)
        self.push(b"# TYPE c counter\nc 2\nc 1e3\n", *TEXT)
        self.assertEqual(self.scrape().value("c"), 1003.5)

    def test_sums_are_exact(self):
        """A total of many tenths is what the tenths add up to, to the last digits."""
        self.push(b"tenth_total 0.1\n" * 10000, *TEXT)
        self.push(b"tenth_total 9007199254740992\ntenth_total 1\ntenth_total 1\n", *TEXT)
        self.assertEqual(self.scrape().value("tenth_total"), math.fsum([0.1] * 10000
                                                                       + [9007199254740992, 1, 1]))

    def test_gauge_is_the_latest(self):
        self.push(b"g 5\ng 3\n", *TEXT)
        self.assertEqual(self.scrape().value("g"), 3)

    def test_gauge_latest_is_by_timestamp(self):
        self.push_samples({"name": "gt", "value": 7, "ts": 2000}, {"name": "gt", "value": 5, "ts": 1000})
        self.assertEqual(self.scrape().value("gt"), 7)
        self.push(b"gt 9 3000000\n", *TEXT)  # text: in milliseconds
        self.assertEqual(self.scrape().value("gt"), 9)

    def test_gauge_takes_any_number(self):
        self.push(b"nan_gauge NaN\ninf_gauge +Inf\nlow_gauge -Inf\nneg_gauge -2.5\n", *TEXT)
        found = self.scrape()
        self.assertTrue(math.isnan(found.value("nan_gauge")))
        self.assertEqual(found.value("inf_gauge"), math.inf)
        self.assertEqual(found.value("low_gauge"), -math.inf)
        self.assertEqual(found.value("neg_gauge"), -2.5)

    def test_untyped_goes_by_its_name(self):
        names = ("u_total", "u_sum", "u_count", "u_bucket")
        for name in names:
            self.push(f"{name} 1\n{name} 2\n".encode(), *TEXT)
        self.push(b"u_plain 1\nu_plain 2\n", *TEXT)
        found = self.scrape()
        self.assertEqual([found.value(name) for name in names], [3, 3, 3, 3])
        self.assertEqual(found.value("u_plain"), 2)

    def test_histogram_of_values(self):
        self.push_samples({"name": "h", "kind": "histogram", "value": 0.5},
                          {"name": "h", "kind": "histogram", "values": [2, 3, 1000]})
        found = self.scrape()
        self.assertEqual(found.families["h"].kind, "histogram")
        self.assertEqual((found.value("h_count"), found.value("h_sum")), (4, 1005.5))
        self.assertEqual(found.value("h_bucket", le="1"), 1)
        self.assertEqual(found.value("h_bucket", le="4"), 3)
        self.assertEqual(found.value("h_bucket", le="1024"), 4)
        self.assertEqual(found.value("h_bucket", le="+Inf"), 4)

    def test_histogram_grid_is_fixed(self):
        self.push_samples({"name": "grid", "kind": "histogram", "value": 1})
        bounds = [labels["le"] for labels in self.scrape().labels("grid_bucket")]
        self.assertEqual([float(bound) for bound in bounds],
                         [4.0 ** e for e in range(-10, 10)] + [math.inf])

    def test_set_counts_members_once(self):
        members = [{"name": "users", "kind": "set", "value": f"user{i % 50}"} for i in range(200)]
        self.push_samples(*members, {"name": "users", "kind": "set", "value": 7},
                          {"name": "users", "kind": "set", "value": "7"},
                          {"name": "users", "kind": "set", "value": 7.0})
        self.assertAlmostEqual(self.scrape().value("users"), 51, delta=2)  # HyperLogLog, seeded at start

    def test_set_of_many_is_close(self):
        many = bodies.ndjson(*({"name": "crowd", "kind": "set", "value": i} for i in range(20000)))
        self.assert_accepted(self.push(many, *NDJSON), 20000)
        self.assertAlmostEqual(self.scrape().value("crowd"), 20000, delta=20000 * 0.08)

    def test_summary_adds_its_sum_and_count_and_refuses_quantiles(self):
        text = b'# TYPE s summary\ns{quantile="0.5"} 1\ns_sum 10\ns_count 4\n'
        for _ in range(2):
            self.assert_rejected(self.push(text, *TEXT), 2, ["unmergeable"])
        found = self.scrape()
        self.assertEqual(found.families["s"].kind, "summary")
        self.assertEqual((found.value("s_sum"), found.value("s_count")), (20, 8))

    def test_help_and_unit_are_kept(self):
        body = (b'# HELP lat_seconds How long \\\\ it "takes"\n# TYPE lat_seconds gauge\n'
                b'# UNIT lat_seconds seconds\nlat_seconds 1\n# EOF\n')
        self.push(body, "-H", "Content-Type: application/openmetrics-text")
        family = self.scrape(accept="application/openmetrics-text").families["lat_seconds"]
        self.assertEqual(family.unit, "seconds")
        self.assertEqual(family.help, 'How long \\\\ it \\"takes\\"')
        self.assertEqual(self.scrape().families["lat_seconds"].help, 'How long \\\\ it "takes"')

    def test_created_and_exemplars_are_left_out(self):
        body = (b"# TYPE made counter\nmade_total 2 # {id=\"1\"} 1\nmade_created 1.7e9\n# EOF\n")
        reply = self.push(body, "-H", "Content-Type: application/openmetrics-text")
        self.assertEqual(reply.status, 200, reply)
        self.assertEqual(self.scrape().names() & {"made_total", "made_created"}, {"made_total"})

    def test_values_are_exact(self):
        values = [0.1, 1e-300, 5e-324, 1.7976931348623157e308, 123456789.12345679, 2 ** 53 + 2]
        for i, value in enumerate(values):
            self.push(f"exact{i} {value!r}\n".encode(), *TEXT)
            self.push(bodies.ndjson({"name": f"exactj{i}", "value": value}), *NDJSON)
        found = self.scrape()
        self.assertEqual([found.value(f"exact{i}") for i in range(len(values))], values)
        self.assertEqual([found.value(f"exactj{i}") for i in range(len(values))], values)

    def test_json_numbers_as_they_are_written(self):
        body = json.dumps({"name": "wide", "value": 12345678901234567890123})
        self.assert_accepted(self.push(body.encode(), *JSON), 1)
        self.assertEqual(self.scrape().value("wide"), 1.2345678901234568e22)


class PushClassicHistograms(ServiceCase):
    """A histogram that a client library made, with its buckets."""

    def setUp(self):
        super().setUp()
        self.get("/v1/series?match=__name__!=none", "-X", "DELETE")  # so that a broken one breaks one test

    def classic(self, name, rows, total, count):
        buckets = "".join(f'{name}_bucket{{le="{le}"}} {n}\n' for le, n in rows)
        text = f"# TYPE {name} histogram\n{buckets}{name}_sum {total}\n{name}_count {count}\n"
        self.assert_accepted(self.push(text.encode(), *TEXT), len(rows) + 2)

    def test_classic_histogram_with_the_same_bounds_adds(self):
        self.classic("ch", (("0.5", 1), ("1", 2), ("+Inf", 4)), 8.5, 4)
        self.classic("ch", (("0.5", 0), ("1.0", 2), ("+Inf", 2)), 1.5, 2)
        found = self.scrape(strict=True)
        self.assertEqual((found.value("ch_sum"), found.value("ch_count")), (10, 6))
        self.assertEqual([found.value("ch_bucket", le=le) for le in ("0.5", "1", "+Inf")], [1, 4, 6])

    def test_classic_histogram_with_other_bounds_keeps_those_both_have(self):
        self.classic("ob", (("1", 1), ("2", 3), ("+Inf", 4)), 8, 4)
        self.classic("ob", (("1", 2), ("4", 5), ("+Inf", 6)), 9, 6)
        found = self.scrape(strict=True)
        self.assertEqual((found.value("ob_sum"), found.value("ob_count")), (17, 10))
        bounds = {labels["le"]: found.value("ob_bucket", **labels)
                  for labels in found.labels("ob_bucket")}
        self.assertEqual(bounds, {"1": 3, "+Inf": 10})

    def test_classic_histogram_whose_children_come_with_other_bounds(self):
        """Other children are other histograms: each keeps its own bounds."""
        text = ('# TYPE kids histogram\nkids_bucket{k="a",le="1"} 1\nkids_bucket{k="a",le="+Inf"} 1\n'
                'kids_bucket{k="b",le="2"} 2\nkids_bucket{k="b",le="+Inf"} 2\n')
        self.assert_accepted(self.push(text.encode(), *TEXT), 4)
        self.assertEqual(self.scrape(strict=True).value("kids_bucket", k="b", le="2"), 2)


class PushTogether(ServiceCase):
    """Many clients at once, in every format, on series they share: totals are what was sent."""

    CLIENTS = 12
    ROUNDS = 40
    LINES = 50

    def bodies_of(self, client):
        own = bodies.counters("shared", self.LINES)
        samples = [{"name": "shared_total", "kind": "counter", "labels": {"i": str(i)}, "value": 1}
                   for i in range(self.LINES)]
        forms = [([], own), (["Content-Type: application/x-ndjson"], bodies.ndjson(*samples)),
                 (["Content-Type: application/json"], bodies.json_array(*samples)),
                 (["Content-Encoding: gzip"], bodies.gzip(own)), (["Content-Encoding: zstd"], bodies.zstd(own))]
        return forms[client % len(forms)]

    def client(self, number):
        headers, body = self.bodies_of(number)
        target = "/v1/push?atomic=1" if number % 2 else "/v1/push"
        with Wire(self.service.data) as wire:
            done = 0
            while done < self.ROUNDS:
                wire.send(request("POST", target, headers, body))
                reply = wire.reply()
                if reply.status != 503:  # with a word on when to come back
                    self.assertEqual(reply.json(), {"accepted": self.LINES, "rejected": 0})
                    done += 1

    def test_totals(self):
        with concurrent.futures.ThreadPoolExecutor(self.CLIENTS) as pool:
            for done in [pool.submit(self.client, number) for number in range(self.CLIENTS)]:
                done.result()
        found = self.scrape(strict=True)
        self.assertEqual(found.sum("shared_total"), self.CLIENTS * self.ROUNDS * self.LINES)
        self.assertEqual({found.value("shared_total", i=str(i)) for i in range(self.LINES)},
                         {self.CLIENTS * self.ROUNDS})


class PushAtomic(ServiceCase):
    """?atomic=1: the whole body or none of it."""

    def atomic(self, body, *arguments):
        return self.push(body, *arguments, target="/v1/push?atomic=1")

    def test_good_is_applied(self):
        self.assert_accepted(self.atomic(bodies.counters("all", 3000), *TEXT), 3000)
        self.assertEqual(self.scrape().sum("all_total"), 3000)

    def test_every_format_and_encoding(self):
        sample = {"name": "each", "kind": "counter", "value": 1}
        self.assert_accepted(self.atomic(bodies.ndjson(sample), *NDJSON), 1)
        self.assert_accepted(self.atomic(bodies.json_array(sample), *JSON), 1)
        self.assert_accepted(self.atomic(bodies.gzip(b"# TYPE each counter\neach 1\n"), *TEXT, *GZIP), 1)
        self.assert_accepted(self.atomic(bodies.zstd(b"# TYPE each counter\neach 1\n"), *TEXT, *ZSTD), 1)
        self.assertEqual(self.scrape().value("each"), 4)

    def test_one_bad_line_refuses_all(self):
        body = bodies.counters("none", 2000) + b"none_total{ 1\n" + bodies.counters("none", 3)
        reply = self.atomic(body, *TEXT)
        self.assert_rejected(reply, 0, ["bad_label_name"])
        self.assertIsNone(self.scrape().value("none_total", i="0"))

    def test_a_conflict_with_what_exists_refuses_all(self):
        self.push(b"# TYPE taken gauge\ntaken 1\n", *TEXT)
        body = b"beside_total 1\n# TYPE taken counter\ntaken 2\n"
        self.assert_rejected(self.atomic(body, *TEXT), 0, ["kind_conflict"])
        self.assertIsNone(self.scrape().value("beside_total"))
        self.assertEqual(self.scrape().value("taken"), 1)

    def test_a_conflict_within_itself_refuses_all(self):
        body = bodies.ndjson({"name": "both", "kind": "counter", "value": 1},
                             {"name": "both", "kind": "set", "value": 1})
        self.assert_rejected(self.atomic(body, *NDJSON), 0, ["kind_conflict"])
        self.assertNotIn("both", self.scrape().names())
        retry = {"name": "both", "kind": "set", "value": 1}  # its name is free again
        self.assert_accepted(self.push(bodies.ndjson(retry), *NDJSON), 1)

    def test_a_truncated_body_refuses_all(self):
        reply = self.atomic(bodies.gzip(bodies.counters("cutoff", 5000))[:-20], *TEXT, *GZIP)
        self.assert_refused(reply, 400, "truncated_body")
        self.assertEqual(reply.json()["accepted"], 0)
        self.assertEqual(self.scrape().sum("cutoff_total"), 0)

    def test_a_broken_array_refuses_all(self):
        reply = self.atomic(b'[{"name":"broken","kind":"counter","value":1},', *JSON)
        self.assert_refused(reply, 400, "truncated_body")
        self.assertNotIn("broken", self.scrape().names())

    def test_a_client_that_leaves_applies_nothing(self):
        wire = self.held_push(bodies.counters("left", 1000), target="/v1/push?atomic=1")
        self.assertTrue(self.service.await_that(
            lambda: any(row["route"] == "push" for row in self.service.holders()["requests"]), 5))
        wire.close()
        self.service.await_quiet()
        self.assertEqual(self.scrape().sum("left_total"), 0)

    def test_zero_and_words(self):
        for word in ("0", "false"):
            reply = self.push(b"off_total 1\nbad{\n", *TEXT, target=f"/v1/push?atomic={word}")
            self.assert_rejected(reply, 1, ["bad_label_name"])
        self.assert_accepted(self.push(b"on_total 1\n", *TEXT, target="/v1/push?atomic=true"), 1)
        reply = self.push(b"on_total 1\n", *TEXT, target="/v1/push?atomic=maybe")
        self.assert_refused(reply, 400, "bad_parameter")
