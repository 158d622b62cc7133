"""test_command_line.py: settings by flag, environment and file; commands; exit codes; refusals to start."""
import os
import pathlib
import socket
import subprocess
import tempfile
import unittest

from client import Wire, curl, request
from service import Service, binary, check_ended, clean_environment
from test_limits import setting_rows

CLEAN, REFUSED, USAGE = 0, 1, 2
FREE_PORTS = ("--listen", "127.0.0.1:0", "--operator-listen", "127.0.0.1:0")


def run(*arguments, environment=None, seconds=20):
    return subprocess.run([binary(), *arguments], env=clean_environment(environment), text=True, check=False,
                          capture_output=True, timeout=seconds, stdin=subprocess.DEVNULL)


class CommandCase(unittest.TestCase):
    seconds = 2

    def setUp(self):
        directory = tempfile.TemporaryDirectory()
        self.addCleanup(directory.cleanup)
        self.directory = pathlib.Path(directory.name)

    def write(self, text, name="mayfly.yaml"):
        path = self.directory / name
        path.write_text(text, encoding="utf-8")
        return str(path)

    def assert_refused(self, ended, *words, code=REFUSED):
        """One line that names the setting, the value, and where it came from."""
        self.assertEqual(ended.returncode, code, ended)
        for word in words:
            self.assertIn(word, ended.stderr, ended)


