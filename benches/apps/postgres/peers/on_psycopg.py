"""The routes of `main.py` on psycopg 3, with its C part."""

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import orjson
from fastapi import FastAPI
from fastapi.responses import HTMLResponse, Response
from psycopg import AsyncCursor
from psycopg.rows import class_row, dict_row
from psycopg_pool import AsyncConnectionPool
from shapes import FORTUNES, READINGS, First, Queries, Reading, World, fortune_page, new_number, world_id, world_ids

SELECT = 'SELECT id, randomnumber AS "randomNumber" FROM world WHERE id = %s'
UPDATE = "UPDATE world SET randomnumber = %s WHERE id = %s"

# Statements are prepared at their first use, and no transaction is begun that nobody asked for.
SETTINGS = {"autocommit": True, "prepare_threshold": 0}

pool = AsyncConnectionPool(os.environ["DATABASE_URL"], min_size=10, max_size=10, open=False, kwargs=SETTINGS)


@asynccontextmanager
async def lifespan(_: FastAPI) -> AsyncIterator[None]:
    async with pool:
        yield


app = FastAPI(lifespan=lifespan)


async def read(cursor: AsyncCursor[World], ids: list[int]) -> list[World]:
    await cursor.executemany(SELECT, [(number,) for number in ids], returning=True)
    return [world async for result in cursor.results() async for world in result]


@app.get("/db")
async def db(first: First = None) -> World:
    async with pool.connection() as connection, connection.cursor(row_factory=class_row(World)) as cursor:
        await cursor.execute(SELECT, (world_id(first),))
        return await cursor.fetchone()


@app.get("/queries")
async def queries(queries: Queries = 1, first: First = None) -> list[World]:
    async with pool.connection() as connection, connection.cursor(row_factory=class_row(World)) as cursor:
        return await read(cursor, world_ids(queries, first))


@app.get("/fortunes", response_class=HTMLResponse)
async def fortunes() -> str:
    async with pool.connection() as connection:
        cursor = await connection.execute(FORTUNES)
        return fortune_page(await cursor.fetchall())


@app.get("/updates")
async def updates(queries: Queries = 1, first: First = None) -> list[World]:
    async with pool.connection() as connection, connection.cursor(row_factory=class_row(World)) as cursor:
        worlds = await read(cursor, world_ids(queries, first))
        for world in worlds:
            world.randomNumber = new_number(first)
        await cursor.executemany(UPDATE, [(world.randomNumber, world.id) for world in worlds])
    return worlds


@app.get("/rows")
async def rows() -> Response:
    async with pool.connection() as connection, connection.cursor(row_factory=dict_row) as cursor:
        await cursor.execute(READINGS)
        rows = await cursor.fetchall()
    return Response(orjson.dumps(rows, default=float), media_type="application/json")


@app.get("/rows/models", response_model=list[Reading])
async def row_models():
    async with pool.connection() as connection, connection.cursor(row_factory=dict_row) as cursor:
        await cursor.execute(READINGS)
        return await cursor.fetchall()
