"""The dialect `postgresql+fasterapi`."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from types import ModuleType
from typing import Any

from sqlalchemy import URL, Pool
from sqlalchemy.dialects.postgresql.base import PGDialect, PGExecutionContext
from sqlalchemy.engine.interfaces import IsolationLevel, _ParamStyle
from sqlalchemy.pool import NullPool

from .._errors import PgConnectionError
from . import types

_AUTOCOMMIT: IsolationLevel = "AUTOCOMMIT"


class _Context(PGExecutionContext):
    def create_server_side_cursor(self) -> Any:
        return self._dbapi_connection.cursor(stream=True)


class HostPool(NullPool):
    """Holds no connections: the pool is the host's. What `create_engine` says of another pool's size is taken and does nothing."""

    def __init__(self, creator: Any, pool_size: int = 0, max_overflow: int = 0, timeout: float = 0, use_lifo: bool = False, **options: Any) -> None:
        super().__init__(creator, **options)


class FasterapiDialect(PGDialect):
    """PostgreSQL over `fasterapi.pg.dbapi`."""

    driver = "fasterapi"
    supports_statement_cache = True
    supports_sane_multi_rowcount = True
    use_insertmanyvalues_wo_returning = True  # fewer round trips than a statement for each row
    supports_native_json_deserialization = True
    dialect_injects_custom_json_deserializer = True
    supports_server_side_cursors = True
    execution_ctx_cls = _Context
    colspecs = types.COLSPECS

    def __init__(self, *, paramstyle: _ParamStyle | None = None, **options: Any) -> None:
        # Otherwise SQLAlchemy takes the driver's default; the server's own needs no translation.
        super().__init__(paramstyle=paramstyle or "numeric_dollar", **options)  # type: ignore[no-untyped-call]

    @classmethod
    def import_dbapi(cls) -> ModuleType:
        """The driver."""
        from .. import dbapi

        return dbapi

    @classmethod
    def get_pool_class(cls, url: URL) -> type[Pool]:
        """One that pools nothing."""
        return HostPool

    def create_connect_args(self, url: URL) -> tuple[list[str], dict[str, Any]]:
        """The grant that the URL means."""
        host = url.host or ""
        target = f"postgres://{host}/{url.database}" if url.database else host or "default"
        converters: dict[str, Callable[[Any], Any]] = {"json": self._json_deserializer or json.loads}
        if self._native_inet_types is False:
            converters |= {"inet": str, "cidr": str}
        return [target], {"paramstyle": self.paramstyle, "converters": converters}

    def is_disconnect(self, e: Exception, connection: Any, cursor: Any) -> bool:
        """Whether the transaction is lost."""
        return isinstance(e.__cause__, PgConnectionError)

    def do_ping(self, dbapi_connection: Any) -> bool:
        """Whether the server answers. Leaves no transaction open."""
        dbapi_connection.cursor().execute("SELECT 1")
        dbapi_connection.rollback()
        return True

    def get_isolation_level_values(self, dbapi_conn: Any) -> Sequence[IsolationLevel]:
        """What `isolation_level` may be."""
        return (_AUTOCOMMIT, "READ COMMITTED", "REPEATABLE READ", "SERIALIZABLE")

    def set_isolation_level(self, dbapi_connection: Any, level: str) -> None:
        """For the next transaction."""
        dbapi_connection.autocommit = level == _AUTOCOMMIT
        dbapi_connection.isolation = None if level == _AUTOCOMMIT else level.lower()

    def get_isolation_level(self, dbapi_connection: Any) -> IsolationLevel:
        """Of the transaction, or of the next one."""
        if dbapi_connection.autocommit:
            return _AUTOCOMMIT
        within: bool = dbapi_connection.in_transaction
        level: IsolationLevel = super().get_isolation_level(dbapi_connection)  # type: ignore[no-untyped-call]
        if not within:
            dbapi_connection.rollback()
        return level

    def detect_autocommit_setting(self, dbapi_conn: Any) -> bool:
        """Whether each statement is a transaction of its own."""
        return bool(dbapi_conn.autocommit)

    def set_readonly(self, connection: Any, value: bool) -> None:
        """For the next transaction."""
        connection.read_only = value

    def get_readonly(self, connection: Any) -> bool:
        """Of the next transaction."""
        return bool(connection.read_only)

    def set_deferrable(self, connection: Any, value: bool) -> None:
        """For the next transaction."""
        connection.deferrable = value

    def get_deferrable(self, connection: Any) -> bool:
        """Of the next transaction."""
        return bool(connection.deferrable)
