"""Python's values as the host packs them in a result (README of `fasterapi:postgres`): the other half of `pg._convert`."""

from __future__ import annotations

import json
import marshal
from collections.abc import Callable, Sequence
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from enum import Enum
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network
from typing import Any
from uuid import UUID

from ..pg import Json


def pack_result(affected: int, names: Sequence[str], rows: Sequence[tuple[Any, ...]]) -> bytes:
    """A result block. The type of a column is that of its first value."""
    kinds = [_kind(next((row[at] for row in rows if row[at] is not None), None)) for at in range(len(names))]
    columns = tuple([(name, oid, kind) for name, (oid, kind) in zip(names, kinds)])
    return marshal.dumps((affected, columns, [tuple(map(packed, row)) for row in rows]), 2)


def packed(value: Any) -> Any:
    """A value as the host packs it."""
    if isinstance(value, list):
        return [packed(item) for item in value]
    if isinstance(value, Enum):
        return packed(value.value)
    for kind, (_, _, pack) in _KINDS.items():
        if isinstance(value, kind):
            return value if pack is None else pack(value)
    raise TypeError(f"a row of FakePg holds a value of the class `{type(value).__name__}`, which no column gives")


def _kind(value: Any) -> tuple[int, str]:
    if isinstance(value, list):
        element = next((item for item in value if item is not None), None)
        kind = _kind(element)[1]
        return 0, "plain" if kind == "plain" else kind if kind.endswith("[]") else f"{kind}[]"
    if isinstance(value, Enum):
        return _kind(value.value)
    for kind_, (oid, kind, _) in _KINDS.items():
        if isinstance(value, kind_):
            return oid, kind
    return 0, "plain"


def _interval(value: timedelta) -> tuple[int, int, int]:
    return 0, value.days, value.seconds * 1_000_000 + value.microseconds


# In this order: a bool is an int, a datetime a date.
_KINDS: dict[Any, tuple[int, str, Callable[[Any], Any] | None]] = {
    type(None): (0, "plain", None),
    bool: (16, "plain", None),
    int: (20, "plain", None),
    float: (701, "plain", None),
    str: (25, "plain", None),
    bytes: (17, "plain", None),
    Decimal: (1700, "numeric", str),
    UUID: (2950, "uuid", lambda value: value.bytes),
    datetime: (1184, "timestamptz", datetime.isoformat),
    date: (1082, "date", date.isoformat),
    time: (1083, "time", time.isoformat),
    timedelta: (1186, "interval", _interval),
    dict: (3802, "json", json.dumps),
    Json: (3802, "json", lambda value: json.dumps(value.value)),
    (IPv4Address, IPv6Address): (869, "inet", str),
    (IPv4Network, IPv6Network): (650, "cidr", str),
}
