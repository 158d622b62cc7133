"""test_page_in_browser.py: what a person sees on the page, and can do there.

One mayfly and one browser for a class. After each test there is nothing in the browser's console, and nothing was asked
of anybody but this mayfly.
"""
import functools
import json
import random
import time
import unittest
import urllib.parse

import bodies
from browser import Browser
from case import NDJSON, TEXT
from client import curl
from selenium.webdriver.common.keys import Keys
from service import Service

SCREENSHOTS = None

# Windows of a second, so that there is a past after some seconds.
SHORT = {"windows.fine": "1s", "windows.middle": "5s", "windows.coarse": "50s"}

MARKUP = '<img src=x onerror="document.title=1">'
HOSTILE = 'a"b\\c</script><script>document.title=2</script>&amp;' + MARKUP

# How many pixels of a chart are of a colour: counted on a copy, since chromium warns of a canvas that is read from.
PIXELS = """
const wanted = getComputedStyle(document.documentElement).getPropertyValue(arguments[1]).match(/[0-9a-f]{2}/g)
  .map((digits) => parseInt(digits, 16));
const copy = document.createElement('canvas');
const context = copy.getContext('2d', {willReadFrequently: true});
let count = 0;
for (const canvas of arguments[0].querySelectorAll('canvas')) {
  [copy.width, copy.height] = [canvas.width, canvas.height];
  context.drawImage(canvas, 0, 0);
  const data = context.getImageData(0, 0, copy.width, copy.height).data;
  for (let at = 0; at < data.length; at += 4)
    count += data[at + 3] > 120 && wanted.every((value, i) => Math.abs(value - data[at + i]) < 12);
}
return count;
"""

# Every text of every answer ends in markup, also those that nobody but the service writes.
HOSTILE_ANSWERS = """
const real = window.fetch;
const spoiled = (key, value) => typeof value === 'string' ? value + MARKUP : value;
const spoil = (text) => {
  try {
    return JSON.stringify(JSON.parse(text, spoiled));
  } catch {
    return text + MARKUP;
  }
};
window.fetch = async (...question) => {
  const answer = await real(...question);
  return new Response(spoil(await answer.text()), {status: answer.status, headers: answer.headers});
};
"""

# rules[path] spoils the answers of that path: {status, body} instead of it, edit(document) of it, ms before it.
SPOILED_ANSWERS = """
const realFetch = window.fetch;
window.rules = {};
window.asked = [];
const spoil = async (rule, answer) => {
  if (rule.status !== undefined || rule.body !== undefined)
    return new Response(rule.body ?? '{"error": {"code": "spoiled", "message": "spoiled on purpose"}}', rule);
  const document = await answer.json();
  rule.edit?.(document);
  return new Response(JSON.stringify(document));
};
window.fetch = async (target, options) => {
  window.asked.push(`${options.method} ${target}`);
  const rule = window.rules[target.split('?')[0]];
  await new Promise((resolve) => setTimeout(resolve, rule?.ms ?? 0));
  return rule ? spoil(rule, await realFetch(target, options)) : realFetch(target, options);
};
"""

# What sticks out of its card.
TOO_WIDE = """
return [...document.querySelectorAll('.card table, .card form, .card figure, .card dl, .card pre')]
  .filter((e) => e.offsetParent)
  .filter((e) => e.getBoundingClientRect().right > e.closest('.card').getBoundingClientRect().right - 2)
  .map((e) => e.id || e.className);
"""

# [pool, exact growth in bytes]
DIFF_ROWS = """
return [...document.querySelectorAll('#diff tbody tr')].filter((row) => row.querySelector('data'))
  .map((row) => [row.querySelector('th').textContent, Number(row.cells[2].querySelector('data').value)]);
"""

FIGURES = """
return {now: Number(document.documentElement.dataset.now),
        figures: [...document.querySelectorAll('data[data-key]')]
          .map((e) => [e.dataset.key, e.value, e.title, e.textContent])};
"""


def at_key(document, key):
    return functools.reduce(lambda at, name: at[int(name)] if isinstance(at, list) else at[name], key.split("."),
                            document)


def bytes_of(text):
    """What a person would take "63.5 KiB" for."""
    number, unit = text.split()
    return float(number) * 1024 ** ["B", "KiB", "MiB", "GiB", "TiB"].index(unit)


