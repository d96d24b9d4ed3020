"""A component model in a few lines: calls, waitable sets, streams within the component and towards the host, a clock that jumps.

Strict where wasmtime traps: an assertion fails instead.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from contextvars import Context, copy_context
from dataclasses import dataclass, field
from types import ModuleType
from typing import Any

_EXIT, _YIELD, _WAIT = 0, 1, 2
_SUBTASK, _STREAM_READ, _STREAM_WRITE = 1, 2, 3
_RETURNED = 2
_COMPLETED, _DROPPED = 0, 1


@dataclass
class Ok:
    value: Any


@dataclass(frozen=True)
class Err(Exception):
    value: Any


@dataclass
class Response:
    head: str
    body: str
    rest: Any


def install_modules() -> None:
    """Puts stand-ins for the generated modules where imports find them."""
    for name in ("componentize_py_types", "wit_world", "wit_world.exports", "wit_world.exports.http", "wit_world.imports"):
        sys.modules.setdefault(name, ModuleType(name))
    types: Any = sys.modules["componentize_py_types"]
    types.Ok, types.Err = Ok, Err
    http: Any = sys.modules["wit_world.exports.http"]
    http.Response = Response


def _remember_contexts(loop: asyncio.AbstractEventLoop) -> None:
    """Stands in for `Task.get_context`, which is younger than Python 3.11."""
    from fasterapi._wasm import calls

    contexts: dict[Any, Context] = {}

    def factory(loop: Any, coroutine: Any, context: Context | None = None) -> asyncio.Task[Any]:
        task: asyncio.Task[Any] = asyncio.Task(coroutine, loop=loop, context=context)
        contexts[task] = context or copy_context()
        return task

    loop.set_task_factory(factory)
    calls._context_of = lambda task: contexts.get(task, Context())


@dataclass
class Pipe:
    """A stream: its two ends' operations under way. `buffer` holds what the host wrote for the component."""

    reading: tuple[int, int] | None = None
    writing: tuple[int, bytes] | None = None
    buffer: bytearray = field(default_factory=bytearray)
    reader_closed: bool = False
    writer_closed: bool = False
    taken: bytearray = field(default_factory=bytearray)


@dataclass
class Task:
    """A call of an export."""

    context: Any = None
    code: int = _YIELD
    set: int = 0
    result: Any = None
    returned: bool = False

    @property
    def exited(self) -> bool:
        return self.code == _EXIT

    @property
    def value(self) -> Any:
        assert isinstance(self.result, Ok), self.result
        return self.result.value


class Reader:
    """What the runtime passes for an incoming stream."""

    class _Finalizer:
        def detach(self) -> None:
            """Nothing to detach."""

    def __init__(self, handle: int) -> None:
        self.type_ = 0
        self.handle: int | None = handle
        self.finalizer = self._Finalizer()


