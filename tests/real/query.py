#!/usr/bin/env python3
"""Five real minutes of windows: pushed to each second, asked each window, held against what was pushed.

    push each second ──> mayfly, its own settings ──> ask each 10 s: what is sealed is worked out once
          │                                                   │
          └── kept here by window ──────compared──────────────┘    sums exact, quantiles within their error

    query.py BINARY [SECONDS]
"""
import collections
import http.client
import json
import math
import random
import re
import subprocess
import sys
import tempfile
import threading
import time
import urllib.parse

WIDTH = 10  # windows.fine
NEAR = 0.3  # what is pushed so near a window's edge may be in either
ASK_AT = 4.5  # seconds into a window; the one before is sealed by then
ROUTES = ("/items", "/items/7", "/users", "/")
BOUNDS = (1, 10, 100)
RANGE = 300

QUESTIONS = {  # those of the README; each has parts of its own in the cache
    "p99 by route": {"metric": "q_seconds", "fn": "p99", "by": "route"},
    "p50": {"metric": "q_seconds", "fn": "p50"},
    "sum by route": {"metric": "q_requests_total", "fn": "sum", "by": "route"},
    "rate of failures": {"metric": "q_requests_total", "fn": "rate", "match": "code=~5.."},
    "most in the queue": {"metric": "q_queue", "fn": "max"},
    "queue, all routes": {"metric": "q_queue", "fn": "sum"},
    "visitors": {"metric": "q_visitors", "fn": "unique"},
    "p90 of buckets": {"metric": "q_bytes", "fn": "p90", "by": "route"},
}


class Mayfly:
    def __init__(self, binary):
        self.log = tempfile.NamedTemporaryFile("w+")
        self.process = subprocess.Popen([binary, "--listen", "127.0.0.1:0", "--operator-listen", "127.0.0.1:0"],
                                        stderr=self.log)
        deadline = time.monotonic() + 20
        while not (ready := re.search(r"msg=listening listen=(\S+)", open(self.log.name).read())):
            assert time.monotonic() < deadline and self.process.poll() is None, open(self.log.name).read()
            time.sleep(0.05)
        self.address = ready[1]

    def ask(self, method, target, body=None, headers=()):
        connection = http.client.HTTPConnection(self.address, timeout=20)
        try:
            connection.request(method, target, body, dict(headers))
            reply = connection.getresponse()
            return reply.status, json.loads(reply.read())
        finally:
            connection.close()

    def query(self, **parameters):
        status, document = self.ask("GET", "/v1/query?" + urllib.parse.urlencode(parameters))
        assert status == 200, (parameters, document)
        return document

    def stop(self):
        with open(f"/proc/{self.process.pid}/status", encoding="ascii") as file:
            peak = int(re.search(r"VmHWM:\s+(\d+)", file.read())[1]) * 1024
        self.process.terminate()
        log_end = "exit code %d" % self.process.wait()
        log = open(self.log.name).read()
        assert log_end == "exit code 0" and "request_memory=returned" in log, (log_end, log[-2000:])
        return peak


class Window:
    """What was surely pushed in a window, and what may be in it or in the one beside it."""

    def __init__(self):
        self.seconds = []
        self.unsure = []


class Pusher(threading.Thread):
    """A push in the middle of each second, remembered by window."""

    def __init__(self, mayfly, seconds, seed):
        super().__init__(daemon=True)
        self.mayfly = mayfly
        self.until = time.time() + seconds
        self.random = random.Random(seed)
        self.windows = collections.defaultdict(Window)
        self.samples = 0
        self.problem = None

    def second(self):
        """(what is pushed in one second, as it is compared with later)"""
        draw = self.random
        return {
            "requests": {(route, code): draw.randrange(1, 1000) / 8 for route in ROUTES for code in ("200", "503")},
            "latencies": {route: [draw.lognormvariate(-4 + i, 0.8) for _ in range(20)]
                          for i, route in enumerate(ROUTES)},
            "queue": {route: draw.randrange(100) for route in ROUTES},
            "sizes": {route: draw.choices((0.5, 5, 50, 500), k=12) for route in ROUTES},
            "visitors": [f"user-{draw.randrange(400)}" for _ in range(10)],
        }

    def text(self, second):
        lines = ["# TYPE q_requests_total counter", "# TYPE q_queue gauge", "# TYPE q_bytes histogram"]
        lines += [f'q_requests_total{{route="{r}",code="{c}"}} {v}' for (r, c), v in second["requests"].items()]
        lines += [f'q_queue{{route="{r}"}} {v}' for r, v in second["queue"].items()]
        for route, values in second["sizes"].items():
            for bound in (*BOUNDS, math.inf):
                le = "+Inf" if bound == math.inf else bound
                lines.append(f'q_bytes_bucket{{route="{route}",le="{le}"}} {sum(v <= bound for v in values)}')
            lines += [f'q_bytes_sum{{route="{route}"}} {sum(values)}',
                      f'q_bytes_count{{route="{route}"}} {len(values)}']
        return "\n".join(lines) + "\n"

    def ndjson(self, second):
        rows = [{"name": "q_seconds", "kind": "histogram", "labels": {"route": r}, "values": v}
                for r, v in second["latencies"].items()]
        rows += [{"name": "q_visitors", "kind": "set", "value": who} for who in second["visitors"]]
        return "".join(json.dumps(row) + "\n" for row in rows)

    def push(self):
        second = self.second()
        began = time.time()
        for body, kind in ((self.text(second), "text/plain"), (self.ndjson(second), "application/x-ndjson")):
            status, reply = self.mayfly.ask("POST", "/v1/push", body.encode(), {"Content-Type": kind})
            assert status == 200 and reply["rejected"] == 0, reply
            self.samples += reply["accepted"]
        first, last = (math.floor(at / WIDTH) * WIDTH for at in (began - NEAR, time.time() + NEAR))
        if first == last:
            self.windows[first].seconds.append(second)
        else:
            for window in range(first, last + 1, WIDTH):
                self.windows[window].unsure.append(second)

    def run(self):
        try:
            at = math.ceil(time.time()) + 0.5
            while at < self.until:
                time.sleep(max(0, at - time.time()))
                self.push()
                at = max(at + 1, math.floor(time.time()) + 0.5)
        except Exception as problem:  # told by the main thread
            self.problem = problem


