"""Pictures of every page of the dashboard, wide and narrow, light and dark: `make screenshots` writes screenshots/.

    python -m tests.dash.screenshots FOLDER [--readme DOCS]

--readme: also the two that README shows. Needs playwright and chromium.
"""

from __future__ import annotations

import argparse
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.conftest import ROOT
from tests.dash.house import make

ITEMS = 4000
PAGES = {
    "home": "/", "job": "/job/dml", "failures": "/failures", "runs": "/runs", "limits": "/limits", "stale": "/stale",
    "tables": "/rivus", "table": "/rivus/job_dml?_sort_desc=published",
}  # fmt: skip
WIDTHS = {"wide": (1280, 900), "narrow": (390, 844)}
README = {"dashboard-home": ("/", "light"), "dashboard-job": ("/job/dml", "dark")}


@contextmanager
def served(root: Path) -> Iterator[str]:
    """The address of a dashboard over a house in `root`."""
    make(root, ITEMS)
    command = [sys.executable, "-m", "rivus.commands", "rivus-dash", "--port", "0"]
    process = subprocess.Popen(command, cwd=root, env={"PYTHONPATH": str(ROOT)}, stderr=subprocess.PIPE, text=True)
    try:
        assert process.stderr is not None
        yield process.stderr.readline().partition(" ")[2].strip().rstrip("/")
    finally:
        process.kill()
        process.wait()


def take(browser: Any, url: str, file: Path, size: tuple[int, int], scheme: str, whole: bool = True) -> None:
    """One picture of a page. whole: to its end, else only what the window shows."""
    width, height = size
    context = browser.new_context(viewport={"width": width, "height": height}, color_scheme=scheme)
    page = context.new_page()
    page.goto(url)
    page.screenshot(path=file, full_page=whole)
    context.close()


def take_all(browser: Any, home: str, folder: Path) -> None:
    """Every page, an item that is held and its kind of failure."""
    page = browser.new_page()
    page.goto(f"{home}/job/dml?extract_state=held")
    item = page.locator("th.first a").first.get_attribute("href")
    page.goto(f"{home}{item}")
    group = page.locator(".reasons a:text('all of this kind')").first.get_attribute("href")
    for name, path in {**PAGES, "item": item, "group": group}.items():
        for width, size in WIDTHS.items():
            for scheme in ("light", "dark"):
                take(browser, f"{home}{path}", folder / f"{name}-{width}-{scheme}.png", size, scheme)


def main() -> None:
    from playwright.sync_api import sync_playwright

    parser = argparse.ArgumentParser()
    parser.add_argument("folder", type=Path)
    parser.add_argument("--readme", type=Path)
    given = parser.parse_args()
    given.folder.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as root, served(Path(root)) as home, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox"])
        take_all(browser, home, given.folder)
        for name, (path, scheme) in README.items() if given.readme else ():
            take(browser, f"{home}{path}", given.readme / f"{name}.png", (1080, 640), scheme, whole=False)
        browser.close()


if __name__ == "__main__":
    main()
