"""test_routes.py: every path and method: what is there, what is not, and what HEAD says of it."""
import json

from case import ServiceCase
from client import Closed, Wire, curl, request
from test_limits import setting_rows

READS = ("/metrics", "/metrics?scope=self", "/metrics?scope=pushed", "/memory", "/memory?format=prometheus",
         "/memory/holders", "/v1/series", "/v1/labels", "/v1/labels/a/values", "/v1/cardinality", "/v1/config",
         "/v1/query?metric=none", "/v1/query?metric=mayfly_memory_live_bytes&fn=last", "/", "/licenses/dygraphs",
         "/healthz", "/readyz")
OPERATOR_READS = ("/memory", "/memory?format=prometheus", "/memory/holders", "/metrics?scope=self", "/metrics",
                  "/", "/licenses/dygraphs", "/healthz", "/readyz")
METHODS = {"/v1/push": "POST", "/metrics/job/j": "POST, PUT", "/metrics": "GET, HEAD", "/memory": "GET, HEAD",
           "/memory/holders": "GET, HEAD", "/memory/sites": "GET, HEAD",
           "/v1/series": "GET, HEAD, DELETE", "/v1/labels": "GET, HEAD",
           "/v1/labels/a/values": "GET, HEAD", "/v1/cardinality": "GET, HEAD", "/v1/config": "GET, HEAD",
           "/drills": "GET, HEAD, DELETE", "/drills/leak": "POST", "/": "GET, HEAD", "/licenses/dygraphs": "GET, HEAD",
           "/v1/query": "GET, HEAD", "/v1/summarize": "POST", "/healthz": "GET, HEAD", "/readyz": "GET, HEAD"}


