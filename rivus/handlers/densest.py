"""The main text of a page by the plain method: the stretch of blocks in which text outweighs links the most.

Each block counts for its text, against what of it is in links and a fixed price that only a sentence can pay. The
stretch with the highest sum is found in one pass (Kadane, "maximum subarray"), so that the time is linear.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from rivus.handlers.page import LINK, UNSEEN, cut_into_blocks, fold

if TYPE_CHECKING:
    from collections.abc import Iterator

    from selectolax.lexbor import LexborHTMLParser

_ASIDE = f"{UNSEEN}, aside, footer, label, [itemprop=comment]"
_WHOLE = ("[itemprop=articleBody]", "article", "main", "[role=main]")
"""What holds the article where a page has exactly one of it."""
_WHOLE_LEAST = 250
"""Characters; less is a teaser."""
_PRICE = 20
"""Characters that a block must have beyond its links to count as text; headings and short lines cost a little."""
_LINKED = 3.0
_IN, _OUT = "\ue000", "\ue001"  # private use: around a link, while blocks are cut; a page's own only spoil its count


class Block(NamedTuple):
    """A line of the page. linked: characters of it in links."""

    text: str
    linked: int

    @property
    def worth(self) -> float:
        return len(self.text) - _LINKED * self.linked - _PRICE

    @property
    def is_menu(self) -> bool:
        return self.linked * 2 > len(self.text)


def densest_text(tree: LexborHTMLParser) -> str:
    """The main text in a tree of `parse_page`, which is used up: one line for each block; "" if there is none."""
    if tree.body is None:
        return ""
    for node in tree.css(f"{LINK}[href]"):
        node.insert_before(_IN)
        node.insert_after(_OUT)
    cut_into_blocks(tree, _ASIDE)
    blocks = list(_blocks(_whole(tree)))
    first, end = _best(blocks)
    return "\n".join(block.text for block in blocks[first:end] if not block.is_menu)


def _whole(tree: LexborHTMLParser) -> str:
    """The text of the one element that says it is the article, else of the page."""
    for selector in _WHOLE:
        nodes = tree.css(selector)
        text = fold(nodes[0].text(deep=True, separator="")) if len(nodes) == 1 else ""
        if len(text) >= _WHOLE_LEAST:
            return text
    return fold(tree.body.text(deep=True, separator="")) if tree.body else ""


def _blocks(text: str) -> Iterator[Block]:
    inside = 0
    for line in text.split("\n"):
        linked, plain = 0, []
        for number, part in enumerate(line.replace(_OUT, _IN + _OUT).split(_IN)):
            closes = part.startswith(_OUT)
            inside = max(0, inside - 1) if closes else inside + bool(number)
            piece = part[1:] if closes else part
            linked += len(piece) if inside else 0
            plain.append(piece)
        whole = " ".join("".join(plain).split())
        if whole:
            yield Block(whole, min(linked, len(whole)))


def _best(blocks: list[Block]) -> tuple[int, int]:
    """Where the stretch with the highest sum of worth begins and ends; (0, 0) if no block is worth anything."""
    best = total = 0.0
    first, found = 0, (0, 0)
    for number, block in enumerate(blocks):
        if total <= 0:
            total, first = 0.0, number
        total += block.worth
        if total > best:
            best, found = total, (first, number + 1)
    return found
