"""Calls of the component's exports over one event loop.

The component model wakes one *call* (a task of the model) at a time: the one whose waitable set got an event. asyncio knows
nothing of that: any task may make any other ready. The rules that join the two:

- There is one ready queue. Whichever call is awake runs everything that is ready, whosever it is.
- Only an awake call can give its own result. A result for a sleeping call is put down and the call is *woken*: a byte written
  into a stream within the component, whose reading end was joined to the sleeper's set. Made only when one call
  has to wake another, so a lone request never pays for it.
- A waitable (a stream, a timer) is joined to the set of the call whose context started it, or else of the call that is
  awake. A call that ends hands its waitables on to another, or leaves them for the next call that waits.
- A call ends when its work is done and the asyncio tasks that it left behind have ended, or have had their time. What it holds
  then (`holdings`) is taken from it.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable, Coroutine
from contextvars import Context, ContextVar
from typing import Any, ClassVar, Protocol

from .alarm import Alarm
from .loop import Loop

_EXIT, _YIELD, _WAIT = 0, 1, 2
_SUBTASK = 1
_RETURNED = 2
EAGER: dict[str, Any] = {"eager_start": True} if sys.version_info >= (3, 12) else {}
"""Has a task run at once until it waits for something."""

LINGER = 10.0
"""Seconds that asyncio tasks left behind by a request may keep its call alive."""

current_call: ContextVar[Call | None] = ContextVar("fasterapi_call", default=None)


class Holding(Protocol):
    """Something that must not outlive the call in which it was made."""

    def abandon(self) -> None:
        """Ends it. Raises nothing, and does not wait."""


def holdings() -> set[Holding]:
    """What the call under way holds: to be added to, and taken from when it is ended in order."""
    call = current_call.get()
    if call is not None and call.done:  # a task that outlived its call: it lives on time of the call that is awake
        call = call.scheduler.awake
    if call is None:
        call = uncalled.call
    if call is None or call.done:
        return uncalled.held
    if call.holdings is None:
        call.holdings = set()
    return call.holdings


class Uncalled:
    """What runs in no call of the scheduler's holds: a plan of the compiled lane, which is called without one."""

    def __init__(self) -> None:
        self.held: set[Holding] = set()
        self.call: Call | None = None
        """The call in which it goes on."""

    def end(self) -> None:
        """Its request is over."""
        held, self.held = self.held, set()
        for holding in held:
            holding.abandon()

    def hand_over(self) -> None:
        """Its request goes on in the call under way."""
        self.call = call = current_call.get()
        if call is not None:
            call.holdings, self.held = self.held, set()


uncalled = Uncalled()


class Call:
    """One call of an export."""

    __slots__ = ("_borrows", "_index", "adopts", "asleep", "done", "holdings", "joined", "leftovers", "result", "scheduler", "set", "task", "woken")

    def __init__(self, scheduler: Scheduler, index: int, borrows: int) -> None:
        self.scheduler = scheduler
        self._index = index
        self._borrows = borrows
        self.set = 0
        self.joined = 0
        self.asleep = False
        self.woken = False
        self.done = False
        self.result: Any = None
        self.leftovers: set[asyncio.Task[Any]] | None = None
        self.holdings: set[Holding] | None = None
        self.adopts: Callable[[asyncio.Task[Any]], bool] | None = None
        self.task: asyncio.Task[Any]

    def resolve(self, result: Any) -> None:
        """Gives the call's result (`Ok` or `Err`), now or as soon as the call is awake. To be called once."""
        self.result = result
        if self.scheduler.awake is self:
            self.give()
        else:
            self.scheduler.wake(self)

    def give(self) -> None:
        """Hands the result to the host."""
        result, self.result = self.result, None
        self.scheduler.runtime.call_task_return(self._index, self._borrows, result)

    def wake(self, _task: Any = None) -> None:
        """Has the host resume this call."""
        self.scheduler.wake(self)


