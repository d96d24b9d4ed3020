"""Packed values into Python's, by the descriptions of their columns (README of `fasterapi:postgres`).

What is `plain` needs nothing. For the rest a function is made for each arrangement of columns, which takes a row apart and calls the
common kinds' C functions without a step between. They raise TypeError at what is packed in another way (a date that Python cannot hold);
only then the rows are gone through with care.
"""

from __future__ import annotations

import re
from collections import namedtuple
from collections.abc import Callable
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from functools import lru_cache
from ipaddress import IPv4Address, IPv6Address, ip_interface, ip_network
from json import JSONDecoder
from json.scanner import make_scanner
from typing import Any
from uuid import UUID, SafeUUID

from ._adapters import Converter as Converter, class_of, converter_of
from ._types import Box, Circle, Interval, Line, LineSegment, Multirange, OutOfRange, Path, Point, Polygon, Range

Description = tuple[Any, ...]
"""Name, OID and kind; then, of types that are not built in or are made of others, `(type's name, descriptions of its parts)`."""

Rows = list[tuple[Any, ...]]


def converter(column: Description) -> Converter | None:
    """What makes a Python value of a packed one that is not None. `None`: it is one already."""
    _, oid, kind, *more = column
    type_name, parts = more[0] if more and more[0] else (None, ())
    users = converter_of(oid, type_name)
    if kind.endswith("[]") or oid in _ELEMENTS or (type_name is not None and type_name.endswith("[]")):
        convert = _of_array(kind, oid, parts)
    else:
        convert = _of_parts(kind, type_name, parts)
        if users is not None and convert is None:
            return _unwrapped(users) if kind in _APART else users
        convert = convert or _SIMPLE.get(kind)
    return _both(convert, users)


def rows_converter(columns: tuple[Description, ...], converters: list[tuple[int, Converter]]) -> Callable[[Rows], Rows]:
    """What makes rows of Python's values of packed ones, with converters for columns by their positions."""
    run = _row_function(len(columns), tuple([position for position, _ in converters]))
    careful = [convert for _, convert in converters]
    quick = [_quick(columns[position]) or convert for position, convert in converters]
    if quick == careful:
        return lambda rows: run(rows, *careful)

    def convert_rows(rows: Rows) -> Rows:
        try:
            return run(rows, *quick)
        except TypeError:
            return run(rows, *careful)

    return convert_rows


def _quick(column: Description) -> Converter | None:
    return None if converter_of(column[1], None) else _STRICT.get(column[2])


@lru_cache(512)
def _row_function(count: int, positions: tuple[int, ...]) -> Callable[..., Rows]:
    """A function of rows and a converter for each of the positions."""
    names = [f"v{position}" for position in range(count)]
    values = [f"None if {name} is None else f{name}({name})" if position in positions else name for position, name in enumerate(names)]
    parameters = ", ".join(f"fv{position}" for position in positions)
    source = f"lambda rows, {parameters}: [({', '.join(values)},) for {', '.join(names)}, in rows]"
    made: Callable[..., Rows] = eval(source)  # of numbers alone
    return made


def _both(first: Converter | None, then: Converter | None) -> Converter | None:
    if first is None or then is None:
        return first or then
    return lambda value: then(first(value))


def _of_array(kind: str, oid: int, parts: tuple[Description, ...]) -> Converter | None:
    element = converter(parts[0] if parts else ("", _ELEMENTS.get(oid, 0), kind.removesuffix("[]")))
    return None if element is None else _array(element)


def _array(element: Converter) -> Converter:
    def convert(value: Any) -> Any:
        if type(value) is list:
            return [convert(item) for item in value]
        return None if value is None else element(value)

    return convert


def _of_parts(kind: str, type_name: str | None, parts: tuple[Description, ...]) -> Converter | None:
    if kind == "composite":
        return _composite(type_name or "", parts)
    if kind == "range":
        return _range(converter(parts[0]))
    if kind == "multirange":
        part = _range(converter(parts[0]))
        return lambda value: Multirange(map(part, value))
    return None


def _range(bound: Converter | None) -> Converter:
    made = Range._made
    if bound is None:
        return lambda value: made(*value)

    def convert(value: Any) -> Any:
        lower, upper, bounds = value
        return made(None if lower is None else bound(lower), None if upper is None else bound(upper), bounds)

    return convert


def _composite(type_name: str, parts: tuple[Description, ...]) -> Converter:
    names = tuple([part[0] for part in parts])
    make = _maker(type_name, names)
    found = [(position, converter(part)) for position, part in enumerate(parts)]
    converters = [(position, convert) for position, convert in found if convert is not None]
    if not converters:
        return make

    def whole(value: Any) -> Any:
        values = list(value)
        for position, convert in converters:
            if values[position] is not None:
                values[position] = convert(values[position])
        return make(values)

    return whole