class PageCase(unittest.TestCase):
    settings = SHORT
    expected_console = ()

    @classmethod
    def setUpClass(cls):
        cls.service = Service(cls.settings).start()
        cls.addClassCleanup(lambda: cls.service.kill())
        cls.browser = Browser()
        cls.addClassCleanup(lambda: cls.browser.__exit__())
        cls.push_some()
        cls.browser.open(cls.service.data_url + "/")

    @classmethod
    def tearDownClass(cls):
        cls.service.stop()

    def tearDown(self):
        self.assertEqual(self.browser.console()[:3], [])
        for url in self.browser.requested():
            self.assertEqual(urllib.parse.urlsplit(url).netloc, self.service.data_url.removeprefix("http://"), url)

    @classmethod
    def push(cls, body, *arguments):
        reply = curl(cls.service.data_url + "/v1/push", *arguments, body=body)
        assert reply.status == 200, reply

    @classmethod
    def push_some(cls):
        seeded = random.Random(1)
        lines = "".join(f'http_requests_total{{route="/r{i % 7}",instance="host-{i}"}} {seeded.randint(1, 9)}\n'
                        for i in range(2000))
        cls.push(lines.encode(), *TEXT)
        values = [{"name": "http_request_seconds", "kind": "histogram", "labels": {"route": f"/r{i % 7}"},
                   "values": [seeded.lognormvariate(-4, 1) for _ in range(9)]} for i in range(70)]
        cls.push(bodies.ndjson(*values), *NDJSON)

    def query(self, **fields):
        """Fills the box and draws by Enter. What it then says."""
        for name in ("metric", "fn", "by", "without", "match", "from", "step"):
            self.browser.fill(f"#query-{name}", fields.get(name, ""))
        self.browser.script("document.querySelector('#query-said').textContent = ''")
        self.browser.find("#query-metric").send_keys(Keys.ENTER)
        self.browser.await_that(lambda: self.browser.text("#query-said") not in ("", "asking…"), "an answer to the query")
        return self.browser.text("#query-said")

    def shoot(self, name):
        if SCREENSHOTS is not None:
            self.browser.screenshot(SCREENSHOTS / f"{name}.png")


