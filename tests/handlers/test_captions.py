from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import pytest

from rivus.handlers.captions import by_preference, captions_text, text
from rivus.handlers.cues import MAX_BYTES, NotCaptions, read_captions
from rivus.handlers.words import count_words
from rivus.model.outcome import ItemFailed
from tests.handlers.conftest import FakeContext


def said(captions: str | bytes, **options: Any) -> list[str]:
    raw = captions.encode() if isinstance(captions, str) else captions
    return captions_text(raw, **options).split("\n")


def vtt(*cues: str) -> str:
    """`START END TEXT`, in seconds; `|` stands for a line break."""
    blocks = []
    for cue in cues:
        start, end, words = cue.split(" ", 2)
        lines = words.replace("|", "\n")
        blocks.append(f"00:00:{float(start):06.3f} --> 00:00:{float(end):06.3f}\n{lines}\n")
    return "WEBVTT\n\n" + "\n".join(blocks)


# ---- rolling captions


def test_a_line_that_rolls_up_is_said_once() -> None:
    captions = vtt(
        "1 3  |good<00:00:02.000><c> morning</c>",
        "3 3.01 good morning| ",
        "3.01 5 good morning|dear<00:00:04.000><c> friends</c>",
        "5 5.01 dear friends| ",
    )
    assert said(captions) == ["good morning", "dear friends"]


def test_words_that_are_really_repeated_in_rolling_captions_stay() -> None:
    captions = vtt(
        "1 2  |no<00:00:01.500><c> no</c>",
        "2 2.01 no no| ",
        "2.01 3 no no|no<00:00:02.500><c> no</c>",
        "3 3.01 no no| ",
        "3.01 4 no no|no",
        "4 4.01 no| ",
        "4.01 5 no|no",
        "5 5.01 no| ",
        "8 9  |no",
    )
    assert said(captions) == ["no no", "no no", "no", "no", "no"]


def test_rolling_captions_are_recognised_without_word_times_too() -> None:
    srt = "".join(f"{n}\n00:00:{n:02},000 --> 00:00:{n + 1:02},000\nline {n}\nline {n + 1}\n\n" for n in range(1, 6))
    assert said(srt) == ["line 1 line 2", "line 3", "line 4", "line 5", "line 6"]


def test_a_chorus_in_captions_that_people_wrote_is_kept() -> None:
    captions = vtt("1 3 La la la", "3 5 La la la", "5 7 Oh yes|La la la", "7 9 La la la|again", "10 12 La la la")
    assert said(captions) == ["La la la", "La la la", "Oh yes La la la", "La la la again", "La la la"]


def test_the_same_line_shown_twice_at_the_same_time_is_said_once() -> None:
    captions = vtt("1 4 Here we go", "1 4 Here we go", "2 6 Here we go|now", "7 8 Bye")
    assert said(captions) == ["Here we go", "now", "Bye"]


# ---- WebVTT and SRT


def test_markup_comments_styles_and_positions_are_left_out() -> None:
    captions = """WEBVTT - A film
X-TIMESTAMP-MAP=LOCAL:00:00:00.000,MPEGTS:0

STYLE
::cue(b) { color: red }

NOTE
not said --
by anybody

REGION
id:fred

intro
00:01.000 --> 00:02.000 align:start position:0% line:84.67%
<v Fred Smith><i.loud>Hi &amp; <b>bye</b></i> &lt;now&gt;&nbsp;1 < 2 {\\an8}

NOTE not said either

00:00:03.000 --> 00:00:04.000
NOTE this is said
"""
    assert said(captions) == ["Hi & bye <now> 1 < 2", "NOTE this is said"]


def test_broken_time_lines_and_missing_blank_lines_cost_no_text() -> None:
    captions = "WEBVTT\n00:00:01.000 --> 00:00:1d.890\none\n99:99 --> what\ntwo\n\nstill two\n\n00:05 -->\nthree"
    assert said(captions) == ["one", "two still two", "three"]


def test_srt_numbers_are_not_text_but_numbers_that_are_said_are() -> None:
    srt = "1\r\n00:00:01,000 --> 00:00:02,000\r\n2020\r\n\r\n2\r\n00:00:03,000 --> 00:00:04,000\r\n<i>was bad</i>\r\n"
    assert said(srt) == ["2020", "was bad"]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "windows-1252"])
def test_any_usual_encoding_is_read(encoding: str) -> None:
    captions = vtt("1 2 schöne Grüße aus Köln, déjà vu").replace("\n", "\r\n")
    assert said(captions.encode(encoding)) == ["schöne Grüße aus Köln, déjà vu"]


def test_a_few_broken_bytes_do_not_change_the_encoding() -> None:
    assert said(vtt("1 2 çà et là, déjà été, où ça, là-bàs").encode() + b"\x81t\n")[0].endswith("là-bàs �t")


