"""The same for `async def`."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Sequence
from functools import partial
from types import TracebackType
from typing import TYPE_CHECKING, Any, Protocol, Self, TypeVar, Unpack

from . import _codec, _hooks, _host, _options
from ._copy import CopyIn, CopyOut, Data
from ._errors import PgError, PgUsageError
from ._listen import Listener
from ._options import Isolation
from ._result import Result
from ._row import Row
from ._session import Pg, PgPool, Statement, Tx, _batch, _many, _Statements
from ._stream import Stream

if TYPE_CHECKING:
    from ._transactions import Options

_T = TypeVar("_T")
_Item = TypeVar("_Item", covariant=True)


class AsyncPgPool(PgPool):
    """A `PgPool` whose handles are awaited."""

    def get(self) -> AsyncPg:  # type: ignore[override]
        """A handle for one request."""
        return super().get().aio


class AsyncPg:
    """A `Pg` whose calls are awaited. While one of them waits, the app's other tasks go on; cancelling its task cancels it on the server.
    Where the app has nothing else to do the call takes the short way, and waits in the host.

    Tasks side by side that have transactions take a handle each: a transaction that is begun while another is open on its handle is a
    savepoint of that.
    """

    __slots__ = ("_on", "_pg")

    def __init__(self, pg: Pg) -> None:
        self._pg = pg
        self._on: _Statements = pg

    async def exec(self, statement: str, *parameters: Any, timeout: float | None = None) -> Result:
        """See `Pg.exec`."""
        if _host.may_block():
            return self._on.exec(statement, *parameters, timeout=timeout)
        calls, first = self._on._target()
        statement = _options.text(statement, "a statement")
        answer = await calls.wait("query", *first, statement, _codec.pack(parameters), _options.milliseconds(timeout))
        return Result(*answer) if first else Result(answer)

    async def executemany(self, statement: str, parameters: Iterable[Sequence[Any]], *, timeout: float | None = None) -> Result:
        """See `Pg.executemany`."""
        return (await _host.arun(self._on._batching(_many(statement, parameters), timeout)))[0]

    async def batch(self, statements: Iterable[Statement], *, timeout: float | None = None) -> list[Result]:
        """See `Pg.batch`."""
        return await _host.arun(self._on._batching(_batch(statements), timeout))

    def stream(self, statement: str, *parameters: Any, timeout: float | None = None) -> AsyncStream:
        """See `Pg.stream`: `async for row in pg.stream(…)`."""
        arguments = _options.text(statement, "a statement"), _codec.pack(parameters), _options.milliseconds(timeout)
        return AsyncStream(partial(self._begun, Stream.of, "stream", *arguments))

    def copy_in(self, statement: str) -> AsyncCopyIn:
        """See `Pg.copy_in`: `async with pg.copy_in(…) as pipe: await pipe.write(…)`."""
        made = partial(CopyIn, statement=_options.text(statement, "a statement"))
        return AsyncCopyIn(partial(self._begun, made, "copy_in", statement))

    def copy_out(self, statement: str) -> AsyncCopyOut:
        """See `Pg.copy_out`: `async for chunk in pg.copy_out(…)`."""
        return AsyncCopyOut(partial(self._begun, CopyOut, "copy_out", _options.text(statement, "a statement")))

    def listen(self, *channels: str) -> Listener:
        """See `Pg.listen`."""
        return self._pg.listen(*channels)

    def tx(self, *, isolation: Isolation | None = None, read_only: bool = False, deferrable: bool = False, retries: int = 0) -> AsyncTx:
        """See `Pg.tx`: `async with pg.tx() as tx: await tx.exec(…)`."""
        return AsyncTx(self._pg.tx(isolation=isolation, read_only=read_only, deferrable=deferrable, retries=retries))

    async def run_in_tx(self, function: Callable[[AsyncTx], Awaitable[_T]], *, retries: int = 3, **options: Unpack[Options]) -> _T:
        """See `fasterapi.pg.run_in_tx`."""
        from ._transactions import run_in_tx

        return await run_in_tx(self, function, retries=retries, **options)

    def after_commit(self, function: _hooks.Hook) -> _hooks.Hook:
        """See `Pg.after_commit`."""
        return self._pg.after_commit(function)

    async def _begun(self, made: Callable[[Any], _T], what: str, *arguments: Any) -> _T:
        calls, first = self._on._target()
        return made(await calls.wait(what, *first, *arguments))


class AsyncTx(AsyncPg):
    """A `Tx` whose calls are awaited. Those of several tasks take turns."""

    __slots__ = ("_tx",)

    def __init__(self, tx: Tx) -> None:
        super().__init__(tx._pg)
        self._on = self._tx = tx

    async def __aenter__(self) -> Self:
        await _host.arun(self._tx._entering())
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None) -> None:
        await _host.arun(self._tx._exiting(kind))

    def after_commit(self, function: _hooks.Hook) -> _hooks.Hook:
        """See `Tx.after_commit`."""
        return self._tx.after_commit(function)

    async def commit(self) -> None:
        """See `Tx.commit`."""
        await _host.arun(self._tx._ending("commit"))

    async def rollback(self) -> None:
        """See `Tx.rollback`."""
        await _host.arun(self._tx._ending("rollback"))


class _Flow(Protocol[_Item]):
    def __anext__(self) -> Awaitable[_Item]: ...
    def close(self) -> None: ...


class _Flowing(AsyncIterator[_Item]):
    """Begins with its first item, or its `async with` block. May be ended early by the end of that, or by `close`; a loop that is left by
    `break` is ended when this is forgotten."""

    __slots__ = ("_begin", "_flow", "_torn")

    def __init__(self, begin: Callable[[], Awaitable[_Flow[_Item]]]) -> None:
        self._torn = False
        self._begin: Callable[[], Awaitable[_Flow[_Item]]] | None = begin
        self._flow: _Flow[_Item] | None = None

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> _Item:
        await self._begun()
        if self._flow is None:
            raise StopAsyncIteration
        return await self._flow.__anext__()

    async def _begun(self) -> None:
        begin, self._begin = self._begin, None
        if self._torn:
            raise PgUsageError("its beginning was given up: nothing of it came")
        if begin is None:
            return
        try:
            self._flow = await begin()
        except BaseException as error:
            self._torn = not isinstance(error, PgError)
            raise

    def close(self) -> None:
        """Ends it. What was not read is lost."""
        self._begin = None
        flow, self._flow = self._flow, None
        if flow is not None:
            flow.close()

    async def aclose(self) -> None:
        """The same, as asynchronous iterators have it."""
        self.close()

    async def __aenter__(self) -> Self:
        await self._begun()
        return self

    async def __aexit__(self, *_error: object) -> None:
        self.close()


class AsyncStream(_Flowing[Row]):
    """Rows as they come: `async for row in …`. The statement begins with the first."""

    __slots__ = ()


class AsyncCopyOut(_Flowing[bytes]):
    """What `COPY … TO STDOUT` gives, in chunks: `async for chunk in …`. It begins with the first."""

    __slots__ = ()


class AsyncCopyIn:
    """A `CopyIn` whose calls are awaited: `async with pg.copy_in("COPY …") as pipe: await pipe.write(…)`, whose end stores it."""

    __slots__ = ("_begin", "_copy")

    def __init__(self, begin: Callable[[], Awaitable[CopyIn]]) -> None:
        self._begin = begin
        self._copy: CopyIn | None = None

    async def __aenter__(self) -> Self:
        if self._copy is not None:
            raise PgUsageError("a copy is entered once")
        self._copy = await self._begin()
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None) -> None:
        copy = self._begun()
        if kind is None and copy._lent is not None:
            await self.finish()
        else:
            copy.close()

    @property
    def rows(self) -> int | None:
        """How many rows were stored: there after the end."""
        return None if self._copy is None else self._copy.rows

    async def write(self, data: Data) -> None:
        """See `CopyIn.write`."""
        await _host.arun(self._begun()._writing(data))

    async def write_row(self, row: Sequence[Any]) -> None:
        """See `CopyIn.write_row`."""
        copy = self._begun()
        await _host.arun(copy._writing(copy._format.row(row)))

    async def write_rows(self, rows: Iterable[Sequence[Any]]) -> None:
        """Writes rows."""
        for row in rows:
            await self.write_row(row)

    def set_types(self, types: Sequence[str]) -> None:
        """See `CopyIn.set_types`."""
        self._begun().set_types(types)

    async def finish(self) -> int:
        """See `CopyIn.finish`."""
        return await _host.arun(self._begun()._finishing())

    def close(self) -> None:
        """Ends it now. What was not finished is aborted."""
        if self._copy is not None:
            self._copy.close()

    def _begun(self) -> CopyIn:
        if self._copy is None:
            raise PgUsageError("the copy is not begun: write to it in its `async with` block")
        return self._copy
