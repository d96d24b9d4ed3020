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
from ._stream import Stream

if TYPE_CHECKING:
    from ._aio import AsyncPg
    from ._transactions import Options

logger = logging.getLogger("fasterapi.error")

Statement = str | tuple[str, Sequence[Any]]
"""A statement of a batch: its text, with its parameters when it has any."""

_Batch = list[tuple[str, list[tuple[Any, ...]]]]
"""Statements, each with the parameters of its runs."""

_T = TypeVar("_T")

_ENDED = {
    "new": "the transaction is not begun",
    "beginning": "the transaction is being begun by another task: tasks side by side take a handle each",
    "ended": "the transaction is ended",
    "abandoned": "the transaction was rolled back: its request ended before it did, or the transaction around it",
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

    def _target(self) -> tuple[_host.Calls, tuple[str, ...]]:
        """Whom to call now, and with what before the other arguments."""
        raise NotImplementedError

    def _query(self, statement: str, block: str, timeout: int) -> tuple[bytes, Any]:
        raise NotImplementedError

    def _call(self, what: str, *arguments: Any) -> Any:
        calls, first = self._target()
        return calls.call(what, *first, *arguments)

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
        return self._run_batch(_many(statement, parameters), timeout)[0]

    def batch(self, statements: Iterable[Statement], *, timeout: float | None = None) -> list[Result]:
        """Runs several statements in one round trip: all of them happen, or none.

        Args:
            statements: texts, or pairs of a text and its parameters: `["DELETE FROM a", ("INSERT INTO a VALUES ($1)", [1])]`.
        """
        return self._run_batch(_batch(statements), timeout)

    def stream(self, statement: str, *parameters: Any, timeout: float | None = None) -> Stream:
        """Runs a statement whose rows come one by one, of which only a block at a time is in memory.

        Within a transaction: only SELECT, VALUES, TABLE, and WITH over these.
        """
        return Stream.of(self._call("stream", _options.text(statement, "a statement"), _codec.pack(parameters), _options.milliseconds(timeout)))

    def copy_in(self, statement: str) -> CopyIn:
        """Stores what is written: `with pg.copy_in("COPY items FROM STDIN") as pipe: pipe.write_row((1, "a"))`. Nothing of it is stored when
        the block ends by an exception.

        Args:
            statement: `COPY … FROM STDIN …`.
        """
        return CopyIn(self._call("copy_in", _options.text(statement, "a statement")), statement)

    def copy_out(self, statement: str) -> CopyOut:
        """The bytes that `COPY … TO STDOUT …` gives, in chunks, as they come."""
        return CopyOut(self._call("copy_out", _options.text(statement, "a statement")))

    def _run_batch(self, batch: _Batch, timeout: float | None) -> list[Result]:
        return _host.run(self._batching(batch, timeout))

    def _batching(self, batch: _Batch, timeout: float | None) -> _host.Steps[list[Result]]:
        if not batch or not all(sets for _, sets in batch):
            return [Result.of((0, (), [])) for _ in batch]
        for statement, _ in batch:
            _options.text(statement, "a statement")
        calls, first = self._target()
        results = yield calls, "batch", *first, _codec.pack_batch(batch), _options.milliseconds(timeout)
        return [Result.of(result) for result in _codec.loads(results)]


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

    def _target(self) -> tuple[_host.Calls, tuple[str, ...]]:
        return self._open[-1]._target() if self._open else (_host.functions, (self._database,))

    def _query(self, statement: str, block: str, timeout: int) -> tuple[bytes, Any]:
        if self._open:
            return self._open[-1]._query(statement, block, timeout)
        answer: tuple[bytes, Any] = _host.call(_host.client.query, self._database, statement, block, timeout)
        return answer

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
        self._host: _host.Lent | None = None
        self._savepoint: str | None = None
        self._hooks: list[_hooks.Hook] = []
        self._held: set[Holding] = set()
        self._state: Literal["new", "beginning", "open", "ended", "abandoned"] = "new"

    def __enter__(self) -> Self:
        return _host.run(self._entering())

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None) -> None:
        _host.run(self._exiting(kind))

    def _entering(self) -> _host.Steps[Self]:
        if self._state != "new":
            raise PgUsageError("a transaction is entered once")
        stack = self._pg._open
        begin = self._opening_savepoint(stack[-1]) if stack else self._beginning()
        self._state = "beginning"
        stack.append(self)
        try:
            yield from begin
        except BaseException:
            if self in stack:
                stack.remove(self)
            self._state = "new"
            raise
        self._state = "open"
        return self

    def _exiting(self, kind: type[BaseException] | None) -> _host.Steps[None]:
        if self._state == "ended":
            return
        left_open = self._give_up_inner()
        if kind is None and not left_open:
            yield from self._ending("commit")  # raises if the transaction was abandoned: what the block did is not there
            return
        try:
            yield from self._ending("rollback")
        except PgError:
            if kind is None:
                raise  # else what the block raised says more; the host rolls back when the transaction is dropped
        if kind is None:
            raise PgUsageError("a transaction within this one was still open: both are rolled back")

    def _give_up_inner(self) -> bool:
        """Ends what is open within this one and outlives it, such as a task's. Whether there was any."""
        stack = self._pg._open
        inner = stack[stack.index(self) + 1 :] if self in stack else []
        for tx in inner:
            stack.remove(tx)
            tx._state = "abandoned"
        return bool(inner)

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
        _host.run(self._ending("commit"))

    def rollback(self) -> None:
        """Rolls back now (to the savepoint); the rest of the block runs outside."""
        _host.run(self._ending("rollback"))

    def _target(self) -> tuple[_host.Calls, tuple[str, ...]]:
        return self._opened(), ()

    def _query(self, statement: str, block: str, timeout: int) -> tuple[bytes, Any]:
        return self._opened().call("query", statement, block, timeout), None

    def _opened(self) -> _host.Lent:
        if self._state != "open" or self._host is None:
            raise PgUsageError(_ENDED[self._state])
        return self._host

    def _beginning(self) -> _host.Steps[None]:
        begun = yield _host.functions, "begin", self._pg._database, _options.transaction(*self._options)
        self._host = _host.Lent(begun)
        self._held = _host.holdings()
        self._held.add(self)

    def _opening_savepoint(self, outer: Tx) -> _host.Steps[None]:
        if self._options != (None, False, False, 0):
            raise PgUsageError("a transaction within a transaction is a savepoint: it takes no options")
        self._host = outer._opened()
        self._savepoint = f"s{len(self._pg._open) - 1}"
        yield self._host, "savepoint", self._savepoint

    def abandon(self) -> None:
        """Rolls back because the request is over. Not for applications."""
        if self._host is not None:
            self._host.give_back()
        for tx in self._pg._open:
            tx._state = "abandoned"
            tx._host = None
        self._pg._open.clear()
        logger.warning("a transaction was left open: it is rolled back with the end of its request")

    def _ending(self, how: Literal["commit", "rollback"]) -> _host.Steps[None]:
        host, stack = self._opened(), self._pg._open
        if stack[-1] is not self:
            raise PgUsageError("a transaction within this one is still open")
        self._state = "ended"
        stack.pop()
        if self._savepoint is not None:
            outer = stack[-1]
            if how == "rollback":
                yield host, "rollback_to", self._savepoint
            yield host, "release", self._savepoint
            if how == "commit":
                outer._hooks += self._hooks
            return
        if how == "rollback":
            host.cancel()  # what its other tasks still run
        try:
            yield host, how
        finally:
            self._held.discard(self)
            host.give_back()  # the host rolls back what was not committed
            self._host = None
        if how == "commit":
            _hooks.run(self._hooks)


def _many(statement: str, parameters: Iterable[Sequence[Any]]) -> _Batch:
    return [(statement, [tuple(each) for each in parameters])]


def _batch(statements: Iterable[Statement]) -> _Batch:
    return [(each, [()]) if isinstance(each, str) else (each[0], [tuple(each[1])]) for each in statements]


def _channels(channels: tuple[str, ...]) -> str:
    if not channels or any(not _options.text(channel, "a channel") or "\0" in channel for channel in channels):
        raise PgUsageError("a listener has one channel or more, each with a name")
    return "\0".join(channels)