class Page(PageCase):
    def test_the_numbers_are_those_of_memory(self):
        """Each figure with a key is the one of the answer the page drew, and reads as such."""
        seen = self.browser.script(FIGURES)
        memory = next(document for document in map(json.loads, self.browser.bodies("/memory"))
                      if document["now"] == seen["now"])
        self.assertGreater(len(seen["figures"]), 120)
        for key, value, title, text in seen["figures"]:
            expected = at_key(memory, key)
            self.assertEqual(float(value), expected, key)
            if key.endswith("_bytes"):
                self.assertEqual(title, f"{expected:,} bytes", key)
                self.assertLessEqual(abs(bytes_of(text) - expected), expected * 0.006, (key, text))
        keys = {key for key, *_ in seen["figures"]}
        self.assertLessEqual({"budget.limit_bytes", "process.rss_bytes", "live_bytes", "peak_bytes"}, keys)
        for index in range(len(memory["pools"])):
            self.assertLessEqual({f"pools.{index}.live_bytes", f"pools.{index}.peak_bytes"}, keys)

    def test_the_numbers_go_on(self):
        before = self.browser.script(FIGURES)["now"]
        self.browser.await_that(lambda: self.browser.script(FIGURES)["now"] > before, "a second answer", 8)

    def test_the_bar_is_the_plan(self):
        """Parts as wide as they are in the plan, fills as far as the pool is."""
        memory = self.service.memory()
        parts = self.browser.script("""
            const bar = document.querySelector('#bar').getBoundingClientRect();
            return [...document.querySelectorAll('#bar .part')].map((part) => {
              const width = part.getBoundingClientRect().width;
              const live = part.querySelector('.live')?.getBoundingClientRect().width ?? 0;
              return [part.querySelector('.name').textContent, width / bar.width, live / width];
            });""")
        planned = [(pool["name"], pool["capacity_bytes"]) for pool in memory["pools"] if pool["capacity_bytes"] > 0]
        planned += [(part["part"], part["bytes"]) for part in memory["plan"] if part["part"] != "region"]
        self.assertIn(0, [pool["capacity_bytes"] for pool in memory["pools"]], "one of no bytes has no part")
        limit = memory["budget"]["limit_bytes"]
        self.assertEqual([name for name, *_ in parts], [name for name, _ in planned])
        for (name, width, _), (_, size) in zip(parts, planned):
            self.assertAlmostEqual(width, size / limit, delta=0.0001, msg=name)
        sum_of_parts = sum(width for _, width, _ in parts)
        self.assertAlmostEqual(sum_of_parts, sum(size for _, size in planned) / limit, delta=0.0002)
        self.assertLessEqual(sum_of_parts, 1)
        fills = {name: live for name, _, live in parts}
        self.assertAlmostEqual(fills["own"], 1, delta=0.1)
        self.assertLess(fills["cache"], 0.2)

    def test_charts_are_drawn(self):
        def drawn():
            plots = self.browser.find_all("#history .plot")
            return len(plots) == 4 and all(
                self.browser.script(PIXELS, plot, colour) >= least for plot, (colour, least) in zip(plots, lines))
        # of one window there is a dot
        lines = (("--resident", 6), ("--live", 6)) * 2
        self.browser.await_that(drawn, "four charts")
        for words in self.browser.texts("#history .words"):
            self.assertRegex(words, r"^last [\d.]+ [KM]iB, min [\d.]+ [KM]iB, max [\d.]+ [KM]iB$")
        for plot in self.browser.find_all("#history .plot"):
            self.assertRegex(plot.get_attribute("aria-label"), r"^(Resident|Live), last .*: last .* max .*")

    def test_a_chart_by_the_keyboard(self):
        self.test_charts_are_drawn()
        self.assertTrue(self.browser.tab_to("#history .plot"))
        self.browser.keys(Keys.ARROW_LEFT)
        self.assertRegex(self.browser.text("#history .words"), r"^(\d{4}-\d\d-\d\d )?\d\d:\d\d:\d\d: [\d.]+ [KM]iB")
        self.browser.keys(Keys.TAB)
        self.assertRegex(self.browser.text("#history .words"), "^last ")

    def test_the_query_box_draws(self):
        said = self.query(metric="http_requests_total", by="route", **{"from": "-5m"})
        self.assertIn("counter", said)
        self.assertIn("7 series", said)
        for line in ("--line-0", "--line-6"):
            self.assertGreater(self.browser.script(PIXELS, self.browser.find("#query-chart .plot"), line), 5, line)
        labels = self.browser.texts("#query-rows tbody th")
        self.assertEqual(sorted(labels), [f'{{route="/r{i}"}}' for i in range(7)])
        self.assertIn("#query?metric=http_requests_total", self.browser.script("return location.hash"))

    def test_matchers_a_line_each(self):
        self.query(metric="http_requests_total", by="route", match='route!=/r1\nroute=~/r[0-3]')
        self.assertEqual(sorted(self.browser.texts("#query-rows tbody th")), [f'{{route="/r{i}"}}' for i in (0, 2, 3)])

    def test_a_query_in_the_address(self):
        self.browser.script("location.hash = arguments[0]", "#query?metric=http_request_seconds&fn=p99&from=-5m")
        self.browser.await_that(lambda: "histogram, p99, 1 series" in self.browser.text("#query-said"), "its answer")

    def test_bad_queries_say_why(self):
        """The service's own words; and what was drawn before is gone."""
        self.query(metric="http_requests_total", **{"from": "-5m"})
        for fields, reason in (({"fn": "p99"}, "a counter has sum"), ({"from": "yesterday"}, "from"), ({"match": "route=~("}, "regular expression")):
            said = self.query(**{"metric": "http_requests_total", "from": "-5m", **fields})
            self.assertIn(reason, said, self.browser.script("return location.hash"))
            self.assertIn("bad", self.browser.find("#query-said").get_attribute("class"))
            self.assertFalse(self.browser.is_shown("#query-rows"))
            self.assertEqual(self.browser.find_all("#query-chart .plot"), [])
        for line in self.browser.console():  # of a refused fetch the browser itself tells
            self.assertRegex(line, r"/v1/query\?.*status of 4\d\d")

    def test_no_such_metric(self):
        self.assertIn("there is no metric of that name", self.query(metric="nobody_pushed_this"))

    def test_a_pool_by_its_name(self):
        self.browser.click('[data-pool="series"]')
        self.browser.await_that(lambda: "1 series" in self.browser.text("#query-said"), "the pool's past")
        self.assertEqual(self.browser.find("#query-match").get_attribute("value"), "pool=series")

    def test_markup_stays_text(self):
        title = self.browser.driver.title
        sample = {"name": "hostile", "kind": "counter", "labels": {"l": HOSTILE, "m": MARKUP}, "value": 1}
        self.push(bodies.ndjson(sample), *NDJSON)
        time.sleep(1.2)
        self.query(metric="hostile", by="l,m", **{"from": "-1m"})
        text = self.browser.text("#query-rows tbody th")
        self.assertIn(HOSTILE, text)
        self.assertIn(MARKUP, text)
        self.query(metric=MARKUP)
        self.assertEqual(self.browser.find_all("img, main script, main [onerror]"), [])
        self.assertEqual(self.browser.driver.title, title)
        for line in self.browser.console():
            self.assertRegex(line, r"/v1/query\?.*status of 4\d\d")

    def test_markup_stays_text_wherever_it_stands(self):
        script = HOSTILE_ANSWERS.replace("MARKUP", json.dumps(MARKUP))
        self.browser.driver.get("about:blank")
        added = self.browser.driver.execute_cdp_cmd("Page.addScriptToEvaluateOnNewDocument", {"source": script})
        try:
            self.browser.open(self.service.data_url + "/")
            self.query(metric="http_requests_total", by="route")
            for place in ("#status", "#pools", "#metrics-table", "#labels-table", "#retention-table", "#cache",
                          "#requests-table", "#query-rows", "#query-chart figcaption"):
                self.browser.await_that(lambda place=place: MARKUP in self.browser.text(place), place)
            self.assertEqual(self.browser.find_all("main img, main script, main [onerror], header img"), [])
        finally:
            self.browser.driver.execute_cdp_cmd("Page.removeScriptToEvaluateOnNewDocument", added)
            self.browser.driver.get("about:blank")
            self.browser.open(self.service.data_url + "/")

    def test_cardinality(self):
        self.browser.await_that(lambda: "http_requests_total" in self.browser.texts("#metrics-table tbody th"), "metrics")
        row = self.browser.texts('#metrics-table tbody tr:first-child > *')
        self.assertEqual(row[:3], ["http_requests_total", "counter", "2,000"])
        self.assertIn("route", self.browser.texts("#labels-table tbody th"))

    def test_landmarks_and_headings(self):
        for selector in ("header h1", "main#main", "nav[aria-label]", "footer", "a.skip", "[aria-live=polite]#status"):
            self.assertTrue(self.browser.find_all(selector), selector)
        self.assertEqual(self.browser.script(
            "return [...document.querySelectorAll('section')].filter((s) => !document.getElementById(s.getAttribute('aria-labelledby'))).length"), 0)
        self.assertEqual(self.browser.script(
            "return [...document.querySelectorAll('thead th')].filter((cell) => cell.scope !== 'col').length"), 0)
        unnamed = "return [...document.querySelectorAll('input, select, textarea')].filter((e) => e.offsetParent && e.labels.length === 0).map((e) => e.id)"
        self.assertEqual(self.browser.script(unnamed), [])

    def test_the_skip_link_is_first(self):
        self.browser.driver.get("about:blank")
        self.browser.open(self.service.data_url + "/")
        self.browser.keys(Keys.TAB)
        self.assertTrue(self.browser.script("return document.activeElement.matches('a.skip')"))
        self.browser.keys(Keys.ENTER)
        self.assertEqual(self.browser.script("return document.activeElement.id"), "main")

    def test_light_and_dark(self):
        grounds = {}
        for scheme in ("light", "dark"):
            self.browser.scheme(scheme)
            grounds[scheme] = self.browser.script("return getComputedStyle(document.body).backgroundColor")
            self.check_contrast(scheme)
        self.browser.scheme("light")
        self.assertNotEqual(grounds["light"], grounds["dark"])

    def check_contrast(self, scheme):
        """Words against the card they stand on: at least 4.5 to 1 (WCAG AA)."""
        colours = self.browser.script("""
            const of = (name) => {
              const probe = document.createElement('p');
              probe.style.color = `var(--${name})`;
              document.body.append(probe);
              const text = getComputedStyle(probe).color;
              probe.remove();
              return text.match(/\\d+/g).slice(0, 3).map(Number);
            };
            return Object.fromEntries(['card', 'page', 'ink', 'quiet', 'accent', 'good', 'warn', 'bad'].map((n) => [n, of(n)]));""")
        for name in ("ink", "quiet", "accent", "good", "warn", "bad"):
            for ground in ("card", "page"):
                self.assertGreaterEqual(contrast(colours[name], colours[ground]), 4.5, (scheme, name, ground))

    def test_narrow(self):
        """Nothing is wider than the screen, at any width."""
        self.query(metric="http_requests_total", by="instance", match="instance=~host-1..", **{"from": "-5m"})
        for width in (360, 390, 768, 1024, 1920):
            self.browser.size(width)
            self.browser.await_that(
                lambda: self.browser.script("return document.documentElement.scrollWidth <= innerWidth"),
                f"no scrolling sideways at {width}", 3)
            self.assertEqual(self.browser.script(TOO_WIDE), [], width)
            self.assertEqual(self.browser.script("return innerWidth"), width)
        self.browser.size(1280)


