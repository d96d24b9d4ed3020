"""The app's middleware around a plan.

All of it is the app's own stack, as FastAPI builds it, with a `Switch` at its inner end. While the compiled lane has the request, the stack runs as a task
that begins at once, and the switch asks the plan instead of what is within; an answer that is whole when the task stops is the reply. When
something waits, or streams, the same task goes on in the ASGI lane. So nothing runs twice, and middleware sees what it would see otherwise.
"""

from __future__ import annotations

from contextvars import Context
from typing import Any

from starlette.middleware import Middleware
from starlette.types import ASGIApp, Receive, Scope, Send

from .._asgi import scope as scopes
from .dispatch import Dispatch, Relay, is_dispatch
from .exchange import Inbox, Reply
from .plan import REPLAY, Going, Plan
from .reasons import builds_its_stack
from .support import Support
from .switch import Asked, Switch, routing
from .tasks import begun, is_well, outcome_of

_GOING = "fasterapi.going"
"""Where a request's scope has what takes it further, on the way through what is FastAPI's own."""


class Layers:
    """The middleware of one application."""

    def __init__(self, support: Support) -> None:
        self.support = support
        self.largest = support.largest
        self.asked: Asked | None = None
        """The request that the compiled lane has, until its plan is asked."""
        self.inside = False
        """Whether the compiled lane has a request."""
        self.inbox: Inbox
        """The request's."""
        self._loop: Any = None
        self._stack: ASGIApp | None = None
        self._entry: ASGIApp

    def build(self, router: ASGIApp) -> None:
        """Builds the app's stack, around `router`, for both lanes. To be called before anything else does."""
        app = self.support.app
        if app.middleware_stack is not None:
            return  # `started` finds it
        own, user_middleware = app.router, app.user_middleware
        app.router = router
        app.user_middleware = [Middleware(self._entered), *[self._layer(*middleware) for middleware in user_middleware], Middleware(Switch, self)]
        try:
            self._stack = app.middleware_stack = app.build_middleware_stack()
        finally:
            app.router, app.user_middleware = own, user_middleware
        if builds_its_stack(app):
            self._entry = self._stack

    def _entered(self, app: ASGIApp) -> ASGIApp:
        """Stands before the app's own middleware, and within FastAPI's, which only has to do with what is raised."""
        self._entry = app

        async def enter(scope: Scope, receive: Receive, send: Send) -> None:
            going: Any = scope.pop(_GOING, None)
            await (app if going is None else going)(scope, receive, send)

        return enter

    def _layer(self, cls: Any, args: Any, kwargs: Any) -> Middleware:
        return Middleware(Dispatch, self, cls, args, kwargs) if is_dispatch(cls) else Middleware(cls, *args, **kwargs)

    def started(self, loop: Any) -> bool:
        """Start-up is over. False: the app's stack is another one."""
        self._loop = loop
        return self._stack is not None and self._stack is self.support.app.middleware_stack

    def around(self, plan: Plan, packed: str, head: str, body: bytes) -> tuple[str, Going | None]:
        """The reply's text as the middleware leaves it; or what takes it further."""
        scope = scopes.from_head(head, self.support.state)
        scope["app"] = self.support.app
        self.inbox = inbox = Inbox(body)
        reply = Reply(self.largest, self._loop)
        self.asked = Asked(plan, packed, head, body, routing(scope))
        self.inside = True
        context = Context()
        task = begun(self._entry, (scope, inbox, reply), self._loop, context)
        self.inside, self.asked = False, None
        text = reply.text() if is_well(task) else None
        if text is not None:
            return text, None

        async def linked(_scope: Scope, receive: Receive, send: Send) -> None:
            inbox.link(receive)
            await reply.see_out(task, send)

        async def go_on(scope: Scope, receive: Receive, send: Send) -> None:
            if self._entry is self._stack:
                await linked(scope, receive, send)
            else:
                scope[_GOING] = linked
                stack: Any = self._stack
                await outcome_of(begun(stack, (scope, receive, send), self._loop, context))

        return REPLAY, Going(task, go_on)

    def is_whole(self, receive: Receive) -> bool:
        """Whether who reads a body here gets the request's."""
        if receive is self.inbox:
            return self.inbox.is_whole()
        return isinstance(receive, Relay) and receive.is_whole()
