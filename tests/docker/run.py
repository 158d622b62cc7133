#!/usr/bin/env python3
"""The images, their walls and their compose files, tried on a real Docker engine. By hand: CI has none.

    run.py [STEP...]        all steps, or those whose names contain one of these; some ten minutes

    image    both build; no image where a unit test fails; programs, libraries, labels, and no shell
    walls    80 MiB for the default of 64, 24 MiB for 16: flooded, probed, stopped in mid-request
    controls what the others look at can be otherwise: a kill by the wall, unhealthy, a refused start
    compose  the files are understood; mayfly and Prometheus come up, and both scrapes are answered
    soak     docker/soak.sh for two minutes; the same with its server killed must end in 1

The engine is the one that `docker` speaks to (DOCKER_HOST). Servers are on the host's network, which needs no bridge:
Linux only. `compose` takes the ports 8080, 8081 and 9090. Containers are called mayfly-test-...; the images mayfly and
mayfly-soak are made anew.
"""
import concurrent.futures
import json
import os
import re
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
HARDENED = ["--read-only", "--cap-drop", "ALL", "--security-opt", "no-new-privileges", "--pids-limit", "64"]
PREFIX = "mayfly-test"
PROMETHEUS = "prom/prometheus:v2.53.0"
MIB = 1 << 20


def expect(holds, what):
    print(f"  {'ok  ' if holds else 'FAIL'}  {what}", flush=True)
    if not holds:
        raise AssertionError(what)


def run(*command, **options):
    return subprocess.run(command, capture_output=True, text=True, **options)


def docker(*arguments):
    done = run("docker", *arguments)
    if done.returncode != 0:
        raise RuntimeError(f"docker {' '.join(arguments)}: {done.stderr.strip()}")
    return done.stdout.strip()


def inspect(name):
    return json.loads(docker("inspect", name))[0]


def wait_for(what, seconds):
    """The first true answer; None when there is none in so many seconds."""
    deadline = time.time() + seconds
    while time.time() < deadline:
        answer = what()
        if answer:
            return answer
        time.sleep(0.2)
    return None


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def commit():
    return run("git", "-C", ROOT, "rev-parse", "HEAD").stdout.strip() or "unknown"


# ---- image ----

def build(context, *options):
    return run("docker", "build", "--force-rm", "--network", "host", "--build-arg", "COMMIT=" + commit(),
               "-f", context + "/docker/Dockerfile", *options, context)


def files_of(image):
    """path: is it executable, of all that is no folder; what is empty docker puts there to mount over."""
    container = docker("create", image)
    try:
        listing = subprocess.run(f"docker export {container} | tar -tv", shell=True, check=True,
                                 capture_output=True, text=True).stdout
    finally:
        docker("rm", container)
    rows = [line.split() for line in listing.splitlines()]
    return {row[5]: "x" in row[0] for row in rows if row[0][0] not in "dl" and row[2] != "0"}


def image_holds(image, program):
    files = files_of(image)
    programs = sorted(path for path, executable in files.items() if executable and ".so" not in path)
    expect(programs == ["usr/bin/" + program], f"{image}: one program: {programs}")
    shell = run("docker", "run", "--rm", "--network", "host", "--entrypoint", "/bin/sh", image, "-c", "true")
    expect(shell.returncode == 127, f"{image}: no shell")
    packages = {path.split("/")[-1] for path in files if "status.d" in path}
    expect("libc6" in packages, f"{image}: Debian's record of {len(packages)} packages")
    config = inspect(image)["Config"]
    labels = config["Labels"]
    expect(config["User"] == "65534:65534" and config["StopSignal"] == "SIGTERM", f"{image}: of nobody, ends by TERM")
    expect(labels["org.opencontainers.image.revision"] == commit(), f"{image}: revision {commit()[:12]}")
    print(f"        {inspect(image)['Size'] / 1e6:.1f} MB")


