"""Secrets: where they come from, and how they stay out of everything that is written.

A secret `finnhub_token` is the file `$CREDENTIALS_DIRECTORY/finnhub_token` (systemd's LoadCredential=), else the
environment variable RIVUS_SECRET_FINNHUB_TOKEN. Every value handed out is remembered, so that `scrub` can take it
out of any text.
"""

from __future__ import annotations

import json
import logging
import os
import re
from pathlib import Path
from urllib.parse import quote, quote_plus

from rivus.model.outcome import Halt

SHORTEST = 6
"""A shorter value could not be scrubbed without spoiling ordinary text."""
LONGEST = 65_536
_NAME = re.compile(r"[a-z][a-z0-9_]*")
_handed_out: dict[str, str] = {}


def get(name: str) -> str:
    """The secret `name` ([a-z][a-z0-9_]*), without the newline at its end.

    Raises Halt, which never holds the value: a bad name, no such secret, or one that cannot be used.
    """
    if not _NAME.fullmatch(name):
        raise Halt(f"{name!r} is not the name of a secret: lower-case letters, digits and _, a letter first")
    value = _from_credentials(name) or os.environ.get(_variable(name), "").strip("\r\n")
    if not value:
        raise Halt(
            f"no secret {name}: neither {_credential(name)} nor the environment's {_variable(name)} has it"
        )
    if len(value) < SHORTEST:
        raise Halt(
            f"the secret {name} is shorter than {SHORTEST} characters: it could not be kept out of the logs"
        )
    _remember(name, value)
    return value


def scrub(text: str) -> str:
    """`text` with every value handed out so far, plain, URL-quoted or JSON-escaped, as `[secret NAME]`."""
    for form, name in _handed_out.items():
        if form in text:
            text = text.replace(form, f"[secret {name}]")
    return text


class Scrubber(logging.Filter):
    """A filter for log handlers: no secret leaves in a message, an argument or a traceback."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Rewrites `record` in place; keeps every record."""
        record.msg, record.args = scrub(record.getMessage()), ()
        if record.exc_info and not record.exc_text:
            record.exc_text = logging.Formatter().formatException(record.exc_info)
        if record.exc_text:
            record.exc_text = scrub(record.exc_text)
        if record.stack_info:
            record.stack_info = scrub(record.stack_info)
        return True


def _variable(name: str) -> str:
    return f"RIVUS_SECRET_{name.upper()}"


def _credential(name: str) -> str:
    return f"{os.environ.get('CREDENTIALS_DIRECTORY') or '$CREDENTIALS_DIRECTORY'}/{name}"


def _from_credentials(name: str) -> str:
    folder = os.environ.get("CREDENTIALS_DIRECTORY")
    if not folder:
        return ""
    try:
        with (Path(folder) / name).open("rb") as file:
            raw = file.read(LONGEST + 1)
    except FileNotFoundError:
        return ""
    except OSError as error:
        raise Halt(f"the secret {name} cannot be read: {error.strerror}") from None
    try:
        value = raw.decode("utf-8")
    except UnicodeDecodeError:
        raise Halt(f"the secret {name} in {_credential(name)} is not UTF-8 text") from None
    if len(raw) > LONGEST:
        raise Halt(f"the secret {name} in {_credential(name)} is longer than {LONGEST} bytes")
    return value.strip("\r\n")


def _remember(name: str, value: str) -> None:
    for form in (value, quote(value), quote(value, safe=""), quote_plus(value), json.dumps(value)[1:-1]):
        _handed_out[form] = name
    longest_first = sorted(_handed_out.items(), key=lambda known: -len(known[0]))
    _handed_out.clear()
    _handed_out.update(longest_first)
