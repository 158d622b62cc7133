#!/usr/bin/env python3
"""embed.py: makes one page out of its sources, and C out of the page.

    embed.py --page index.html --licence copyright --output page_data.c FILE…

    index.html ── <link href="page.css">      ──> <style>…</style>      ─┐
                  <script src="chart.js">…    ──> <script>…</script>    ─┤ sha256 of each
                                                                         v
    page_data.c: the page as it is and by gzip, its Content-Security-Policy, dygraphs' licence

Tags that follow each other with blanks only between them become one element. Our own scripts (those beside
index.html) stand in one function there, in the order of their tags, so that they see each other and the window sees
nothing; a library is put in as it is. The same input gives the same output.
"""
import argparse
import base64
import gzip
import hashlib
import pathlib
import re
import sys

STYLE = re.compile(r'<link rel="stylesheet" href="([^"]+)">')
SCRIPT = re.compile(r'<script src="([^"]+)"></script>')

# All the page may do. Each style and script is allowed by its hash; `element.style`, which dygraphs sets, is no inline
# style to a browser, so nothing here is 'unsafe-'. The icon is a data: URL.
POLICY = ("default-src 'none'; script-src {scripts}; style-src {styles}; img-src data:; connect-src 'self'; "
          "base-uri 'none'; form-action 'none'; frame-ancestors 'none'")

# libmicrohttpd sends all headers of a reply from one buffer, see REPLY_HEADER_BYTES in http.c.
POLICY_BYTES_MAX = 560

BYTES_A_LINE = 24


class Problem(Exception):
    pass


# ---- one page ----

def read_text(path):
    try:
        return path.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise Problem(f"{path} is not UTF-8: {error}") from error


def without_map(text):
    """Without the line that names a source map: nobody serves it."""
    return re.sub(r"\s*(//[#@] sourceMappingURL=\S+|/\*# sourceMappingURL=\S+ \*/)\s*$", "\n", text)


def runs_of(pattern, html):
    """(start, end, names) of each run of such tags."""
    tag = pattern.pattern.replace("([^\"]+)", "[^\"]+")
    for run in re.finditer(rf"{tag}(?:\s*{tag})*", html):
        yield run.start(), run.end(), pattern.findall(run.group(0))


class Page:
    def __init__(self, index, files):
        self.folder = index.resolve().parent
        self.files = {path.name: path for path in files}
        if len(self.files) < len(files):
            raise Problem("two of the files have one name")
        self.used = set()
        self.hashes = {"script": [], "style": []}
        self.html = read_text(index)
        self.put(STYLE, "style", self.styles)
        self.put(SCRIPT, "script", self.scripts)
        self.check()

    def source(self, name):
        if name not in self.files:
            raise Problem(f"the page names {name}, which is not among the files")
        self.used.add(name)
        return without_map(read_text(self.files[name]))

    def is_ours(self, name):
        return self.files[name].resolve().parent == self.folder

    def styles(self, names):
        yield "".join(self.source(name) for name in names)

    def scripts(self, names):
        ours = ""
        for name in names:
            text = self.source(name)
            if self.is_ours(name):
                ours += text
            else:
                yield text
        if ours:
            yield "(() => {\n'use strict';\n" + ours + "})();\n"

    def put(self, pattern, element, texts_of):
        at, out = 0, ""
        for start, end, names in runs_of(pattern, self.html):
            out += self.html[at:start]
            out += "".join(self.element(element, text) for text in texts_of(names))
            at = end
        self.html = out + self.html[at:]

    def element(self, element, text):
        if f"</{element}" in text.lower() or "<!--" in text:
            raise Problem(f"text of a {element} that would end it")
        digest = base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
        self.hashes[element].append(f"'sha256-{digest}'")
        return f"<{element}>{text}</{element}>\n"

    def check(self):
        unused = set(self.files) - self.used
        if unused:
            raise Problem("not in the page: " + ", ".join(sorted(unused)))
        markup = re.sub(r"<(script|style)>.*?</\1>", "", self.html, flags=re.S)
        for what, pattern in (("a handler", r"<[^>]*\son\w+="), ("an inline style", r"<[^>]*\sstyle="),
                              ("something from elsewhere", r"<[^>]*\s(src|href)=\"(?!#|data:|/(?!/))")):
            found = re.search(pattern, markup)
            if found:
                raise Problem(f"{what}, which the policy forbids: {found.group(0)}")

    def policy(self):
        text = POLICY.format(scripts=" ".join(self.hashes["script"]), styles=" ".join(self.hashes["style"]))
        if len(text) > POLICY_BYTES_MAX:
            raise Problem(f"a policy of {len(text)} bytes is too long for a header")
        return text


# ---- C ----

def c_bytes(name, data):
    rows = (data[at:at + BYTES_A_LINE] for at in range(0, len(data), BYTES_A_LINE))
    lines = "\n".join("    " + "".join(f"{byte}," for byte in row) for row in rows)
    return f"static const unsigned char {name}[] = {{\n{lines}\n}};\n"


def c_document(name, data):
    packed = gzip.compress(data, compresslevel=9, mtime=0)
    return (c_bytes(f"{name}_plain", data) + c_bytes(f"{name}_gzip", packed) +
            f"const struct page_document {name} = {{\n"
            f"    .plain = {{(const char *){name}_plain, sizeof {name}_plain}},\n"
            f"    .gzip = {{(const char *){name}_gzip, sizeof {name}_gzip}},\n}};\n")


def c_source(page, licence):
    return ("/* Made by server/dashboard/embed.py; page_data.h says what this is. */\n"
            '#include "page_data.h"\n\n' +
            c_document("page_html", page.html.encode()) +
            c_document("page_dygraphs_licence", licence.encode()) +
            f'const char page_policy[] = "{page.policy()}";\n')


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--page", type=pathlib.Path, required=True)
    parser.add_argument("--licence", type=pathlib.Path, required=True)
    parser.add_argument("--output", type=pathlib.Path, required=True)
    parser.add_argument("files", type=pathlib.Path, nargs="+")
    options = parser.parse_args()
    try:
        text = c_source(Page(options.page, options.files), read_text(options.licence))
    except (Problem, OSError) as problem:
        print(f"embed.py: {problem}", file=sys.stderr)
        return 1
    options.output.write_text(text, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
