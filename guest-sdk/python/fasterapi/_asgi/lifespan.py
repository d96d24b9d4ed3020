"""The life of an application: its start-up once, its state, its shut-down once.

Like uvicorn's `--lifespan auto`: an application that raises at the `lifespan` scope without a word is one that does not
support it.
"""

from __future__ import annotations

import asyncio
import logging
import traceback
from contextvars import Context
from typing import Any

from .types import ASGIApp, Message

logger = logging.getLogger("fasterapi.error")


class LifespanError(Exception):
    """Start-up or shut-down failed. The text is the application's own."""


class Lifespan:
    """Runs an application's lifespan."""

    def __init__(self, app: ASGIApp) -> None:
        self.state: dict[str, Any] = {}
        self._app = app
        self._started: asyncio.Future[None] | None = None
        self._events: asyncio.Queue[Message] = asyncio.Queue()
        self._replies: asyncio.Future[str | None]
        self._task: asyncio.Task[None] | None = None
        self._silent = True

    async def startup(self) -> None:
        """Starts the application, at the first call. Whoever calls meanwhile waits for the same start-up."""
        if self._started is None:
            self._started = asyncio.get_running_loop().create_future()
            try:
                await self._start()
            except LifespanError as error:
                self._started.set_exception(error)
            else:
                self._started.set_result(None)
        await asyncio.shield(self._started)

    @property
    def ready(self) -> bool:
        """Whether the application is started."""
        return self._started is not None and self._started.done()

    async def shutdown(self) -> None:
        """Shuts the application down, if it was started and knows how."""
        if self._task is None or self._task.done():
            return
        await self._ask("lifespan.shutdown")

    async def _start(self) -> None:
        # A context of its own: what start-up leaves running belongs to no request.
        self._replies = asyncio.get_running_loop().create_future()
        self._task = Context().run(asyncio.get_running_loop().create_task, self._main())
        await self._ask("lifespan.startup")

    async def _ask(self, event: str) -> None:
        self._replies = asyncio.get_running_loop().create_future()
        self._events.put_nowait({"type": event})
        failure = await self._replies
        if failure is not None:
            raise LifespanError(failure)

    async def _main(self) -> None:
        scope = {"type": "lifespan", "asgi": {"version": "3.0", "spec_version": "2.0"}, "state": self.state}
        try:
            await self._app(scope, self._events.get, self._send)
        except BaseException as error:
            self._raised(error)
        else:
            self._reply(None)

    def _raised(self, error: BaseException) -> None:
        if self._silent:  # nothing was said before it raised: an application without lifespan
            logger.debug("ASGI 'lifespan' protocol appears unsupported.", exc_info=error)
            self._reply(None)
        else:
            self._reply("".join(traceback.format_exception(error)))

    async def _send(self, message: Message) -> None:
        kind = message["type"]
        self._silent = False
        if kind in ("lifespan.startup.complete", "lifespan.shutdown.complete"):
            self._reply(None)
        elif kind in ("lifespan.startup.failed", "lifespan.shutdown.failed"):
            self._reply(message.get("message", "") or "the application said no more")
        else:
            raise RuntimeError(f"Unexpected ASGI message '{kind}' in lifespan.")

    def _reply(self, failure: str | None) -> None:
        if not self._replies.done():
            self._replies.set_result(failure)
