#!/usr/bin/env python3
"""tidy.py: the architecture as a test: what STYLE and lib/README.md say, asked of the source.

    tidy.py ROOT linker ARCHIVE [--sanitized]
                            lib/ reaches nothing outside but pure libraries, and keeps no state
    tidy.py ROOT includes   headers point the allowed way only
    tidy.py ROOT style      lengths of functions and lines, words that should not be there
    tidy.py ROOT top        the top level holds what it should, and no more
    tidy.py ROOT documents  every setting and every code is where people look for it

Each prints a line for each violation and exits 1 when there is any. self_test.py plants one of each
kind and expects to see it.
"""

import os
import re
import subprocess
import sys

# ---- the linker: lib/ is the service without the world ----

# What the archive may need from outside itself: pure functions, and libraries that take their
# memory from us.
ALLOWED_SYMBOLS = [
    r'mem(cpy|move|set|cmp|chr)|bcmp|str(len|chr)',
    r'ceil|floor|round|ll?round|trunc|sqrt|fabs|fmin|fmax|fma|fmod',
    r'ldexp|frexp|scalbn|exp2?|log2?|log1p|expm1|pow',
    r'json_\w+',
    r'(in|de)flate\w*|crc32\w*|adler32\w*',
    r'ZSTD_\w+',
    r'pcre2_\w+',
    r'XXH3?_\w+|XXH64\w*',
    r'ensure_failed',        # the program's, as ensure.h says
    r'_setjmp|longjmp',      # out of jansson, json_element.c says why
    r'__tls_get_addr',       # the one thread-local
    r'__stack_chk_fail|__(mem\w+|longjmp)_chk',
    r'_GLOBAL_OFFSET_TABLE_',
    # of the compiler, where the processor has no instruction for it
    r'__popcountdi2|__(u?div|u?mod)ti3|__float\w+|__fix\w+',
]
SANITIZER_SYMBOLS = (r'__(asan|ubsan|tsan|sanitizer|sancov|msan)_\w+|__odr_asan\w*|'
                     r'__(start|stop)___sancov\w*')

# Written while it runs. Of these lib/ has one: jansson's hooks have no context.
THREAD_LOCALS = {'memory'}


def run(*command):
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def is_allowed(symbol, sanitized):
    patterns = ALLOWED_SYMBOLS + ([SANITIZER_SYMBOLS] if sanitized else [])
    return any(re.fullmatch(pattern, symbol) for pattern in patterns)


def nm(archive, which):
    return {line.split()[-1] for line in run('nm', which, '--extern-only', archive).splitlines()
            if len(line.split()) >= 2}


def reaches_outside(archive, sanitized):
    needed = nm(archive, '--undefined-only') - nm(archive, '--defined-only')
    return sorted(symbol for symbol in needed if not is_allowed(symbol, sanitized))


def is_compilers_own(name, sanitized):
    """Sanitizers describe each global to their runtime in data of their own."""
    return sanitized and re.match(r'\.?L|__asan|__odr_asan|__sancov|\*?\.Lubsan', name) is not None


def symbols_with_sections(archive):
    """Each object's (name, section): of objects and thread-locals, and of common ones."""
    for line in run('objdump', '--syms', '--wide', archive).splitlines():
        match = re.match(r'[0-9a-f]{8,}\s(.{7})\s(\S+)\s+[0-9a-f]+\s+(?:\.hidden )?(\S+)$', line)
        if match and match.group(3) != match.group(2):
            yield match.group(3), match.group(2)


def written_symbols(archive, sanitized):
    for name, section in symbols_with_sections(archive):
        if is_compilers_own(name, sanitized):
            continue
        plain = re.sub(r'\.\d+$', '', name)
        if re.match(r'\.t(data|bss)', section):
            if plain not in THREAD_LOCALS:
                yield f'lib/ keeps a thread-local: {plain}'
        elif re.match(r'\.(data(?!\.rel\.ro)|bss)|\*COM\*', section):
            yield f'lib/ keeps state: {plain} in {section}'


def check_linker(root, archive, sanitized):
    del root
    problems = [f'lib/ reaches outside: {symbol}' for symbol in reaches_outside(archive, sanitized)]
    return problems + sorted(set(written_symbols(archive, sanitized)))


# ---- includes ----

FOLDERS = ['base', 'memory', 'ingest', 'store', 'query', 'reply', 'engine']

# Of ingest the store knows what a sample is, and how its labels are read; not how either is made.
STORE_FROM_INGEST = {'ingest/sample.h', 'ingest/label_set.h'}

# <assert.h> is for static_assert: assert() itself would not pass the linker's question.
SYSTEM_HEADERS = {
    'assert.h', 'stdalign.h', 'stdarg.h', 'stdatomic.h', 'stdbool.h', 'stddef.h', 'stdint.h',
    'string.h', 'limits.h', 'float.h', 'math.h', 'setjmp.h', 'emmintrin.h', 'immintrin.h',
    'tmmintrin.h', 'xmmintrin.h', 'jansson.h', 'pcre2.h', 'zlib.h', 'zstd.h', 'xxhash.h',
    'sanitizer/asan_interface.h', 'valgrind/memcheck.h',
}

