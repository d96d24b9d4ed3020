"""Everything of `fasterapi.pg`, for the tests of the host's Postgres."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Annotated, Any, NamedTuple

from fastapi import Body, Depends, FastAPI, Request, WebSocket
from fastapi.responses import StreamingResponse
from fasterapi.pg import (
    AsyncPg,
    AsyncPgPool,
    AsyncTx,
    CopyResponse,
    Pg,
    PgCanceled,
    PgError,
    PgPool,
    PgTimeout,
    PgUsageError,
    QueryResponse,
    copy_from_request,
)
from pydantic import BaseModel

app = FastAPI()
pool, readers, aio = PgPool("default"), None, AsyncPgPool("default")


def get_pg() -> Pg:
    return pool.get()


def get_aio() -> AsyncPg:
    return aio.get()


Database = Annotated[Pg, Depends(get_pg)]
AsyncDatabase = Annotated[AsyncPg, Depends(get_aio)]


def told(error: PgError) -> dict[str, Any]:
    return {"error": type(error).__name__, "message": error.message, "sqlstate": error.sqlstate}


@app.post("/sql")
def sql(pg: Database, statement: Annotated[str, Body()]):
    """Runs a statement; the rows' values as Python shows them."""
    try:
        return [[repr(value) for value in row] for row in pg.exec(statement)]
    except PgError as error:
        return told(error)


@app.get("/stream")
def stream(pg: Database, rows: int, stop: int | None = None):
    """Adds up rows that come one by one; stops early when told to."""
    count = total = 0
    for row in pg.stream("SELECT i, repeat('x', 100) AS pad FROM generate_series(1, $1::int) AS i", rows):
        count, total = count + 1, total + row.i
        if count == stop:
            break
    return {"count": count, "total": total}


@app.get("/exec-stream")
def exec_stream(pg: Database, rows: int):
    """The same through `exec`, as the seed has it."""
    result = pg.exec("SELECT i, repeat('x', 100) AS pad FROM generate_series(1, $1::int) AS i", rows)
    first = result.first()
    streamed = sum(row.i for row in result.stream())
    again = pg.exec("SELECT i, repeat('x', 100) AS pad FROM generate_series(1, $1::int) AS i", rows)
    return {"first": first and first.i, "total": streamed, "left": len(result), "length": len(again), "affected": again.affected}


@app.get("/tx-stream")
def tx_stream(pg: Database):
    """A stream within a transaction, other statements between its rows."""
    with pg.tx() as tx:
        tx.exec("CREATE TABLE doubled (i int)")
        for row in tx.stream("SELECT i FROM generate_series(1, 300) AS i WHERE i % $1 = 0", 3):
            tx.exec("INSERT INTO doubled VALUES ($1)", row.i * 2)
        try:
            tx.stream("INSERT INTO doubled VALUES (1) RETURNING i")
        except PgUsageError as error:
            refused = error.message
    return {"sum": pg.exec("SELECT sum(i)::int FROM doubled").scalar(), "refused": refused}


@app.get("/async-stream")
async def async_stream(pg: AsyncDatabase, rows: int):
    return {"total": sum([row[0] async for row in pg.stream("SELECT generate_series(1, $1::int)", rows)])}


class Point(NamedTuple):
    x: int
    y: int


@dataclass
class Pair:
    x: int
    y: int


class Model(BaseModel):
    x: int
    y: int


@app.get("/into")
def into(pg: Database):
    result = pg.exec("SELECT 1 AS x, 2 AS y")
    return [repr(result.into(kind)[0]) for kind in (Point, Pair, Model, dict, tuple)]


@app.post("/batch")
def batch(pg: Database, fail: bool = False):
    pg.exec("CREATE TABLE IF NOT EXISTS counted (i int PRIMARY KEY)")
    many = pg.executemany("INSERT INTO counted VALUES ($1) RETURNING i", [(i,) for i in range(10)])
    try:
        results = pg.batch(
            [
                ("INSERT INTO counted VALUES ($1)", [10]),
                ("INSERT INTO counted VALUES ($1)", [5 if fail else 11]),
                "SELECT count(*) AS n FROM counted",
            ]
        )
        told_batch: Any = [results[0].affected, results[2].one().n]
    except PgError as error:
        told_batch = told(error)
    return {"many": many.scalars(), "affected": many.affected, "batch": told_batch, "count": pg.exec("SELECT count(*) FROM counted").scalar()}


