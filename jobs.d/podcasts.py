"""What an episode of a podcast says, without listening to it: the handler of the job podcasts."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rivus.handlers.captions import captions_text
from rivus.handlers.cues import NotCaptions
from rivus.handlers.page import read_page
from rivus.handlers.web import page_text
from rivus.handlers.words import count_words
from rivus.model.outcome import ItemFailed, Json
from rivus.net.session import check, fetch
from rivus.sources.markup import TooComplex

if TYPE_CHECKING:
    from rivus.model.context import Context

_READABLE = ("text/vtt", "application/x-subrip", "application/srt", "text/srt", "text/plain", "text/html")
"""Types of transcripts, the best first: those with times lose nothing but the times."""


def text(item: Json, ctx: Context, *, language: str = "en") -> Json:
    """The text of an episode.

    Takes: `transcripts` and `summary`, as the strategy `podcast` gives them.
    Gives: `text`, `words`, `of` (`transcript`, or `notes` where there is none that can be read); of a transcript also
           `url`, and its `file`.

    language: the one that is preferred.
    Raises ItemFailed for an episode with neither, RetryLater and SourceBlocked of a transcript that cannot be got now.
    """
    for transcript in sorted(_known(item), key=lambda one: _rank(one, language)):
        try:
            response = check(fetch(ctx.http, transcript["url"]))
        except ItemFailed as error:
            ctx.log.info("no transcript: %s", error)
            continue
        if said := _said(response.content, transcript["type"]):
            file = ctx.workdir / "transcript"
            file.write_bytes(response.content)
            found = {"text": said, "words": count_words(said), "of": "transcript"}
            return {**found, "url": response.url, "file": ctx.name(file)}
    return _notes(item)


def _known(item: Json) -> list[Json]:
    """The transcripts of a type that can be read here."""
    named = item.get("transcripts")
    each = [one for one in named if isinstance(one, dict)] if isinstance(named, list) else []
    typed = [{**one, "type": str(one.get("type", "")).partition(";")[0].strip().lower()} for one in each]
    return [one for one in typed if one["type"] in _READABLE and str(one.get("url")).startswith("http")]


def _rank(transcript: Json, language: str) -> tuple[bool, int]:
    spoken = str(transcript.get("language") or language).lower().split("-")[0]
    return spoken != language.lower(), _READABLE.index(transcript["type"])


def _said(content: bytes, kind: str) -> str:
    """The text of a transcript; "" for what is none."""
    try:
        if kind.startswith("text/plain") or kind == "text/html":
            return page_text(content, kind)[1]
        return captions_text(content)
    except (NotCaptions, ItemFailed):
        return ""


def _notes(item: Json) -> Json:
    notes = item.get("summary")
    try:
        said = read_page(notes)[1] if isinstance(notes, str) else ""
    except TooComplex:
        said = ""
    if not said:
        raise ItemFailed("the episode has neither a transcript that can be read nor notes")
    return {"text": said, "words": count_words(said), "of": "notes"}
