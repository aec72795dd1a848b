"""The strategy `web_change`: a page that is watched, and an item for each change of its text."""

from __future__ import annotations

import base64
import zlib
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from typing import Any, Literal

from rivus.model.context import Found, Look
from rivus.model.outcome import Halt, Json, RetryLater
from rivus.sources import conditional
from rivus.sources.addresses import web_address
from rivus.sources.keys import cut, digest, one_line
from rivus.sources.pages import ACCEPT, select, tree_of
from rivus.sources.patterns import compiled, matching
from rivus.sources.robots import Obedience, Robots

MOST_NODES = 1_000
MOST_LINES = 3_000
"""Lines that are kept and compared; the digest is of all."""
LONGEST_LINE = 2_000
LONGEST_TEXT = 200_000
LONGEST_DIFF = 50_000
MOST_IGNORED = 20
DEEPEST = 1_000
_UNSEEN = ["script", "style", "template", "noscript", "head", "svg"]
_BLOCKS = (
    "address, article, aside, blockquote, br, dd, div, dl, dt, fieldset, figcaption, figure, footer, form, h1, h2, h3, "
    "h4, h5, h6, header, hr, li, main, nav, ol, option, p, pre, section, table, td, th, tr, ul"
)
_BREAK = "\x1e"


def web_change(
    look: Look,
    *,
    url: str,
    selector: str = "body",
    ignore: Sequence[str] = (),
    first: Literal["item", "baseline"] = "baseline",
    robots: Obedience = "obey",
) -> Iterator[Found]:
    """An item for each change of a page's text.

        discover: {strategy: web_change, url: https://example.org/rules, selector: main, ignore: [^Updated], every: 1d}

    url:      the page.
    selector: a CSS selector of the part that is watched; of all that it finds, if there are several.
    ignore:   regular expressions; lines in which one of them finds something do not count.
    first:    whether the first look makes an `item` of the text as it is, or takes it as `baseline` alone. It is the
              first look again when url, selector or ignore are others.
    robots:   `obey` or `ignore` the site's robots.txt.

    Compared are lines: the text of each block, with single spaces, without scripts and empty lines. The key is the day
    (UTC), the number of the change and a digest of the new text: `2024-11-05/3-9f86d081884c7d65`. The data has url,
    title, published (when it was noticed, UTC), old and new (digests), text, diff (unified), added and removed (lines).
    Of long pages the first 3,000 lines are in text and diff. Raises RetryLater if the selector finds no text (the page
    has changed, or this is a login page), Halt for a bad selector or expression and a page that robots.txt forbids.
    """
    _check(ignore)
    Robots(look, robots).allow(web_address(url, "url"))
    about = digest(url, selector, *ignore)
    kept = look.cursor.get("watched")
    if not isinstance(kept, dict) or kept.get("about") != about:
        kept = {}
        conditional.forget(look)
    response = conditional.get(look, url, accept=ACCEPT)
    if response is None:
        return
    tree = tree_of(response)
    title = one_line(node.text(), 500) if (node := tree.css_first("title")) else ""
    lines = _without(ignore, _lines(tree, selector, url))
    new, text, number = digest(*lines), _kept_text(lines), int(kept.get("number", 0))
    if kept.get("digest") != new and (kept or first == "item"):
        number += 1
        told = {"url": response.url, "title": title, "old": str(kept.get("digest", "")), "new": new, "text": text}
        yield _change(number, told, _unpack(kept.get("text", "")))
    look.cursor["watched"] = {"about": about, "digest": new, "number": number, "text": _pack(text)}
    conditional.remember(look, url, response)


def _check(ignore: Sequence[str]) -> None:
    if len(ignore) > MOST_IGNORED:
        raise Halt(f"ignore: more than {MOST_IGNORED} expressions")
    for pattern in ignore:
        compiled(pattern)


def _change(number: int, told: Json, before: str) -> Found:
    now = datetime.now(UTC)
    data = {**told, "published": now.strftime("%Y-%m-%dT%H:%M:%SZ"), **_compared(before, told["text"])}
    return Found(
        f"{now:%Y-%m-%d}/{number}-{told['new'][:16]}",
        {name: value for name, value in data.items() if value not in (None, "")},
    )


def _compared(old: str, new: str) -> Json:
    from difflib import unified_diff

    diff = list(unified_diff(old.splitlines(), new.splitlines(), "old", "new", lineterm="", n=2))[2:]
    return {
        "diff": cut("\n".join(diff), LONGEST_DIFF),
        "added": sum(line.startswith("+") for line in diff),
        "removed": sum(line.startswith("-") for line in diff),
    }


def _lines(tree: Any, selector: str, url: str) -> list[str]:
    tree.root.strip_tags(_UNSEEN)
    nodes = _outermost(select(tree, selector, MOST_NODES))
    for block in tree.css(_BLOCKS):
        block.insert_before(_BREAK)
        block.insert_after(_BREAK)
    found = [one_line(line, LONGEST_LINE) for node in nodes for line in node.text().split(_BREAK)]
    lines = [line for line in found if line]
    if not lines:
        raise RetryLater(f"{url}: {selector!r} finds no text on the page: has it changed?")
    return lines


def _outermost(nodes: list[Any]) -> list[Any]:
    """Without those inside another: their text is part of its."""
    chosen = {node.mem_id for node in nodes}
    return [node for node in nodes if not any(above.mem_id in chosen for above in _above(node))]


def _above(node: Any) -> Iterator[Any]:
    for _ in range(DEEPEST):
        node = node.parent
        if node is None:
            return
        yield node


def _without(ignore: Sequence[str], lines: list[str]) -> list[str]:
    for pattern in ignore:
        found = matching(pattern, list(dict.fromkeys(lines)))
        lines = [line for line in lines if line not in found]
    return lines


def _kept_text(lines: list[str]) -> str:
    return cut("\n".join(lines[:MOST_LINES]), LONGEST_TEXT)


def _pack(text: str) -> str:
    return base64.b64encode(zlib.compress(text.encode())).decode()


def _unpack(packed: object) -> str:
    try:
        plain = zlib.decompressobj().decompress(base64.b64decode(str(packed)), 4 * LONGEST_TEXT)
        return plain.decode()
    except (ValueError, zlib.error):
        return ""