@app.get("/timeout")
def timeout(pg: Database, seconds: float):
    try:
        pg.exec("SELECT pg_sleep(60)", timeout=seconds)
    except PgTimeout as error:
        return told(error)


@app.post("/copy-in")
def copy_in(pg: Database, rows: int, fail: bool = False):
    pg.exec("CREATE TABLE IF NOT EXISTS copied (i int, t text, b bytea)")
    try:
        with pg.copy_in("COPY copied FROM STDIN") as pipe:
            for i in range(rows):
                pipe.write_row((i, f"tab\t\\ line\n ü {i}" if i % 2 else None, bytes([i % 256, 0, 255])))
            if fail:
                raise ValueError("half-way")
    except ValueError:
        pass
    return {"rows": pipe.rows, "count": pg.exec("SELECT count(*) FROM copied").scalar(), "odd": pg.exec("SELECT t FROM copied WHERE i = 1").scalar()}


@app.post("/copy-formats")
def copy_formats(pg: Database):
    pg.exec("CREATE TABLE formats (i int, t text, a int[])")
    rows = [(1, 'quote " comma , line\n', [1, None]), (2, None, []), (3, "", None)]
    with pg.copy_in("COPY formats FROM STDIN (FORMAT csv, DELIMITER ';')") as pipe:
        pipe.write_rows(rows)
    with pg.tx() as tx, tx.copy_in("COPY formats (i, t) FROM STDIN WITH (FORMAT binary)") as pipe:
        pipe.set_types(["int4", "text"])
        pipe.write_rows([(4, "binary"), (5, None)])
    out = b"".join(pg.copy_out("COPY formats TO STDOUT (FORMAT csv, HEADER)"))
    return {"rows": [list(row) for row in pg.exec("SELECT * FROM formats ORDER BY i")], "csv": out.decode()}


@app.post("/copy-garbage")
def copy_garbage(pg: Database):
    pg.exec("CREATE TABLE IF NOT EXISTS garbage (i int)")
    try:
        with pg.copy_in("COPY garbage FROM STDIN") as pipe:
            pipe.write("1\nx\n")
    except PgError as error:
        return {**told(error), "count": pg.exec("SELECT count(*) FROM garbage").scalar()}


@app.post("/copy-much")
def copy_much(pg: Database, mib: int):
    """Sends so much into a COPY whose rows the server throws away, and takes as much out of one."""
    pg.exec("CREATE TABLE IF NOT EXISTS much (t text)")
    line = "x" * 1023 + "\n"
    with pg.copy_in("COPY much FROM STDIN WHERE t IS NULL") as pipe:
        for _ in range(mib * 16):
            pipe.write(line * 64)
    taken = sum(map(len, pg.copy_out(f"COPY (SELECT repeat('x', 1023) FROM generate_series(1, {mib * 1024})) TO STDOUT")))
    return {"rows": pipe.rows, "taken": taken}


@app.get("/copy.csv")
def copy_csv(pg: Database, rows: int):
    return CopyResponse(pg, f"COPY (SELECT i, repeat('y', 100) FROM generate_series(1, {rows}) AS i) TO STDOUT (FORMAT csv)", filename="rows.csv")


@app.get("/query")
def query(pg: Database, rows: int, format: str = "json", statement: str = "SELECT i, 'n' || i AS name, i / 2.0 AS half FROM generate_series(1, $1::int) AS i"):
    return QueryResponse(pg, statement, rows, format=format)  # type: ignore[arg-type]


@app.get("/query-async")
async def query_async(pg: AsyncDatabase):
    return QueryResponse(pg, "SELECT 1 AS one")


@app.get("/broken-query")
def broken_query(pg: Database):
    return QueryResponse(pg, "SELECT 1 / (3 - i) AS i, repeat('z', 1000000) AS pad FROM generate_series(1, 10) AS i")


@app.get("/lost-query")
def lost_query(pg: Database):
    """Lends bodies that no response names."""
    for _ in range(3):
        QueryResponse(pg, "SELECT 1")
    return "ok"


@app.get("/too-many-queries")
def too_many_queries(pg: Database):
    try:
        for count in range(100):
            QueryResponse(pg, "SELECT 1")
    except PgError as error:
        return {"count": count, **told(error)}


