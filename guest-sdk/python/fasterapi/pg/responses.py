"""Responses whose body the host makes, out of a statement's rows or a COPY, while the app is done with the request already.

    @app.get("/items.csv")
    def items(pg=Depends(get_pg)):
        return CopyResponse(pg, "COPY (SELECT * FROM items) TO STDOUT (FORMAT csv, HEADER)")

    @app.get("/items")
    def items(pg=Depends(get_pg)):
        return QueryResponse(pg, "SELECT id, name FROM items WHERE price < $1", 10, format="json")

The client gets it as fast as it takes it, and no more of it is in memory than that. An error of the statement is raised where the response
is made; one that comes in the middle cuts the body off, so that nobody takes it for the whole.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any, Literal
from urllib.parse import quote

from starlette.background import BackgroundTask
from starlette.responses import Response, StreamingResponse
from starlette.types import Receive, Scope, Send

from .. import _phase
from .._asgi.cycle import LENT
from . import _codec, _host, _options
from ._aio import AsyncPg
from ._errors import PgUsageError
from ._session import Pg

Format = Literal["json", "ndjson", "csv"]

_MEDIA_TYPES: dict[str, str] = {"json": "application/json", "ndjson": "application/x-ndjson", "csv": "text/csv; charset=utf-8"}


class _LentResponse(Response):
    def __init__(
        self,
        lent: Any,
        status_code: int,
        headers: Mapping[str, str] | None,
        media_type: str,
        filename: str | None,
        background: BackgroundTask | None,
    ) -> None:
        super().__init__(None, status_code, headers, media_type, background)
        del self.headers["content-length"]
        if filename is not None:
            quoted = quote(filename)  # RFC 6266, as Starlette's FileResponse has it
            named = f'filename="{filename}"' if quoted == filename else f"filename*=utf-8''{quoted}"
            self.headers.setdefault("content-disposition", f"attachment; {named}")
        if _phase.IN_COMPONENT:
            self.raw_headers.append((LENT, b"postgres/%d" % lent))
        self._lent = lent

    if not _phase.IN_COMPONENT:

        async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
            """As an ASGI application: on an ordinary Python the chunks pass through here, each fetched in a thread."""
            streaming = StreamingResponse(iter(partial(_host.call, self._lent.next), None), self.status_code, background=self.background)
            streaming.raw_headers = self.raw_headers
            try:
                await streaming(scope, receive, send)
            finally:
                self._lent.__exit__(None, None, None)


class CopyResponse(_LentResponse):
    """What `COPY … TO STDOUT …` gives.

    Args:
        pg: the database, with no transaction open on it.
        statement: the COPY.
        filename: makes browsers save it under this name.
    """

    def __init__(
        self,
        pg: Pg | AsyncPg,
        statement: str,
        *,
        status_code: int = 200,
        headers: Mapping[str, str] | None = None,
        media_type: str | None = None,
        filename: str | None = None,
        background: BackgroundTask | None = None,
    ) -> None:
        lent = _host.call(_host.client.lend_copy, _database(pg), _options.text(statement, "a statement"))
        words = statement.lower()
        guess = _MEDIA_TYPES["csv"] if "csv" in words else "application/octet-stream" if "binary" in words else "text/plain; charset=utf-8"
        super().__init__(lent, status_code, headers, media_type or guess, filename, background)


class QueryResponse(_LentResponse):
    """The rows of a statement, as a JSON array of objects, as one such object a line, or as CSV with a header line. Values are as
    PostgreSQL's own `to_json` writes them.

    Args:
        pg: the database, with no transaction open on it.
        statement: one statement, with `$1`, `$2`, … for the parameters.
        format: `"json"`, `"ndjson"` or `"csv"`.
        filename: makes browsers save it under this name.
    """

    def __init__(
        self,
        pg: Pg | AsyncPg,
        statement: str,
        *parameters: Any,
        format: Format = "json",
        status_code: int = 200,
        headers: Mapping[str, str] | None = None,
        media_type: str | None = None,
        filename: str | None = None,
        background: BackgroundTask | None = None,
    ) -> None:
        if format not in _MEDIA_TYPES:
            raise PgUsageError(f"a response's format is json, ndjson or csv, not `{format}`")
        kind = _host.types.Format[format.upper()]
        lent = _host.call(_host.client.lend_rows, _database(pg), _options.text(statement, "a statement"), _codec.pack(parameters), kind)
        super().__init__(lent, status_code, headers, media_type or _MEDIA_TYPES[format], filename, background)


def _database(pg: Pg | AsyncPg) -> str:
    handle = pg._pg if isinstance(pg, AsyncPg) else pg
    if not isinstance(handle, Pg) or handle._open:
        raise PgUsageError("a response's rows are read apart from any transaction: make it with the `Pg`, when its transaction has ended")
    return handle._database
