"""BackgroundTasks: they run after the response, and the response must be gone before they do. On one thread a task that computes
would keep it, so each begins by giving the host its turn."""

from __future__ import annotations

import sys
from typing import Any

from .calls import Scheduler


def install(scheduler: Scheduler) -> None:
    """Patches Starlette's background tasks, if the app has Starlette."""
    background: Any = sys.modules.get("starlette.background")
    if background is None:
        return
    run = background.BackgroundTask.__call__

    async def after_the_host(self: Any) -> None:
        await scheduler.host_turn()
        await run(self)

    background.BackgroundTask.__call__ = after_the_host
