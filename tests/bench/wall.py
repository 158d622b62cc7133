#!/usr/bin/env python3
"""wall.py: wall.sh's table, from the records of its runs.

    wall.py WALL_BYTES DIR...     each with record.ndjson, and `server`: label, version, exit code and wall, a line each
"""
import json
import os
import statistics
import sys

MIB = 1 << 20
KILLED = "137"
SILENT = 5 # seconds without any reply at the end of a run, which is no accident


def lines_of(directory):
    with open(os.path.join(directory, "record.ndjson"), encoding="utf-8") as file:
        for line in file:
            try:
                yield json.loads(line)
            except ValueError: # the last one, cut short
                return


def answered(sample):
    return sum(sample["driver"]["statuses"].values())


def silence(samples, end):
    answering = next(sample for sample in samples if answered(sample) == answered(samples[-1]))["elapsed"]
    return f", no reply since {answering:.0f} s" if end - answering > SILENT else ""


def end_of(events, samples, code):
    last = events[-1]
    if last["what"] == "server_gone":
        end = {KILLED: "killed", "0": "took no connection", "deaf": "took no connection"}.get(code, f"ended with {code}")
        return f"{end} after {last['elapsed']:.0f} s" + silence(samples, last["elapsed"])
    end = samples[-1]["elapsed"]
    asked = {"0": "", "deaf": ", did not end when asked"}.get(code, f", then ended with {code}")
    return f"{last['what']}, {end:.0f} s" + silence(samples, end) + asked


def row(directory):
    with open(os.path.join(directory, "server"), encoding="utf-8") as file:
        label, version, code, _ = file.read().split("\n")[:4]
    records = list(lines_of(directory))
    samples = [record for record in records if record["type"] == "sample" and record["proc"]]
    events = [record for record in records if record["type"] == "event"]
    if not samples:
        return [label, version, "gone before its first sample", *[""] * 7]
    driver = samples[-1]["driver"]
    statuses = {int(status): count for status, count in driver["statuses"].items()}
    refused = sum(count for status, count in statuses.items() if status in (413, 429, 503))
    # An interval's own, and of these the middle one: percentiles cannot be averaged.
    pushes = [sample["driver"]["latency"]["push"] for sample in samples]
    p99 = [push["p99"] for push in pushes if push["count"]]
    return [label, version, end_of(events, samples, code),
            f"{max(sample['proc']['hwm'] for sample in samples) / MIB:.1f}",
            f"{sum(statuses.values()):,}", f"{refused:,}",
            f"{sum(count for status, count in statuses.items() if status == 404):,}",
            f"{driver['broken']:,}",
            f"{statistics.median(p99) * 1000:.1f}" if p99 else "", f"{max(push['max'] or 0 for push in pushes) * 1000:.0f}"]


def main():
    wall, directories = int(sys.argv[1]), sys.argv[2:]
    with open(os.path.join(directories[0], "server"), encoding="utf-8") as file:
        kind = file.read().split("\n")[3]
    start = next(lines_of(directories[0]))
    print(f"{start['rate']:g} requests and {start['hostile']:g} hostile clients a second, {start['pods']} pods, "
          f"new ones each {start['day'] / 24:g} s; {start['cpus']} CPUs, one server after the other")
    print(f"wall: {wall // MIB} MiB by {kind}; {start['kernel']}; seed {start['seed']}; p99: of pushes, in each interval "
          "of a sample, the median of these; refused: 413, 429 and 503; peak: as last seen\n")
    head = ["server", "version", "end", "peak RSS, MiB", "answered", "refused", "404", "no reply", "p99 push, ms",
            "longest, ms"]
    for cells in head, ["---"] * len(head), *(row(directory) for directory in directories):
        print("| " + " | ".join(cells) + " |")


if __name__ == "__main__":
    main()
