"""service.py: a mayfly process: start it, look into it, stop it.

    with Service({"memory": "16MiB", "limits.line_bytes": "1KiB"}) as service:
        curl(service.data_url + "/v1/push", body=...)

Stopping always asserts what must hold of every run: exit code 0; the final ledger says that all memory of requests came
back; the most that was ever resident is within --memory.
"""
import os
import re
import signal
import subprocess
import tempfile
import time

from client import Closed, Wire, request

SANITIZED = os.environ.get("MAYFLY_SANITIZED") == "1"

# pools whose every byte ends with a request or its connection
REQUEST_POOLS = ("requests", "growth", "reserve", "scratch", "batches", "connections")

START_SECONDS = 30.0
STOP_SECONDS = 60.0
QUIET_SECONDS = 8.0

SANITIZER_WORDS = ("AddressSanitizer", "ThreadSanitizer", "LeakSanitizer", "runtime error:",
                   "ensure_failed")


def binary():
    return os.environ["MAYFLY_BINARY"]


def flag_of(path):
    return "--" + path.replace(".", "-").replace("_", "-")


def flags_of(settings):
    return [word for path, value in settings.items() for word in (flag_of(path), str(value))]


def clean_environment(extra=None):
    kept = {name: value for name, value in os.environ.items() if not name.startswith("MAYFLY_")}
    return {**kept, **(extra or {})}


def status_bytes(pid, field):
    """A size from /proc/PID/status: VmRSS, VmHWM."""
    with open(f"/proc/{pid}/status", encoding="ascii") as file:
        for line in file:
            if line.startswith(field + ":"):
                return int(line.split()[1]) * 1024
    raise KeyError(field)


def logfmt(line):
    pairs = re.findall(r'(\w+)=("[^"]*"|\S*)', line)
    return {name: value.strip('"') for name, value in pairs}


class Ended:
    """What is left of a process: its exit code, its log, and the peak of its resident memory."""

    def __init__(self, code, log, resident_peak_bytes):
        self.code = code
        self.log = log
        self.resident_peak_bytes = resident_peak_bytes
        lines = [logfmt(line) for line in log.splitlines()]
        self.ledger = {line["pool"]: line for line in lines if line.get("msg") == "ledger"}
        self.stopped = next((line for line in lines if line.get("msg") == "stopped"), None)


