"""The routes of `main.py` on asyncpg."""

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import asyncpg
import orjson
from fastapi import FastAPI
from fastapi.responses import HTMLResponse, Response
from shapes import FORTUNES, READINGS, First, Queries, Reading, World, fortune_page, new_number, world_id, world_ids

SELECT = 'SELECT id, randomnumber AS "randomNumber" FROM world WHERE id = $1'
UPDATE = "UPDATE world SET randomnumber = $1 WHERE id = $2"

pool: asyncpg.Pool


@asynccontextmanager
async def lifespan(_: FastAPI) -> AsyncIterator[None]:
    global pool
    async with asyncpg.create_pool(os.environ["DATABASE_URL"], min_size=10, max_size=10) as pool:
        yield


app = FastAPI(lifespan=lifespan)


@app.get("/db")
async def db(first: First = None) -> World:
    return World(**await pool.fetchrow(SELECT, world_id(first)))


@app.get("/queries")
async def queries(queries: Queries = 1, first: First = None) -> list[World]:
    rows = await pool.fetchmany(SELECT, [(number,) for number in world_ids(queries, first)])
    return [World(**row) for row in rows]


@app.get("/fortunes", response_class=HTMLResponse)
async def fortunes() -> str:
    return fortune_page(await pool.fetch(FORTUNES))


@app.get("/updates")
async def updates(queries: Queries = 1, first: First = None) -> list[World]:
    async with pool.acquire() as connection:
        rows = await connection.fetchmany(SELECT, [(number,) for number in world_ids(queries, first)])
        worlds = [World(**row) for row in rows]
        for world in worlds:
            world.randomNumber = new_number(first)
        await connection.executemany(UPDATE, [(world.randomNumber, world.id) for world in worlds])
    return worlds


@app.get("/rows")
async def rows() -> Response:
    rows = await pool.fetch(READINGS)
    return Response(orjson.dumps([dict(row) for row in rows], default=float), media_type="application/json")


@app.get("/rows/models", response_model=list[Reading])
async def row_models():
    return [dict(row) for row in await pool.fetch(READINGS)]
