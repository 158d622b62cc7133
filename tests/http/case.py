"""case.py: what the tests of the running service share.

A class has one mayfly for all its tests, or starts its own. After each test, whatever it did: the memory of requests is
back, and the next good request works.
"""
import inspect
import unittest

import exposition
from client import Wire, curl, request
from service import Service

TEXT = ("-H", "Content-Type: text/plain")
NDJSON = ("-H", "Content-Type: application/x-ndjson")
JSON = ("-H", "Content-Type: application/json")
GZIP = ("-H", "Content-Encoding: gzip")
ZSTD = ("-H", "Content-Encoding: zstd")


def reaches(*settings):
    """Marks a test that makes the service meet the bounds of these settings (test_limits.py walks them)."""
    def mark(method):
        method.reached = settings
        return method
    return mark


class ServiceCase(unittest.TestCase):
    """Tests against one service with `settings`."""

    settings = {}
    seconds = 1  # about how long the class takes: long ones are begun first
    maxDiff = 4000

    @classmethod
    def setUpClass(cls):
        cls.service = Service(cls.settings).start()

    @classmethod
    def tearDownClass(cls):
        if cls.service is not None:
            cls.service.stop()

    def setUp(self):
        if type(self).service is None:  # it died in the test before, which says so
            type(self).service = Service(self.settings).start()

    def tearDown(self):
        self.doCleanups()  # its connections end first
        if not self.service.is_alive():
            log = self.service.log()[-4000:]
            type(self).service = None
            self.fail("mayfly ended in this test:\n" + log)
        self.check_well()

    # ---- what holds after each request, however bad ----

    def check_well(self):
        self.service.await_quiet()
        reply = self.push(b"good_total 1\n", *TEXT)
        self.assertEqual((reply.status, reply.json()["accepted"]), (200, 1), reply)

    # ---- asking ----

    def get(self, target, *arguments):
        return curl(self.service.data_url + target, *arguments)

    def push(self, body, *arguments, target="/v1/push"):
        return curl(self.service.data_url + target, *arguments, body=body)

    def wire(self, receive_bytes=None):
        wire = Wire(self.service.data, receive_bytes)
        self.addCleanup(wire.close)
        return wire

    def held_push(self, first=b"held_total 1\n", target="/v1/push", headers=()):
        """A connection in the middle of a push: more of its body is to come."""
        wire = self.wire()
        headers = ["Content-Type: text/plain", "Content-Length: 1000000", *headers]
        wire.send(request("POST", target, headers, first, length=False))
        return wire

    def scrape(self, scope="pushed", accept=None, strict=False):
        arguments = ("-H", f"Accept: {accept}") if accept else ()
        reply = self.get(f"/metrics?scope={scope}", *arguments)
        self.assertEqual(reply.status, 200, reply)
        openmetrics = reply.headers["Content-Type"].startswith("application/openmetrics-text")
        return exposition.parse(reply.text(), openmetrics, strict)

    # ---- asserting ----

    def assert_accepted(self, reply, accepted):
        self.assertEqual((reply.curl_exit, reply.status), (0, 200), reply)
        self.assertEqual(reply.json(), {"accepted": accepted, "rejected": 0}, reply)

    def check_error(self, error, code, setting=None, limit=None):
        """The error form: stable code; message; limit and setting where there is one, both named."""
        self.assertEqual(error.get("code"), code, error)
        self.assertTrue(error["message"], error)
        self.assertEqual((error.get("setting"), error.get("limit")), (setting, limit), error)
        if limit is not None:
            self.assertIn(str(limit), error["message"], error)

    def assert_refused(self, reply, status, code, setting=None, limit=None):
        """The whole request was refused."""
        self.assertEqual((reply.curl_exit, reply.status), (0, status), reply)
        self.assertEqual(reply.headers["Content-Type"], "application/json")
        self.assertIn("Mayfly-Arena-Peak", reply.headers)
        self.check_error(reply.error, code, setting, limit)

    def assert_rejected(self, reply, accepted, codes):
        """Some samples were rejected, each with its code; the good ones were applied."""
        self.assertEqual((reply.curl_exit, reply.status), (0, 400), reply)
        document = reply.json()
        self.assertEqual([error["code"] for error in document["errors"]], list(codes), reply)
        self.assertEqual((document["accepted"], document["rejected"]), (accepted, len(codes)))


def cases_of(module):
    """The test classes that a module defines itself."""
    for _, value in inspect.getmembers(module, inspect.isclass):
        if issubclass(value, unittest.TestCase) and value.__module__ == module.__name__:
            yield value
