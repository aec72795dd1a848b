from __future__ import annotations

import json
import time
from pathlib import Path

import pytest

from rivus.model.outcome import RetryLater
from rivus.sources.syndication import parse

BASE = "https://example.org/feeds/news.xml"


def rss(items: str) -> bytes:
    return f'<?xml version="1.0"?><rss version="2.0"><channel><title>T</title>{items}</channel></rss>'.encode()


def one(items: str) -> dict[str, object]:
    return parse(rss(items), "text/xml", BASE).entries[0].data


def test_an_entry_has_what_the_feed_says() -> None:
    feed = parse(
        rss(
            "<item><guid>n1</guid><link>/a?b=1&amp;c=2</link><title>Fish &amp;amp; &lt;b&gt;chips&lt;/b&gt;</title>"
            "<pubDate>Tue, 05 Nov 2024 16:00:02 +0100</pubDate><author>Ann</author><category>food</category>"
            "<description>&lt;p&gt;Good&lt;script&gt;alert(1)&lt;/script&gt;&lt;/p&gt;</description>"
            '<enclosure url="a.mp3" type="audio/mpeg" length="12"/></item>'
        ),
        "text/xml",
        BASE,
    )
    assert feed.flaw == "" and feed.entries[0].id == "n1"
    assert feed.entries[0].data == {
        "url": "https://example.org/a?b=1&c=2",
        "title": "Fish & chips",
        "published": "2024-11-05T15:00:02Z",
        "summary": "<p>Good</p>",
        "author": "Ann",
        "tags": ["food"],
        "enclosures": [{"url": "https://example.org/feeds/a.mp3", "type": "audio/mpeg", "bytes": 12}],
    }


def test_a_relative_id_is_the_same_wherever_the_feed_moves() -> None:
    atom = b'<feed xmlns="http://www.w3.org/2005/Atom"><entry><id>t3_abc</id><title>x</title></entry></feed>'
    assert {parse(atom, "", base).entries[0].id for base in (BASE, "http://elsewhere.net/x/y")} == {"t3_abc"}


def test_an_entry_without_a_link_is_where_its_enclosure_is() -> None:
    assert one('<item><title>x</title><enclosure url="http://e.org/a.mp3"/></item>')["url"] == "http://e.org/a.mp3"


@pytest.mark.parametrize(
    "date", ["yesterday", "Mon, 01 Jan 0001 00:00:00 GMT", "Thu, 01 Jan 1970 00:00:00 GMT", "01 Jan 2999"]
)
def test_an_implausible_date_is_absent(date: str) -> None:
    assert "published" not in one(f"<item><title>x</title><pubDate>{date}</pubDate></item>")


def test_dangerous_links_are_no_links() -> None:
    assert "url" not in one("<item><title>x</title><link>javascript:alert(1)</link></item>")


def test_texts_are_bounded_and_valid() -> None:
    data = one(f"<item><title>{'t' * 5_000}</title><description>{'d' * 50_000}</description></item>")
    assert len(str(data["title"])) == 1_000 and len(str(data["summary"])) == 20_000


@pytest.mark.parametrize("reference", ["&#xD800;", "&#0;", "&#x110000;", "&#99999999999999;", "&#" + "9" * 9_000 + ";"])
def test_a_reference_to_no_character_spoils_nothing(reference: str) -> None:
    data = one(f"<item><title>a{reference}b &#233; &#x1F600;</title><link>http://x.org/</link></item>")
    assert str(data["title"]).startswith("a") and str(data["title"]).endswith("b é 😀")
    json.dumps(data, ensure_ascii=False).encode()


def test_a_json_feed_has_the_same_shape() -> None:
    item = {
        "id": 7,
        "url": "/post",
        "title": "A &amp; B",
        "content_html": "<p>Hi<script>x</script></p>",
        "tags": ["t", "t"],
        "date_published": "2024-11-05T16:00:02+01:00",
        "authors": [{"name": "Ann"}, {"name": "Bob"}],
        "attachments": [{"url": "http://e.org/a.mp3", "mime_type": "audio/mpeg", "size_in_bytes": 3}],
    }
    body = json.dumps({"version": "https://jsonfeed.org/version/1.1", "items": [item, "junk"]}).encode()
    feed = parse(body, "application/feed+json", BASE)
    assert [entry.id for entry in feed.entries] == ["7"]
    assert feed.entries[0].data == {
        "url": "https://example.org/post",
        "title": "A & B",
        "published": "2024-11-05T15:00:02Z",
        "summary": "Hi",
        "author": "Ann, Bob",
        "tags": ["t"],
        "enclosures": [{"url": "http://e.org/a.mp3", "type": "audio/mpeg", "bytes": 3}],
    }


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"  \n",
        b"<html><title>Sign in</title><form></form></html>",
        b'{"error": "rate limited"}',
        b"[]",
        b'{"items": [',
        b'{"version": "https://jsonfeed.org/version/1", "items": 5}',
        b"just text",
        b"\x00\x01\x02",
        b"[" * 100_000,
        b'<?xml version="1.0"?><urlset></urlset>',
        b'<rss version="2.0"><channel><title>half a fe',
    ],
)
def test_what_is_no_feed_is_refused_with_a_reason(body: bytes) -> None:
    with pytest.raises(RetryLater, match=r"not a feed|broken feed") as raised:
        parse(body, "text/html", BASE)
    assert len(str(raised.value)) < 300


