"""The dashboard in a real browser: all pages at all widths, dark and light, by keyboard and without scripts."""

from __future__ import annotations

import itertools
import re
import shutil
import urllib.request
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import pytest

pytest.importorskip("datasette")
pytest.importorskip("playwright", reason="needs playwright: pip install playwright")
pytest.importorskip("selectolax")

from selectolax.lexbor import LexborHTMLParser

from tests.conftest import House, World
from tests.dash.house import make
from tests.dash.test_serve import dash

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
pytestmark = pytest.mark.skipif(not CHROMIUM, reason="needs chromium")
PAGES = [
    "/", "/job/dml", "/job/dml?topic=earnings&_sort_desc=score", "/job/letters", "/failures", "/runs", "/limits",
    "/stale", "/rivus", "/rivus/items", "/rivus/job_dml?_sort_desc=published", "/rivus/failed_today", "/job/nope",
]  # fmt: skip
LINKS = 120
CONTRAST = """() => {
  const parts = (text) => (text.match(/[\\d.]+/g) || []).map(Number);
  const light = ([r, g, b]) => [r, g, b].map((one) => one / 255)
    .map((one) => one <= 0.03928 ? one / 12.92 : ((one + 0.055) / 1.055) ** 2.4)
    .reduce((sum, one, n) => sum + one * [0.2126, 0.7152, 0.0722][n], 0);
  const ground = (element) => {
    for (let one = element; one; one = one.parentElement) {
      const found = parts(getComputedStyle(one).backgroundColor);
      if (found.length === 3 || found[3] === 1) return found;
    }
    return [255, 255, 255];
  };
  const poor = [];
  for (const element of document.querySelectorAll("body *")) {
    const text = [...element.childNodes].some((one) => one.nodeType === 3 && one.textContent.trim());
    if (!text || element.closest("svg") || !element.checkVisibility()) continue;
    const [a, b] = [light(parts(getComputedStyle(element).color)), light(ground(element))];
    const ratio = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
    if (ratio < 4.5) poor.push(`${element.tagName}.${element.className} ${ratio.toFixed(2)}`);
  }
  return [...new Set(poor)];
}"""
"""Texts that are harder to read than WCAG 2 allows for small ones (AA: 4.5 to 1)."""


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    root = tmp_path_factory.mktemp("house")
    make(root, 2000)
    with dash(House(root)) as served:
        yield f"http://127.0.0.1:{served.at}"


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield browser
        browser.close()


class Watched:
    """A page of the browser that notes what it must not do."""

    def __init__(self, browser: Browser, home: str, **options: Any) -> None:
        self.home = home
        self.context = browser.new_context(**options)
        self.context.set_default_timeout(10_000)
        self.page: Page = self.context.new_page()
        self.wrong: list[str] = []
        self.page.on("console", lambda said: self._note(said.type, said.text))
        self.page.on("pageerror", lambda error: self.wrong.append(str(error)))
        self.page.on("request", lambda asked: self._origin(asked.url))

    def _note(self, kind: str, text: str) -> None:
        if kind in ("error", "warning") and "status of 404" not in text:
            self.wrong.append(text)

    def _origin(self, url: str) -> None:
        if not url.startswith(f"{self.home}/"):
            self.wrong.append(f"asked {url}")

    def go(self, path: str) -> Page:
        answer = self.page.goto(f"{self.home}{path}")
        assert answer is not None and answer.status < 500, path
        return self.page

    def __enter__(self) -> Watched:
        return self

    def __exit__(self, *_: object) -> None:
        self.context.close()


def an_item(watched: Watched, state: str) -> str:
    """The address of an item of dml whose extract is in this state."""
    found: str = watched.go(f"/job/dml?extract_state={state}").locator("th.first a").first.get_attribute("href") or ""
    assert found.startswith("/item/dml/")
    return found


def test_no_page_is_wider_than_its_window(browser: Browser, address: str) -> None:
    with Watched(browser, address) as watched:
        for path in [*PAGES, an_item(watched, "held"), an_item(watched, "done")]:
            page = watched.go(path)
            for width in (390, 800, 1280, 1600):
                page.set_viewport_size({"width": width, "height": 800})
                inner, needed = page.evaluate("[innerWidth, document.documentElement.scrollWidth]")
                assert needed <= inner == width, path
        assert watched.wrong == []


def test_on_a_narrow_screen_columns_stand_below_each_other(browser: Browser, address: str) -> None:
    tracks = "all => all.map((one) => getComputedStyle(one).gridTemplateColumns.split(' ').length)"
    with Watched(browser, address, viewport={"width": 390, "height": 800}) as watched:
        for path in ("/", "/limits", an_item(watched, "held")):
            found = watched.go(path).eval_on_selector_all("article.job, article.limit-card, .two", tracks)
            assert found and set(found) == {1}, path


def test_every_text_can_be_read(browser: Browser, address: str) -> None:
    schemes: tuple[Any, ...] = ("light", "dark")
    with Watched(browser, address) as watched:
        for path in [*PAGES, an_item(watched, "held")]:
            page = watched.go(path)
            for scheme in schemes:
                page.emulate_media(color_scheme=scheme)
                assert page.evaluate(f"matchMedia('(prefers-color-scheme: {scheme})').matches")
                assert page.evaluate(CONTRAST) == [], (path, scheme)


def test_dark_and_light_are_two_looks(browser: Browser, address: str) -> None:
    grounds = set()
    for scheme in ("light", "dark"):
        with Watched(browser, address, color_scheme=scheme) as watched:
            grounds.add(watched.go("/").evaluate("getComputedStyle(document.body).backgroundColor"))
    assert len(grounds) == 2


