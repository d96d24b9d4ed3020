"""One route's plan: what it needs of the host, and the function that answers its requests."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from contextvars import Context
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from starlette.responses import Response
from starlette.types import Receive, Scope, Send

REPLAY = "\0"
"""Nothing of the user's ran: the ASGI lane answers this request. After it ran the same word says: take up the outcome there."""

TEXT = "\2"
"""Opens and closes a packed head before a body of UTF-8. JSON begins with no control character."""

BYTES = "\3"
"""The same before a body of any bytes, a character each."""


OUTCOME = "fasterapi.outcome"
"""Where a request's scope has its `Outcome`, on the way through what is FastAPI's own."""


class Replay(Exception):
    """The request is one for the ASGI lane."""


@dataclass(frozen=True)
class Needs:
    """What of a request the host hands to the plan."""

    path: tuple[str, ...] = ()
    query: dict[str, bool] = field(default_factory=dict)
    """Names, and whether every value of that name is wanted, or the last one."""
    headers: dict[str, bool] = field(default_factory=dict)
    """Names, and whether every value of that name is wanted, or the first one."""
    body: str | None = None
    """`json` or `form`."""
    head: bool = False


@dataclass
class Plan:
    """One route, compiled."""

    route: Any
    needs: Needs
    status: int
    waits: bool
    """Whether it is a coroutine function, since something in it may wait."""
    threaded: bool
    """Whether all of it runs as in a worker thread, without an event loop."""
    source: str
    run: Callable[[str, str, bytes], Any] = field(repr=False)

    def manifest(self, number: int) -> dict[str, Any]:
        """What the host has to know."""
        needs = self.needs
        return {
            "number": number,
            "status": self.status,
            "path": list(needs.path),
            "query": [{"name": name, "list": many} for name, many in needs.query.items()],
            "headers": [{"name": name, "list": many} for name, many in needs.headers.items()],
            "body": needs.body,
            "head": needs.head,
        }


@dataclass
class Outcome:
    """What became of a request whose code ran and whose answer the compiled lane could not give by itself."""

    plan: Plan
    raw: dict[str, Any]
    error: BaseException | None = None
    response: Response | None = None
    generators: list[Any] = field(default_factory=list)
    """Dependencies that have not ended."""
    functions: list[Any] = field(default_factory=list)
    """Those of them that end before the response is sent."""
    form: Any = None
    """The request's. It is closed with it."""
    context: Context | None = None
    """The plan's, where it has no task of its own."""
    dressed: bool = False
    """Whether the response has been through the app's middleware."""


class Going(NamedTuple):
    """A request whose code waits."""

    task: asyncio.Task[Any]
    go_on: Callable[[Scope, Receive, Send], Awaitable[None]]
    """Gives the task what the ASGI lane has, and sees it to its end."""


def pack(response: Response, largest: int) -> str | None:
    """A response as a reply's text; none when it can only be sent by being called."""
    if type(response).__call__ is not Response.__call__ or response.background is not None or len(response.body) > largest:
        return None
    return packed(response.status_code, response.raw_headers, bytes(response.body))


def packed(status: int, headers: Iterable[tuple[bytes, bytes]], body: bytes) -> str | None:
    """A reply's text; none when there is no valid head."""
    fields = [b"%d" % status, *[text for name, value in headers for text in (name.lower(), value)]]
    head = b"\0".join(fields)
    if b"\2" in head or b"\3" in head or head.count(b"\0") != len(fields) - 1:
        return None
    try:
        return f"{TEXT}{head.decode('latin-1')}{TEXT}{str(body, 'utf-8')}"
    except UnicodeDecodeError:
        return f"{BYTES}{head.decode('latin-1')}{BYTES}{body.decode('latin-1')}"


def taken_apart(text: str, status: int) -> tuple[int, list[tuple[bytes, bytes]], bytes]:
    """Status, headers and body that a reply's text stands for."""
    mark = text[:1]
    if mark not in (TEXT, BYTES):
        body = text.encode()
        length = [] if status < 200 or status in (204, 304) else [(b"content-length", b"%d" % len(body))]
        return status, [*length, (b"content-type", b"application/json")], body
    head, _, rest = text[1:].partition(mark)
    fields = head.encode("latin-1").split(b"\0")
    return int(fields[0]), list(zip(fields[1::2], fields[2::2])), rest.encode("utf-8" if mark == TEXT else "latin-1")


def unpack(text: str, status: int) -> Response:
    """The response that a reply's text stands for."""
    number, headers, body = taken_apart(text, status)
    response = Response(body, number)
    response.raw_headers = headers
    return response
