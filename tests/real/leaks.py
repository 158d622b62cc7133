#!/usr/bin/env python3
"""Leaks on purpose are found, and named; and a healthy service is not accused.

    mixed load ──> mayfly, trend.block 3s ──> snapshot ──> POST /drills/leak ──> polled: who names it, and when?
                   (a service for each kind, side by side)                       /memory/trend, quiet points,
                                                                                 diff, doctor, status

    leaks.py BINARY                      every kind of drill: some two minutes
    leaks.py BINARY --kind cycle         one (may be repeated)
    leaks.py BINARY --healthy [SECONDS]  the same load without a drill (600 s): nothing is flagged at any poll
    leaks.py BINARY --healthy 3600 --faster 10
                                         an hour of the service's in six minutes: its clocks run ten times as fast
                                         (Debian's libfaketime), windows and blocks are as many times longer

A drill is named within LIMIT seconds of its start by the pool or resource that holds what it leaks, the first row of
/memory/diff is that one, /memory/doctor has it in words, /memory gives it as a reason of its status (leak_suspected; of
a pool that has a bound and fills: pressure), and VmHWM stays below --memory.
"""
import argparse
import http.client
import multiprocessing
import os
import pathlib
import random
import sys
import threading
import time

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "http"))

import bodies
from client import Closed, Wire, request
from service import Service, status_bytes

KINDS = {  # kind of drill: what must be named
    "global_list": "drills", "growing_cache": "drills", "listener": "drills", "cycle": "heap",
    "request_arena": "growth",
}
WORDS = {"drills": ("drills",), "heap": ("heap", "malloc"), "growth": ("growth",)}

MIB = 1 << 20
MEMORY = 256 * MIB
BLOCK = 3.0
SETTINGS = {
    "memory": MEMORY, "drills": "true", "trend.block": "3s", "windows.fine": "1s", "windows.middle": "5s",
    "windows.coarse": "50s", "limits.header_timeout": "5s", "limits.body_timeout": "30s",
    "server.threads": 2,  # as on any machine, so that the plan is the same
}

LEAK_RATE = 300_000  # bytes a second: 900 kB a block, where 384 KiB a block is what matters
LIMIT = 120.0  # seconds from a drill's start to its name
WARM_UP = 3 * BLOCK  # two blocks are the trend's own; the load has been through all its labels long before

PODS = 500  # label churn within a bounded set: the series pool is flat after the first round
ROUTES = ("/items", "/items/7", "/users", "/")
STATUS = {"filling": "pressure", "growing": "leak_suspected", "leak": "leak_suspected"}


# ---- the load: some 150 requests a second, of every sort ----


class Role(threading.Thread):
    """Does its thing `rate` times a second on a connection that it keeps, and draws breath when all do."""

    rate = 10.0

    def __init__(self, load, seed):
        super().__init__(daemon=True)
        self.load = load
        self.random = random.Random(seed)
        self.connection = None
        self.round = 0
        self.problem = None

    def run(self):
        try:
            while not self.load.over.is_set():
                self.load.breath.wait()
                self.act()
                self.round += 1
                self.load.over.wait(self.random.uniform(0.5, 1.5) / self.rate)
        except Exception as problem:  # pylint: disable=broad-except
            self.problem = problem
        self.close()

    def close(self):
        if self.connection is not None:
            self.connection.close()
            self.connection = None

    def ask(self, method, target, body=None, headers=(), wanted=(200,), address=None):
        """One request; what else than `wanted` comes back ends the role, and so the test."""
        if self.connection is None:
            self.connection = http.client.HTTPConnection(*(address or self.load.service.data), timeout=30)
        self.connection.request(method, target, body, dict(headers))
        reply = self.connection.getresponse()
        text = reply.read()
        if reply.status not in wanted:
            raise AssertionError(f"{method} {target}: {reply.status} {text[:300]!r}")
        if self.random.random() < 0.02:
            self.close()  # connections come and go too
        return text

    def push(self, body, content_type, *headers, wanted=(200,)):
        return self.ask("POST", "/v1/push", body, [("Content-Type", content_type), *headers], wanted)

    def pods(self, count):
        first = self.round * count
        return [f"pod-{(first + i) % PODS:03d}" for i in range(count)]

    def act(self):
        raise NotImplementedError