@app.post("/upload")
async def upload(request: Request, pg: Database):
    pg.exec("CREATE TABLE IF NOT EXISTS uploaded (i int, t text)")
    try:
        return {"rows": await copy_from_request(request, pg, "COPY uploaded FROM STDIN (FORMAT csv)")}
    except PgError as error:
        return told(error)


@app.get("/gather")
async def gather(pg: AsyncDatabase, statements: int):
    """Statements side by side: all sleep until the last of them is there."""
    lock = "SELECT pg_advisory_xact_lock_shared(7), pg_backend_pid(), pg_sleep(0.05)"
    rows = await asyncio.gather(*[pg.exec(lock) for _ in range(statements)])
    return {"sessions": len({result.one()[1] for result in rows})}


@app.get("/cancelled")
async def cancelled(pg: AsyncDatabase):
    """A statement that is cancelled by asyncio ends on the server."""
    try:
        async with asyncio.timeout(0.1):
            await pg.exec("SELECT pg_sleep(60) /* to be cancelled */")
    except TimeoutError:
        pass
    running = "SELECT count(*) FROM pg_stat_activity WHERE state = 'active' AND query LIKE '%to be cancelled *%' AND pid <> pg_backend_pid()"
    for _ in range(500):
        if not (await pg.exec(running)).scalar():
            return "ended"
        await asyncio.sleep(0.01)
    return "still running"


@app.get("/sleeps")
def sleeps_a_while(pg: Database, seconds: float, timeout: float | None = None):
    try:
        pg.exec("SELECT pg_sleep($1)", seconds, timeout=timeout)
        return "slept"
    except PgTimeout as error:
        return error.message


@app.get("/two-transactions")
async def two_transactions():
    """Each waits for the row that the other has, while that waits for something else."""
    first, second = aio.get(), aio.get()
    await first.batch(["CREATE TABLE IF NOT EXISTS turn (id int PRIMARY KEY, taken text)", "TRUNCATE turn"])
    await first.exec("INSERT INTO turn VALUES (1, '')")
    holds = asyncio.Event()

    async def take(pg: AsyncPg, name: str) -> None:
        async with pg.tx() as tx:
            await tx.exec("UPDATE turn SET taken = taken || $1 WHERE id = 1", name)
            holds.set()
            await asyncio.sleep(0.1)

    async def take_later() -> None:
        await holds.wait()
        await take(second, "b")

    await asyncio.gather(take(first, "a"), take_later())
    return (await first.exec("SELECT taken FROM turn")).scalar()


async def sleeps(tx: AsyncPg) -> None:
    async with asyncio.timeout(0.1):
        await tx.exec("SELECT pg_sleep(60) /* to be cancelled */")


@app.get("/tx-timeout")
async def tx_timeout(pg: AsyncDatabase):
    """A statement of a transaction is given up, once with its savepoint and once with all of it."""
    await pg.batch(["CREATE TABLE IF NOT EXISTS kept (i int)", "TRUNCATE kept"])
    ended = []
    async with pg.tx() as tx:
        await tx.exec("INSERT INTO kept VALUES (1)")
        try:
            async with tx.tx() as inner:
                await inner.exec("INSERT INTO kept VALUES (2)")
                await sleeps(inner)
        except TimeoutError:
            ended.append("savepoint")
        await tx.executemany("INSERT INTO kept VALUES ($1)", [(3,), (4,)])
    try:
        async with pg.tx() as tx:
            await tx.exec("INSERT INTO kept VALUES (5)")
            await sleeps(tx)
    except TimeoutError:
        ended.append("transaction")
    return [*ended, (await pg.exec("SELECT i FROM kept ORDER BY i")).scalars()]


@app.get("/tx-gather")
async def tx_gather(pg: AsyncDatabase, retries: int = 0):
    """One of the statements of a transaction fails; the other is ended with it."""
    try:
        async with pg.tx(retries=retries) as tx:
            await asyncio.gather(tx.exec("SELECT pg_sleep(60) /* to be cancelled */"), fails_soon())
    except ZeroDivisionError:
        return (await pg.exec("SELECT 'goes on'")).scalar()


async def fails_soon() -> None:
    await asyncio.sleep(0.05)
    raise ZeroDivisionError


