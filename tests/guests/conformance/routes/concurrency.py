"""What asyncio and anyio do inside a request."""

import asyncio
import contextvars
import time
from concurrent.futures import ThreadPoolExecutor

import anyio
from fastapi import APIRouter, BackgroundTasks
from starlette.concurrency import run_in_threadpool

router = APIRouter(prefix="/concurrency")
VISITOR: contextvars.ContextVar[str] = contextvars.ContextVar("visitor", default="nobody")
DONE: list[str] = []


async def double(number: int) -> int:
    await asyncio.sleep(0.01)
    return number * 2


@router.get("/sleep")
async def sleep(seconds: float = 0.01):
    before = time.monotonic()
    await asyncio.sleep(seconds)
    return {"slept": time.monotonic() - before >= seconds * 0.5}


@router.get("/gather")
async def gather():
    return await asyncio.gather(*(double(number) for number in range(20)))


@router.get("/overlap")
async def overlap():
    """Fifty sleeps at once take far less than fifty sleeps in a row: they overlap, whatever the machine's load."""
    order: list[int] = []

    async def wait(number: int):
        await asyncio.sleep(0.05 - number / 1000)
        order.append(number)

    await asyncio.gather(*(wait(number) for number in range(0, 50, 10)))
    return order


@router.get("/gather-errors")
async def gather_errors():
    async def fail():
        await asyncio.sleep(0)
        raise ValueError("failed")

    results = await asyncio.gather(double(1), fail(), return_exceptions=True)
    return [repr(result) for result in results]


@router.get("/wait-for")
async def wait_for():
    try:
        await asyncio.wait_for(asyncio.sleep(3600), 0.01)
    except TimeoutError:
        return {"timed_out": True, "in_time": await asyncio.wait_for(double(4), 60)}


@router.get("/timeout")
async def timeout():
    try:
        async with asyncio.timeout(0.01):
            await asyncio.Event().wait()
    except TimeoutError:
        return {"timed_out": True}


@router.get("/task-group")
async def task_group():
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(double(number)) for number in range(5)]
    return [task.result() for task in tasks]


@router.get("/task-group-fails")
async def task_group_fails():
    cancelled: list[int] = []

    async def patient(number: int):
        try:
            await asyncio.sleep(3600)
        except asyncio.CancelledError:
            cancelled.append(number)
            raise

    async def fail():
        await asyncio.sleep(0.01)
        raise ValueError("failed")

    try:
        async with asyncio.TaskGroup() as group:
            group.create_task(patient(1))
            group.create_task(patient(2))
            group.create_task(fail())
    except ExceptionGroup as errors:
        return {"errors": [str(error) for error in errors.exceptions], "cancelled": sorted(cancelled)}


@router.get("/anyio")
async def with_anyio():
    results: list[int] = []

    async def work(number: int):
        await anyio.sleep(0.01)
        results.append(number)

    with anyio.move_on_after(0.05) as scope:
        async with anyio.create_task_group() as group:
            for number in range(3):
                group.start_soon(work, number)
            await anyio.sleep_forever()
    return {"results": sorted(results), "cancelled": scope.cancelled_caught}


@router.get("/queue")
async def queue():
    numbers: asyncio.Queue[int | None] = asyncio.Queue(2)

    async def produce():
        for number in range(10):
            await numbers.put(number)
        await numbers.put(None)

    producer = asyncio.create_task(produce())
    taken = []
    while (number := await numbers.get()) is not None:
        taken.append(number)
    await producer
    return taken


@router.get("/locks")
async def locks():
    lock, semaphore, order = asyncio.Lock(), asyncio.Semaphore(2), []

    async def enter(number: int):
        async with semaphore, lock:
            order.append(number)
            await asyncio.sleep(0)

    await asyncio.gather(*(enter(number) for number in range(6)))
    return order


@router.get("/threads")
async def threads():
    """Off-loaded calls: real threads natively, done in place in the sandbox. The results are the same."""
    return [await asyncio.to_thread(sum, [1, 2]), await run_in_threadpool(max, 3, 4), await anyio.to_thread.run_sync(abs, -5)]


@router.get("/context")
async def context(name: str | None = None):
    """Sets a context variable for this request only."""
    before = VISITOR.get()
    if name:
        VISITOR.set(name)
    inner = await asyncio.create_task(_visitor())
    return {"before": before, "after": VISITOR.get(), "inner": inner}


async def _visitor() -> str:
    await asyncio.sleep(0)
    return VISITOR.get()


@router.get("/loop-time")
async def loop_time():
    loop = asyncio.get_running_loop()
    fired: list[str] = []
    loop.call_later(0.02, fired.append, "second")
    loop.call_soon(fired.append, "first")
    await asyncio.sleep(0.05)
    return fired


@router.get("/background")
async def background(tasks: BackgroundTasks, token: str, seconds: float = 0.0):
    async def later():
        await asyncio.sleep(seconds)
        DONE.append(token)
        print(f"{token} done in the background")

    tasks.add_task(later)
    tasks.add_task(print, f"{token} and then the second task")
    return {"done": token in DONE}


@router.get("/background-fails")
async def background_fails(tasks: BackgroundTasks, token: str):
    def fail():
        raise RuntimeError(f"{token} failed in the background")

    tasks.add_task(fail)
    return {"token": token}


@router.get("/left-behind")
async def left_behind(token: str):
    """A task that outlives its request."""

    async def later():
        await asyncio.sleep(0.05)
        print(f"{token} left behind but done")

    task = asyncio.create_task(later())
    return {"done": task.done()}


@router.get("/thread-pool")
async def thread_pool():
    """What is meant for a thread runs, in the order in which it was submitted, and outside of the event loop."""
    with ThreadPoolExecutor(2) as pool:
        squares = list(pool.map(lambda n: n * n, range(5)))
        failed = pool.submit(int, "x")
        nested = pool.submit(asyncio.run, asyncio.sleep(0, "slept"))
    in_loop = await asyncio.get_running_loop().run_in_executor(ThreadPoolExecutor(), len, "abc")
    return {"squares": squares, "failed": str(failed.exception()), "nested": nested.result(), "in_loop": in_loop}
