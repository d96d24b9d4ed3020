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
from ipaddress import IPv4Address, IPv4Interface, IPv4Network, IPv6Address, IPv6Interface, IPv6Network
from typing import Any
from uuid import UUID

from ._adapters import AS_THEY_ARE, adapters
from ._convert import Converter as Converter, Description, converter as converter
from ._errors import PgUsageError
from ._types import Interval, Range


class Json:
    """Marks a parameter as JSON. Needed for lists (which are arrays otherwise) and for a bare string or number."""

    __slots__ = ("value",)

    def __init__(self, value: Any) -> None:
        self.value = value


def pack(parameters: tuple[Any, ...]) -> str:
    """A block of parameters, as text of one character a byte."""
    return marshal.dumps(_outward_all(parameters), 2).decode("latin-1")


def pack_batch(items: list[tuple[str, list[tuple[Any, ...]]]]) -> str:
    """A block of statements, each with its sets of parameters."""
    packed: Any = tuple([(statement, *map(_outward_all, sets)) for statement, sets in items])
    return marshal.dumps(packed, 2).decode("latin-1")


def loads(block: bytes) -> Any:
    """What a block holds; values as they were packed."""
    return marshal.loads(block)


def _outward_all(parameters: tuple[Any, ...]) -> tuple[Any, ...]:
    if AS_THEY_ARE.issuperset(map(type, parameters)):
        return parameters
    return tuple([outward(value, f"${index}") for index, value in enumerate(parameters, 1)])


def outward(value: Any, where: str = "the value") -> Any:
    """The value as a block has it."""
    if type(value) in AS_THEY_ARE:
        return value
    return _packed(adapted(value) if adapters else value, where)


def _packed(value: Any, where: str) -> Any:
    kind = type(value)
    if kind in AS_THEY_ARE:
        return value
    if kind in _OUTWARD:
        return _OUTWARD[kind](value)
    if kind is list:
        return [outward(item, where) for item in value]
    if kind is tuple:
        return tuple([outward(item, where) for item in value])
    if kind is Range:
        return (outward(value.lower, where), outward(value.upper, where), value.bounds)
    return _outward_derived(value, where)


def adapted(value: Any) -> Any:
    """What the application's adapters put in the place of a value."""
    for kind in type(value).__mro__:
        if kind in adapters:
            result = adapters[kind](value)
            return result if type(result) is type(value) else adapted(result)
    return value


def _outward_derived(value: Any, where: str) -> Any:
    if isinstance(value, Enum):
        return outward(value.value, where)
    if hasattr(value, "model_dump_json"):
        return value.model_dump_json()
    for kind in _SUBCLASSED:
        if isinstance(value, kind):
            return outward(kind(value), where)
    for kind, convert in _OUTWARD.items():
        if isinstance(value, kind):
            return convert(value)
    raise PgUsageError(f"{where} is a `{type(value).__qualname__}`, which has no form in Postgres")


def _dict(value: dict[Any, Any]) -> Any:
    # Of texts alone it may be an hstore as well as JSON: the host knows which is wanted.
    if _TEXTS.issuperset(map(type, value.values())) and _TEXT.issuperset(map(type, value)):
        return value
    return json_text(value)


_TEXT = frozenset((str,))
_TEXTS = frozenset((str, type(None)))


def _interval(value: timedelta) -> str:
    return f"{value.days} days {value.seconds}.{value.microseconds:06d} seconds"


def _decimal(value: Decimal) -> str:
    return "NaN" if value.is_nan() else str(value)  # no sign, no signal, no payload


def json_text(value: Any) -> str:
    """A JSON document."""
    return json.dumps(value, ensure_ascii=False)


_SUBCLASSED: tuple[type[Any], ...] = (str, int, float, dict, tuple, list)

# In this order for subclasses: a datetime is a date.
_OUTWARD: dict[type[Any], Callable[[Any], Any]] = {
    dict: _dict,
    Json: lambda value: json_text(value.value),
    Decimal: _decimal,
    UUID: str,
    datetime: datetime.isoformat,
    date: date.isoformat,
    time: time.isoformat,
    Interval: lambda value: value.parts,
    timedelta: _interval,
    bytearray: bytes,
    memoryview: bytes,
    **dict.fromkeys((IPv4Address, IPv4Interface, IPv4Network, IPv6Address, IPv6Interface, IPv6Network), str),
}
