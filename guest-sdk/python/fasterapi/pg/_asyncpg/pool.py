"""Pools, in asyncpg's words."""

from __future__ import annotations

from collections.abc import Generator
from types import TracebackType
from typing import Any, Self

from .._aio import AsyncPg
from .._errors import PgUsageError
from .._session import PgPool
from .connection import Connection, pool_of
from .executor import Executor


def create_pool(dsn: str | None = None, *, database: str | None = None, **_options: Any) -> Pool:
    """A pool: to be awaited, or `async with create_pool(…) as pool`. The options of asyncpg's mean nothing: the pool is the host's."""
    return Pool(pool_of(dsn, database))


class Pool(Executor):
    """Gives connections, and runs statements on any."""

    def __init__(self, pool: PgPool) -> None:
        self._pool = pool
        self._closed = False

    def acquire(self, *, timeout: float | None = None) -> _Acquired:
        """A connection: `async with pool.acquire() as connection`, or to be awaited, and given back by `release`."""
        self._handle()
        return _Acquired(self)

    async def release(self, connection: Connection, *, timeout: float | None = None) -> None:
        """Takes a connection back. A transaction that is open on it is rolled back."""
        await connection.close()

    async def close(self) -> None:
        """Refuses everything from now on."""
        self._closed = True

    def terminate(self) -> None:
        """Refuses everything from now on."""
        self._closed = True

    def is_closing(self) -> bool:
        """Whether it was closed."""
        return self._closed

    def __await__(self) -> Generator[Any, None, Self]:
        return self.__aenter__().__await__()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None) -> None:
        await self.close()

    def _handle(self) -> AsyncPg:
        if self._closed:
            raise PgUsageError("the pool is closed")
        return self._pool.get().aio


class _Acquired:
    """A connection on its way."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool
        self._connection: Connection | None = None

    def __await__(self) -> Generator[Any, None, Connection]:
        return self.__aenter__().__await__()

    async def __aenter__(self) -> Connection:
        self._connection = Connection(self._pool._handle())
        return self._connection

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None) -> None:
        if self._connection is not None:
            await self._pool.release(self._connection)
