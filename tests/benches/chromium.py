"""A headless Chromium that a test looks through, where Debian's chromium and chromium-driver are installed."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from selenium import webdriver
from selenium.common.exceptions import StaleElementReferenceException
from selenium.webdriver.chrome.options import Options
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.common.by import By
from selenium.webdriver.remote.webelement import WebElement
from selenium.webdriver.support.ui import WebDriverWait

FLAGS = (
    "--headless=new", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync", "--mute-audio", "--disable-dev-shm-usage",
    # As root, in a container, there is no other way.
    "--no-sandbox",
)  # fmt: skip
PATIENCE_SECONDS = 30.0


class Window:
    """One browser. ``at`` finds one element by a CSS selector, ``sees`` waits for a text to stand in it."""

    def __init__(self, driver: webdriver.Chrome) -> None:
        self.driver = driver

    def at(self, selector: str) -> WebElement:
        return self.driver.find_element(By.CSS_SELECTOR, selector)

    def all(self, selector: str) -> list[WebElement]:
        return self.driver.find_elements(By.CSS_SELECTOR, selector)

    def sees(self, selector: str, text: str) -> None:
        # An element may go away between being found and being read: the page is changing.
        wait = WebDriverWait(self.driver, PATIENCE_SECONDS, 0.05, [StaleElementReferenceException])
        wait.until(
            lambda _: any(text in each.text for each in self.all(selector)), f"{text!r} never stood in {selector}"
        )

    def types_into(self, name: str) -> WebElement:
        """The element of the id ``name`` once whatever is typed goes there: the browser moves there after loading."""
        wait = WebDriverWait(self.driver, PATIENCE_SECONDS, 0.05, [StaleElementReferenceException])
        wait.until(
            lambda driver: driver.switch_to.active_element.get_attribute("id") == name, f"nobody types into {name}"
        )
        return self.driver.switch_to.active_element

    def looks(self, *, width: int, height: int, scheme: str = "light") -> None:
        """``scheme``: light or dark."""
        size = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 600}
        self.driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
        media = {"features": [{"name": "prefers-color-scheme", "value": scheme}]}
        self.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", media)

    def complaints(self) -> list[str]:
        """What the console has of errors: a script that failed, a thing that the policy forbids."""
        return [str(each["message"]) for each in self.driver.get_log("browser") if each["level"] == "SEVERE"]


@contextmanager
def chromium(folder: Path) -> Iterator[Window]:
    """Its profile is in ``folder``. Skips the test where there is no Chromium."""
    browser, driver = shutil.which("chromium"), shutil.which("chromedriver")
    if browser is None or driver is None:
        pytest.skip("no headless browser (Debian: chromium, chromium-driver)")
    options = Options()
    options.binary_location = browser
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    for flag in (*FLAGS, f"--user-data-dir={folder}"):
        options.add_argument(flag)
    made = webdriver.Chrome(options=options, service=Service(driver))
    try:
        yield Window(made)
    finally:
        made.quit()
