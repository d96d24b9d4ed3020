"""The Postgres benchmark's routes on `fasterapi.pg`. `peers/` has the same on asyncpg and psycopg."""

from fastapi import FastAPI, Request
from fastapi.responses import HTMLResponse, Response, StreamingResponse
from fasterapi.pg import CopyResponse, PgPool, QueryResponse, copy_from_request
from shapes import (
    FORTUNES,
    READINGS,
    First,
    Queries,
    Reading,
    World,
    fortune_page,
    microseconds,
    new_number,
    world_id,
    world_ids,
)

SELECT = 'SELECT id, randomnumber AS "randomNumber" FROM world WHERE id = $1'
UPDATE = "UPDATE world SET randomnumber = $1 WHERE id = $2"
COPY_OUT = "COPY stored TO STDOUT (FORMAT csv)"
COPY_IN = "COPY copied FROM STDIN (FORMAT csv)"

pool = PgPool("default")
app = FastAPI()


@app.get("/db")
def db(first: First = None) -> World:
    return World(**pool.get().exec(SELECT, world_id(first)).one())


@app.get("/queries")
def queries(queries: Queries = 1, first: First = None) -> list[World]:
    return pool.get().executemany(SELECT, [(number,) for number in world_ids(queries, first)]).models(World)


@app.get("/fortunes", response_class=HTMLResponse)
def fortunes() -> str:
    return fortune_page(pool.get().exec(FORTUNES).tuples())


@app.get("/updates")
def updates(queries: Queries = 1, first: First = None) -> list[World]:
    pg = pool.get()
    worlds = pg.executemany(SELECT, [(number,) for number in world_ids(queries, first)]).models(World)
    for world in worlds:
        world.randomNumber = new_number(first)
    pg.executemany(UPDATE, [(world.randomNumber, world.id) for world in worlds])
    return worlds


@app.get("/rows")
def rows() -> Response:
    return QueryResponse(pool.get(), READINGS)


@app.get("/rows/models", response_model=list[Reading])
def row_models():
    return pool.get().exec(READINGS).into(dict)


@app.get("/copy")
def copy_out() -> Response:
    return CopyResponse(pool.get(), COPY_OUT)


@app.post("/copy")
async def copy_in(request: Request) -> int:
    return await copy_from_request(request, pool.get(), COPY_IN)


@app.get("/copy/python")
def copy_out_of_python() -> Response:
    return StreamingResponse(pool.get().copy_out(COPY_OUT), media_type="text/csv")


@app.post("/copy/python")
async def copy_in_of_python(request: Request) -> int | None:
    with pool.get().copy_in(COPY_IN) as pipe:
        async for chunk in request.stream():
            pipe.write(chunk)
    return pipe.rows


@app.get("/parts/select")
def time_select(count: int) -> float:
    pg = pool.get()
    return microseconds(lambda number: pg.exec(SELECT, number).one(), count)


@app.get("/parts/rows")
def time_rows(count: int) -> float:
    pg = pool.get()
    return microseconds(lambda _: pg.exec(READINGS).tuples(), count)
