"""Puts our event loop and scheduler in the place of componentize-py's own.

The bundled loop has no timers, ends the instance when an exception reaches its handler, and keeps a ready queue per call, so
that what one request does for another is lost. The generated bindings look `first_poll` and `await_result` up in the module
`componentize_py_async_support` at every call, and the runtime takes `callback` from it once the app is imported: replacing
these three replaces everything.
"""

from __future__ import annotations

import asyncio
from typing import Any

import componentize_py_async_support
import componentize_py_runtime
import componentize_py_types
import wit_world
from wit_world.imports import monotonic_clock

from .calls import Scheduler
from .loop import Loop


def install() -> Scheduler:
    """Makes the instance's loop and scheduler, and puts them to work."""
    loop = Loop()
    scheduler = Scheduler(componentize_py_runtime, componentize_py_types, loop, monotonic_clock.wait_for)
    scheduler.stream_type = _stream_type()
    support: Any = componentize_py_async_support
    support._loop = loop
    support.first_poll = scheduler.first_poll
    support.callback = scheduler.callback
    support.await_result = scheduler.await_result
    support.spawn = scheduler.spawn
    asyncio.set_event_loop(loop)
    loop.install()
    return scheduler


def _stream_type() -> int:
    """The number of the type `stream<u8>`, which only the generated code knows. No stream can be made at build time."""
    made: list[int] = []

    class Probe:
        @staticmethod
        def stream_new(type_: int) -> int:
            made.append(type_)
            raise LookupError

    real, wit_world.componentize_py_runtime = wit_world.componentize_py_runtime, Probe
    try:
        wit_world.byte_stream()
    except LookupError:
        pass
    finally:
        wit_world.componentize_py_runtime = real
    return made[0]
