"""Pools, handles and transactions."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Sequence
from types import TracebackType
from typing import TYPE_CHECKING, Any, Literal, Self, TypeVar, Unpack

from .. import _phase
from .._wasm.calls import Holding
from . import _codec, _hooks, _host, _options
from ._copy import CopyIn, CopyOut
from ._errors import PgError, PgUsageError
from ._listen import Listener
from ._options import Isolation
from ._result import Result
from ._row import shape_of
from ._stream import Blocks, Stream

if TYPE_CHECKING:
    from ._aio import AsyncPg
    from ._transactions import Options

logger = logging.getLogger("fasterapi.error")

Statement = str | tuple[str, Sequence[Any]]
"""A statement of a batch: its text, with its parameters when it has any."""

_T = TypeVar("_T")

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
        self._target = _options.text(target, "a database")
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


class _Statements:
    """What runs on a database and within a transaction alike."""

    __slots__ = ()

    def _query(self, statement: str, block: str, timeout: int) -> tuple[bytes, Any]:
        raise NotImplementedError

    def _batch(self, block: str, timeout: int) -> bytes:
        raise NotImplementedError

    def _begin(self, what: Literal["stream", "copy_in", "copy_out"], *arguments: Any) -> Any:
        """Has the host begin something that takes longer than a call."""
        raise NotImplementedError

    def exec(self, statement: str, *parameters: Any, timeout: float | None = None) -> Result:
        """Runs a statement and waits for its result; of a large one, for its first rows.

        Args:
            statement: one statement, with `$1`, `$2`, … for the parameters.
            parameters: None, bool, int, float, str, bytes, Decimal, UUID, datetime, date, time, timedelta, Enum, list (an array), tuple (a
                composite), dict or pydantic model or `Json` (JSON), IP addresses, `Range`, `Multirange`, `Point` and its like, and what
                `register_adapter` knows.
            timeout: seconds that the statement may take, if that is less than the host grants.

        Raises:
            PgError: one of its subclasses, by who is to blame.
        """
        return Result(*self._query(_options.text(statement, "a statement"), _codec.pack(parameters), _options.milliseconds(timeout)))

    def executemany(self, statement: str, parameters: Iterable[Sequence[Any]], *, timeout: float | None = None) -> Result:
        """Runs a statement once for each set of parameters, in one round trip: all of it happens, or nothing.

        Returns:
            The rows of all runs together, and the sum of what they affected.
        """
        return self._run_batch([(statement, [tuple(each) for each in parameters])], timeout)[0]

    def batch(self, statements: Iterable[Statement], *, timeout: float | None = None) -> list[Result]:
        """Runs several statements in one round trip: all of them happen, or none.

        Args:
            statements: texts, or pairs of a text and its parameters: `["DELETE FROM a", ("INSERT INTO a VALUES ($1)", [1])]`.
        """
        items = [(each, [()]) if isinstance(each, str) else (each[0], [tuple(each[1])]) for each in statements]
        return self._run_batch(items, timeout)

    def stream(self, statement: str, *parameters: Any, timeout: float | None = None) -> Stream:
        """Runs a statement whose rows come one by one, of which only a block at a time is in memory.

        Within a transaction: only SELECT, VALUES, TABLE, and WITH over these.
        """
        blocks = Blocks(self._begin("stream", _options.text(statement, "a statement"), _codec.pack(parameters), _options.milliseconds(timeout)))
        return Stream(shape_of(blocks.columns()), [], blocks)

    def copy_in(self, statement: str) -> CopyIn:
        """Stores what is written: `with pg.copy_in("COPY items FROM STDIN") as pipe: pipe.write_row((1, "a"))`. Nothing of it is stored when
        the block ends by an exception.

        Args:
            statement: `COPY … FROM STDIN …`.
        """
        return CopyIn(self._begin("copy_in", _options.text(statement, "a statement")), statement)

    def copy_out(self, statement: str) -> CopyOut:
        """The bytes that `COPY … TO STDOUT …` gives, in chunks, as they come."""
        return CopyOut(self._begin("copy_out", _options.text(statement, "a statement")))

    def _run_batch(self, items: list[tuple[str, list[tuple[Any, ...]]]], timeout: float | None) -> list[Result]:
        if not items or not all(sets for _, sets in items):
            return [Result.of((0, (), [])) for _ in items]
        for statement, _ in items:
            _options.text(statement, "a statement")
        results = _codec.loads(self._batch(_codec.pack_batch(items), _options.milliseconds(timeout)))
        return [Result.of(result) for result in results]


class Pg(_Statements):
    """Runs statements on a database: each on its own, or within the transaction that is open on this handle."""

    __slots__ = ("_database", "_open")

    def __init__(self, database: str) -> None:
        self._database = database
        self._open: list[Tx] = []

    @property
    def aio(self) -> AsyncPg:
        """The same database for `async def`: `await pg.aio.exec(…)`."""
        from ._aio import AsyncPg

        return AsyncPg(self)

    def tx(self, *, isolation: Isolation | None = None, read_only: bool = False, deferrable: bool = False, retries: int = 0) -> Tx:
        """A transaction: `with pg.tx() as tx: …`. Committed at the end of the block, rolled back on an exception.

        Within an open transaction of this handle it is a savepoint, and takes no options.

        Args:
            retries: how often the host may run the transaction again, unseen, when the server could not serialise it with others: it replays
                its statements and compares their answers. If one differs, `PgSerializationError` is raised, as without retries.
        """
        return Tx(self, isolation, read_only, deferrable, retries)

    def listen(self, *channels: str) -> Listener:
        """What `NOTIFY` sends to these channels from now on: `async for n in pg.listen("orders"): …`, or `for`."""
        return Listener(_host.call(_host.client.listen, self._database, _channels(channels)))

    def _query(self, statement: str, block: str, timeout: int) -> tuple[bytes, Any]:
        if self._open:
            return self._open[-1]._query(statement, block, timeout)
        answer: tuple[bytes, Any] = _host.call(_host.client.query, self._database, statement, block, timeout)
        return answer

    def _batch(self, block: str, timeout: int) -> bytes:
        if self._open:
            return self._open[-1]._batch(block, timeout)
        answer: bytes = _host.call(_host.client.batch, self._database, block, timeout)
        return answer

    def _begin(self, what: Literal["stream", "copy_in", "copy_out"], *arguments: Any) -> Any:
        if self._open:
            return self._open[-1]._begin(what, *arguments)
        return _host.call(getattr(_host.client, what), self._database, *arguments)

    def run_in_tx(self, function: Callable[[Tx], _T], *, retries: int = 3, **options: Unpack[Options]) -> _T:
        """Runs `function(tx)` in a transaction, and again each time the server could not serialise it with others. See
        `fasterapi.pg.run_in_tx`."""
        from ._transactions import run_in_tx

        return run_in_tx(self, function, retries=retries, **options)

    def after_commit(self, function: _hooks.Hook) -> _hooks.Hook:
        """As `Tx.after_commit` of the transaction that is open on this handle; at once if there is none."""
        if self._open:
            return self._open[-1].after_commit(function)
        _hooks.run([_hooks.checked(function)])
        return function


class Tx(_Statements):
    """A transaction, or a savepoint within one. Made by `Pg.tx` and `Tx.tx`.

    One that is still open when its request is over (BackgroundTasks and tasks left behind included) is rolled back.
    """

    __slots__ = ("_held", "_hooks", "_host", "_options", "_pg", "_savepoint", "_state")

    def __init__(self, pg: Pg, isolation: Isolation | None, read_only: bool, deferrable: bool, retries: int) -> None:
        self._pg = pg
        self._options = (isolation, read_only, deferrable, retries)
        self._host: Any = None
        self._savepoint: str | None = None
        self._hooks: list[_hooks.Hook] = []
        self._held: set[Holding] = set()
        self._state: Literal["new", "open", "ended", "abandoned"] = "new"

    def __enter__(self) -> Self:
        if self._state != "new":
            raise PgUsageError("a transaction is entered once")
        outer = self._pg._open
        if outer:
            self._begin_savepoint(outer[-1])
        else:
            self._host = _host.call(_host.client.begin, self._pg._database, _options.transaction(*self._options))
            self._held = _host.holdings()
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

    def tx(self) -> Tx:
        """A savepoint within this transaction."""
        return Tx(self._pg, None, False, False, 0)

    def after_commit(self, function: _hooks.Hook) -> _hooks.Hook:
        """Has `function()` called once the outermost transaction is committed, and not at all if this one, or one around it, is rolled back.

        Functions are called in their order; an exception is logged and does not stop the others. An async function, and those after
        it, run as a task. Also as a decorator: `@tx.after_commit`.
        """
        self._opened()
        self._hooks.append(_hooks.checked(function))
        return function

    def commit(self) -> None:
        """Commits now (releases the savepoint); the rest of the block runs outside."""
        self._end("commit")

    def rollback(self) -> None:
        """Rolls back now (to the savepoint); the rest of the block runs outside."""
        self._end("rollback")

    def _query(self, statement: str, block: str, timeout: int) -> tuple[bytes, Any]:
        return _host.call(self._opened().query, statement, block, timeout), None

    def _batch(self, block: str, timeout: int) -> bytes:
        answer: bytes = _host.call(self._opened().batch, block, timeout)
        return answer

    def _begin(self, what: Literal["stream", "copy_in", "copy_out"], *arguments: Any) -> Any:
        return _host.call(getattr(self._opened(), what), *arguments)

    def _opened(self) -> Any:
        if self._state != "open":
            raise PgUsageError(_ENDED[self._state])
        return self._host

    def _begin_savepoint(self, outer: Tx) -> None:
        if self._options != (None, False, False, 0):
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
        self._opened()
        if self._pg._open[-1] is not self:
            raise PgUsageError("a transaction within this one is still open")
        self._state = "ended"
        self._held.discard(self)
        self._pg._open.pop()
        if self._savepoint is not None:
            if how == "rollback":
                _host.call(self._host.rollback_to, self._savepoint)
            _host.call(self._host.release, self._savepoint)
            if how == "commit":
                self._pg._open[-1]._hooks += self._hooks
            return
        try:
            _host.call(getattr(self._host, how))
        finally:
            self._host.__exit__(None, None, None)  # gives the handle back: the host rolls back what was not committed
            self._host = None
        if how == "commit":
            _hooks.run(self._hooks)


def _channels(channels: tuple[str, ...]) -> str:
    if not channels or any(not _options.text(channel, "a channel") or "\0" in channel for channel in channels):
        raise PgUsageError("a listener has one channel or more, each with a name")
    return "\0".join(channels)
