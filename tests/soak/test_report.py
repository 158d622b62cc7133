#!/usr/bin/env python3
"""test_report.py: the report of a soak, tried on generated records.

    python3 tests/soak/test_report.py BUILD [-k PATTERN] [-v]

BUILD has server/mayfly, whose /memory is what the records are made of, and tests/soak/mayfly-soak. A healthy record must
pass, with words and pictures; each kind of broken one must fail with the finding that is named here, and its sentence
must name the culprit.
"""
import json
import math
import os
import pathlib
import random
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import unittest
import xml.etree.ElementTree

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))
sys.path.insert(0, str(HERE.parent / "http"))

from records import HOSTILE, MIB, Record, check, fail, pool_of, set_path  # noqa: E402

DAY = 86400.0


class Documents:
    """What a service of this build says of itself."""
    memory = trend = program = None

    @classmethod
    def take(cls, build):
        os.environ["MAYFLY_BINARY"] = str(build / "server/mayfly")
        from service import Service
        cls.program = str(build / "tests/soak/mayfly-soak")
        with Service({"memory": "64MiB", "drills": "true"}) as service:
            cls.memory = service.memory()
            cls.trend = service.ask_operator("/memory/trend").json()
        cls.memory["process"]["virtual_bytes"] = 64 * MIB  # by which a build with sanitizers is known: see there


class Report:
    """One run of the program over a record."""

    def __init__(self, directory, *arguments):
        command = [Documents.program, "report", directory, *arguments]
        ended = subprocess.run(command, capture_output=True, text=True, timeout=120)
        self.code, self.out, self.err = ended.returncode, ended.stdout, ended.stderr
        path = pathlib.Path(directory, "report.json")
        self.json = json.loads(path.read_text()) if path.exists() else None
        path = pathlib.Path(directory, "report.html")
        self.html = path.read_text() if path.exists() else None

    def codes(self):
        return [(row["code"], row["what"]) for row in self.json["findings"]]

    def text(self, code, what, among="findings"):
        return next(row["text"] for row in self.json[among] if (row["code"], row["what"]) == (code, what))


class Case(unittest.TestCase):
    def setUp(self):
        self.directory = tempfile.mkdtemp()
        self.addCleanup(shutil.rmtree, self.directory)

    def record(self, **how):
        return Record(Documents.memory, Documents.trend, **how)

    def short(self, **how):
        return self.record(**{"days": 4, "day": 600.0, "sample": 10.0, "quiet": 300.0, "lean": False, **how})

    def report(self, record, *arguments, tail=""):
        return Report(record.write(self.directory, tail), *arguments)

    def assert_passes(self, report):
        self.assertEqual((report.code, report.json["verdict"], report.codes()), (0, "pass", []), report.out)

    def assert_fails(self, report, *expected):
        """These findings and no others; the words are on the terminal and the page."""
        self.assertEqual(report.code, 1, report.out)
        self.assertEqual(report.json["verdict"], "fail")
        self.assertEqual(report.codes(), list(expected), report.out)
        for row in report.json["findings"]:
            self.assertIn(row["text"], report.out)


class Healthy(Case):
    def test_a_healthy_run_passes(self):
        report = self.report(self.short())
        self.assert_passes(report)
        self.assertIn("PASS", report.out)
        self.assertEqual(report.json["state"], "finished")

    def test_the_page_needs_nothing_else(self):
        report = self.report(self.short())
        self.assertNotRegex(report.html, r"<script|src=|href=|url\(|@import")
        self.assertGreater(report.html.count("<svg"), 10)

    def test_pictures_are_well_formed(self):
        report = self.report(self.short())
        xml.etree.ElementTree.parse(os.path.join(self.directory, "memory.svg"))
        for picture in re.findall(r"<svg.*?</svg>", report.html, re.S):
            xml.etree.ElementTree.fromstring(picture)

    def test_the_tables_are_told(self):
        report = self.report(self.short())
        checks = {row["check"]: row for row in report.json["invariants"]}
        self.assertEqual((checks["growth_live_bytes"]["judged"], checks["growth_live_bytes"]["failed"]), (9, 0))
        self.assertEqual({row["figure"] for row in report.json["slopes"]},
                         {"malloc_unexplained", "malloc_in_use", "unaccounted", "rss_anon", "rss", "open_fds", "threads",
                          "push_p99", "query_p99", "cpu_per_request"})
        self.assertEqual(set(report.json["counts"]["hostile"]), set(HOSTILE))
        self.assertEqual(len(report.json["days"]), 10)
        for member in ("commit", "kernel", "seed", "configuration", "extremes", "conservation"):
            self.assertIsNotNone(report.json[member], member)

    def test_a_spike_of_one_sample_is_drawn(self):
        record = self.short(sample=1.0)  # 2,400 samples on 680 pixels
        plain = self.report(record).html
        record.shape(lambda line, at: line["type"] == "sample" and at == 1234 and
                     set_path(line, "driver.latency.push.p99", 3.0))
        spiked = self.report(record).html

        def highest(page):
            picture = next(part for part in page.split("<svg") if "Latency, as clients" in part)
            line = re.findall(r'class="line"[^>]* d="([^"]+)"', picture)
            return min(float(number) for path in line for number in re.findall(r"[LV](?:[\d.]+ )?([\d.]+)", path))
        self.assertLess(highest(spiked), 85)  # near the top of the frame: the decade of a second
        self.assertIn(">1 s<", spiked)
        self.assertNotIn(">1 s<", plain)

    def test_a_peer_without_documents_is_told(self):
        record = self.short()
        record.start.update(dialect="pushgateway", version=None, memory_limit=None)
        record.quiet_every = math.inf
        lines = [line for line in record.lines() if line["type"] != "quiet"]
        for line in lines:
            if line["type"] == "sample":
                line["memory"] = None
        path = pathlib.Path(self.directory, "record.ndjson")
        path.write_text("".join(json.dumps(line) + "\n" for line in lines))
        self.assertEqual(Report(self.directory).code, 0)