class Asked:
    """A question, asked again and again: what it found in the cache, and what it should have."""

    def __init__(self, parameters):
        self.parameters = parameters
        self.seen = set()
        self.times = self.hits = self.misses = 0
        self.slowest = 0.0

    def ask(self, mayfly, windows):
        began = time.monotonic()
        answer = mayfly.query(**self.parameters, **{"from": f"-{RANGE}s", "step": f"{WIDTH}s"})
        self.slowest = max(self.slowest, time.monotonic() - began)
        sealed = {start for start in windows if answer["from"] <= start and start + WIDTH <= answer["to"]}
        found, expected = answer["cache"], {"hits": len(sealed & self.seen), "misses": len(sealed - self.seen)}
        assert found == expected, (self.parameters, found, expected)
        assert answer["step"] == answer["resolution"] == WIDTH, answer
        for series in answer["series"]:
            assert [len(point) for point in series["points"][:-1]] == [2] * (len(series["points"]) - 1), series
            assert series["points"][-1][2:] == ["open"], series["points"][-1]
        self.seen |= sealed
        self.times += 1
        self.hits += found["hits"]
        self.misses += found["misses"]


# ---- what was pushed, worked out in the plainest way ----


def rank(values, quantile):
    return sorted(values)[max(1, math.ceil(quantile * len(values))) - 1]


def of_windows(answer, windows):
    """(labels, start, value, window) of each full window to which nothing unsure belongs."""
    for series in answer["series"]:
        for start, value, *_ in series["points"]:
            window = windows.get(start)
            if window is not None and window.seconds and not window.unsure:
                yield series["labels"], start, value, window


def check_sums(mayfly, windows, when):
    compared = 0
    answer = mayfly.query(metric="q_requests_total", by="route,code", step=f"{WIDTH}s", **when)
    for labels, start, value, window in of_windows(answer, windows):
        expected = sum(second["requests"][labels["route"], labels["code"]] for second in window.seconds)
        assert value == expected, (labels, start, value, expected)
        compared += 1
    for function, expected in (
            ("count", lambda seconds: 20 * len(ROUTES) * len(seconds)),
            ("min", lambda seconds: min(v for s in seconds for values in s["latencies"].values() for v in values)),
            ("max", lambda seconds: max(v for s in seconds for values in s["latencies"].values() for v in values))):
        for _, start, value, window in of_windows(mayfly.query(metric="q_seconds", fn=function, **when), windows):
            assert value == expected(window.seconds), (function, start, value)
            compared += 1
    for _, start, value, window in of_windows(mayfly.query(metric="q_queue", fn="sum", **when), windows):
        assert value == sum(window.seconds[-1]["queue"].values()), (start, value)
        compared += 1
    return compared


def check_all(mayfly, pushed, when):
    """Everything that was pushed, near an edge or not, is in some window."""
    seconds = [second for window in pushed.windows.values() for second in window.seconds]
    unsure = {id(second): second for window in pushed.windows.values() for second in window.unsure}
    seconds += unsure.values()
    for parameters, expected in (
            ({"metric": "q_requests_total"}, sum(v for s in seconds for v in s["requests"].values())),
            ({"metric": "q_seconds", "fn": "count"}, 20 * len(ROUTES) * len(seconds)),
            ({"metric": "q_bytes", "fn": "count"}, 12 * len(ROUTES) * len(seconds)),
            ({"metric": "q_bytes", "fn": "sum"}, sum(v for s in seconds for vs in s["sizes"].values() for v in vs)),
            ({"metric": "q_visitors", "fn": "count"}, 10 * len(seconds))):
        series, = mayfly.query(**parameters, **when)["series"]
        total = sum(point[1] for point in series["points"] if point[1] is not None)
        assert total == expected, (parameters, total, expected)
    return len(seconds), len(unsure)


