"""How a call is to be made."""

from __future__ import annotations

from typing import Any, Literal

from . import _host
from ._errors import PgUsageError

Isolation = Literal["read committed", "repeatable read", "serializable"]

_LONGEST = (1 << 32) - 1


def milliseconds(timeout: float | None) -> int:
    """A time limit in seconds as the host takes it; 0: what the host grants."""
    if timeout is None:
        return 0
    if timeout <= 0:
        raise PgUsageError(f"a timeout is more than 0 seconds, not {timeout}")
    return min(max(1, round(timeout * 1000)), _LONGEST)


def transaction(isolation: Isolation | None, read_only: bool, deferrable: bool, retries: int) -> Any:
    """Options of a transaction as the host takes them."""
    level = None if isolation is None else _host.types.Isolation[isolation.replace(" ", "_").upper()]
    if retries < 0:
        raise PgUsageError(f"a transaction is retried 0 times or more, not {retries}")
    return _host.types.TransactionOptions(level, read_only, deferrable, retries)