def test_a_feed_without_entries_is_an_honest_nothing() -> None:
    assert parse(rss(""), "text/xml", BASE).entries == []
    assert parse(b'{"version": "https://jsonfeed.org/version/1", "items": []}', "", BASE).entries == []


def test_half_a_feed_gives_its_whole_entries_and_says_so() -> None:
    body = rss("<item><guid>1</guid><title>a</title></item><item><guid>2</guid><title>b</title></item>")
    feed = parse(body[:-60], "text/xml", BASE)
    assert feed.entries[0].id == "1" and feed.flaw


def test_a_billion_laughs_are_not_laughed() -> None:
    entities = "".join(f'<!ENTITY l{n} "{f"&l{n - 1};" * 10}">' for n in range(1, 10))
    item = "<item><title>&l9;</title></item>"
    body = f'<!DOCTYPE x [<!ENTITY l0 "ha">{entities}]><rss version="2.0"><channel>{item}</channel></rss>'
    started = time.monotonic()
    feed = parse(body.encode(), "text/xml", BASE)
    assert len(str(feed.entries)) < 10_000 and time.monotonic() - started < 5


COUNTS = {
    "feeds/feed-npr-world.json": 23,
    "feeds/feed-rdf-distrowatch.xml": 10,
    "feeds/feed-test-malformed.xml": 10,
    "feeds/microsoft_support.xml": 1000,
    "feeds/rss_1.0_iso8859.xml": 1,
    "feeds_ugly/encoding__utf-16le-bom.xml": 0,
    "feeds_ugly/illformed__rss_incomplete_cdata.xml": 1,
    "youtube_feeds/kurzgesagt_2024-11-10.xml": 15,
}
REFUSED = {
    "feeds/rss_2.0_invalid_1.xml",
    "feeds_ugly/encoding__bozo_invalid-bytes-with-bom.xml",
    "feeds_ugly/illformed__aaa_illformed.xml",
    "feeds_ugly/illformed__undeclared_namespace.xml",
    "youtube_feeds/channel_not_available_2026-01-26.404.html",
}
WORDS = {
    "feeds/feed-test-accents.xml": "Artur Jorge não é mais técnico",
    "feeds/rss_0.91_encoding_1.xml": "Expansão de Parâmetros",
    "feeds/rss_1.0_iso8859.xml": "Neue Glasfaserförderung",
    "feeds_ugly/encoding__euc-kr-item.xml": "년",
    "feeds_ugly/encoding__demoronize-1.xml": "don’t",
    "feeds_ugly/illformed__chardet__koi8r.xml": "Как пережить",
    "feeds_ugly/encoding__http_text_xml_charset_overrides_encoding_2.xml": "This is a £“test.”",
    "feeds_ugly/illformed__chardet__shiftjis.xml": "記事投稿",
    "feeds_ugly/illformed__chardet__windows1255.xml": "תדפיס",
    "feeds/feed-test-hindi-channel-image.xml": "कोरोना",
    "feeds/feed-test-charset.xml": "Høydepunkter",
}


def recorded(file: Path) -> tuple[bytes, str]:
    side = file.with_name(file.name + ".headers.json")
    headers = json.loads(side.read_text())["headers"] if side.exists() else {}
    return file.read_bytes(), {name.lower(): value for name, value in headers.items()}.get("content-type", "")


def test_every_recorded_feed_is_read_or_refused_with_a_reason(shared: Path) -> None:
    folders = ("feeds", "feeds_ugly", "youtube_feeds")
    files = [
        f
        for folder in folders
        for f in sorted((shared / "data" / folder).iterdir())
        if not f.name.endswith(".headers.json")
    ]
    assert len(files) > 60
    for file in files:
        name = f"{file.parent.name}/{file.name}"
        if name in REFUSED:
            with pytest.raises(RetryLater):
                parse(*recorded(file), BASE)
            continue
        feed = parse(*recorded(file), BASE)
        text = json.dumps([entry.data for entry in feed.entries], ensure_ascii=False)
        assert len(feed.entries) == COUNTS.get(name, len(feed.entries)), name
        assert WORDS.get(name, "") in text, name
        assert not any(wrong in text for wrong in ("\ufffd", "Ã¼", "Ã©", "â€", "ï»¿")), name
        assert all(str(entry.data.get("url", "http")).startswith("http") for entry in feed.entries), name
