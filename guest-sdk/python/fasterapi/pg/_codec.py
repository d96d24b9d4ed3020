"""Values to and from the packed blocks of `fasterapi:postgres` (its README.md has the format).

The common case is free of Python: `marshal` packs and unpacks in C, and a column is converted only if its kind asks for it.
"""

from __future__ import annotations

import json
import marshal
from collections.abc import Callable
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from enum import Enum
from ipaddress import IPv4Address, IPv4Interface, IPv4Network, IPv6Address, IPv6Interface, IPv6Network, ip_address, ip_interface, ip_network
from typing import Any
from uuid import UUID

from ._errors import PgUsageError

_PLAIN = frozenset((type(None), bool, int, float, str, bytes))


class Json:
    """Marks a parameter as JSON. Needed for lists (which are arrays otherwise) and for a bare string or number."""

    __slots__ = ("value",)

    def __init__(self, value: Any) -> None:
        self.value = value


def pack(parameters: tuple[Any, ...]) -> str:
    """A block of parameters, as text of one character a byte."""
    return marshal.dumps(_outward_all(parameters), 2).decode("latin-1")


def outward(value: Any, where: str = "the value") -> Any:
    """The value as a block has it."""
    if type(value) in _PLAIN:
        return value
    convert = _OUTWARD.get(type(value))
    if convert is not None:
        return convert(value)
    if isinstance(value, (list, tuple)):
        return [outward(item, where) for item in value]
    if isinstance(value, Enum):
        return outward(value.value, where)
    if hasattr(value, "model_dump_json"):
        return value.model_dump_json()
    for kind in _SUBCLASSED:
        if isinstance(value, kind):
            return outward(kind(value), where)
    if isinstance(value, dict):
        return json.dumps(value, ensure_ascii=False)
    for kind, convert in _OUTWARD.items():
        if isinstance(value, kind):
            return convert(value)
    raise PgUsageError(f"{where} is a `{type(value).__qualname__}`, which has no form in Postgres")


def _interval(value: timedelta) -> str:
    return f"{value.days} days {value.seconds}.{value.microseconds:06d} seconds"


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)


_SUBCLASSED: tuple[type[Any], ...] = (str, int, float)

_OUTWARD: dict[type[Any], Callable[[Any], Any]] = {
    dict: _json,
    Json: lambda value: _json(value.value),
    Decimal: str,
    UUID: str,
    datetime: datetime.isoformat,
    date: date.isoformat,
    time: time.isoformat,
    timedelta: _interval,
    bytearray: bytes,
    memoryview: bytes,
    **dict.fromkeys((IPv4Address, IPv4Interface, IPv4Network, IPv6Address, IPv6Interface, IPv6Network), str),
}

Converter = Callable[[Any], Any]


def loads(block: bytes) -> Any:
    """What a block holds; values as they were packed."""
    return marshal.loads(block)


def pack_batch(items: list[tuple[str, list[tuple[Any, ...]]]]) -> str:
    """A block of statements, each with its sets of parameters."""
    packed: Any = tuple([(statement, *map(_outward_all, sets)) for statement, sets in items])
    return marshal.dumps(packed, 2).decode("latin-1")


def _outward_all(parameters: tuple[Any, ...]) -> tuple[Any, ...]:
    if _PLAIN.issuperset(map(type, parameters)):
        return parameters
    return tuple([outward(value, f"${index}") for index, value in enumerate(parameters, 1)])


def converter(kind: str) -> Converter | None:
    """What makes a Python value of a packed one, for a column of this kind. `None`: it is one already."""
    if kind.endswith("[]"):
        element = _INWARD.get(kind[:-2])
        return None if element is None else _array(element)
    return _INWARD.get(kind)


def _array(element: Converter) -> Converter:
    def convert(value: Any) -> Any:
        if type(value) is list:
            return [convert(item) for item in value]
        return None if value is None else element(value)

    return convert


def _or_text(convert: Callable[[Any], Any]) -> Converter:
    # A value that Python's type cannot hold (infinity, BC) is packed as a tuple of its text.
    def guarded(value: Any) -> Any:
        return value[0] if type(value) is tuple else convert(value)

    return guarded


def _timedelta(value: tuple[int, int, int] | tuple[str]) -> timedelta | str:
    if len(value) == 1:
        return value[0]
    months, days, microseconds = value
    if months:
        years, months = (abs(months) // 12, abs(months) % 12)
        days += (years * 365 + months * 30) * (1 if value[0] > 0 else -1)
    return timedelta(days=days, microseconds=microseconds)


def _inet(value: str) -> Any:
    return ip_interface(value) if "/" in value else ip_address(value)


_INWARD: dict[str, Converter] = {
    "numeric": Decimal,
    "uuid": lambda value: UUID(bytes=value),
    "json": json.loads,
    "inet": _inet,
    "cidr": ip_network,
    "date": _or_text(date.fromisoformat),
    "time": _or_text(time.fromisoformat),
    "timetz": _or_text(time.fromisoformat),
    "timestamp": _or_text(datetime.fromisoformat),
    "timestamptz": _or_text(datetime.fromisoformat),
    "interval": _timedelta,
}