class Text(Role):
    """Prometheus text, a slice of the pods at a time; every fourth push in gzip."""

    rate = 25.0

    def act(self):
        lines = ["# TYPE l_requests_total counter", "# TYPE l_bytes histogram"]
        for pod in self.pods(25):
            lines.append(f'l_requests_total{{pod="{pod}",code="200"}} {self.random.randrange(1, 9)}')
            lines.append(f'l_queue{{pod="{pod}"}} {self.random.randrange(100)}')
        for route in ROUTES:
            for le, count in (("1", 1), ("100", 2), ("+Inf", 3)):
                lines.append(f'l_bytes_bucket{{route="{route}",le="{le}"}} {count}')
            lines += [f'l_bytes_sum{{route="{route}"}} 151', f'l_bytes_count{{route="{route}"}} 3']
        body = ("\n".join(lines) + "\n").encode()
        if self.round % 4 == 0:
            self.push(bodies.gzip(body), "text/plain", ("Content-Encoding", "gzip"))
        else:
            self.push(body, "text/plain")


class Lines(Role):
    """NDJSON: histograms, counters, sets."""

    rate = 15.0

    def act(self):
        samples = [{"name": "l_seconds", "kind": "histogram", "labels": {"route": route},
                    "values": [self.random.lognormvariate(-4, 1) for _ in range(10)]} for route in ROUTES]
        samples += [{"name": "l_jobs_total", "kind": "counter", "labels": {"pod": pod}, "value": 1}
                    for pod in self.pods(25)]
        samples += [{"name": "l_visitors", "kind": "set", "value": self.random.randrange(2000)} for _ in range(5)]
        self.push(bodies.ndjson(*samples), "application/x-ndjson")


class Array(Role):
    """A JSON array, now and then whole or not at all."""

    rate = 10.0

    def act(self):
        samples = [{"name": "l_temperature", "labels": {"pod": pod}, "value": self.random.random()}
                   for pod in self.pods(25)]
        target = "/v1/push?atomic=1" if self.round % 5 == 0 else "/v1/push"
        self.ask("POST", target, bodies.json_array(*samples), [("Content-Type", "application/json")])


class Summaries(Role):
    rate = 5.0

    def act(self):
        rows = [f"{self.random.choice(ROUTES)},{self.random.random():.6f}" for _ in range(300)]
        body = "route,seconds\n" + "\n".join(rows) + "\n"
        self.ask("POST", "/v1/summarize?value=seconds&by=route&q=0.5,0.99", body.encode(),
                 [("Content-Type", "text/csv")])


class Questions(Role):
    rate = 15.0
    questions = (
        "/v1/query?metric=l_requests_total&fn=rate&from=-30s", "/v1/query?metric=l_seconds&fn=p99&by=route&from=-1m",
        "/v1/query?metric=l_queue&fn=max&from=-20s", "/v1/query?metric=l_visitors&fn=unique&from=-10s",
        "/v1/query?metric=l_temperature&fn=avg&match=pod=~pod-1..&from=-15s", "/v1/series?metric=l_queue&limit=50",
        "/v1/labels", "/v1/labels/pod/values?limit=100", "/v1/cardinality",
    )

    def act(self):
        self.ask("GET", self.random.choice(self.questions), wanted=(200, 400))  # 400: nothing of that name yet


class Scrapes(Role):
    rate = 6.0

    def act(self):
        target, headers = self.random.choice((
            ("/metrics", []), ("/metrics", [("Accept-Encoding", "gzip")]), ("/metrics?scope=self", []),
            ("/memory?format=prometheus", []), ("/memory", []), ("/memory/holders", [])))
        self.ask("GET", target, headers=headers)


