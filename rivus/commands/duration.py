"""A duration on the command line: `90s`, `5min`, `1h`."""

from __future__ import annotations

import click

from rivus.model.quantity import parse_duration


class Duration(click.ParamType):  # type: ignore[type-arg]
    """Converts to seconds."""

    name = "duration"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> float:
        try:
            return value if isinstance(value, float) else parse_duration(str(value))
        except ValueError as error:
            self.fail(str(error), param, ctx)


DURATION = Duration()
