"""Postgres, lent by the host.

    from fasterapi.pg import PgPool

    pool = PgPool("postgres://localhost/mydb")     # names a database that was granted; no credential is here
    pg = pool.get()
    row = pg.exec("SELECT id, name FROM items WHERE id = $1", 42).one()
    row.name, row["name"], row[1], Item(**row)

    with pg.tx(retries=3) as tx:                   # commit at the end, rollback on an exception
        tx.exec("UPDATE items SET price = price * $1", 1.1)
        tx.after_commit(send_mail)                 # not if it is rolled back

    pg.run_in_tx(function, retries=3)              # function(tx), again if the server could not serialise it; @transactional

    for row in pg.stream("SELECT * FROM items"):   # any number of rows, a block at a time in memory
        ...
    pg.executemany("INSERT INTO items VALUES ($1, $2)", rows)      # one round trip; batch([…]) for several statements
    with pg.copy_in("COPY items FROM STDIN") as pipe:
        pipe.write_row((1, "a"))
    async for n in pg.listen("orders"):            # NOTIFY
        ...
    return QueryResponse(pg, "SELECT * FROM items")                # sent by the host, without Python
    return CopyResponse(pg, "COPY items TO STDOUT (FORMAT csv)")

Statements run when `exec` is called; there is nothing to await: while it runs, other requests are served by other instances. For
`async def` there is `pg.aio`, or `AsyncPgPool`: `await pg.aio.exec(…)`, which lets the request's own tasks go on. Parameters are `$1`, `$2`,
… and travel apart from the statement.

What is still open when its request is over, with its BackgroundTasks, is ended: a transaction is rolled back, a COPY aborted.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ._adapters import register_adapter as register_adapter, register_converter as register_converter, register_type as register_type
from ._codec import Json as Json
from ._errors import (
    PgCanceled as PgCanceled,
    PgCheckViolation as PgCheckViolation,
    PgConnectionError as PgConnectionError,
    PgDataError as PgDataError,
    PgDeadlock as PgDeadlock,
    PgDenied as PgDenied,
    PgError as PgError,
    PgForeignKeyViolation as PgForeignKeyViolation,
    PgInsufficientPrivilege as PgInsufficientPrivilege,
    PgIntegrityError as PgIntegrityError,
    PgNoRows as PgNoRows,
    PgNotNullViolation as PgNotNullViolation,
    PgProgrammingError as PgProgrammingError,
    PgSerializationError as PgSerializationError,
    PgTimeout as PgTimeout,
    PgTooLarge as PgTooLarge,
    PgTooManyRows as PgTooManyRows,
    PgUniqueViolation as PgUniqueViolation,
    PgUsageError as PgUsageError,
)
from ._aio import (
    AsyncCopyIn as AsyncCopyIn,
    AsyncCopyOut as AsyncCopyOut,
    AsyncPg as AsyncPg,
    AsyncPgPool as AsyncPgPool,
    AsyncStream as AsyncStream,
    AsyncTx as AsyncTx,
)
from ._copy import CopyIn as CopyIn, CopyOut as CopyOut
from ._listen import Listener as Listener, Notification as Notification
from ._result import Result as Result
from ._row import Column as Column, Row as Row
from ._types import (
    Box as Box,
    Circle as Circle,
    Interval as Interval,
    Line as Line,
    LineSegment as LineSegment,
    Multirange as Multirange,
    OutOfRange as OutOfRange,
    Path as Path,
    Point as Point,
    Polygon as Polygon,
    Range as Range,
)
from ._session import Pg as Pg, PgPool as PgPool, Tx as Tx
from ._stream import Stream as Stream
from ._transactions import run_in_tx as run_in_tx, transactional as transactional
from ._upload import copy_from_request as copy_from_request

if TYPE_CHECKING:
    from .responses import CopyResponse as CopyResponse, QueryResponse as QueryResponse

for _name, _value in list(globals().items()):
    if isinstance(_value, type):
        _value.__module__ = __name__  # the name that people know, in tracebacks too
del _name, _value


def __getattr__(name: str) -> Any:
    # Starlette is an app's own business: one without it has no use for its responses.
    if name in ("CopyResponse", "QueryResponse"):
        from . import responses

        return getattr(responses, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