def _maker(type_name: str, names: tuple[str, ...]) -> Converter:
    registered = class_of(type_name, names)
    if registered is None:
        return _named_tuple(re.sub(r"\W|^(?=\d)", "_", type_name.rpartition(".")[2]), names)
    if issubclass(registered, tuple):
        return lambda values: registered(*values)
    return lambda values: registered(**dict(zip(names, values)))


@lru_cache(512)
def _named_tuple(name: str, names: tuple[str, ...]) -> Converter:
    made: Any = namedtuple(name, names, rename=True)  # type: ignore[misc]  # known at run time only
    make: Converter = made._make
    return make


def _record(value: Any) -> Any:
    return tuple([item if item is None or (convert := _field(column)) is None else convert(item) for column, item in value])


@lru_cache(512)
def _field(column: Description) -> Converter | None:
    return converter(column)


def forget() -> None:
    """Something was registered: what was worked out before is worked out anew."""
    _field.cache_clear()


def _unwrapped(convert: Converter) -> Converter:
    return lambda value: convert(OutOfRange(value[0]) if type(value) is tuple and len(value) == 1 else value)


def _or_text(convert: Converter) -> Converter:
    return lambda value: OutOfRange(value[0]) if type(value) is tuple else convert(value)


def _interval(value: tuple[Any, ...]) -> timedelta | str:
    if len(value) == 1:
        return OutOfRange(value[0])
    months, days, microseconds = value
    try:
        return Interval(months, days, microseconds) if months else timedelta(days, 0, microseconds)
    except OverflowError:
        return OutOfRange(f"{months} mons {days} days {microseconds} microseconds")


def _uuid(value: bytes) -> UUID:
    # What UUID's own initialiser does, without its checks of what the server has checked.
    made = _new(UUID)
    _set(made, "int", _from_bytes(value))
    _set(made, "is_safe", _unknown)
    return made


_new, _set, _from_bytes, _unknown = object.__new__, object.__setattr__, int.from_bytes, SafeUUID.unknown


_decoder = JSONDecoder()
_scan = make_scanner(_decoder)  # type: ignore[arg-type]  # typeshed has it as a class of its own


def _json(text: str) -> Any:
    # As `json.loads`, which first looks for white space; there is none in a jsonb.
    try:
        value, end = _scan(text, 0)
    except StopIteration:
        return _decoder.decode(text)
    return value if end == len(text) else _decoder.decode(text)


def _inet(value: str) -> Any:
    if "/" in value:
        return ip_interface(value)
    return IPv6Address(value) if ":" in value else IPv4Address(value)


def _points(value: Any) -> Any:
    return tuple([Point(*point) for point in value])


# Each raises TypeError for None, and for the tuple that a value which Python's type cannot hold is packed in.
_STRICT: dict[str, Converter] = {
    "numeric": Decimal,
    "uuid": _uuid,
    "json": _json,
    "date": date.fromisoformat,
    "time": time.fromisoformat,
    "timetz": time.fromisoformat,
    "timestamp": datetime.fromisoformat,
    "timestamptz": datetime.fromisoformat,
}
_APART = frozenset(("date", "time", "timetz", "timestamp", "timestamptz", "interval"))

_SIMPLE: dict[str, Converter] = {
    **{kind: _or_text(convert) if kind in _APART else convert for kind, convert in _STRICT.items()},
    "interval": _interval,
    "inet": _inet,
    "cidr": ip_network,
    "record": _record,
    "point": Point._make,
    "line": Line._make,
    "lseg": lambda value: LineSegment(*_points(value)),
    "box": lambda value: Box(*_points(value)),
    "path": lambda value: Path(_points(value[0]), value[1]),
    "polygon": Polygon,
    "circle": lambda value: Circle(Point(*value[0]), value[1]),
}

# Arrays of built-in types are described by their OID alone: their elements' (PostgreSQL's `pg_type.dat`).
_ELEMENTS = {
    **{1000: 16, 1001: 17, 1002: 18, 1003: 19, 1016: 20, 1005: 21, 1007: 23, 1009: 25, 1028: 26, 199: 114, 143: 142, 1017: 600, 1018: 601},
    **{1019: 602, 1020: 603, 1027: 604, 629: 628, 651: 650, 1021: 700, 1022: 701, 719: 718, 775: 774, 791: 790, 1040: 829, 1041: 869},
    **{1014: 1042, 1015: 1043, 1182: 1082, 1183: 1083, 1115: 1114, 1185: 1184, 1187: 1186, 1270: 1266, 1561: 1560, 1563: 1562, 1231: 1700},
    **{2201: 1790, 2210: 2205, 2211: 2206, 2287: 2249, 2951: 2950, 3221: 3220, 3643: 3614, 3645: 3615, 3807: 3802, 4073: 4072, 271: 5069},
}
