"""All that is known of one failure, in plain values: from an exception, or from a line of a record.

Libraries hide what happened in many places: `__cause__` and `__context__`, yt-dlp in `exc_info` and `cause`, urllib3
in `reason` and in `args`, requests and httpx in `response`. All of them are looked through, up to a bound, and nothing
here raises, whatever the attributes of an exception do.
"""

from __future__ import annotations

import builtins
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from types import TracebackType
from typing import Any, TypeVar

from rivus.doctor.said import one_line, read_text, seconds_of, when_of

T = TypeVar("T")

MAX_CAUSES = 16
MAX_KINDS = 64
_INNER = ("__cause__", "cause", "reason", "exc_info", "args", "__context__")
_STATUS = ("status_code", "status", "code", "http_status")
_PLAIN = ("builtins", "rivus.model.outcome")


@dataclass(frozen=True, slots=True)
class Failure:
    """error_type: qualified name; kinds: those of all its classes and of its causes', outermost first. message: one
    line. status: of HTTP. retry_after: seconds the other side asks for; until: seconds since the epoch, when it says
    that it will be ready. exit_code: of a program, minus the number of the signal that killed it. frame:
    "module:function" that raised it.
    """

    handler: str
    error_type: str
    kinds: tuple[str, ...] = ()
    message: str = ""
    status: int | None = None
    retry_after: float | None = None
    until: float | None = None
    errno: int | None = None
    exit_code: int | None = None
    frame: str | None = None


def failure_of(error: BaseException, handler: str) -> Failure:
    """What is known of `error`, raised in `handler`. Never raises."""
    chain = list(_causes(error))
    said = read_text(_text(error))
    headers = [found for each in chain for found in _headers(each)]
    status = _first(_status(each) for each in chain) or said.status
    asked, until = _first(map(_asked, chain)), _first(map(_until, chain))
    return Failure(
        handler=handler,
        error_type=qualified(type(error)),
        kinds=_kinds(chain),
        message=said.text,
        status=status,
        retry_after=_first((asked, seconds_of(headers, status), said.retry_after)),
        until=_first((until, when_of(headers, status), said.until)),
        errno=_first(_errno(each) for each in chain) or said.errno,
        exit_code=_first(_exit_code(each) for each in chain) or said.exit_code,
        frame=_frame(error.__traceback__) or said.frame,
    )


def failure_from_record(row: Mapping[str, Any]) -> Failure:
    """The same from `{"handler", "error_type", "message", "status"?}`: what is missing is read in the text, where it
    is unmistakable. Never raises."""
    error_type = one_line(str(row.get("error_type") or ""))
    said = read_text(str(row.get("message") or ""))
    given = row.get("status")
    status = given if isinstance(given, int) and _is_status(given) else said.status or read_text(error_type).status
    return Failure(
        handler=str(row.get("handler") or ""),
        error_type=error_type or (said.kinds[0] if said.kinds else ""),
        kinds=tuple(dict.fromkeys((*_known_bases(error_type), *(b for k in said.kinds for b in _known_bases(k))))),
        message=said.text,
        status=status,
        retry_after=said.retry_after,
        until=said.until,
        errno=said.errno,
        exit_code=said.exit_code,
        frame=said.frame,
    )


def qualified(kind: type) -> str:
    """`module.Name`; only `Name` for Python's own errors and for outcomes, as they stand in records."""
    return kind.__qualname__ if kind.__module__ in _PLAIN else f"{_module(kind.__module__)}.{kind.__qualname__}"


def _module(name: str) -> str:
    """The name by which jobs name a module beside them: a record must not depend on where that folder is."""
    return name.rpartition("/")[2].removesuffix("%2Epy") if name.startswith("jobs_d:") else name


def _known_bases(name: str) -> tuple[str, ...]:
    """The name and, if it is one of Python's own, those of its bases."""
    kind = getattr(builtins, name, None) if name.isidentifier() else None
    if isinstance(kind, type) and issubclass(kind, BaseException):
        return _names(kind)
    return (name,) if name else ()


