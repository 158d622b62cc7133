"""test_pushgateway.py: bodies pushed to Pushgateway's paths, added up."""
import base64
import shutil
import subprocess
import unittest

import bodies
from case import GZIP, JSON, TEXT, ZSTD, ServiceCase
from client import curl, request


def packed(text):
    return base64.urlsafe_b64encode(text.encode()).decode()


class PushgatewayPaths(ServiceCase):
    def send(self, path, body=b"pg_total 1\n", *arguments):
        return self.push(body, *TEXT, *arguments, target="/metrics" + path)

    def check_labels(self, target, name, **labels):
        reply = self.send(target, f"{name}_total 1\n".encode())
        self.assertEqual(reply.status, 200, reply)
        self.assertEqual(self.scrape().labels(f"{name}_total"), [labels])

    def test_the_reply_says_that_it_adds(self):
        for method in ("POST", "PUT"):
            reply = self.send("/job/adds", b"adds_total 2\n", "-X", method)
            self.assert_accepted(reply, 1)
            self.assertEqual(reply.headers["Mayfly-Mode"], "sum")
        self.assertEqual(self.scrape().value("adds_total", job="adds"), 4)

    def test_a_refusal_says_so_too(self):
        reply = self.send("/job/adds", b"bad\n")
        self.assertEqual((reply.status, reply.headers.get("Mayfly-Mode")), (400, "sum"), reply)

    def test_labels_of_the_path(self):
        self.check_labels("/job/j", "bare", job="j")
        self.check_labels("/job/j/instance/i:9/zone/eu-1", "three", job="j", instance="i:9", zone="eu-1")

    def test_escaped_slash_is_part_of_a_value(self):
        self.check_labels("/job/a%2Fb/path/%2Fvar%2ftmp", "slash", job="a/b", path="/var/tmp")
        self.check_labels("/job/a%252Fb", "percent", job="a%2Fb")

    def test_other_escapes(self):
        self.check_labels("/job/a%20b%22%5C/n/%C3%A9%0A", "escapes", job='a b"\\', n="\u00e9\n")

    def test_plus_is_a_plus(self):
        self.check_labels("/job/a+b/n/plain+x", "plus", job="a+b", n="plain+x")

    def test_base64(self):
        self.check_labels("/job@base64/YS9i", "b64a", job="a/b")
        self.check_labels(f"/job/j/path@base64/{packed('/var/tmp')}", "b64b", job="j", path="/var/tmp")
        self.check_labels("/job/j/path@base64/L3Zhci90bXA=", "b64c", job="j", path="/var/tmp")
        self.check_labels("/job/j/path@base64/L3Zhci90bXA%3D", "b64d", job="j", path="/var/tmp")
        text = "\u00ff\u00fe?>" * 3  # has - and _ in the URL-safe alphabet
        self.check_labels(f"/job/j/x@base64/{packed(text).rstrip('=')}", "b64e", job="j", x=text)

    def test_an_empty_value_is_no_label(self):
        self.check_labels("/job/j/e@base64/=", "empty", job="j")
        self.check_labels("/job/j/e@base64//f/x", "empty_b", job="j", f="x")

    def test_what_the_python_client_sends(self):
        """prometheus_client 0.16: PUT /metrics/job@base64/YS9i/e@base64/=/n/plain+x/path@base64/L3Zhci90bXA="""
        self.check_labels("/job@base64/YS9i/e@base64/=/n/plain+x/path@base64/L3Zhci90bXA=", "py",
                          job="a/b", n="plain+x", path="/var/tmp")

    def test_a_trailing_slash_changes_nothing(self):
        self.check_labels("/job/j/", "trail", job="j")
        self.check_labels("/job/j/a/b/", "trail_b", job="j", a="b")

    def test_the_path_wins_over_the_body(self):
        reply = self.send("/job/path/zone/p", b'wins_total{job="body",zone="b",other="o"} 1\n')
        self.assertEqual(reply.status, 200)
        self.assertEqual(self.scrape().labels("wins_total"), [{"job": "path", "zone": "p", "other": "o"}])
        sample = {"name": "wins", "kind": "counter", "labels": {"job": "body", "a": "b"}, "value": 1}
        self.push(bodies.json_array(sample), *JSON, target="/metrics/job/path")
        self.assertEqual(self.scrape().labels("wins"), [{"job": "path", "a": "b"}])

    def test_the_order_of_the_path_does_not_matter(self):
        self.send("/job/j/a/1/b/2", b"order_total 1\n")
        self.send("/job/j/b/2/a/1", b"order_total 1\n")
        self.send("/job/j", b'order_total{b="2",a="1"} 1\n')
        self.push(b'order_total{a="1",b="2",job="j"} 1\n', *TEXT)
        self.assertEqual(self.scrape().value("order_total", a="1", b="2", job="j"), 4)

    def test_an_empty_body_is_taken(self):
        for method in ("POST", "PUT"):
            reply = self.send("/job/none", b"", "-X", method)
            self.assert_accepted(reply, 0)

    def test_encodings(self):
        self.assert_accepted(self.send("/job/z", bodies.gzip(b"packed_total 1\n"), *GZIP), 1)
        self.assert_accepted(self.send("/job/z", bodies.zstd(b"packed_total 1\n"), *ZSTD), 1)
        self.assertEqual(self.scrape().value("packed_total", job="z"), 2)

    def test_without_a_content_type(self):
        """prom-client sends none, and curl its own."""
        for arguments in (("-H", "Content-Type:"), ()):
            reply = self.push(b"untyped_total 1\n", *arguments, target="/metrics/job/u")
            self.assert_accepted(reply, 1)

    def test_chunked(self):
        reply = self.send("/job/chunks", b"chunks_total 1\n", "-H", "Transfer-Encoding: chunked")
        self.assert_accepted(reply, 1)

    def test_atomic(self):
        reply = self.push(b"at_total 1\nbad\n", *TEXT, target="/metrics/job/a?atomic=1")
        self.assert_rejected(reply, 0, ["bad_syntax"])
        self.assertNotIn("at_total", self.scrape().names())

    def test_a_classic_histogram(self):
        text = (b'# TYPE pgh histogram\npgh_bucket{le="1"} 1\npgh_bucket{le="+Inf"} 2\npgh_sum 3\npgh_count 2\n')
        for _ in range(2):
            self.assert_accepted(self.send("/job/h", text), 4)
        self.assertEqual(self.scrape(strict=True).value("pgh_bucket", job="h", le="1"), 2)


