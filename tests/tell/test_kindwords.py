"""Types in the words of those who write YAML."""

from __future__ import annotations

import ast

import pytest

from rivus.tell.kindwords import kind_words

ALIASES = {"Scalar": "str | float", "Seconds": "Annotated[float, 'seconds']", "Round": "list[Round]"}

CLASSES = {"Rule": "class Rule(TypedDict, total=False):\n    'words'\n    select: Required[str]\n    many: bool",
           "Other": "class Other:\n    x: int"}  # fmt: skip


def words(text: str) -> str:
    def lookup(name: str) -> ast.expr | ast.ClassDef | None:
        if name in CLASSES:
            (found,) = ast.parse(CLASSES[name]).body
            return found if isinstance(found, ast.ClassDef) else None
        return ast.parse(ALIASES[name], mode="eval").body if name in ALIASES else None

    return kind_words(ast.parse(text, mode="eval").body, lookup)


@pytest.mark.parametrize(
    ("kind", "said"),
    [
        ("str", "text"),
        ("int | None", "whole number"),
        ("int | float", "number"),
        ("list[str]", "list of text"),
        ("list[str | int]", "list of (text or whole number)"),
        ("dict[str, bool]", "mapping to true or false"),
        ("dict[str, Scalar]", "mapping to (text or number)"),
        ("Literal['now', 'then']", "now or then"),
        ("Seconds", "duration"),
        ("Annotated[int, Meta(ge=1)]", "whole number"),
        ("Path", "Path"),
        ("Other", "Other"),
        ("Rule", "mapping with select, many"),
        ("dict[str, str | Rule]", "mapping to (text or mapping with select, many)"),
        ("tuple[int, int]", "tuple[int, int]"),
        ("None", "nothing"),
    ],
)
def test_a_type_in_words(kind: str, said: str) -> None:
    assert words(kind) == said


def test_without_a_type_anything_may_be_given() -> None:
    assert kind_words(None, lambda name: None) == "anything"


def test_a_type_that_holds_itself_has_an_end() -> None:
    assert words("Round").endswith("anything" + ")" * words("Round").count("("))