class _Operation:
    """A waitable that is under way, and who wants to know."""

    __slots__ = ("call", "future", "promise")

    def __init__(self, promise: int, future: asyncio.Future[Any] | None, call: Call | None) -> None:
        self.promise = promise
        self.future = future
        self.call = call


class _Cancellable(asyncio.Future[Any]):
    """The outcome of a call that the host can cancel: to cancel it is to ask the host, and it is over when the host says so. Whoever
    awaits it knows then that nothing of the call goes on.

    Cancelled once more it is given up: a cancel scope of anyio's cancels what is in it at every turn of the loop, and keeps the host
    from getting one.
    """

    def __init__(self, ask: Callable[[], None], loop: Loop) -> None:
        super().__init__(loop=loop)
        self._ask = ask
        self.asked = False
        self.ending = False
        """Whether the host was asked to end the call, in the name of this or of what it serves."""
        self.over = False
        """Whether the host has ended it."""
        self.then: Callable[[], None] | None = None
        """Called when that comes after the giving up."""

    def cancel(self, msg: Any = None) -> bool:
        """Asks the host."""
        if self.done() or self.asked:
            return super().cancel(msg)
        self.asked = self.ending = True
        self._ask()
        return True

    def end(self, result: Any) -> None:
        """The host is done. An answer that came in spite of it is lost, as that of any task that is cancelled."""
        self.over = True
        if self.asked:
            super().cancel()
        else:
            self.set_result(result)
        if self.then is not None:
            self.then()


class cancelling:
    """The host's call that is awaited within is cancelled by `ask`. `ended` is called when it has ended, at the end of the block or
    later."""

    __slots__ = ("ask", "ended", "future")

    _next: ClassVar[cancelling | None] = None

    def __init__(self, ask: Callable[[], None], ended: Callable[[], None]) -> None:
        self.ask = ask
        self.ended = ended
        self.future: _Cancellable | None = None

    def __enter__(self) -> None:
        cancelling._next = self

    def __exit__(self, *_error: object) -> None:
        if cancelling._next is self:  # it ended at once, or never began
            cancelling._next = None
        if self.future is None or self.future.over:
            self.ended()
        else:
            self.future.then = self.ended

    def end(self) -> None:
        """Asks, in the name of what the call serves: who awaits it is told that it was cancelled."""
        if self.future is not None:
            self.future.ending = True
        self.ask()

    @classmethod
    def future_of_next(cls, loop: Loop) -> asyncio.Future[Any]:
        """The future of the call that begins to be awaited."""
        own, cls._next = cls._next, None
        if own is None:
            return loop.create_future()
        own.future = _Cancellable(own.ask, loop)
        return own.future


