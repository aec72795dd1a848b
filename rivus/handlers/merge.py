"""The stage `merge.best`: one object of several that tell of the same thing, such as a page and its archived copy."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

from rivus.model.outcome import ItemFailed, Json

if TYPE_CHECKING:
    from rivus.model.context import Context

NETWORK = False
_TEXTS = ["text"]
_PAYWALLED = [
    "subscribe to continue", "subscribe to read", "subscribers only", "for subscribers", "already a subscriber",
    "log in to continue", "sign in to continue", "sign in to read", "create a free account", "to continue reading",
    "abonnieren", "abonnez-vous", "réservé aux abonnés", "suscríbete",
]  # fmt: skip


def best(
    item: Json, ctx: Context, *, sources: list[str], texts: list[str] = _TEXTS,
    scalars: Literal["first", "newest"] = "first", date_field: str = "published", paywalled: list[str] = _PAYWALLED,
) -> Json:  # fmt: skip
    """The best of each field of several objects of the item.

    Takes: the objects in the fields `sources`; one that is missing or empty is passed over.
    Gives: each field that any of them holds, and `chosen` (field -> the source it is from).

    texts:      fields of which the longest is taken, unless it holds a phrase of `paywalled` and another does not.
    scalars:    of all other fields: first: the first of `sources` that has it; newest: the one whose `date_field` (ISO
                8601, in UTC) is the latest.
    paywalled:  phrases, whatever their case, of a text that is not the whole text.
    Raises ItemFailed when none of the objects holds anything.

        merge: {handler: merge.best, needs: [live, copy], with: {sources: [live, copy], scalars: newest}}
    """
    given = {name: item[name] for name in sources if isinstance(item.get(name), dict)}
    ranked = sorted(given, key=lambda name: _date(given[name], date_field), reverse=True)  # stable: else as they stand
    order = ranked if scalars == "newest" else list(given)
    phrases = [phrase.casefold() for phrase in paywalled]
    fields = dict.fromkeys(field for name in order for field, value in given[name].items() if not _is_empty(value))
    chosen: dict[str, str] = {}
    for field in fields:
        holding = [name for name in order if not _is_empty(given[name].get(field))]
        if field in texts:
            holding.sort(key=lambda name: _worth(given[name][field], phrases), reverse=True)
        chosen[field] = holding[0]
    if not chosen:
        raise ItemFailed(f"nothing to merge: {', '.join(sources)} hold nothing")
    return {**{field: given[name][field] for field, name in chosen.items()}, "chosen": chosen}


def _is_empty(value: Any) -> bool:
    return value is None or value in ("", [], {}) or (isinstance(value, str) and not value.strip())


def _date(source: Json, field: str) -> str:
    date = source.get(field)
    return date if isinstance(date, str) else ""


def _worth(value: Any, phrases: list[str]) -> tuple[bool, int]:
    """By which texts are compared: whole ones first, then the longest; what is no text comes last."""
    if not isinstance(value, str):
        return False, -1
    folded = value.casefold()
    return not any(phrase in folded for phrase in phrases), len(value)
