"""test_memory.py: GET /memory and /memory/holders: what is held, by whom, and that the figures add up."""
import time

import bodies
import exposition
from case import TEXT, ServiceCase
from client import curl
from service import SANITIZED

from test_exposition import OPENMETRICS_TYPE, PROMETHEUS, TEXT_TYPE, VMAGENT

MIB = 1 << 20
BROWSER = "text/html,application/xhtml+xml,application/xml;q=0.9,image/webp,*/*;q=0.8"


class MemoryForms(ServiceCase):
    """JSON for people, Prometheus text for scrapers; on both listeners."""

    def urls(self):
        return self.service.data_url, self.service.operator_url

    def test_by_accept(self):
        for url in self.urls():
            for accept, expected in (("", "application/json"), ("*/*", "application/json"),
                                     (BROWSER, "application/json"),
                                     ("application/json", "application/json"), (VMAGENT, TEXT_TYPE),
                                     (PROMETHEUS, OPENMETRICS_TYPE), ("text/plain", TEXT_TYPE)):
                reply = curl(url + "/memory", "-H", f"Accept: {accept}")
                self.assertEqual((reply.status, reply.headers["Content-Type"]), (200, expected), accept)

    def test_by_format(self):
        for url in self.urls():
            for query, accept, expected in (("json", PROMETHEUS, "application/json"), ("prometheus", "*/*", TEXT_TYPE),
                                            ("prometheus", "application/json", TEXT_TYPE),
                                            ("prometheus", PROMETHEUS, OPENMETRICS_TYPE)):
                reply = curl(f"{url}/memory?format={query}", "-H", f"Accept: {accept}")
                self.assertEqual((reply.status, reply.headers["Content-Type"]), (200, expected))
            reply = curl(f"{url}/memory?format=xml")
            self.assert_refused(reply, 400, "bad_parameter")

    def test_prometheus_form_is_well_formed(self):
        for url in self.urls():
            for accept in (PROMETHEUS, VMAGENT):
                text = curl(f"{url}/memory", "-H", f"Accept: {accept}").text()
                found = exposition.parse(text, accept == PROMETHEUS, strict=True)
                self.assertGreater(found.value("process_resident_memory_bytes"), 0)
                self.assertGreater(found.value("process_resident_memory_peak_bytes"), 0)
                self.assertGreater(found.value("mayfly_memory_pool_capacity_bytes", pool="series"), 0)
                self.assertIsNotNone(found.value("mayfly_memory_pool_refusals_total", pool="series", reason="capacity"))
                self.assertIsNotNone(found.value("mayfly_request_arena_lifetime_seconds_count"))

    def test_packed(self):
        """The operator's reserve has no room for a compressor: there it goes out as it is."""
        reply = self.get("/memory?format=prometheus", "--compressed")
        self.assertEqual(reply.headers.get("Content-Encoding"), "gzip")
        exposition.parse(reply.text(), strict=True)
        reply = curl(self.service.operator_url + "/memory?format=prometheus", "--compressed")
        exposition.parse(reply.text(), strict=True)


