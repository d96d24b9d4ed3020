"""Everything of `fasterapi.pg`, for the tests of the host's Postgres."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Annotated, Any, NamedTuple

from fastapi import Body, Depends, FastAPI, Request
from fastapi.responses import StreamingResponse
from fasterapi.pg import (
    AsyncPg,
    AsyncPgPool,
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
        kept.write("1\n")
        kept._flush()
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