@app.get("/flows-aside")
async def flows_aside(pg: AsyncDatabase):
    """What takes longer lets others go on: how many seconds each took, and the ticks of another task meanwhile."""
    ticks = 0

    async def tick() -> None:
        nonlocal ticks
        while True:
            await asyncio.sleep(0.005)
            ticks += 1

    await pg.exec("CREATE TABLE IF NOT EXISTS flowed (i int, t text)")
    ticker = asyncio.create_task(tick())
    slow = "SELECT i, pg_sleep(0.02)::text, repeat('x', 70000) FROM generate_series(1, 10) AS i"
    heard = {}
    for name, flow in {
        "stream": lambda pg: pg.stream(slow),
        "copy": lambda pg: pg.copy_out(f"COPY ({slow}) TO STDOUT"),
        "batch": lambda pg: batched(pg),
    }.items():
        for where in (pg, pg.tx()):
            before, count = ticks, 0
            async with contextlib.AsyncExitStack() as stack:
                on = await stack.enter_async_context(where) if where is not pg else pg
                async for _ in flow(on):
                    count += 1
            heard[name] = heard.get(name, True) and count > 0 and ticks - before >= 5
    async with pg.tx() as tx:
        async with tx.copy_in("COPY flowed FROM STDIN") as pipe:
            for i in range(10):
                await pipe.write_row((i, "y" * 50_000))
        heard["copied"] = pipe.rows
        await tx.rollback()
    ticker.cancel()
    return heard


async def batched(pg: AsyncPg) -> AsyncIterator[Any]:
    yield await pg.batch(["SELECT 1", "SELECT pg_sleep(0.1)"])


@app.get("/cancelled-flows")
async def cancelled_flows(pg: AsyncDatabase):
    """Each kind of call, given up in its middle."""
    slow = "SELECT pg_sleep(60) /* to be cancelled */"
    await pg.exec("CREATE TABLE IF NOT EXISTS flowed (i int, t text)")

    async def rows() -> None:
        async for _ in pg.stream(slow):
            pass

    async def copied() -> None:
        async for _ in pg.copy_out(f"COPY ({slow}) TO STDOUT"):
            pass

    async def stored() -> None:
        async with pg.copy_in("COPY flowed FROM STDIN") as pipe:
            await pipe.write("1\tx\n" * 100_000)
            await asyncio.sleep(60)

    async def committed() -> None:
        async with pg.tx() as tx:
            await tx.exec("SET LOCAL idle_in_transaction_session_timeout = 0")
            await tx.exec(slow)

    given_up = []
    for call in (rows, copied, stored, committed, lambda: pg.batch([slow]), lambda: pg.executemany("SELECT pg_sleep($1)", [(60,)])):
        try:
            async with asyncio.timeout(0.1):
                await call()
        except TimeoutError:
            given_up.append(True)
    return [len(given_up), (await pg.exec("SELECT count(*) FROM flowed")).scalar()]


@app.get("/blocking-beside")
async def blocking_beside():
    """A call that holds all of the app would wait for one that can then not go on."""
    pg = pool.get()
    with pg.tx() as tx:
        other = asyncio.create_task(AsyncTx(tx).exec("SELECT pg_sleep(0.2)"))
        await asyncio.sleep(0.05)
        try:
            tx.exec("SELECT 1")
        except PgUsageError as error:
            refused = error.message
        await other
        return [refused, tx.exec("SELECT 2").scalar()]


@app.get("/many-transactions")
async def many_transactions(count: int):
    """Begun side by side: how many were, and what the others were told."""
    entered = await asyncio.gather(*[aio.get().tx().__aenter__() for _ in range(count)], return_exceptions=True)
    refused = [error for error in entered if isinstance(error, PgUsageError)]
    for tx in entered:
        if isinstance(tx, AsyncTx):
            await tx.rollback()
    return [len(entered) - len(refused), sorted({error.message for error in refused})]


@app.get("/forgotten")
async def forgotten(pg: AsyncDatabase):
    """More of each than may be open at a time, each forgotten; and a listener that the request leaves waiting."""
    for _ in range(12):
        async for _ in pg.copy_out("COPY (SELECT repeat('x', 1000) FROM generate_series(1, 100000)) TO STDOUT"):
            break
        pg.listen("forgotten")
    try:
        listener = pg.listen("forgotten")
        async with asyncio.timeout(0.02):
            await listener.aget()
    except TimeoutError:
        return "nothing"