class Records(Case):
    def test_a_cut_last_line_is_left_out(self):
        report = self.report(self.short(), tail='{"type":"sample","at":1.8')
        self.assert_passes(report)
        self.assertEqual(report.json["record"]["unreadable"], 0)

    def test_a_torn_line_within_is_told(self):
        record = self.short()
        lines = [json.dumps(line) for line in record.lines()]
        lines.insert(40, '{"type":"samp')
        pathlib.Path(self.directory, "record.ndjson").write_text("\n".join(lines) + "\n")
        report = Report(self.directory)
        self.assert_passes(report)
        self.assertIn("unreadable", [row["code"] for row in report.json["remarks"]])

    def test_nothing_to_report_on(self):
        self.assertEqual(Report(self.directory).code, 2)
        pathlib.Path(self.directory, "record.ndjson").write_text("")
        report = Report(self.directory)
        self.assertEqual((report.code, report.json), (2, None))

    def test_usage(self):
        for arguments in ([], ["a", "b"], ["--docker"], ["--what"]):
            ended = subprocess.run([Documents.program, "report", *arguments], capture_output=True, timeout=20)
            self.assertEqual(ended.returncode, 2, arguments)

    def test_too_short(self):
        report = self.report(self.short(days=0.4))
        self.assertEqual((report.code, report.json["verdict"]), (2, "too_short"))
        self.assertIn("TOO SHORT", report.out)

    def test_what_is_odd_ends_nothing(self):
        lines = ["null", "[]", "1", '{"type":"sample"}', '{"type":"sample","elapsed":"x"}',
                 '{"type":"sample","elapsed":1e300,"memory":{"pools":[1,{"name":7}]},"proc":{"rss":1e308}}',
                 '{"type":"sample","elapsed":-5,"proc":{"rss":-1}}', '{"type":"quiet","elapsed":3,"checks":[1,{}]}',
                 '{"type":"quiet","elapsed":4,"checks":{},"conservation":[]}', '{"type":"event","elapsed":1}',
                 '{"type":"start","day":-1}', "\x00\xff", "{" * 5000]
        path = pathlib.Path(self.directory, "record.ndjson")
        path.write_bytes(("\n".join(lines) + "\n").encode("utf-8", "replace"))
        self.assertIn(Report(self.directory).code, (1, 2))

    def test_the_driver_may_be_started_again(self):
        record = self.short()
        lines = list(record.lines())
        middle = len(lines) // 2
        again = dict(record.start, resumed=True, at=lines[middle]["at"])
        before = lines[middle - 1]["driver"]["requests"]["push"] if "driver" in lines[middle - 1] else \
            lines[middle - 2]["driver"]["requests"]["push"]
        for line in lines[middle:]:
            for sort in line.get("driver", {}).get("requests", {}):
                line["driver"]["requests"][sort] = 7
        text = "".join(json.dumps(line) + "\n" for line in lines[:middle] + [again] + lines[middle:])
        pathlib.Path(self.directory, "record.ndjson").write_text(text)
        report = Report(self.directory)
        self.assert_passes(report)
        self.assertEqual(report.json["counts"]["requests"]["push"], before + 7)
        self.assertIn("resumed", [row["code"] for row in report.json["remarks"]])

    def test_strings_of_the_record_are_text(self):
        attack = '<img src=x onerror=alert(1)>"\'&'
        record = self.short()
        record.start.update(commit=attack, kernel=attack, version=attack, settings={"a": attack})
        record.memory["pools"][0]["name"] = attack

        def words(line, at):
            line["memory"].update(status="leak_suspected",
                                  reasons=[{"code": attack, "pool": attack, "text": attack}])
            if "driver" in line:
                line["driver"]["refusals"][attack] = int(at)
                line["driver"]["hostile"][attack] = {"begun": 1}
        record.shape(words)
        record.events.append(record.event("drill_started", 100.0, attack))

        def broken(quiet):
            quiet["doctor"] = "mayfly\n\n1. " + attack + "\n   " + attack
            quiet["diff"] = [{"pool": attack, "live_bytes_diff": 5}]
            quiet["sites"] = [{"site": attack, "live_bytes_diff": 5, "live_objects_diff": 1}]
            quiet["conservation"]["totals"][0].update(metric=attack, ok=False)
            quiet["checks"].append(check(attack, 0, 1))
        record.at_quiet(2, broken)
        report = self.report(record)
        self.assertEqual(report.code, 1)
        self.assertNotIn("<img", report.html)
        self.assertGreater(report.html.count("&lt;img"), 10)
        self.assertNotIn("<img", pathlib.Path(self.directory, "memory.svg").read_text())

    def test_following_ends_with_the_run(self):
        record = self.short()
        lines = [json.dumps(line) + "\n" for line in record.lines()]
        path = pathlib.Path(self.directory, "record.ndjson")
        path.write_text("".join(lines[:-1]) + lines[-1][:20])
        command = [Documents.program, "report", self.directory, "--follow"]
        following = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        self.addCleanup(following.stdout.close)
        until = time.monotonic() + 20
        while not pathlib.Path(self.directory, "report.html").exists() and time.monotonic() < until:
            time.sleep(0.05)
        self.assertIsNone(following.poll())
        self.assertEqual(json.loads(pathlib.Path(self.directory, "report.json").read_text())["state"], "running")
        with path.open("a") as file:
            file.write(lines[-1][20:])
        following.send_signal(signal.SIGTERM)  # it does not wait for the minute's end then
        self.assertEqual(following.wait(20), 0)
        self.assertEqual(Report(self.directory).json["state"], "finished")


