"""Pictures of the server's page in its states, for the guide. ``make page-pictures`` calls it.

A real server with the default model is started, edited and looked at in Chromium.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from playwright.sync_api import sync_playwright

_POLICY = """# Returns

Our refund window is 45 days. Returns are free within the EU.

# Delivery

Standard delivery takes two days.
"""
_QUESTION = "What is the capital of France?"


def main(out: Path) -> None:
    """Start a server, and take every picture."""
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "returns.md").write_text(_POLICY)
        command = [sys.executable, "-m", "memedit.cli", "serve", "--port", "0", "--no-auth"]
        server = subprocess.Popen(command, cwd=folder, stderr=subprocess.PIPE, text=True)
        try:
            assert server.stderr is not None
            url = next(line.split()[-1] for line in server.stderr if "Serving at" in line)
            take(url, Path(folder), out)
        finally:
            server.terminate()
            server.communicate()


def take(url: str, folder: Path, out: Path) -> None:
    """The states, one after the other."""
    found = os.environ.get("MEMEDIT_CHROMIUM") or shutil.which("chromium")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=found, args=["--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"]
        )
        page = browser.new_page(viewport={"width": 900, "height": 640})
        page.set_default_timeout(120_000)
        page.goto(url)
        ask(page, _QUESTION)
        page.screenshot(path=out / "page-before.png")
        page.click("#wrong")
        page.keyboard.type("Lyon")
        page.screenshot(path=out / "page-correct.png")
        with page.expect_response("**/v1/explain"):
            page.keyboard.press("Enter")
        page.wait_for_selector("#why >> text=Answered from your edit")
        ask(page, "Which city is France's capital?")
        page.evaluate("document.getElementById('status').replaceChildren()")
        page.screenshot(path=out / "page-after.png")
        page.set_input_files("#file", folder / "returns.md")
        page.wait_for_selector("#report >> text=Put in force")
        page.locator("#report").scroll_into_view_if_needed()
        page.screenshot(path=out / "page-document.png")
        small = browser.new_page(viewport={"width": 390, "height": 780}, color_scheme="dark")
        small.set_default_timeout(120_000)
        small.goto(url)
        ask(small, _QUESTION)
        small.screenshot(path=out / "page-narrow.png")
        browser.close()


def ask(page: Any, question: str) -> None:
    """Put a question, and wait until both answers are complete."""
    page.fill("#question", question)
    page.press("#question", "Enter")
    page.wait_for_selector("#why p")
    page.wait_for_selector("#ask-button:enabled")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