def failing_test_makes_no_image():
    with tempfile.TemporaryDirectory() as copy:
        shutil.copytree(ROOT, copy + "/src", ignore=shutil.ignore_patterns("build", ".git", "__pycache__"))
        path = copy + "/src/tests/unit/base/test_number.c"
        source = open(path).read()
        planted, count = re.subn(r"(START_TEST\(\w+\)\s*\{)", r"\1 ck_assert_int_eq(1, 2);", source, count=1)
        open(path, "w").write(planted)
        failed = build(copy + "/src")
        expect(count == 1 and failed.returncode != 0 and "Fail:               1" in failed.stdout,
               "a unit test that fails fails the build")


def image():
    for target, name in (["--target", "soak"], "mayfly-soak"), ([], "mayfly"):
        built = build(ROOT, *target, "-t", name)
        if built.returncode != 0:
            print(built.stdout[-3000:] + built.stderr[-1000:])
        expect(built.returncode == 0, f"{name} is built, its unit tests pass")
        image_holds(name, name)
    version = docker("run", "--rm", "--network", "host", "mayfly", "--version").split()[-1]
    labels = inspect("mayfly")["Config"]["Labels"]
    expect(labels["org.opencontainers.image.version"] == version, f"labelled with its version, {version}")
    failing_test_makes_no_image()


# ---- walls ----

class Container:
    """mayfly behind a wall, on ports of its own of the host's loopback."""

    def __init__(self, name, wall, settings=(), options=()):
        self.name = f"{PREFIX}-{name}"
        self.port, self.operator = free_port(), free_port()
        run("docker", "rm", "-f", self.name)
        settings = [f"MAYFLY_LISTEN=127.0.0.1:{self.port}",
                    f"MAYFLY_OPERATOR_LISTEN=127.0.0.1:{self.operator}", *settings]
        docker("run", "-d", "--name", self.name, "--network", "host", *HARDENED,
               "--memory", wall, "--memory-swap", wall, *options,
               *[word for setting in settings for word in ("-e", setting)], "mayfly")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        run("docker", "rm", "-f", self.name)

    def state(self):
        return inspect(self.name)["State"]

    def health(self, wanted, seconds=25):
        return wait_for(lambda: self.state()["Health"]["Status"] == wanted, seconds)

    def memory(self):
        with urllib.request.urlopen(f"http://127.0.0.1:{self.operator}/memory", timeout=10) as reply:
            return json.load(reply)

    def status(self):
        """/proc/PID/status as a dict."""
        with open(f"/proc/{self.state()['Pid']}/status") as file:
            return dict(line.rstrip().split(":\t", 1) for line in file if ":\t" in line)

    def group(self, *names):
        """The first of these files that the container's cgroup has, as text."""
        with open(f"/proc/{self.state()['Pid']}/cgroup") as file:
            rows = [line.strip().split(":", 2) for line in file]
        folders = [f"/sys/fs/cgroup/memory{path}" for _, kinds, path in rows if kinds == "memory"]
        folders += [f"/sys/fs/cgroup{path}" for _, kinds, path in rows if kinds == ""]
        paths = [f"{folder}/{name}" for folder in folders for name in names]
        return next(open(path).read() for path in paths if os.path.exists(path))

    def peak(self):
        return int(self.group("memory.max_usage_in_bytes", "memory.peak"))


def churned(wanted):
    """A body of so many bytes: new series all along, in chunks."""
    serial, sent, line = 0, 0, os.urandom(8).hex()
    while sent < wanted:
        chunk = "".join(f'flood_total{{pod="pod-{line}-{serial + i}",zone="{"z" * 60}"}} 1\n' for i in range(500)).encode()
        serial += 500
        sent += len(chunk)
        yield b"%x\r\n%s\r\n" % (len(chunk), chunk)
    yield b"0\r\n\r\n"


def flood(port, wanted):
    """The status line of the reply to one long push."""
    with socket.create_connection(("127.0.0.1", port), timeout=120) as client:
        client.sendall(b"POST /v1/push HTTP/1.1\r\nHost: x\r\nContent-Type: text/plain\r\n"
                       b"Transfer-Encoding: chunked\r\n\r\n")
        try:
            for chunk in churned(wanted):
                client.sendall(chunk)
        except (BrokenPipeError, ConnectionResetError):
            pass
        return client.recv(65536).split(b"\r\n")[0].decode()