class Exact(Case):
    def test_a_pool_that_lives_on_grew(self):
        record = self.short()

        def leaks(quiet):
            fail(quiet, "drills_live_bytes", 0, int(2.6 * MIB))
            quiet["diff"] = [{"pool": "labels", "live_bytes_diff": 3 * MIB, "live_objects_diff": 50},
                             {"pool": "drills", "live_bytes_diff": int(2.6 * MIB), "live_objects_diff": 40}]
            quiet["sites"] = [{"site": "lib/store/store_life.c:439", "live_bytes_diff": 3 * MIB, "live_objects_diff": 50},
                              {"site": "server/drills.c:96", "live_bytes_diff": int(2.5 * MIB), "live_objects_diff": 40},
                              {"site": "server/other.c:1", "live_bytes_diff": 10, "live_objects_diff": 1}]
            quiet["doctor"] = "mayfly 0.1.0, up\n\n1. labels: pool_near_capacity\n   raise it\n\n2. drills: pool_filling\n   now 2.5 MiB\n\n3. other: x\n"
        record.from_quiet(3, leaks)
        report = self.report(record)
        self.assert_fails(report, ("pool_grew", "drills"))
        text = report.text("pool_grew", "drills")
        for word in ("`drills`", "2.60 MiB more", "quiet point 3", "server/drills.c:96", "drills: pool_filling",
                     "6 of 9 quiet points"):
            self.assertIn(word, text)
        for word in ("other", "labels", "store_life"):  # what is bounded may fill
            self.assertNotIn(word, text)
        self.assertEqual(report.json["findings"][0]["since"], 900)
        row = next(row for row in report.json["invariants"] if row["check"] == "drills_live_bytes")
        self.assertEqual((row["judged"], row["failed"], row["first_point"]), (9, 6, 3))

    def test_long_words_in_any_script_lose_no_finding(self):
        for before in range(4):
            for letter in "\u00b7", "\u20ac", "\U0001f9a0":
                with self.subTest(before=before, letter=letter):
                    words = "mayfly\n\n1. drills: pool_filling\n   " + "x" * before + letter * 3000 + "\n"
                    record = self.short()

                    def leaks(quiet):
                        fail(quiet, "drills_live_bytes", 0, MIB)
                        quiet["doctor"] = words  # pylint: disable=W0640
                    record.at_quiet(3, leaks)
                    report = self.report(record)
                    self.assert_fails(report, ("pool_grew", "drills"))
                    self.assertIn(letter * 20, report.text("pool_grew", "drills"))

    def test_a_pool_of_requests_is_not_empty(self):
        record = self.short()

        def leaks(quiet):
            fail(quiet, "growth_live_bytes", 0, 131072)
            fail(quiet, "growth_frees_total", 1000, 984)
        record.at_quiet(4, leaks)
        report = self.report(record)
        self.assert_fails(report, ("pool_not_empty", "growth"))  # two checks, one cause
        self.assertIn("`growth` held 128 KiB at quiet point 4", report.text("pool_not_empty", "growth"))

    def test_what_is_allocated_and_not_freed(self):
        record = self.short()
        record.at_quiet(1, lambda quiet: fail(quiet, "batches_frees_total", 1000, 999))
        report = self.report(record)
        self.assert_fails(report, ("pool_not_empty", "batches"))
        self.assertIn("999 objects back", report.text("pool_not_empty", "batches"))

    def check_resource(self, name, expected, got, code, what, relation="=="):
        record = self.short()
        record.at_quiet(5, lambda quiet: fail(quiet, name, expected, got, relation))
        report = self.report(record)
        self.assert_fails(report, (code, what))
        text = report.text(code, what)
        self.assertIn(name, text)
        self.assertIn("quiet point 5", text)

    def test_resources(self):
        for row in [("threads", 5, 6, "threads_grew", "threads"),
                    ("open_fds", 14, 15, "descriptors_grew", "descriptors"),
                    ("malloc_unexplained_bytes", 74000, 74001, "heap_grew", "heap", "<="),
                    ("ledger_mismatch_bytes", 0, 64, "ledger_mismatch", "ledger"),
                    ("quiet_point_failures", 0, 1, "quiet_point_failed", "quiet_points"),
                    ("cgroup_oom_kills", 0, 1, "oom_kill", "process"),
                    ("rss_peak_bytes", 64 * MIB, 65 * MIB, "memory_exceeded", "rss", "<="),
                    ("hwm_bytes", 64 * MIB, 65 * MIB, "memory_exceeded", "rss", "<="),
                    ("start_milliseconds", 17, 18, "server_restarted", "process"),
                    ("requests_in_flight", 1, 2, "check_failed", "requests_in_flight"),
                    ("a_check_to_come", 1, 2, "check_failed", "a_check_to_come")]:
            with self.subTest(row[0]):
                self.check_resource(*row)

    def test_connections_and_peaks(self):
        for name, expected, got, code, what in [
                ("connections_live_objects", 1, 3, "pool_not_empty", "connections"),
                ("series_peak_bytes", 100, 101, "pool_over_capacity", "series")]:
            with self.subTest(name):
                record = self.short()
                record.at_quiet(2, lambda quiet: fail(quiet, name, expected, got, "<="))  # pylint: disable=W0640
                self.assert_fails(self.report(record), (code, what))

    def test_ok_is_not_believed_against_its_numbers(self):
        record = self.short()
        record.at_quiet(5, lambda quiet: quiet["checks"].append(dict(check("threads_to_come", 1, 2), ok=True)))
        self.assertEqual(self.report(record).code, 1)

    def test_conservation_of_what_no_row_tells(self):
        record = self.short()
        record.at_quiet(4, lambda quiet: quiet["conservation"].update(ok=False))
        self.assert_fails(self.report(record), ("conservation", "sums"))

    def test_conservation(self):
        def lose(quiet):
            quiet["conservation"]["totals"][0].update(held=1, difference=-1233.25, ok=False)
        record = self.short()
        record.from_quiet(2, lose)
        report = self.report(record)
        self.assert_fails(report, ("conservation", "soak_requests_total"))
        self.assertIn("a difference of -1233.25 at quiet point 2",
                      report.text("conservation", "soak_requests_total"))

    def test_conservation_of_samples_and_of_the_past(self):
        def lose(quiet):
            quiet["conservation"]["samples"]["ok"] = False
            quiet["conservation"]["history"][0].update(differing=1, worst=4.25, ok=False)
        record = self.short()
        record.at_quiet(3, lose)
        report = self.report(record)
        self.assert_fails(report, ("conservation", "samples"), ("history", "soak_requests_total"))
        self.assertIn("by 4.25 at worst", report.text("history", "soak_requests_total"))

    def test_peaks_of_any_sample(self):
        def at(moment, path, value):
            return lambda line, elapsed: elapsed >= moment and set_path(line, path, value)

        def pool(line, elapsed):
            if line["type"] == "sample" and elapsed >= 1000:
                pool_of(line, "series")["peak_bytes"] = pool_of(line, "series")["capacity_bytes"] + 1
        for change, code, what in [
                (at(1000, "memory.process.rss_peak_bytes", 65 * MIB), "memory_exceeded", "rss"),
                (at(1000, "proc.hwm", 65 * MIB), "memory_exceeded", "rss"),
                (pool, "pool_over_capacity", "series"),
                (at(1000, "memory.audit.ledger_mismatch_bytes", 8), "ledger_mismatch", "ledger"),
                (at(1000, "memory.audit.quiet_point_failures", 2), "quiet_point_failed", "quiet_points"),
                (at(1000, "memory.cgroup.events.oom_kill", 1), "oom_kill", "process"),
                (at(1000, "proc.start_ticks", 9999), "server_restarted", "process"),
                (at(1000, "memory.start", 1.8e9 + 990), "server_restarted", "process")]:
            with self.subTest(code):
                record = self.short()
                record.shape(change)
                report = self.report(record)
                self.assert_fails(report, (code, what))
                self.assertIn("16.7 min", report.text(code, what))

    def test_resident_memory_of_sanitizers_is_not_judged(self):
        record = self.short()
        record.shape(lambda line, at: line["memory"]["process"].update(virtual_bytes=20 << 40, rss_peak_bytes=300 * MIB))
        record.from_quiet(0, lambda quiet: quiet.update(checks=[row for row in quiet["checks"]
                                                                if row["name"] not in ("rss_peak_bytes", "hwm_bytes")]))
        report = self.report(record)
        self.assert_passes(report)
        self.assertIn("sanitized", [row["code"] for row in report.json["remarks"]])
        self.assertNotIn("rss", [row["figure"] for row in report.json["slopes"]])

    def test_the_service_names_the_pool_of_its_quiet_points(self):
        record = self.short()

        def broken(line, elapsed):
            if elapsed > 500:
                line["memory"]["audit"].update(quiet_point_failures=3, quiet_point_failing=["growth"])
        record.shape(broken)
        self.assertIn("growth", self.report(record).text("quiet_point_failed", "quiet_points"))

    def test_the_server_is_gone(self):
        record = self.short()
        record.end, record.gone_at = "server_gone", 1300.0
        report = self.report(record)
        self.assert_fails(report, ("server_gone", "process"))
        self.assertIn("after 21.7 min", report.text("server_gone", "process"))
        self.assertEqual(report.json["state"], "server_gone")

    def test_the_server_was_restarted(self):
        record = self.short()
        record.end, record.gone_at = "server_restarted", 1300.0
        self.assert_fails(self.report(record), ("server_restarted", "process"))

    def test_docker(self):
        fine = {"oom_killed": False, "restarts": 0, "exit_code": 0, "memory_peak": 60 * MIB}
        for change, expected in [({}, []), ({"oom_killed": True, "exit_code": 137},
                                            [("oom_kill", "container"), ("exit_code", "container")]),
                                 ({"restarts": 2}, [("server_restarted", "container")]),
                                 ({"exit_code": 3}, [("exit_code", "container")]), ({"exit_code": None}, [])]:
            with self.subTest(str(change)):
                evidence = pathlib.Path(self.directory, "docker.json")
                evidence.write_text(json.dumps({**fine, **change}))
                self.assertEqual(self.report(self.short()).codes(), expected)
                for broken in "", '{"oom_killed":,"restarts":}', "{}", '{"oom_killed":false,"restarts":0}':
                    other = pathlib.Path(self.directory, "broken.json")
                    other.write_text(broken)
                    self.assert_fails(self.report(self.short(), "--docker", str(other)), ("proves_nothing", "container"))
                other = pathlib.Path(self.directory, "other.json")
                evidence.rename(other)
                self.assertEqual(self.report(self.short(), "--docker", str(other)).codes(), expected)
                self.assertEqual(self.report(self.short()).codes(), [])

    def test_drill_is_told(self):
        record = self.short()
        record.events.append(record.event("drill_started", 310.0, "cycle: 65536 bytes a second"))
        self.assertIn("cycle", self.report(record).text("drill", "drill", "remarks"))


