"""Threads that are none: a component has one thread, so work meant for another runs where it stands.

The semantics of a worker thread stay: a copy of the context (what the function sets in it is not seen outside), and no
running event loop.
"""

from __future__ import annotations

import _thread
import asyncio
import concurrent.futures
import concurrent.futures.thread
import threading
import time
from asyncio import base_events
from collections.abc import Callable
from concurrent.futures import Executor, Future
from contextvars import Context, copy_context
from functools import partial
from typing import Any, NoReturn, ParamSpec, TypeVar, TypeVarTuple

from .loop import outside_loop

_P = ParamSpec("_P")
_T = TypeVar("_T")
_Ts = TypeVarTuple("_Ts")


def install() -> None:
    """Patches the ways in which asyncio, anyio and Starlette reach for a thread."""
    _patch_event_loops()
    _patch_threads()
    try:
        import anyio.to_thread
    except ImportError:
        return
    anyio.to_thread.run_sync = _run_sync
    try:
        import starlette.concurrency
    except ImportError:
        return
    starlette.concurrency.run_in_threadpool = _run_in_threadpool


async def _run_sync(
    func: Callable[[*_Ts], _T], *args: *_Ts, abandon_on_cancel: bool = False, cancellable: bool | None = None, limiter: Any = None
) -> _T:
    return copy_context().run(partial(outside_loop, func, *args))


async def _run_in_threadpool(func: Callable[_P, _T], *args: _P.args, **kwargs: _P.kwargs) -> _T:
    return copy_context().run(outside_loop, partial(func, *args, **kwargs))


class _Sleep:
    """A selector that knows only time."""

    def select(self, timeout: float | None) -> list[Any]:
        if timeout is None:
            raise RuntimeError("this event loop waits for something that cannot happen: nothing else runs in a component meanwhile")
        if timeout > 0:
            time.sleep(timeout)
        return []

    def close(self) -> None:
        """Nothing to close."""


class BlockingLoop(base_events.BaseEventLoop):
    """An event loop for `asyncio.run` within a `def` endpoint: timers and tasks, no input or output."""

    def __init__(self) -> None:
        super().__init__()
        self._selector = _Sleep()

    def _process_events(self, event_list: Any) -> None:
        """There are no events."""

    def _write_to_self(self) -> None:
        """There is no other thread."""


class InlineExecutor(Executor):
    """`concurrent.futures.ThreadPoolExecutor`: what is submitted has run when `submit` comes back."""

    def __init__(
        self, max_workers: int | None = None, thread_name_prefix: str = "", initializer: Callable[..., object] | None = None, initargs: tuple[Any, ...] = ()
    ) -> None:
        if max_workers is not None and max_workers <= 0:
            raise ValueError("max_workers must be greater than 0")
        self._context = Context()  # that of its one worker
        self._begin = None if initializer is None else partial(initializer, *initargs)
        self._is_shut_down = False

    def submit(self, fn: Callable[_P, _T], /, *args: _P.args, **kwargs: _P.kwargs) -> Future[_T]:
        if self._is_shut_down:
            raise RuntimeError("cannot schedule new futures after shutdown")
        future: Future[_T] = Future()
        future.set_running_or_notify_cancel()
        begin, self._begin = self._begin, None
        try:
            if begin is not None:
                self._context.run(outside_loop, begin)
            result = self._context.run(outside_loop, partial(fn, *args, **kwargs))
        except BaseException as error:
            future.set_exception(error)
        else:
            future.set_result(result)
        return future

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        self._is_shut_down = True


def refuse(*args: Any, **kwargs: Any) -> NoReturn:
    """A thread that would run beside its maker."""
    raise RuntimeError("can't start new thread: an app inside a component has none; `asyncio.to_thread` and ThreadPoolExecutor run the function where it stands")


def _patch_threads() -> None:
    for module in (concurrent.futures, concurrent.futures.thread):
        setattr(module, "ThreadPoolExecutor", InlineExecutor)
    for module, name in ((_thread, "start_new_thread"), (threading, "_start_new_thread"), (threading, "_start_joinable_thread")):
        if hasattr(module, name):
            setattr(module, name, refuse)


def _patch_event_loops() -> None:
    events: Any = asyncio.events
    get_policy = getattr(events, "_get_event_loop_policy", events.get_event_loop_policy)
    type(get_policy())._loop_factory = BlockingLoop
    for name in ("SelectorEventLoop", "EventLoop"):
        if hasattr(asyncio, name):
            setattr(asyncio, name, BlockingLoop)


