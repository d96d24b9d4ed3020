"""Middleware that is a function of a request and of what answers it: `@app.middleware("http")`, and classes over `BaseHTTPMiddleware`.

Starlette runs what is within in a task of its own, and has its answer come through a stream, which always takes several turns of the loop. Where the
compiled lane has the request, the function is begun by hand, and what is within it as a task that runs at once: an answer that is whole then
is the function's. When either waits, both go on, from where they are, inside Starlette's own class.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextvars import copy_context
from functools import partial
from inspect import iscoroutinefunction
from typing import TYPE_CHECKING, Any, Self

from starlette.middleware.base import BaseHTTPMiddleware, _CachedRequest, _StreamingResponse
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from .exchange import Inner, Outbox
from .switch import Switch, Whole
from .tasks import begun, continued, cut, outcome_of

if TYPE_CHECKING:
    from .layers import Layers

Next = Callable[[Request], Awaitable[Response]]


def is_dispatch(cls: Any) -> bool:
    """Whether middleware is of this kind."""
    return isinstance(cls, type) and issubclass(cls, BaseHTTPMiddleware) and cls.__call__ is BaseHTTPMiddleware.__call__


class Dispatch:
    """One such middleware, which it keeps."""

    def __init__(self, app: ASGIApp, layers: Layers, cls: Any, args: Any, kwargs: Any) -> None:
        self.app: BaseHTTPMiddleware = cls(app, *args, **kwargs)
        self.within = app
        self.layers = layers
        self.is_direct = isinstance(app, (Dispatch, Switch))
        """Whether nothing of the app's stands between what this and the next one know."""
        self._is_function = iscoroutinefunction(self.app.dispatch_func)

    def __call__(self, scope: Scope, receive: Receive, send: Send) -> Awaitable[None]:
        if self.layers.inside and self._is_function and scope["type"] == "http":
            return _Begun(self, scope, receive).run(send)
        return self.app(scope, receive, send)


class Relay:
    """The `receive` of what is within a function: the request that the function has, until its answer was sent."""

    def __init__(self, request: _CachedRequest, whole: bool) -> None:
        """`whole`: whether the request's body was, when the function began."""
        self._request = request
        self._whole = whole
        self._receive: Receive = request.wrapped_receive

    async def __call__(self) -> Message:
        """ASGI's `receive`."""
        return await self._receive()

    def link(self, receive: Receive) -> None:
        """Goes on with another one."""
        self._receive = receive

    def is_whole(self) -> bool:
        """Whether who reads a body here gets the request's."""
        request = self._request
        taken = request._stream_consumed if getattr(request, "_body", None) is None else request._wrapped_rcv_consumed
        return self._whole and not taken


class _Parts:
    """The body of an answer that is there."""

    def __init__(self, parts: list[bytes]) -> None:
        self._parts = parts
        self._taken = 0

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> bytes:
        while self._taken < len(self._parts):
            self._taken += 1
            if part := self._parts[self._taken - 1]:
                return part
        raise StopAsyncIteration

    async def aclose(self) -> None:
        """Gives no more."""
        self._taken = len(self._parts)

    def whole(self) -> list[bytes] | None:
        """All of it, if nothing was taken."""
        return None if self._taken else self._parts


class _Begun:
    """A function that runs for a request."""

    def __init__(self, dispatch: Dispatch, scope: Scope, receive: Receive) -> None:
        self._dispatch = dispatch
        self._scope = scope
        self._request = _CachedRequest(scope, receive, _unsendable)
        self._function: Any = dispatch.app.dispatch_func(self._request, self._call_next)
        self._relay = Relay(self._request, dispatch.layers.is_whole(receive))
        self._outbox: Inner
        self._task: asyncio.Task[Any] | None = None
        """What runs within, if it was begun here."""
        self._is_answered = False
        """Whether the function has its answer."""
        self._waits_for: Any = None
        self._next: asyncio.Future[Next] | None = None

    async def run(self, send: Send) -> None:
        """Runs the function, and sends its answer."""
        receive = self._request.wrapped_receive
        try:
            try:
                self._waits_for = self._function.send(None)
            except StopIteration as returned:
                response = returned.value
                if not isinstance(send, Outbox) or not self._kept(response, send):
                    await response(self._scope, receive, send)
            else:
                await BaseHTTPMiddleware(self._within, self._resumed)(self._scope, receive, send)
        except BaseException:
            if self._task is not None:
                await cut(self._task)
            raise
        if self._task is not None:
            self._relay.link(_gone)
            self._outbox.go_on()
            await outcome_of(self._task)

    def _kept(self, response: Any, send: Outbox) -> bool:
        """Whether the answer could be kept in one go, which takes that nothing follows it once it was sent."""
        if (self._task is not None and not self._task.done()) or getattr(response, "background", True) is not None:
            return False
        parts: list[bytes] | None = None
        if type(response) is _StreamingResponse:
            parts = response.body_iterator.whole() if type(response.body_iterator) is _Parts and response.info is None else None
        elif type(response).__call__ is Response.__call__:
            parts = [bytes(response.body)]
        return parts is not None and send.keep_all(response.status_code, response.raw_headers, parts)

    async def _call_next(self, request: Request) -> Response:
        """What the function calls."""
        dispatch = self._dispatch
        if self._task is None and dispatch.layers.inside:
            context, within = copy_context(), dispatch.within
            if type(within) is Switch:
                answer = context.run(within.ask, self._scope, self._relay)
                if isinstance(answer, Whole):
                    return _answered(*answer)
            else:
                answer = partial(within, self._scope, self._relay)
            loop = asyncio.get_running_loop()
            self._outbox = outbox = Inner(dispatch.layers.largest, loop, direct=dispatch.is_direct)
            self._task = begun(answer, (outbox,), loop, context)
            if outbox.is_complete:
                self._is_answered = True
                return _answered(outbox.start["status"], outbox.start.get("headers", []), outbox.parts)
        moved = await self._starlettes()
        return await moved(request)

    def _starlettes(self) -> asyncio.Future[Next]:
        """Starlette's own `call_next`, from when it has one."""
        if self._next is None:
            self._next = asyncio.get_running_loop().create_future()
        return self._next

    # --- inside Starlette's own class ---

    async def _resumed(self, _request: Request, call_next: Next) -> Response:
        """The function, from where it is."""
        self._starlettes().set_result(call_next)
        response: Response = await continued(self._function, self._waits_for)
        return response

    async def _within(self, scope: Scope, receive: Receive, send: Send) -> None:
        """What runs within, from where it is."""
        if self._task is None or self._is_answered:
            await self._dispatch.within(scope, receive, send)
            return
        task, self._task = self._task, None
        self._relay.link(receive)
        await self._outbox.see_out(task, send)


def _answered(status: int, headers: list[tuple[bytes, bytes]], parts: list[bytes]) -> Response:
    """Starlette's own response to a function, of an answer that is there."""
    response = object.__new__(_StreamingResponse)
    response.info = None
    response.body_iterator = _Parts(parts)
    response.status_code = status
    response.media_type = None
    response.background = None
    response.raw_headers = headers
    return response


async def _unsendable(_message: Any) -> None:
    raise RuntimeError("a request does not send")


async def _gone() -> Message:
    return {"type": "http.disconnect"}