class OwnVerdict(Case):
    def said(self, status, code, pool="growth", until=math.inf):
        record = self.short()

        def words(line, elapsed):
            if 700 <= elapsed < until:
                line["memory"].update(status=status, reasons=[{"code": code, "pool": pool, "text": "so it is"}])
        record.shape(words)
        return self.report(record)

    def test_a_leak_suspected_once_fails(self):
        report = self.said("leak_suspected", "leak", until=705)
        self.assert_fails(report, ("leak_suspected", "growth"))
        self.assertIn("so it is", report.text("leak_suspected", "growth"))

    def test_ledger_error(self):
        self.assert_fails(self.said("ledger_error", "ledger_mismatch", ""), ("ledger_error", ""))

    def test_pressure_is_a_remark(self):
        report = self.said("pressure", "pool_near_capacity", "series")
        self.assert_passes(report)
        self.assertIn("so it is", report.text("pool_near_capacity", "service", "remarks"))

    def test_a_pool_that_is_full_is_a_remark(self):
        record = self.short()

        def full(line, elapsed):
            if elapsed > 900:
                pool = pool_of(line, "series")
                pool.update(live_bytes=pool["capacity_bytes"], peak_bytes=pool["capacity_bytes"])
                pool["refusals_total"]["capacity"] = 12
        record.shape(full)
        report = self.report(record)
        self.assert_passes(report)
        text = report.text("pool_full", "pools", "remarks")
        self.assertRegex(text, "`series` .* no room 12 times.* no leak")
        self.assertNotIn("fixed", text)  # of one size, all along


