"""Charts are well-formed SVG that tells its figures to everybody, whatever its names are."""

from __future__ import annotations

from collections.abc import Callable
from xml.etree import ElementTree

import pytest

from rivus.dash import charts
from rivus.dash.charts import HEIGHT, WIDTH, Span, Svg

NAME = "{http://www.w3.org/2000/svg}"
HOSTILE = '"><script>alert(1)</script>&amp;\u202e<!--'
DAYS = [f"2026-01-{day:02}" for day in range(1, 15)]
DRAWN: dict[str, Callable[[str], Svg]] = {
    "spark": lambda name: charts.spark({name: 3, "b": 0}, name),
    "bars": lambda name: charts.bars(DAYS, {name: [*range(14)], "b": [1] * 14}, name, "$"),
    "lines": lambda name: charts.lines(DAYS, {name: [None, *range(13)]}, name, " s"),
    "gantt": lambda name: charts.gantt({name: [Span(1, 2, "done", name, f"/item/{name}")]}, 0, 10, {5: name}, name),
    "steps": lambda name: charts.steps([(1, 2), (5, 3)], 4, [Span(2, 3, "parked", name)], name, 0, 10),
}


def shapes(svg: Svg, tag: str) -> list[ElementTree.Element]:
    return [one for one in ElementTree.fromstring(svg).iter() if one.tag.removeprefix(NAME) == tag]


def number(shape: ElementTree.Element, name: str) -> float:
    return float(shape.attrib[name])


@pytest.mark.parametrize("kind", DRAWN)
def test_no_name_becomes_markup(kind: str) -> None:
    svg = DRAWN[kind](HOSTILE)
    tags = {one.tag for one in ElementTree.fromstring(svg).iter()}
    assert tags <= {"svg", "rect", "title", "text", "path", "polyline", "circle", "a"}
    assert ElementTree.fromstring(svg).attrib["aria-label"].startswith(HOSTILE)


@pytest.mark.parametrize("kind", DRAWN)
def test_every_bar_and_point_has_a_tooltip(kind: str) -> None:
    found = [one for tag in ("rect", "circle") for one in shapes(DRAWN[kind]("a"), tag)]
    assert found and all(one.findtext("title") for one in found)


@pytest.mark.parametrize("kind", DRAWN)
def test_templates_take_a_chart_as_it_is(kind: str) -> None:
    assert DRAWN[kind]("a").__html__() == str(DRAWN[kind]("a"))


def test_of_nothing_there_is_no_chart() -> None:
    assert charts.spark({}, "") == charts.bars(DAYS, {"a": [0] * 14}, "") == charts.bars(DAYS, {}, "") == ""
    assert charts.lines(DAYS, {"a": [None] * 14}, "") == charts.gantt({}, 0, 1, {}, "") == ""
    assert charts.steps([], 4, [], "", 0, 1) == ""


def test_stacked_bars_are_as_high_as_their_values_and_do_not_cover_each_other() -> None:
    low, high = shapes(charts.bars(["one"], {"a": [2], "b": [6]}, ""), "rect")
    assert number(high, "height") == pytest.approx(3 * number(low, "height"), abs=0.2)
    assert number(high, "y") + number(high, "height") == pytest.approx(number(low, "y"), abs=0.2)


def test_a_line_is_broken_where_nothing_is_known() -> None:
    values = [1, 2, None, None, 3, 4, 5, *[None] * 7]
    assert len(shapes(charts.lines(DAYS, {"a": values}, ""), "polyline")) == 2
    assert len(shapes(charts.lines(DAYS, {"a": values}, ""), "circle")) == 5


def test_what_overlaps_stands_in_rows_below_each_other() -> None:
    spans = [Span(0, 5, "done", "x"), Span(2, 4, "done", "x"), Span(5, 9, "done", "x")]
    first, second, third = shapes(charts.gantt({"a": spans}, 0, 10, {}, ""), "rect")
    tops = sorted(number(one, "y") for one in (first, second, third))
    assert tops[0] == tops[1] < tops[2]


def test_bars_that_began_before_the_chart_begin_with_it() -> None:
    before, within = shapes(charts.gantt({"a": [Span(-50, 5, "x", ""), Span(0, 5, "x", "")]}, 0, 10, {}, ""), "rect")
    assert number(before, "x") == number(within, "x") and number(before, "width") == number(within, "width")


def test_everything_lies_within_the_picture() -> None:
    for svg in (charts.bars(DAYS, {"a": [10**9] * 14}, ""), charts.lines(DAYS, {"a": [0.001] * 14}, "")):
        for shape in shapes(svg, "rect"):
            assert number(shape, "x") >= 0 and number(shape, "x") + number(shape, "width") <= WIDTH
            assert number(shape, "y") >= 0 and number(shape, "y") + number(shape, "height") <= HEIGHT
        for shape in shapes(svg, "circle"):
            assert 0 <= number(shape, "cx") <= WIDTH and 0 <= number(shape, "cy") <= HEIGHT


@pytest.mark.parametrize(
    ("top", "shown"), [(1, 1), (1.1, 2), (0.3, 0.5), (99, 100), (100, 100), (101, 200), (2100, 2500), (0, 1)]
)
def test_axes_end_at_round_numbers(top: float, shown: float) -> None:
    assert charts.nice(top) == pytest.approx(shown)


def test_the_figures_are_told_in_words() -> None:
    assert "found 6 in all" in charts.lines(["a", "b"], {"found": [2, 4]}, "items")
    assert "1, 2" in charts.spark({"a": 1, "b": 2}, "new")
