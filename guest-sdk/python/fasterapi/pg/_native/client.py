"""`fasterapi:postgres/client`."""

from __future__ import annotations

import asyncio
from types import TracebackType
from typing import Self

from . import lines
from .line import Line
from .types import Isolation, TransactionOptions

_RESOLVE, _QUERY, _BEGIN = 1, 2, 3
_TX_QUERY, _SAVEPOINT, _RELEASE, _ROLLBACK_TO, _COMMIT, _ROLLBACK, _DROP = range(16, 23)


def resolve(target: str) -> str:
    """The alias of the granted database that `target` means."""
    return lines.call(_RESOLVE, target.encode()).decode()


def query(database: str, statement: str, parameters: str, timeout: int) -> tuple[bytes, None]:
    """Runs one statement on its own and waits for its whole result."""
    return lines.call(_QUERY, database.encode(), statement.encode(), parameters.encode("latin-1"), _number(timeout)), None


async def query_async(_ticket: int, database: str, statement: str, parameters: str, timeout: int) -> tuple[bytes, None]:
    """The same in a thread of its own."""
    return await asyncio.to_thread(query, database, statement, parameters, timeout)


def cancel(_ticket: int) -> None:
    """A statement in a thread cannot be called off: it ends by its own deadline."""


def begin(database: str, options: TransactionOptions) -> Transaction:
    """Begins a transaction."""
    line = lines.take()
    with lines.closing_on_error(line):
        handle = line.call(_BEGIN, database.encode(), _isolation(options.isolation), _flag(options.read_only), _flag(options.deferrable), _number(options.retries))
    return Transaction(line, handle)


class Transaction:
    """An open transaction. One that is forgotten is rolled back: its line closes."""

    def __init__(self, line: Line, handle: bytes) -> None:
        self._line: Line | None = line
        self._handle = handle

    def query(self, statement: str, parameters: str, timeout: int) -> bytes:
        """Like `query`, within the transaction."""
        return self._call(_TX_QUERY, statement.encode(), parameters.encode("latin-1"), _number(timeout))

    def savepoint(self, name: str) -> None:
        """Opens a savepoint."""
        self._call(_SAVEPOINT, name.encode())

    def release(self, name: str) -> None:
        """Releases a savepoint."""
        self._call(_RELEASE, name.encode())

    def rollback_to(self, name: str) -> None:
        """Rolls back to a savepoint."""
        self._call(_ROLLBACK_TO, name.encode())

    def commit(self) -> None:
        """Commits."""
        self._call(_COMMIT)

    def rollback(self) -> None:
        """Rolls back."""
        self._call(_ROLLBACK)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None) -> None:
        line, self._line = self._line, None
        if line is None or line.broken:
            return
        line.call(_DROP, self._handle)
        lines.give_back(line)

    def _call(self, code: int, *fields: bytes | None) -> bytes:
        if self._line is None:
            raise RuntimeError("the transaction's handle was given back")
        return self._line.call(code, self._handle, *fields)


def _isolation(level: Isolation | None) -> bytes | None:
    return None if level is None else level.name.lower().replace("_", "-").encode()


def _number(value: int) -> bytes:
    return value.to_bytes(4, "little")


def _flag(value: bool) -> bytes | None:
    return b"" if value else None