class BadPaths(ServiceCase):
    def send(self, path, *arguments):
        return self.push(b"odd_total 1\n", *TEXT, *arguments, target="/metrics" + path)

    def check_bad(self, path, code="bad_path", setting=None, limit=None):
        reply = self.send(path)
        self.assert_refused(reply, 400, code, setting, limit)
        self.check_well()

    def tearDown(self):
        self.assertNotIn("odd_total", self.scrape().names())
        super().tearDown()

    def test_odd_pieces(self):
        for path in ("/job/j/x", "/job/j/a/b/c"):
            self.check_bad(path)

    def test_no_job(self):
        for path in ("/job//a/b", "/job@base64/=", "/job@base64//a/b"):
            self.check_bad(path)
        for path in ("/job/", "/job@base64/"):
            self.assertIn(self.send(path).status, (400, 404))

    def test_other_paths_below_metrics(self):
        """Pushgateway knows /metrics/job/… only."""
        for path in ("/jobs/x", "/jobx", "/instance/x", "/a/b/job/c", "/", "//job/x"):
            reply = self.send(path)
            self.assertIn(reply.status, (404, 405), path)
            self.check_well()

    def test_bad_label_names(self):
        for name in ("__x", "1a", "a-b", "a%20b", "a:b", "", "@base64", "__name__"):
            self.check_bad(f"/job/j/{name}/v", "bad_label_name")

    def test_twice_the_same_label(self):
        for path in ("/job/j/a/1/a/2", "/job/j/job/k", "/job/j/a/1/a@base64/eA"):
            self.check_bad(path)

    def test_bad_escapes(self):
        for path in ("/job/a%", "/job/a%2", "/job/a%zz", "/job/a%2G/b/c"):
            self.check_bad(path)

    def test_bad_base64(self):
        for value in ("!", "a", "a*b=", "%20", "ab=c"):
            self.check_bad(f"/job/j/a@base64/{value}")

    def test_values_that_are_no_text(self):
        for path in ("/job/%FF", "/job/%C3", "/job/a%00b", "/job@base64/_w", "/job@base64/AA"):
            self.check_bad(path)

    def test_bounds(self):
        self.check_bad("/job/j/" + "n" * 129 + "/v", "label_name_too_long", "limits.label_name_bytes", 128)
        self.check_bad("/job/" + "v" * 1025, "label_value_too_long", "limits.label_value_bytes", 1024)
        many = "".join(f"/l{i}/v" for i in range(40))
        reply = self.send("/job/j" + many)
        self.assertEqual(reply.status, 400, reply)
        error = reply.error or reply.json()["errors"][0]
        self.check_error(error, "too_many_labels", "limits.labels", 32)
        reply = self.send("/job/j" + "".join(f"/l{i}/v" for i in range(80)))
        self.assertEqual(reply.status, 400, reply)

    def test_path_and_body_together_are_bounded(self):
        path = "/job/j" + "".join(f"/l{i}/v" for i in range(20))
        own = ",".join(f'm{i}="v"' for i in range(20))
        reply = self.push(f"odd_total{{{own}}} 1\n".encode(), *TEXT, target="/metrics" + path)
        self.assert_rejected(reply, 0, ["too_many_labels"])
        self.check_error(reply.json()["errors"][0], "too_many_labels", "limits.labels", 32)

    def test_methods(self):
        for method in ("GET", "DELETE", "PATCH", "OPTIONS"):
            reply = self.get("/metrics/job/j", "-X", method)
            self.assert_refused(reply, 405, "method_not_allowed")
            self.assertEqual(reply.headers["Allow"], "POST, PUT")

    def test_odd_targets(self):
        """What no client library sends."""
        wire = self.wire()
        for target in ("/metrics/job/j?", "/metrics/job/j#x", "/metrics/job/j%3Fx=y", "http://h/metrics/job/j"):
            wire.send(request("POST", target, ["Content-Type: text/plain"], b"other_total 1\n"))
            self.assertIn(wire.reply().status, (200, 400, 404))