class Settings(CommandCase):
    """Flags win over the environment, that over the file, that over the defaults."""

    FILE = "limits:\n  line_bytes: 2KiB\n  json_depth: 5\n  labels: 7\nmemory: 32MiB\n"
    ENVIRONMENT = {"MAYFLY_LIMITS_LINE_BYTES": "3KiB", "MAYFLY_LIMITS_JSON_DEPTH": "6"}

    def config(self, *arguments, environment=None):
        with Service(environment=environment, arguments=arguments) as service:
            return curl(service.data_url + "/v1/config").json()["settings"]

    def check(self, settings, path, value, source):
        row = settings[path]
        self.assertEqual((row["value"], row["source"]), (value, source), path)

    def test_precedence(self):
        file = self.write(self.FILE)
        settings = self.config("--config", file, "--limits-line-bytes", "4KiB", environment=self.ENVIRONMENT)
        self.check(settings, "limits.line_bytes", 4096, "flag")
        self.check(settings, "limits.json_depth", 6, "environment")
        self.check(settings, "limits.labels", 7, "file")
        self.check(settings, "memory", 32 << 20, "file")
        self.check(settings, "limits.name_bytes", 200, "default")

    def test_the_file_may_be_named_by_the_environment(self):
        settings = self.config(environment={"MAYFLY_CONFIG": self.write(self.FILE)})
        self.check(settings, "limits.labels", 7, "file")

    def test_forms_of_values(self):
        for text, value in (("4096", 4096), ("4KiB", 4096), ("4K", 4096), ("1.5KiB", 1536)):
            settings = self.config("--limits-line-bytes", text)
            self.check(settings, "limits.line_bytes", value, "flag")
        for text, value in (("250ms", 0.25), ("2", 2), ("1.5m", 90)):
            self.check(self.config(f"--limits-header-timeout={text}"), "limits.header_timeout", value, "flag")

    def test_the_settings_govern(self):
        """Not only shown: a limit from each source is met."""
        file = self.write("limits:\n  labels: 1\n")
        with Service(arguments=["--config", file], environment={"MAYFLY_LIMITS_NAME_BYTES": "16"},
                     settings={"limits.label_value_bytes": 16}) as service:
            body = b'a{x="1",y="2"} 1\n' + b"n" * 17 + b" 1\n" + b'a{x="12345678901234567"} 1\n'
            errors = curl(service.data_url + "/v1/push", body=body).json()["errors"]
            self.assertEqual([(error["code"], error["limit"]) for error in errors],
                             [("too_many_labels", 1), ("name_too_long", 16), ("label_value_too_long", 16)])

    def test_the_service_variables_of_kubernetes_are_passed_over(self):
        names = ("SERVICE_HOST", "SERVICE_PORT", "PORT", "PORT_8080_TCP", "PORT_8080_TCP_ADDR")
        ended = run("--check-config", environment={f"MAYFLY_{name}": "tcp://10.0.0.1:8080" for name in names})
        self.assertEqual(ended.returncode, CLEAN, ended)

    def test_bad_values(self):
        for arguments, words in ((("--limits-line-bytes", "10"),
                                  ("limits.line_bytes", "10", "1KiB", "--limits-line-bytes")),
                                 (("--limits-line-bytes", "9GiB"), ("limits.line_bytes", "1MiB")),
                                 (("--limits-line-bytes", "x"), ("limits.line_bytes", "x")),
                                 (("--memory", "1MiB"), ("memory", "16MiB")),
                                 (("--series-max", "-1"), ("series.max",)),
                                 (("--limits-line-bytes", "0"), ("limits.line_bytes",)),
                                 (("--prefault", "maybe"), ("prefault",)),
                                 (("--limits-body-timeout", "5 parsecs"), ("limits.body_timeout",))):
            self.assert_refused(run("--check-config", *arguments), *words)
            self.assert_refused(run(*arguments, *FREE_PORTS), *words)

    def test_zero_is_never_without_limit(self):
        for path, kind in setting_rows():
            if kind == "TEXT" or path in ("prefault", "trace", "drills", "server.shutdown_timeout", "cache.bytes"):
                continue
            self.assert_refused(run("--check-config", "--" + path.replace(".", "-").replace("_", "-"), "0"), path)

    def test_bad_environment(self):
        self.assert_refused(run("--check-config", environment={"MAYFLY_LIMITS_LABELS": "many"}),
                            "limits.labels", "many", "MAYFLY_LIMITS_LABELS")
        ended = run("--check-config", environment={"MAYFLY_LIMITS_LABLES": "3"})
        self.assert_refused(ended, "MAYFLY_LIMITS_LABLES")

    def test_bad_files(self):
        for text in ("limits:\n  line_byte: 1\n", "nonsense: 1\n", "limits: 5\n", "- a\n", "limits:\n  labels: [1]\n",
                     "memory: 64MiB\nmemory: 32MiB\n", "a: b: c\n", "\tx\n", "limits:\n  labels: 100000\n"):
            file = self.write(text)
            ended = run("--check-config", "--config", file)
            self.assertEqual(ended.returncode, REFUSED, (text, ended))
            self.assertIn("mayfly.yaml", ended.stderr, text)
        self.assert_refused(run("--check-config", "--config", str(self.directory / "none.yaml")), "none.yaml")
        self.assert_refused(run("--check-config", "--config", str(self.directory)), str(self.directory))

    def test_an_empty_file_changes_nothing(self):
        for text in ("", "# nothing\n", "limits:\n"):
            ended = run("--check-config", "--config", self.write(text))
            self.assertEqual(ended.returncode, CLEAN, ended)

    def test_the_shipped_file(self):
        shipped = pathlib.Path(__file__).parents[2] / "config" / "mayfly.yaml"
        self.assertEqual(run("--check-config", "--config", str(shipped)).returncode, CLEAN)

    def test_what_is_printed_reads_back(self):
        printed = run("--print-config", "--limits-labels", "9", "--memory", "48MiB")
        self.assertEqual(printed.returncode, CLEAN)
        again = run("--print-config", "--config", self.write(printed.stdout))
        self.assertEqual(self.without_comments(again.stdout), self.without_comments(printed.stdout))

    @staticmethod
    def without_comments(text):
        return [line.split(" #")[0].rstrip() for line in text.splitlines() if not line.lstrip().startswith("#")]


