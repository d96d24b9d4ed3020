"""`fasterapi:postgres/client` over a script."""

from __future__ import annotations

import marshal
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from ..pg import PgUsageError, _codec

if TYPE_CHECKING:
    from .fake_pg import Expected, FakePg

_NOTHING = _codec.pack(())


class _Dropped:
    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None) -> None:
        """Drops it."""


class _Asking:
    """What a database and a transaction have in common."""

    def __init__(self, fake: FakePg) -> None:
        self._fake = fake

    def _query(self, statement: str, parameters: str) -> bytes:
        return self._fake.ask(statement, parameters).block

    def _batch(self, statements: str) -> bytes:
        """One expectation for each run of each statement; their rows and counts together."""
        results = []
        for statement, *sets in marshal.loads(statements.encode("latin-1")):
            affected, columns = 0, ()
            rows: list[tuple[Any, ...]] = []
            for parameters in sets:
                block = marshal.loads(self._query(statement, marshal.dumps(parameters, 2).decode("latin-1")))
                affected, columns, rows = affected + block[0], block[1], rows + block[2]
            results.append((affected, columns, rows))
        return marshal.dumps(tuple(results), 2)

    def _stream(self, statement: str, parameters: str) -> _Rows:
        return _Rows(self._query(statement, parameters))

    def _copy_in(self, statement: str) -> _Writer:
        return _Writer(self._fake.ask(statement, _NOTHING))

    def _copy_out(self, statement: str, parameters: str = _NOTHING) -> _Reader:
        return _Reader(list(self._fake.ask(statement, parameters).chunks))


class FakeClient(_Asking):
    """The interface `client`, as `pg._native.client` has it."""

    def resolve(self, target: str) -> str:
        """Any database is there."""
        return "default" if "://" in target else target

    def query(self, database: str, statement: str, parameters: str, timeout: int) -> tuple[bytes, None]:
        """Runs a statement."""
        return self._query(statement, parameters), None

    async def query_async(self, ticket: int, database: str, statement: str, parameters: str, timeout: int) -> tuple[bytes, None]:
        """The same."""
        return self._query(statement, parameters), None

    def cancel(self, ticket: int) -> None:
        """Nothing waits here."""

    def batch(self, database: str, statements: str, timeout: int) -> bytes:
        """Runs statements."""
        return self._batch(statements)

    def begin(self, database: str, options: Any) -> FakeTransaction:
        """Begins a transaction."""
        self._fake.log.append("BEGIN")
        return FakeTransaction(self._fake)

    def stream(self, database: str, statement: str, parameters: str, timeout: int) -> _Rows:
        """Runs a statement whose rows flow."""
        return self._stream(statement, parameters)

    def copy_in(self, database: str, statement: str) -> _Writer:
        """Begins a COPY."""
        return self._copy_in(statement)

    def copy_out(self, database: str, statement: str) -> _Reader:
        """Begins a COPY."""
        return self._copy_out(statement)

    lend_copy = copy_out

    def lend_rows(self, database: str, statement: str, parameters: str, format: Any) -> _Reader:
        """A document."""
        return self._copy_out(statement, parameters)

    def listen(self, database: str, channels: str) -> Any:
        """Not here."""
        raise PgUsageError("FakePg hears no NOTIFY: test it on a real database")


class FakeTransaction(_Asking, _Dropped):
    """The resource `transaction`."""

    _open = True

    def query(self, statement: str, parameters: str, timeout: int) -> bytes:
        """Runs a statement."""
        return self._query(statement, parameters)

    def batch(self, statements: str, timeout: int) -> bytes:
        """Runs statements."""
        return self._batch(statements)

    def stream(self, statement: str, parameters: str, timeout: int) -> _Rows:
        """Runs a statement whose rows flow."""
        return self._stream(statement, parameters)

    def copy_in(self, statement: str) -> _Writer:
        """Begins a COPY."""
        return self._copy_in(statement)

    def copy_out(self, statement: str) -> _Reader:
        """Begins a COPY."""
        return self._copy_out(statement)

    def savepoint(self, name: str) -> None:
        """Opens a savepoint."""
        self._fake.log.append(f"SAVEPOINT {name}")

    def release(self, name: str) -> None:
        """Releases it."""
        self._fake.log.append(f"RELEASE {name}")

    def rollback_to(self, name: str) -> None:
        """Rolls back to it."""
        self._fake.log.append(f"ROLLBACK TO {name}")

    def commit(self) -> None:
        """Commits."""
        self._end("COMMIT")

    def rollback(self) -> None:
        """Rolls back."""
        self._end("ROLLBACK")

    def _end(self, how: str) -> None:
        self._open = False
        self._fake.log.append(how)

    def __exit__(self, *_error: object) -> None:
        """Dropped: rolled back if it is open."""
        if self._open:
            self._end("ROLLBACK")


class _Rows(_Dropped):
    def __init__(self, block: bytes) -> None:
        _, self._columns, rows = marshal.loads(block)
        self._blocks = [rows] if rows else []

    def columns(self) -> bytes:
        """The columns, packed."""
        return marshal.dumps(self._columns, 2)

    def next(self) -> bytes | None:
        """The rows, once."""
        return marshal.dumps(self._blocks.pop(), 2) if self._blocks else None


class _Writer(_Dropped):
    def __init__(self, expected: Expected) -> None:
        self._expected = expected

    def write(self, data: str) -> None:
        """Keeps it for the test."""
        self._expected.copied += data.encode("latin-1")

    def finish(self) -> int:
        """The number of rows that the test says."""
        rows: int = marshal.loads(self._expected.block)[0]
        return rows


class _Reader(_Dropped):
    def __init__(self, chunks: list[bytes]) -> None:
        self._chunks = chunks

    def next(self) -> bytes | None:
        """The next data."""
        return self._chunks.pop(0) if self._chunks else None
