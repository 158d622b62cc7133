#!/usr/bin/env python3
"""run.py BUILD: every question of tidy.py, and self_test.py's proof that each can be answered with
no.

BUILD is a build folder; a sanitized one is told from what its archive needs.
"""

import os
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))


def is_sanitized(archive):
    command = ['nm', '--undefined-only', archive]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return '__asan_' in done.stdout or '__tsan_' in done.stdout


def main(arguments):
    if len(arguments) != 1:
        print(__doc__, file=sys.stderr)
        return 2
    archive = os.path.join(arguments[0], 'lib', 'libmayfly.a')
    tidy = os.path.join(HERE, 'tidy.py')
    commands = [[tidy, ROOT, name] for name in ['includes', 'style', 'top', 'documents']]
    sanitized = ['--sanitized'] if is_sanitized(archive) else []
    commands.append([tidy, ROOT, 'linker', archive, *sanitized])
    if not sanitized:  # a planted object is not
        commands.append([os.path.join(HERE, 'self_test.py'), archive])
    failed = 0
    for command in commands:
        failed += subprocess.run([sys.executable, *command], check=False).returncode != 0
        sys.stdout.flush()
    print(f'{len(commands) - failed} passed, {failed} failed')
    return 1 if failed else 0


if __name__ == '__main__':
    sys.exit(main(sys.argv[1:]))
