"""Type objects and constructors of PEP 249."""

from __future__ import annotations

from datetime import date, datetime, time
from typing import Any


class _Type:
    """Equal to the OID of each of its types, which is the `type_code` in `Cursor.description`."""

    def __init__(self, name: str, *oids: int) -> None:
        self._name = name
        self._oids = frozenset(oids)

    def __eq__(self, other: object) -> bool:
        return self is other or other in self._oids

    def __hash__(self) -> int:
        return id(self)

    def __repr__(self) -> str:
        return self._name


STRING = _Type("STRING", 18, 19, 25, 1042, 1043)
BINARY = _Type("BINARY", 17)
NUMBER = _Type("NUMBER", 20, 21, 23, 700, 701, 1700)
DATETIME = _Type("DATETIME", 1082, 1083, 1114, 1184, 1186, 1266)
ROWID = _Type("ROWID", 26)

Date = date
Time = time
Timestamp = datetime


def DateFromTicks(ticks: float) -> date:
    """The date of so many seconds since the epoch, here."""
    return date.fromtimestamp(ticks)


def TimeFromTicks(ticks: float) -> time:
    """The time of day of so many seconds since the epoch, here."""
    return datetime.fromtimestamp(ticks).time()


def TimestampFromTicks(ticks: float) -> datetime:
    """The date and time of so many seconds since the epoch, here."""
    return datetime.fromtimestamp(ticks)


def Binary(value: Any) -> bytes:
    """A value for `bytea`."""
    return value.encode() if isinstance(value, str) else bytes(value)
