"""The app's middleware around a plan.

Starlette's own classes, called as they are; so an answer is theirs to the byte. Those that `reasons.PURE` names wait for nothing when the response
is whole, so one step of their coroutine is all of it, and they may run once more when a request changes lanes. Functions of the app's own
(`dispatch`) may not.
"""

from __future__ import annotations

from collections.abc import Callable
from contextvars import Context, copy_context
from typing import Any

from starlette.middleware import Middleware
from starlette.types import Message, Receive, Scope, Send

from .._asgi import scope as scopes
from .dispatch import Answer, Dispatch, Functions, Layer, Resumed, is_dispatch
from .drive import drive
from .inbox import Inbox
from .plan import REPLAY, Outcome, Plan, Replay, packed, taken_apart, unpack
from .support import Support

_NO_BODY = (204, 304)


class Layers:
    """The middleware of one application."""

    def __init__(self, app: Any, support: Support) -> None:
        self._support = support
        self._functions = Functions()
        self.has_functions = any(is_dispatch(middleware.cls) for middleware in app.user_middleware)
        layer: Layer = self
        for place, (cls, args, kwargs) in reversed(list(enumerate(app.user_middleware))):
            layer = Dispatch(layer, self._functions, place) if is_dispatch(cls) else _Pure(layer, cls, args, kwargs)
        self._outermost = layer
        self._run: Callable[[], str]
        self._plan: Plan
        self._head: str
        self._inbox: Inbox
        self._text: str | None = None

    def started(self, app: Any, loop: Any) -> bool:
        """Start-up is over. False: the app's middleware is not what it was."""
        return not self.has_functions or self._functions.started(app, loop)

    def context(self) -> Context:
        """The context of a plan: what the functions around it have set, it sees."""
        if not self.has_functions:
            return Context()
        self._support.context = context = copy_context()
        return context

    def in_asgi(self, user_middleware: list[Any]) -> list[Any]:
        """The app's middleware for requests that change lanes."""
        resumed = [Middleware(Resumed, self._functions, place) for place in range(len(user_middleware))]
        return [other if is_dispatch(own.cls) else own for own, other in zip(user_middleware, resumed)]

    # --- in the compiled lane ---

    def around(self, plan: Plan, head: str, body: bytes, run: Callable[[], str]) -> str:
        """The reply's text as the middleware leaves it. `run` gives the plan's own; it may not be called at all."""
        self._run, self._plan, self._head, self._text = run, plan, head, None
        support, functions = self._support, self._functions
        scope = scopes.from_head(head, support.state)
        receive: Receive = _never
        if self.has_functions:
            functions.begin()
            receive = self._inbox = Inbox(body)
            scope["app"] = support.app
            support.scope, support.deferred = scope, []
        text = None
        try:
            status, headers, parts, _ = self._outermost.answer(scope, receive)
            whole = b"".join(parts)
            if not functions.begun or _is_complete(status, headers, whole):
                text = packed(status, headers, whole, support.largest)
        except Replay:
            return REPLAY
        except Exception:  # it waits after all, or fails: in the ASGI lane somebody sees why
            pass
        if text is None:
            return self._move()
        if self.has_functions:
            self._leave()
            functions.forget()
        return text

    def answer(self, scope: Scope, receive: Receive) -> Answer:
        """The plan's own answer: the innermost layer."""
        support, plan = self._support, self._plan
        if self.has_functions:
            if support.app.dependency_overrides:
                raise Replay
            found = support.path_params(plan, self._head) if plan.route.param_convertors else {}
            scope.update(support.routed(plan, found), router=support.app.router)
        text = self._run()
        if text == REPLAY:
            raise Replay
        self._text = text
        status, headers, body = taken_apart(text, plan.status)
        return Answer(status, headers, [body] if body else [])

    def _move(self) -> str:
        """Gives the request to the ASGI lane, with what became of it."""
        support = self._support
        if self._text is not None and support.pending is None:
            support.pending = Outcome(self._plan, {}, response=unpack(self._text, self._plan.status))
        if self._functions.begun:
            self._functions.move()
            if support.pending is None:
                support.pending = Outcome(self._plan, {}, replayed=True)
                if support.form is not None:
                    support.end()
        return REPLAY

    def _leave(self) -> None:
        """Ends the dependencies that end behind the answer, once the functions have it."""
        support = self._support
        deferred, support.deferred = support.deferred, None
        for context, generators in deferred or ():
            support.leave(generators, context)

    # --- in the ASGI lane ---

    def take_up(self, scope: Scope, receive: Receive) -> Scope:
        """A request that changes lanes goes on. Gives its scope: the one that the functions have, if they have begun."""
        begun = self._functions.begun
        if not begun:
            return scope
        self._inbox.link(receive)
        return begun[min(begun)].scope

    async def end(self, well: bool) -> None:
        """It is over. `well`: nothing was raised, so what is within was not cut off."""
        support = self._support
        if well and self.has_functions:
            self._leave()
            if support.leaving is not None:
                await support.leaving
        support.deferred = None
        self._functions.forget()


class _Pure:
    """One of Starlette's classes, around the next layer."""

    def __init__(self, within: Layer, cls: Any, args: Any, kwargs: Any) -> None:
        self._within = within
        self._layer = cls(self._send, *args, **kwargs)

    def answer(self, scope: Scope, receive: Receive) -> Answer:
        """What it makes of the next layer's answer, or its own."""
        messages: list[Message] = []

        async def send(message: Message) -> None:
            messages.append(message)

        drive(self._layer(scope, receive, send))
        start, *rest = messages
        parts = [part["body"] for part in rest if part.get("body")]
        return Answer(start["status"], start["headers"], parts, any(part.get("more_body") for part in rest))

    async def _send(self, scope: Scope, receive: Receive, send: Send) -> None:
        status, headers, parts, streamed = self._within.answer(scope, receive)
        await send({"type": "http.response.start", "status": status, "headers": headers})
        if streamed:
            for part in parts:
                await send({"type": "http.response.body", "body": part, "more_body": True})
            parts = []
        await send({"type": "http.response.body", "body": b"".join(parts), "more_body": False})


def _is_complete(status: int, headers: list[tuple[bytes, bytes]], body: bytes) -> bool:
    """Whether a server that has all of an answer sends it as one that gets it bit by bit."""
    lengths = [value for name, value in headers if name.lower() == b"content-length"]
    return lengths == [b"%d" % len(body)] or (not lengths and not body and status in _NO_BODY)


async def _never() -> Message:
    raise RuntimeError("this middleware does not read the request's body")
