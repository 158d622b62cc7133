"""records.py: generated records of soaks, healthy and broken, for test_report.py.

    record = Record(documents, days=4, day=86400)
    record.at_quiet(2, lambda quiet: fail(quiet, "drills_live_bytes", 0, 4096))
    record.write(directory)

Documents (/memory, /memory/trend) are those of a service that was just asked, so that the report is tried on what a
service of this commit says. Values are put in by path: set_path(line, "memory.process.rss_bytes", 1).
"""
import copy
import json
import math
import os
import random

MIB = 1 << 20

HOSTILE = ["oversized", "bomb", "half_closed", "slow_body", "idle", "garbage", "deep_json", "abort_reply",
           "abort_body", "cardinality"]
SORTS = ["push", "query", "summarize", "scrape", "page"]
EMPTY_POOLS = ("requests", "growth", "scratch", "batches")


def set_path(line, path, value):
    *above, last = path.split(".")
    for name in above:
        line = line[name]
    line[last] = value


def pool_of(line, name):
    return next(pool for pool in line["memory"]["pools"] if pool["name"] == name)


def check(name, expected, got, relation="=="):
    ok = got == expected if relation == "==" else got <= expected
    return {"name": name, "relation": relation, "expected": expected, "got": got, "ok": ok}


def fail(quiet, name, expected, got, relation="=="):
    """The check of this name is as given, and all others as they were."""
    quiet["checks"] = [row for row in quiet["checks"] if row["name"] != name]
    quiet["checks"].append(check(name, expected, got, relation))


