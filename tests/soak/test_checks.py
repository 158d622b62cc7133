#!/usr/bin/env python3
"""Every check of a quiet point can fail, and every sum.

    mayfly-soak run ──questions──> this ──> mayfly's operator listener
       │                            ├─ from the second quiet point on each figure is what it must not be
       └──load──> mayfly <──────────┘ and a sample of each metric is pushed that the run knows nothing of;
                                      one metric is deleted and made anew as of another kind

    test_checks.py BUILD_DIR

A short run behind a proxy that leaves the first quiet point alone and then spoils every figure that a check
reads. At the first all checks must hold; at the last, all must fail, and with them the samples' count, each
metric's totals and its past.
"""
import http.client
import http.server
import json
import pathlib
import re
import subprocess
import sys
import tempfile
import threading

MIB = 1 << 20
GOOD_DOCUMENTS = 8  # that of the start, the first quiet point's, and of samples before the second
TOTALS = 9  # three counters have a sum, three kinds a sum and a count
PAST = 14  # all eight metrics have a count, all but the gauge and the set a sum

# All metrics of the load: each once. The set is a counter from then on, so that the load's pushes are refused.
DELETED = "soak_users"
FOREIGN_JSON = [
    {"name": "soak_requests_total", "kind": "counter", "value": 1},
    {"name": "soak_bytes_total", "kind": "counter", "value": 1},
    {"name": "soak_jobs_total", "kind": "counter", "value": 1},
    {"name": "soak_temperature", "kind": "gauge", "value": 1},
    {"name": "soak_latency_seconds", "kind": "histogram", "value": 1},
]
REMADE_JSON = [{"name": DELETED, "kind": "counter", "value": 1}]
FOREIGN_TEXT = """\
# TYPE soak_rpc_seconds histogram
soak_rpc_seconds_bucket{le="+Inf"} 1
soak_rpc_seconds_sum 1
soak_rpc_seconds_count 1
# TYPE soak_wait_seconds summary
soak_wait_seconds_sum 1
soak_wait_seconds_count 1
"""


def spoil(memory):
    process = memory["process"]
    process["threads"] += 1
    process["open_fds"] += 1
    process["rss_peak_bytes"] = memory["budget"]["limit_bytes"] + 1
    process["malloc"]["unexplained_bytes"] += MIB
    memory["audit"]["ledger_mismatch_bytes"] = 8
    memory["audit"]["quiet_point_failures"] = 1
    memory["cgroup"]["events"]["oom_kill"] = 1
    memory["requests"]["live"] += 1
    for pool in memory["pools"]:
        pool["live_bytes"] += 8
        pool["live_objects"] += 1
        pool["allocations_total"] += 1
        pool["peak_bytes"] = pool["capacity_bytes"] + 1


def ask(target, method, path, content_type=None, body=None):
    connection = http.client.HTTPConnection(target, timeout=30)
    connection.request(method, path, body, {"Content-Type": content_type} if content_type else {})
    status = connection.getresponse().status
    connection.close()
    return status


def remake(target):
    ask(target, "DELETE", f"/v1/series?match=__name__={DELETED}")
    return ask(target, "POST", "/v1/push", "application/json", json.dumps(REMADE_JSON)) == 200


def push_foreign(target):
    for content_type, body in (("application/json", json.dumps(FOREIGN_JSON)), ("text/plain", FOREIGN_TEXT)):
        assert ask(target, "POST", "/v1/push", content_type, body) == 200
    assert any(remake(target) for _ in range(100))  # the load may be quicker


class Proxy(http.server.BaseHTTPRequestHandler):
    upstream = None
    target = None
    documents = 0

    def pass_on(self):
        connection = http.client.HTTPConnection(*self.upstream, timeout=30)
        connection.request(self.command, self.path)
        reply = connection.getresponse()
        body = reply.read()
        connection.close()
        if self.path.startswith("/memory?"):
            Proxy.documents += 1
            if Proxy.documents == GOOD_DOCUMENTS:
                push_foreign(self.target)
            if Proxy.documents > GOOD_DOCUMENTS:
                memory = json.loads(body)
                spoil(memory)
                body = json.dumps(memory).encode()
        elif self.path.startswith("/metrics") and Proxy.documents > GOOD_DOCUMENTS:
            body = re.sub(rb"(?m)^mayfly_samples_accepted_total .*$", b"mayfly_samples_accepted_total 1", body)
        self.send_response(reply.status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    do_GET = do_POST = pass_on

    def log_message(self, *_):
        pass


def start_service(build):
    service = subprocess.Popen(
        [build / "server" / "mayfly", "--listen", "127.0.0.1:0", "--operator-listen", "127.0.0.1:0"],
        stderr=subprocess.PIPE, text=True)
    for line in service.stderr:
        found = re.search(r"msg=listening listen=(\S+) operator_listen=(\S+)", line)
        if found:
            threading.Thread(target=service.stderr.read, daemon=True).start()  # or it would block
            return service, *found.groups()
    raise AssertionError("mayfly did not start")


def quiet_points(folder):
    with open(f"{folder}/record.ndjson", encoding="utf-8") as record:
        return [line for line in map(json.loads, record) if line["type"] == "quiet"]


def judge(points):
    first, last = points[0], points[-1]
    problems = [f"the first quiet point: {check}" for check in first["checks"] if not check["ok"]]
    names = {check["name"] for check in last["checks"]}
    problems += [f"has gone: {check['name']}" for check in first["checks"] if check["name"] not in names]
    sums = last["conservation"]
    for what, rows in (("totals", TOTALS), ("history", PAST)):
        if len(sums[what]) != rows:
            problems.append(f"{len(sums[what])} rows of {what}, not {rows}")
    problems += [f"cannot fail: {row}" for row in last["checks"] + sums["totals"] + sums["history"]
                 if row["ok"]]
    if all(point["conservation"]["samples"]["ok"] for point in points[1:]):
        problems.append(f"cannot fail: {sums['samples']}")
    return len(names), problems


def main():
    build = pathlib.Path(sys.argv[1])
    service, target, operator = start_service(build)
    host, port = operator.split(":")
    Proxy.upstream = host, int(port)
    Proxy.target = target
    proxy = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Proxy)
    threading.Thread(target=proxy.serve_forever, daemon=True).start()
    with tempfile.TemporaryDirectory() as folder:
        done = subprocess.run(
            [build / "tests" / "soak" / "mayfly-soak", "run", folder, "--target", target, "--operator",
             f"127.0.0.1:{proxy.server_port}", "--duration", "12s", "--hostile", "0"], check=False)
        service.terminate()
        service.wait(30)
        checks, problems = judge(quiet_points(folder))
    print("\n".join(problems + [f"{checks} checks at the last quiet point, {len(problems)} problems"]))
    return 1 if problems or done.returncode != 0 else 0


if __name__ == "__main__":
    sys.exit(main())
