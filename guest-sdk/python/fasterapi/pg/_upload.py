"""A request's body straight into a COPY."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from .._asgi.cycle import Cycle
from . import _host, _options
from ._aio import AsyncPg
from ._session import Pg

if TYPE_CHECKING:
    from starlette.requests import Request


async def copy_from_request(request: Request, pg: Pg | AsyncPg, statement: str) -> int:
    """Stores the request's body by `COPY … FROM STDIN …`, as it comes, and says how many rows that were.

    The host passes it on by itself; middleware that wraps `receive` has it pass through the app. When the client leaves in the
    middle, nothing of it is stored.

    Raises:
        PgError: the data does not fit, with the server's word on the line; or another of its subclasses.
        starlette.requests.ClientDisconnect: the client has gone.
    """
    if isinstance(pg, AsyncPg):
        pg = pg._pg
    statement = _options.text(statement, "a statement")
    cycle = getattr(request.receive, "__self__", None)
    body = cycle.give_body() if isinstance(cycle, Cycle) and not pg._open else None
    if body is None:
        return await _through_here(request, pg, statement)
    first, rest = body
    ticket = _host.ticket()
    # The body is given away, so all that can come is that the client has gone: before the stream ends, if it breaks off.
    gone = asyncio.ensure_future(request.receive())
    gone.add_done_callback(lambda _: _host.client.cancel(ticket))
    try:
        rows: int = await _host.acall(_host.client.copy_from, ticket, pg._database, statement, first.decode("latin-1"), rest)
    finally:
        gone.cancel()
    return rows


async def _through_here(request: Request, pg: Pg, statement: str) -> int:
    with await _host.offload(pg.copy_in, statement) as pipe:
        async for chunk in request.stream():
            await _host.offload(pipe.write, chunk)
        return await _host.offload(pipe.finish)