class Commands(CommandCase):
    def test_version(self):
        ended = run("--version")
        self.assertEqual(ended.returncode, CLEAN)
        self.assertRegex(ended.stdout, r"^mayfly \d+\.\d+\.\d+\n$")

    def test_help_has_every_setting(self):
        ended = run("--help")
        self.assertEqual(ended.returncode, CLEAN)
        for path, _ in setting_rows():
            self.assertIn("--" + path.replace(".", "-").replace("_", "-"), ended.stdout)
            self.assertIn("MAYFLY_" + path.replace(".", "_").upper(), ended.stdout)

    def test_usage(self):
        for arguments in (("--nonsense",), ("stray",), ("--limits-line-bytes",), ("-x",), ("--config",),
                          ("--memoryy", "1")):
            ended = run(*arguments)
            self.assertEqual(ended.returncode, USAGE, (arguments, ended))
            self.assertTrue(ended.stderr.strip())
        self.assertIn("--limits-line-bytes", run("--limits-line-byte", "1KiB").stderr)

    def test_check_config(self):
        ended = run("--check-config")
        self.assertEqual((ended.returncode, ended.stderr), (CLEAN, ""))
        self.assert_refused(run("--check-config", "--series-max", "90000000"), "series.max")

    def test_probe(self):
        with Service() as service:
            host, port = service.operator
            self.assertEqual(run("--probe", "--operator-listen", f"{host}:{port}").returncode, CLEAN)
            ended = run("--probe", environment={"MAYFLY_OPERATOR_LISTEN": f"{host}:{port}"})
            self.assertEqual(ended.returncode, CLEAN)
        self.assertEqual(run("--probe", "--operator-listen", f"{host}:{port}").returncode, REFUSED)

    def test_probe_does_not_wait_for_ever(self):
        with socket.create_server(("127.0.0.1", 0)) as silent:
            port = silent.getsockname()[1]
            ended = run("--probe", "--operator-listen", f"127.0.0.1:{port}", seconds=15)
        self.assertEqual(ended.returncode, REFUSED)


class Plan(CommandCase):
    """The memory plan: printed, and refused with the setting that would help."""

    def test_it_fits(self):
        for memory in ("16MiB", "64MiB", "512MiB"):
            ended = run("--plan", "--memory", memory)
            self.assertEqual(ended.returncode, CLEAN, ended)
            self.assertIn(f"of {memory[:-3]}.0 MiB", ended.stdout)
            for row in ("requests", "series", "histograms", "libmicrohttpd", "stacks", "code", "total"):
                self.assertIn(row, ended.stdout)

    def test_it_does_not_fit(self):
        for path, value in (("series.max", "5000000"), ("series.label_bytes", "1GiB"), ("histograms.max", "1000000"),
                            ("buckets.max", "1000000"), ("sets.max", "900000"), ("requests.bytes", "1GiB"),
                            ("server.connections", "60000"), ("limits.families", "65536"),
                            ("server.stack_bytes", "8MiB"), ("limits.scratch_bytes", "64MiB")):
            arguments = ("--" + path.replace(".", "-").replace("_", "-"), value, "--memory", "24MiB")
            for command in (("--plan",), ("--check-config",), FREE_PORTS):
                with self.subTest(path, command=command):
                    self.assert_refused(run(*command, *arguments), path)

    def test_settings_that_contradict_each_other(self):
        for arguments, path in ((("--limits-request-bytes", "1GiB"), "limits.request_bytes"),
                                (("--server-connections", "2", "--server-threads", "4"), "server.connections"),
                                (("--server-connections", "300", "--server-threads", "2"), "server.connections"),
                                (("--limits-element-bytes", "1MiB"), "limits.element_bytes"),
                                (("--limits-line-bytes", "1MiB", "--limits-request-bytes", "128KiB"),
                                 "limits.request_bytes")):
            self.assert_refused(run("--plan", *arguments), path)

    def test_the_plan_is_kept(self):
        """What --plan says is what is reserved."""
        with Service({"memory": "24MiB"}) as service:
            memory = service.memory()
            self.assertEqual(memory["budget"]["limit_bytes"], 24 << 20)
            planned = {part["part"]: part["bytes"] for part in memory["plan"]}
            self.assertEqual(planned["region"], memory["budget"]["reserved_bytes"])
            self.assertLessEqual(memory["budget"]["planned_bytes"], 24 << 20)
            self.assertIn("memory plan", service.log())

    @unittest.skipUnless(os.access("/sys/fs/cgroup/memory", os.W_OK), "no cgroup v1 that this user may make")
    def test_it_does_not_fit_the_cgroup(self):
        group = pathlib.Path(f"/sys/fs/cgroup/memory/mayfly-test-{os.getpid()}")
        group.mkdir()
        self.addCleanup(group.rmdir)
        (group / "memory.limit_in_bytes").write_text(str(40 << 20), encoding="ascii")
        command = f'echo $$ > {group}/cgroup.procs && exec "$0" --plan --memory '
        for memory, code in (("64MiB", REFUSED), ("40MiB", REFUSED), ("24MiB", CLEAN)):
            ended = subprocess.run(["sh", "-c", command + memory, binary()], env=clean_environment(), text=True,
                                   check=False, capture_output=True, timeout=20)
            self.assertEqual(ended.returncode, code, (memory, ended))
            if code == REFUSED:
                self.assertIn("memory", ended.stderr)
                self.assertIn("cgroup", ended.stderr)


