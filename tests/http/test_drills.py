"""test_drills.py: leaks on purpose: off unless asked for, each at the rate that was asked, bounded, and given back."""
import time

from case import ServiceCase, reaches, unittest
from client import curl
from service import SANITIZED, Service

KIB = 1 << 10
MIB = 1 << 20
MEMORY = 64 * MIB
CAP = MEMORY // 16
KINDS = ("global_list", "growing_cache", "listener", "cycle", "request_arena")
POOLED = {"global_list": "drills", "growing_cache": "drills", "listener": "drills", "request_arena": "growth"}
STEP = 64 * KIB  # an arena takes its blocks in such steps
CYCLE_OVERHEAD = 2 * KIB  # what a small cycle takes beside its payload, at most


class Off(ServiceCase):
    """As a service is run: nobody can start one, nothing is kept for it, nothing is said of it."""

    def test_refused_by_name(self):
        for url in (self.service.data_url, self.service.operator_url):
            for method, target in (("POST", "/drills/leak?kind=global_list"), ("POST", "/drills/leak"),
                                   ("GET", "/drills"), ("DELETE", "/drills")):
                reply = curl(url + target, "-X", method)
                self.assert_refused(reply, 403, "drills_off", "drills")
                self.assertIn("drills", reply.error["message"])

    def test_nothing_is_kept_for_it(self):
        memory = self.service.memory()
        self.assertNotIn("drills", [part["part"] for part in memory["plan"]])
        self.assertEqual(self.service.pools()["drills"]["capacity_bytes"], 0)
        self.assertNotIn('part="drills"', self.get("/metrics?scope=self").text())
        self.assertNotIn("drills_on", self.service.log())


class DrillCase(ServiceCase):
    settings = {"drills": "true", "limits.idle_timeout": "5s"}

    def setUp(self):
        super().setUp()
        self.before = self.service.memory()
        self.addCleanup(self.delete)

    # ---- asking ----

    def start(self, kind, status=201, **parameters):
        pairs = "&".join(f"{name}={value}" for name, value in {"kind": kind, **parameters}.items())
        reply = curl(self.service.operator_url + "/drills/leak?" + pairs, "-X", "POST")
        self.assertEqual(reply.status, status, reply)
        return reply.json()

    def delete(self):
        reply = curl(self.service.operator_url + "/drills", "-X", "DELETE")
        self.assertEqual(reply.status, 200, reply)
        return reply.json()

    def drills(self):
        document = self.service.ask_operator("/drills").json()
        self.assertIs(document["enabled"], True)
        return {drill["kind"]: drill for drill in document["drills"]}

    def drill(self, kind):
        return self.drills()[kind]

    def run_requests(self, count):
        """So many requests on one connection; the last has ended when this returns."""
        urls = [f"{self.service.data_url}/healthz"] * count
        done = 0
        while done < count:
            some = urls[done:done + 500]
            reply = curl(some[0], "-o", "/dev/null", *[word for url in some[1:] for word in (url, "-o", "/dev/null")])
            self.assertEqual(reply.curl_exit, 0)
            done += len(some)

    def fill(self, kind, **parameters):
        """Runs a drill into its cap."""
        self.start(kind, bytes="256KiB", per="request", **parameters)
        self.assertTrue(self.service.await_that(lambda: self.drill(kind)["state"] == "at_cap"), self.drill(kind))
        return self.drill(kind)

    # ---- asserting ----

    def heap(self):
        return self.service.memory()["process"]["malloc"]["in_use_bytes"]

    def where(self, kind):
        """What the ledger, or malloc, has for that kind, beyond what was there before."""
        if kind == "cycle":
            return self.heap() - self.before["process"]["malloc"]["in_use_bytes"]
        pool = POOLED[kind]
        return self.service.pools()[pool]["live_bytes"]

    def check_held(self, kind):
        """What the drill says it leaked is what is missing; asking may leak a little more."""
        least = self.drill(kind)["leaked_bytes"]
        held = self.where(kind)
        most = self.drill(kind)["leaked_bytes"]
        if kind == "cycle" and SANITIZED:
            return
        room = 64 * KIB if kind == "cycle" else 0  # what connections have on the heap comes and goes
        self.assertLessEqual(least - room, held)
        self.assertLessEqual(held, most + room)

    def check_given_back(self):
        self.service.await_quiet()
        pools = self.service.pools()
        self.assertEqual((pools["drills"]["live_bytes"], pools["drills"]["live_objects"]), (0, 0))
        self.assertEqual((pools["growth"]["live_bytes"], pools["growth"]["live_objects"]), (0, 0))
        if not SANITIZED:
            self.assertLess(self.where("cycle"), 64 * KIB)
        self.assertEqual(self.drills(), {})

    def check_budget(self):
        memory = self.service.memory()
        self.assertEqual(memory["audit"]["ledger_mismatch_bytes"], 0)
        self.assertLessEqual(memory["budget"]["planned_bytes"], memory["budget"]["limit_bytes"])
        if not SANITIZED:
            self.assertLess(memory["process"]["rss_peak_bytes"], memory["budget"]["limit_bytes"])