class Slopes(Case):
    """Generated histories: shapes a healthy process has are not flagged, and leaks are."""

    def resident(self, value, days=5, seed=1):
        record = self.record(days=days, sample=1200.0, seed=seed)

        def put(line, elapsed):
            level = int(value(elapsed, record.random))
            set_path(line, "memory.process.rss_bytes", level)
            set_path(line, "proc.rss", level)
        record.shape(put)
        return self.report(record)

    HEALTHY = {
        "white noise": lambda at, dice: 45 * MIB * (1 + dice.gauss(0, 0.01)),
        "a daily wave": lambda at, dice: 45 * MIB * (1 + 0.05 * math.sin(2 * math.pi * at / DAY) + dice.gauss(0, 0.003)),
        "a step on day one": lambda at, dice: 45 * MIB * (1 + 0.02 * (at > 0.4 * DAY) + dice.gauss(0, 0.003)),
        "a warm-up": lambda at, dice: 45 * MIB * (1 - 0.1 * math.exp(-at / 7200) + dice.gauss(0, 0.003)),
        "a sawtooth": lambda at, dice: 45 * MIB * (1 + 0.1 * (at % (7 * 3600)) / (7 * 3600) + dice.gauss(0, 0.003)),
    }

    def test_healthy_shapes_are_not_flagged(self):
        for name, shape in self.HEALTHY.items():
            for seed in (1, 2, 3):
                with self.subTest(name, seed=seed):
                    self.assert_passes(self.resident(shape, seed=seed))

    def test_leaks_on_top_of_them_are(self):
        for name, shape in self.HEALTHY.items():
            with self.subTest(name):
                report = self.resident(lambda at, dice: shape(at, dice) * (1 + 0.05 * at / DAY))  # pylint: disable=W0640
                self.assertEqual(report.code, 1)
                self.assertIn(("growing", "rss"), report.codes())
                self.assertIn("a day (99 % sure", report.text("growing", "rss"))

    def test_a_step_late_is_no_slope_but_days_differ(self):
        report = self.resident(lambda at, dice: 45 * MIB * (1 + 0.05 * (at > 3.2 * DAY) + dice.gauss(0, 0.002)))
        self.assert_fails(report, ("worse_at_the_end", "rss"))

    def test_the_most_exact_names_what_grows(self):
        record = self.record(days=5, sample=1200.0)

        def leak(line, elapsed):
            leaked = int(elapsed * 40)
            for path in ("rss_bytes", "rss_anon_bytes"):
                line["memory"]["process"][path] += leaked
            line["proc"]["rss"] += leaked
            line["proc"]["anon"] += leaked
            line["memory"]["process"]["malloc"]["unexplained_bytes"] += leaked
            line["memory"]["process"]["malloc"]["in_use_bytes"] += leaked
        record.shape(leak)
        report = self.report(record)
        self.assertEqual(report.codes(), [("growing", "malloc_unexplained"), ("worse_at_the_end", "malloc_unexplained")])
        self.assertIn("with it resident memory", report.text("growing", "malloc_unexplained"))

    def growing(self, change, days=5):
        record = self.record(days=days, sample=1200.0)
        record.shape(lambda line, at: line["type"] == "sample" and change(line, at / DAY))
        return self.report(record)

    def test_latency(self):
        report = self.growing(lambda line, days: set_path(line, "driver.latency.push.p99", 0.005 * (1 + days)))
        self.assert_fails(report, ("slowing", "push_p99"), ("worse_at_the_end", "push_p99"))

    def test_cpu(self):
        def slower(line, days):  # 44 requests a second, at first 227 us each
            at = days * DAY
            line["memory"]["process"]["cpu_seconds_total"] = 0.01 * at * (1 + 0.2 * days)
        self.assert_fails(self.growing(slower), ("slowing", "cpu_per_request"), ("worse_at_the_end", "cpu_per_request"))

    def test_descriptors(self):
        report = self.growing(lambda line, days: set_path(line, "proc.fds", 14 + int(3 * days)))
        self.assert_fails(report, ("growing", "open_fds"))

    def test_three_days_are_judged_by_days(self):
        report = self.resident(lambda at, dice: 45 * MIB * (1 + 0.05 * at / DAY), days=3)
        slopes = {row["figure"]: row for row in report.json["slopes"]}
        self.assertLess(slopes["rss"]["blocks"], 12)
        self.assertEqual(slopes["rss"]["verdict"], "growing")

    def test_two_days_are_too_early(self):
        report = self.resident(self.HEALTHY["white noise"], days=2)
        self.assertEqual({row["verdict"] for row in report.json["slopes"]}, {"too_early"})
        self.assertIn("slopes_not_judged", [row["code"] for row in report.json["remarks"]])

    def test_one_descriptor_more_on_the_last_day(self):
        record = self.short()
        record.shape(lambda line, at: at > 1700 and set_path(line, "memory.process.open_fds", 15))
        report = self.report(record)
        self.assertIn(("worse_at_the_end", "open_fds"), report.codes())