@unittest.skipUnless(shutil.which("prometheus-pushgateway"), "Debian's prometheus-pushgateway is not installed")
class SameAsPushgateway(ServiceCase):
    """The same status as Debian's Pushgateway for the same request, where what is meant is the same."""

    seconds = 3
    PATHS = ("/job/j", "/job/j/", "/job/j/x", "/job/j/a/b", "/job@base64/YS9i", "/job/j/e@base64/=", "/job/j/__x/v",
             "/job/j/a@base64/!")
    BODIES = ("{} 1\n", "", '{}{{a="b"}} 1\n', "{}{{ 1\n", "{} one\n")

    def setUp(self):
        super().setUp()
        command = ["prometheus-pushgateway", "--web.listen-address=127.0.0.1:0", "--log.level=info"]
        self.gateway = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
        self.addCleanup(self.stop_gateway)
        for line in self.gateway.stderr:
            if "listening on" in line.lower() and "127.0.0.1:" in line:
                self.gateway_url = "http://127.0.0.1:" + line.split("127.0.0.1:")[1].split()[0].strip('"')
                return
        self.fail("pushgateway said no address")

    def stop_gateway(self):
        self.gateway.kill()
        self.gateway.wait()
        self.gateway.stderr.close()

    def test_statuses(self):
        for i, path in enumerate(self.PATHS):
            for body in self.BODIES:
                body = body.format(f"same{i}").encode()
                theirs = curl(self.gateway_url + "/metrics" + path, *TEXT, body=body)
                ours = self.push(body, *TEXT, target="/metrics" + path)
                with self.subTest(path=path, body=body):
                    self.assertEqual(ours.status, theirs.status, (ours, theirs))
