#!/usr/bin/env python3
"""Real input and real readers: node_exporter's exposition pushed with curl, promtool and Prometheus on what comes out.

    node_exporter ──curl──> mayfly ──curl──> promtool check metrics        no remark that was not made on the input
                              └────────────> prometheus, 1 s interval      every scrape of /metrics and /memory is up

    run.py BINARY [SCRAPES]        5 of each, unless said
"""
import json
import re
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request

NODE_EXPORTER = "prometheus-node-exporter"


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def curl(*arguments):
    return subprocess.run(["curl", "-sS", "--max-time", "20", *arguments], check=True,
                          capture_output=True).stdout


def wait_for(what, seconds=20):
    deadline = time.time() + seconds
    while time.time() < deadline:
        try:
            return what()
        except Exception:
            time.sleep(0.1)
    return what()


def start_mayfly(binary, log):
    process = subprocess.Popen([binary, "--listen", "127.0.0.1:0", "--operator-listen", "127.0.0.1:0"],
                               stderr=log)
    def ready():
        return re.search(r"msg=listening listen=(\S+) operator_listen=(\S+)", open(log.name).read()).groups()
    return process, *wait_for(ready)


def exporter_text(directory):
    """One exposition of a real node_exporter."""
    port = free_port()
    log = open(directory + "/exporter.log", "w")
    exporter = subprocess.Popen([NODE_EXPORTER, f"--web.listen-address=127.0.0.1:{port}"],
                                stdout=log, stderr=log)
    try:
        return wait_for(lambda: curl("-f", f"http://127.0.0.1:{port}/metrics"))
    finally:
        exporter.terminate()
        exporter.wait()


def samples(text):
    """{(name, labels): value}, an empty label being no label; quantiles of summaries, which cannot be added, left out."""
    found = {}
    for line in text.decode().splitlines():
        if not line or line.startswith("#"):
            continue
        key, value = line.rsplit(" ", 1)
        name, labels = re.fullmatch(r"([^{]*)(?:\{(.*)\})?", key).groups()
        pairs = re.findall(r'[a-zA-Z_]\w*="(?:[^"\\]|\\.)*"', labels or "")
        if any(pair.startswith("quantile=") for pair in pairs):
            continue
        found[name, tuple(sorted(pair for pair in pairs if not pair.endswith('=""')))] = float(value)
    return found


def remarks(text):
    checked = subprocess.run(["promtool", "check", "metrics"], input=text, capture_output=True)
    return set((checked.stdout + checked.stderr).decode().split("\n"))


def check_push(address, text, directory):
    path = directory + "/exporter.txt"
    with open(path, "wb") as file:
        file.write(text)
    reply = json.loads(curl("-H", "Content-Type: text/plain; version=0.0.4", "--data-binary",
                            "@" + path, f"http://{address}/v1/push"))
    sent = samples(text)
    assert reply["accepted"] == len(sent), reply
    assert all(error["code"] == "unmergeable" for error in reply.get("errors", [])), reply
    exposed = curl(f"http://{address}/metrics?scope=pushed")
    assert samples(exposed) == sent, "what is exposed is not what was pushed"
    return exposed


def check_twice(address, directory, once):
    """A second push of the same doubles the counters and leaves the gauges."""
    curl("-H", "Content-Type: text/plain", "--data-binary", "@" + directory + "/exporter.txt",
         f"http://{address}/v1/push")
    counters = set(re.findall(rb"^# TYPE (\S+) counter$", once, re.M))
    before, after = samples(once), samples(curl(f"http://{address}/metrics?scope=pushed"))
    for key, value in before.items():
        if key[0].encode() in counters:
            assert abs(after[key] - 2 * value) <= 1e-12 * abs(value), (key, value, after[key])


def check_promtool(address, operator, pushed, exposed):
    on_input = remarks(pushed)
    assert not remarks(exposed) - on_input, remarks(exposed) - on_input
    assert not remarks(curl(f"http://{address}/metrics")) - on_input
    for url in (f"http://{address}/metrics?scope=self", f"http://{operator}/metrics?scope=self",
                f"http://{operator}/memory?format=prometheus"):
        found = remarks(curl(url)) - {""}
        assert not found, (url, found)


def check_openmetrics(address, operator):
    from prometheus_client.openmetrics import parser
    for url in (f"http://{address}/metrics?scope=self", f"http://{operator}/memory",
                f"http://{address}/metrics"):
        text = curl("-H", "Accept: application/openmetrics-text; version=1.0.0", url).decode()
        assert text.endswith("# EOF\n"), url
        if "scope=self" in url or "memory" in url:
            list(parser.text_string_to_metric_families(text))


def check_scrapes(address, operator, directory, wanted):
    """Debian's prometheus scrapes both, once a second: every target up, no error."""
    port = free_port()
    config = directory + "/prometheus.yml"
    with open(config, "w") as file:
        file.write(f"""
global: {{scrape_interval: 1s, scrape_timeout: 1s}}
scrape_configs:
  - {{job_name: metrics, static_configs: [{{targets: ["{address}"]}}]}}
  - {{job_name: memory, metrics_path: /memory, static_configs: [{{targets: ["{operator}"]}}]}}
""")
    log = open(directory + "/prometheus.log", "w")
    server = subprocess.Popen(["prometheus", f"--config.file={config}",
                               f"--storage.tsdb.path={directory}/tsdb",
                               f"--web.listen-address=127.0.0.1:{port}"], stdout=log, stderr=log)
    def query(text):
        url = f"http://127.0.0.1:{port}/api/v1/query?query={text}"
        return json.load(urllib.request.urlopen(url, timeout=5))["data"]["result"]
    def scraped():
        counts = query("sum_over_time(up[1h])")
        assert len(counts) == 2 and all(float(c["value"][1]) >= wanted for c in counts)
    try:
        wait_for(scraped, wanted + 60)
        assert all(c["value"][1] == "1" for c in query("min_over_time(up[1h])"))
        for name in ("mayfly_memory_live_bytes", "process_resident_memory_bytes"):
            assert query(name), name
        targets = json.load(urllib.request.urlopen(f"http://127.0.0.1:{port}/api/v1/targets"))
        errors = [t["lastError"] for t in targets["data"]["activeTargets"] if t["lastError"]]
        assert not errors, errors
    finally:
        server.terminate()
        server.wait()


def main(binary, wanted):
    with tempfile.TemporaryDirectory() as directory:
        log = open(directory + "/mayfly.log", "w")
        process, address, operator = start_mayfly(binary, log)
        try:
            text = exporter_text(directory)
            exposed = check_push(address, text, directory)
            check_promtool(address, operator, text, exposed)
            check_openmetrics(address, operator)
            check_scrapes(address, operator, directory, wanted)
            check_twice(address, directory, exposed)
        finally:
            process.terminate()
            code = process.wait()
        assert code == 0, open(log.name).read()
    print("1 passed, 0 failed")


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]) if len(sys.argv) > 2 else 5)