def check_quantiles(mayfly, windows, when):
    """(compared, the worst error as a share of what is promised)"""
    compared, worst = 0, 0.0
    for name, quantile in (("p50", 0.5), ("p90", 0.9), ("p99", 0.99), ("p99.9", 0.999)):
        answer = mayfly.query(metric="q_seconds", fn=name, by="route", **when)
        for labels, start, value, window in of_windows(answer, windows):
            truth = rank([v for second in window.seconds for v in second["latencies"][labels["route"]]], quantile)
            off = abs(value - truth) / truth / answer["relative_error"]
            assert off <= 1.0000001, (name, labels, start, value, truth, answer["relative_error"])
            compared, worst = compared + 1, max(worst, off)
    return compared, worst


def check_sets(mayfly, windows, when):
    worst = 0.0
    for _, start, value, window in of_windows(mayfly.query(metric="q_visitors", fn="unique", **when), windows):
        truth = len({who for second in window.seconds for who in second["visitors"]})
        worst = max(worst, abs(value - truth) / truth)
        assert worst < 0.08, (start, value, truth)
    return worst


def check_buckets(mayfly, windows, when):
    """The quantile is in the bucket that holds the value of that rank."""
    edges = (0, *BOUNDS)
    answer = mayfly.query(metric="q_bytes", fn="p50", by="route", **when)
    for labels, start, value, window in of_windows(answer, windows):
        truth = rank([v for second in window.seconds for v in second["sizes"][labels["route"]]], 0.5)
        low = max(edge for edge in edges if edge < truth)
        high = min((edge for edge in edges if edge >= truth), default=edges[-1])
        assert low <= value <= high, (labels, start, value, truth)


def main(binary, seconds):
    mayfly = Mayfly(binary)
    pusher = Pusher(mayfly, seconds, seed=20261123)
    asked = {name: Asked(parameters) for name, parameters in QUESTIONS.items()}
    began = time.time()
    pusher.start()
    try:
        while time.time() < pusher.until:
            time.sleep(WIDTH - (time.time() - ASK_AT) % WIDTH)
            assert pusher.problem is None, pusher.problem
            windows = set(pusher.windows)
            for each in asked.values():
                each.ask(mayfly, windows)
        pusher.join()
        assert pusher.problem is None, pusher.problem
        time.sleep(WIDTH - (time.time() - ASK_AT) % WIDTH)
        when = {"from": int(began) // WIDTH * WIDTH, "to": int(time.time()) // WIDTH * WIDTH - 1, "step": f"{WIDTH}s"}
        pushes, unsure = check_all(mayfly, pusher, when)
        when.pop("step")
        sums = check_sums(mayfly, pusher.windows, when)
        quantiles, worst = check_quantiles(mayfly, pusher.windows, when)
        distinct = check_sets(mayfly, pusher.windows, when)
        check_buckets(mayfly, pusher.windows, when)
        own, = mayfly.query(metric="mayfly_memory_live_bytes", fn="last", **when)["series"]
        assert all(point[1] > 0 for point in own["points"][1:]), own
        _, memory = mayfly.ask("GET", "/memory")
    except BaseException:
        mayfly.process.kill()
        raise
    peak = mayfly.stop()
    assert peak <= memory["budget"]["limit_bytes"], peak
    assert memory["audit"]["ledger_mismatch_bytes"] == 0, memory["audit"]
    print(f"{'question':20} {'asked':>6} {'hits':>6} {'misses':>7} {'slowest ms':>11}")
    for name, each in asked.items():
        print(f"{name:20} {each.times:6} {each.hits:6} {each.misses:7} {each.slowest * 1000:11.1f}")
    print(f"{pusher.samples} samples in {pushes} pushes ({unsure} near an edge), {len(pusher.windows)} windows")
    print(f"{sums} sums, counts and extremes of windows exact; {quantiles} quantiles, the worst at {worst:.0%} of the "
          f"error promised; sets off by at most {distinct:.1%}")
    held = sum(tier["live_bytes"] for tier in memory["windows"])
    print(f"resident at most {peak / 2**20:.1f} of {memory['budget']['limit_bytes'] / 2**20:.0f} MiB; "
          f"cache {memory['cache']['live_bytes']} bytes, windows {held} bytes")
    print("1 passed, 0 failed")


if __name__ == "__main__":
    main(sys.argv[1], float(sys.argv[2]) if len(sys.argv) > 2 else 300)
