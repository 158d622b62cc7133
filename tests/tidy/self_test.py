#!/usr/bin/env python3
"""self_test.py ARCHIVE: plants one violation of each kind in a copy of the source, and expects
tidy.py to see it.

A check that never failed proves nothing. Each row: what is done to the copy, and what tidy.py must
then say.
"""

import os
import shutil
import subprocess
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
COMPILER = os.environ.get('CC', 'cc').split()


def append(place, text):
    def plant(copy):
        with open(os.path.join(copy, place), 'a', encoding='utf-8') as file:
            file.write(text)
    return plant


def replace(place, old, new):
    def plant(copy):
        path = os.path.join(copy, place)
        with open(path, encoding='utf-8') as file:
            text = file.read()
        assert old in text, f'{place} has no {old!r} any more: plant something else'
        with open(path, 'w', encoding='utf-8') as file:
            file.write(text.replace(old, new))
    return plant


def create(place):
    def plant(copy):
        with open(os.path.join(copy, place), 'w', encoding='utf-8'):
            pass
    return plant


def remove(place):
    return lambda copy: os.remove(os.path.join(copy, place))


LONG_FUNCTION = '\nstatic int planted(int x)\n{\n' + '    x++;\n' * 68 + '    return x;\n}\n'

PLANTS = {
    'includes': [
        (append('lib/base/bytes.c', '#include "memory/arena.h"\n'),
         'lib/base includes "memory/arena.h"'),
        (append('lib/ingest/batch.c', '#include "store/store.h"\n'),
         'lib/ingest includes "store/store.h"'),
        (append('lib/store/store.c', '#include "ingest/decoder.h"\n'),
         'lib/store includes "ingest/decoder.h"'),
        (append('lib/query/names.c', '#include "store/store_private.h"\n'),
         'lib/query includes "store/store_private.h"'),
        (append('lib/reply/rows.c', '#include "engine/engine.h"\n'),
         'lib/reply includes "engine/engine.h"'),
        (append('lib/engine/engine.c', '#include "service.h"\n'),
         'lib/engine includes "service.h"'),
        (append('lib/memory/arena.c', '#include <stdlib.h>\n'), 'lib/ includes <stdlib.h>'),
        (append('server/routes.c', '#include "store/store_private.h"\n'),
         'server includes "store/store_private.h"'),
        (append('server/routes.c', '#include "tests/support/support.h"\n'),
         'server includes "tests/support/support.h"'),
        (append('server/drills.c', '#include <jansson.h>\n'),
         '<jansson.h> is included in more than one'),
        (append('server/routes.c', '#include <microhttpd.h>\n'),
         '<microhttpd.h> is included in more than one'),
    ],
    'style': [
        (append('lib/base/bytes.c', LONG_FUNCTION), 'planted: 72 lines'),
        (append('lib/base/bytes.c', 'int ' + 'x' * 114 + ';\n'), '119 columns'),
        (append('server/log.c', '/* ' + 'x' * 120 + ' */\n'), '126 columns'),
        (append('server/log.c', '/* TODO: later */\n'), 'TODO'),
        (append('server/log.c', '// later\n'), '// marks what must not be merged'),
        (append('server/log.c', '\tint x;\n'), 'a tab, or blanks at the end'),
        (append('lib/base/bytes.c', 'void *x(void) { return malloc(1); }\n'), 'lib/ calls malloc'),
        (append('lib/base/bytes.c', 'void x(void) { printf("x"); }\n'), 'lib/ calls printf'),
    ],
    'top': [
        (create('notes.txt'), 'the top level has notes.txt'),
        (remove('LICENSE'), 'the top level lacks LICENSE'),
    ],
    'documents': [
        (replace('config/mayfly.yaml', '#line_bytes:', '#line_byte:'),
         'mayfly.yaml lacks limits.line_bytes'),
        (replace('config/mayfly.yaml', '#line_bytes:', '#line_byte:'),
         'limits.line_byte, which is no setting'),
        (replace('README.md', '`limits.line_bytes`', 'a line'),
         'README.md lacks `limits.line_bytes`'),
        (replace('README.md', '`line_too_long`', 'a line'), 'README.md lacks `line_too_long`'),
        (append('config/settings.def', 'SETTING(planted, "planted.new", COUNT, 1, 1, 1, "x")\n'),
         'mayfly.yaml lacks planted.new'),
    ],
}

