"""Postgres, lent by the host.

    from fasterapi.pg import PgPool

    pool = PgPool("postgres://localhost/mydb")     # names a database that was granted; no credential is here
    pg = pool.get()
    row = pg.exec("SELECT id, name FROM items WHERE id = $1", 42).one()
    row.name, row["name"], row[1], Item(**row)

    with pg.tx() as tx:                            # commit at the end, rollback on an exception
        tx.exec("UPDATE items SET price = price * $1", 1.1)

A transaction that is still open when its request is over, with its BackgroundTasks, is rolled back.

Statements run when `exec` is called; there is nothing to await. Parameters are `$1`, `$2`, … and travel apart from the statement.
"""

from __future__ import annotations

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
from ._result import Column as Column, Result as Result, Row as Row
from ._session import Pg as Pg, PgPool as PgPool, Tx as Tx

for _name, _value in list(globals().items()):
    if isinstance(_value, type):
        _value.__module__ = __name__  # the name that people know, in tracebacks too
del _name, _value
