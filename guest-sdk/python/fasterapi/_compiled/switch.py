"""Where the app's middleware ends: a plan, or what is FastAPI's own."""

from __future__ import annotations

from collections.abc import Awaitable
from contextlib import AsyncExitStack
from operator import itemgetter
from typing import TYPE_CHECKING, Any, NamedTuple

from starlette.types import ASGIApp, Receive, Scope, Send

from .drive import drive
from .exchange import Outbox
from .generators import push, thread
from .plan import OUTCOME, REPLAY, Plan, taken_apart

if TYPE_CHECKING:
    from .layers import Layers

_routing = itemgetter("path", "raw_path", "query_string", "method", "root_path", "type")


class Asked(NamedTuple):
    """A request that a plan may answer."""

    plan: Plan
    packed: str
    head: str
    body: bytes
    routing: tuple[tuple[Any, ...], list[Any]]


def routing(scope: Scope) -> tuple[tuple[Any, ...], list[Any]]:
    """What a plan's values, and the choice of the plan, come from. It stays as it is when the scope is changed."""
    return _routing(scope), [*scope["headers"]]


class Switch:
    """The innermost of the app's middleware."""

    def __init__(self, app: ASGIApp, layers: Layers) -> None:
        self.app = app
        self._layers = layers

    def __call__(self, scope: Scope, receive: Receive, send: Send) -> Awaitable[None]:
        layers = self._layers
        asked, layers.asked = layers.asked, None
        if asked is None or not self._may_answer(asked, scope, receive):
            return self.app(scope, receive, send)
        return self._answer(asked, scope, receive, send)

    def _may_answer(self, asked: Asked, scope: Scope, receive: Receive) -> bool:
        """Whether a request is as it was when the host took out of it what the plan wants."""
        layers = self._layers
        values, headers = asked.routing
        try:
            if scope["headers"] != headers or _routing(scope) != values or layers.support.app.dependency_overrides:
                return False
        except KeyError:
            return False
        return asked.plan.needs.body is None or layers.is_whole(receive)

    async def _answer(self, asked: Asked, scope: Scope, receive: Receive, send: Send) -> None:
        """Sends the plan's answer. What it cannot answer is for FastAPI's own."""
        support, plan = self._layers.support, asked.plan
        support.scope, support.receive = scope, receive
        found = support.path_params(plan, asked.head) if plan.route.param_convertors else {}
        scope.update(support.routed(plan, found), router=support.app.router)
        given = asked.packed, asked.head, asked.body
        if plan.waits:
            text: str = await plan.run(*given)
        else:
            text = thread(plan.run, *given) if plan.threaded else plan.run(*given)
        behind, support.behind = support.behind, None
        form, support.form = support.form, None
        outcome, support.pending = support.pending, None
        if plan.needs.body is not None and (text != REPLAY or outcome is not None):
            self._layers.inbox.take()
        if text == REPLAY:
            if outcome is not None:
                scope[OUTCOME] = outcome
            elif form is not None:
                drive(form.close())
            await self.app(scope, receive, send)
            return
        status, headers, content = taken_apart(text, plan.status)
        if not behind and form is None and isinstance(send, Outbox) and send.keep_all(status, headers, [content]):
            return
        async with AsyncExitStack() as stack:
            if form is not None:
                stack.push_async_callback(form.close)
            push(stack, behind or ())
            await send({"type": "http.response.start", "status": status, "headers": headers})
            await send({"type": "http.response.body", "body": content})