class MemoryReport(ServiceCase):
    """The JSON form (API.md, Memory)."""

    KEYS = {"schema", "now", "start", "status", "reasons", "live_bytes", "peak_bytes", "peak_at", "budget", "process",
            "plan", "cgroup", "pools", "requests", "lifetimes", "cache", "windows", "own_windows", "audit", "trend"}
    BUDGET = {"limit_bytes", "source", "planned_bytes", "reserved_bytes", "prefaulted", "headroom_bytes", "admission"}
    PROCESS = {"rss_bytes", "rss_peak_bytes", "rss_anon_bytes", "rss_file_bytes", "swap_bytes", "virtual_bytes",
               "threads", "open_fds", "minor_faults_total", "major_faults_total", "malloc", "unaccounted_bytes"}
    POOL = {"name", "kind", "lifetime", "capacity_bytes", "live_bytes", "peak_bytes", "live_objects",
            "allocations_total", "frees_total", "refusals_total"}
    CACHE = {"policy", "entries", "live_bytes", "capacity_bytes", "hits_total", "misses_total", "admitted_total",
             "rejected_total", "evictions_total", "evicted_unused_total",
             "last_evicted_idle_seconds", "oldest_entry_age_seconds", "seconds_saved_total"}
    WINDOW = {"tier", "capacity_bytes", "live_bytes", "retention_seconds", "records", "sealed_total", "left_total"}

    def test_members(self):
        memory = self.service.memory()
        self.assertLessEqual(self.KEYS, set(memory))
        self.assertLessEqual(self.BUDGET, set(memory["budget"]))
        self.assertLessEqual(self.PROCESS, set(memory["process"]))
        for pool in memory["pools"]:
            self.assertLessEqual(self.POOL, set(pool))
        self.assertEqual(self.CACHE, set(memory["cache"]))
        self.assertEqual([tier["tier"] for tier in memory["windows"]], ["10s", "1m", "10m"])
        for tier in memory["windows"]:
            self.assertEqual(self.WINDOW, set(tier))
        self.assertEqual([tier["tier"] for tier in memory["own_windows"]], ["10s", "1m", "10m"])
        self.assertEqual(memory["schema"], "memory/1")
        self.assertEqual({part["part"] for part in memory["plan"]} & {"region", "libmicrohttpd", "stacks", "code"},
                         {"region", "libmicrohttpd", "stacks", "code"})

    def test_figures_add_up(self):
        self.push(bodies.counters("add", 1000), *TEXT)
        self.service.await_quiet()
        memory = self.service.memory()
        pools = memory["pools"]
        self.assertEqual(memory["live_bytes"], sum(pool["live_bytes"] for pool in pools))
        self.assertLessEqual(memory["live_bytes"], memory["peak_bytes"])
        self.assertEqual(memory["budget"]["planned_bytes"], sum(part["bytes"] for part in memory["plan"]))
        self.assertLessEqual(memory["budget"]["planned_bytes"], memory["budget"]["limit_bytes"])
        for pool in pools:
            self.assertLessEqual(pool["live_bytes"], pool["peak_bytes"], pool)
            self.assertLessEqual(pool["peak_bytes"], pool["capacity_bytes"], pool)
            self.assertEqual(pool["live_objects"], pool["allocations_total"] - pool["frees_total"], pool)
        self.assertLessEqual(sum(pool["capacity_bytes"] for pool in pools), memory["budget"]["reserved_bytes"])

    def test_process_is_within_the_budget(self):
        memory = self.service.memory()
        self.assertAlmostEqual(memory["now"], time.time(), delta=5)
        self.assertLessEqual(memory["start"], memory["now"])
        if SANITIZED:
            return
        self.assertLessEqual(memory["process"]["rss_peak_bytes"], memory["budget"]["limit_bytes"])
        self.assertLess(memory["process"]["unaccounted_bytes"], MIB)
        self.assertEqual(memory["process"]["rss_bytes"] // MIB, self.service.resident_bytes() // MIB)

    def test_lifetimes(self):
        before = self.service.memory()["lifetimes"]["request"]
        for _ in range(10):
            self.get("/healthz")
        self.service.await_quiet()
        after = self.service.memory()["lifetimes"]["request"]
        self.assertGreaterEqual(after["count"], before["count"] + 10)
        self.assertEqual(after["le"], [0.001, 0.01, 0.1, 1, 10])
        self.assertEqual(after["cumulative"], sorted(after["cumulative"]))
        self.assertLessEqual(after["cumulative"][-1], after["count"])

    def test_growing_and_going(self):
        """Series take room, and give it back when they are deleted."""
        before = self.service.pools()
        self.push(bodies.counters("grow", 5000), *TEXT)
        full = self.service.pools()
        for pool in ("series", "labels", "index"):
            self.assertGreaterEqual(full[pool]["live_objects"], before[pool]["live_objects"] + 5000)
        deleted = self.get("/v1/series?metric=grow_total", "-X", "DELETE").json()["deleted_series"]
        self.assertEqual(deleted, 5000)
        after = self.service.pools()
        for pool in ("series", "labels", "index"):
            self.assertLessEqual(after[pool]["live_objects"], before[pool]["live_objects"] + 4, pool)

    def test_the_report_costs_the_same_whatever_is_held(self):
        empty = self.service.ask_operator()
        self.push(bodies.counters("weigh", 20_000), *TEXT)
        full = self.service.ask_operator()
        self.assertEqual(empty.headers["Mayfly-Arena-Peak"], full.headers["Mayfly-Arena-Peak"])
        self.assertLess(abs(len(full.body) - len(empty.body)), 200)

    def test_rings_and_cache_are_pools(self):
        memory = self.service.memory()
        pools = {pool["name"]: pool for pool in memory["pools"]}
        for name, tier in zip(("fine", "middle", "coarse"), memory["windows"]):
            self.assertEqual(pools[f"windows_{name}"]["capacity_bytes"], tier["capacity_bytes"])
            self.assertEqual(pools[f"windows_{name}"]["live_bytes"], tier["live_bytes"])
        self.assertEqual(pools["cache"]["capacity_bytes"], memory["cache"]["capacity_bytes"])
        self.assertEqual(pools["cache"]["live_bytes"], memory["cache"]["live_bytes"])
        self.assertEqual(pools["cache"]["live_objects"], memory["cache"]["entries"])

    def test_source(self):
        self.assertEqual(self.service.memory()["budget"]["source"], "default")


class MemoryVerdict(ServiceCase):
    """Status and reasons: a pool that is nearly full, by its setting's name."""

    settings = {"series.max": 1000}

    def test_near_capacity(self):
        self.assertEqual(self.service.memory()["status"], "ok")
        self.push(bodies.counters("near", 2000), *TEXT)  # half of them overflow
        memory = self.service.memory()
        self.assertEqual(memory["status"], "pressure", memory["reasons"])
        reason = next(reason for reason in memory["reasons"] if reason["pool"] == "series")
        self.assertEqual(reason["code"], "pool_near_capacity")
        self.assertIn("series.max", reason["text"])
        self.assertGreaterEqual(reason["ratio"], 0.9)


class Holders(ServiceCase):
    """GET /memory/holders: who holds memory now."""

    def in_flight(self):
        return [row for row in self.service.holders()["requests"] if row["route"] != "holders"]

    def test_a_slow_push(self):
        body = b"slow_total 1\n" * 100
        wire = self.held_push(body)
        self.service.await_that(lambda: self.in_flight() and self.in_flight()[0]["body_bytes"] == len(body))
        time.sleep(0.1)
        row, = self.in_flight()
        self.assertEqual((row["method"], row["route"], row["state"], row["body_bytes"]),
                         ("POST", "push", "body", len(body)))
        host, port = wire.socket.getsockname()
        self.assertEqual(row["peer"], f"{host}:{port}")
        self.assertGreaterEqual(row["age_seconds"], 0.1)
        self.assertLess(row["age_seconds"], 10)
        self.assertGreaterEqual(row["peak_bytes"], row["live_bytes"])
        self.assertGreater(row["live_bytes"], 0)
        self.assertIsInstance(row["id"], int)

    def test_what_holders_say_is_what_the_pools_say(self):
        for target in ("/v1/push", "/v1/push?atomic=1", "/metrics/job/h"):
            self.held_push(b"held_total 1\n", target)
        self.held_push(bodies.gzip(b"x")[:5], headers=["Content-Encoding: gzip"])
        self.service.await_requests(4)
        rows = self.in_flight()
        pools = self.service.pools()
        self.assertEqual(sum(row["live_bytes"] for row in rows),
                         pools["requests"]["live_bytes"] + pools["growth"]["live_bytes"])
        self.assertEqual({row["route"] for row in rows}, {"push", "pushgateway"})

    def test_states(self):
        wire = self.wire()
        wire.send(b"GET /healthz HTTP/1.1\r\nHost")
        self.service.await_requests(1)
        self.assertEqual([(row["state"], row["route"]) for row in self.in_flight()], [("headers", "none")])
        wire.close()
        self.service.await_quiet()
        self.held_push(b"not gzip", headers=["Content-Encoding: gzip"])
        self.assertTrue(self.service.await_that(
            lambda: [row["state"] for row in self.in_flight()] == ["draining"]), self.in_flight())

    def test_metrics_with_most_series(self):
        for i in range(1, 16):
            self.push(bodies.counters(f"most{i}", i * 3), *TEXT)
        rows = self.service.holders()["metrics"]
        counts = [row["series"] for row in rows]
        self.assertEqual(counts, sorted(counts, reverse=True))
        self.assertEqual(rows[0], {"metric": "most15_total", "series": 45})

    def test_long_lists_are_cut_and_say_so(self):
        wires = [self.held_push() for _ in range(80)]
        self.service.await_requests(80)
        holders = self.service.holders()
        shown = len(holders["requests"])
        self.assertLess(shown, 81)
        self.assertEqual(holders["requests_truncated"], 81 - shown)
        for wire in wires:
            wire.close()

    def test_after_a_refusal_the_request_has_shrunk(self):
        """What a refused push held is given back before the rest of its body is read."""
        wire = self.held_push(bodies.counters("shrink", 3000), "/v1/push?atomic=1",
                              ["Content-Encoding: gzip"])
        self.assertTrue(self.service.await_that(
            lambda: [row["state"] for row in self.in_flight()] == ["draining"]), self.in_flight())
        self.assertEqual(self.service.pools()["growth"]["live_bytes"], 0)
        wire.close()

    def test_on_the_data_listener_too(self):
        self.assertEqual(self.get("/memory/holders").json()["requests"][0]["route"], "holders")
