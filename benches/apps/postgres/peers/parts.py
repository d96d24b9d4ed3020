"""Single calls natively: `python -m peers.parts select|rows COUNT` prints what each takes in microseconds."""

import json
import os
import sys
from collections.abc import Callable
from time import perf_counter
from typing import Any

import asyncpg
import psycopg
import uvloop
from shapes import READINGS, ROWS, microseconds

SELECT = 'SELECT id, randomnumber AS "randomNumber" FROM world WHERE id = '


def on_psycopg(what: str, count: int) -> tuple[float, float]:
    """A call, and the part of it in which psycopg's C makes Python values of a result that has arrived."""
    with psycopg.connect(os.environ["DATABASE_URL"], autocommit=True, prepare_threshold=0) as connection:
        cursor = connection.cursor()
        calls: dict[str, Callable[[int], Any]] = {
            "select": lambda number: cursor.execute(SELECT + "%s", (number,)).fetchone(),
            "rows": lambda _: cursor.execute(READINGS).fetchall(),
        }
        whole = microseconds(calls[what], count)

        def decode(_: int) -> None:
            cursor.scroll(0, "absolute")
            cursor.fetchall()

        return whole, microseconds(decode, count)


async def on_asyncpg(what: str, count: int) -> float:
    connection = await asyncpg.connect(os.environ["DATABASE_URL"])
    statement = SELECT + "$1"
    started = 0.0
    for number in range(-100, count):
        if number == 0:
            started = perf_counter()
        if what == "select":
            await connection.fetchrow(statement, number * 7919 % ROWS + 1)
        else:
            await connection.fetch(READINGS)
    spent = perf_counter() - started
    await connection.close()
    return spent / count * 1e6


if __name__ == "__main__":
    what, count = sys.argv[1], int(sys.argv[2])
    whole, decoding = on_psycopg(what, count)
    asyncpg_whole = uvloop.run(on_asyncpg(what, count))
    print(json.dumps({"psycopg": whole, "psycopg_decoding": decoding, "asyncpg": asyncpg_whole}))
