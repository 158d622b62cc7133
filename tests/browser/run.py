#!/usr/bin/env python3
"""run.py: the page at / in a real browser.

    /usr/bin/python3 tests/browser/run.py BINARY [-k PATTERN] [-v] [--screenshots DIRECTORY]

Needs chromium, chromium-driver and python3-selenium. With --screenshots it leaves light.png, dark.png, phone.png,
query.png, gone.png and drill.png there, to be looked at.
"""
import argparse
import os
import pathlib
import sys
import unittest

HERE = pathlib.Path(__file__).resolve().parent


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("binary")
    parser.add_argument("-k", dest="pattern")
    parser.add_argument("-v", dest="verbose", action="store_true")
    parser.add_argument("--screenshots", type=pathlib.Path)
    options = parser.parse_args()
    os.environ["MAYFLY_BINARY"] = str(pathlib.Path(options.binary).resolve())
    sys.path[:0] = [str(HERE), str(HERE.parent / "http")]
    import test_page_in_browser as tests
    if options.screenshots is not None:
        options.screenshots.mkdir(parents=True, exist_ok=True)
        tests.SCREENSHOTS = options.screenshots
    loader = unittest.TestLoader()
    if options.pattern is not None:
        loader.testNamePatterns = [f"*{options.pattern}*"]
    result = unittest.TextTestRunner(stream=sys.stdout, verbosity=2 if options.verbose else 1).run(
        loader.loadTestsFromModule(tests))
    failed = len({test.id() for test, _ in result.failures + result.errors})
    passed = max(0, result.testsRun - failed - len(result.skipped))
    print(f"{passed} passed, {failed} failed, {len(result.skipped)} skipped")
    return 1 if failed or not result.testsRun else 0


if __name__ == "__main__":
    sys.exit(main())
