"""One item's story, oldest first, from all that remembers it: the spool's journal of moves, its birth record, the
attempts in its tickets (for moves whose lines were lost), the receipts, and the messages in the system's journal.

Each row is `{"t", "source": "spool" | "ticket" | "journal", "stage", "what", …}`. `what` says in words what happened;
beside it stands whatever the source knows (move, owner, outcome, reason, class, due, why, seconds, cost, priority …).
Nothing here changes anything.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence

from rivus.model.decide import FOREVER
from rivus.model.item import Ticket, file_name, is_ticket, ticket_of
from rivus.model.outcome import Json
from rivus.model.times import epoch, utc
from rivus.spool.layout import Spool
from rivus.spool.reader import Unreadable, read_document
from rivus.tell.history import history

LONGEST = 4_000
"""Characters of a text in a row."""
WORDS = {
    "publish": "found and published", "claim": "begun", "finish": "done", "defer": "put off", "fail": "failed",
    "hold": "held", "wake": "due, ready again", "recover": "its worker died; ready again", "retry": "to be tried again",
    "release": "has what it needs; ready", "unhold": "no longer held", "reset": "changed at the source; starts over",
    "give back": "given back, ready again", "put back": "waits for a stage that it needs now",
    "drop": "dropped", "give up": "given up", "archive": "archived",
    "restore": "put back from the archive", "reject": "rejected",
    "vanished": "no longer at the source",
}  # fmt: skip
"""What each move of the state table (`rivus.model.states`) means for the item."""
_ENDED = {
    "done": "done", "skipped": "skipped", "failed": "failed", "held": "held", "interrupted": "its worker died",
    "retry": "failed, put off", "timeout": "took too long, put off", "blocked": "the source must rest, put off",
    "halted": "the job is broken, put off", "busy": "a child of it runs, put off",
}  # fmt: skip
_KEPT = (
    "move", "owner", "outcome", "reason", "class", "type", "due", "why", "by", "to", "n", "action", "fingerprint",
    "interruptions",
)  # fmt: skip
Ask = Callable[[Spool, str, str], list[Json]]


def story(spool: Spool, job: str, stages: Sequence[str], key: str, ask: Ask | None) -> list[Json]:
    """The rows; [] if nobody knows the item. stages: where its tickets may be. ask: gives the messages of the system's
    journal (`rivus.tell.messages`); None leaves them out."""
    birth = _ticket(f"{spool.births(job)}/{file_name(key)}", job)
    places = {stage: spool.where(job, stage, file_name(key)) for stage in stages}
    tickets = {stage: found for stage, place in places.items() if place and (found := _ticket(place[1], job))}
    lines = history(spool, job, key)
    rows = [_row(line, "spool") for line in lines]
    rows += [_row(line, "ticket") for line in _lost(lines, birth, tickets)]
    _add_receipts(rows, tickets)
    if not rows and not any(places.values()):
        return []
    rows += [_cut({**row, "source": "journal"}) for row in ask(spool, job, key)] if ask else []
    for row in rows:
        row.pop("ended", None)
    return sorted(rows, key=lambda row: str(row["t"]))


def _ticket(path: str, job: str) -> Ticket | None:
    try:
        document = read_document(path)
        return ticket_of(document, job) if is_ticket(document) else None
    except (FileNotFoundError, Unreadable, ValueError):
        return None


def _lost(lines: Sequence[Json], birth: Ticket | None, tickets: Mapping[str, Ticket]) -> Iterator[Json]:
    """Lines in place of those that the journal has lost: of how the item began, and of attempts."""
    if birth and not any(line.get("move") == "publish" for line in lines):
        strategy = birth.meta.get("strategy")
        yield from _timed({"move": "publish", "stage": "discover", "by": strategy}, birth.meta.get("discovered"))
    told = {_mark(line) for line in lines}
    for stage, ticket in tickets.items():
        for attempt in ticket.attempts:
            line = {**attempt, "stage": stage, "move": None}
            if _mark(line) not in told:
                yield from _timed(line, attempt.get("ended"))


def _timed(line: Json, when: object) -> Iterator[Json]:
    """The line at its time, if that is one."""
    try:
        yield {**line, "t": utc(epoch(str(when)))}
    except (ValueError, OverflowError):
        return


def _mark(line: Json) -> tuple[str, str, str]:
    """What makes an attempt's line unique: an owner dies only once, and ends an item only once at a time."""
    ended = "interrupted" if line.get("outcome") == "interrupted" else line.get("ended")
    return str(line.get("stage")), str(line.get("owner")), str(ended)


def _row(line: Json, source: str) -> Json:
    row: Json = {"t": line["t"], "source": source, "stage": str(line.get("stage") or ""), "what": in_words(line)}
    row |= {name: line[name] for name in _KEPT if line.get(name) not in (None, "")}
    if isinstance(line.get("cost"), dict):
        row["cost"] = line["cost"]
    if (seconds := _seconds(line)) is not None:
        row["seconds"] = seconds
    return _cut({**row, "ended": line.get("ended")})


def _cut(row: Json) -> Json:
    return {name: value[:LONGEST] if isinstance(value, str) else value for name, value in row.items()}


def _seconds(line: Json) -> float | None:
    try:
        return round(epoch(str(line["ended"])) - epoch(str(line["started"])), 3)
    except (KeyError, ValueError, OverflowError):
        return None


def _add_receipts(rows: Sequence[Json], tickets: Mapping[str, Ticket]) -> None:
    """What a good end cost, and why it was skipped, stands in the receipt alone."""
    receipts = {_mark({**(one.receipt or {}), "stage": stage}): one.receipt or {} for stage, one in tickets.items()}
    for row in rows:
        receipt = receipts.get(_mark(row), {})
        if row.get("ended") and isinstance(receipt.get("cost"), dict):
            row["cost"] = receipt["cost"]
        if row.get("ended") and receipt.get("skipped"):
            row["reason"] = str(receipt["skipped"])[:LONGEST]
            row["what"] = in_words(row)


def in_words(line: Json) -> str:
    """What happened, as a person would say it."""
    move, outcome = str(line.get("move") or ""), str(line.get("outcome") or "")
    text = WORDS.get(move, "") if outcome in ("", "done", "interrupted") else _ENDED.get(outcome, outcome)
    if move == "recover" and outcome == "done":
        text = "done; its worker died before it could say so"
    text = text or _ENDED.get(outcome) or move or "tried"
    if due := line.get("due"):
        text += " until a person resumes it" if _forever(due) else f" until {due}"
    if said := line.get("reason") or line.get("why"):
        text += f": {said}"
    if line.get("class"):
        text += f" [{line['class']}]"
    return text + (f", by {line['by']}" if line.get("by") else "")


def _forever(due: object) -> bool:
    return str(due) >= utc(FOREVER)
