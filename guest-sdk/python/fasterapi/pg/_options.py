"""How a call is to be made."""

from __future__ import annotations

import math
from typing import Any, Literal, get_args

from . import _host
from ._errors import PgUsageError

Isolation = Literal["read committed", "repeatable read", "serializable"]

_LONGEST = (1 << 32) - 1


def text(value: Any, what: str) -> str:
    """A text that the host can take; anything else would end the instance."""
    if not isinstance(value, str):
        raise PgUsageError(f"{what} is a str, not {type(value).__name__}")
    if not value.isascii():
        try:
            value.encode()
        except UnicodeEncodeError:
            raise PgUsageError(f"{what} has half of a surrogate pair in it, which is no character") from None
    return value


def milliseconds(timeout: float | None) -> int:
    """A time limit in seconds as the host takes it; 0: what the host grants."""
    if timeout is None:
        return 0
    if not isinstance(timeout, int | float) or math.isnan(timeout):
        raise PgUsageError(f"a timeout is a number of seconds, not {timeout!r}")
    if timeout == math.inf:
        return 0
    if timeout <= 0:
        raise PgUsageError(f"a timeout is more than 0 seconds, not {timeout}")
    return min(max(1, round(timeout * 1000)), _LONGEST)


def transaction(isolation: Isolation | None, read_only: bool, deferrable: bool, retries: int) -> Any:
    """Options of a transaction as the host takes them."""
    if isolation is not None and isolation not in get_args(Isolation):
        raise PgUsageError(f"an isolation is one of {', '.join(get_args(Isolation))}, not {isolation!r}")
    level = None if isolation is None else _host.types.Isolation[isolation.replace(" ", "_").upper()]
    if not isinstance(retries, int) or not 0 <= retries <= _LONGEST:
        raise PgUsageError(f"a transaction is retried 0 times or more, not {retries}")
    return _host.types.TransactionOptions(level, read_only, deferrable, retries)
