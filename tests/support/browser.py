"""A browser without a window, for tests of pages; they are skipped where there is none."""

from __future__ import annotations

import atexit
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from typing import Any

import pytest


@contextmanager
def browser(width: int = 1280) -> Iterator[Any]:
    """Yields a selenium driver of Chromium, on an empty page; all tests share one."""
    driver = _driver()
    driver.set_window_size(width, 900)
    driver.get_log("browser")  # What was logged before is told once.
    try:
        yield driver
    finally:
        driver.get("about:blank")


@cache
def _driver() -> Any:
    webdriver = pytest.importorskip("selenium.webdriver", reason="selenium is not installed")
    chromium = shutil.which("chromium") or shutil.which("google-chrome")
    chromedriver = shutil.which("chromedriver")
    if chromium is None or chromedriver is None:
        pytest.skip("there is no Chromium with its driver here")
    options = webdriver.ChromeOptions()
    options.binary_location = chromium
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    for word in ("headless=new", "no-sandbox", "disable-dev-shm-usage", "window-size=1280,900"):
        options.add_argument(f"--{word}")
    driver = webdriver.Chrome(options=options, service=webdriver.ChromeService(chromedriver))
    atexit.register(driver.quit)
    return driver