# Put into the archive as an object of its own.
OBJECTS = [
    ('#include <time.h>\nlong planted(void);\nlong planted(void) { return time(0); }\n',
     'lib/ reaches outside: time'),
    ('#include <stdlib.h>\nvoid *planted(void);\nvoid *planted(void) { return malloc(9); }\n',
     'lib/ reaches outside: malloc'),
    ('int planted_state = 7;\n', 'lib/ keeps state: planted_state in .data'),
    ('static int hidden_state;\nint planted(void);\nint planted(void) { return ++hidden_state; }\n',
     'lib/ keeps state: hidden_state in .bss'),
    ('int planted(void);\nint planted(void) { static int within = 3; return ++within; }\n',
     'lib/ keeps state: within in .data'),
    ('static _Thread_local int own;\nint planted(void);\nint planted(void) { return ++own; }\n',
     'lib/ keeps a thread-local: own'),
]


def copy_source(folder):
    for name in ['lib', 'server', 'config']:
        shutil.copytree(os.path.join(ROOT, name), os.path.join(folder, name))
    for name in ['tests', 'docker']:
        os.mkdir(os.path.join(folder, name))
    for name in ['meson.build', 'README.md', 'LICENSE']:
        shutil.copy(os.path.join(ROOT, name), os.path.join(folder, name))


def tidy(*arguments):
    command = [sys.executable, os.path.join(HERE, 'tidy.py'), *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return done.returncode, done.stdout + done.stderr


def judge(name, outcome, expected):
    """A violation must be named, and must make the check fail."""
    code, said = outcome
    if code == 1 and expected in said:
        return True
    print(f'{name}: planted, but not seen: {expected}\n{said}')
    return False


def try_source(work, name, plant, expected):
    with tempfile.TemporaryDirectory(dir=work) as copy:
        copy_source(copy)
        before = tidy(copy, name)[1]
        plant(copy)
        if expected in before:
            print(f'{name}: there before it was planted: {expected}')
            return False
        return judge(name, tidy(copy, name), expected)


def members_of(archive):
    """Paths of the objects, which meson's archives only refer to."""
    command = ['ar', 't', archive]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    folder = os.path.dirname(os.path.abspath(archive))
    return [os.path.abspath(member if os.path.exists(member) else os.path.join(folder, member))
            for member in done.stdout.split()]


def try_object(work, archive, text, expected):
    planted = os.path.join(work, 'planted.a')
    source = os.path.join(work, 'planted.c')
    with open(source, 'w', encoding='utf-8') as file:
        file.write(text)
    compile_it = [*COMPILER, '-std=c17', '-fPIC', '-O1', '-c', source, '-o', source + '.o']
    subprocess.run(compile_it, check=True)
    if os.path.exists(planted):
        os.remove(planted)
    subprocess.run(['ar', 'rcT', planted, *members_of(archive), source + '.o'], check=True)
    return judge('linker', tidy(ROOT, 'linker', planted), expected)


def main(arguments):
    if len(arguments) != 1:
        print(__doc__, file=sys.stderr)
        return 2
    outcomes = []
    with tempfile.TemporaryDirectory() as work:
        for name, plants in PLANTS.items():
            outcomes += [try_source(work, name, plant, expected) for plant, expected in plants]
        outcomes += [try_object(work, arguments[0], text, expected) for text, expected in OBJECTS]
    print(f'{sum(outcomes)} of {len(outcomes)} planted violations were seen')
    return 0 if all(outcomes) else 1


if __name__ == '__main__':
    sys.exit(main(sys.argv[1:]))
