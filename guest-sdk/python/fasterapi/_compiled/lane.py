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

from .._wasm.calls import EAGER, current_call, uncalled
from . import lifespan, reasons, source
from .generators import NOT_AWAITED, push
from .layers import Layers
from .lifted import Lifted
from .plan import REPLAY, Outcome, Plan, unpack
from .support import Support

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
        self._before: WeakSet[asyncio.Task[Any]] = WeakSet()
        """Tasks that start-up left running."""
        self._routes = len(app.router.routes)
        self.lifted = lifted
        self._watched = lifted if lifted is not None and lifted.may_change() else None
        self._layers = Layers(app, self.support) if app.user_middleware and lifted is None else None
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
        self._enabled = unchanged and (self._layers is None or self._layers.started(self.app, loop))

    # --- the call ---

    def call(self, request: int, number: int, packed: str, head: str, body: bytes) -> str:
        """Answers a request, or says to send it down the ASGI lane, under the same number. Never raises.

        Every request pays for each line of this, and for each call more.
        """
        support = self.support
        support.pending = support.inbox = support.receive = support.leaving = support.form = None
        self._request = request
        plan = self.plans[number]
        if not self._enabled or self.app.dependency_overrides or (self._watched is not None and self._watched.is_changed()):
            return REPLAY
        try:
            reply = self._replies[number]
            text = reply(packed, head, body) if self._layers is None else self._layered(plan, reply, packed, head, body)
        except BaseException as error:
            support.pending = Outcome(plan, {}, error=error)
            return REPLAY
        if support.pending is not None:
            return text
        if self._ready or support.leaving is not None or (self._watched is not None and self._watched.is_changed()):
            text = self._behind(plan, text)
        if support.pending is None:
            if support.form is not None:
                support.end()
            if uncalled.held:
                uncalled.end()
        return text

    def _reply(self, plan: Plan) -> Callable[[str, str, bytes], str]:
        """What runs a plan, in a context of its own."""
        run, loop = plan.run, self._loop
        context = Context if self._layers is None else self._layers.context

        def waiting(packed: str, head: str, body: bytes) -> str:
            task: asyncio.Task[str] = asyncio.Task(run(packed, head, body), loop=loop, context=context(), **EAGER)
            if task.done():
                return task.result()
            self.support.pending = Outcome(plan, {}, waiting=task)
            return REPLAY

        def threaded(packed: str, head: str, body: bytes) -> str:
            set_running_loop(None)
            try:
                text: str = context().run(run, packed, head, body)
            finally:
                set_running_loop(loop)
            return text

        def direct(packed: str, head: str, body: bytes) -> str:
            text: str = context().run(run, packed, head, body)
            return text

        return waiting if plan.waits else threaded if plan.threaded else direct

    def _layered(self, plan: Plan, reply: Callable[[str, str, bytes], str], packed: str, head: str, body: bytes) -> str:
        """The reply of a plan within the app's middleware."""
        assert self._layers is not None
        return self._layers.around(plan, head, body, lambda: reply(packed, head, body))

    def _behind(self, plan: Plan, text: str) -> str:
        """Has the ASGI lane give an answer whose request left tasks behind, or changed what the host goes by, and run them."""
        support, watched = self.support, self._watched
        leaves = bool(self._ready) or (support.leaving is not None and not support.leaving.done())
        if text == REPLAY or not (leaves or (watched is not None and watched.is_changed())):
            return text
        support.pending = Outcome(plan, {}, response=unpack(text, plan.status), dressed=self.lifted is None)
        return REPLAY

    # --- the other way out ---

    def has_begun(self, request: int) -> bool:
        """Whether a request that comes down the ASGI lane is one that the compiled lane began."""
        return self.support.pending is not None and self._request == request

    async def finish(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Sends what became of the request, as an ASGI application: within FastAPI's own middleware, which sees its exceptions."""
        scope["app"] = self.app
        uncalled.hand_over()
        call = current_call.get()
        if call is not None:
            call.adopts = self._began
        pending, layers = self.support.pending, self._layers
        if pending is not None and pending.dressed:
            await self._outcome(scope, receive, send)
        elif layers is None:
            await self._stack(scope, receive, send)
        else:
            well = False
            try:
                await self._stack(layers.take_up(scope, receive), receive, send)
                well = True
            finally:
                await layers.end(well)
                self.support.pending = None

    def take_middleware(self) -> None:
        """Puts FastAPI's middleware, as the app has it now, around `_outcome` in place of its router."""
        app = self.app
        router, app.router = app.router, self._outcome
        user_middleware = app.user_middleware
        if self._layers is not None:
            app.user_middleware = self._layers.in_asgi(user_middleware)
        try:
            self._stack: ASGIApp = app.build_middleware_stack()
        finally:
            app.router, app.user_middleware = router, user_middleware

    async def _outcome(self, scope: Scope, receive: Receive, send: Send) -> None:
        outcome, self.support.pending = self.support.pending, None
        if outcome is None:
            raise RuntimeError("no request of the compiled lane is under way")
        self.support.receive = receive
        if self.support.inbox is not None:
            self.support.inbox.link(receive)
        if outcome.replayed:
            await self.app.router(scope, receive, send)
            return
        if outcome.waiting is not None:
            awaited = await self._awaited(outcome)
            if awaited is None:
                self.support.end()
                await self.app.router(scope, receive, send)
                return
            outcome = awaited
        scope.update(self.support.routed(outcome.plan, outcome.raw) if outcome.raw else {}, router=self.app.router)
        await wrap_app_handling_exceptions(_Answer(outcome, self.support.form), Request(scope, receive, send))(scope, receive, send)

    def _began(self, task: asyncio.Task[Any]) -> bool:
        """Whether a task that no call of the scheduler's made is one of a plan's."""
        return task not in self._before

    async def _awaited(self, outcome: Outcome) -> Outcome | None:
        """What became of a plan that waited. None: nothing of the user's ran (its task had not even begun; no task begins at once before
        Python 3.12)."""
        text = await outcome.waiting
        pending, self.support.pending = self.support.pending, None
        if pending is None and text != REPLAY:
            return Outcome(outcome.plan, {}, response=unpack(text, outcome.plan.status))
        return pending


class _Answer:
    """The end of a request: `fastapi.routing.request_response`, from where the endpoint has run."""

    def __init__(self, outcome: Outcome, form: Any) -> None:
        self._outcome = outcome
        self._form = form

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        answered = False
        async with AsyncExitStack() as stack:
            if self._form is not None:
                stack.push_async_callback(self._form.close)
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
