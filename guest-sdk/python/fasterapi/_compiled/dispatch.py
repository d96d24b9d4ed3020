"""Middleware that is a function of a request and of what answers it: `@app.middleware("http")`, and classes over `BaseHTTPMiddleware`.

Starlette runs what is within in a task of its own, and has its answer come through a stream. Where a plan answers at once there is nothing to run
beside: the function gets the answer whole. It runs as a task that begins at once; when it waits for something, raises, or answers with what
takes more than one step, it goes on in the ASGI lane, inside Starlette's own class. So does a request that the function changes before it
passes it on, since a plan has what the host took out of it. Nothing of the function runs twice.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextvars import Context, copy_context
from inspect import iscoroutinefunction
from typing import Any, NamedTuple, Protocol, Self

from starlette.middleware.base import BaseHTTPMiddleware, _CachedRequest, _StreamingResponse
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from .._wasm.calls import EAGER

Next = Callable[[Request], Awaitable[Response]]
Function = Callable[[Request, Next], Awaitable[Response]]

_ROUTING = ("path", "raw_path", "query_string", "method", "root_path", "type")
"""What a plan's values, and the choice of the plan, come from; with the headers."""


class Moved(Exception):
    """A function has begun, and the request goes on in the ASGI lane."""


class Answer(NamedTuple):
    """What a layer answers."""

    status: int
    headers: list[tuple[bytes, bytes]]
    parts: list[bytes]
    streamed: bool = False
    """Whether it is sent part by part, with nothing in the last."""


class Layer(Protocol):
    """Something that answers in one step, or raises what sends the request down the ASGI lane."""

    def answer(self, scope: Scope, receive: Receive) -> Answer:
        """The answer to a request."""


def is_dispatch(cls: Any) -> bool:
    """Whether middleware is of this kind."""
    return isinstance(cls, type) and issubclass(cls, BaseHTTPMiddleware) and cls.__call__ is BaseHTTPMiddleware.__call__


class _Parts:
    """The body of an answer that is there."""

    def __init__(self, parts: list[bytes]) -> None:
        self._parts = parts
        self._taken = 0

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> bytes:
        if self._taken == len(self._parts):
            raise StopAsyncIteration
        self._taken += 1
        return self._parts[self._taken - 1]

    async def aclose(self) -> None:
        """Gives no more."""
        self._taken = len(self._parts)

    def whole(self) -> list[bytes] | None:
        """All of it, if nothing was taken."""
        return None if self._taken else self._parts


class Dispatch:
    """One such middleware, around the next layer of a plan."""

    def __init__(self, within: Layer, functions: Functions, place: int) -> None:
        self.within = within
        self.functions = functions
        self._place = place

    def answer(self, scope: Scope, receive: Receive) -> Answer:
        """What the function answers."""
        functions = self.functions
        begun = Begun(self, scope, receive)
        context = copy_context() if functions.begun else Context()
        functions.begun[self._place] = begun
        function: Any = functions.functions[self._place](begun.request, begun.call_next)
        begun.task = asyncio.Task(_contained(function), loop=functions.loop, context=context, **EAGER)
        return begun.answer()


async def _contained(function: Awaitable[Response]) -> Response | BaseException:
    """What the function returns, or what ends it and is for nobody but its request: of a task, the whole loop would end by it."""
    try:
        return await function
    except (Exception, asyncio.CancelledError, GeneratorExit):
        raise
    except BaseException as error:
        return error


