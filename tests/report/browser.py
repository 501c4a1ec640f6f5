"""Chromium, headless, driven by Selenium: what a page shows, says and asks for."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from shutil import which
from typing import Any

import pytest
from selenium import webdriver
from selenium.webdriver.chrome.options import Options
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.support.ui import WebDriverWait

CHROMIUM = which("chromium") or which("google-chrome")
DRIVER = which("chromedriver")
WIDE, PHONE = (1280, 900), (390, 844)
SECTIONS = ("overview", "board", "schedule", "graph", "flow", "ageing", "changes")
# Without them Chromium looks for its maker's hosts.
FLAGS = (
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-dev-shm-usage",
    "--hide-scrollbars",
)

needs_chromium = pytest.mark.skipif(
    not (CHROMIUM and DRIVER),
    reason="Chromium is not here: apt-get install chromium chromium-driver",
)


class Page:
    """A page in the browser."""

    def __init__(self, driver: webdriver.Chrome) -> None:
        self.driver = driver

    def open(
        self, path: Path, size: tuple[int, int] = WIDE, *, scheme: str = "light", draw: bool = True
    ) -> None:
        """Open a file at this size, and draw all sections."""
        width, height = size
        command = self.driver.execute_cdp_cmd
        metrics = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": size < WIDE}
        command("Emulation.setDeviceMetricsOverride", metrics)
        preferred = {"name": "prefers-color-scheme", "value": scheme}
        still = {"name": "prefers-reduced-motion", "value": "reduce"}
        command("Emulation.setEmulatedMedia", {"features": [preferred, still]})
        self.driver.get("about:blank")
        self.driver.get_log("browser")  # type: ignore[no-untyped-call]
        self.driver.get_log("performance")  # type: ignore[no-untyped-call]
        self.driver.get(path.as_uri())
        self.wait("return performance.getEntriesByName('interactive').length > 0")
        self.wait("return document.querySelector('#forecast-body').childElementCount > 0")
        if draw:
            self.run("window.dispatchEvent(new Event('beforeprint'))")

    def run(self, script: str, *arguments: object) -> Any:
        """Run JavaScript in the page and return what it returns."""
        return self.driver.execute_script(script, *arguments)

    def wait(self, script: str) -> None:
        """Wait until JavaScript returns what is true."""
        WebDriverWait(self.driver, 30, poll_frequency=0.05).until(lambda _: self.run(script))

    def texts(self, selector: str) -> list[str]:
        """Return the texts of the elements that a selector finds."""
        script = "return [...document.querySelectorAll(arguments[0])].map((e) => e.textContent)"
        found: list[str] = self.run(script, selector)
        return found

    def press(self, *keys: str) -> None:
        """Press keys one after the other, wherever the focus is."""
        for key in keys:
            self.driver.switch_to.active_element.send_keys(key)

    def focused(self, what: str = "id") -> str:
        """Return a property of the element that has the focus."""
        found: str = self.run("return document.activeElement[arguments[0]]", what)
        return found

    def complaints(self) -> list[str]:
        """Return what the console said since the page was opened."""
        entries = self.driver.get_log("browser")  # type: ignore[no-untyped-call]
        return [entry["message"] for entry in entries]

    def asked_for(self) -> list[str]:
        """Return the addresses that were asked for since the page was opened."""
        entries = self.driver.get_log("performance")  # type: ignore[no-untyped-call]
        events = [json.loads(entry["message"])["message"] for entry in entries]
        sent = [each for each in events if each["method"] == "Network.requestWillBeSent"]
        return [each["params"]["request"]["url"] for each in sent]


@contextmanager
def open_browser() -> Generator[Page]:
    """Start Chromium with a profile of its own, and end it."""
    options = Options()
    options.binary_location = CHROMIUM or "chromium"
    with tempfile.TemporaryDirectory() as profile:
        for flag in (*FLAGS, f"--user-data-dir={profile}"):
            options.add_argument(flag)
        logs = {"browser": "ALL", "performance": "ALL"}
        options.set_capability("goog:loggingPrefs", logs)
        driver = webdriver.Chrome(options=options, service=Service(DRIVER))
        try:
            yield Page(driver)
        finally:
            driver.quit()
