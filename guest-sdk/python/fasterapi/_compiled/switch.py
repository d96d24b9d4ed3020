"""Where the app's middleware ends: a plan, or what is FastAPI's own."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from functools import partial
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


class Whole(NamedTuple):
    """An answer that nothing follows."""

    status: int
    headers: list[tuple[bytes, bytes]]
    parts: list[bytes]


Rest = Callable[[Send], Awaitable[None]]


class Switch:
    """The innermost of the app's middleware."""

    def __init__(self, app: ASGIApp, layers: Layers) -> None:
        self.app = app
        self._layers = layers

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        answer = self.ask(scope, receive)
        if not isinstance(answer, Whole):
            await answer(send)
        elif not isinstance(send, Outbox) or not send.keep_all(*answer):
            await _sent(*answer, send)

    def ask(self, scope: Scope, receive: Receive) -> Whole | Rest:
        """The answer, if it is there at once; or what gives it."""
        layers = self._layers
        asked, layers.asked = layers.asked, None
        if asked is None or not self._may_answer(asked, scope, receive):
            return partial(self.app, scope, receive)
        support, plan = layers.support, asked.plan
        support.scope, support.receive = scope, receive
        found = support.path_params(plan, asked.head) if plan.route.param_convertors else {}
        scope.update(support.routed(plan, found), router=support.app.router)
        given = asked.packed, asked.head, asked.body
        if plan.waits:
            return partial(self._wait, plan, plan.run(*given), scope, receive)
        return self._answer(plan, thread(plan.run, *given) if plan.threaded else plan.run(*given), scope, receive)

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

    async def _wait(self, plan: Plan, running: Awaitable[str], scope: Scope, receive: Receive, send: Send) -> None:
        answer = self._answer(plan, await running, scope, receive)
        await (_sent(*answer, send) if isinstance(answer, Whole) else answer(send))

    def _answer(self, plan: Plan, text: str, scope: Scope, receive: Receive) -> Whole | Rest:
        """What a plan's text stands for. What it could not answer is for FastAPI's own."""
        support = self._layers.support
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
            return partial(self.app, scope, receive)
        status, headers, body = taken_apart(text, plan.status)
        answer = Whole(status, headers, [body])
        return partial(_sent_before, behind or [], form, answer) if behind or form is not None else answer


async def _sent(status: int, headers: list[tuple[bytes, bytes]], parts: list[bytes], send: Send) -> None:
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": b"".join(parts)})


async def _sent_before(behind: list[Any], form: Any, answer: Whole, send: Send) -> None:
    async with AsyncExitStack() as stack:
        if form is not None:
            stack.push_async_callback(form.close)
        push(stack, behind)
        await _sent(*answer, send)
