"""Pools, handles and transactions."""

from __future__ import annotations

import logging
from types import TracebackType
from typing import Any, Literal, Self

from .. import _phase
from .._wasm.calls import Holding, holdings
from . import _host
from ._codec import pack
from ._errors import PgError, PgUsageError
from ._result import Result

logger = logging.getLogger("fasterapi.error")

Isolation = Literal["read committed", "repeatable read", "serializable"]
_ENDED = {
    "new": "the transaction is not begun",
    "ended": "the transaction is ended",
    "abandoned": "the transaction was rolled back: its request ended before it did",
}


class PgPool:
    """A database that the host lends, with a pool of connections that is the host's.

    Args:
        target: an alias (`"default"`), or a `postgres://` URL whose database name selects the grant. Its host, user and password
            are ignored: the host has the credentials.

    Raises:
        PgDenied: the app was granted no such database.
    """

    def __init__(self, target: str = "default") -> None:
        self._target = target
        self._database: str | None = None
        if _phase.IN_COMPONENT and not _phase.building:
            self._resolve()

    def get(self) -> Pg:
        """A handle for one request. It holds no connection: a statement takes one, or a transaction."""
        return Pg(self._database or self._resolve())

    def _resolve(self) -> str:
        _host.require_running()
        database: str = _host.call(_host.client.resolve, self._target)
        self._database = database
        return database


class Pg:
    """Runs statements on a database: each on its own, or within the transaction that is open on this handle."""

    __slots__ = ("_database", "_open")

    def __init__(self, database: str) -> None:
        self._database = database
        self._open: list[Tx] = []

    def exec(self, statement: str, *parameters: Any) -> Result:
        """Runs a statement and waits for its result.

        Args:
            statement: one statement, with `$1`, `$2`, … for the parameters.
            parameters: None, bool, int, float, str, bytes, Decimal, UUID, datetime, date, time, timedelta, Enum, list (an array), dict or
                pydantic model or `Json` (JSON), IP addresses.

        Raises:
            PgError: one of its subclasses, by who is to blame.
        """
        if self._open:
            return self._open[-1].exec(statement, *parameters)
        return Result(_host.call(_host.client.query, self._database, statement, pack(parameters)))

    def tx(self, *, isolation: Isolation | None = None, read_only: bool = False, deferrable: bool = False) -> Tx:
        """A transaction: `with pg.tx() as tx: …`. Committed at the end of the block, rolled back on an exception.

        Within an open transaction of this handle it is a savepoint, and takes no options.
        """
        return Tx(self, isolation, read_only, deferrable)


class Tx:
    """A transaction, or a savepoint within one. Made by `Pg.tx` and `Tx.tx`.

    One that is still open when its request is over (BackgroundTasks and tasks left behind included) is rolled back.
    """

    __slots__ = ("_held", "_host", "_options", "_pg", "_savepoint", "_state")

    def __init__(self, pg: Pg, isolation: Isolation | None, read_only: bool, deferrable: bool) -> None:
        self._pg = pg
        self._options = (isolation, read_only, deferrable)
        self._host: Any = None
        self._savepoint: str | None = None
        self._held: set[Holding] = set()
        self._state: Literal["new", "open", "ended", "abandoned"] = "new"

    def __enter__(self) -> Self:
        if self._state != "new":
            raise PgUsageError("a transaction is entered once")
        outer = self._pg._open
        if outer:
            self._begin_savepoint(outer[-1])
        else:
            self._host = _host.call(_host.client.begin, self._pg._database, _options(*self._options))
            self._held = holdings()
            self._held.add(self)
        self._state = "open"
        outer.append(self)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None) -> None:
        if self._state == "ended":
            return
        if kind is None:
            self.commit()  # raises if the transaction was abandoned: what the block did is not there
            return
        try:
            self.rollback()
        except PgError:
            pass  # what the block raised says more; the host rolls back when the transaction is dropped

    def exec(self, statement: str, *parameters: Any) -> Result:
        """Like `Pg.exec`, within the transaction."""
        if self._state != "open":
            raise PgUsageError(_ENDED[self._state])
        return Result(_host.call(self._host.query, statement, pack(parameters)))

    def tx(self) -> Tx:
        """A savepoint within this transaction."""
        return Tx(self._pg, None, False, False)

    def commit(self) -> None:
        """Commits now (releases the savepoint); the rest of the block runs outside."""
        self._end("commit")

    def rollback(self) -> None:
        """Rolls back now (to the savepoint); the rest of the block runs outside."""
        self._end("rollback")

    def _begin_savepoint(self, outer: Tx) -> None:
        if self._options != (None, False, False):
            raise PgUsageError("a transaction within a transaction is a savepoint: it takes no options")
        self._host = outer._host
        self._savepoint = f"s{len(self._pg._open)}"
        _host.call(self._host.savepoint, self._savepoint)

    def abandon(self) -> None:
        """Rolls back because the request is over. Not for applications."""
        self._host.__exit__(None, None, None)
        for tx in self._pg._open:
            tx._state = "abandoned"
            tx._host = None
        self._pg._open.clear()
        logger.warning("a transaction was left open: it is rolled back with the end of its request")

    def _end(self, how: Literal["commit", "rollback"]) -> None:
        if self._state != "open":
            raise PgUsageError(_ENDED[self._state])
        if self._pg._open[-1] is not self:
            raise PgUsageError("a transaction within this one is still open")
        self._state = "ended"
        self._held.discard(self)
        self._pg._open.pop()
        if self._savepoint is not None:
            if how == "rollback":
                _host.call(self._host.rollback_to, self._savepoint)
            _host.call(self._host.release, self._savepoint)
            return
        try:
            _host.call(getattr(self._host, how))
        finally:
            self._host.__exit__(None, None, None)  # gives the handle back: the host rolls back what was not committed
            self._host = None


def _options(isolation: Isolation | None, read_only: bool, deferrable: bool) -> Any:
    level = None if isolation is None else _host.types.Isolation[isolation.replace(" ", "_").upper()]
    return _host.types.TransactionOptions(level, read_only, deferrable)