class Listening(CommandCase):
    def test_an_address_in_use(self):
        with Service() as service:
            taken = "%s:%d" % service.data
            for arguments in (("--listen", taken, "--operator-listen", "127.0.0.1:0"),
                              ("--listen", "127.0.0.1:0", "--operator-listen", taken)):
                ended = run(*arguments)
                self.assert_refused(ended, taken, "Address already in use")
                self.assertNotIn("msg=listening", ended.stderr)
            self.assertEqual(curl(service.data_url + "/healthz").status, 200)

    def test_both_listeners_on_one_address(self):
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        ended = run("--listen", f"127.0.0.1:{port}", "--operator-listen", f"127.0.0.1:{port}")
        self.assertEqual(ended.returncode, REFUSED, ended)

    def test_addresses_that_are_none(self):
        for address in ("nonsense", "127.0.0.1", "127.0.0.1:99999", "256.0.0.1:80", "127.0.0.1:x", ":", "[::1"):
            with self.subTest(address):
                ended = run("--listen", address, "--operator-listen", "127.0.0.1:0", seconds=2)
                self.assert_refused(ended, address)

    def test_other_addresses(self):
        for host in ("0.0.0.0", "localhost", "[::1]"):
            if host == "[::1]" and not socket.has_ipv6:
                continue
            with Service({"listen": f"{host}:0"}) as service:
                self.assertEqual(service.ask_operator("/healthz").status, 200)

    def test_an_address_that_is_not_ours(self):
        ended = run("--listen", "192.0.2.1:8080", "--operator-listen", "127.0.0.1:0")
        self.assert_refused(ended, "192.0.2.1:8080")


class Variants(CommandCase):
    """Settings of how it is set up: it serves with each, and all of it comes back."""

    def check(self, **settings):
        with Service({name.replace("__", "."): value for name, value in settings.items()}) as service:
            reply = curl(service.data_url + "/v1/push", body=b"variant_total 1\n" * 1000)
            self.assertEqual((reply.status, reply.json()["accepted"]), (200, 1000))
            with Wire(service.data) as wire:
                wire.send(request("GET", "/metrics") * 3)
                self.assertEqual([wire.reply().status for _ in range(3)], [200] * 3)
            return service.memory()

    def test_one_thread(self):
        self.check(server__threads=1)

    def test_many_threads(self):
        self.check(server__threads=8, memory="64MiB")

    def test_small_buffers(self):
        self.check(server__connection_bytes="4KiB", server__socket_bytes="4KiB")

    def test_large_first_blocks(self):
        self.check(limits__first_block_bytes="64KiB")

    def test_small_stacks(self):
        self.check(server__stack_bytes="256KiB")

    def test_without_touching_the_memory_at_start(self):
        memory = self.check(prefault="false")
        self.assertFalse(memory["budget"]["prefaulted"])

    def test_every_limit_at_its_floor(self):
        floors = {"limits__target_bytes": 256, "limits__request_bytes": "128KiB", "limits__scratch_bytes": "64KiB",
                  "limits__line_bytes": "1KiB", "limits__element_bytes": 256, "limits__json_depth": 2,
                  "limits__inflated_bytes": "64KiB", "limits__zstd_window_bytes": "1KiB", "limits__name_bytes": 16,
                  "limits__labels": 1, "limits__label_name_bytes": 16, "limits__label_value_bytes": 16,
                  "limits__label_set_bytes": 64, "limits__families": 16, "limits__drain_bytes": "64KiB",
                  "requests__bytes": "256KiB", "series__max": 16, "histograms__max": 16, "sets__max": 4,
                  "server__connections": 2, "server__threads": 1, "server__operator_connections": 2,
                  "server__connection_bytes": "4KiB", "server__backlog": 1, "memory": "16MiB"}
        self.check(**floors)

    def test_shutdown_at_once_after_start(self):
        for _ in range(10):
            service = Service().start()
            service.signal()
            check_ended(service.await_end(), 64 << 20)
