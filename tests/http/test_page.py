"""test_page.py: the page at /: what is sent, and what it is allowed. tests/browser drives it."""
import base64
import hashlib
import importlib.util
import pathlib
import re
import tempfile
import unittest
import zlib

from case import ServiceCase
from client import Wire, curl, request

DASHBOARD = pathlib.Path(__file__).resolve().parents[2] / "server" / "dashboard"
PAGES = {"/": "text/html; charset=utf-8", "/licenses/dygraphs": "text/plain; charset=utf-8"}


def elements(html, name):
    return re.findall(rf"<{name}>(.*?)</{name}>", html, re.S)


def hash_of(text):
    return "'sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode() + "'"


class Page(ServiceCase):
    def policy(self):
        pairs = [part.split(None, 1) for part in self.get("/").headers["Content-Security-Policy"].split("; ")]
        return dict(pairs)

    def test_headers(self):
        for path, content_type in PAGES.items():
            headers = self.get(path).headers
            self.assertEqual(headers["Content-Type"], content_type)
            self.assertEqual(headers["X-Content-Type-Options"], "nosniff")
            self.assertEqual(headers["Referrer-Policy"], "no-referrer")
            self.assertEqual(headers["Cache-Control"], "no-cache")
            self.assertIn("Accept-Encoding", headers["Vary"])

    def test_only_its_own_scripts_and_styles_are_allowed(self):
        html = self.get("/").text()
        policy = self.policy()
        for element, directive in (("script", "script-src"), ("style", "style-src")):
            texts = elements(html, element)
            self.assertEqual(policy[directive].split(), [hash_of(text) for text in texts])
            self.assertEqual(len(re.findall(rf"<{element}\b", html)), len(texts), "an element that no hash is of")
        self.assertNotIn("unsafe", str(policy))
        self.assertEqual((policy["default-src"], policy["connect-src"]), ("'none'", "'self'"))
        for directive in ("base-uri", "form-action", "frame-ancestors"):
            self.assertEqual(policy[directive], "'none'")

    def test_nothing_is_from_elsewhere(self):
        html = self.get("/").text()
        self.assertNotIn("sourceMappingURL", html)
        for element in ("script", "style"):
            html = re.sub(rf"<{element}>.*?</{element}>", "", html, flags=re.S)
        for url in re.findall(r'(?:src|href)="([^"]*)"', html):
            self.assertRegex(url, r"^(#|/|data:)")

    def test_gzip(self):
        for path in PAGES:
            plain = self.get(path)
            packed = self.get(path, "-H", "Accept-Encoding: gzip")
            self.assertNotIn("Content-Encoding", plain.headers)
            self.assertEqual(packed.headers["Content-Encoding"], "gzip")
            self.assertEqual(int(packed.headers["Content-Length"]), len(packed.body))
            self.assertEqual(zlib.decompress(packed.body, 31), plain.body)
            self.assertLess(len(packed.body), len(plain.body) / 2 + 512)

    def test_head_tells_the_length(self):
        for path in PAGES:
            whole = self.get(path)
            with Wire(self.service.data) as wire:
                wire.send(request("HEAD", path) + request("GET", "/healthz"))
                head = wire.reply(to_head=True)
                self.assertEqual(int(head.headers["Content-Length"]), len(whole.body))
                self.assertEqual(wire.reply().json(), {"status": "ok"})

    def test_it_takes_nothing_of_the_arena(self):
        health = self.get("/healthz").arena_peak
        for arguments in ((), ("-H", "Accept-Encoding: gzip")):
            self.assertEqual(self.get("/", *arguments).arena_peak, health)

    def test_a_client_that_does_not_read_it(self):
        wires = [self.wire(receive_bytes=4096) for _ in range(8)]
        for wire in wires:
            wire.send(request("GET", "/") * 3)
        self.assertEqual(self.get("/healthz").status, 200)
        for wire in wires:
            wire.abort()

    def test_the_licence_is_there(self):
        text = self.get("/licenses/dygraphs").text()
        self.assertIn("dygraphs is MIT-licenced", text)
        self.assertIn("Permission is hereby granted, free of charge", text)

    def test_the_headers_fit_a_full_buffer(self):
        """The longest that a reply has, behind the longest that a request may have: a page or a refusal, not silence."""
        bytes_max = self.get("/v1/config").json()["settings"]["server.connection_bytes"]["value"]
        statuses = []
        for fill in range(bytes_max - 3000, bytes_max, 50):
            statuses.append(curl(self.service.data_url + "/", "-H", "X-Fill: " + "f" * fill).status)
            if statuses[-1] != 200:
                break
        self.assertEqual((statuses[0], statuses[-1]), (200, 431))


class Embed(unittest.TestCase):
    """embed.py: the same input, the same output; what the policy forbids does not get in."""

    def setUp(self):
        spec = importlib.util.spec_from_file_location("embed", DASHBOARD / "embed.py")
        self.embed = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(self.embed)
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)

    def page(self, body="", script="let a = 1;\n", style="a { top: 0 }\n"):
        files = {"a.js": script, "a.css": style, "index.html":
                 f'<link rel="stylesheet" href="a.css">\n{body}\n<script src="a.js"></script>\n'}
        for name, text in files.items():
            (self.folder / name).write_text(text, encoding="utf-8")
        return self.embed.Page(self.folder / "index.html", [self.folder / "a.js", self.folder / "a.css"])

    def test_the_same_twice(self):
        first, second = (self.embed.c_source(self.page("<p>é</p>"), "free") for _ in range(2))
        self.assertEqual(first, second)
        self.assertNotIn("c_source", first)

    def test_scripts_see_each_other_and_the_window_nothing(self):
        self.assertEqual(elements(self.page().html, "script"), ["(() => {\n'use strict';\nlet a = 1;\n})();\n"])

    def test_source_maps_are_left_out(self):
        html = self.page(script="let a;\n//# sourceMappingURL=a.js.map", style="a{}\n/*# sourceMappingURL=a.map */").html
        self.assertNotIn("sourceMappingURL", html)

    def test_what_the_policy_forbids(self):
        for body in ('<p onclick="x()">', '<p class="a" style="top:0">', '<img src="http://example.com/a.png">',
                     '<img src="//example.com/a.png">', '<script src="https://example.com/a.js">', '<script src="b.js"></script>'):
            with self.assertRaises(self.embed.Problem, msg=body):
                self.page(body)
        with self.assertRaises(self.embed.Problem):
            self.page(script="let a = '</script>';")
        with self.assertRaises(self.embed.Problem):
            self.page(style="/* </style> */")

    def test_text_that_is_not_utf_8(self):
        self.page()
        (self.folder / "a.js").write_bytes(b"let a = '\xff';")
        with self.assertRaisesRegex(self.embed.Problem, "a.js is not UTF-8"):
            self.embed.Page(self.folder / "index.html", [self.folder / "a.js", self.folder / "a.css"])

    def test_two_files_of_one_name(self):
        self.page()
        with self.assertRaisesRegex(self.embed.Problem, "one name"):
            self.embed.Page(self.folder / "index.html", [self.folder / "a.js", self.folder / "a.css",
                                                         self.folder / "x" / "a.js"])

    def test_a_file_that_no_tag_names(self):
        self.page()
        (self.folder / "b.js").write_text("", encoding="utf-8")
        with self.assertRaises(self.embed.Problem):
            self.embed.Page(self.folder / "index.html", [self.folder / name for name in ("a.js", "a.css", "b.js")])