class Paths(ServiceCase):
    def test_unknown_paths(self):
        for path in ("/index.html", "/licenses", "/licenses/", "/nothing", "/v1", "/v1/", "/v1/pushx", "/v1/push/",
                     "/metricsx", "/memory/", "/memory/x",
                     "/v1/labels/a", "/v1/labels/a/x", "/v1/labels//values", "/healthz/", "/HEALTHZ", "/v1/series/1",
                     "/%2e%2e/etc/passwd", "/v1%2Fpush", "//healthz", "/healthz;x", "/v1/query/", "/v1/summarize/x",
                     "/-/reload"):
            reply = self.get(path, "--path-as-is")
            self.assert_refused(reply, 404, "not_found")
            self.check_well()

    def test_the_operator_listener_has_its_own_only(self):
        for path in ("/v1/push", "/v1/query", "/v1/summarize", "/v1/series", "/v1/config", "/v1/labels",
                     "/v1/cardinality", "/metrics/job/a"):
            reply = curl(self.service.operator_url + path)
            self.assert_refused(reply, 404, "not_found")
        for target in OPERATOR_READS:
            self.assertEqual(curl(self.service.operator_url + target).status, 200, target)
        for scope in ("pushed", ""):
            reply = curl(f"{self.service.operator_url}/metrics?scope={scope}")
            self.assertEqual(reply.status, 400, reply)

    def test_wrong_methods(self):
        for path, allow in METHODS.items():
            for method in ("GET", "POST", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE", "BREW"):
                if method in allow.split(", "):
                    continue
                reply = self.get(path, "-X", method)
                self.assert_refused(reply, 405, "method_not_allowed")
                self.assertEqual(reply.headers["Allow"], allow, path)
                self.assertIn(allow, reply.error["message"])

    def test_wrong_methods_at_the_operator(self):
        for method in ("POST", "DELETE", "OPTIONS"):
            reply = curl(self.service.operator_url + "/memory", "-X", method)
            self.assert_refused(reply, 405, "method_not_allowed")

    def test_connect_and_odd_targets(self):
        """Refused like any other; nothing is tunnelled."""
        for data in (b"CONNECT example.com:80 HTTP/1.1\r\nHost: example.com\r\n\r\n",
                     b"CONNECT /metrics HTTP/1.1\r\nHost: x\r\n\r\n", b"OPTIONS * HTTP/1.1\r\nHost: x\r\n\r\n",
                     b"GET http://example.com/metrics HTTP/1.1\r\nHost: example.com\r\n\r\n"):
            with Wire(self.service.data) as wire:
                wire.send(data)
                status, headers = wire.head()
                self.assertIn(status, (400, 404, 405), data)
                self.assertEqual(headers["Content-Type"], "application/json")
            self.check_well()

    def test_health(self):
        for url in (self.service.data_url, self.service.operator_url):
            self.assertEqual(curl(url + "/healthz").json(), {"status": "ok"})
            self.assertEqual(curl(url + "/readyz").json(), {"status": "ready"})

    def test_every_reply_says_what_it_cost(self):
        for target in READS + ("/nothing",):
            self.assertGreater(self.get(target).arena_peak, 0, target)

    def test_replies_are_json(self):
        for target in READS:
            reply = self.get(target)
            if reply.headers["Content-Type"] == "application/json":
                reply.json()


class Head(ServiceCase):
    """HEAD: the same status and headers, no body, and a connection that goes on or is closed."""

    def check_head(self, address, target):
        with Wire(address) as wire:
            wire.send(request("HEAD", target))
            head = wire.reply(to_head=True)
            self.assertEqual((head.status, wire.buffer), (200, b""), target)
            whole = self.whole(address, target)
            self.assertEqual(head.headers["Content-Type"], whole.headers["Content-Type"])
            self.check_rest(wire, head, target)

    def whole(self, address, target):
        with Wire(address) as wire:
            wire.send(request("GET", target, ["Connection: close"]))
            return wire.reply()

    def check_rest(self, wire, head, target):
        """Nothing that looks like a body stands before the next reply."""
        try:
            wire.send(request("GET", "/healthz"))
            reply = wire.reply()
        except (Closed, ConnectionError):
            self.assertEqual(wire.buffer, b"", target)
            return
        self.assertNotEqual(head.headers.get("Connection"), "close")
        self.assertEqual((reply.status, reply.json()), (200, {"status": "ok"}), target)

    def test_every_read(self):
        for target in READS:
            self.check_head(self.service.data, target)
            self.check_well()
        for target in OPERATOR_READS:
            self.check_head(self.service.operator, target)

    def test_refusals(self):
        for target, status in (("/nothing", 404), ("/v1/push", 405), ("/metrics?scope=x", 400),
                               ("/v1/series?limit=0", 400)):
            wire = self.wire()
            wire.send(request("HEAD", target) + request("GET", "/healthz"))
            head = wire.reply(to_head=True)
            self.assertEqual(head.status, status)
            self.assertEqual(wire.reply().json(), {"status": "ok"}, target)

    def test_packed(self):
        wire = self.wire()
        wire.send(request("HEAD", "/metrics", ["Accept-Encoding: gzip"]))
        head = wire.reply(to_head=True)
        self.assertEqual(head.status, 200)
        self.check_rest(wire, head, "/metrics")

    def test_pipelined(self):
        wire = self.wire()
        wire.send(request("HEAD", "/memory") * 5 + request("GET", "/healthz"))
        for _ in range(5):
            self.assertEqual(wire.reply(to_head=True).status, 200)
        self.assertEqual(wire.reply().json(), {"status": "ok"})

    def test_curl(self):
        for target in READS:
            reply = self.get(target, "--head")
            self.assertEqual((reply.curl_exit, reply.status), (0, 200), target)


class Config(ServiceCase):
    settings = {"limits.line_bytes": "2KiB", "limits.header_timeout": "1500ms"}

    def test_effective_settings(self):
        settings = self.get("/v1/config").json()["settings"]
        line = settings["limits.line_bytes"]
        self.assertEqual((line["value"], line["unit"], line["source"]), (2048, "bytes", "flag"))
        timeout = settings["limits.header_timeout"]
        self.assertEqual((timeout["value"], timeout["unit"], timeout["source"]), (1.5, "seconds", "flag"))
        self.assertEqual(settings["limits.json_depth"]["source"], "default")
        series = settings["series.max"]  # worked out by the plan
        self.assertEqual(series["source"], "plan")
        self.assertGreater(series["value"], 1000)

    def test_every_setting_is_there_with_its_reason(self):
        settings = self.get("/v1/config").json()["settings"]
        self.assertEqual(list(settings), [path for path, _ in setting_rows()])
        for path, row in settings.items():
            self.assertTrue(row["reason"], path)
            self.assertNotIn(row["value"], (None, "auto", 2 ** 64 - 1), path)

    def test_it_is_json(self):
        json.loads(self.get("/v1/config").body)