class Record:
    def __init__(self, memory, trend, days=4.0, day=86400.0, sample=600.0, quiet=None, seed=1, lean=True):
        self.random = random.Random(seed)
        self.day, self.sample, self.duration = day, sample, days * day
        self.quiet_every = quiet or day / 4
        self.memory, self.trend = copy.deepcopy(memory), copy.deepcopy(trend)
        if lean:  # long histories are of some figures only
            for name in ("plan", "windows", "own_windows", "cache"):
                del self.memory[name]
        self.begun = 1.8e9
        self.start = {
            "type": "start", "at": self.begun, "schema": "soak/1", "resumed": False, "seed": seed, "commit": "abc123",
            "kernel": "Linux 6.1.0 x86_64", "cpus": 2, "dialect": "mayfly", "duration": self.duration, "day": day,
            "quiet": self.quiet_every, "sample": sample, "rate": 40, "hostile": 4, "pods": 20, "drill": None,
            "target": "127.0.0.1:8080", "version": "0.1.0", "memory_limit": 64 * MIB, "settings": {},
            "wall_bytes": 80 * MIB}
        self.shapes = []
        self.quiet_changes = {}
        self.events = []
        self.end = "finished"
        self.gone_at = math.inf

    # ---- what is to be different ----

    def shape(self, change):
        """change(line, elapsed) for each sample and quiet point."""
        self.shapes.append(change)

    def at_quiet(self, index, change):
        self.quiet_changes.setdefault(index, []).append(change)

    def from_quiet(self, index, change):
        for later in range(index, int(self.duration / self.quiet_every) + 2):
            self.at_quiet(later, change)

    # ---- lines ----

    def line(self, kind, elapsed):
        line = {"type": kind, "at": self.begun + elapsed, "elapsed": elapsed, "memory": copy.deepcopy(self.memory)}
        line["memory"].update(now=line["at"], start=self.begun - 10, status="ok", reasons=[])
        process = line["memory"]["process"]
        process.update(rss_bytes=50 * MIB + self.random.randrange(0, 65536, 4096), rss_peak_bytes=51 * MIB,
                       rss_anon_bytes=45 * MIB, threads=5, open_fds=14, cpu_seconds_total=elapsed * 0.01)
        process["malloc"].update(unexplained_bytes=8000 + self.random.randrange(2000), in_use_bytes=300000)
        process["unaccounted_bytes"] = 0
        line["memory"]["requests"]["completed_total"] = int(elapsed * 44)
        line["memory"]["cgroup"].update(current_bytes=60 * MIB, peak_bytes=62 * MIB, limit_bytes=80 * MIB)
        line["memory"]["audit"].update(quiet_point_failures=0, ledger_mismatch_bytes=0)
        for pool in line["memory"]["pools"]:
            if pool["name"] in EMPTY_POOLS and kind == "sample":
                pool["live_bytes"] = min(pool["capacity_bytes"], self.random.randrange(8) * 8192)
        line["proc"] = {"rss": process["rss_bytes"], "hwm": 51 * MIB, "anon": process["rss_anon_bytes"], "threads": 5,
                        "fds": 14, "cpu_seconds": process["cpu_seconds_total"], "start_ticks": 4711}
        if kind == "sample":
            line.update(phase="load", driver=self.driver(elapsed))
        for change in self.shapes:
            change(line, elapsed)
        return line

    def driver(self, elapsed):
        wave = 1 + 0.7 * math.sin(2 * math.pi * elapsed / self.day)
        p99 = 0.004 * (1 + 0.2 * wave + 0.3 * self.random.random())
        count = int(elapsed)
        return {"requests": {sort: count * (5 - i) for i, sort in enumerate(SORTS)},
                "statuses": {"200": count * 30, "503": count // 100}, "refusals": {"busy": count // 100},
                "hostile": {kind: {"begun": count // 3 + 1, "answered": count // 6, "closed": count // 12,
                                   "timed_out": count // 12} for kind in HOSTILE},
                "broken": 0, "sent_bytes": count * 4096, "received_bytes": count * 2048,
                "acknowledged_samples": count * 100, "rejected_samples": 0, "uncertain_samples": 3,
                "latency": {"push": {"count": 40, "p50": 0.001, "p99": p99, "max": p99 * 2},
                            "query": {"count": 12, "p50": 0.002, "p99": p99 * 1.5, "max": p99 * 3}}}

    def checks(self, memory):
        rows = []
        for pool in memory["pools"]:
            name = pool["name"]
            if name in EMPTY_POOLS:
                rows += [check(name + "_live_bytes", 0, 0), check(name + "_frees_total", 1000, 1000)]
            if pool["lifetime"] == "process":
                rows.append(check(name + "_live_bytes", pool["live_bytes"], pool["live_bytes"]))
            rows.append(check(name + "_peak_bytes", pool["capacity_bytes"], pool["peak_bytes"], "<="))
        rows += [check("threads", 5, 5), check("open_fds", 14, 14),
                 check("malloc_unexplained_bytes", 74000, 9000, "<="),
                 check("rss_peak_bytes", 64 * MIB, 51 * MIB, "<="), check("hwm_bytes", 64 * MIB, 51 * MIB, "<="),
                 check("requests_in_flight", 1, 1), check("connections_live_objects", 1, 1),
                 check("ledger_mismatch_bytes", 0, 0), check("quiet_point_failures", 0, 0),
                 check("cgroup_oom_kills", 0, 0), check("start_milliseconds", 17, 17)]
        return rows

    @staticmethod
    def conservation(index):
        if index == 0:
            return None
        total = {"metric": "soak_requests_total", "what": "sum", "acknowledged": 1234.25 * index,
                 "held": 1234.25 * index, "overflow": 0, "recycled": 0, "difference": 0, "ok": True}
        history = {"metric": "soak_requests_total", "fn": "sum", "points": index, "differing": 0, "worst": 0, "ok": True}
        return {"covers_from": 1.8e9, "totals": [total], "history": [history], "ok": True,
                "samples": {"acknowledged": 5000 * index, "uncertain": 3, "accepted_by_server": 5000 * index + 1,
                            "ok": True}}

    def quiet_line(self, index, elapsed):
        line = self.line("quiet", elapsed)
        line.update(index=index, checks=self.checks(line["memory"]), conservation=self.conservation(index),
                    status="ok", trend=copy.deepcopy(self.trend), doctor=None, sites=None, diff=[])
        for change in self.quiet_changes.get(index, []):
            change(line)
        return line

    def lines(self):
        yield self.start
        pending = sorted(self.events, key=lambda event: event["elapsed"])
        index = elapsed = 0
        while elapsed <= min(self.duration, self.gone_at):
            if elapsed >= index * self.quiet_every:
                yield self.quiet_line(index, elapsed)
                index += 1
            while pending and pending[0]["elapsed"] <= elapsed:
                yield pending.pop(0)
            yield self.line("sample", elapsed)
            elapsed += self.sample
        if self.end:
            yield self.event(self.end, min(self.duration, self.gone_at), "in words")

    def event(self, what, elapsed, text):
        return {"type": "event", "at": self.begun + elapsed, "elapsed": elapsed, "what": what, "text": text}

    def write(self, directory, tail=""):
        os.makedirs(directory, exist_ok=True)
        with open(os.path.join(directory, "record.ndjson"), "w", encoding="utf-8") as file:
            for line in self.lines():
                file.write(json.dumps(line) + "\n")
            file.write(tail)
        return directory
