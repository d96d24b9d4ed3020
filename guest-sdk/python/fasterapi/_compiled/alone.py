"""A plan whose code may wait, where no middleware stands around it.

It runs as a task that begins at once. What it cannot answer in that one step goes on, in the same task and context, inside FastAPI's own stack, as soon as the
ASGI lane has the request.
"""

from __future__ import annotations

import asyncio
from contextvars import Context
from typing import Any

from starlette.types import ASGIApp, Receive, Scope, Send

from .generators import leave_async
from .plan import OUTCOME, REPLAY, Going, Outcome, Plan, unpack
from .support import Support
from .tasks import begun, outcome_of

_Asgi = tuple[Scope, Receive, Send]


class Alone:
    """One request to it."""

    def __init__(self, support: Support, stack: ASGIApp, loop: Any, plan: Plan) -> None:
        self._support = support
        self._stack = stack
        self._loop = loop
        self._plan = plan
        self._text: str | None = None
        self._inside = True
        """Whether the compiled lane has the request."""
        self._asgi: _Asgi | None = None
        """What the ASGI lane has, once it has the request."""
        self._handed: asyncio.Future[None] | None = None
        self._task: asyncio.Task[Any]

    def begin(self, packed: str, head: str, body: bytes) -> tuple[str, Going | None, asyncio.Task[Any] | None]:
        """The reply's text; or what takes it further; and what goes on behind it."""
        task = begun(self._run, (packed, head, body), self._loop, Context())
        self._inside = False
        if self._text is not None:
            return self._text, None, None if task.done() else task
        self._task = task
        return REPLAY, Going(task, self._go_on), None

    async def _run(self, packed: str, head: str, body: bytes) -> None:
        support, plan = self._support, self._plan
        text = await plan.run(packed, head, body)
        behind, support.behind = support.behind, None
        if text != REPLAY and self._inside:
            self._text = text
            if behind:
                await leave_async(behind)
            return
        outcome, support.pending = support.pending, None
        if text != REPLAY:
            outcome = Outcome(plan, {}, response=unpack(text, plan.status), generators=behind or [], form=support.form)
        elif outcome is None and support.form is not None:
            support.end()
        if self._asgi is None:
            self._handed = self._loop.create_future()
            await self._handed
        assert self._asgi is not None
        scope, receive, send = self._asgi
        if outcome is not None:
            scope[OUTCOME] = outcome
        await self._stack(scope, receive, send)

    async def _go_on(self, scope: Scope, receive: Receive, send: Send) -> None:
        self._asgi = scope, receive, send
        self._support.receive = receive
        if self._support.inbox is not None:
            self._support.inbox.link(receive)
        if self._handed is not None:
            self._handed.set_result(None)
        await outcome_of(self._task)
