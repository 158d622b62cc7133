"""test_golden.py: tests/golden: requests, the replies they get word for word, and what each may cost."""
import json
import pathlib
import re
import unittest

import bodies
from client import curl
from service import Service

GOLDEN = pathlib.Path(__file__).resolve().parents[1] / "golden"

PLACEHOLDERS = {
    "{number}": r"-?\d+(?:\.\d+)?(?:e[+-]?\d+)?",
    "{seconds}": r"\d+\.\d{3}",
    "{word}": r"[^\s\"]+",
    "{rest}": r"(?s:.*)",
}
ENCODERS = {"gzip": bodies.gzip, "zstd": bodies.zstd}


def text_of(value):
    """A text, a list of lines, or {"repeat": text, "times": n}."""
    if isinstance(value, dict):
        return value["repeat"] * value["times"]
    return value if isinstance(value, str) else "".join(line + "\n" for line in value)


def pattern_of(text):
    parts = re.split("(" + "|".join(map(re.escape, PLACEHOLDERS)) + ")", text)
    return "".join(PLACEHOLDERS.get(part) or re.escape(part) for part in parts)


class Golden(unittest.TestCase):
    maxDiff = 8000
    seconds = 4

    def ask(self, service, row):
        method, _, target = row["request"].partition(" ")
        arguments = ["-X", method] if method != "HEAD" else ["--head"]
        for name, value in row.get("headers", {}).items():
            arguments += ["-H", f"{name}: {value}"]
        body = text_of(row["body"]).encode() if "body" in row else None
        if "encode" in row:
            arguments += ["-H", f"Content-Encoding: {row['encode']}"]
            body = ENCODERS[row["encode"]](body)
        url = service.operator_url if row.get("operator") else service.data_url
        return curl(url + target, *arguments, body=body)

    def check(self, row, reply):
        self.assertEqual((reply.curl_exit, reply.status), (0, row["status"]), reply)
        for name, value in row.get("reply_headers", {}).items():
            self.assertEqual(reply.headers.get(name), value, reply)
        expected = text_of(row["reply"])
        if not re.fullmatch(pattern_of(expected), reply.text()):
            self.assertEqual(reply.text(), expected)
        self.assertLessEqual(reply.arena_peak, row["arena_peak_bytes_max"])

    def check_file(self, name):
        document = json.loads((GOLDEN / f"{name}.json").read_text(encoding="utf-8"))
        with Service(document.get("settings")) as service:
            for i, row in enumerate(document["rows"]):
                with self.subTest(f"{name} row {i + 1}: {row['request']}"):
                    self.check(row, self.ask(service, row))
                service.await_quiet()


def test_of(path):
    def test(self):
        self.check_file(path.stem)
    return test


for file in sorted(GOLDEN.glob("*.json")):
    setattr(Golden, "test_" + file.stem.replace("-", "_"), test_of(file))