class ProvesNothing(Case):
    def test_nothing_was_acknowledged(self):
        record = self.short()
        record.shape(lambda line, at: "driver" in line and line["driver"].update(acknowledged_samples=0))
        self.assert_fails(self.report(record), ("proves_nothing", "samples"))

    def test_no_hostile_client(self):
        record = self.short()
        record.shape(lambda line, at: "driver" in line and [kind.update(begun=0)
                                                            for kind in line["driver"]["hostile"].values()])
        report = self.report(record)
        self.assert_fails(report, ("proves_nothing", "hostile"))
        record.start["hostile"] = 0
        self.assert_passes(self.report(record))

    def test_a_store_that_fills_is_no_ageing(self):
        def fills(until):
            def change(line, elapsed):
                share = min(1, elapsed / until)
                pool_of(line, "series")["live_bytes"] = int(3 * MIB * share)
                line["memory"]["process"]["cpu_seconds_total"] = 0.01 * elapsed * (0.3 + 0.7 * share)
            return change
        for until, told in [(800.0, False), (2300.0, True)]:
            with self.subTest(until=until):
                record = self.short()
                record.shape(fills(until))
                report = self.report(record)
                self.assert_passes(report)
                self.assertEqual("days_not_judged" in [row["code"] for row in report.json["remarks"]], told)

    def test_a_kind_that_is_missing_is_told(self):
        record = self.short()
        record.shape(lambda line, at: "driver" in line and line["driver"]["hostile"]["bomb"].update(begun=0))
        report = self.report(record)
        self.assert_passes(report)
        self.assertIn("bomb", report.text("not_covered", "mix", "remarks"))

    def test_sums_that_were_never_compared(self):
        record = self.short()
        record.from_quiet(0, lambda quiet: quiet.update(conservation=None))
        self.assert_fails(self.report(record), ("proves_nothing", "conservation"))

    def test_a_run_that_is_not_over_is_told(self):
        record = self.short()
        record.end, record.gone_at = None, 1500.0
        for end in None, "stopped":
            record.end = end
            report = self.report(record)
            self.assertEqual((report.code, report.json["verdict"], report.codes()), (2, "unfinished", []))
            self.assertIn("UNFINISHED: nothing was found so far, in 25 min of 40 min", report.out)
            self.assertIn("unfinished", [row["code"] for row in report.json["remarks"]])

    def test_a_driver_that_was_away_leaves_it_unfinished(self):
        lines = [line for line in self.short().lines() if not 600 < line.get("elapsed", 0) < 1200]
        report = self.lines(lines)
        self.assertEqual((report.code, report.json["verdict"], report.codes()), (2, "unfinished", []))
        self.assertIn("Of 10 min nothing was recorded", report.text("gaps", "driver", "remarks"))

    def test_a_clock_that_is_set_back_does_not_hide_the_end(self):
        lines = [dict(line, at=line["at"] - 5 * (line["type"] == "event")) for line in self.short().lines()]
        self.assert_passes(self.lines(lines))

    def lines(self, lines):
        text = "".join(json.dumps(line) + "\n" for line in lines)
        pathlib.Path(self.directory, "record.ndjson").write_text(text)
        return Report(self.directory)

    def quiets(self, change):
        """The short record, its quiet points changed; without those of which nothing is left."""
        lines = [change(line) if line["type"] == "quiet" else line for line in self.short().lines()]
        return self.lines([line for line in lines if line])

    def test_what_was_not_looked_at_does_not_pass(self):
        for what, change in [
                ("checks", lambda line: dict(line, checks=[])),
                ("checks", lambda line: dict(line, checks=line["checks"][line["index"] // 5:])),
                ("checks", lambda line: dict(line, checks=[row for row in line["checks"] if row["name"] != "growth_live_bytes"])),
                ("quiet_points", lambda line: line["index"] in (0, 8) and line),
                ("conservation", lambda line: dict(line, conservation=line["index"] == 3 and line["conservation"] or None)),
                ("conservation", lambda line: dict(line, conservation={"totals": [], "history": [], "ok": True})),
                ("memory", lambda line: dict(line, memory=None))]:
            self.assert_fails(self.quiets(change), ("proves_nothing", what))

    def test_samples_without_documents(self):
        for each, fails in (1, True), (5, True), (20, False):
            lines = list(self.short().lines())
            for line in [line for line in lines if line["type"] == "sample"][::each]:
                line["memory"] = None
            report = self.lines(lines)
            self.assertEqual(("proves_nothing", "memory") in report.codes(), fails)
            self.assertEqual(report.code, int(fails))

    def test_a_record_without_its_beginning(self):
        lines = [line for line in self.short().lines() if line["type"] != "start"]
        self.assertIn(("proves_nothing", "start"), self.lines(lines).codes())

    def test_many_torn_lines(self):
        text = "".join(json.dumps(line)[:400 if line["type"] == "quiet" and line["index"] > 4 else None] + "\n"
                       for line in self.short().lines())
        pathlib.Path(self.directory, "record.ndjson").write_text(text)
        self.assert_fails(Report(self.directory), ("proves_nothing", "record"))

    def test_valid_requests_without_a_reply(self):
        for share, code in ((0.0005, 0), (0.002, 1)):
            with self.subTest(share=share):
                record = self.short()

                change = {"statuses": {"200": 100000}, "broken": int(100000 * share)}
                record.shape(lambda line, at: "driver" in line and line["driver"].update(change))  # pylint: disable=W0640
                self.assertEqual(("requests_broken", "requests") in self.report(record).codes(), code == 1)

    def test_valid_requests_that_are_refused(self):
        for change, code in [({"statuses": {"200": 1000, "503": 1001}}, 1), ({"broken": 10 ** 6}, 1),
                             ({"statuses": {"200": 100000, "503": 90000}}, 0)]:
            record = self.short()
            record.shape(lambda line, at: "driver" in line and line["driver"].update(change))  # pylint: disable=W0640
            report = self.report(record)
            self.assertEqual(report.code, code)
            self.assertEqual(("proves_nothing", "requests") in report.codes(), code == 1)
            self.assertEqual("refused" in [row["code"] for row in report.json["remarks"]], code == 0)


class Wall(Case):
    def wall(self, *arguments):
        out = os.path.join(self.directory, "wall.svg")
        ended = subprocess.run([Documents.program, "wall", out, *arguments], capture_output=True, text=True, timeout=60)
        return ended.returncode, pathlib.Path(out)

    def test_a_run_that_was_killed(self):
        lives, dies = os.path.join(self.directory, "a=b"), os.path.join(self.directory, "c")
        os.makedirs(lives.replace("=", "_"))
        self.short().write(lives.replace("=", "_"))
        record = self.short()
        record.end, record.gone_at = "server_gone", 240.0
        record.shape(lambda line, at: set_path(line, "proc.rss", 20 * MIB + int(at) * MIB // 4))
        record.write(dies)
        code, out = self.wall(f"mayfly <0.1> x=1={lives.replace('=', '_')}", f"pushgateway 1.5={dies}", "--title",
                              "A & B", "--wall", "128MiB")
        self.assertEqual(code, 0)
        picture = out.read_text()
        xml.etree.ElementTree.fromstring(picture)
        for words in ("gone after 4 min", "mayfly &lt;0.1&gt; x=1", "pushgateway 1.5", "A &amp; B", "128 MiB"):
            self.assertIn(words, picture)

    def test_what_cannot_be_drawn(self):
        self.short().write(self.directory)
        self.assertEqual(self.wall()[0], 2)
        self.assertEqual(self.wall("x=/nowhere")[0], 2)
        self.assertEqual(self.wall("nothing")[0], 2)
        self.assertEqual(self.wall(f"x={self.directory}", "--wall", "much")[0], 2)
        self.assertEqual(self.wall(f"x={self.directory}", "--wall")[0], 2)
        self.assertEqual(self.wall(f"x={self.directory}")[0], 0)


def main():
    if len(sys.argv) < 2 or sys.argv[1].startswith("-"):
        print(__doc__, file=sys.stderr)
        return 2
    Documents.take(pathlib.Path(sys.argv.pop(1)).resolve())
    random.seed(1)
    return unittest.main()


if __name__ == "__main__":
    sys.exit(main())
