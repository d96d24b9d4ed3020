"""The interface of asyncpg against a real server."""

from __future__ import annotations

import asyncio
import time
import io
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from fasterapi.pg import Pg, PgDenied, asyncpg


@pytest.fixture
def items(pg: Pg) -> Pg:
    pg.exec("CREATE TABLE items (id int PRIMARY KEY, name text)")
    return pg


def run(test: Any) -> None:
    asyncio.run(test)


def test_fetching(items: Pg) -> None:
    async def main() -> None:
        async with asyncpg.create_pool("postgres://user:secret@somewhere/mydb", min_size=1, max_size=10) as pool:
            async with pool.acquire() as connection:
                assert await connection.execute("INSERT INTO items VALUES ($1, $2), (2, 'nut')", 1, "bolt") == "INSERT 0 2"
                rows = await connection.fetch("SELECT * FROM items ORDER BY id")
                assert [tuple(row) for row in rows] == [(1, "bolt"), (2, "nut")]
                row = await connection.fetchrow("SELECT * FROM items WHERE id = $1", 1)
                assert isinstance(row, asyncpg.Record) and dict(row) == {"id": 1, "name": "bolt"} and row["name"] == row[1] == "bolt"
                assert list(row.keys()) == ["id", "name"] and row.get("nope") is None and "name" in row
                assert await connection.fetchrow("SELECT * FROM items WHERE id = 7") is None
                assert await connection.fetchval("SELECT id, name FROM items WHERE id = 2", column=1) == "nut"
                assert await connection.fetchval("SELECT id FROM items WHERE id = 7") is None
            with pytest.raises(asyncpg.InterfaceError, match="closed"):
                await connection.fetch("SELECT 1")
            assert connection.is_closed() and await pool.fetchval("SELECT count(*) FROM items") == 2
        with pytest.raises(asyncpg.InterfaceError, match="closed"):
            await pool.fetch("SELECT 1")

    run(main())


def test_what_execute_answers(items: Pg) -> None:
    async def main() -> None:
        connection = await asyncpg.connect()
        said = [
            ("INSERT INTO items VALUES (1, 'a')", "INSERT 0 1"),
            ("  -- a comment\n /* and one */ update items SET name = 'b'", "UPDATE 1"),
            ("WITH x AS (SELECT 1) SELECT * FROM x", "SELECT 1"),
            ("VALUES (1), (2)", "SELECT 2"),
            ("DELETE FROM items", "DELETE 1"),
            ("CREATE TABLE others (id int)", "CREATE TABLE"),
            ("DROP TABLE others", "DROP TABLE"),
            ("SET LOCAL search_path = public", "SET"),
        ]
        for statement, status in said:
            assert await connection.execute(statement) == status

    run(main())


def test_transactions(items: Pg) -> None:
    async def main() -> None:
        pool = await asyncpg.create_pool()
        connection = await pool.acquire()
        async with connection.transaction(isolation="serializable", readonly=False):
            assert connection.is_in_transaction()
            assert await connection.fetchval("SHOW transaction_isolation") == "serializable"
            await connection.execute("INSERT INTO items VALUES (1, 'a')")
            with pytest.raises(asyncpg.UniqueViolationError) as caught:
                async with connection.transaction():
                    await connection.execute("INSERT INTO items VALUES (1, 'b')")
            assert caught.value.constraint == "items_pkey" and isinstance(caught.value, asyncpg.PostgresError)
        with pytest.raises(RuntimeError):
            async with connection.transaction():
                await connection.execute("DELETE FROM items")
                raise RuntimeError
        transaction = connection.transaction()
        with pytest.raises(asyncpg.InterfaceError, match="not started"):
            await transaction.commit()
        await transaction.start()
        await connection.execute("UPDATE items SET name = 'c'")
        with pytest.raises(asyncpg.InterfaceError, match="already"):
            await transaction.start()
        await transaction.rollback()
        await connection.transaction().start()
        await connection.execute("UPDATE items SET name = 'd'")
        await pool.release(connection)
        assert await pool.fetchval("SELECT name FROM items") == "a"

    run(main())