def test_sounds_are_left_out_unless_wanted_and_masked_words_are_kept() -> None:
    captions = vtt("1 2 [Music]", "2 3 ♪ [Applause] what the [ __ ] ♪")
    assert said(captions) == ["what the [ __ ]"]
    assert said(captions, sounds=True) == ["[Music]", "♪ [Applause] what the [ __ ] ♪"]


def test_signs_that_steer_a_terminal_are_taken_out() -> None:
    assert said(vtt("1 2 a\x1b[31mb\x07c")) == ["a [31mb c"]


# ---- json3 and srv3


def test_json3_events_are_joined_from_their_words() -> None:
    events = [
        {"tStartMs": 0, "dDurationMs": 9000, "id": 1},
        {"tStartMs": 0, "dDurationMs": 5000, "segs": [{"utf8": "no"}, {"utf8": " no", "tOffsetMs": 300}]},
        {"tStartMs": 1990, "aAppend": 1, "segs": [{"utf8": "\n"}]},
        {"tStartMs": 2000, "dDurationMs": 5000, "segs": [{"utf8": "no no"}]},
        {"tStartMs": 9000, "segs": [{"utf8": "two\nlines \ud800"}, {"utf8": 5}, None]},
        "junk",
    ]
    assert said(json.dumps({"events": events})) == ["no no", "no no", "two lines ?"]


def test_srv3_paragraphs_are_read_with_their_words() -> None:
    srv3 = (
        '<?xml version="1.0" encoding="utf-8" ?><timedtext format="3"><head><pen id="1"/></head><body>'
        '<p t="0" d="10"><s>one</s><s t="3"> &amp; two</s></p><p t="10" d="5" a="1">\n</p><p t="x">three<br/>four</p>'
        "</body></timedtext>"
    )
    assert said(srv3) == ["one & two", "three four"]


def test_an_xml_bomb_is_refused_unread() -> None:
    bomb = '<?xml version="1.0"?><!DOCTYPE x [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;">]><timedtext><p>&b;</p></timedtext>'
    with pytest.raises(NotCaptions, match="document type"):
        read_captions(bomb.encode())


# ---- what is no captions