class Begun:
    """A function that runs for a request."""

    def __init__(self, dispatch: Dispatch, scope: Scope, receive: Receive) -> None:
        self.scope = scope
        self.request = _CachedRequest(scope, receive, _unsendable)
        self.task: asyncio.Task[Response | BaseException]
        self._dispatch = dispatch
        self._next: asyncio.Future[Next] | None = None
        """Starlette's own `call_next`, once the request has moved."""
        self._passed = False
        self._before = _routing(scope)
        self._response: _StreamingResponse | None = None

    async def call_next(self, request: Request) -> Response:
        """What the function calls."""
        if self._may_pass():
            self._passed = True
            try:
                answer = self._dispatch.within.answer(self.scope, self.request.wrapped_receive)
            except Exception:  # the ASGI lane has it, or makes it once more where somebody sees it
                pass
            else:
                return self._answered(answer)
        moved = await self._moved()
        return await moved(request)

    def answer(self) -> Answer:
        """The function's answer, if sending it takes one step. It may be sent once more in the ASGI lane."""
        task = self.task
        if not task.done() or task.cancelled() or task.exception() is not None:
            raise Moved
        response = task.result()
        if isinstance(response, BaseException) or getattr(response, "background", None) is not None:
            raise Moved
        parts: list[bytes] | None = None
        if response is self._response:
            parts = response.body_iterator.whole() if type(response.body_iterator) is _Parts else None
        elif type(response).__call__ is Response.__call__:
            parts = [bytes(response.body)] if response.body else []
        if parts is None:
            raise Moved
        return Answer(response.status_code, list(response.raw_headers), parts, response is self._response)

    async def resume(self, _request: Request, call_next: Next) -> Response:
        """Goes on in the ASGI lane: as the function of Starlette's own class."""
        moved = self._moved()
        if not moved.done():
            moved.set_result(call_next)
        response = await self.task
        if isinstance(response, BaseException):
            raise response
        return response

    def _may_pass(self) -> bool:
        """Whether what stands within may answer what the host took out of the request."""
        request = self.request
        if self._passed or not self._dispatch.functions.have(self) or (request._stream_consumed and getattr(request, "_body", None) is None):
            return False
        return _routing(self.scope) == self._before

    def _answered(self, answer: Answer) -> Response:
        """An answer as Starlette gives it to the function."""
        response = _StreamingResponse.__new__(_StreamingResponse)
        response.info = None
        response.body_iterator = _Parts(answer.parts)
        response.status_code = answer.status
        response.media_type = None
        response.background = None
        response.raw_headers = answer.headers
        self._response = response
        return response

    def _moved(self) -> asyncio.Future[Next]:
        if self._next is None:
            self._next = self._dispatch.functions.loop.create_future()
        return self._next


def _routing(scope: Scope) -> tuple[Any, ...]:
    return (*[scope[name] for name in _ROUTING], *scope["headers"])


async def _unsendable(_message: Any) -> None:
    raise RuntimeError("a request does not send")


class Functions:
    """The functions of one application, and those that the request under way has begun."""

    def __init__(self) -> None:
        self.functions: dict[int, Function] = {}
        """By the middleware's place."""
        self.begun: dict[int, Begun] = {}
        self.loop: Any = None
        self._inside = False
        """Whether the compiled lane has the request."""

    def started(self, app: Any, loop: Any) -> bool:
        """Takes the functions from the app's own middleware, of which there is one each. False: it is not as it was."""
        if app.middleware_stack is None:
            app.middleware_stack = app.build_middleware_stack()
        self.loop, layer = loop, app.middleware_stack
        classes = [middleware.cls for middleware in app.user_middleware]
        while layer is not None and type(layer) is not classes[0]:
            layer = getattr(layer, "app", None)
        for place, cls in enumerate(classes):
            if type(layer) is not cls:
                return False
            if is_dispatch(cls):
                self.functions[place] = layer.dispatch_func
                if not iscoroutinefunction(layer.dispatch_func):
                    return False
            layer = getattr(layer, "app", None)
        return True

    def begin(self) -> None:
        """A request is there."""
        self.forget()
        self._inside = True

    def have(self, begun: Begun) -> bool:
        """Whether a function's request is the one that the compiled lane has."""
        return self._inside and begun in self.begun.values()

    def move(self) -> None:
        """The request leaves the compiled lane."""
        self._inside = False

    def forget(self) -> None:
        """The request is answered, or its client gave up."""
        self._inside = False
        if self.begun:
            for begun in self.begun.values():
                if not begun.task.done():
                    begun.task.cancel()
            self.begun = {}


class Resumed:
    """The same middleware in the ASGI lane, for a request that the compiled lane began."""

    def __init__(self, app: ASGIApp, functions: Functions, place: int) -> None:
        self._app = app
        self._functions = functions
        self._place = place

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Goes on where the function is; begins it where it has not begun."""
        begun = self._functions.begun.get(self._place)
        if begun is None:
            await BaseHTTPMiddleware(self._app, self._functions.functions[self._place])(scope, receive, send)
        else:
            await BaseHTTPMiddleware(self._app, begun.resume)(scope, begun.request.wrapped_receive, send)
