"""The text that a reader of an HTML page sees, one line for each block, without navigation.

The parser's time grows with the square of nesting and of attributes, and its memory with the product of unclosed
formatting tags and blocks: 34 KB can be made to take 750 MB. So what holds no text is cut out first, formatting tags
become plain ones, and a page that could still take long is refused.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from rivus.net.extras import load

if TYPE_CHECKING:
    from selectolax.lexbor import LexborHTMLParser

MAX_TAGS = 100_000
MAX_RUN = 10_000
"""Words between two tags, any of which could be an attribute. Together the limits keep 20 MB to about a minute."""

_NO_TEXT = re.compile(
    r"<!--.*?(?:-->|\Z)|<(script|style|noscript|template|svg|iframe)\b.*?(?:</\1\s*>|\Z)",
    re.DOTALL | re.IGNORECASE,
)
_FORMATTING = re.compile(r"<(/?)(?:a|b|big|code|em|font|i|nobr|s|small|strike|strong|tt|u)(?=[\s/>])", re.IGNORECASE)
_UNSEEN = (
    "object, canvas, audio, video, select, button, textarea, dialog, nav, [hidden], [aria-hidden=true], "
    "[role=navigation], [role=banner], [role=contentinfo], [role=search], [role=menu], [role=dialog], "
    "body > header, body > footer, body > div > header, body > div > footer"
)
_BLOCKS = (
    "address, article, aside, blockquote, br, caption, center, dd, details, div, dl, dt, fieldset, figcaption, "
    "figure, footer, form, h1, h2, h3, h4, h5, h6, header, hr, legend, li, main, ol, p, pre, section, summary, "
    "table, tbody, tfoot, thead, tr, ul"
)
_BREAK = "\u2029"  # stands for a line break while the page's own white space is folded
_FOLD = re.compile(rf"[^\S{_BREAK}]+")


class TooComplex(ValueError):
    """The page could keep the parser busy for minutes."""


def read_page(html: str) -> tuple[str, str]:
    """The title and the visible text of a page. Raises TooComplex, and Halt if selectolax is not installed."""
    parser = load("selectolax.lexbor", "feeds").LexborHTMLParser
    tree = parser(_simplified(html))
    title = _title(tree)
    if tree.body is None:
        return title, ""
    for node in tree.css(_UNSEEN):
        node.decompose()
    for node in tree.css("td, th"):
        node.insert_after(" ")
    for node in tree.css(_BLOCKS):
        node.insert_before(_BREAK)
        node.insert_after(_BREAK)
    return title, fold(tree.body.text(deep=True, separator=""))


def fold(text: str) -> str:
    """`text` with white space folded, one line for each paragraph sign in it, no empty lines."""
    lines = (line.strip() for line in _FOLD.sub(" ", text).split(_BREAK))
    return "\n".join(line for line in lines if line)


def _simplified(html: str) -> str:
    html = _FORMATTING.sub(r"<\1span", _NO_TEXT.sub(" ", html).replace(_BREAK, " "))
    runs = html.split("<")
    if len(runs) > MAX_TAGS or max(len(run.split()) for run in runs) > MAX_RUN:
        raise TooComplex("the page has too many tags, or too many words in one, to be read safely")
    return html


def _title(tree: LexborHTMLParser) -> str:
    """Of the `title` element, else of Open Graph, else of the first heading."""
    for selector, attribute in (("title", ""), ("meta[property='og:title']", "content"), ("h1", "")):
        node = tree.css_first(selector)
        found = node and fold((node.attributes.get(attribute) or "") if attribute else node.text(deep=True))
        if found:
            return found
    return ""