@app.get("/left-waiting")
async def left_waiting(pg: AsyncDatabase):
    """Calls that the request does not wait for."""
    global kept
    kept = [asyncio.create_task(sleep_forever(aio.get(), within)) for within in (False, True)]
    await asyncio.sleep(0.05)
    return "open"


async def sleep_forever(pg: AsyncPg, within: bool) -> None:
    async with pg.tx() if within else contextlib.nullcontext(pg) as on:
        await on.exec("SELECT pg_sleep(60) /* to be left */")


@app.get("/held")
async def held(pg: AsyncDatabase, what: str):
    """Events that do not end by themselves, with something open."""
    slow = "SELECT i, pg_sleep(0.02)::text FROM generate_series(1, 100000) AS i /* held */"

    async def transaction() -> AsyncIterator[Any]:
        async with pg.tx() as tx, tx.tx():
            await tx.exec("UPDATE held SET i = i + 1")
            while True:
                yield 1
                await asyncio.sleep(0.02)

    async def waiting() -> AsyncIterator[Any]:
        async with pg.tx() as tx:
            await tx.exec("UPDATE held SET i = i + 1")
            yield 1
            await tx.exec("SELECT pg_sleep(60) /* held */")

    flows = {
        "transaction": transaction,
        "waiting": waiting,
        "listener": lambda: pg.listen("held"),
        "stream": lambda: pg.stream(slow),
        "copy": lambda: pg.copy_out(f"COPY ({slow}) TO STDOUT"),
    }

    async def events() -> AsyncIterator[str]:
        yield "data: begun\n\n"
        async for _ in flows[what]():
            yield "data: more\n\n"

    return StreamingResponse(events(), media_type="text/event-stream")


@app.websocket("/ws/turns")
async def turns(socket: WebSocket):
    """Takes the row, and gives it back when told."""
    await socket.accept()
    async with aio.get().tx() as tx:
        await socket.receive_text()
        taken = await tx.exec("UPDATE turn SET taken = taken || 'x' WHERE id = 1 RETURNING taken")
        await socket.send_text(f"took {taken.scalar()}")
        await socket.receive_text()
    await socket.send_text("gave")


@app.get("/listen")
async def listen(pg: AsyncDatabase, channel: str, count: int):
    """Server-sent events of what comes in."""

    async def events() -> AsyncIterator[str]:
        async with pg.listen(channel) as listener:
            yield "data: listening\n\n"
            heard = 0
            async for n in listener:
                yield f"data: {'gap' if n.gap else n.channel + ' ' + n.payload}\n\n"
                heard += 1
                if heard == count:
                    return

    return StreamingResponse(events(), media_type="text/event-stream")


@app.get("/listen-and-wait")
def listen_and_wait(pg: Database):
    with pg.listen("here", "There") as listener:
        nothing = listener.get(timeout=0.05)
        pg.exec("SELECT pg_notify('There', 'payload')")
        heard = listener.get(timeout=30)
    return [nothing, heard and heard[:2]]


@app.get("/leave-open")
def leave_open(pg: Database, what: str):
    """Leaves things open for the host to end."""
    global kept
    if what == "stream":
        kept = pg.stream("SELECT generate_series(1, 100000000)")
        return next(kept)[0]
    if what == "copy":
        pg.exec("CREATE TABLE IF NOT EXISTS left_open (i int)")
        kept = pg.copy_in("COPY left_open FROM STDIN")
        kept.write("1\n" * 40_000)
    elif what == "listener":
        kept = pg.listen("left")
    return "open"


kept: Any = None


@app.post("/transfer")
def transfer(pg: Database, retries: int = 0):
    """Write skew: each of two accounts may be overdrawn as long as their sum is not."""
    try:
        with pg.tx(isolation="serializable", retries=retries) as tx:
            total = tx.exec("SELECT sum(balance)::int FROM account").scalar()
            tx.exec("SELECT pg_sleep(0.01)")
            if total >= 100:
                tx.exec("UPDATE account SET balance = balance - 100 WHERE id = 1 + (random() * 0)::int")
        return {"done": total >= 100}
    except PgError as error:
        return told(error)


@app.get("/seen/{item}")
def seen(pg: Database, item: int):
    return pg.exec("SELECT $1::int AS item, current_setting('app.tenant_id', true) AS tenant", item).one().dict()


__all__ = ["PgCanceled", "app"]
