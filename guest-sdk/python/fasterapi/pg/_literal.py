"""Values as Postgres's text, where the host does not know the type that it goes to: in a COPY.

A tuple is a composite and a list an array, whatever their column is; a dict is JSON.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import timedelta
from typing import Any

from . import _codec
from ._types import Box, Circle, Interval, Line, LineSegment, Multirange, Path, Point, Polygon, Range


def literal(value: Any) -> str:
    """The text of a value that is not None."""
    value = _codec.adapted(value)
    made = _MADE.get(type(value))
    if made is not None:
        return made(value)
    packed = value if isinstance(value, (list, tuple)) else _codec.outward(value)
    if isinstance(packed, str):
        return packed
    if isinstance(packed, bytes):
        return "\\x" + packed.hex()
    if isinstance(packed, bool):
        return "t" if packed else "f"
    if isinstance(packed, list):
        return "{" + ",".join([_element(item) for item in packed]) + "}"
    if isinstance(packed, tuple):
        return "(" + ",".join(map(_part, packed)) + ")"
    return repr(packed) if isinstance(packed, float) else _codec.json_text(packed) if isinstance(packed, dict) else str(packed)


def _element(item: Any) -> str:
    if item is None:
        return "NULL"
    return literal(item) if isinstance(item, list) else _quoted(literal(item))


def _part(item: Any) -> str:
    return "" if item is None else _quoted(literal(item))


def _quoted(text: str) -> str:
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def _range(value: Range[Any]) -> str:
    if value.bounds is None:
        return "empty"
    return f"{value.bounds[0]}{_part(value.lower)},{_part(value.upper)}{value.bounds[1]}"


def _interval(value: Interval) -> str:
    months, days, microseconds = value.parts
    return f"{months} mons {literal(timedelta(days, 0, microseconds))}"


def _numbers(numbers: Iterable[float], signs: str = "()") -> str:
    return signs[0] + ",".join([repr(float(number)) for number in numbers]) + signs[1]


def _points(points: Iterable[tuple[float, float]], signs: str = "()") -> str:
    return signs[0] + ",".join(map(_numbers, points)) + signs[1]


_MADE: dict[type[Any], Callable[[Any], str]] = {
    Range: _range,
    Multirange: lambda value: "{" + ",".join(map(_range, value)) + "}",
    Interval: _interval,
    Point: _numbers,
    Line: lambda value: _numbers(value, "{}"),
    LineSegment: _points,
    Box: _points,
    Path: lambda value: _points(value.points, "()" if value.closed else "[]"),
    Polygon: _points,
    Circle: lambda value: f"<{_numbers(value.center)},{float(value.radius)!r}>",
}
