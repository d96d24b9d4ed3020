"""Waking up in time: the loop's timers over the clock that the host lends.

A wait that was started cannot be called off (componentize-py has no `subtask.cancel`), so as few as possible are started: one
for the earliest timer, another only for a timer that is earlier still. None reaches further than `_FURTHEST` ahead,
which bounds how long waits that nobody needs any more stay around.
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from functools import partial
from typing import Any

from .loop import Loop

_FURTHEST = 10.0


class Alarm:
    """Keeps a host wait under way for the earliest timer of a loop."""

    def __init__(self, loop: Loop, wait_for: Callable[[int], Coroutine[Any, Any, None]]) -> None:
        self._loop = loop
        self._wait_for = wait_for
        self._armed: list[float] = []
        """When the waits under way end, the earliest last."""

    def arm(self) -> None:
        """Makes sure that the host wakes the component when the next timer is due."""
        deadline = self._loop.next_deadline()
        if deadline is None:
            return
        now = self._loop.time()
        deadline = min(deadline, now + _FURTHEST)
        if self._armed and self._armed[-1] <= deadline:
            return
        wait = self._wait_for(max(1, int((deadline - now) * 1e9) + 1))
        try:
            future = wait.send(None)
        except StopIteration:  # over already
            self._loop.call_soon(_nothing)
            return
        self._armed.append(deadline)
        future.add_done_callback(partial(self._ring, wait, deadline))

    def _ring(self, wait: Coroutine[Any, Any, None], deadline: float, _future: Any) -> None:
        wait.close()
        self._armed.remove(deadline)


def _nothing() -> None:
    pass
