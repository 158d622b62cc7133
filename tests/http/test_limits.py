"""test_limits.py: a limit that no test reaches is a limit that may not be there.

Tests that make the service meet a bound are marked with @reaches("limits.…"). This walks the rows of
config/settings.def and fails for every bound without such a test.
"""
import importlib
import pathlib
import re
import unittest

from case import cases_of

HERE = pathlib.Path(__file__).resolve().parent
SETTINGS = HERE.parents[1] / "config" / "settings.def"

ROW = re.compile(r'^(SETTING|TEXT)\(\w+, "([\w.]+)"', re.MULTILINE)

# How the service is set up rather than what it allows; met by tests of the command line and the plan.
NOT_BOUNDS = {"memory", "listen", "operator_listen", "prefault", "trace", "server.threads", "server.stack_bytes",
              "server.socket_bytes", "server.shutdown_timeout"}


def setting_rows():
    """(path, kind of row) in the order of settings.def."""
    return [(match[2], match[1]) for match in ROW.finditer(SETTINGS.read_text(encoding="utf-8"))]


def reached_settings():
    reached = set()
    for path in HERE.glob("test_*.py"):
        for case in cases_of(importlib.import_module(path.stem)):
            for name in dir(case):
                reached.update(getattr(getattr(case, name), "reached", ()))
    return reached


class EveryLimit(unittest.TestCase):
    def test_the_table_is_read(self):
        paths = [path for path, _ in setting_rows()]
        self.assertIn("limits.line_bytes", paths)
        self.assertEqual(len(paths), len(set(paths)))
        self.assertGreater(len([path for path in paths if path.startswith("limits.")]), 20)

    def test_every_limit_is_reached(self):
        limits = {path for path, _ in setting_rows() if path.startswith("limits.")}
        self.assertEqual(limits - reached_settings(), set())

    def test_every_other_bound_is_reached(self):
        bounds = {path for path, _ in setting_rows()} - NOT_BOUNDS
        self.assertEqual(bounds - reached_settings(), set())

    def test_marks_name_settings(self):
        """A mark that names no row is a typing mistake, or a setting that was renamed."""
        self.assertEqual(reached_settings() - {path for path, _ in setting_rows()}, set())