class Health(Role):
    rate = 60.0

    def act(self):
        self.ask("GET", "/healthz")


class Operator(Role):
    rate = 5.0

    def act(self):
        self.ask("GET", self.random.choice(("/healthz", "/readyz", "/memory")), address=self.load.service.operator)


class Hostile(Role):
    """What is refused, cut off, or slow. Never more than one at a time, so that there is quiet beside it."""

    rate = 4.0

    def act(self):
        acts = (self.garbage, self.long_line, self.bad_json, self.corrupt, self.abort, self.nowhere, self.slow)
        acts[self.round % len(acts)]()

    def garbage(self):
        self.push(self.random.randbytes(3000), "text/plain", wanted=(400,))

    def long_line(self):
        self.push(b"l_requests_total{pod=\"" + b"x" * 40_000 + b"\"} 1\n", "text/plain", wanted=(400,))

    def bad_json(self):
        self.push(b'[{"name":"l_queue","value":1},{"name":', "application/json", wanted=(400,))

    def corrupt(self):
        body = bytearray(bodies.gzip(self.random.randbytes(2000)))
        body[len(body) // 2] ^= 0xff
        self.push(bytes(body), "text/plain", ("Content-Encoding", "gzip"), wanted=(400,))

    def nowhere(self):
        self.ask("GET", "/nowhere?" + "x" * 500, wanted=(404,))

    def abort(self):
        wire = Wire(self.load.service.data)
        wire.send(request("POST", "/v1/push", ["Content-Type: text/plain", "Content-Length: 100000"],
                          b'l_queue{pod="pod-001"} 1\n' * 50, length=False))
        wire.abort()

    def slow(self):
        body = b'l_queue{pod="pod-002"} 1\n' * 8
        with Wire(self.load.service.data) as wire:
            wire.send(request("POST", "/v1/push", ["Content-Type: text/plain", f"Content-Length: {len(body)}"], b""))
            for at in range(0, len(body), 25):
                wire.send(body[at:at + 25])
                time.sleep(0.05)
            if wire.reply().status != 200:
                raise AssertionError("a slow push was refused")


class Idle(Role):
    """Connections that are kept and hardly used."""

    rate = 0.5

    def __init__(self, load, seed):
        super().__init__(load, seed)
        self.wires = []

    def act(self):
        while len(self.wires) < 8:
            self.wires.append(Wire(self.load.service.data))
        wire = self.random.choice(self.wires)
        try:
            wire.send(request("GET", "/healthz"))
            wire.reply()
        except (Closed, OSError):  # it was idle for too long
            self.wires.remove(wire)
            wire.close()

    def close(self):
        for wire in self.wires:
            wire.close()
        self.wires = []


class Load:
    """All roles; once a second everybody is still for a moment."""

    roles = (Text, Lines, Array, Summaries, Questions, Scrapes, Health, Operator, Hostile, Idle)

    def __init__(self, service, seed):
        self.service = service
        self.began = None
        self.over = threading.Event()
        self.breath = threading.Event()
        self.breath.set()
        self.threads = [role(self, seed + i) for i, role in enumerate(self.roles)]
        self.conductor = threading.Thread(target=self._conduct, daemon=True)

    def _conduct(self):
        while not self.over.wait(0.85):
            self.breath.clear()
            self.over.wait(0.15)
            self.breath.set()

    def start(self):
        self.began = time.monotonic()
        for thread in (self.conductor, *self.threads):
            thread.start()

    def check(self):
        for thread in self.threads:
            if thread.problem is not None:
                raise AssertionError(f"{type(thread).__name__}: {thread.problem!r}") from thread.problem

    def stop(self):
        self.over.set()
        self.breath.set()
        for thread in self.threads:
            thread.join(30)
        self.check()


# ---- one look at the service ----


def ask_operator(service, method, target, wanted=200):
    with Wire(service.operator) as wire:
        wire.send(request(method, target, ["Connection: close", "Accept: */*"]))
        reply = wire.reply()
    assert reply.status == wanted, f"{method} {target}: {reply}"
    return reply


class Look:
    """What the service says of itself at a moment."""

    def __init__(self, service):
        self.memory = ask_operator(service, "GET", "/memory?format=json").json()
        self.trend = ask_operator(service, "GET", "/memory/trend").json()
        self.status = self.memory["status"]
        self.audit = self.memory["audit"]
        self.rss = status_bytes(service.process.pid, "VmRSS")
        assert self.rss <= MEMORY, f"RSS {self.rss} is above --memory {MEMORY}"
        assert self.audit["ledger_mismatch_bytes"] == 0, self.audit

    def figures(self, *verdicts):
        return {figure["name"]: figure for figure in self.trend["figures"] if figure["verdict"] in verdicts}

    def names(self, wanted):
        """By what that pool or resource is named just now; None when it is not."""
        figure = self.figures(*STATUS).get(wanted)
        if figure is None or self.trend["worst"] != wanted:
            return None
        by = "quiet point" if self.audit["quiet_point_failures"] > 0 else "trend"
        return f"{by}: {figure['verdict']}"

    def gives_reason(self, wanted):
        """Whether the status is what its verdict means, and that figure is a reason for it."""
        figure = self.figures(*STATUS).get(wanted)
        named = any(wanted in reason.values() for reason in self.memory["reasons"])
        return figure is not None and self.status == STATUS[figure["verdict"]] and named

    def __repr__(self):
        return f"status {self.status} {self.memory['reasons']}, audit {self.audit}, trend {self.figures(*STATUS)}"


# ---- a drill is found ----


def requests_per_second(service, seconds):
    before = service.memory()["requests"]["completed_total"], time.monotonic()
    time.sleep(seconds)
    after = service.memory()["requests"]["completed_total"], time.monotonic()
    return (after[0] - before[0]) / (after[1] - before[1])


def what_lacks(service, look, snapshot, wanted):
    """Which of the other places does not name it yet; None when all do."""
    rows = ask_operator(service, "GET", f"/memory/diff?from={snapshot}").json()["rows"]
    if rows[0]["pool"] != wanted or rows[0]["live_bytes_diff"] < MIB:
        return f"/memory/diff begins with {[(row['pool'], row['live_bytes_diff']) for row in rows[:3]]}"
    doctor = ask_operator(service, "GET", "/memory/doctor").text()
    if not any(word in doctor for word in WORDS[wanted]):
        return f"/memory/doctor says: {doctor}"
    return None if look.gives_reason(wanted) else f"/memory does not give {wanted} as a reason"


def run_drill(kind, service, load):
    """(named as, by, seconds until it was named, seconds until all places said so)"""
    wanted = KINDS[kind]
    time.sleep(WARM_UP - BLOCK)
    rate = requests_per_second(service, BLOCK)
    before = Look(service)
    assert not before.figures("growing", "leak") and before.names(wanted) is None, before
    snapshot = ask_operator(service, "POST", "/memory/snapshots", 201).json()["id"]
    each = max(64, int(LEAK_RATE / rate))
    ask_operator(service, "POST", f"/drills/leak?kind={kind}&bytes={each}&per=request", 201)
    begun = time.monotonic()
    named = by = None
    lacks = "nothing named it"
    while time.monotonic() - begun < LIMIT:
        load.check()
        look = Look(service)
        seconds = time.monotonic() - begun
        if named is None and look.names(wanted) is not None:
            named, by = seconds, look.names(wanted)
        if named is not None:
            lacks = what_lacks(service, look, snapshot, wanted)
            if lacks is None:
                return wanted, by, named, seconds
        time.sleep(1)
    drills = ask_operator(service, "GET", "/drills").json()["drills"]
    raise AssertionError(f"after {LIMIT:.0f} s: {lacks}; {drills}; {look}")


# ---- a healthy service is let alone ----


def run_healthy(seconds, service, load):
    """(quiet points, looks): nothing was flagged at any of them."""
    looks = 0
    time.sleep(WARM_UP)
    begun = time.monotonic()
    while time.monotonic() - begun < seconds:
        load.check()
        look = Look(service)
        looks += 1
        assert look.trend["verdict"] not in ("growing", "leak") and look.trend["worst"] is None, look
        assert not look.figures("growing", "leak"), look
        assert look.status == "ok", look
        assert look.audit["quiet_point_failures"] == 0, look
        time.sleep(1)
    assert look.audit["quiet_points"] > 0, look
    if seconds > 20 * BLOCK:
        assert look.trend["verdict"] != "too_early", look  # or the promise was never put to the test
    return look.audit["quiet_points"], looks


# ---- an hour in six minutes ----

FAKETIME = "/usr/lib/x86_64-linux-gnu/faketime/libfaketimeMT.so.1"
STRETCHED = ("trend.block", "windows.fine", "windows.middle", "windows.coarse", "limits.header_timeout",
             "limits.body_timeout")


def service_of(faster):
    """Its clocks run `faster`; what it does by the clock it does as often as ever, by ours."""
    if faster == 1:
        return Service(SETTINGS)
    stretched = {path: f"{int(SETTINGS[path][:-1]) * faster}s" for path in STRETCHED}
    return Service({**SETTINGS, **stretched}, {"LD_PRELOAD": FAKETIME, "FAKETIME": f"+0 x{faster}"})


# ---- side by side ----


def run_one(work):
    """(what, line of the table or None, what went wrong or None); in a process of its own."""
    what, seconds, seed, faster = work
    service = service_of(faster)
    try:
        service.start()
        load = Load(service, seed)
        load.start()
        if what == "healthy":
            quiet_points, looks = run_healthy(seconds / faster, service, load)
            row = f"{what:15} {'nothing':9} {seconds:7.0f} s           {looks} looks, {quiet_points} quiet points"
        else:
            named_as, by, named, said = run_drill(what, service, load)
            row = f"{what:15} {named_as:9} {named:7.1f} s  {said:7.1f} s  {by}"
        rate = service.memory()["requests"]["completed_total"] / (time.monotonic() - load.began)
        load.stop()
        if what != "healthy":
            ask_operator(service, "DELETE", "/drills")
        peak = service.stop().resident_peak_bytes
        return what, f"{row}; {rate:.0f} requests/s, VmHWM {peak / MIB:.1f} MiB", None
    except Exception as problem:  # pylint: disable=broad-except
        service.kill()
        return what, None, f"{type(problem).__name__}: {problem}"


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("binary")
    parser.add_argument("--kind", action="append", choices=list(KINDS), help="only this drill; may be repeated")
    parser.add_argument("--healthy", nargs="?", type=float, const=600.0, metavar="SECONDS",
                        help="without a drill, and without --kind nothing else")
    parser.add_argument("--faster", type=int, default=1, metavar="N", help="so many seconds of the service's in one")
    options = parser.parse_args()
    os.environ["MAYFLY_BINARY"] = str(pathlib.Path(options.binary).resolve())
    kinds = options.kind or ([] if options.healthy else list(KINDS))
    works = [(kind, 0, 1000 * i, 1) for i, kind in enumerate(kinds)]
    if options.healthy:
        works.append(("healthy", options.healthy, 99_000, options.faster))
    print(f"{'drill':15} {'named':9} {'after':>9}  {'all say':>9}  by", flush=True)
    failed = 0
    with multiprocessing.get_context("fork").Pool(len(works)) as pool:
        for what, row, problem in pool.imap_unordered(run_one, works):
            failed += problem is not None
            print(row or f"{what:15} FAILED: {problem}", flush=True)
    print(f"{len(works) - failed} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
