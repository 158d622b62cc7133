"""test_seeing.py: quiet points, lifetimes, snapshots and differences, peaks, trend, doctor, who holds the cache."""
import threading
import time

import bodies
from case import JSON, TEXT, ServiceCase, reaches
from client import curl
from service import SANITIZED

SHORT = {"windows.fine": "1s", "windows.middle": "2s", "windows.coarse": "4s"}


class SeeingCase(ServiceCase):
    def operator(self, target, *arguments):
        return curl(self.service.operator_url + target, *arguments)

    def take(self):
        reply = self.operator("/memory/snapshots", "-X", "POST")
        self.assertEqual(reply.status, 201, reply)
        self.assertEqual(reply.headers["Location"], f"/memory/snapshots/{reply.json()['id']}")
        return reply.json()["id"]

    def trend(self):
        return self.operator("/memory/trend").json()

    def figures(self):
        return {row["name"]: row for row in self.trend()["figures"]}


class QuietPoints(SeeingCase):
    """Whenever no request is in flight nothing of any is held: each such moment is looked at, and counted."""

    def audit(self):
        return self.service.memory()["audit"]

    def test_each_request_alone_ends_in_one(self):
        self.service.await_quiet()
        before = self.audit()["quiet_points"]
        for _ in range(20):
            self.assertEqual(self.get("/healthz").status, 200)
        self.service.await_quiet()
        self.assertGreaterEqual(self.audit()["quiet_points"], before + 20)

    def test_none_while_a_request_is_in_flight(self):
        self.held_push()
        self.service.await_requests(1)
        before = self.audit()["quiet_points"]
        for _ in range(20):
            self.get("/healthz")
        self.assertEqual(self.audit()["quiet_points"], before)

    def test_none_fails_under_a_mixed_load(self):
        def load(seed):
            for i in range(30):
                self.push(bodies.counters(f"quiet{seed}", 300), *TEXT)
                self.push(b'[{"name":"quiet","value":%d}]' % i, *JSON)
                self.push(b"garbage " * 50, *TEXT)
                self.get("/metrics", "--compressed")
                self.get("/v1/query?metric=quiet")
        threads = [threading.Thread(target=load, args=(seed,)) for seed in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.service.await_quiet()
        audit = self.audit()
        self.assertGreater(audit["quiet_points"], 10)
        self.assertEqual((audit["quiet_point_failures"], audit["quiet_point_failing"]), (0, []))


class Lifetimes(SeeingCase):
    """How old series, windows and results were when they ended."""

    settings = {**SHORT, "series.max": 3000, "limits.families": 64, "windows.fine_bytes": "32KiB",
                "windows.middle_bytes": "32KiB", "windows.coarse_bytes": "32KiB", "memory": "32MiB"}
    seconds = 20

    def lifetimes(self):
        return self.service.memory()["lifetimes"]

    def test_of_series(self):
        before = self.lifetimes()["series"]
        self.push(bodies.counters("born", 60), *TEXT)
        time.sleep(2.2)
        deleted = self.get("/v1/series?metric=born_total", "-X", "DELETE").json()["deleted_series"]
        after = self.lifetimes()["series"]
        self.assertEqual(deleted, 60)
        self.assertEqual(after["count"], before["count"] + 60)
        self.assertEqual(after["cumulative"][0], before["cumulative"][0])  # none was only a second old
        self.assertAlmostEqual(after["sum"] - before["sum"], 60 * 2.2, delta=60 * 1.5)

    def test_of_windows_and_results(self):
        deadline = time.monotonic() + 30
        while time.monotonic() < deadline:
            self.push(bodies.counters("window", 2000), *TEXT)
            self.get("/v1/query?metric=window_total&fn=sum&from=-20s")
            lifetimes = self.lifetimes()
            if lifetimes["window"]["count"] > 2 and lifetimes["cached"]["count"] > 2:
                break
            time.sleep(0.5)
        for name in ("window", "cached"):
            self.assertGreater(lifetimes[name]["count"], 2, name)
            self.assertGreater(lifetimes[name]["max"], 0, name)
            self.assertEqual(lifetimes[name]["le"], [1, 10, 60, 600, 3600, 86400, 604800])
            self.assertEqual(lifetimes[name]["cumulative"], sorted(lifetimes[name]["cumulative"]))
        found = self.scrape("self")
        self.assertGreater(found.value("mayfly_window_lifetime_seconds_count"), 2)
        self.assertGreater(found.value("mayfly_cached_lifetime_seconds_count"), 2)


class Snapshots(SeeingCase):
    """POST, list, DELETE, and what grew between two."""

    def listed(self):
        return [row["id"] for row in self.operator("/memory/snapshots").json()["snapshots"]]

    def diff(self, query):
        reply = self.operator("/memory/diff?" + query)
        self.assertEqual(reply.status, 200, reply)
        return reply.json()

    def test_sixteen_are_kept(self):
        ids = [self.take() for _ in range(20)]
        self.assertEqual(ids, list(range(ids[0], ids[0] + 20)))
        self.assertEqual(self.listed(), ids[4:])
        reply = self.operator(f"/memory/diff?from={ids[0]}")
        self.assert_refused(reply, 404, "no_snapshot")

    def test_deleting(self):
        kept, gone = self.take(), self.take()
        reply = self.operator(f"/memory/snapshots/{gone}", "-X", "DELETE")
        self.assertEqual((reply.status, reply.json()), (200, {"deleted": 1}))
        self.assertIn(kept, self.listed())
        self.assertNotIn(gone, self.listed())
        for target in (str(gone), "0", "x", "", "-1", "99999999999999999999999"):
            reply = self.operator(f"/memory/snapshots/{target}", "-X", "DELETE")
            self.assert_refused(reply, 404, "no_snapshot")
        self.assertEqual(self.operator(f"/memory/snapshots/{kept}").status, 405)

    def test_what_grew_comes_first(self):
        before = self.take()
        pools = self.service.pools()
        self.push(bodies.counters("grew", 3000), *TEXT)
        self.service.await_quiet()
        after = self.take()
        found = self.diff(f"from={before}&to={after}")
        growth = [row["live_bytes_diff"] for row in found["rows"]]
        self.assertEqual(growth, sorted(growth, reverse=True))
        rows = {row["pool"]: row for row in found["rows"]}
        self.assertEqual(set(rows), set(pools) | {"heap"})
        self.assertIn(found["rows"][0]["pool"], ("series", "labels"))
        self.assertEqual(rows["series"]["live_objects_diff"], rows["series"]["allocations_diff"])
        self.assertGreaterEqual(rows["series"]["live_objects_diff"], 3000)
        self.assertEqual(rows["series"]["live_bytes"] - rows["series"]["live_bytes_diff"],
                         pools["series"]["live_bytes"])
        self.assertEqual((found["from"]["id"], found["to"]["id"]), (before, after))
        back = self.diff(f"from={after}&to={before}")
        self.assertEqual({row["pool"]: -row["live_bytes_diff"] for row in back["rows"]},
                         {name: row["live_bytes_diff"] for name, row in rows.items()})

    def test_to_is_now_unless_said(self):
        before = self.take()
        self.push(bodies.counters("later", 500), *TEXT)
        self.service.await_quiet()
        for query in (f"from={before}", f"from={before}&to=now"):
            found = self.diff(query)
            self.assertIsNone(found["to"]["id"])
            rows = {row["pool"]: row for row in found["rows"]}
            self.assertGreaterEqual(rows["series"]["live_objects_diff"], 500)

    def test_bad_questions(self):
        self.assert_refused(self.operator("/memory/diff"), 400, "bad_parameter")
        for query in ("from=now", "from=", "from=x", "from=1.5", "from=-1"):
            self.assert_refused(self.operator(f"/memory/diff?{query}"), 400, "bad_parameter")
        taken = self.take()
        self.assert_refused(self.operator(f"/memory/diff?from={taken}&to=x"), 400, "bad_parameter")
        self.assert_refused(self.operator(f"/memory/diff?from={taken}&to=0"), 400, "bad_parameter")

    def test_on_the_data_listener_too(self):
        reply = self.get("/memory/snapshots", "-X", "POST")
        self.assertEqual(reply.status, 201)
        self.assertIn(reply.json()["id"], self.listed())


class OtherSites(SeeingCase):
    """What changes something is refused to pages of other sites; a browser says whose page asks."""

    settings = {"drills": "true", "memory": "64MiB"}

    CHANGES = (("POST", "/memory/snapshots"), ("DELETE", "/memory/snapshots/1"), ("POST", "/memory/peaks/reset"),
               ("POST", "/drills/leak?kind=cycle"), ("DELETE", "/drills"), ("DELETE", "/v1/series?metric=none"))

    def test_changes(self):
        for method, target in self.CHANGES:
            for site in ("cross-site", "same-site", "Cross-Site"):
                reply = self.get(target, "-X", method, "-H", f"Sec-Fetch-Site: {site}")
                self.assert_refused(reply, 403, "cross_site")
            for site in ("same-origin", "none"):
                reply = self.get(target, "-X", method, "-H", f"Sec-Fetch-Site: {site}")
                self.assertIn(reply.status, (200, 201, 404), reply)
        self.assertEqual(self.get("/drills", "-X", "DELETE").status, 200)

    def test_reads_and_pushes_are_not(self):
        for target in ("/memory", "/memory/snapshots", "/drills", "/v1/series"):
            self.assertEqual(self.get(target, "-H", "Sec-Fetch-Site: cross-site").status, 200)
        self.assert_accepted(self.push(b"other 1\n", *TEXT, "-H", "Sec-Fetch-Site: cross-site"), 1)


class Peaks(SeeingCase):
    def test_a_new_period(self):
        self.push(bodies.counters("peak", 4000), *TEXT)
        self.get("/v1/series?metric=peak_total", "-X", "DELETE")
        self.service.await_quiet()
        before = self.service.memory()
        reply = self.operator("/memory/peaks/reset", "-X", "POST")
        self.assertEqual(reply.status, 200, reply)
        self.assertAlmostEqual(reply.json()["period_start"], time.time(), delta=5)
        after = self.service.memory()
        self.assertEqual(after["period_start"], reply.json()["period_start"])
        self.assertEqual(after["peak_bytes"], before["peak_bytes"])  # of all time: stays
        self.assertLess(after["period_peak_bytes"], before["peak_bytes"])
        series = {pool["name"]: pool for pool in after["pools"]}["series"]
        self.assertLess(series["period_peak_bytes"], series["peak_bytes"])
        self.assertEqual(self.operator("/memory/peaks/reset").status, 405)


class Trend(SeeingCase):
    """What is watched, with blocks of two seconds: a pool that fills is named, and its end."""

    settings = {**SHORT, "trend.block": "2s", "series.max": 20000, "series.idle_min": "1h"}
    seconds = 50

    @reaches("trend.block")
    def test_filling(self):
        early = self.trend()
        self.assertEqual((early["block_seconds"], early["blocks_min"]), (2, 12))
        self.assertEqual((early["verdict"], early["worst"]), ("too_early", None))
        for at in range(60):
            self.push(bodies.counters(f"fill{at}", 250), *TEXT)
            if self.figures()["series"]["verdict"] == "filling":
                break
            time.sleep(1)
        row = self.figures()["series"]
        self.assertEqual(row["verdict"], "filling", row)
        self.assertGreater(row["low_per_hour"], 0)
        self.assertGreaterEqual(row["high_per_hour"], row["slope_per_hour"])
        self.assertLess(row["since"], time.time())
        self.assertGreater(row["full_at"], time.time() - 60)
        memory = self.service.memory()
        self.assertEqual(memory["trend"]["verdict"], "filling")
        self.assertIn(memory["trend"]["worst"], ("series", "labels"))
        doctor = self.operator("/memory/doctor")
        self.assertEqual(doctor.headers["Content-Type"], "text/plain; charset=utf-8")
        self.assertIn("worst is " + memory["trend"]["worst"], doctor.text())
        found = self.scrape("self")
        self.assertEqual(found.value("mayfly_memory_trend", verdict="filling"), 1)
        self.assertEqual(found.value("mayfly_memory_trend_verdict", figure="series"), 2)

    def test_figures(self):
        figures = self.figures()
        pools = set(self.service.pools())
        self.assertEqual(set(figures) - pools, {"heap", "unaccounted", "rss", "descriptors", "threads",
                                                "request_latency", "cpu_per_request"})
        self.assertLessEqual(pools, set(figures))
        self.assertTrue(figures["windows_fine"]["full_by_design"])
        self.assertTrue(figures["cache"]["full_by_design"])
        self.assertFalse(figures["series"]["full_by_design"])


class Doctor(SeeingCase):
    settings = {"series.max": 1000, "memory": "32MiB"}

    def test_all_is_well(self):
        text = self.operator("/memory/doctor").text()
        if not SANITIZED:  # shadow memory is above --memory, which is wrong
            self.assertIn("Nothing is wrong.", text)
        self.assertIn("too_early", text)

    def test_what_is_wrong_who_holds_it_and_what_to_set(self):
        self.push(bodies.counters("ill", 2000), *TEXT)
        text = self.operator("/memory/doctor").text()
        self.assertNotIn("Nothing is wrong.", text)
        self.assertIn("series: pool_near_capacity", text)
        self.assertIn("samples went to overflow series", text)
        self.assertIn("ill_total (999)", text)
        self.assertIn("series.max", text)
        self.get("/v1/series?metric=ill_total", "-X", "DELETE")


class CacheHolders(SeeingCase):
    settings = {**SHORT}
    seconds = 5

    def test_largest_results(self):
        for _ in range(4):
            self.push(bodies.counters("held", 200), *TEXT)
            time.sleep(1)
        self.get("/v1/query?metric=held_total&fn=sum&by=pod&from=-10s")
        self.get("/v1/query?metric=held_total&fn=sum&from=-10s")
        memory = self.service.memory()["cache"]
        self.assertGreater(memory["entries"], 0)
        holders = self.service.holders()
        sizes = [row["live_bytes"] for row in holders["cache"]]
        self.assertEqual(sizes, sorted(sizes, reverse=True))
        self.assertEqual(len(sizes) + holders["cache_truncated"], memory["entries"])
        self.assertTrue(all(len(row["key"]) == 32 for row in holders["cache"]))
        self.assertEqual([row["tier"] for row in holders["windows"]], ["1s", "2s", "4s"])
        self.assertGreater(holders["windows"][0]["records"], 0)


class Process(SeeingCase):
    def test_proportional_set_size(self):
        process = self.service.memory()["process"]
        self.assertGreater(process["pss_bytes"], 0)
        self.assertLessEqual(process["pss_bytes"], process["rss_bytes"] + (4 << 20))

    def test_heap_is_explained(self):
        """What malloc holds for open connections is no leak, and less is left when they are gone."""
        wires = [self.held_push() for _ in range(40)]
        self.service.await_requests(40)
        process = self.service.memory()["process"]
        if SANITIZED:
            return  # its malloc has no figures
        self.assertGreater(process["malloc"]["in_use_bytes"], process["malloc"]["base_bytes"] + 40 * (16 << 10))
        self.assertLess(process["malloc"]["unexplained_bytes"], 256 << 10)
        for wire in wires:
            wire.close()
