#!/usr/bin/env python3
"""run.py: the tests of the running service, by curl and by socket.

    python3 tests/http/run.py BINARY [-k PATTERN] [-j JOBS] [-v]

Classes run side by side, each in a process of its own. With MAYFLY_SANITIZED=1, for builds with sanitizers, resident
memory is not compared with --memory: shadow memory is not the service's.
"""
import argparse
import fnmatch
import importlib
import multiprocessing
import os
import pathlib
import sys
import time
import unittest

HERE = pathlib.Path(__file__).resolve().parent


class Recorder(unittest.TestResult):
    """Keeps (test, seconds, what went wrong or None) of each test; subtests count as part of theirs."""

    def __init__(self):
        super().__init__()
        self.rows = []
        self.problems = []

    def startTest(self, test):
        super().startTest(test)
        self.problems = []
        self.began = time.monotonic()

    def stopTest(self, test):
        super().stopTest(test)
        problem = "\n".join(self.problems) if self.problems else None
        self.rows.append((test.id(), time.monotonic() - self.began, problem))
        self.problems = []

    def _problem(self, test, error):
        text = self._exc_info_to_string(error, test)  # without unittest's own frames
        if isinstance(test, unittest.TestCase):
            self.problems.append(text)
        else:  # setUpClass or tearDownClass
            self.rows.append((str(test), 0.0, text))

    def addError(self, test, err):
        self._problem(test, err)

    def addFailure(self, test, err):
        self._problem(test, err)

    def addSubTest(self, test, subtest, err):
        if err is not None:
            self.problems.append(f"[{subtest.id()}]")
            self._problem(test, err)


def run_class(work):
    module, name, methods = work
    case = getattr(importlib.import_module(module), name)
    recorder = Recorder()
    unittest.TestSuite(case(method) for method in methods).run(recorder)
    return recorder.rows


def is_wanted(test_id, pattern):
    return pattern is None or pattern in test_id or fnmatch.fnmatch(test_id, pattern)


def select(pattern):
    """(module, class, methods), the longest classes first."""
    from case import cases_of
    loader = unittest.TestLoader()
    found = []
    for path in sorted(HERE.glob("test_*.py")):
        module = importlib.import_module(path.stem)
        for case in cases_of(module):
            methods = [method for method in loader.getTestCaseNames(case)
                       if is_wanted(f"{module.__name__}.{case.__name__}.{method}", pattern)]
            if methods:
                found.append((-getattr(case, "seconds", 1), module.__name__, case.__name__, methods))
    return [work[1:] for work in sorted(found)]


def show(rows, verbose):
    for test_id, seconds, problem in rows:
        if problem is not None:
            print(f"FAILED {test_id} ({seconds:.1f} s)\n{problem}", flush=True)
        elif verbose:
            print(f"passed {test_id} ({seconds:.1f} s)", flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("binary")
    parser.add_argument("-k", dest="pattern", help="only tests whose name contains or matches this")
    parser.add_argument("-j", dest="jobs", type=int, default=6)
    parser.add_argument("-v", dest="verbose", action="store_true")
    options = parser.parse_args()
    os.environ["MAYFLY_BINARY"] = str(pathlib.Path(options.binary).resolve())
    sys.path.insert(0, str(HERE))
    passed = failed = 0
    with multiprocessing.get_context("fork").Pool(options.jobs, maxtasksperchild=1) as pool:
        for rows in pool.imap_unordered(run_class, select(options.pattern), chunksize=1):
            show(rows, options.verbose)
            failed += sum(problem is not None for _, _, problem in rows)
            passed += sum(problem is None for _, _, problem in rows)
    print(f"{passed} passed, {failed} failed")
    return 1 if failed or not passed else 0


if __name__ == "__main__":
    sys.exit(main())
