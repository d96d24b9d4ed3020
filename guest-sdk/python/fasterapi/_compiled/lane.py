"""The plans of an application, called by number."""

from __future__ import annotations

import asyncio
import logging
from asyncio.events import _set_running_loop as set_running_loop
from collections import deque
from collections.abc import Callable
from contextlib import AsyncExitStack
from contextvars import Context
from typing import Any
from weakref import WeakSet

from fastapi.exceptions import FastAPIError
from starlette._exception_handler import wrap_app_handling_exceptions
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from .._wasm.calls import current_call, uncalled
from . import lifespan, reasons, source
from .alone import Alone
from .generators import NOT_AWAITED, leave, push
from .layers import Layers
from .lifted import Lifted
from .plan import OUTCOME, REPLAY, Going, Outcome, Plan, unpack
from .support import Support
from .tasks import begun, outcome_of

logger = logging.getLogger("fasterapi.error")


class Lane:
    """The compiled lane of one application."""

    def __init__(self, app: Any, routes: list[Any], lifted: Lifted | None = None) -> None:
        """Makes the plans for `routes`, which are `RouteContext`s. `lifted`: all of the app's middleware, which the host does."""
        self.support = Support(app)
        self.app = app
        self.plans: list[Plan] = []
        self.reasons: dict[int, str] = {}
        """Why a route has no plan, by the route's place."""
        self.numbers: dict[int, int] = {}
        self._loop: Any = None
        self._ready: deque[Any] = deque()
        """The loop's."""
        self._replies: list[Callable[[str, str, bytes], str]] = []
        """What runs each plan."""
        self._enabled = False
        self._request = 0
        self._stack: ASGIApp
        """FastAPI's middleware, and the app's, around `_router`."""
        self._going: Going | None = None
        """The request that goes on in the ASGI lane, unless it is `Support.pending`."""
        self._leaving: asyncio.Task[Any] | None = None
        """A plan of which a part goes on behind its answer."""
        self._before: WeakSet[asyncio.Task[Any]] = WeakSet()
        """Tasks that start-up left running."""
        self._routes = len(app.router.routes)
        self.lifted = lifted
        self._watched = lifted if lifted is not None and lifted.may_change() else None
        self._layers = Layers(self.support) if reasons.has_middleware(app) and lifted is None else None
        self.take_middleware()
        for place, route in enumerate(routes):
            self._add(place, route)

    def _add(self, place: int, route: Any) -> None:
        reason = reasons.of_route(route)
        if reason is None:
            try:
                self.plans.append(source.write(route, self.support, sees_head=self._layers is not None))
            except Exception as error:  # a plan that cannot be made is no reason not to serve
                reason = f"no plan could be made: {type(error).__name__}: {error}"
            else:
                self.numbers[place] = len(self.plans) - 1
        if reason is not None:
            self.reasons[place] = reason

    def needs_start_up(self) -> bool:
        """Whether the app's own start-up does anything."""
        return lifespan.is_needed(self.app)

    def started(self, loop: Any, state: dict[str, Any]) -> None:
        """Opens the lane after start-up. Looks at the app once more: hooks may have changed it."""
        self._loop, self._ready = loop, loop._ready
        self._replies = [self._reply(plan) for plan in self.plans]
        self.support.state = state
        self._before = WeakSet(asyncio.all_tasks(loop))
        unchanged = reasons.of_app(self.app) is None and len(self.app.router.routes) == self._routes
        self._enabled = unchanged and (self._layers is None or self._layers.started(loop))

    # --- the call ---

    def call(self, request: int, number: int, packed: str, head: str, body: bytes) -> str:
        """Answers a request, or says to send it down the ASGI lane, under the same number. Never raises.

        Every request pays for each line of this, and for each call more.
        """
        support = self.support
        if self._going is not None:
            self._going.task.cancel()  # its client has gone
        support.pending = support.inbox = support.receive = support.form = self._going = self._leaving = None
        self._request = request
        plan = self.plans[number]
        if not self._enabled or self.app.dependency_overrides or (self._watched is not None and self._watched.is_changed()):
            return REPLAY
        try:
            text = self._replies[number](packed, head, body)
        except BaseException as error:
            support.pending = Outcome(plan, {}, error=error)
            return REPLAY
        if support.pending is not None or self._going is not None:
            return text
        if self._ready or self._leaving is not None or (self._watched is not None and self._watched.is_changed()):
            text = self._behind(plan, text)
        if support.pending is None:
            if support.form is not None:
                support.end()
            if uncalled.held:
                uncalled.end()
        return text

    def _reply(self, plan: Plan) -> Callable[[str, str, bytes], str]:
        """What runs a plan, in a context of its own."""
        run, loop, support, layers = plan.run, self._loop, self.support, self._layers

        def layered(packed: str, head: str, body: bytes) -> str:
            assert layers is not None
            text, self._going = layers.around(plan, packed, head, body)
            return text

        def waiting(packed: str, head: str, body: bytes) -> str:
            text, self._going, self._leaving = Alone(support, self._stack, loop, plan).begin(packed, head, body)
            return text

        def threaded(packed: str, head: str, body: bytes) -> str:
            set_running_loop(None)
            try:
                return direct(packed, head, body)
            finally:
                set_running_loop(loop)

        def direct(packed: str, head: str, body: bytes) -> str:
            context = Context()
            text: str = context.run(run, packed, head, body)
            if support.pending is not None:
                support.pending.context = context
            elif support.behind:
                context.run(leave, support.behind)
            return text

        if layers is not None:
            return layered
        return waiting if plan.waits else threaded if plan.threaded else direct

    def _behind(self, plan: Plan, text: str) -> str:
        """Has the ASGI lane give an answer whose request left tasks behind, or changed what the host goes by, and run them."""
        support, watched = self.support, self._watched
        leaves = bool(self._ready) or self._leaving is not None
        if text == REPLAY or not (leaves or (watched is not None and watched.is_changed())):
            return text
        support.pending = Outcome(plan, {}, response=unpack(text, plan.status), form=support.form, dressed=self.lifted is None)
        return REPLAY

    # --- the other way out ---

    def has_begun(self, request: int) -> bool:
        """Whether a request that comes down the ASGI lane is one that the compiled lane began."""
        return self._request == request and (self.support.pending is not None or self._going is not None)

    async def finish(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Sends what became of the request, as an ASGI application: within FastAPI's own middleware, which sees its exceptions."""
        scope["app"] = self.app
        uncalled.hand_over()
        call = current_call.get()
        if call is not None:
            call.adopts = self._began
        support = self.support
        if self._going is not None:
            going, self._going = self._going, None
            await going.go_on(scope, receive, send)
            return
        pending, support.pending = support.pending, None
        assert pending is not None
        scope[OUTCOME] = pending
        if support.inbox is not None:
            support.inbox.link(receive)
        rest = self._router if pending.dressed else self._stack
        if pending.context is None:
            await rest(scope, receive, send)
        else:
            pending.context.run(current_call.set, call)
            await outcome_of(begun(rest, (scope, receive, send), self._loop, pending.context))

    def before_start_up(self) -> None:
        """Start-up goes through the app's middleware."""
        if self._layers is not None:
            self._layers.build(self._router)
            self._stack = self.app.middleware_stack

    def take_middleware(self) -> None:
        """Puts FastAPI's middleware, as the app has it now, around `_router`."""
        if self._layers is not None:
            return  # the app's own stack is both lanes'
        app = self.app
        own, app.router = app.router, self._router
        try:
            self._stack = app.build_middleware_stack()
        finally:
            app.router = own

    async def _router(self, scope: Scope, receive: Receive, send: Send) -> None:
        """In the place of the app's router: takes up the outcome of a request whose code ran."""
        outcome: Outcome | None = scope.pop(OUTCOME, None)
        if outcome is None:
            await self.app.router(scope, receive, send)
            return
        scope.update(self.support.routed(outcome.plan, outcome.raw) if outcome.raw else {}, router=self.app.router)
        await wrap_app_handling_exceptions(_Answer(outcome), Request(scope, receive, send))(scope, receive, send)

    def _began(self, task: asyncio.Task[Any]) -> bool:
        """Whether a task that no call of the scheduler's made is one of a plan's."""
        return task not in self._before


class _Answer:
    """The end of a request: `fastapi.routing.request_response`, from where the endpoint has run."""

    def __init__(self, outcome: Outcome) -> None:
        self._outcome = outcome

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        answered = False
        async with AsyncExitStack() as stack:
            if self._outcome.form is not None:
                stack.push_async_callback(self._outcome.form.close)
            push(stack, self._outcome.generators)
            async with AsyncExitStack() as inner:
                push(inner, self._outcome.functions)
                if self._outcome.error is not None:
                    raise self._outcome.error
                response = self._outcome.response
                assert isinstance(response, Response)
            await response(scope, receive, send)
            answered = True
        if not answered:
            raise FastAPIError(NOT_AWAITED)
