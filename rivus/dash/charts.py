"""Charts as SVG, drawn here so that the browser needs no program for them. Pure.

Every shape has a tooltip (`<title>`), every chart a text for those who cannot see it. A shape's colour is a class that
the style sheet knows: `n1` … `n6` for series, `c-KIND` for what has a meaning of its own. A chart of nothing is "".
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from html import escape
from math import floor, log10

from rivus.dash.pages.words import brief

WIDTH, HEIGHT = 290, 120
LEFT, BOTTOM, TOP = 34, 18, 8
Series = Mapping[str, Sequence[float | None]]
"""A name, and a value for each label; None: nothing is known. The first has colour `n1`, and so on."""


class Svg(str):
    """Markup that templates take as it is."""

    __slots__ = ()

    def __html__(self) -> str:
        return str(self)


@dataclass(frozen=True, slots=True)
class Span:
    """A bar of a time line. start, end: seconds since the epoch. kind: the class of its colour."""

    start: float
    end: float
    kind: str
    title: str
    href: str = ""


def spark(values: Mapping[str, float], about: str) -> Svg:
    """A row of small bars, one for each label."""
    if not values:
        return Svg("")
    top, step = max(*values.values(), 1), 6
    bars = "".join(
        _rect(n * step, 24 - 22 * value / top, step - 1.5, max(22 * value / top, 0.8), "n1", f"{label}: {brief(value)}")
        for n, (label, value) in enumerate(values.items())
    )
    told = ", ".join(brief(value) for value in values.values())
    return _svg(bars, len(values) * step, 24, f"{about}: {told}", "spark")


def bars(labels: Sequence[str], series: Series, about: str, unit: str = "") -> Svg:
    """Bars for each label, the series stacked upon each other."""
    heights = [sum(values[n] or 0 for values in series.values()) for n in range(len(labels))]
    if not any(heights):
        return Svg("")
    top = nice(max(heights))
    step = (WIDTH - LEFT) / len(labels)
    parts = [_grid(top, unit), _dates(labels, step)]
    parts += [_pile(label, LEFT + n * step, step, {name: values[n] or 0 for name, values in series.items()}, top, unit)
              for n, label in enumerate(labels)]  # fmt: skip
    return _svg("".join(parts), WIDTH, HEIGHT, f"{about}, {labels[0]} to {labels[-1]}: {_told(series, unit)}")


def _pile(label: str, x: float, step: float, values: Mapping[str, float], top: float, unit: str) -> str:
    parts, below = [], 0.0
    for number, (name, value) in enumerate(values.items(), 1):
        if value:
            y, high = _y(below + value, top), _y(below, top) - _y(below + value, top)
            title = f"{label}: {name} {_unit(unit, value)}"
            parts.append(_rect(x + step * 0.1, y, step * 0.8, high, f"n{number}", title))
        below += value
    return "".join(parts)


def lines(labels: Sequence[str], series: Series, about: str, unit: str = "") -> Svg:
    """A line for each series, broken where nothing is known."""
    known = [value for values in series.values() for value in values if value is not None]
    if not known:
        return Svg("")
    top = nice(max(known))
    step = (WIDTH - LEFT) / len(labels)
    parts = [_grid(top, unit), _dates(labels, step)]
    for number, (name, values) in enumerate(series.items(), 1):
        points = [(LEFT + (n + 0.5) * step, value, n) for n, value in enumerate(values) if value is not None]
        for run in _runs(points):
            path = " ".join(f"{x:.1f},{_y(value, top):.1f}" for x, value, _ in run)
            parts.append(f'<polyline class="line n{number}" points="{path}"/>')
        for x, value, n in points:
            title = _title(f"{labels[n]}: {name} {_unit(unit, value)}")
            parts.append(f'<circle class="n{number}" cx="{x:.1f}" cy="{_y(value, top):.1f}" r="3">{title}</circle>')
    return _svg("".join(parts), WIDTH, HEIGHT, f"{about}, {labels[0]} to {labels[-1]}: {_told(series, unit)}")


def gantt(lanes: Mapping[str, Sequence[Span]], start: float, end: float, ticks: Mapping[float, str], about: str) -> Svg:
    """Lanes of bars over a time; what overlaps within a lane stands in rows. ticks: labels of times."""
    if not any(lanes.values()):
        return Svg("")
    wide, left, high = 960, 130, 14
    scale = (wide - left) / max(end - start, 1)
    parts, y = [], 18
    for name, spans in lanes.items():
        parts.append(f'<text x="{left - 6}" y="{y + 11}" text-anchor="end">{escape(name[:22])}</text>')
        for row in _rows(spans):
            parts += [_bar(span, left, start, scale, y, high - 3) for span in row]
            y += high
        y += 6
    grid = [_tick(left + (at - start) * scale, y, label) for at, label in ticks.items()]
    told = ", ".join(f"{name} {len(spans)}" for name, spans in lanes.items())
    return _svg("".join([*grid, *parts]), wide, y, f"{about}: {told}", "gantt")


def _tick(x: float, y: float, label: str) -> str:
    line = f'<path class="grid" d="M{x:.1f} 16V{y}"/>'
    return f'{line}<text x="{x:.1f}" y="11" text-anchor="middle">{escape(label)}</text>'


def steps(
    points: Sequence[tuple[float, float]], top: float, shades: Sequence[Span], about: str, start: float, end: float
) -> Svg:
    """A value over time that keeps until the next one, below a line at `top`; spans of time are shaded."""
    if not points:
        return Svg("")
    most = nice(max(top, *(value for _, value in points)))
    scale = (WIDTH - LEFT) / max(end - start, 1)
    places = [(LEFT + (max(at, start) - start) * scale, _y(value, most)) for at, value in points]
    path = f"M{places[0][0]:.1f} {places[0][1]:.1f}" + "".join(f"H{x:.1f}V{y:.1f}" for x, y in places[1:])
    parts = [_grid(most, ""), *(_shade(one, start, end, scale) for one in shades)]
    parts.append(f'<path class="limit" d="M{LEFT} {_y(top, most):.1f}H{WIDTH}">{_title(f"limit: {brief(top)}")}</path>')
    parts.append(f'<path class="line n1" d="{path}H{WIDTH}"/>')
    return _svg("".join(parts), WIDTH, HEIGHT, about)


def _shade(span: Span, start: float, end: float, scale: float) -> str:
    begin = max(span.start, start)
    wide = max((min(span.end, end) - begin) * scale, 1)
    return _rect(LEFT + (begin - start) * scale, TOP, wide, HEIGHT - BOTTOM - TOP, f"c-{span.kind}", span.title)


def nice(top: float) -> float:
    """The least 1, 2, 2.5 or 5 times a power of ten that is not below `top`."""
    power = 10.0 ** floor(log10(top)) if top > 0 else 1.0
    return next((step * power for step in (1, 2, 2.5, 5) if step * power >= top * (1 - 1e-9)), 10 * power)


def _y(value: float, top: float) -> float:
    return HEIGHT - BOTTOM - (HEIGHT - BOTTOM - TOP) * value / (top or 1)


def _grid(top: float, unit: str) -> str:
    texts = [
        f'<path class="grid" d="M{LEFT} {_y(value, top):.1f}H{WIDTH}"/>'
        f'<text x="{LEFT - 4}" y="{_y(value, top) + 4:.1f}" text-anchor="end">{_unit(unit, value)}</text>'
        for value in (0, top / 2, top)
    ]
    return "".join(texts)


def _unit(unit: str, value: float) -> str:
    return f"{unit}{brief(value)}" if unit == "$" else f"{brief(value)}{unit}"


def _dates(labels: Sequence[str], step: float) -> str:
    """The first, the middle and the last label below the chart; days without their year."""
    shown = {0: "start", len(labels) // 2: "middle", len(labels) - 1: "end"}
    place = {"start": 0.0, "middle": 0.5, "end": 1.0}
    texts = []
    for n, anchor in shown.items():
        x = LEFT + (n + place[anchor]) * step
        texts.append(f'<text x="{x:.1f}" y="{HEIGHT - 5}" text-anchor="{anchor}">{escape(labels[n][-5:])}</text>')
    return "".join(texts)


def _told(series: Series, unit: str) -> str:
    sums = {name: sum(value or 0 for value in values) for name, values in series.items()}
    return "; ".join(f"{name} {_unit(unit, value)} in all" for name, value in sums.items())


def _runs(points: list[tuple[float, float, int]]) -> Iterator[list[tuple[float, float, int]]]:
    """Parts of a line whose points follow each other."""
    run: list[tuple[float, float, int]] = []
    for point in points:
        if run and point[2] != run[-1][2] + 1:
            yield run
            run = []
        run.append(point)
    if run:
        yield run


def _rows(spans: Sequence[Span]) -> list[list[Span]]:
    """Spans in as few rows as it takes for none to cover another."""
    rows: list[list[Span]] = []
    for span in sorted(spans, key=lambda one: one.start):
        row = next((row for row in rows if row[-1].end <= span.start), None)
        if row is None:
            rows.append(row := [])
        row.append(span)
    return rows or [[]]


def _bar(span: Span, left: float, start: float, scale: float, y: float, high: float) -> str:
    begin = max(span.start, start)
    wide = max((span.end - begin) * scale, 1.5)
    drawn = _rect(left + (begin - start) * scale, y, wide, high, f"c-{span.kind}", span.title)
    return f'<a href="{escape(span.href)}">{drawn}</a>' if span.href else drawn


def _rect(x: float, y: float, wide: float, high: float, kind: str, title: str) -> str:
    place = f'x="{x:.1f}" y="{y:.1f}" width="{wide:.1f}" height="{high:.1f}"'
    return f'<rect class="{escape(kind)}" {place}>{_title(title)}</rect>'


def _title(text: str) -> str:
    return f"<title>{escape(text)}</title>"


def _svg(body: str, wide: float, high: float, about: str, kind: str = "chart") -> Svg:
    head = f'<svg class="{kind}" viewBox="0 0 {wide:.0f} {high:.0f}" role="img" aria-label="{escape(about)}">'
    return Svg(f"{head}{body}</svg>")