def test_many(items: Pg) -> None:
    async def main() -> None:
        connection = await asyncpg.connect(database="default_database")
        await connection.executemany("INSERT INTO items VALUES ($1, $2)", [(number, f"item{number}") for number in range(100)])
        with pytest.raises(asyncpg.UniqueViolationError):
            await connection.executemany("INSERT INTO items VALUES ($1, 'x')", [(100,), (1,)])
        assert await connection.fetchval("SELECT count(*) FROM items") == 100
        found = await connection.fetchmany("SELECT name FROM items WHERE id = $1", [(1,), (2,)])
        assert [row["name"] for row in found] == ["item1", "item2"]
        statement = await connection.prepare("SELECT name FROM items WHERE id < $1 ORDER BY id")
        assert statement.get_query().startswith("SELECT name") and await statement.fetchval(1) == "item0"
        assert len(await statement.fetch(10)) == 10 and (await statement.fetchrow(5) or [""])[0] == "item0"
        assert [row.name async for row in statement.cursor(3)] == ["item0", "item1", "item2"]
        assert len([row async for row in connection.cursor("SELECT * FROM items")]) == 100
        insert = await connection.prepare("INSERT INTO items VALUES ($1, 'y')")
        await insert.executemany([(200,), (201,)])
        assert await connection.fetchval("SELECT count(*) FROM items") == 102

    run(main())


def test_copying(items: Pg, tmp_path: Path) -> None:
    async def more() -> AsyncIterator[bytes]:
        yield b"4,d\n5,"
        yield b'"e,""f"\n'

    async def rows() -> AsyncIterator[tuple[int, str | None]]:
        yield (6, None)

    async def main() -> None:
        connection = await asyncpg.connect()
        assert await connection.copy_records_to_table("items", records=[(1, "a\tb"), (2, None)], columns=["id", "name"]) == "COPY 2"
        assert await connection.copy_records_to_table("items", records=rows(), schema_name="public") == "COPY 1"
        assert await connection.copy_to_table("items", source=io.BytesIO(b"3\tc\n")) == "COPY 1"
        assert await connection.copy_to_table("items", source=more(), format="csv") == "COPY 2"
        file = tmp_path / "items.csv"
        await connection.copy_from_table("items", output=file, columns=["id"], format="csv", header=True)
        assert file.read_text() == "id\n1\n2\n6\n3\n4\n5\n"
        assert await connection.copy_to_table("items", source=[b"7;\\g\n"], delimiter=";", null="none") == "COPY 1"
        pieces: list[bytes] = []

        async def take(data: bytes) -> None:
            pieces.append(data)

        assert await connection.copy_from_query("SELECT name FROM items WHERE id = 5", output=take) == "COPY 1"
        assert b"".join(pieces) == b'e,"f\n'
        with pytest.raises(asyncpg.InterfaceError, match="takes no parameters"):
            await connection.copy_from_query("SELECT $1", 1, output=take)
        with pytest.raises(asyncpg.UniqueViolationError):
            await connection.copy_records_to_table("items", records=[(8, "h"), (1, "x")])
        assert await connection.fetchval("SELECT count(*) FROM items") == 7

    run(main())


def test_what_was_not_granted() -> None:
    async def main() -> None:
        with pytest.raises(PgDenied):
            await (await asyncpg.connect("nope")).fetch("SELECT 1")

    run(main())


def test_a_statement_that_takes_too_long(pg: Pg) -> None:
    async def main() -> None:
        pool = await asyncpg.create_pool()
        with pytest.raises(asyncpg.PostgresError, match="did not end within"):
            await pool.fetch("SELECT pg_sleep(60)", timeout=0.05)
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(pool.fetch("SELECT pg_sleep(61)"), 0.05)

    begun = time.monotonic()
    run(main())
    while pg.exec("SELECT count(*) FROM pg_stat_activity WHERE query LIKE '%pg_sleep(61)' AND state = 'active' AND pid <> pg_backend_pid()").scalar():
        pass
    assert time.monotonic() - begun < 15, "the statement ran on after its task was cancelled"
