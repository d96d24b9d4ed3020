"""PEP 249 (DB-API 2.0) over the databases that the host lends.

    from fasterapi.pg import dbapi

    with dbapi.connect("default") as connection, connection.cursor() as cursor:
        cursor.execute("SELECT id, name FROM items WHERE price > %s", (5,))
        cursor.fetchall()

A connection is a transaction, not a session: it holds a connection to the server from its first statement to `commit` or
`rollback`, and none in between. So what a session would keep (`SET`, temporary tables, advisory locks) lasts as long as the
transaction. With `autocommit` each statement runs on its own.

Left out, as PEP 249 allows: `callproc` (`SELECT * FROM f(…)`), `nextset`, two-phase commit.
"""

from __future__ import annotations

from ._dbapi.connection import Connection as Connection, connect as connect
from ._dbapi.cursor import Cursor as Cursor
from ._dbapi.errors import (
    DatabaseError as DatabaseError,
    DataError as DataError,
    Error as Error,
    IntegrityError as IntegrityError,
    InterfaceError as InterfaceError,
    InternalError as InternalError,
    NotSupportedError as NotSupportedError,
    OperationalError as OperationalError,
    ProgrammingError as ProgrammingError,
    Warning as Warning,
)
from ._dbapi.types import (
    BINARY as BINARY,
    DATETIME as DATETIME,
    NUMBER as NUMBER,
    ROWID as ROWID,
    STRING as STRING,
    Binary as Binary,
    Date as Date,
    DateFromTicks as DateFromTicks,
    Time as Time,
    TimeFromTicks as TimeFromTicks,
    Timestamp as Timestamp,
    TimestampFromTicks as TimestampFromTicks,
)

apilevel = "2.0"
threadsafety = 1
"""Threads may share the module, not connections."""
paramstyle = "pyformat"
"""`%(name)s`, and `%s` as well. `connect(paramstyle="numeric_dollar")` takes PostgreSQL's own `$1`."""

for _name, _value in list(globals().items()):
    if isinstance(_value, type) and _value.__module__.startswith("fasterapi."):
        _value.__module__ = __name__
del _name, _value