class Plan(DrillCase):
    def test_three_shares(self):
        memory = self.service.memory()
        parts = {part["part"]: part["bytes"] for part in memory["plan"]}
        self.assertEqual(parts["drills"], CAP)
        self.assertEqual(self.service.pools()["drills"]["capacity_bytes"], CAP)
        config = self.get("/v1/config").json()["settings"]
        self.assertEqual(self.service.pools()["growth"]["capacity_bytes"], config["requests.bytes"]["value"] + CAP)

    def test_the_log_warns(self):
        self.assertIn("level=warning msg=drills_on", self.service.log())


class Rates(DrillCase):
    """Each kind leaks what was asked, when it was asked, where it says."""

    seconds = 12

    def test_by_request(self):
        for kind in KINDS:
            with self.subTest(kind):
                drill = self.start(kind, bytes="2KiB", per="request")
                self.assertEqual((drill["kind"], drill["bytes"], drill["per"], drill["until"], drill["cap_bytes"]),
                                 (kind, 2048, "request", None, CAP))
                self.assertEqual((drill["leaked_objects"], drill["leaked_bytes"], drill["state"]), (0, 0, "running"))
                first = self.drill(kind)
                self.run_requests(200)
                drill = self.drill(kind)
                # between the two: 200, and those that asked
                self.assertGreaterEqual(drill["leaked_objects"], first["leaked_objects"] + 200)
                self.assertLessEqual(drill["leaked_objects"], first["leaked_objects"] + 205)
                self.check_size(drill, 2048)
                self.check_held(kind)
                self.assertEqual(self.delete()["stopped"], 1)
                self.check_given_back()
        self.check_budget()

    def check_size(self, drill, size):
        asked = drill["leaked_objects"] * size
        self.assertGreaterEqual(drill["leaked_bytes"], asked)
        most = drill["leaked_objects"] * CYCLE_OVERHEAD if drill["kind"] == "cycle" else asked // 15 + STEP
        self.assertLessEqual(drill["leaked_bytes"], asked + most)

    def test_by_second(self):
        """All at once, each at its own pace; requests are nothing but to the one that asked for them."""
        for kind in KINDS:
            self.start(kind, bytes="4KiB", per="request" if kind == "listener" else "second")
        begun = time.monotonic()
        time.sleep(4.5)
        self.run_requests(50)
        drills = self.drills()
        passed = time.monotonic() - begun
        self.assertEqual(set(drills), set(KINDS))
        self.assertGreater(drills.pop("listener")["leaked_objects"], 50)
        for drill in drills.values():
            self.assertGreaterEqual(drill["leaked_objects"], 4, drill)
            self.assertLessEqual(drill["leaked_objects"], passed + 0.2, drill)
            self.check_size(drill, 4096)
        freed = self.delete()
        self.assertEqual(freed["stopped"], len(KINDS))
        self.assertGreaterEqual(freed["freed_bytes"], sum(drill["leaked_bytes"] for drill in drills.values()))
        self.check_given_back()

    def test_a_second_order_replaces_the_rate_and_keeps_what_leaked(self):
        self.start("listener", bytes="1KiB", per="request")
        self.run_requests(20)
        drill = self.start("listener", bytes="64KiB", per="second")
        self.assertGreaterEqual(drill["leaked_objects"], 20)
        self.assertEqual((drill["bytes"], drill["per"], drill["state"]), (64 * KIB, "second", "running"))
        self.assertEqual(list(self.drills()), ["listener"])

    def test_small_objects(self):
        """A byte is asked; a real object takes what its own fields take."""
        for kind in KINDS:
            self.start(kind, bytes="1")
        self.run_requests(300)
        for kind, drill in self.drills().items():
            self.assertGreaterEqual(drill["leaked_objects"], 300, kind)
            self.assertLess(drill["leaked_bytes"], drill["leaked_objects"] * CYCLE_OVERHEAD, kind)


