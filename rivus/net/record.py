"""What the network said in one try, kept so that the try can be made again without asking it.

A record is gzip JSON Lines: a header (`{"record": 1, …}`), then one exchange a line in the order of the answers:
`method`, `url`, `sent` (SHA-256 of the request's body, "" without one) and either `error`, or `status`, `reason`,
`headers` (pairs), `final` (the address that answered) and the decoded body as `text` or `base64`. Request headers and
cookies are not in it, and known secrets are taken out.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any, TypeAlias

from rivus.model.outcome import ItemFailed, Json

LARGEST = 10 * 2**20
"""Bytes of a record as it is stored."""
LARGEST_PLAIN = 64 * 2**20
FORMAT = 1
_DROPPED = ("set-cookie", "set-cookie2")


class NotRecorded(ItemFailed):
    """A try without the network asked for what is not in its record."""


@dataclass(frozen=True, slots=True)
class Exchange:
    """A request and its answer. sent: digest of the request's body. final: the address that answered in the end.
    error: what went wrong before there was an answer, else ""."""

    method: str
    url: str
    sent: str
    status: int = 0
    reason: str = ""
    headers: tuple[tuple[str, str], ...] = ()
    final: str = ""
    body: bytes = b""
    error: str = ""

    @property
    def asked(self) -> tuple[str, str, str]:
        return self.method, self.url, self.sent


def asked(method: str | None, url: str | None, body: Any) -> Exchange:
    """The request alone, as it is recorded and looked up."""
    from rivus.net.cleaned import clean

    return Exchange((method or "GET").upper(), clean(url or ""), _sent(body))


class Recorder:
    """Keeps the exchanges of one try, in bounded memory. For all its threads."""

    def __init__(self) -> None:
        self._lines: list[bytes] = []
        self._size = self._plain = 0
        self._given_up = False
        self._turn = threading.Lock()

    @property
    def too_large(self) -> bool:
        return self._given_up or self._size > LARGEST or self._plain > LARGEST_PLAIN

    def keep(self, exchange: Exchange) -> None:
        """Adds an exchange. From the cap on all is given up."""
        if self.too_large:
            return
        plain = _line(_to_json(exchange))
        packed = _packed(plain)
        with self._turn:
            self._plain += len(plain)
            self._size += len(packed)
            self._lines.append(packed)
            if self.too_large:
                self._lines.clear()  # half a record would answer wrongly

    def give_up(self) -> None:
        """Something was too large to be kept."""
        self._given_up = True

    def dump(self, about: Json) -> bytes | None:
        """The record as it is stored, `about` in its header; None if nothing was asked."""
        if not self._lines and not self.too_large:
            return None
        header: Json = {"record": FORMAT, **about} | ({"too_large": True} if self.too_large else {})
        return b"".join([_packed(_line(header)), *([] if self.too_large else self._lines)])


class Player:
    """Answers from a record. The same request asked again gets its answers in order, then the last one again.

    why: said of whatever is not there. missed: the first request that was not, "" if all were.
    """

    def __init__(self, exchanges: Iterable[Exchange], why: str) -> None:
        self._answers: dict[tuple[str, str, str], list[Exchange]] = {}
        self._why = why
        self._turn = threading.Lock()
        self.missed = ""
        for exchange in exchanges:
            self._answers.setdefault(exchange.asked, []).append(exchange)

    def answer(self, method: str | None, url: str | None, body: Any) -> Exchange:
        """The recorded answer. Raises NotRecorded."""
        request = asked(method, url, body)
        with self._turn:
            found = self._answers.get(request.asked)
            if found:
                return found.pop(0) if len(found) > 1 else found[0]
            said = f"{request.method} {request.url} {self._why}"
            self.missed = self.missed or said
        raise NotRecorded(said)


Tape: TypeAlias = Recorder | Player
_tape: ContextVar[Tape | None] = ContextVar("rivus_tape", default=None)


@contextmanager
def taped(tape: Tape | None) -> Iterator[None]:
    """Inside, what is asked of the network goes on `tape`, or comes from it."""
    before = _tape.set(tape)
    try:
        yield
    finally:
        _tape.reset(before)


def tape() -> Tape | None:
    """The tape of this context."""
    return _tape.get()


def read_record(raw: bytes) -> tuple[Json, list[Exchange]]:
    """The header and the exchanges of a record. Raises ValueError for what is none."""
    import gzip
    import zlib
    from io import BytesIO

    from rivus.model.document import parse_object

    lines, size = [], 0
    try:
        with gzip.GzipFile(fileobj=BytesIO(raw)) as file:
            while line := file.readline(LARGEST_PLAIN):
                size += len(line)
                if size > 2 * LARGEST_PLAIN:
                    raise ValueError("it is too large")
                lines.append(parse_object(line))
        header, *rest = lines
        if header.get("record") != FORMAT:
            raise ValueError("it has another format")
        return header, [_from_json(one) for one in rest]
    except (OSError, EOFError, zlib.error, KeyError, TypeError) as error:
        raise ValueError(f"{type(error).__name__}: {error}") from None


def _sent(body: Any) -> str:
    from hashlib import sha256

    if isinstance(body, str):
        body = body.encode(errors="replace")
    if body is None or isinstance(body, bytes | bytearray | memoryview):
        raw = bytes(body or b"")
        return sha256(_scrubbed(raw)).hexdigest() if raw else ""
    return "stream"


def _scrubbed(body: bytes) -> bytes:
    from rivus.talk import scrubbed

    try:
        return scrubbed(body.decode("utf-8")).encode()
    except UnicodeDecodeError:
        return scrubbed(body.decode("latin-1")).encode("latin-1", "replace")


def _to_json(exchange: Exchange) -> Json:
    from rivus.net.cleaned import clean

    whole: Json = {"method": exchange.method, "url": exchange.url, "sent": exchange.sent}
    if exchange.error:
        return whole | {"error": clean(exchange.error)}
    headers = [[name, clean(value)] for name, value in exchange.headers if name.lower() not in _DROPPED]
    whole |= {"status": exchange.status, "reason": clean(exchange.reason), "headers": headers}
    return whole | {"final": clean(exchange.final)} | _body_to_json(_scrubbed(exchange.body))


def _body_to_json(body: bytes) -> Json:
    try:
        return {"text": body.decode("utf-8")}
    except UnicodeDecodeError:
        from base64 import b64encode

        return {"base64": b64encode(body).decode()}


def _from_json(one: Json) -> Exchange:
    request = (str(one["method"]), str(one["url"]), str(one["sent"]))
    if "error" in one:
        return Exchange(*request, error=str(one["error"]))
    headers = tuple((str(name), str(value)) for name, value in one["headers"])
    return Exchange(*request, int(one["status"]), str(one["reason"]), headers, str(one["final"]), _body(one))


def _body(one: Json) -> bytes:
    from base64 import b64decode

    return str(one["text"]).encode() if "text" in one else b64decode(one["base64"])


def _line(document: Json) -> bytes:
    return json.dumps(document, ensure_ascii=False).encode(errors="replace") + b"\n"


def _packed(line: bytes) -> bytes:
    import gzip

    return gzip.compress(line, 6, mtime=0)
