"""`fasterapi:postgres/client`."""

from __future__ import annotations

from types import TracebackType
from typing import Self

from . import lines
from .attempts import cancel as cancel
from .line import Line
from .types import Event, Event_Gap, Event_Notification, Format, Isolation, Notification, TransactionOptions

_RESOLVE, _QUERY, _BEGIN, _BATCH, _STREAM, _COPY_IN, _COPY_OUT, _LISTEN, _LEND_ROWS = range(1, 10)
_TX_QUERY, _SAVEPOINT, _RELEASE, _ROLLBACK_TO, _COMMIT, _ROLLBACK, _TX_BATCH, _TX_STREAM, _TX_COPY_IN, _TX_COPY_OUT = range(16, 26)
_COLUMNS, _NEXT_ROWS, _NEXT_DATA, _WRITE, _FINISH, _WAIT = range(33, 39)


def resolve(target: str) -> str:
    """The alias of the granted database that `target` means."""
    return lines.call(_RESOLVE, target.encode()).decode()


def query(database: str, statement: str, parameters: str, timeout: int) -> tuple[bytes, Rows | None]:
    """Runs one statement on its own and waits for its result, of a large one for its first rows: the others follow."""
    line = lines.take()
    with lines.closing_on_error(line):
        answer = line.call(_QUERY, *_query(database, statement, parameters, timeout))
    handle, block = answer[:4], answer[4:]
    if any(handle):
        return block, Rows(line, handle)
    lines.give_back(line)
    return block, None


def batch(database: str, statements: str, timeout: int) -> bytes:
    """Runs statements in one round trip, as one transaction."""
    return lines.call(_BATCH, database.encode(), statements.encode("latin-1"), _u32(timeout))


def begin(database: str, options: TransactionOptions) -> Transaction:
    """Begins a transaction."""
    flags = (_flag(options.read_only), _flag(options.deferrable))
    return Transaction(*_opened(_BEGIN, database.encode(), _isolation(options.isolation), *flags, _u32(options.retries)))


def stream(database: str, statement: str, parameters: str, timeout: int) -> Rows:
    """Runs a statement whose rows come in blocks."""
    return Rows(*_opened(_STREAM, *_query(database, statement, parameters, timeout)))


def copy_in(database: str, statement: str) -> CopyWriter:
    """Begins `COPY … FROM STDIN`."""
    return CopyWriter(*_opened(_COPY_IN, database.encode(), statement.encode()))


def copy_out(database: str, statement: str) -> CopyReader:
    """Begins `COPY … TO STDOUT`."""
    return CopyReader(*_opened(_COPY_OUT, database.encode(), statement.encode()))


def listen(database: str, channels: str) -> Listener:
    """Hears what is sent to the channels, which have null characters between them."""
    return Listener(*_opened(_LISTEN, database.encode(), channels.encode()))


def lend_rows(database: str, statement: str, parameters: str, format: Format) -> CopyReader:
    """The rows of a statement as a document, begun already: there is no host here to send it."""
    fields = database.encode(), statement.encode(), parameters.encode("latin-1"), format.name.lower().encode()
    return CopyReader(*_opened(_LEND_ROWS, *fields))


lend_copy = copy_out
"""What a `COPY … TO STDOUT` gives, likewise."""


class _Resource:
    """Something of the host's, with a line of its own, or on that of the transaction in which it was begun. One that is forgotten is
    dropped."""

    def __init__(self, line: Line, handle: bytes, within: Transaction | None = None) -> None:
        self._line: Line | None = line
        self._handle = handle
        self._within = within
        """Kept, since its line closes with it."""

    def __del__(self) -> None:
        if self._line is None:
            return
        if self._within is None:
            self._line.forget()  # the traceback of an earlier call may still hold the line
        else:
            self._line.drop(self._handle)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None) -> None:
        """Drops it."""
        line, self._line = self._line, None
        if line is None or line.broken:
            return
        if not line.drop(self._handle) and self._within is None:
            line.close()  # which ends the call of another thread
        self._let_go(line)

    def _call(self, code: int, *fields: bytes | None) -> bytes:
        if self._line is None:
            raise RuntimeError("the handle was given back")
        return self._line.call(code, self._handle, *fields)

    def _last_call(self, code: int) -> bytes:
        """A call that drops it, whatever comes of it."""
        line, self._line = self._line, None
        if line is None:
            raise RuntimeError("the handle was given back")
        try:
            return line.call(code, self._handle)
        finally:
            self._let_go(line)

    def _let_go(self, line: Line) -> None:
        if self._within is None:
            lines.give_back(line)
        self._within = None


