"""The stage `captions.text`: what was said, as plain text, from the caption files an earlier stage has fetched.

YouTube's own captions roll: a cue shows the line before once more above the new one, and a moment's cue of the new
line alone follows. Reading the file aloud would say everything two or three times. What is taken out is exactly what
is still on the screen from the cue before; what somebody says twice stays twice.
"""

from __future__ import annotations

import re
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING

from rivus.handlers.cues import MAX_BYTES, Captions, Cue, Line, NotCaptions, read_captions
from rivus.handlers.words import count_words
from rivus.model.outcome import ItemFailed, Json

if TYPE_CHECKING:
    from rivus.model.context import Context

NETWORK = False
_TOUCHING = 0.05
"""Seconds between two cues that count as none, and the life of a cue that only ends a line (YouTube: 0.01)."""
_ROWS = 8  # more lines than any player shows at once
_SOUND = re.compile(r"\[(?![\s_]*\])[^\[\]]{0,100}\]|[♪♫]+")  # `[ __ ]` is a word that was masked, not a sound


def text(item: Json, ctx: Context, *, lang: str | None = None, sounds: bool = False) -> Json:
    """Plain text of the best readable caption file.

    Takes: `captions`: a list of `{"lang", "kind": "manual"|"auto", "file"}`, as `youtube.captions` gives it.
    Gives: `text` (a line for each cue), `words` (how many), `lang` (of the file that was used).

    lang:   the language to prefer (`en` also means `en-US` and `en-orig`); written by people before automatic ones.
    sounds: keeps `[Music]` and the like.
    Raises ItemFailed when no file can be read as captions, or none holds any words.

        extract: {handler: captions.text, with: {lang: en}, expect: {min_length: {text: 200}}}
    """
    reasons = []
    for entry in by_preference(item.get("captions"), lang):
        try:
            said = captions_text(_read(ctx.path(str(entry.get("file")))), sounds=sounds)
        except ValueError as error:  # of `path` too: the name leads out of the item
            reasons.append(f"{entry.get('file')}: {error}")
            continue
        if said:
            return {"text": said, "words": count_words(said), "lang": str(entry.get("lang") or "")}
    if reasons:
        raise ItemFailed("no captions could be read: " + "; ".join(reasons))
    raise ItemFailed("captions hold no text")


def by_preference(captions: object, lang: str | None) -> list[Json]:
    """The entries of `captions`, best first: the language, then who wrote them, then the order they came in."""
    entries = [entry for entry in captions if isinstance(entry, dict)] if isinstance(captions, list) else []
    if not entries:
        raise ItemFailed("the item has no captions")

    def rank(entry: Json) -> tuple[int, bool]:
        code = str(entry.get("lang")).lower()
        wanted = (lang or code).lower()
        distance = 0 if code == wanted else 1 if code.split("-")[0] == wanted.split("-")[0] else 2
        return distance, entry.get("kind") == "auto"

    return sorted(entries, key=rank)


def captions_text(raw: bytes, *, sounds: bool = False) -> str:
    """What is said in the caption file `raw`, one line for each cue. Raises NotCaptions."""
    said = spoken(read_captions(raw))
    rows = (" ".join(line.text for line in lines) for lines in said)
    kept = (row if sounds else " ".join(_SOUND.sub(" ", row).split()) for row in rows)
    return "\n".join(row for row in kept if row)


def spoken(captions: Captions) -> list[list[Line]]:
    """The lines that are new in each cue that has any."""
    cues = [cue for cue in captions.cues if cue.lines]
    rolls, overlap_repeats = _rolls(cues), _overlap_repeats(captions.format, cues)
    said, before = [], Cue(None, None, [])
    for cue in cues:
        same_time = _starts_with(before, cue) or (overlap_repeats and _gap(before, cue) < 0)
        carried = _carried(before, cue) if rolls or same_time else 0
        said_again = carried == len(cue.lines) and not (same_time or _touching(before, cue) or _brief(cue))
        said.append(cue.lines if said_again else cue.lines[carried:])
        before = cue
    return [lines for lines in said if lines]


def _read(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            return file.read(MAX_BYTES + 1)
    except OSError as error:
        raise NotCaptions(error.strerror or "unreadable") from None


def _carried(before: Cue, cue: Cue) -> int:
    """How many of the first lines of `cue` are the last lines of `before`, still on the screen."""
    if cue.cleared:
        return 0
    fresh = next((number for number, line in enumerate(cue.lines) if line.timed), len(cue.lines))
    old, new = ([line.text for line in lines] for lines in (before.lines, cue.lines[:fresh]))
    return next((n for n in range(min(len(old), len(new), _ROWS), 0, -1) if old[-n:] == new[:n]), 0)


def _rolls(cues: list[Cue]) -> bool:
    """Whether lines move up from cue to cue: words carry times, or new lines come under old ones as a rule."""
    if any(line.timed for cue in cues for line in cue.lines):
        return True
    pairs = pairwise(cues)
    moved = sum(_touching(a, b) and 0 < _carried(a, b) < len(b.lines) + _brief(b) for a, b in pairs)
    return moved >= 2 and moved * 3 >= len(cues)


def _overlap_repeats(kind: str, cues: list[Cue]) -> bool:
    """Whether the same line in overlapping cues is one line. Where most cues overlap, an overlap says nothing."""
    overlaps = sum(_gap(a, b) < 0 for a, b in pairwise(cues))
    return kind in ("vtt", "srt") and (len(cues) < 10 or overlaps * 2 < len(cues))


def _gap(before: Cue, cue: Cue) -> float:
    """Seconds from the end of one cue to the start of the next; endless where a time is unknown."""
    return float("inf") if before.end is None or cue.start is None else cue.start - before.end


def _touching(before: Cue, cue: Cue) -> bool:
    return _gap(before, cue) <= _TOUCHING


def _starts_with(before: Cue, cue: Cue) -> bool:
    return cue.start is not None and before.start == cue.start


def _brief(cue: Cue) -> bool:
    return cue.start is not None and cue.end is not None and cue.end - cue.start <= _TOUCHING