class Scheduler:
    """Drives the loop from the component's exports. One per instance."""

    def __init__(self, runtime: Any, types: Any, loop: Loop, wait_for: Callable[[int], Coroutine[Any, Any, None]]) -> None:
        self.runtime = runtime
        self.loop = loop
        self.awake: Call | None = None
        self.before_sleep: list[Callable[[], None]] = []
        """Called, and emptied, when nothing is ready any more: for what may wait that long but no longer."""
        self.ok = types.Ok
        self._alarm = Alarm(loop, wait_for)
        self._operations: dict[int, _Operation] = {}
        loop.under_way = self._operations
        self._homeless: list[int] = []
        self._asleep: dict[Call, None] = {}
        self._spare_sets: list[int] = []
        self._channels: list[tuple[int, int]] = []
        self._writers: dict[int, int] = {}
        self._after_yield: list[asyncio.Future[None]] = []
        self.stream_type = -1

    # --- what the generated bindings call ---

    def first_poll(self, index: int, borrows: int, work: Any) -> int:
        """Starts a call. `work` is a coroutine of its result, or takes `resolve` and returns a coroutine."""
        call = Call(self, index, borrows)
        context = Context()
        context.run(current_call.set, call)
        self.awake = call
        coroutine = work(call.resolve) if callable(work) else _answer(work, call.resolve)
        call.task = asyncio.Task(coroutine, loop=self.loop, context=context, **EAGER)
        if call.task.done() and call.adopts is None and not call.joined and not self._has_work():
            call.leftovers = set()
        if not call.task.done():
            call.task.add_done_callback(call.wake)  # another call may drive it to its end
        return self._drive(call)

    def callback(self, event: int, waitable: int, payload: int) -> int:
        """Resumes a call with an event of its waitable set, or with none after it yielded."""
        call: Call = self.runtime.context_get()
        self.runtime.context_set(None)
        self._asleep.pop(call, None)
        call.asleep = False
        self.awake = call
        if call.result is not None:
            call.give()
        if waitable:
            self._deliver(event, waitable, payload)
        if self._after_yield:
            self._resume_yielded()
        return self._drive(call)

    async def await_result(self, result: Any) -> Any:
        """The value of an import call that may be under way still."""
        if type(result) is self.ok:
            return result.value
        waitable, promise = result.value
        return await self._watch(waitable, promise, cancelling.future_of_next(self.loop))

    def watch(self, waitable: int, promise: int) -> asyncio.Future[Any]:
        """A future of the outcome of an operation under way. Cancelling it does not stop the operation."""
        return self._watch(waitable, promise, self.loop.create_future())

    def _watch(self, waitable: int, promise: int, future: asyncio.Future[Any]) -> asyncio.Future[Any]:
        call = current_call.get()
        if call is None or call.done:
            call = self.awake
        self._operations[waitable] = operation = _Operation(promise, future, call)
        self._join(waitable, operation, call)
        return future

    def spawn(self, coroutine: Coroutine[Any, Any, Any]) -> None:
        """Runs a coroutine beside the call that is awake."""
        self.loop.create_task(coroutine)

    async def host_turn(self) -> None:
        """Lets the host go on first, for instance with sending a response that was just given."""
        future = self.loop.create_future()
        self._after_yield.append(future)
        await future

    # --- the turn of a call ---

    def _drive(self, call: Call) -> int:
        self.loop.poll()
        if self.before_sleep:
            self._run_before_sleep()
        if call.task.done() and not self._lingers(call):
            self._take_holdings(call)
            if not self._ends(call):
                return self._exit(call)
        if not self._has_work():
            self._alarm.arm()
        if self._has_work():
            self.runtime.context_set(call)
            self.awake = None
            return _YIELD
        return self._sleep(call)

    def _has_work(self) -> bool:
        return self.loop.has_ready or bool(self._after_yield)

    def _sleep(self, call: Call) -> int:
        self._own_set(call)
        if self._homeless:
            self._adopt(call)
        self.runtime.context_set(call)
        self._asleep[call] = None
        call.asleep = True
        self.awake = None
        return _WAIT | (call.set << 4)

    def _exit(self, call: Call) -> int:
        if self._asleep:  # they rely on somebody having set the alarm
            self._alarm.arm()
        call.done = True
        if uncalled.call is call:
            uncalled.call = None
        del call.task  # it holds the context, which holds the call
        self.awake = None
        if call.set:
            self._give_up_set(call)
        if self._asleep and self._has_work():
            self.wake(next(iter(self._asleep)))
        return _EXIT

    def _run_before_sleep(self) -> None:
        actions, self.before_sleep[:] = self.before_sleep[:], []
        for action in actions:
            action()
        self.loop.poll()

    def _resume_yielded(self) -> None:
        futures, self._after_yield = self._after_yield, []
        for future in futures:
            if not future.done():
                future.set_result(None)

    # --- tasks left behind ---

    def _lingers(self, call: Call) -> bool:
        if call.leftovers is None:
            call.leftovers = self._find_leftovers(call)
            if call.leftovers:
                self.loop.call_later(LINGER, self._abandon, call)
        elif call.leftovers:
            call.leftovers = {task for task in call.leftovers if not task.done()}
        return bool(call.leftovers)

    def _find_leftovers(self, call: Call) -> set[asyncio.Task[Any]]:
        leftovers = set()
        for task in asyncio.all_tasks(self.loop):
            origin = _context_of(task).get(current_call)
            adopted = origin is None and call.adopts is not None and call.adopts(task)
            if task is not call.task and (origin is call or adopted) and task not in self.loop.servants:
                task.add_done_callback(call.wake)
                leftovers.add(task)
        return leftovers

    def _take_holdings(self, call: Call) -> None:
        holdings, call.holdings = call.holdings, None
        for holding in holdings or ():
            holding.abandon()

    def _ends(self, call: Call) -> bool:
        """Whether the host is about to end what the call has cancelled."""
        futures = (operation.future for operation in self._operations.values() if operation.call is call) if call.joined else ()
        return any(type(future) is _Cancellable and future.ending for future in futures)

    def _abandon(self, call: Call) -> None:
        call.leftovers = set()
        self.wake(call)

    # --- waitables and sets ---

    def _own_set(self, call: Call) -> int:
        if not call.set:
            call.set = self._spare_sets.pop() if self._spare_sets else self.runtime.waitable_set_new()
        return call.set

    def _join(self, waitable: int, operation: _Operation, call: Call | None) -> None:
        operation.call = call
        if call is None:
            self.runtime.waitable_join(waitable, 0)
            self._homeless.append(waitable)
        else:
            self.runtime.waitable_join(waitable, self._own_set(call))
            call.joined += 1

    def _adopt(self, call: Call) -> None:
        homeless, self._homeless = self._homeless, []
        for waitable in homeless:
            self._join(waitable, self._operations[waitable], call)

    def _give_up_set(self, call: Call) -> None:
        if call.joined:
            heir = next(iter(self._asleep), None)
            for waitable, operation in self._operations.items():
                if operation.call is call:
                    self._join(waitable, operation, heir)
        self._spare_sets.append(call.set)
        call.set = 0

    def _deliver(self, event: int, waitable: int, payload: int) -> None:
        if event == _SUBTASK and payload < _RETURNED:
            return
        operation = self._operations.pop(waitable)
        self.runtime.waitable_join(waitable, 0)
        if event == _SUBTASK:
            self.runtime.subtask_drop(waitable)
        call, future = operation.call, operation.future
        if call is not None:
            call.joined -= 1
        value = self.runtime.promise_get_result(payload, operation.promise)
        if future is None:
            self._channels.append((waitable, self._writers[waitable]))
            if call is not None:
                call.woken = False
        elif type(future) is _Cancellable:
            future.end(value)
        elif not future.done():
            future.set_result(value)

    # --- waking another call ---

    def wake(self, call: Call) -> None:
        """Has the host resume a sleeping call. Nothing happens to one that is awake or will be anyway."""
        if not call.asleep or call.woken:
            return
        call.woken = True
        reader, writer = self._channels.pop() if self._channels else self._new_channel()
        pending = self.runtime.stream_read(self.stream_type, reader, 1)
        operation = _Operation(pending.value[1], None, call)
        self._operations[reader] = operation
        self._join(reader, operation, call)
        self.runtime.stream_write(self.stream_type, writer, b"\0")

    def _new_channel(self) -> tuple[int, int]:
        pair = self.runtime.stream_new(self.stream_type)
        reader, writer = pair & 0xFFFFFFFF, pair >> 32
        self._writers[reader] = writer
        return reader, writer


async def _answer(coroutine: Coroutine[Any, Any, Any], resolve: Callable[[Any], None]) -> None:
    from componentize_py_types import Err, Ok

    try:
        result: Any = Ok(await coroutine)
    except Err as error:
        result = error
    resolve(result)


if sys.version_info >= (3, 12):

    def _context_of(task: asyncio.Task[Any]) -> Context:
        return task.get_context()

else:

    def _context_of(task: asyncio.Task[Any]) -> Context:
        return Context()
