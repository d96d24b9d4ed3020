"""`fasterapi:postgres/client`."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from types import TracebackType
from typing import Self

from . import lines
from .line import HostError, Line
from .types import Error, ErrorKind, Event, Event_Gap, Event_Notification, Isolation, Notification, TransactionOptions

_RESOLVE, _QUERY, _BEGIN, _BATCH, _STREAM, _COPY_IN, _COPY_OUT, _LISTEN = range(1, 9)
_TX_QUERY, _SAVEPOINT, _RELEASE, _ROLLBACK_TO, _COMMIT, _ROLLBACK, _TX_BATCH = range(16, 23)
_DROP, _COLUMNS, _NEXT_ROWS, _NEXT_DATA, _WRITE, _FINISH, _WAIT = range(32, 39)


def resolve(target: str) -> str:
    """The alias of the granted database that `target` means."""
    return lines.call(_RESOLVE, target.encode()).decode()


def query(database: str, statement: str, parameters: str, timeout: int) -> tuple[bytes, None]:
    """Runs one statement on its own and waits for its whole result: there are no rows beyond the block."""
    return lines.call(_QUERY, *_query(database, statement, parameters, timeout)), None


async def query_async(ticket: int, database: str, statement: str, parameters: str, timeout: int) -> tuple[bytes, None]:
    """Like `query`, in a thread: the loop goes on."""
    line = lines.take()
    _under_way[ticket] = line
    try:
        return await asyncio.to_thread(lines.call_on, line, _QUERY, *_query(database, statement, parameters, timeout)), None
    except HostError:
        if line.broken and ticket not in _under_way:
            raise HostError(Error(ErrorKind.CANCELED, "the statement was cancelled")) from None
        raise
    except asyncio.CancelledError:
        line.close()  # the thread would wait for the answer
        raise
    finally:
        _under_way.pop(ticket, None)


_under_way: dict[int, Line] = {}


def cancel(ticket: int) -> None:
    """Cancels the call of an `_async` function: its line closes."""
    line = _under_way.pop(ticket, None)
    if line is not None:
        line.close()


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


def lend_copy(database: str, statement: str) -> Iterator[bytes]:
    """What a `COPY … TO STDOUT` gives, begun already: there is no host here to send it."""
    return iter(copy_out(database, statement).__enter__().next, None)


class _Resource:
    """Something of the host's, with a line of its own. One that is forgotten is dropped: its line closes."""

    def __init__(self, line: Line, handle: bytes) -> None:
        self._line: Line | None = line
        self._handle = handle

    def __del__(self) -> None:
        if self._line is not None:
            self._line.forget()  # the traceback of an earlier call may still hold the line

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None) -> None:
        """Drops it."""
        if self._line is not None and not self._line.broken:
            try:
                self._last_call(_DROP)
            except HostError:
                pass  # the bridge broke, and all that was open with it

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
            lines.give_back(line)


class Transaction(_Resource):
    """An open transaction. Dropping it rolls it back."""

    def query(self, statement: str, parameters: str, timeout: int) -> bytes:
        """Like `query`, within the transaction."""
        return self._call(_TX_QUERY, statement.encode(), parameters.encode("latin-1"), _u32(timeout))

    def batch(self, statements: str, timeout: int) -> bytes:
        """Like `batch`, within the transaction."""
        return self._call(_TX_BATCH, statements.encode("latin-1"), _u32(timeout))

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
        """The next event, `None` if there is none within so many milliseconds; 0: however long it takes."""
        event = self._call(_WAIT, _u32(timeout))
        if not event:
            return None
        if event == b"\0":
            return Event_Gap()
        channel, payload, process_id = event.decode().split("\0")
        return Event_Notification(Notification(channel, payload, int(process_id)))

    async def next(self, ticket: int) -> Event:
        """The next event, in a thread: the loop goes on."""
        if self._line is None:
            raise RuntimeError("the handle was given back")
        _under_way[ticket] = self._line
        try:
            while (event := await asyncio.to_thread(self.wait, _A_MOMENT)) is None:
                pass
        except HostError:
            if ticket not in _under_way:
                raise HostError(Error(ErrorKind.CANCELED, "the wait was cancelled")) from None
            raise
        finally:
            _under_way.pop(ticket, None)
        return event


_A_MOMENT = 60_000


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
