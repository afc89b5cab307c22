"""A real browser: the Chromium that the system has, and what axe-core finds in a page of it."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import expect, sync_playwright

from tests.helpers import missing

BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")


@contextmanager
def chromium() -> Iterator[Any]:
    """Headless Chromium."""
    path = os.environ.get("MEMEDIT_CHROMIUM") or next(filter(None, map(shutil.which, BROWSERS)), "")
    if not path:
        missing("no Chromium: apt-get install chromium, or set MEMEDIT_CHROMIUM")
    expect.set_options(timeout=120_000)
    with sync_playwright() as playwright:
        options = ["--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"]
        running = playwright.chromium.launch(executable_path=path, args=options, timeout=120_000)
        yield running
        running.close()


def breaches(page: Any) -> list[str]:
    """What axe-core finds wrong with a page as it is, and where: serious and critical alone."""
    found = Axe().run(page).response["violations"]
    return [
        f"{each['id']}: {each['nodes'][0]['html']}"
        for each in found
        if each["impact"] in ("serious", "critical")
    ]
