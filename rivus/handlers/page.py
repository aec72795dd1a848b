"""The text that a reader of an HTML page sees, one line for each block, without navigation.

The parser's time grows with the square of nesting and of attributes, and its memory with the product of unclosed
formatting tags and blocks: 34 KB can be made to take 750 MB. So what holds no text is cut out first, formatting tags
become plain ones (a link becomes LINK), and a page that could still take long is refused.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from rivus.net.extras import load
from rivus.sources.markup import check_formatting, check_markup

if TYPE_CHECKING:
    from selectolax.lexbor import LexborHTMLParser

_NO_TEXT = re.compile(
    r"<!--.*?(?:-->|\Z)|<(script|style|noscript|template|svg|iframe)\b.*?(?:</\1\s*>|\Z)",
    re.DOTALL | re.IGNORECASE,
)
LINK = "x-a"
"""The element that stands for `a` in a tree of `parse_page`; it keeps the attributes."""
_ANCHOR = re.compile(r"<(/?)a(?=[\s/>])", re.IGNORECASE)
_FORMATTING = re.compile(r"<(/?)(?:b|big|code|em|font|i|nobr|s|small|strike|strong|tt|u)(?=[\s/>])", re.IGNORECASE)
UNSEEN = (
    "object, canvas, audio, video, select, button, textarea, dialog, nav, [hidden], [aria-hidden=true], "
    "[role=navigation], [role=banner], [role=contentinfo], [role=search], [role=menu], [role=dialog], "
    "body > header, body > footer, body > div > header, body > div > footer"
)
_BLOCKS = (
    "address, article, aside, blockquote, br, caption, center, dd, details, div, dl, dt, fieldset, figcaption, "
    "figure, footer, form, h1, h2, h3, h4, h5, h6, header, hr, legend, li, main, ol, p, pre, section, summary, "
    "table, tbody, tfoot, thead, tr, ul"
)
BREAK = "\u2029"  # stands for a line break while the page's own white space is folded
_FOLD = re.compile(rf"[^\S{BREAK}]+")


def read_page(html: str) -> tuple[str, str]:
    """The title and the visible text of a page. Raises TooComplex, and Halt if selectolax is not installed."""
    tree = parse_page(html)
    title = title_of(tree)
    if tree.body is None:
        return title, ""
    cut_into_blocks(tree)
    return title, fold(tree.body.text(deep=True, separator=""))


def parse_page(html: str) -> LexborHTMLParser:
    """The tree of a page, without scripts, comments and formatting tags. Raises as `read_page` does."""
    parser = load("selectolax.lexbor", "feeds").LexborHTMLParser
    tree: LexborHTMLParser = parser(_simplified(html))
    return tree


def parse_as_is(html: str) -> LexborHTMLParser:
    """The tree of a page with all its tags, for selectors; without comments and scripts. Raises as `read_page` does."""
    html = _NO_TEXT.sub(" ", html)
    check_formatting(html)
    parser = load("selectolax.lexbor", "feeds").LexborHTMLParser
    tree: LexborHTMLParser = parser(html)
    return tree


def cut_into_blocks(tree: LexborHTMLParser, unseen: str = UNSEEN) -> None:
    """Takes what matches the selector `unseen` out of a tree, and puts a BREAK around each block."""
    for node in tree.css(unseen):
        node.decompose()
    for node in tree.css("td, th"):
        node.insert_after(" ")
    for node in tree.css(_BLOCKS):
        node.insert_before(BREAK)
        node.insert_after(BREAK)


def fold(text: str) -> str:
    """`text` with white space folded, one line for each paragraph sign in it, no empty lines."""
    lines = (line.strip() for line in _FOLD.sub(" ", text).split(BREAK))
    return "\n".join(line for line in lines if line)


def _simplified(html: str) -> str:
    html = _ANCHOR.sub(rf"<\1{LINK}", _NO_TEXT.sub(" ", html).replace(BREAK, " "))
    html = _FORMATTING.sub(r"<\1span", html)
    check_markup(html)
    return html


def title_of(tree: LexborHTMLParser) -> str:
    """Of the `title` element, else of Open Graph, else of the first heading."""
    for selector, attribute in (("title", ""), ("meta[property='og:title']", "content"), ("h1", "")):
        node = tree.css_first(selector)
        found = node and fold((node.attributes.get(attribute) or "") if attribute else node.text(deep=True))
        if found:
            return found
    return ""
