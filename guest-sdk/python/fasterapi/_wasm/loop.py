"""The one asyncio event loop of a component instance.

A whole `asyncio.BaseEventLoop`: timers, task factories, exception handlers, `asyncio.timeout`, task groups and anyio all
work on it. What it lacks is a way to wait: nothing in a component may block. So it is never "run"; the scheduler
(`calls.py`) calls `poll()` from whichever call of the instance the host has woken, and sleeps by returning to the host.
"""

from __future__ import annotations

import asyncio
import heapq
import logging
import sys
import threading
from asyncio import base_events
from collections.abc import Callable, Iterator, Sized
from contextlib import contextmanager
from typing import Any, NoReturn, TypeVar, TypeVarTuple
from weakref import WeakSet

from .sockets import refuse

_T = TypeVar("_T")
_Ts = TypeVarTuple("_Ts")

# A chain of callbacks that never rests (`while not ready: await sleep(0)`) gives way to the host after so many turns.
_TURNS = 64

_logger = logging.getLogger("fasterapi.error")


class Loop(base_events.BaseEventLoop):
    """An event loop that is polled."""

    _ready: Any
    _scheduled: list[Any]
    _timer_cancelled_count: int
    _clock_resolution: float

    def __init__(self) -> None:
        super().__init__()
        self._thread_id = threading.get_ident()
        self.under_way: Sized = ()
        """The host's calls that somebody waits for."""
        self.listening = 0
        """How many wait for what a call of the host's will tell."""
        self.servants: WeakSet[asyncio.Task[Any]] = WeakSet()
        """Tasks that no call waits for at its end: they end with what they serve."""

    def install(self) -> None:
        """Makes this the running loop of the thread, for good: the snapshot keeps it."""
        asyncio.events._set_running_loop(self)
        sys.set_asyncgen_hooks(
            firstiter=self._asyncgen_firstiter_hook,  # type: ignore[attr-defined]
            finalizer=self._asyncgen_finalizer_hook,  # type: ignore[attr-defined]
        )

    def poll(self) -> None:
        """Runs what is ready and what that makes ready, until nothing is or until it is the host's turn."""
        ready, scheduled = self._ready, self._scheduled
        for _ in range(_TURNS):
            if scheduled:
                self._queue_due_timers()
            if not ready:
                return
            for _ in range(len(ready)):
                handle = ready.popleft()
                if not handle._cancelled:
                    try:
                        handle._run()
                    except BaseException:  # SystemExit and KeyboardInterrupt: no reason to kill the instance
                        _logger.exception("a callback tried to end the process")

    def run_latest(self) -> None:
        """Runs what was made ready last, within the task that runs now."""
        handle = self._ready.pop()
        task = _swap_current_task(self, None)
        try:
            handle._run()
        finally:
            _swap_current_task(self, task)

    @property
    def has_ready(self) -> bool:
        """Whether `poll` would run something now."""
        return bool(self._ready)

    @property
    def is_alone(self) -> bool:
        """Whether only what runs now would go on: nothing is ready, no timer runs, nobody waits for the host."""
        return not self._ready and not self.under_way and not self.listening and self.next_deadline() is None

    def next_deadline(self) -> float | None:
        """When the earliest timer is due, in the loop's time."""
        scheduled = self._scheduled
        while scheduled and scheduled[0]._cancelled:
            self._timer_cancelled_count -= 1
            heapq.heappop(scheduled)._scheduled = False
        return scheduled[0]._when if scheduled else None

    def _queue_due_timers(self) -> None:
        scheduled = self._scheduled
        if self._timer_cancelled_count > 50 and self._timer_cancelled_count * 2 > len(scheduled):
            self._drop_cancelled_timers()
        end = self.time() + self._clock_resolution
        while scheduled and (scheduled[0]._cancelled or scheduled[0]._when < end):
            handle = heapq.heappop(scheduled)
            handle._scheduled = False
            if handle._cancelled:
                self._timer_cancelled_count -= 1
            else:
                self._ready.append(handle)

    def _drop_cancelled_timers(self) -> None:
        # A timeout of 30 s on each of 10,000 requests a second would keep 300,000 dead timers.
        for handle in self._scheduled:
            if handle._cancelled:
                handle._scheduled = False
        self._scheduled[:] = [handle for handle in self._scheduled if not handle._cancelled]
        heapq.heapify(self._scheduled)
        self._timer_cancelled_count = 0

    def run_in_executor(
        self, executor: Any, func: Callable[[*_Ts], _T], *args: *_Ts
    ) -> asyncio.Future[_T]:
        """Runs `func` here and now: there are no threads in a component."""
        future: asyncio.Future[_T] = self.create_future()
        try:
            future.set_result(outside_loop(func, *args))
        except BaseException as error:
            future.set_exception(error)
        return future

    async def shutdown_default_executor(self, timeout: float | None = None) -> None:
        """Nothing to shut down."""

    async def create_connection(self, *args: Any, **kwargs: Any) -> Any:
        """A component has no network of its own."""
        refuse()

    def run_forever(self) -> NoReturn:
        """The host runs this loop."""
        raise RuntimeError("this event loop is run by the host of the component")

    def run_until_complete(self, future: Any) -> NoReturn:
        """The host runs this loop."""
        raise RuntimeError("this event loop is run by the host of the component")

    def close(self) -> None:
        """Does nothing: the loop lives as long as the instance."""

    def _process_events(self, event_list: Any) -> None:
        """There is no selector."""

    def _write_to_self(self) -> None:
        """There is no other thread to wake this one from."""


@contextmanager
def told_by_host() -> Iterator[None]:
    """What is awaited within is told by a call of the host's: nothing may keep that from coming."""
    loop = asyncio.get_running_loop()
    if not isinstance(loop, Loop):
        yield
        return
    loop.listening += 1
    try:
        yield
    finally:
        loop.listening -= 1


def outside_loop(func: Callable[[*_Ts], _T], *args: *_Ts) -> _T:
    """Calls `func` as a worker thread would: without a running event loop, so that it may run one of its own."""
    running = asyncio.events._get_running_loop()
    if running is None:
        return func(*args)
    task = _swap_current_task(running, None)
    asyncio.events._set_running_loop(None)
    try:
        return func(*args)
    finally:
        asyncio.events._set_running_loop(running)
        _swap_current_task(running, task)


if sys.version_info >= (3, 12):
    from asyncio.tasks import _swap_current_task  # type: ignore[attr-defined]
else:

    def _swap_current_task(loop: Any, task: Any) -> Any:
        current = asyncio.tasks._current_tasks  # type: ignore[attr-defined]
        previous = current.pop(loop, None)
        if task is not None:
            current[loop] = task
        return previous
