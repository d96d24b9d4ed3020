"""The interface of asyncpg, for programs that were written to it.

    from fasterapi.pg import asyncpg

    pool = await asyncpg.create_pool("postgres://localhost/mydb")
    async with pool.acquire() as connection, connection.transaction():
        await connection.execute("UPDATE items SET price = price * $1", 2)
        rows = await connection.fetch("SELECT id, name FROM items WHERE price > $1", 10)

What is another here than there:

- A DSN selects a granted database by its name, as in `PgPool`; users, passwords and the options of pools mean nothing: the host has the
  connections.
- A connection is a transaction at a time, not a session: what a session would keep (`SET`, temporary tables, advisory locks) lasts as
  long as its transaction. So there is no `add_listener` (use `fasterapi.pg.AsyncPg.listen`), `reset` does nothing, and any number of
  connections can be acquired.
- A statement is one statement: `execute` of a script of several needs one call for each.
- `json` comes and goes as Python's values, not as text; `execute` answers with the verb that the statement begins with.
- Types are registered with `fasterapi.pg.register_adapter` and `register_type`, not `set_type_codec`.
- A cursor is for `async for` only; a `timeout` is told by `PgTimeout`.
- A `Record` is a `fasterapi.pg.Row`.
- Errors are those of `fasterapi.pg`; the names of asyncpg's that are listed here are the same classes.
"""

from __future__ import annotations

from . import Multirange as Multirange, Range as Range, Row as Record
from ._asyncpg.connection import Connection as Connection, connect as connect
from ._asyncpg.errors import (
    CheckViolationError as CheckViolationError,
    DataError as DataError,
    DeadlockDetectedError as DeadlockDetectedError,
    ForeignKeyViolationError as ForeignKeyViolationError,
    InsufficientPrivilegeError as InsufficientPrivilegeError,
    IntegrityConstraintViolationError as IntegrityConstraintViolationError,
    InterfaceError as InterfaceError,
    NotNullViolationError as NotNullViolationError,
    PostgresConnectionError as PostgresConnectionError,
    PostgresError as PostgresError,
    QueryCanceledError as QueryCanceledError,
    SerializationError as SerializationError,
    SyntaxOrAccessError as SyntaxOrAccessError,
    UniqueViolationError as UniqueViolationError,
)
from ._asyncpg.pool import Pool as Pool, create_pool as create_pool
from ._asyncpg.prepared import PreparedStatement as PreparedStatement
from ._asyncpg.transaction import Transaction as Transaction

__all__ = ["Multirange", "Range", "Record"]

for _name, _value in list(globals().items()):
    if isinstance(_value, type) and _value.__module__.startswith(__package__ + "._asyncpg."):
        _value.__module__ = __name__
del _name, _value
