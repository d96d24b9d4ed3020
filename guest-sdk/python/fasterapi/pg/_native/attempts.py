"""Calls that are awaited: each in a thread, from where another can cancel it."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from threading import Lock, local
from typing import Any, ParamSpec, Protocol, TypeVar

_P = ParamSpec("_P")
_T = TypeVar("_T")

_MOST_THREADS = 1000
"""More than one waits for: one that were missing could be the one that the others wait for."""


class _Cancels(Protocol):
    def cancel(self) -> None:
        """Cancels what a thread waits for."""


class Attempt:
    """A call that may be cancelled."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._line: _Cancels | None = None
        self._cancelled = False

    def run(self, function: Callable[..., _T], *args: Any) -> _T:
        """Makes the call, in the thread that calls this."""
        _current.attempt = self
        try:
            return function(*args)
        finally:
            _current.attempt = None

    def cancel(self) -> None:
        """Cancels it, from any thread."""
        with self._lock:
            self._cancelled = True
            if self._line is not None:
                self._line.cancel()

    def waits_for(self, line: _Cancels | None) -> None:
        """Says where its answer comes from next; None: it has come."""
        with self._lock:
            self._line = line
            if self._cancelled and line is not None:
                line.cancel()


_current = local()


def current() -> Attempt | None:
    """What this thread is at."""
    return getattr(_current, "attempt", None)


_under_way: dict[int, Attempt] = {}


async def aside(function: Callable[..., _T], ticket: int, *args: Any) -> _T:
    """Calls a function of the host's in a thread, while the loop goes on. When the task is cancelled, so is the call; it has ended then."""
    attempt = _under_way[ticket] = Attempt()
    call = asyncio.get_running_loop().run_in_executor(_threads, attempt.run, function, *args)
    try:
        await asyncio.wait([call])
    except asyncio.CancelledError:
        attempt.cancel()
        with suppress(Exception):
            await call
        raise
    finally:
        _under_way.pop(ticket, None)
    return call.result()


def cancel(ticket: int) -> None:
    """Cancels a call. Unknown tickets are ignored."""
    attempt = _under_way.get(ticket)
    if attempt is not None:
        attempt.cancel()


def _begin() -> None:
    global _threads
    _threads = ThreadPoolExecutor(_MOST_THREADS, "fasterapi-pg")


_threads: ThreadPoolExecutor
_begin()
os.register_at_fork(after_in_child=_begin)  # the threads are the parent's
