"""The event loop over the component model: what asyncio promises, and what the model demands."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import Coroutine
from contextvars import ContextVar
from typing import Any

import pytest
from fake_host import FakeHost, Task

from fasterapi._wasm.calls import LINGER

setting: ContextVar[str] = ContextVar("setting", default="clean")


def answer(host: FakeHost, coroutine: Coroutine[Any, Any, Any], seconds: float = 60.0) -> Any:
    task = host.call(coroutine)
    host.run(seconds)
    assert task.exited
    return task.value


def test_a_call_that_does_not_wait_costs_no_set(host: FakeHost) -> None:
    async def work() -> int:
        return 7

    task = host.call(work())
    assert task.exited and task.value == 7
    assert host.sets_made == 0 and host.waits == 0


def test_sleep_takes_its_time(host: FakeHost) -> None:
    async def work() -> float:
        before = host.loop.time()
        await asyncio.sleep(2.5)
        return host.loop.time() - before

    assert answer(host, work()) == pytest.approx(2.5, abs=0.01)


def test_gather_task_groups_and_timeouts(host: FakeHost) -> None:
    async def work() -> list[Any]:
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(asyncio.sleep(number / 10, number)) for number in range(5)]
        try:
            async with asyncio.timeout(0.5):
                await asyncio.sleep(60)
        except TimeoutError:
            late = "timeout"
        return [[task.result() for task in tasks], late, await asyncio.gather(asyncio.sleep(0.2, "a"), asyncio.sleep(0.1, "b"))]

    assert answer(host, work()) == [[0, 1, 2, 3, 4], "timeout", ["a", "b"]]
    assert host.now == pytest.approx(1001.1, abs=0.01)


def test_one_call_makes_others_ready(host: FakeHost) -> None:
    event = asyncio.Event()

    async def wait() -> str:
        await event.wait()
        return "waited"

    async def fire() -> str:
        event.set()
        return "fired"

    first, second = host.call(wait()), host.call(wait())
    host.settle()
    assert not first.returned and not second.returned
    third = host.call(fire())
    assert third.exited
    host.settle()
    assert first.exited and second.exited and first.value == second.value == "waited"


def test_channels_between_calls_are_used_again(host: FakeHost) -> None:
    async def wait(event: asyncio.Event) -> None:
        await event.wait()

    async def fire(event: asyncio.Event) -> None:
        event.set()

    for _ in range(10):
        event = asyncio.Event()
        waiting = host.call(wait(event))
        host.call(fire(event))
        host.settle()
        assert waiting.exited
    assert len(host.pipes) == 2


def test_many_sleepers_all_wake(host: FakeHost) -> None:
    tasks = [host.call(asyncio.sleep(0.1 + number % 7 / 10, number)) for number in range(50)]
    host.run()
    assert [task.value for task in tasks] == list(range(50))
    assert all(task.exited for task in tasks)


def test_a_later_sleeper_survives_the_end_of_the_call_that_set_the_alarm(host: FakeHost) -> None:
    short, long = host.call(asyncio.sleep(1)), host.call(asyncio.sleep(2))
    host.run()
    assert short.exited and long.exited


def test_waits_under_way_are_few(host: FakeHost) -> None:
    async def work() -> None:
        for _ in range(100):
            async with asyncio.timeout(30):
                await asyncio.sleep(0)

    answer(host, work())
    assert host.waits == 0
    tasks = [host.call(asyncio.sleep(5)) for _ in range(20)]
    assert host.waits == 1
    host.run()
    assert all(task.exited for task in tasks)


def test_cancelled_timers_do_not_pile_up(host: FakeHost) -> None:
    async def work() -> int:
        for _ in range(1000):
            host.loop.call_later(30, print).cancel()
        await asyncio.sleep(0.001)
        return len(host.loop._scheduled)

    assert answer(host, work()) < 10


def test_contexts_do_not_leak_between_calls(host: FakeHost) -> None:
    async def work() -> str:
        before = setting.get()
        setting.set("dirty")
        await asyncio.sleep(0.1)
        return before

    assert [answer(host, work()) for _ in range(2)] == ["clean", "clean"]


def test_work_after_the_result_keeps_the_call(host: FakeHost) -> None:
    from componentize_py_types import Ok

    done: list[str] = []

    def work(resolve: Any) -> Coroutine[Any, Any, None]:
        async def run() -> None:
            resolve(Ok("early"))
            await asyncio.sleep(1)
            done.append("late")

        return run()

    task = host.call(work)
    assert task.returned and not task.exited and not done
    host.run()
    assert task.exited and done == ["late"]


def test_tasks_left_behind_keep_the_call_for_a_while(host: FakeHost) -> None:
    done: list[str] = []

    async def behind(seconds: float) -> None:
        await asyncio.sleep(seconds)
        done.append("done")

    async def work(seconds: float) -> None:
        host.scheduler.loop.left = host.loop.create_task(behind(seconds))  # type: ignore[attr-defined]

    def leave(seconds: float) -> Task:
        return host.call(work(seconds))

    task = leave(3)
    assert task.returned
    host.run()
    assert done == ["done"] and task.exited and host.now == pytest.approx(1003, abs=0.1)
    task = leave(1000)
    host.run()
    assert task.exited and host.now == pytest.approx(1003 + LINGER, abs=0.1) and len(done) == 1


def test_what_start_up_leaves_running_goes_on_during_later_calls(host: FakeHost) -> None:
    ticks: list[float] = []

    async def tick() -> None:
        while True:
            await asyncio.sleep(1)
            ticks.append(host.now)

    from contextvars import Context

    async def start() -> None:
        host.loop.ticking = Context().run(host.loop.create_task, tick())  # type: ignore[attr-defined]

    task = host.call(start())
    assert task.exited
    host.run()
    assert ticks == []
    answer(host, asyncio.sleep(3.5))
    assert len(ticks) == 3
    host.loop.ticking.cancel()  # type: ignore[attr-defined]
    answer(host, asyncio.sleep(0))


def test_a_spinning_task_lets_others_in(host: FakeHost) -> None:
    stop: list[bool] = []

    async def spin() -> str:
        while not stop:
            await asyncio.sleep(0)
        return "stopped"

    async def halt() -> None:
        stop.append(True)

    spinning = host.call(spin())
    assert not spinning.returned
    host.call(halt())
    host.settle()
    assert spinning.value == "stopped" and spinning.exited


def test_the_host_has_its_turn(host: FakeHost) -> None:
    from componentize_py_types import Ok

    order: list[str] = []

    def work(resolve: Any) -> Coroutine[Any, Any, None]:
        async def run() -> None:
            resolve(Ok(None))
            await host.scheduler.host_turn()
            order.append("after")

        return run()

    task = host.call(work)
    assert task.returned and order == []
    host.settle()
    assert order == ["after"] and task.exited


def test_errors_are_results(host: FakeHost) -> None:
    from componentize_py_types import Err

    async def work() -> None:
        raise Err("no")

    task = host.call(work())
    assert task.exited and isinstance(task.result, Err) and task.result.value == "no"


def test_an_exception_in_a_callback_does_not_end_the_instance(host: FakeHost, caplog: pytest.LogCaptureFixture) -> None:
    async def work() -> str:
        def bad() -> None:
            raise SystemExit(3)

        host.loop.call_soon(bad)
        host.loop.call_soon(lambda: 1 / 0)
        await asyncio.sleep(0.1)
        return "alive"

    assert answer(host, work()) == "alive"
    assert "tried to end the process" in caplog.text and "ZeroDivisionError" in caplog.text


def test_functions_run_outside_the_loop(host: FakeHost) -> None:
    def blocking() -> str:
        with pytest.raises(RuntimeError):
            asyncio.get_running_loop()
        return setting.get()

    async def work() -> list[Any]:
        setting.set("mine")
        current = asyncio.current_task()
        return [await asyncio.to_thread(blocking), asyncio.current_task() is current]

    assert answer(host, work()) == ["mine", True]


def test_nothing_is_kept_of_a_call(host: FakeHost) -> None:
    from fasterapi._wasm.calls import Call

    async def work() -> None:
        await asyncio.sleep(0.01)

    for _ in range(20):
        answer(host, work())
    gc.collect()
    assert not [thing for thing in gc.get_objects() if isinstance(thing, Call)]
    assert not host.scheduler._operations and not host.scheduler._homeless and not host.scheduler._asleep
