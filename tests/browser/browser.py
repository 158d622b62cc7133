"""browser.py: Debian's chromium, driven headless; and what a test may ask of it.

    with Browser() as browser:
        browser.open(url)
        browser.await_that(lambda: browser.text("#status-word") == "OK")
"""
import json
import tempfile
import time

from selenium import webdriver
from selenium.webdriver.chrome.options import Options
from selenium.webdriver.chrome.service import Service as Driver
from selenium.webdriver.common.action_chains import ActionChains
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys

FLAGS = ("--headless=new", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
         "--disable-background-networking", "--disable-component-update", "--disable-sync")
DRIVER = "/usr/bin/chromedriver"

PATIENCE = 20.0
HEIGHT = 900
TALLEST = 6000


class Browser:
    def __init__(self):
        self.profile = tempfile.TemporaryDirectory(prefix="mayfly-chromium-")
        options = Options()
        for flag in (*FLAGS, f"--user-data-dir={self.profile.name}"):
            options.add_argument(flag)
        options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
        self.driver = webdriver.Chrome(options=options, service=Driver(DRIVER))
        self.events = []
        self.driver.execute_cdp_cmd("Emulation.setScrollbarsHidden", {"hidden": True})
        self.size(1280)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.driver.quit()
        self.profile.cleanup()

    # ---- what it looks like ----

    def size(self, width, height=HEIGHT):
        self.driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", {
            "width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 600})
        self.width = width

    def scheme(self, name):
        self.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {
            "features": [{"name": "prefers-color-scheme", "value": name}]})

    def screenshot(self, path):
        """The whole page, as high as it is."""
        self.size(self.width, min(TALLEST, self.script("return document.documentElement.scrollHeight")))
        time.sleep(0.4)  # charts are drawn anew
        self.driver.save_screenshot(str(path))
        self.size(self.width)

    # ---- where it is ----

    def open(self, url):
        self.driver.get(url)
        self.await_that(lambda: self.state() == "fresh", "the first figures")

    def state(self):
        return self.script("return document.documentElement.dataset.state")

    def script(self, text, *arguments):
        return self.driver.execute_script(text, *arguments)

    def find(self, selector):
        return self.driver.find_element(By.CSS_SELECTOR, selector)

    def find_all(self, selector):
        return self.driver.find_elements(By.CSS_SELECTOR, selector)

    def text(self, selector):
        return self.script("return document.querySelector(arguments[0]).textContent", selector)

    def texts(self, selector):
        return self.script("return [...document.querySelectorAll(arguments[0])].map((e) => e.textContent)", selector)

    def is_shown(self, selector):
        return self.find(selector).is_displayed()

    def await_that(self, holds, what, seconds=PATIENCE):
        deadline = time.monotonic() + seconds
        while not holds():
            assert time.monotonic() < deadline, f"not within {seconds} s: {what}; {self.console()[:3]}"
            time.sleep(0.05)

    # ---- what a person does ----

    def click(self, selector):
        element = self.find(selector)
        self.script("arguments[0].scrollIntoView({block: 'center'})", element)
        element.click()

    def drag(self, selector, from_x, to_x):
        """Of the element's middle."""
        element = self.find(selector)
        self.script("arguments[0].scrollIntoView({block: 'center'})", element)
        ActionChains(self.driver).move_to_element_with_offset(element, from_x, 0).click_and_hold().move_by_offset(
            to_x - from_x, 0).release().perform()

    def double_click(self, selector):
        ActionChains(self.driver).double_click(self.find(selector)).perform()

    def fill(self, selector, text):
        element = self.find(selector)
        element.clear()
        element.send_keys(text)

    def keys(self, *keys):
        self.driver.switch_to.active_element.send_keys(*keys)

    def tab_to(self, selector, most=200):
        """Presses Tab until that has the focus; False when it never has."""
        for _ in range(most):
            if self.script("return document.activeElement.matches(arguments[0])", selector):
                return True
            self.keys(Keys.TAB)
        return False

    # ---- what it says of itself ----

    def console(self):
        """Errors and warnings, violations of the policy among them; each is told once."""
        return [f"{entry['level']} {entry['message']}"[:300] for entry in self.driver.get_log("browser")
                if entry["level"] in ("SEVERE", "WARNING")]

    def network(self):
        """All (method, parameters) of the network since the browser was started."""
        for entry in self.driver.get_log("performance"):
            message = json.loads(entry["message"])["message"]
            if message["method"].startswith("Network."):
                self.events.append((message["method"], message["params"]))
        return self.events

    def requested(self):
        """The URLs of all requests; not those that stay within the browser."""
        urls = [parameters["request"]["url"] for method, parameters in self.network()
                if method == "Network.requestWillBeSent"]
        return [url for url in urls if not url.startswith(("data:", "chrome:", "about:"))]

    def bodies(self, path):
        """The answers to that path, the latest first, as far as the browser still has them."""
        ids = [parameters["requestId"] for method, parameters in self.network()
               if method == "Network.responseReceived" and parameters["response"]["url"].endswith(path)]
        for request_id in reversed(ids):
            try:
                yield self.driver.execute_cdp_cmd("Network.getResponseBody", {"requestId": request_id})["body"]
            except Exception:  # it is not complete yet, or gone already
                continue