class Service:
    def __init__(self, settings=None, environment=None, arguments=()):
        self.settings = dict(settings or {})
        self.environment = environment or {}
        self.arguments = list(arguments)
        self.process = None
        self.log_file = None

    def __enter__(self):
        return self.start()

    def __exit__(self, kind, *_):
        if kind is None:
            self.stop()
        else:
            self.kill()

    # ---- start ----

    def command(self):
        ports = {"listen": "127.0.0.1:0", "operator_listen": "127.0.0.1:0"}
        return [binary(), *self.arguments, *flags_of({**ports, **self.settings})]

    def start(self):
        self.log_file = tempfile.TemporaryFile()
        self.process = subprocess.Popen(self.command(), stdin=subprocess.DEVNULL,
                                        stdout=self.log_file, stderr=self.log_file,
                                        env=clean_environment(self.environment))
        ready = self._await_ready()
        self.data = self._address(ready["listen"])
        self.operator = self._address(ready["operator_listen"])
        self.data_url = "http://" + ready["listen"]
        self.operator_url = "http://" + ready["operator_listen"]
        return self

    @staticmethod
    def _address(text):
        host, _, port = text.rpartition(":")
        return host, int(port)

    def log(self):
        self.log_file.flush()
        return os.pread(self.log_file.fileno(), 1 << 22, 0).decode(errors="replace")

    def _await_ready(self):
        deadline = time.monotonic() + START_SECONDS
        while time.monotonic() < deadline:
            for line in self.log().splitlines():
                if " msg=listening " in line:
                    return logfmt(line)
            if self.process.poll() is not None:
                break
            time.sleep(0.005)
        self.kill()
        raise AssertionError("mayfly did not get ready:\n" + self.log())

    # ---- looking in ----

    def is_alive(self):
        return self.process is not None and self.process.poll() is None

    def resident_bytes(self):
        return status_bytes(self.process.pid, "VmRSS")

    def resident_peak_bytes(self):
        return status_bytes(self.process.pid, "VmHWM")

    def ask_operator(self, target="/memory?format=json"):
        with Wire(self.operator) as wire:
            wire.send(request("GET", target, ["Connection: close"]))
            return wire.reply()

    def memory(self):
        return self.ask_operator().json()

    def holders(self):
        return self.ask_operator("/memory/holders").json()

    def pools(self):
        return {pool["name"]: pool for pool in self.memory()["pools"]}

    def closed(self, cause):
        """Connections ended without a reply for that cause, since start."""
        return self.memory()["budget"]["admission"]["closed_without_reply_total"][cause]

    def quiet_problem(self):
        """Why requests' memory is not all back, the asking request's own aside; None when it is."""
        memory = self.memory()
        pools = {pool["name"]: pool for pool in memory["pools"]}
        for name in ("requests", "growth", "scratch", "batches"):
            if pools[name]["live_bytes"] != 0 or pools[name]["live_objects"] != 0:
                return f"pool {name} holds {pools[name]['live_bytes']} bytes"
        if memory["requests"]["live"] != 1:
            return f"{memory['requests']['live']} requests are live"
        if memory["requests"]["live_bytes"] != pools["reserve"]["live_bytes"]:
            return f"requests hold {memory['requests']['live_bytes']} bytes"
        if memory["audit"]["ledger_mismatch_bytes"] != 0:
            return f"the ledger is off by {memory['audit']['ledger_mismatch_bytes']} bytes"
        return None

    def await_that(self, holds, seconds=QUIET_SECONDS):
        """Waits until `holds()`; False when it does not within that time."""
        deadline = time.monotonic() + seconds
        while not holds():
            if time.monotonic() >= deadline:
                return False
            time.sleep(0.005)
        return True

    def await_requests(self, count):
        """Waits until so many requests are in flight, the asking one's aside."""
        met = self.await_that(lambda: self.memory()["requests"]["live"] == count + 1)
        assert met, f"not {count} requests in flight but {self.memory()['requests']}: {self.holders()['requests'][:3]}"

    def await_quiet(self):
        """Completion comes a moment after the client has its reply; what stays longer is a leak."""
        met = self.await_that(lambda: self.quiet_problem() is None)
        assert met, f"not quiet: {self.quiet_problem()}; {self.holders()}"

    # ---- the end ----

    def signal(self, number=signal.SIGTERM):
        self.process.send_signal(number)

    def await_end(self):
        resident_peak = self._last_resident_peak()
        try:
            code = self.process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self.kill()
            raise AssertionError("mayfly did not stop:\n" + self.log()[-4000:]) from None
        ended = Ended(code, self.log(), resident_peak)
        self.log_file.close()
        return ended

    def _last_resident_peak(self):
        try:
            return self.resident_peak_bytes()
        except (OSError, KeyError):
            return 0  # it has ended already

    def stop(self):
        """Ends it and asserts what must hold of every run."""
        if not self.is_alive():
            raise AssertionError(f"mayfly had ended by itself, with {self.process.returncode}:\n"
                                 + self.log()[-4000:])
        budget = self._budget_bytes()
        self.signal()
        ended = self.await_end()
        check_ended(ended, budget)
        return ended

    def _budget_bytes(self):
        try:
            return self.memory()["budget"]["limit_bytes"]
        except (OSError, Closed) as problem:
            self.kill()
            raise AssertionError(f"the operator listener does not answer: {problem}\n"
                                 + self.log()[-4000:]) from problem

    def kill(self):
        if self.process is not None and self.process.poll() is None:
            self.process.kill()
            self.process.wait()


def check_ended(ended, budget_bytes):
    for word in SANITIZER_WORDS:
        assert word not in ended.log, ended.log[-8000:]
    assert ended.code == 0, f"exit code {ended.code}:\n{ended.log[-4000:]}"
    for name in REQUEST_POOLS:
        row = ended.ledger[name]
        assert row["live_bytes"] == row["live_objects"] == "0", f"still live: {row}"
        assert row["allocations"] == row["frees"], f"not all came back: {row}"
    assert ended.stopped["request_memory"] == "returned", ended.stopped
    if not SANITIZED:
        assert ended.resident_peak_bytes <= budget_bytes, \
            f"VmHWM {ended.resident_peak_bytes} is above --memory {budget_bytes}"