def _names(kind: type) -> tuple[str, ...]:
    return tuple(qualified(base) for base in kind.__mro__ if base not in (object, Exception, BaseException))


def _kinds(chain: list[BaseException]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(name for each in chain for name in _names(type(each))))[:MAX_KINDS]


def _causes(error: BaseException) -> Iterator[BaseException]:
    """The error and what led to it, outermost first. A context that `from` replaced or hid is left out."""
    pending, seen = [error], set[int]()
    while pending and len(seen) < MAX_CAUSES:
        found = pending.pop(0)
        if id(found) in seen:
            continue
        seen.add(id(found))
        yield found
        hidden = found.__suppress_context__
        for name in _INNER:
            value = None if hidden and name == "__context__" else _get(found, name)
            several = value[:MAX_CAUSES] if isinstance(value, tuple) else (value,)
            pending += [each for each in several if isinstance(each, BaseException)]


def _get(thing: object, name: str) -> Any:
    try:
        return getattr(thing, name, None)
    except Exception:  # noqa: BLE001 - a property of an exception may do anything
        return None


def _text(error: BaseException) -> str:
    """What it says; a bare KeyError says only the key, so that its kind is told by its type."""
    tail = _get(error, "stderr")
    try:
        text = str(error)
        if isinstance(tail, bytes):
            tail = tail[-4096:].decode("utf-8", "replace")
        return f"{text} {tail[-4096:]}" if isinstance(tail, str) else text
    except Exception:  # noqa: BLE001 - nor can its __str__ be trusted
        return ""


def _is_status(value: object) -> bool:
    return type(value) is int and (400 <= value <= 599 or value == 999)


def _status(error: BaseException) -> int | None:
    for thing in (error, _get(error, "response")):
        for name in _STATUS if thing is not None else ():
            value = _get(thing, name)
            if _is_status(value):
                return int(value)
    return None


def _headers(error: BaseException) -> Iterator[Mapping[str, str]]:
    for thing in (_get(error, "response"), error):
        found = _get(thing, "headers")
        if found is not None and hasattr(found, "get"):
            yield found


def _errno(error: BaseException) -> int | None:
    value = _get(error, "errno") if isinstance(error, OSError) else None
    return value if type(value) is int else None


def _exit_code(error: BaseException) -> int | None:
    """CommandFailed has `code` and `tail`, subprocess's error `returncode`."""
    value = _get(error, "returncode")
    if value is None and isinstance(_get(error, "tail"), str):
        value = _get(error, "code")
    return value if type(value) is int and value != 0 and -64 <= value <= 255 else None


def _number(error: BaseException, name: str) -> float | None:
    value = _get(error, name)
    return float(value) if type(value) in (int, float) and 0 <= value < 1e11 else None


def _asked(error: BaseException) -> float | None:
    return _first(_number(error, name) for name in ("after", "retry_after"))


def _until(error: BaseException) -> float | None:
    return _first(_number(error, name) for name in ("until", "release_timestamp"))


def _frame(traceback: TracebackType | None) -> str | None:
    """The innermost function that is not a library's, else the innermost: libraries move theirs about."""
    own = last = None
    for _ in range(1000):
        if traceback is None:
            break
        code, module = traceback.tb_frame.f_code, traceback.tb_frame.f_globals.get("__name__", "?")
        last = f"{_module(module)}:{'.'.join(part for part in code.co_qualname.split('.') if part[0] != '<')}"
        own = own if _is_library(module, code.co_filename) else last
        traceback = traceback.tb_next
    return own or last


def _is_library(module: str, file: str) -> bool:
    library = "site-packages" in file or "/lib/python3" in file or file.startswith("<frozen")
    return library and not module.startswith("rivus.")


def _first(values: Iterable[T | None]) -> T | None:
    """The first that is known: they are given in the order of trust."""
    return next((value for value in values if value is not None), None)