def idlers(port, count):
    """Connections that begin a push and say no more."""
    clients = []
    for _ in range(count):
        client = socket.create_connection(("127.0.0.1", port), timeout=10)
        client.sendall(b"POST /v1/push HTTP/1.1\r\nHost: x\r\nContent-Length: 100000\r\n\r\n# a body\n")
        clients.append(client)
    return clients


def confined(container):
    status = container.status()
    expect(status["Uid"].split() == ["65534"] * 4 and status["Gid"].split() == ["65534"] * 4, "of nobody")
    expect(int(status["CapBnd"], 16) == 0 and int(status["CapEff"], 16) == 0, "without capabilities")
    expect(status["NoNewPrivs"] == "1" and status["Seccomp"] == "2", "no new privileges, under seccomp")
    expect(docker("diff", container.name) == "", "nothing was written to its file system")


def wall(name, limit, settings, megabytes, streams, idle):
    with Container(name, limit, settings) as container:
        expect(container.health("healthy"), f"healthy, {' '.join(settings) or 'default settings'} behind {limit}")
        with concurrent.futures.ThreadPoolExecutor(streams) as pool:
            idling = idlers(container.port, idle)
            replies = list(pool.map(lambda _: flood(container.port, megabytes * MIB), range(streams)))
        expect(all(re.match(r"HTTP/1.1 (200|503)", reply) for reply in replies) and
               any(" 200 " in reply for reply in replies), f"{streams} bodies of {megabytes} MiB: {sorted(set(replies))}")
        confined(container)
        expect(container.health("healthy"), "healthy after it")
        memory, state, peak = container.memory(), container.state(), container.peak()
        budget = memory["budget"]["limit_bytes"]
        rss = int(container.status()["VmHWM"].split()[0]) * 1024
        wall_bytes = int(limit[:-1]) * MIB
        expect(rss <= budget, f"VmHWM {rss / MIB:.1f} MiB of memory's {budget / MIB:.0f}")
        expect(peak < wall_bytes, f"the cgroup's peak {peak / MIB:.1f} MiB of {wall_bytes / MIB:.0f}")
        oom = re.search(r"oom_kill (\d+)", container.group("memory.oom_control", "memory.events")).group(1)
        expect(not state["OOMKilled"] and oom == "0", "no kill by the wall")
        began = time.time()
        docker("stop", container.name) # with what it has by default; the idlers are still there
        state = container.state()
        expect(state["ExitCode"] == 0, f"stopped in mid-request: exit 0 after {time.time() - began:.1f} s")
        expect(inspect(container.name)["RestartCount"] == 0, "not restarted")
        for client in idling:
            client.close()


def walls():
    wall("default", "80m", [], megabytes=64, streams=4, idle=100)
    wall("small", "24m", ["MAYFLY_MEMORY=16MiB"], megabytes=64, streams=4, idle=20)


# ---- controls ----

def controls():
    name = PREFIX + "-hungry"
    run("docker", "rm", "-f", name)
    run("docker", "run", "--name", name, "--network", "none", "--memory", "24m", "--memory-swap", "24m",
        "debian:bookworm-slim", "sh", "-c", "head -c 100M /dev/zero | tail -c 1 >/dev/null; tail -n 1 /dev/zero")
    killed = inspect(name)["State"]["OOMKilled"]
    docker("rm", name)
    expect(killed, "who takes more than the wall is killed, and docker says so")
    with Container("refused", "24m") as container:
        expect(wait_for(lambda: not container.state()["Running"], 10) and container.state()["ExitCode"] == 1,
               "64 MiB behind 24m: refused at start")
    with Container("stalled", "80m", options=["--health-interval", "1s"]) as container:
        expect(container.health("healthy"), "probed each second")
        docker("kill", "-s", "STOP", container.name)
        expect(container.health("unhealthy"), "unhealthy when it stalls")
        docker("kill", "-s", "CONT", container.name)
        expect(container.health("healthy"), "healthy when it goes on")


# ---- compose ----

def composer():
    return ["docker", "compose"] if run("docker", "compose", "version").returncode == 0 else ["docker-compose"]


def compose_files(*files):
    return [word for file in files for word in ("-f", f"{ROOT}/docker/{file}")]