@pytest.mark.parametrize(
    ("raw", "reason"),
    [
        (b"", "empty"),
        (b"\xef\xbb\xbf \r\n", "empty"),
        (b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR", "binary"),
        (b"<!doctype html><title>Sign in</title>", "an HTML page"),
        (b"  <HTML><body>00:01 --> 00:02", "an HTML page"),
        (b"<rss><channel/></rss>", "unknown markup"),
        (b"<?xml version='1.0'?><rss/>", "another kind"),
        (b"<timedtext><p>unclosed", "does not parse"),
        (b'{"error": {}}', "events"),
        (b'{"events": 5}', "no list"),
        (b'{"events": [', "events"),
        (b'{"a":' + b"[" * 100_000, "events"),
        (b"just a text", "no cues"),
        (b"WEBVTT\n" + b"\n" * 1_100_000, "lines"),
        (b"x" * (MAX_BYTES + 1), "larger than 20 MB"),
    ],
)
def test_a_file_that_is_no_captions_is_refused_with_the_reason(raw: bytes, reason: str) -> None:
    with pytest.raises(NotCaptions, match=reason):
        read_captions(raw)


@pytest.mark.parametrize(
    "row",
    [
        "<" * 40_000,
        "<a" * 20_000,
        "[" * 40_000,
        "{\\" * 20_000,
        "&" * 40_000,
        " " * 40_000 + "x",
        "0:" * 20_000,
    ],
)
def test_hostile_lines_take_linear_time(row: str) -> None:
    started = time.process_time()
    captions_text(("WEBVTT\n\n00:01.000 --> 00:02.000\n" + f"{row} -->\n" * 50).encode())
    assert time.process_time() - started < 10


def test_a_day_of_rolling_captions_is_read_in_seconds() -> None:
    rows = ["WEBVTT\n"]
    for n in range(60_000):
        now, then = (
            f"{n // 3600:02}:{n // 60 % 60:02}:{n % 60:02}",
            f"{(n + 1) // 3600:02}:{(n + 1) // 60 % 60:02}",
        )
        then += f":{(n + 1) % 60:02}"
        rows.append(f"{now}.000 --> {then}.000\nline {n - 1}\nline<{now}.500><c> {n}</c>\n")
        rows.append(f"{then}.000 --> {then}.000\nline {n}\n \n")
    started = time.process_time()
    lines = said("\n".join(rows))
    assert time.process_time() - started < 10
    assert lines[1:] == [f"line {n}" for n in range(1, 60_000)]


# ---- the recorded files


@pytest.mark.parametrize(
    ("name", "words", "first", "last"),
    [
        (
            "alphababy.de.auto.excerpt.vtt",
            19,
            "ich begrüße ich herzlich zu einer neuen",
            "und als astrologin",
        ),
        ("human_captions_with_bom.vtt", 12, "Caption text #1", "Caption text #4"),
        ("human_comments.vtt", 20, "- Ta en kopp varmt te. - Det är inte varmt.", "- Ta en kopp"),
        ("human_invalid_timeframe.vtt", 21, "Caption text #1", "Caption text #7"),
        ("human_netflix_chicas_del_cable.vtt", 5493, "En 1928,", ""),
        ("human_using_identifiers.vtt", 18, "Caption text #1", "Caption text #6"),
        (
            "scarlet_hollow.en.auto.excerpt.json3",
            25,
            "hello and welcome back to Scarlet Hollow",
            "I just did it",
        ),
        ("speakenglishwithvanessa.en.manual.excerpt.json3", 42, "Hi, I'm Vanessa from", "English classes."),
        (
            "susskind.zh.translated.excerpt.srv3",
            208,
            "我们生活在弦理论描述的错误世界中",
            "对应一个物理现实，即",
        ),
        ("tierlist_modelos.es.auto.excerpt.vtt", 314, "El día de hoy les traigo un video en", ""),
        (
            "transcript.en.auto.vtt",
            6343,
            "good to be here I love Chicago alright",
            "and linking to it all right",
        ),
        ("youtube_dl.vtt", 8, "yeah", "this will happen is I'm telling"),
    ],
)
def test_a_recorded_file_reads_as_a_person_would_read_it_out(
    shared: Path, name: str, words: int, first: str, last: str
) -> None:
    read = captions_text((shared / "data" / "captions" / name).read_bytes())
    assert read.startswith(first) and read.endswith(last)
    assert count_words(read) == words
    assert "<" not in read and "-->" not in read and "&" not in read.replace(" & ", "")


def test_nothing_is_said_twice_in_a_row_but_what_the_speaker_repeats(shared: Path) -> None:
    repeated = []
    for path in sorted((shared / "data" / "captions").glob("*.auto*")):
        words = captions_text(path.read_bytes()).split()
        pairs = (words[at : at + 10] for at in range(len(words) - 9))
        repeated += [" ".join(ten[:5]) for ten in pairs if ten[:5] == ten[5:]]
    assert repeated == ["I would have to freeze"]


# ---- the stage


def write(ctx: FakeContext, name: str, body: str | bytes) -> str:
    path = ctx.workdir / name
    path.write_bytes(body.encode() if isinstance(body, str) else body)
    return ctx.name(path)


def test_the_stage_gives_text_words_and_language(ctx: FakeContext) -> None:
    file = write(ctx, "1.auto.vtt", vtt("1 2 Hello there"))
    item = {"captions": [{"lang": "en", "kind": "auto", "format": "vtt", "file": file}]}
    assert text(item, ctx) == {"text": "Hello there", "words": 2, "lang": "en"}


def test_the_wanted_language_comes_first_then_what_people_wrote() -> None:
    entries = [
        {"lang": "en", "kind": "auto"},
        {"lang": "de-AT", "kind": "auto"},
        {"lang": "de", "kind": "auto"},
    ]
    entries += [{"lang": "fr", "kind": "manual"}, {"lang": "de", "kind": "manual"}]
    order = [(entry["lang"], entry["kind"]) for entry in by_preference(entries, "de")]
    assert order == [("de", "manual"), ("de", "auto"), ("de-AT", "auto"), ("fr", "manual"), ("en", "auto")]
    assert [entry["lang"] for entry in by_preference(entries, None)] == ["fr", "de", "en", "de-AT", "de"]


def test_a_file_that_cannot_be_read_gives_way_to_the_next(ctx: FakeContext) -> None:
    bad, good = write(ctx, "1.vtt", "<html>"), write(ctx, "2.vtt", vtt("1 2 Hello"))
    item = {"captions": [{"lang": "en", "file": file} for file in (bad, "fetch/gone.vtt", "../../etc/passwd", good)]}
    assert text(item, ctx)["text"] == "Hello"


def test_files_that_are_no_captions_fail_the_item_with_each_reason(ctx: FakeContext) -> None:
    item = {"captions": [{"lang": "en", "file": write(ctx, "1.vtt", "<html>")}, {"file": "../x"}]}
    with pytest.raises(ItemFailed, match=r"fetch/1.vtt: an HTML page; \.\./x: .*not a file of this item"):
        text(item, ctx)


def test_captions_without_speech_fail_the_item(ctx: FakeContext) -> None:
    item = {"captions": [{"lang": "en", "file": write(ctx, "1.vtt", vtt("1 2 [Music]"))}]}
    with pytest.raises(ItemFailed, match="captions hold no text"):
        text(item, ctx)


@pytest.mark.parametrize("captions", [None, [], "x", [5]])
def test_an_item_without_captions_fails(ctx: FakeContext, captions: object) -> None:
    with pytest.raises(ItemFailed, match="no captions"):
        text({"captions": captions}, ctx)