# Each of these libraries is behind one file; but that a drill leaks jansson's objects on purpose.
ONE_FILE_HEADERS = ['microhttpd.h', 'cyaml/cyaml.h', 'jansson.h', 'pcre2.h']
LEAKING_FILES = {'jansson.h': 'server/drill_cycle.c'}


def source_files(root, folder):
    found = []
    for base, folders, files in os.walk(os.path.join(root, folder)):
        folders.sort()
        found += [os.path.join(base, name) for name in sorted(files)
                  if name.endswith(('.c', '.h', '.def'))]
    return found


def read(path):
    with open(path, encoding='utf-8') as file:
        return file.read()


def includes_of(path):
    """(line, header, is_system) of each include."""
    for number, line in enumerate(read(path).splitlines(), 1):
        match = re.match(r'\s*#\s*include\s*([<"])([^>"]+)[>"]', line)
        if match:
            yield number, match.group(2), match.group(1) == '<'


def may_include(folder, header):
    """Whether a file of lib/FOLDER may have "header"."""
    if header == 'settings.def':
        return folder == 'base'
    target = header.split('/')[0]
    if target not in FOLDERS or '/' not in header:
        return False
    if header.endswith('_private.h') and target != folder:
        return False
    if folder == 'store' and target == 'ingest' and header not in STORE_FROM_INGEST:
        return False
    return FOLDERS.index(target) <= FOLDERS.index(folder)


def lib_includes(root, path):
    place = os.path.relpath(path, root)
    folder = place.split(os.sep)[1]
    for number, header, is_system in includes_of(path):
        if is_system and header not in SYSTEM_HEADERS:
            yield f'{place}:{number}: lib/ includes <{header}>'
        if not is_system and not may_include(folder, header):
            yield f'{place}:{number}: lib/{folder} includes "{header}"'


def server_includes(root, path):
    place = os.path.relpath(path, root)
    for number, header, is_system in includes_of(path):
        if is_system:
            continue
        if header.endswith('_private.h') and '/' in header:
            yield f'{place}:{number}: server includes "{header}"'
        elif '/' in header and header.split('/')[0] not in FOLDERS:
            yield f'{place}:{number}: server includes "{header}"'


def one_file_headers(root, paths):
    for header in ONE_FILE_HEADERS:
        users = [os.path.relpath(path, root) for path in paths
                 if any(found == header for _, found, _ in includes_of(path))]
        users = [user for user in users if user != LEAKING_FILES.get(header)]
        if len(users) > 1:
            yield f'<{header}> is included in more than one file: {", ".join(users)}'


def check_includes(root):
    problems = []
    lib = source_files(root, 'lib')
    server = source_files(root, 'server')
    for path in lib:
        problems += lib_includes(root, path)
    for path in server:
        problems += server_includes(root, path)
    problems += one_file_headers(root, lib + server)
    return problems


# ---- style ----

FUNCTION_LINES_MAX = 70
FUNCTION_LINES_WARN = 40
LONGEST_SHOWN = 5
COLUMNS_MAX = 100

WORDS = re.compile(r'\b(TODO|FIXME|XXX|HACK)\b')
HEAP_AND_OUTPUT = re.compile(
    r'\b(malloc|calloc|realloc|reallocarray|free|strdup|strndup|alloca|mmap|munmap|'
    r'v?s?n?printf|v?f?d?printf|puts|fputs|putchar|fopen|fwrite)\s*\(')


def blank_comments_and_strings(text):
    """The same text with comments and literals blanked, newlines kept."""
    def blank(match):
        return re.sub(r'[^\n]', ' ', match.group(0))
    comments = r'/\*.*?\*/|//[^\n]*'
    literals = r'"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])*\''
    return re.sub(comments + '|' + literals, blank, text, flags=re.S)


def is_of_head(line):
    return line.strip() != '' and not re.match(r'[}#]|.*;\s*$', line)


def functions_of(text):
    """(name, first line, lines) of each function, from its first line to its closing brace."""
    lines = blank_comments_and_strings(text).split('\n')
    for opening, line in enumerate(lines):
        if line.rstrip() != '{':
            continue
        first = opening
        while first > 0 and is_of_head(lines[first - 1]):
            first -= 1
        closing = opening
        while closing < len(lines) and not lines[closing].startswith('}'):
            closing += 1
        head = ' '.join(lines[first:opening])
        name = re.search(r'(\w+)\s*\(', re.sub(r'__attribute__\s*\(\(.*?\)\)', '', head))
        yield name.group(1) if name else '?', first + 1, closing - first + 1


