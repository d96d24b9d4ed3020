"""A request's body straight into a COPY."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from .._asgi.cycle import Cycle
from . import _host, _options
from ._aio import AsyncPg, AsyncTx
from ._session import Pg, Tx

if TYPE_CHECKING:
    from starlette.requests import Request


async def copy_from_request(request: Request, pg: Pg | AsyncPg | Tx | AsyncTx, statement: str) -> int:
    """Stores the request's body by `COPY … FROM STDIN …`, as it comes, and says how many rows that were.

    The host passes it on by itself; within a transaction, or behind middleware that wraps `receive`, it passes through the app. When the
    client leaves in the middle, nothing of it is stored.

    Raises:
        PgError: the data does not fit, with the server's word on the line; or another of its subclasses.
        starlette.requests.ClientDisconnect: the client has gone.
    """
    statement = _options.text(statement, "a statement")
    if isinstance(pg, Tx):
        return await _through_here(request, AsyncTx(pg), statement)
    handle = pg if isinstance(pg, AsyncPg) else pg.aio
    cycle = getattr(request.receive, "__self__", None)
    within = isinstance(handle, AsyncTx) or handle._pg._open
    body = cycle.give_body() if isinstance(cycle, Cycle) and not within else None
    if body is None:
        return await _through_here(request, handle, statement)
    first, rest = body
    ticket = _host.ticket()
    # The body is given away, so all that can come is that the client has gone: before the stream ends, if it breaks off.
    gone = asyncio.ensure_future(request.receive())
    gone.add_done_callback(lambda _: _host.client.cancel(ticket))
    try:
        rows: int = await _host.acall(_host.client.copy_from, ticket, handle._pg._database, statement, first.decode("latin-1"), rest)
    finally:
        gone.cancel()
    return rows


async def _through_here(request: Request, pg: AsyncPg, statement: str) -> int:
    async with pg.copy_in(statement) as pipe:
        async for chunk in request.stream():
            await pipe.write(chunk)
        return await pipe.finish()