class FakeHost:
    """The component's runtime and its host in one."""

    def __init__(self) -> None:
        from fasterapi._wasm.calls import Scheduler
        from fasterapi._wasm.loop import Loop

        self.now = 1000.0
        self.loop = Loop()
        self.loop.time = lambda: self.now  # type: ignore[method-assign]
        self.scheduler = Scheduler(self, sys.modules["componentize_py_types"], self.loop, self._wait_for)
        self.scheduler.stream_type = 0
        if sys.version_info < (3, 12):
            _remember_contexts(self.loop)
        self.tasks: list[Task] = []
        self.current: Task | None = None
        self.sets: dict[int, set[int]] = {}
        self.events: dict[int, tuple[int, int]] = {}
        self.timers: dict[int, float] = {}
        self.pipes: dict[int, Pipe] = {}
        self.promises: dict[int, Any] = {}
        self.waits = 0
        self.sets_made = 0
        self._next = 1

    @contextmanager
    def running(self) -> Iterator[None]:
        hooks = sys.get_asyncgen_hooks()
        self.loop.install()
        try:
            yield
        finally:
            asyncio.events._set_running_loop(None)
            sys.set_asyncgen_hooks(*hooks)
            self.loop._thread_id = None  # type: ignore[assignment]
            asyncio.BaseEventLoop.close(self.loop)

    # --- driving ---

    def call(self, work: Callable[[Callable[[Any], None]], Coroutine[Any, Any, None]] | Coroutine[Any, Any, Any]) -> Task:
        """Starts a call of an export."""
        task = Task()
        self.tasks.append(task)
        self._enter(task, lambda: self.scheduler.first_poll(len(self.tasks), 0, work))
        return task

    def run(self, seconds: float = 60.0) -> None:
        """Delivers events until nothing happens any more, or for so long."""
        end = self.now + seconds
        while self._step() or self._tick(end):
            pass

    def settle(self) -> None:
        """Delivers what is there, without the clock moving."""
        while self._step():
            pass

    def _enter(self, task: Task, resume: Callable[[], int]) -> None:
        assert self.current is None, "calls of one instance never overlap"
        self.current = task
        code = resume()
        self.current = None
        task.code, task.set = code & 0xF, code >> 4
        if task.exited:
            assert task.returned, "a call ended without a result"
            assert task.context is None

    def _step(self) -> bool:
        for task in self.tasks:
            if task.code == _YIELD:
                self._enter(task, lambda: self.scheduler.callback(0, 0, 0))
                return True
            ready = [waitable for waitable in self.sets.get(task.set, ()) if waitable in self.events] if task.code == _WAIT else []
            if ready:
                event, payload = self.events.pop(ready[0])
                self._enter(task, lambda: self.scheduler.callback(event, ready[0], payload))
                return True
        return False

    def _tick(self, end: float) -> bool:
        if not self.timers or not any(task.code == _WAIT for task in self.tasks):
            return False
        waitable = min(self.timers, key=self.timers.__getitem__)
        if self.timers[waitable] > end:
            return False
        self.now = max(self.now, self.timers.pop(waitable))
        self.events[waitable] = (_SUBTASK, _RETURNED)
        return True

    # --- the host's ends of streams ---

    def incoming(self, *chunks: bytes, closed: bool = True) -> tuple[Reader, Pipe]:
        """A stream into the component."""
        handle = self._handle()
        self.pipes[handle] = pipe = Pipe(buffer=bytearray(b"".join(chunks)), writer_closed=closed)
        return Reader(handle), pipe

    def feed(self, pipe: Pipe, data: bytes = b"", *, close: bool = False) -> None:
        """Writes to a stream into the component."""
        pipe.buffer += data
        pipe.writer_closed |= close
        if pipe.reading is not None and (pipe.buffer or pipe.writer_closed):
            handle, most = pipe.reading
            pipe.reading = None
            self.promises[handle] = self._taken(pipe, most)
            self.events[handle] = (_STREAM_READ, 0)

    def take(self, carrier: Any, most: int = 1 << 30) -> bytes:
        """Reads what a stream out of the component offers now."""
        pipe = self.pipes[carrier.handle]
        if pipe.writing is None:
            return b""
        handle, data = pipe.writing
        pipe.writing = None
        pipe.taken += data[:most]
        self.promises[handle] = (_COMPLETED, min(most, len(data)))
        self.events[handle] = (_STREAM_WRITE, 0)
        return data[:most]

    def drain(self, carrier: Any) -> bytes:
        """Reads a stream out of the component to its end."""
        pipe = self.pipes[carrier.handle]
        while self.take(carrier) or not pipe.writer_closed:
            self.run()
        return bytes(pipe.taken)

    def leave(self, carrier: Any) -> None:
        """Closes the readable end of a stream out of the component."""
        pipe = self.pipes[carrier.handle]
        pipe.reader_closed = True
        if pipe.writing is not None:
            handle, _ = pipe.writing
            pipe.writing = None
            self.promises[handle] = (_DROPPED, 0)
            self.events[handle] = (_STREAM_WRITE, 0)

    # --- componentize_py_runtime ---

    def call_task_return(self, index: int, borrows: int, result: Any) -> None:
        assert self.current is self.tasks[index - 1], "only the call that is awake may give its result"
        assert not self.current.returned, "a result is given once"
        self.current.returned, self.current.result = True, result

    def context_get(self) -> Any:
        assert self.current is not None
        return self.current.context

    def context_set(self, value: Any) -> None:
        assert self.current is not None
        self.current.context = value

    def waitable_set_new(self) -> int:
        self.sets_made += 1
        handle = self._handle()
        self.sets[handle] = set()
        return handle

    def waitable_join(self, waitable: int, set_: int) -> None:
        for members in self.sets.values():
            members.discard(waitable)
        if set_:
            self.sets[set_].add(waitable)

    def subtask_drop(self, waitable: int) -> None:
        assert waitable not in self.timers, "dropped before it returned"

    def promise_get_result(self, event: int, promise: int) -> Any:
        return self.promises.pop(promise, None)

    def stream_new(self, type_: int) -> int:
        reader, writer = self._handle(), self._handle()
        self.pipes[reader] = self.pipes[writer] = Pipe()
        return reader | writer << 32

    def stream_read(self, type_: int, handle: int, most: int) -> Any:
        pipe = self.pipes[handle]
        assert pipe.reading is None and not pipe.reader_closed
        if pipe.buffer or pipe.writer_closed:
            return Ok(self._taken(pipe, most))
        pipe.reading = (handle, most)
        return Err((handle, handle))

    def stream_write(self, type_: int, handle: int, data: bytes) -> Any:
        pipe = self.pipes[handle]
        assert pipe.writing is None and not pipe.writer_closed
        if pipe.reader_closed:
            return Ok((_DROPPED, 0))
        if pipe.reading is not None:
            self.feed(pipe, data)
            return Ok((_COMPLETED, len(data)))
        pipe.writing = (handle, data)
        return Err((handle, handle))

    def stream_drop_readable(self, type_: int, handle: int) -> None:
        pipe = self.pipes[handle]
        assert pipe.reading is None, "closed with a read under way"
        pipe.reader_closed = True

    def stream_drop_writable(self, type_: int, handle: int) -> None:
        pipe = self.pipes[handle]
        assert pipe.writing is None, "closed with a write under way"
        pipe.writer_closed = True

    def _taken(self, pipe: Pipe, most: int) -> tuple[int, bytes]:
        data = bytes(pipe.buffer[:most])
        del pipe.buffer[:most]
        return (_COMPLETED if data else _DROPPED, data)

    async def _wait_for(self, nanoseconds: int) -> None:
        self.waits += 1
        handle = self._handle()
        self.timers[handle] = self.now + nanoseconds / 1e9
        await self.scheduler.await_result(Err((handle, handle)))

    def _handle(self) -> int:
        self._next += 1
        return self._next
