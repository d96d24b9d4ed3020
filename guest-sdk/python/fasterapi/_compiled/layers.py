"""The app's middleware around a plan.

Starlette's own classes, called as they are; so an answer is theirs to the byte. Only those that `reasons.PURE` names: none of them waits for
anything when the response is whole, so one step of their coroutine is all of it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from .._asgi import scope as scopes
from .drive import drive
from .plan import REPLAY, Outcome, Plan, Replay, packed, unpack
from .support import Support


class Layers:
    """The middleware of one application."""

    def __init__(self, app: Any) -> None:
        stack: ASGIApp = self._answer
        for cls, args, kwargs in reversed(app.user_middleware):
            stack = cls(stack, *args, **kwargs)
        self._stack = stack
        self._run: Callable[[], str]
        self._plan: Plan
        self._text: str | None = None

    def around(self, support: Support, plan: Plan, head: str, run: Callable[[], str]) -> str:
        """The reply's text as the middleware leaves it. `run` gives the plan's own; it may not be called at all."""
        self._run, self._plan, self._text = run, plan, None
        messages: list[Message] = []

        async def send(message: Message) -> None:
            messages.append(message)

        try:
            drive(self._stack(scopes.from_head(head, support.state), _never, send))
            start, *rest = messages
            text = packed(start["status"], start["headers"], b"".join(part.get("body", b"") for part in rest), support.largest)
        except Replay:
            return REPLAY
        except Exception:  # it waits after all, or fails: in the ASGI lane somebody sees why
            text = None
        if text is None:
            if self._text is not None:
                support.pending = Outcome(plan, {}, response=unpack(self._text, plan.status))
            return REPLAY
        return text

    async def _answer(self, scope: Scope, receive: Receive, send: Send) -> None:
        text = self._run()
        if text == REPLAY:
            raise Replay
        self._text = text
        await unpack(text, self._plan.status)(scope, receive, send)


async def _never() -> Message:
    raise RuntimeError("this middleware does not read the request's body")