def test_a_person_comes_from_home_to_an_item_and_back(browser: Browser, address: str) -> None:
    with Watched(browser, address) as watched:
        page = watched.go("/")
        page.click("article.job h3 a:text-is('dml')")
        page.click(".stage:has-text('extract') a.state-held")
        page.click("th.first a >> nth=0")
        page.wait_for_url("**/item/dml/*")
        page.locator(".ticket .state-held").first.wait_for()
        page.click(".reasons a:text('all of this kind')")
        assert page.locator("h1").inner_text().startswith("parser_broken")
        for _ in range(4):
            page.go_back()
        assert page.url == f"{address}/" and watched.wrong == []


def test_every_link_leads_somewhere(browser: Browser, address: str) -> None:
    with Watched(browser, address) as watched:
        waiting, seen = [*PAGES[:-1], an_item(watched, "failed")], set(PAGES)
        opened: set[str] = set()
        for path in itertools.islice(waiting, LINKS):
            kind = path.partition("?")[0]
            found = asked(address, path) if kind in opened else followed(watched, path)
            opened.add(kind)
            kinds = {re.sub(r"\d+|=[^&]*", "", one): one for one in found if one.startswith("/")}
            waiting += [one for kind, one in kinds.items() if kind not in seen]
            seen |= kinds.keys()
        assert len(waiting) > 60 and len(opened) > 40 and watched.wrong == []


def followed(watched: Watched, path: str) -> list[str]:
    """The links of a page, opened in the browser."""
    if re.search(r"\.(json|csv)\b", path):
        return asked(watched.home, path)
    page = watched.go(path)
    assert "Not here" not in page.locator("h1").first.inner_text(), path
    links: list[str] = page.eval_on_selector_all("a[href]", "all => all.map((one) => one.getAttribute('href'))")
    return links


def asked(home: str, path: str) -> list[str]:
    """The same without the browser: enough for a page that it has opened with other parameters, and for data."""
    with urllib.request.urlopen(f"{home}{path}", timeout=30) as answer:
        text = answer.read()
    if answer.headers.get_content_type() != "text/html":
        return []
    page = LexborHTMLParser(text)
    assert "Not here" not in page.css("h1")[0].text(), path
    return [link.attributes["href"] or "" for link in page.css("a[href]")]


def test_a_command_is_copied_whole(browser: Browser, address: str) -> None:
    with Watched(browser, address, permissions=["clipboard-read", "clipboard-write"]) as watched:
        page = watched.go("/")
        page.click(".need.n-paused button.copy")
        page.wait_for_selector(".need.n-paused button:text('copied')")
        assert page.evaluate("navigator.clipboard.readText()") == "rivus-limit unpause earnings"


def test_without_scripts_everything_is_there_but_the_copy_buttons(browser: Browser, address: str) -> None:
    with Watched(browser, address, java_script_enabled=False) as watched:
        page = watched.go("/")
        assert not page.locator("button.copy").first.is_visible()
        page.click("article.job h3 a:text-is('letters')")
        page.click(".facet .pick >> nth=0")
        page.click("th.first a >> nth=0")
        page.wait_for_selector(".story li")
        page.click("summary:text('jobs')")
        page.click("details.jobs a:text-is('dml')")
        page.fill("input[name=_search]", "squeeze")
        page.click("button:text('search')")
        page.wait_for_url("**_search=squeeze*")
        assert "squeeze" in page.locator("th.first").first.inner_text()


def test_the_keyboard_reaches_the_content_first(browser: Browser, address: str) -> None:
    with Watched(browser, address) as watched:
        page = watched.go("/")
        page.keyboard.press("Tab")
        skip = page.evaluate("[document.activeElement.getAttribute('href'), document.activeElement.offsetLeft >= 0]")
        assert skip == ["#content", True]
        page.keyboard.press("Enter")
        page.keyboard.press("Tab")
        inside = "document.querySelector('main').contains(document.activeElement)"
        outline = "getComputedStyle(document.activeElement).outlineStyle"
        assert page.evaluate(inside) and page.evaluate(outline) == "solid"


def test_a_state_can_be_told_without_its_colour(browser: Browser, address: str) -> None:
    with Watched(browser, address) as watched:
        told = watched.go("/job/dml").eval_on_selector_all(
            "tbody td .cell", "all => all.map((one) => [one.className, one.firstChild.textContent, one.title])"
        )
        signs = {name.split("state-")[1]: sign for name, sign, _ in told}
        assert len(set(signs.values())) == len(signs) >= 4
        assert all(re.fullmatch(r"\w+: .+", title) for _, _, title in told)


REAL = """
title: The recorded channel
discover: {{strategy: youtube_channel, channel: UCsXVk37bltHxD1rDPwtNM8Q, base_url: "{url}", limit: youtube}}
stages:
  fetch: {{handler: youtube.captions, limit: youtube, timeout: 1min}}
  extract: {{handler: captions.text}}
  score: {{handler: score.keywords, with: {{weights: {{money: 5}}}}}}
columns: {{title: data.title, published: data.published, score: score.value}}
search: [title]
allow_private_hosts: [127.0.0.1]
"""


def test_what_a_real_source_brought_is_shown(browser: Browser, house: House, world: World) -> None:
    house.job("limits", "youtube: {slots: 4}")
    house.job("dml", REAL.format(url=world.url))
    found = house.run("rivus-run", "dml").lines
    title = next(line["data"]["title"] for line in found if line["stage"] == "score")
    with dash(house) as served, Watched(browser, f"http://127.0.0.1:{served.at}") as watched:
        page = watched.go("/")
        assert page.get_by_text("15 done").count() == 3
        page = watched.go("/job/dml")
        page.get_by_role("link", name=title, exact=True).first.click()
        page.wait_for_url("**/item/dml/*")
        assert page.get_by_role("heading", name=title).is_visible()
        assert watched.wrong == []