def luminance(colour):
    parts = [c / 255 for c in colour]
    linear = [c / 12.92 if c <= 0.03928 else ((c + 0.055) / 1.055) ** 2.4 for c in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(a, b):
    low, high = sorted((luminance(a), luminance(b)))
    return (high + 0.05) / (low + 0.05)


class Pictures(PageCase):
    """A page with a minute of past, as screenshots."""

    def test_pictures(self):
        if SCREENSHOTS is None:
            self.skipTest("no --screenshots")
        for _ in range(70):
            self.push_some()
            time.sleep(1)
        held = curl(self.service.data_url + "/v1/query?metric=http_requests_total&fn=rate")
        self.assertEqual(held.status, 200)
        self.browser.open(self.service.data_url + "/#query?metric=http_request_seconds&fn=p99&by=route&from=-1m&step=2s")
        self.browser.driver.refresh()
        self.browser.await_that(lambda: "7 series" in self.browser.text("#query-said"), "the query's answer")
        for name, width, scheme in (("light", 1280, "light"), ("dark", 1280, "dark"), ("phone", 390, "light")):
            self.browser.size(width)
            self.browser.scheme(scheme)
            time.sleep(0.5)
            self.shoot(name)
        self.browser.size(1280)


class Snapshots(PageCase):
    def take(self, press):
        before = len(self.browser.texts("#diff-from option"))
        press()
        self.browser.await_that(lambda: len(self.browser.texts("#diff-from option")) > before, "a snapshot")
        return self.browser.script("return document.querySelector('#diff-from').value")

    def grow(self, count):
        self.push("".join(f'grown_total{{i="{time.monotonic_ns()}-{i}"}} 1\n' for i in range(count)).encode(), *TEXT)

    def compare(self, press):
        self.browser.script("document.querySelector('#diff caption').textContent = ''")
        press()
        self.browser.await_that(lambda: self.browser.text("#diff caption") != "", "a difference")
        return dict(self.browser.script(DIFF_ROWS))

    def test_by_click(self):
        self.take(lambda: self.browser.click("#snapshot-take"))
        before = self.service.pools()["series"]["live_bytes"]
        self.grow(500)
        grown = self.service.pools()["series"]["live_bytes"] - before
        rows = self.compare(lambda: self.browser.click("#diff-show"))
        self.assertEqual(rows["series"], grown)
        self.assertIn("live", self.browser.text("#diff caption"))

    def test_by_keyboard(self):
        self.browser.script("document.activeElement.blur()")
        self.take(lambda: self.browser.tab_to("#snapshot-take") and self.browser.keys(Keys.ENTER))
        self.grow(300)
        rows = self.compare(lambda: self.browser.tab_to("#diff-show") and self.browser.keys(Keys.SPACE))
        self.assertGreater(rows["series"], 0)

    def test_between_two(self):
        first = self.take(lambda: self.browser.click("#snapshot-take"))
        self.grow(200)
        second = self.take(lambda: self.browser.click("#snapshot-take"))
        self.grow(700)
        self.browser.script("for (const [id, value] of arguments[0]) document.getElementById(id).value = value",
                            [["diff-from", first], ["diff-to", second]])
        between = self.compare(lambda: self.browser.click("#diff-show"))["series"]
        self.browser.script("document.getElementById('diff-to').value = 'now'")
        self.assertGreater(self.compare(lambda: self.browser.click("#diff-show"))["series"], between)

    def test_a_new_peak_period(self):
        self.browser.click("#peaks-reset")
        self.browser.await_that(lambda: "All-time" in self.browser.text("#peaks-said"), "a new period")


class Spoiled(PageCase):
    """Answers that are refused, slow, or not what they should be."""

    def setUp(self):
        self.open_spoiled()
        self.await_section("#metrics-table tbody", "http_requests_total")

    def open_spoiled(self, rules=""):
        """Anew, with rules that hold from the first answer on."""
        self.browser.driver.get("about:blank")
        added = self.browser.driver.execute_cdp_cmd("Page.addScriptToEvaluateOnNewDocument",
                                                    {"source": SPOILED_ANSWERS + rules})
        self.browser.driver.get(self.service.data_url + "/")
        self.browser.driver.execute_cdp_cmd("Page.removeScriptToEvaluateOnNewDocument", added)
        self.browser.await_that(lambda: self.browser.state() != "waiting", "the first answer")

    def tearDown(self):
        self.browser.driver.get("about:blank")
        for line in self.browser.console():  # failures that are no refusals are told to the console, too
            self.assertRegex(line, r"TypeError|SyntaxError")

    def rule(self, path, rule):
        self.browser.script(f"rules[arguments[0]] = {rule}", path)

    def await_section(self, selector, text):
        self.browser.await_that(lambda: text in self.browser.text(selector), f"{text} in {selector}")

    def asked(self, start):
        return [line for line in self.browser.script("return asked") if line.startswith(start)]

    def say_of_banner(self):
        return self.browser.text("#banner") if self.browser.is_shown("#banner") else ""

    def test_a_refused_section_stops_no_other(self):
        """Neither now nor at the start; its card says why, and keeps what it had."""
        self.rule("/memory/holders", "{status: 503}")
        self.await_section("#requests .problem", "Refused: spoiled on purpose")
        self.assertTrue(self.browser.find_all("#requests-table tbody td"), "the last figures")
        self.assertEqual((self.browser.state(), self.say_of_banner()), ("fresh", ""))
        self.open_spoiled("for (const path of ['/memory/holders', '/memory/trend', '/v1/query']) rules[path] = {status: 500};")
        for card in ("requests", "verdict", "time"):
            self.await_section(f"#{card}", "Refused: spoiled on purpose")
        for selector, text in (("#doctor", "memory"), ("#labels-table", "route")):
            self.await_section(selector, text)
        self.assertEqual((self.browser.state(), self.say_of_banner()), ("fresh", ""))
        self.rule("/memory/holders", "undefined")
        self.browser.await_that(lambda: not self.browser.is_shown("#requests .problem"), "that it is well again")

    def test_the_verdict_is_asked_before_the_past(self):
        paths = [line.split("?")[0] for line in self.browser.script("return asked")]
        order = [paths.index(f"GET {path}") for path in ("/memory/trend", "/memory/doctor", "/v1/query")]
        self.assertEqual(order, sorted(order))

    def test_a_page_that_fails_still_asks(self):
        """An answer of another shape, from the first on: the banner stays, and the query box works."""
        self.open_spoiled("rules['/memory'] = {body: '{}'};")
        self.browser.await_that(lambda: "This page failed" in self.say_of_banner(), "the banner")
        self.assertIn("7 series", self.query(metric="http_requests_total", by="route"))
        time.sleep(2.5)
        self.assertIn("This page failed", self.say_of_banner())
        self.rule("/memory", "undefined")
        self.browser.await_that(lambda: self.browser.state() == "fresh", "that it is well again")
        self.assertEqual(self.say_of_banner(), "")
        self.rule("/memory", "{body: '{}'}")
        self.browser.await_that(lambda: "This page failed" in self.say_of_banner(), "the banner")
        time.sleep(2.5)
        self.assertIn("This page failed", self.say_of_banner())

    def test_an_answer_that_is_no_json(self):
        self.rule("/memory", "{body: 'hello'}")
        self.browser.await_that(lambda: "the answer is no JSON" in self.say_of_banner(), "the banner")
        self.rule("/v1/query", "{body: 'hello'}")
        self.assertIn("the answer is no JSON", self.query(metric="http_requests_total"))

    def test_memory_refused_names_the_operator(self):
        self.rule("/memory", "{status: 503}")
        self.browser.await_that(lambda: "; the operator listener answers" in self.say_of_banner(), "the banner")
        self.open_spoiled("rules['/v1/config'] = {edit: ({settings}) => { settings.operator_listen.value = '127.0.0.1:8081'; }};")
        self.await_section("#metrics-table tbody", "http_requests_total")
        self.rule("/memory", "{status: 503}")
        self.browser.await_that(lambda: "the operator listener, 127.0.0.1:8081, answers" in self.say_of_banner(),
                                "the banner with the address")
        self.assertEqual(self.browser.state(), "gone")

    def test_missing_figures_are_dashes(self):
        self.open_spoiled("""rules['/memory'] = {edit: (memory) => {
            memory.process.rss_bytes = null;
            delete memory.process.malloc;
            delete memory.budget.limit_bytes;
            delete memory.peak_at;
            memory.pools[0].live_bytes = null;
            memory.cache.hits_total = null;
        }};""")
        tiles = self.browser.texts("#tiles > div")
        self.assertIn("limit–", tiles[0])
        self.assertIn("resident––, peak", tiles[1])
        self.assertIn("heap unexplained –", tiles[4])
        self.assertNotRegex(self.browser.text("main"), "NaN|undefined|null|Infinity|Invalid")
        self.assertEqual((self.browser.state(), self.say_of_banner()), ("fresh", ""))

    def test_shares_are_neither_nothing_nor_all(self):
        self.rule("/v1/query", """{edit: (answer) => {
            answer.relative_error = 0.0101;
            answer.held_from = 1e9;
            answer.notes = ['nothing is held from before held_from'];
        }}""")
        said = self.query(metric="http_request_seconds", fn="p99")
        self.assertIn("off by at most 1.1 %", said)
        self.assertRegex(said, r"from before 2001-09-\d\d \d\d:46:40$")
        for resident, text in ((0.9999, "99 %, peak"), (1, "100 %, peak"), (0.0002, "< 0.1 %, peak")):
            self.rule("/memory", f"{{edit: (m) => {{ m.process.rss_bytes = {resident} * m.budget.limit_bytes; }}}}")
            self.await_section("#tiles", text)

    def test_the_heap_is_beside_what_is_live(self):
        self.rule("/memory/diff", """{edit: (diff) => {
            diff.from.live_bytes = 1 << 20;
            diff.to.live_bytes = 3 << 20;
            diff.rows.find((row) => row.pool === 'heap').live_bytes_diff = 5 << 20;
        }}""")
        self.browser.click("#snapshot-take")
        self.await_section("#snapshots-said", "taken at")
        self.browser.click("#diff-show")
        self.await_section("#diff caption", "+2 MiB live; the heap beside it +5 MiB")
        self.rule("/memory/diff", "{status: 404}")
        self.browser.click("#diff-show")
        self.await_section("#snapshots-said", "spoiled on purpose")
        self.assertFalse(self.browser.is_shown("#diff"))

    def test_buttons_wait(self):
        """One question at a time: pressed again meanwhile, nothing more is asked."""
        self.rule("/memory/snapshots", "{ms: 1500}")
        for _ in range(4):
            self.browser.click("#snapshot-take")
        self.assertEqual(self.browser.text("#snapshots-said"), "asking…")
        self.assertEqual(self.browser.find("#snapshot-take").get_attribute("aria-disabled"), "true")
        self.await_section("#snapshots-said", "taken at")
        self.assertEqual(self.browser.find("#snapshot-take").get_attribute("aria-disabled"), "false")
        self.assertEqual(len(self.asked("POST /memory/snapshots")), 1)

    def test_questions_do_not_pile_up(self):
        """Of those that are asked while one waits, the last is asked."""
        self.browser.script("asked.length = 0; rules['/v1/query'] = {ms: 1500}")
        for metric in ("a_total", "b_total", "c_total", "http_requests_total"):
            self.browser.fill("#query-metric", metric)
            self.browser.find("#query-metric").send_keys(Keys.ENTER)
        self.await_section("#query-said", "counter")
        box = [line for line in self.asked("GET /v1/query") if "mayfly_" not in line]
        self.assertEqual(len(box), 2, box)
        self.assertIn("http_requests_total", box[1])

    def await_history(self):
        asked = len(self.asked("GET /v1/query"))
        self.browser.await_that(lambda: len(self.asked("GET /v1/query")) >= asked + 2, "a refresh of the charts")
        time.sleep(0.3)

    def times_of_first_chart(self):
        """Along its axis; the other charts' axes go on with the time."""
        return self.browser.script("return [...document.querySelector('#history .plot')"
                                   ".querySelectorAll('.dygraph-axis-label-x')].map((e) => e.textContent)")

    def test_a_refresh_keeps_the_zoom(self):
        plot = "#history .plot"
        self.browser.await_that(lambda: self.browser.is_shown(plot), "the first chart")
        whole = self.times_of_first_chart()
        self.browser.drag(plot, -60, 60)
        zoomed = self.times_of_first_chart()
        self.assertNotEqual(zoomed, whole)
        self.await_history()
        self.assertEqual(self.times_of_first_chart(), zoomed)
        self.browser.double_click(plot)
        self.browser.await_that(lambda: self.times_of_first_chart() != zoomed, "the whole again")

    def test_a_refresh_keeps_the_moment(self):
        plot = "#history .plot"
        self.browser.await_that(lambda: self.browser.is_shown(plot), "the first chart")
        self.browser.script("document.querySelector(arguments[0]).focus()", plot)
        self.browser.keys(Keys.ARROW_LEFT)
        words = self.browser.text("#history .words")
        self.assertNotIn("last", words)
        self.assertEqual(self.browser.find(plot).get_attribute("aria-valuetext"), words)
        self.await_history()
        moment, value = words.split(": ")
        self.assertEqual(self.browser.text("#history .words").split(": ")[0], moment)
        if value != "–":  # what was not sealed yet may have become a value
            self.assertEqual(self.browser.text("#history .words"), words)

    def test_a_refresh_keeps_focus_and_selection(self):
        self.browser.script("""
            document.querySelector('#pools [data-row="series"]').focus();
            getSelection().selectAllChildren(document.querySelector('#retention-table tbody'));
            window.row = document.querySelector('#retention-table tbody tr');
            window.pool = document.querySelector('#pools tbody tr');""")
        self.browser.await_that(lambda: not self.browser.script("return pool.isConnected"), "new rows of pools")
        self.assertTrue(self.browser.script("return row.isConnected"), "the rows that are selected")
        self.assertEqual(self.browser.script("return document.activeElement.dataset.row"), "series")

    def ask_by_address(self, question):
        self.browser.script("asked.length = 0; document.querySelector('#query-said').textContent = ''; "
                            "location.hash = arguments[0]", f"#query?{question}")
        self.browser.await_that(lambda: self.browser.text("#query-said") not in ("", "asking…"), question)
        return self.browser.text("#query-said")

    def test_an_address_is_asked_whole(self):
        """Or not at all: what the box cannot ask is refused, and no other question is asked for it."""
        said = self.ask_by_address("metric=http_request_seconds&fn=quantile(0.9)&without=instance&from=-5m")
        self.assertIn("quantile(0.9), 7 series", said)
        box = [line for line in self.asked("GET /v1/query") if "http_request_seconds" in line]
        self.assertIn("without=instance", box[0])
        for question, word in (("metric=http_requests_total&form=-5m", "form"), ("metric=a&metric=b", "metric")):
            self.assertRegex(self.ask_by_address(question), rf"^The address says {word}")
            self.assertFalse(self.browser.is_shown("#query-rows"))
            self.assertEqual([line for line in self.asked("GET /v1/query") if "mayfly_" not in line], [])


class Operator(PageCase):
    """The page from the operator's listener: what is not served there is not shown."""

    def tearDown(self):
        for line in self.browser.console():
            self.assertRegex(line, r"/v1/(config|cardinality) .*status of 404")
        for url in self.browser.requested():
            self.assertIn(urllib.parse.urlsplit(url).netloc,
                          (self.service.data_url.removeprefix("http://"), self.service.operator_url.removeprefix("http://")))

    def test_what_is_served_there(self):
        self.browser.driver.get("about:blank")
        self.browser.open(self.service.operator_url + "/")
        hidden = ("#time", "#query", "#cardinality", "#config-link", 'nav a[href="#query"]')
        self.browser.await_that(lambda: not any(self.browser.is_shown(place) for place in hidden), "only what is there")
        self.browser.await_that(lambda: self.browser.text("#doctor") != "", "the doctor")
        self.browser.await_that(lambda: not self.browser.find_all("#pools button.link"), "pools without a button")
        for place in ("#budget", "#verdict", "#pools-card", "#snapshots", "#requests", 'nav a[href="#verdict"]'):
            self.assertTrue(self.browser.is_shown(place), place)
        self.assertEqual((self.browser.state(), self.browser.find_all(".problem:not([hidden])")), ("fresh", []))
        self.browser.click("#snapshot-take")
        self.browser.await_that(lambda: "taken at" in self.browser.text("#snapshots-said"), "a snapshot")
        self.assertEqual(curl(self.service.operator_url + "/licenses/dygraphs").status, 200)


class Gone(PageCase):
    """A server that stops, and one that comes again at the same address."""

    def tearDown(self):
        for line in self.browser.console():  # only what a browser tells of a server that is gone
            self.assertRegex(line, r"ERR_CONNECTION_REFUSED|ERR_EMPTY_RESPONSE|ERR_CONNECTION_RESET|ERR_SOCKET")

    def test_it_says_so_and_recovers(self):
        service = type(self).service
        address = service.data_url.removeprefix("http://")
        service.stop()
        self.browser.await_that(lambda: self.browser.state() == "gone", "that it is gone", 12)
        self.assertTrue(self.browser.is_shown("#banner"))
        self.assertRegex(self.browser.text("#banner"), r"^No answer since \d\d:\d\d:\d\d$")
        self.assertNotEqual(self.browser.script("return getComputedStyle(document.querySelector('main')).filter"), "none")
        self.shoot("gone")
        type(self).service = Service({**self.settings, "listen": address}).start()
        self.browser.await_that(lambda: self.browser.state() == "fresh", "that it is back", 12)
        self.assertFalse(self.browser.is_shown("#banner"))
        start = self.service.memory()["start"]
        self.browser.await_that(lambda: json.loads(next(self.browser.bodies("/memory")))["start"] == start, "its figures")

    def test_one_that_hangs_is_stale(self):
        """It holds the connection and says nothing: figures get old before the question is given up."""
        import signal
        self.service.signal(signal.SIGSTOP)
        try:
            self.browser.await_that(lambda: self.browser.state() in ("stale", "gone"), "that it is stale", 20)
            self.assertTrue(self.browser.is_shown("#banner"))
            self.browser.await_that(lambda: "stale: of" in self.browser.text("#updated"), "its age", 20)
        finally:
            self.service.signal(signal.SIGCONT)
        self.browser.await_that(lambda: self.browser.state() == "fresh", "that it is back", 25)


class Drill(PageCase):
    """Leaks on purpose: the verdict turns, and the difference of two snapshots shows where."""

    settings = {**SHORT, "memory": "256MiB", "drills": "true", "trend.block": "2s"}

    def leak(self, **parameters):
        reply = curl(self.service.data_url + "/drills/leak?" + urllib.parse.urlencode(parameters), "-X", "POST")
        self.assertEqual(reply.status, 201, reply)
        self.addCleanup(curl, self.service.data_url + "/drills", "-X", "DELETE")

    def diff(self):
        """{pool: growth in bytes} since the snapshot."""
        self.browser.click("#diff-show")
        self.browser.await_that(lambda: self.browser.find_all("#diff .grown"), "the difference")
        return dict(self.browser.script(DIFF_ROWS))

    def test_a_list_that_nobody_empties_fills_its_pool(self):
        self.browser.click("#snapshot-take")
        self.browser.await_that(lambda: self.browser.texts("#diff-from option"), "a snapshot")
        self.leak(kind="global_list", bytes="300KiB", per="second")
        self.browser.await_that(lambda: "trend filling: drills" in self.browser.text("#status-text"), "the verdict", 60)
        self.browser.await_that(lambda: "global_list" in self.browser.texts("#drills tbody th"), "the drill's row")
        self.assertGreater(self.diff()["drills"], 300 << 10)
        self.browser.await_that(lambda: "filling" in self.browser.texts("#remarkable .verdict"), "its row")

    def test_what_a_request_held_is_a_leak(self):
        self.leak(kind="request_arena", bytes="300KiB", per="second")
        self.browser.await_that(
            lambda: self.browser.find("#status").get_attribute("data-status") == "leak_suspected", "the verdict", 60)
        self.browser.await_that(lambda: self.browser.find_all("#remarkable .is-leak"), "its row")
        self.assertIn("growth", self.browser.text("#status-text"))
        self.browser.await_that(lambda: "growth" in self.browser.text("#doctor"), "the doctor's words")
        self.assertIn("growth: it was not empty", self.browser.text("#reasons"))
        self.shoot("drill")