class Transaction(_Resource):
    """An open transaction. Dropping it rolls it back."""

    def query(self, statement: str, parameters: str, timeout: int) -> bytes:
        """Like `query`, within the transaction."""
        return self._call(_TX_QUERY, statement.encode(), parameters.encode("latin-1"), _u32(timeout))

    def batch(self, statements: str, timeout: int) -> bytes:
        """Like `batch`, within the transaction."""
        return self._call(_TX_BATCH, statements.encode("latin-1"), _u32(timeout))

    def stream(self, statement: str, parameters: str, timeout: int) -> Rows:
        """Like `stream`, within the transaction."""
        return Rows(*self._begun(_TX_STREAM, statement.encode(), parameters.encode("latin-1"), _u32(timeout)))

    def copy_in(self, statement: str) -> CopyWriter:
        """Like `copy_in`, within the transaction."""
        return CopyWriter(*self._begun(_TX_COPY_IN, statement.encode()))

    def copy_out(self, statement: str) -> CopyReader:
        """Like `copy_out`, within the transaction."""
        return CopyReader(*self._begun(_TX_COPY_OUT, statement.encode()))

    def _begun(self, code: int, *fields: bytes) -> tuple[Line, bytes, Transaction]:
        handle = self._call(code, *fields)
        assert self._line is not None
        return self._line, handle, self

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


class Rows(_Resource):
    """The rows of a statement under way. Dropping it cancels the statement."""

    def columns(self) -> bytes:
        """The columns, packed as in a result block."""
        return self._call(_COLUMNS)

    def next(self) -> bytes | None:
        """The next rows, `None` when that was all."""
        return self._call(_NEXT_ROWS) or None


class CopyWriter(_Resource):
    """A `COPY … FROM STDIN` under way. Dropping it aborts it."""

    def write(self, data: str) -> None:
        """Sends data."""
        self._call(_WRITE, data.encode("latin-1"))

    def finish(self) -> int:
        """Ends the copy: the number of rows."""
        return int.from_bytes(self._last_call(_FINISH), "little")


class CopyReader(_Resource):
    """A `COPY … TO STDOUT` under way. Dropping it cancels it."""

    def next(self) -> bytes | None:
        """The next data, `None` when that was all."""
        return self._call(_NEXT_DATA) or None


class Listener(_Resource):
    """Hears notifications until it is dropped."""

    def wait(self, timeout: int) -> Event | None:
        """The next event, `None` if there is none within so many milliseconds."""
        event = self._call(_WAIT, _u32(timeout))
        if not event:
            return None
        if event == b"\0":
            return Event_Gap()
        channel, payload, process_id = event.decode().split("\0")
        return Event_Notification(Notification(channel, payload, int(process_id)))


def _opened(code: int, *fields: bytes | None) -> tuple[Line, bytes]:
    line = lines.take()
    with lines.closing_on_error(line):
        return line, line.call(code, *fields)


def _query(database: str, statement: str, parameters: str, timeout: int) -> tuple[bytes, bytes, bytes, bytes]:
    return database.encode(), statement.encode(), parameters.encode("latin-1"), _u32(timeout)


def _isolation(level: Isolation | None) -> bytes | None:
    return None if level is None else level.name.lower().replace("_", "-").encode()


def _flag(value: bool) -> bytes | None:
    return b"" if value else None


def _u32(number: int) -> bytes:
    return number.to_bytes(4, "little")