def targets():
    """{scraped address: health} as Prometheus has it; nothing before it answers."""
    try:
        with urllib.request.urlopen("http://127.0.0.1:9090/api/v1/targets", timeout=5) as reply:
            active = json.load(reply)["data"]["activeTargets"]
    except OSError:
        return {}
    return {target["scrapeUrl"]: target["health"] for target in active}


def compose():
    command = [*composer(), "-p", PREFIX]
    bridged = compose_files("compose.yaml", "compose.override.yaml")
    for files in bridged, compose_files("compose.yaml", "host.compose.yaml"), compose_files("soak.compose.yaml"):
        understood = run(*command, *files, "config")
        expect(understood.returncode == 0, f"{' and '.join(os.path.basename(file) for file in files[1::2])}: understood")
    published = re.findall(r"127\.0\.0\.1:\d+:\d+|host_ip: 127\.0\.0\.1", run(*command, *bridged, "config").stdout)
    expect(len(published) == 3, "three ports, on loopback")
    if run("docker", "image", "inspect", PROMETHEUS).returncode != 0:
        expect(run("docker", "pull", PROMETHEUS).returncode == 0, f"{PROMETHEUS} is to be had")
    command += compose_files("compose.yaml", "host.compose.yaml")
    try:
        up = run(*command, "up", "-d", "--no-build")
        expect(up.returncode == 0, "mayfly and Prometheus come up" + up.stderr[-400:] * (up.returncode != 0))
        wanted = {"http://127.0.0.1:8080/metrics": "up", "http://127.0.0.1:8081/memory": "up"}
        expect(wait_for(lambda: targets() == wanted, 40), "/metrics and /memory are scraped")
    finally:
        run(*command, "down", "-v")


# ---- soak ----

def soak_run(out, **settings):
    environment = dict(os.environ, SOAK_PROJECT=PREFIX, SOAK_DURATION="2m", SOAK_QUIET="20s", BUILD_NETWORK="host",
                       **settings)
    return subprocess.Popen(["sh", ROOT + "/docker/soak.sh", out], env=environment,
                            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)


def soak_container(service):
    return docker("ps", "-q", "--filter", f"label=com.docker.compose.project={PREFIX}",
                  "--filter", f"label=com.docker.compose.service={service}")


def soak_ends(process, code, what):
    told = process.communicate()[0]
    if process.returncode != code:
        print(told)
    expect(process.returncode == code, what)


def soak():
    with tempfile.TemporaryDirectory() as out:
        soak_ends(soak_run(out + "/calm"), 0, "two minutes: the report finds nothing")
        for name in "report.html", "report.json", "memory.svg", "record.ndjson", "docker.json":
            expect(os.path.getsize(f"{out}/calm/{name}") > 0, f"{name} is there")
        engine = json.load(open(out + "/calm/docker.json"))
        expect(engine["exit_code"] == 0 and not engine["oom_killed"] and engine["memory_peak"] < 80 * MIB,
               f"docker.json: {engine}")
        expect(docker("ps", "-aq", "--filter", f"label=com.docker.compose.project={PREFIX}") == "", "nothing is left")
        soak_ends(soak_run(out + "/drill", SOAK_DRILL="request_arena"), 1, "with a drill it ends in 1")
        dying = soak_run(out + "/killed")
        expect(wait_for(lambda: soak_container("load"), 300), "the load begins")
        time.sleep(50)
        docker("kill", soak_container("mayfly"))
        soak_ends(dying, 1, "with its server killed it ends in 1")


STEPS = [image, walls, controls, compose, soak]


def main():
    wanted = sys.argv[1:]
    print(f"docker {docker('version', '-f', '{{.Server.Version}}')} at {os.environ.get('DOCKER_HOST', 'its default')}; "
          f"{' '.join(composer())}")
    failed = 0
    for step in STEPS:
        if wanted and not any(word in step.__name__ for word in wanted):
            continue
        print(step.__name__, flush=True)
        try:
            step()
        except (AssertionError, RuntimeError, OSError) as problem:
            failed += 1
            print(f"  {step.__name__} failed: {problem}")
    print("all passed" if failed == 0 else f"{failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
