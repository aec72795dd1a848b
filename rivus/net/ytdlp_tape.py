"""What yt-dlp asks of the network, on a tape: its requests as `YoutubeDL.urlopen` has them, redirects followed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from io import BytesIO
from typing import TYPE_CHECKING, Any

from rivus.net.guard import raise_if_cut
from rivus.net.record import Exchange, Player, Recorder, asked
from rivus.net.session import MAX_BYTES

if TYPE_CHECKING:
    from yt_dlp.networking import Response

CHUNK = 65_536


def taped_open(tape: Recorder | Player, open_plain: Callable[[Any], Any], request: Any) -> Any:
    """The answer to a request of yt-dlp: kept on the tape, or from it. Raises what yt-dlp raises; NotRecorded."""
    from yt_dlp.networking import Request

    wanted = Request(request) if isinstance(request, str) else request
    if isinstance(tape, Player):
        return _rebuilt(tape.answer(wanted.method, wanted.url, wanted.data))
    return _kept(tape, open_plain, wanted)


def _kept(tape: Recorder, open_plain: Callable[[Any], Any], wanted: Any) -> Any:
    from yt_dlp.networking.exceptions import HTTPError, RequestError

    request = asked(wanted.method, wanted.url, wanted.data)
    try:
        response = open_plain(wanted)
    except HTTPError as error:
        response = error.response
    except RequestError as error:
        tape.keep(replace(request, error=str(error) or type(error).__name__))
        raise
    body = _first(response)
    if len(body) > MAX_BYTES:
        tape.give_up()
        response.read = partial(_after, BytesIO(body), response.read)
        return response
    response.close()
    exchange = replace(
        request, status=response.status, reason=response.reason or "", headers=tuple(response.headers.items()),
        final=response.url, body=body,
    )  # fmt: skip
    tape.keep(exchange)
    return _rebuilt(exchange)


def _first(response: Response) -> bytes:
    """The body, or more than MAX_BYTES of it."""
    body = bytearray()
    while len(body) <= MAX_BYTES and (chunk := response.read(CHUNK)):
        body += chunk
    raise_if_cut()
    return bytes(body)


def _after(first: BytesIO, read: Callable[..., bytes], amount: int | None = None) -> bytes:
    """Reads what was read already, then what follows."""
    if amount is None or amount < 0:
        return first.read() + read()
    return first.read(amount) or read(amount)


def _rebuilt(kept: Exchange) -> Response:
    from yt_dlp.networking import Response
    from yt_dlp.networking.exceptions import HTTPError, TransportError

    if kept.error:
        raise TransportError(kept.error)
    response = Response(BytesIO(kept.body), kept.final, dict(kept.headers), kept.status, kept.reason or None)
    if not 200 <= kept.status < 300:
        raise HTTPError(response)
    return response
