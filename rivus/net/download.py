"""A body that goes to a file as it comes: for what is too large for memory. Guarded and bounded as every session."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, NamedTuple

from rivus.net.session import check, fetch

if TYPE_CHECKING:
    import requests


class Saved(NamedTuple):
    """sha256: hex, of the decoded body, which is what the file holds; size: its bytes."""

    response: requests.Response
    size: int
    sha256: str


def save(
    url: str, path: Path, *, private_hosts: Iterable[str], total: float, max_bytes: int,
    accept: Callable[[requests.Response], None] = lambda response: None,
) -> Saved:  # fmt: skip
    """Writes the body at `url` to `path`; if it fails, there is no such file.

    private_hosts, total: as for `open_session`. max_bytes: of the decoded body. accept: sees status and headers of the
    good answer before its body is read, and raises what it does not like.
    Raises the outcomes of `fetch` and `check`.
    """
    try:
        with path.open("wb") as file:
            return _save(url, file, private_hosts, total, max_bytes, accept)
    except BaseException:
        path.unlink(missing_ok=True)
        raise


def _save(
    url: str, file: BinaryIO, private_hosts: Iterable[str], total: float, max_bytes: int,
    accept: Callable[[requests.Response], None],
) -> Saved:  # fmt: skip
    from rivus.net.record import Player, tape
    from rivus.net.session import open_session

    digest = sha256()

    def write(chunk: bytes) -> None:
        digest.update(chunk)
        file.write(chunk)

    with open_session(private_hosts, total=total, max_bytes=max_bytes) as session:
        played = isinstance(tape(), Player)
        if not played:
            _stream(session, write, max_bytes, accept)
        response = check(fetch(session, url))
        if played:
            accept(response)
            write(response.content)
    return Saved(response, file.tell(), digest.hexdigest())


def _stream(
    session: requests.Session, write: Callable[[bytes], None], max_bytes: int,
    accept: Callable[[requests.Response], None],
) -> None:  # fmt: skip
    """Has the session hand the body of a good answer to `write`, piece by piece, and keep none of it."""
    from rivus.net import record
    from rivus.net.session import MAX_BYTES
    from rivus.net.transport import CHUNK, BoundedAdapter, TooLarge

    recorder = record.tape()

    class Streaming(BoundedAdapter):
        def _read(self, response: requests.Response) -> bytes:
            if response.status_code != 200:
                return super()._read(response)
            accept(response)
            size, body = 0, bytearray()
            for chunk in response.raw.stream(CHUNK, decode_content=True):
                size += len(chunk)
                if size > max_bytes:
                    raise TooLarge(f"the answer is larger than {max_bytes:,} bytes", request=response.request)
                write(chunk)
                if isinstance(recorder, record.Recorder) and not recorder.too_large:
                    body += chunk
                    if size > record.LARGEST:
                        recorder.give_up()
                        body.clear()
            return bytes(body)

    for scheme in ("http://", "https://"):
        session.mount(scheme, Streaming(MAX_BYTES, recorder))