class Bounds(DrillCase):
    """A drill stops at its cap, and at its time; the service goes on within its budget."""

    seconds = 15

    @reaches("drills")
    def test_at_the_cap(self):
        for kind in KINDS:
            with self.subTest(kind):
                drill = self.fill(kind)
                self.assertLessEqual(drill["leaked_bytes"], CAP)
                self.assertGreater(drill["leaked_bytes"], CAP - 512 * KIB)
                self.check_held(kind)
                self.run_requests(50)
                again = self.drill(kind)
                self.assertEqual((again["leaked_bytes"], again["state"]), (drill["leaked_bytes"], "at_cap"))
                self.check_budget()
                freed = self.delete()
                self.assertEqual(freed, {"stopped": 1, "freed_bytes": drill["leaked_bytes"]})
                self.check_given_back()

    def test_all_at_once(self):
        """Three of them share the pool; the sum of all is what the plan has for them."""
        for kind in KINDS:
            self.start(kind, bytes="256KiB", per="request")
        self.assertTrue(self.service.await_that(
            lambda: {drill["state"] for drill in self.drills().values()} == {"at_cap"}), self.drills())
        drills = self.drills()
        shared = sum(drills[kind]["leaked_bytes"] for kind, pool in POOLED.items() if pool == "drills")
        self.assertLessEqual(shared, CAP)
        self.assertGreater(shared, CAP - 768 * KIB)
        self.check_budget()
        self.check_requests_have_their_room()
        self.assertEqual(self.delete()["stopped"], len(KINDS))
        self.check_given_back()

    def check_requests_have_their_room(self):
        """With the drill at its cap a request may still grow to what is promised."""
        config = self.get("/v1/config").json()["settings"]
        most = config["limits.request_bytes"]["value"]
        line = b"room_total{pod=\"%06d\"} 1\n"
        body = b"".join(line % i for i in range(most // 400))
        reply = self.push(body, "-H", "Content-Type: text/plain", target="/v1/push?atomic=1")
        self.assertEqual(reply.status, 200, reply)
        self.assertGreater(reply.arena_peak, most // 8)
        self.assertEqual(self.get("/v1/series?metric=room_total", "-X", "DELETE").status, 200)

    def test_again_after_it(self):
        """What was given back can be leaked once more: nothing is lost on the way."""
        for _ in range(3):
            for kind in ("cycle", "global_list", "request_arena"):
                self.fill(kind)
            self.delete()
            self.check_given_back()
        self.check_budget()

    def test_until(self):
        end = time.time() + 1.5
        self.start("cycle", bytes="1KiB", until="1500ms")
        self.start("growing_cache", bytes="1KiB", until=f"{end:.3f}")
        for kind, drill in self.drills().items():
            self.assertAlmostEqual(drill["until"], end, delta=0.3, msg=kind)
            self.assertEqual(drill["state"], "running")
        self.assertTrue(self.service.await_that(
            lambda: {drill["state"] for drill in self.drills().values()} == {"over"}, 4), self.drills())
        self.assertGreaterEqual(time.time(), end - 0.1)
        before = self.drills()
        self.run_requests(30)
        self.assertEqual(self.drills(), before)  # and what it leaked is leaked
        self.assertGreater(before["cycle"]["leaked_bytes"], 0)
        self.start("cycle", bytes="1KiB")
        self.assertEqual((self.drill("cycle")["state"], self.drill("cycle")["until"]), ("running", None))


class Asking(DrillCase):
    """Parameters, paths, listeners."""

    def test_bad_parameters(self):
        for query, says in (
                ("", "global_list, growing_cache, listener, cycle or request_arena"),
                ("?kind=", "global_list"), ("?kind=list", "request_arena"), ("?kind=CYCLE", "cycle"),
                ("?kind=none", "cycle"),
                ("?kind=cycle&bytes=0", "bytes is a size"), ("?kind=cycle&bytes=-1", "bytes is a size"),
                ("?kind=cycle&bytes=4KB", "bytes is a size"), ("?kind=cycle&bytes=", "bytes is a size"),
                (f"?kind=cycle&bytes={CAP // 4 + 1}", "quarter"), ("?kind=cycle&bytes=1TiB", "quarter"),
                ("?kind=cycle&bytes=99999999999999999999", "1MiB"),
                ("?kind=cycle&per=minute", "request or second"), ("?kind=cycle&per=", "request or second"),
                ("?kind=cycle&until=", "until"), ("?kind=cycle&until=soon", "until"),
                ("?kind=cycle&until=90", "Unix seconds"), ("?kind=cycle&until=1500000000", "Unix seconds"),
                ("?kind=cycle&until=-5m", "until"), ("?kind=cycle&until=0s", "until"),
                ("?kind=cycle&untill=5m", "kind, bytes, per and until"), ("?kind=cycle&x", "kind, bytes, per")):
            with self.subTest(query):
                reply = curl(self.service.operator_url + "/drills/leak" + query, "-X", "POST")
                self.assert_refused(reply, 400, "bad_parameter")
                self.assertIn(says, reply.error["message"])
        self.assertEqual(self.drills(), {})  # none of them began anything

    def test_sizes_as_settings_have_them(self):
        for text, size in (("1", 1), ("4096", 4096), ("1.5KiB", 1536), ("64k", 65536), (str(CAP // 4), CAP // 4)):
            self.assertEqual(self.start("global_list", bytes=text)["bytes"], size)
        self.assertEqual(self.start("global_list")["bytes"], 4096)

    def test_on_both_listeners(self):
        reply = curl(self.service.data_url + "/drills/leak?kind=cycle&per=second", "-X", "POST")
        self.assertEqual(reply.status, 201, reply)
        self.assertEqual(self.get("/drills").json()["drills"][0]["kind"], "cycle")
        self.assertEqual(self.get("/drills", "-X", "DELETE").json()["stopped"], 1)
        self.assertEqual(self.delete(), {"stopped": 0, "freed_bytes": 0})

    def test_wrong_methods(self):
        for target, allow in (("/drills", "GET, HEAD, DELETE"), ("/drills/leak", "POST")):
            reply = self.get(target, "-X", "PUT")
            self.assert_refused(reply, 405, "method_not_allowed")
            self.assertEqual(reply.headers["Allow"], allow)

    def test_the_log_says_so(self):
        self.start("listener", bytes="256KiB")
        self.assertTrue(self.service.await_that(lambda: self.drill("listener")["state"] == "at_cap"))
        self.delete()
        log = self.service.log()
        for message in ("drill_started", "drill_at_cap", "drill_stopped"):
            self.assertIn(f"level=warning msg={message} kind=listener", log)

    def test_json_still_goes_through_the_scratch(self):
        """jansson's allocator is wrapped for cycles; a push is to notice nothing of it, nor a cycle of pushes."""
        self.start("cycle", bytes="1KiB", per="request")
        for i in range(50):
            reply = self.push(b'{"name":"wrapped_total","kind":"counter","value":1,"labels":{"a":"%d"}}\n' % (i % 5),
                              "-H", "Content-Type: application/x-ndjson")
            self.assert_accepted(reply, 1)
        self.assertGreaterEqual(self.drill("cycle")["leaked_objects"], 50)
        self.assertGreater(self.service.pools()["scratch"]["allocations_total"], 0)
        self.delete()
        self.check_given_back()


class Sites(DrillCase):
    """With `trace: true` each of those in the region has the line that leaks, and the heap's has none."""

    settings = {**DrillCase.settings, "trace": "true"}

    def sites(self):
        rows = self.service.ask_operator("/memory/sites").json()["sites"]
        return {row["site"]: row for row in rows if row["site"].startswith("server/drills.c:")}

    def test_the_line_that_leaks(self):
        lines = set()
        for kind in KINDS:
            self.start(kind, bytes="4KiB", per="request")
            self.run_requests(100)
            live = [row for row in self.sites().values() if row["live_bytes"] > 0]
            if kind == "cycle":
                self.assertEqual(live, [])
            else:
                row, = live
                self.assertGreaterEqual(row["live_bytes"], 100 * 4 * KIB)
                self.assertGreaterEqual(row["live_objects"], 100)
                lines.add(row["site"])
            self.delete()
            self.assertEqual({row["live_bytes"] for row in self.sites().values()} | {0}, {0})
        self.assertEqual(len(lines), len(KINDS) - 1)

    def test_at_the_cap_all_the_same(self):
        for kind in KINDS:
            self.assertLessEqual(self.fill(kind)["leaked_bytes"], CAP)
        self.check_budget()


class Ending(unittest.TestCase):
    """Service.stop() asserts exit code 0 and a quiet ledger: what was leaked on purpose is given back first."""

    def test_stop_while_all_leak(self):
        service = Service({"drills": "on"}).start()
        self.addCleanup(service.kill)
        for kind in KINDS:
            target = f"/drills/leak?kind={kind}&bytes=64KiB"
            self.assertEqual(curl(service.operator_url + target, "-X", "POST").status, 201)
        for _ in range(20):
            curl(service.data_url + "/healthz")
        ended = service.stop()
        self.assertEqual(ended.ledger["drills"]["live_bytes"], "0")
        self.assertGreater(int(ended.ledger["drills"]["peak_bytes"]), 20 * 3 * 64 * KIB // 2)
        self.assertGreater(int(ended.ledger["growth"]["peak_bytes"]), 20 * 64 * KIB // 2)
        self.assertEqual(ended.log.count("msg=drill_stopped"), len(KINDS))

    def test_a_small_budget_says_what_does_not_fit(self):
        service = Service({"drills": "on", "memory": "16MiB"}, arguments=["--plan"])
        with self.assertRaises(AssertionError) as refused:
            service.start()
        if not SANITIZED:
            self.assertIn("turn drills off", str(refused.exception))

    def test_without_prefault(self):
        """What is leaked is touched: RSS shows it, whatever was prefaulted."""
        service = Service({"drills": "on", "prefault": "off", "memory": "256MiB"}).start()
        self.addCleanup(service.kill)
        before = service.resident_bytes()
        curl(service.operator_url + "/drills/leak?kind=global_list&bytes=1MiB", "-X", "POST")
        for _ in range(12):
            curl(service.data_url + "/healthz")
        self.assertGreater(service.resident_bytes() - before, 11 * MIB)
        service.stop()