def function_lengths(root, path):
    place = os.path.relpath(path, root)
    return [(length, f'{place}:{first}: {name}')
            for name, first, length in functions_of(read(path))]


def odd_lines(root, path):
    place = os.path.relpath(path, root)
    for number, line in enumerate(read(path).split('\n'), 1):
        if len(line) > COLUMNS_MAX:
            yield f'{place}:{number}: {len(line)} columns'
        if line != line.rstrip() or '\t' in line:
            yield f'{place}:{number}: a tab, or blanks at the end'


def odd_words(root, path):
    place = os.path.relpath(path, root)
    text = read(path)
    code = blank_comments_and_strings(text).split('\n')
    for number, line in enumerate(text.split('\n'), 1):
        word = WORDS.search(line)
        if word:
            yield f'{place}:{number}: {word.group(0)}'
        if re.match(r'\s*//', line):
            yield f'{place}:{number}: // marks what must not be merged'
        call = HEAP_AND_OUTPUT.search(code[number - 1])
        if call and place.startswith('lib' + os.sep):
            yield f'{place}:{number}: lib/ calls {call.group(1)}'


def check_style(root):
    problems = []
    lengths = []
    for path in source_files(root, 'lib') + source_files(root, 'server'):
        if not path.endswith('.def'):  # rows of a table: one row is one line
            lengths += function_lengths(root, path)
            problems += odd_lines(root, path)
        problems += odd_words(root, path)
    lengths.sort(reverse=True)
    for length, where in lengths[:LONGEST_SHOWN]:
        print(f'longest: {where}: {length} lines')
    beyond = sum(length > FUNCTION_LINES_WARN for length, _ in lengths)
    print(f'{len(lengths)} functions, {beyond} of more than {FUNCTION_LINES_WARN} lines')
    problems += [f'{where}: {length} lines'
                 for length, where in lengths if length > FUNCTION_LINES_MAX]
    return problems


# ---- the top level ----

TOP = {'server', 'lib', 'config', 'tests', 'docker', 'meson.build', 'README.md', 'LICENSE'}


def ignored_names(root):
    path = os.path.join(root, '.gitignore')
    lines = read(path).split() if os.path.exists(path) else []
    return {line.strip('/') for line in lines}


def check_top(root):
    names = {name for name in os.listdir(root) if not name.startswith('.')} - ignored_names(root)
    return ([f'the top level has {name}' for name in sorted(names - TOP)] +
            [f'the top level lacks {name}' for name in sorted(TOP - names)])


# ---- documents ----

def rows_of(root, place, pattern):
    text = re.sub(r'/\*.*?\*/', '', read(os.path.join(root, place)), flags=re.S)
    return re.findall(pattern, text)


def yaml_paths(root):
    """section.name of each line `name:`, also of `#name:`; prose has a blank behind the #."""
    section = ''
    for line in read(os.path.join(root, 'config', 'mayfly.yaml')).split('\n'):
        match = re.match(r'(\s*)(#?)(\w+):(\s.*)?$', line)
        if not match:
            continue
        indent, commented, name, value = match.groups()
        if indent:
            yield f'{section}.{name}'
        elif commented or (value or '').strip():
            yield name
        else:
            section = name


def check_documents(root):
    settings = rows_of(root, 'config/settings.def', r'\b(?:SETTING|TEXT)\(\w+,\s*"([^"]+)"')
    codes = rows_of(root, 'lib/base/status.def', r'\bSTATUS\(\w+,\s*"([^"]+)"')
    known = set(yaml_paths(root))
    problems = [f'config/mayfly.yaml lacks {path}' for path in settings if path not in known]
    problems += [f'config/mayfly.yaml has {path}, which is no setting'
                 for path in sorted(known - set(settings))]
    if not settings or not codes:
        problems.append('settings.def or status.def has no rows that tidy.py can read')
    readme = os.path.join(root, 'README.md')
    words = set(re.findall(r'`([^`\n]+)`', read(readme))) if os.path.exists(readme) else set()
    problems += [f'README.md lacks `{word}`' for word in settings + codes if word not in words]
    return problems


# ---- the command ----

CHECKS = {
    'linker': check_linker,
    'includes': check_includes,
    'style': check_style,
    'top': check_top,
    'documents': check_documents,
}


def main(arguments):
    sanitized = '--sanitized' in arguments
    arguments = [argument for argument in arguments if argument != '--sanitized']
    root, name = (arguments + ['', ''])[:2]
    if name not in CHECKS or len(arguments) != (3 if name == 'linker' else 2):
        print(__doc__, file=sys.stderr)
        return 2
    extra = (arguments[2], sanitized) if name == 'linker' else ()
    problems = CHECKS[name](root, *extra)
    for problem in problems:
        print(problem)
    print(f'{name}: {len(problems)} problems')
    return 1 if problems else 0


if __name__ == '__main__':
    sys.exit(main(sys.argv[1:]))
