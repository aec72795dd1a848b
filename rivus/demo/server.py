"""The demo site: a feed of eight videos, a page for each, captions, and a film of no length. Read-only.

    /                                    the channel, for a person with a browser
    /feeds/videos.xml?channel_id=UC…     an Atom feed with the yt: and media: elements of YouTube
    /watch?v=ID                          an HTML page with <video> and, if the film has captions, <track>
    /captions/NAME.vtt, /media/ID.mp4
    /channel/UC…/videos                  what is older than the feed: an empty list that yt-dlp can read

Every page is made when the site starts and has an ETag; `If-None-Match` is answered with 304.
"""

from __future__ import annotations

import json
from hashlib import sha256
from html import escape
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib.resources import files
from socketserver import TCPServer
from string import Template
from typing import NamedTuple
from urllib.parse import parse_qsl, urlsplit

FOLDER = files("rivus.demo") / "site"
MP4 = b"\0\0\0\x18ftypmp42\0\0\0\0mp42isom"


class Page(NamedTuple):
    kind: str
    body: bytes

    @property
    def tag(self) -> str:
        return f'"{sha256(self.body).hexdigest()[:16]}"'


def pages(base_url: str) -> dict[str, Page]:
    """Every page of the site, by its path and the one parameter that chooses it, if there is one."""
    channel = json.loads((FOLDER / "channel.json").read_text("utf-8"))
    videos = channel.pop("videos")
    common = {"base_url": base_url, "channel_id": channel["id"], **channel}
    entries = "".join(_filled("entry.xml", **{**common, **video}) for video in videos)
    made = {
        "/": _html(channel["name"], f"<ul>{''.join(map(_row, videos))}</ul>"),
        f"/feeds/videos.xml?channel_id={channel['id']}": Page(
            "text/xml; charset=UTF-8", _filled("feed.xml", entries, **common).encode()
        ),
        f"/channel/{channel['id']}/videos": Page("text/xml", _filled("older.xml", **common).encode()),
    }
    for video in videos:
        track, name = "", video["captions"]
        if name:
            track = f'<track kind="subtitles" srclang="en" label="English" src="/captions/{name}">'
            made[f"/captions/{name}"] = Page(
                "text/vtt; charset=utf-8", (FOLDER / "captions" / name).read_bytes()
            )
        film = f'<video controls><source src="/media/{video["id"]}.mp4" type="video/mp4">{track}</video>'
        made[f"/watch?v={video['id']}"] = _html(
            video["title"], f"{film}<p>{escape(video['description'])}</p>"
        )
        made[f"/media/{video['id']}.mp4"] = Page("video/mp4", MP4)
    return made


def _filled(template: str, entries: str = "", **values: object) -> str:
    safe = {name: escape(str(value)) for name, value in values.items()}
    return Template((FOLDER / template).read_text("utf-8")).substitute(safe, entries=entries)


def _html(title: str, body: str) -> Page:
    text = Template((FOLDER / "page.html").read_text("utf-8")).substitute(title=escape(title), body=body)
    return Page("text/html; charset=utf-8", text.encode())


def _row(video: dict[str, str]) -> str:
    return f'<li><a href="/watch?v={video["id"]}">{escape(video["title"])}</a></li>'


MISSING = Page("text/plain; charset=utf-8", b"There is no such page here.\n")


class Site(ThreadingHTTPServer):
    """The site, bound to `host` and `port` (0: any free one). Raises OSError if it cannot be."""

    def __init__(self, host: str, port: int) -> None:
        super().__init__((host, port), _Answer)
        self.host, self.url = host, f"http://{host}:{self.server_address[1]}"
        self.pages = pages(self.url)

    def server_bind(self) -> None:
        # HTTPServer asks the resolver for the host's full name, which can take seconds and is never used.
        TCPServer.server_bind(self)


class _Answer(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    timeout = 30
    server: Site

    def do_GET(self) -> None:
        url = urlsplit(self.path)
        names = (url.path, *(f"{url.path}?{name}={value}" for name, value in parse_qsl(url.query)))
        found = next((self.server.pages[name] for name in names if name in self.server.pages), None)
        if found is None:
            self._send(404, MISSING, MISSING.body)
        elif self.headers.get("If-None-Match") == found.tag:
            self._send(304, found, b"")
        else:
            self._send(200, found, found.body)

    do_HEAD = do_GET

    def _send(self, status: int, found: Page, body: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Type", found.kind)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("ETag", found.tag)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        """Says nothing: the command that asks tells what it got."""
