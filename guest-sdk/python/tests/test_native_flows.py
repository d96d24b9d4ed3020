"""Streams, COPY, responses and listeners of fasterapi.pg on this very Python."""

from __future__ import annotations

import asyncio
import gc
import json
from collections.abc import AsyncIterator

import pytest
from starlette.applications import Starlette
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from starlette.testclient import TestClient
from starlette.types import Message
from test_native import eventually, sessions

from fasterapi.pg import CopyResponse, Pg, PgCanceled, PgDataError, PgError, PgPool, PgUsageError, QueryResponse, copy_from_request, dbapi

RUNS = "state = 'active' AND query LIKE '%flows%'"
LARGE = "SELECT g, repeat('x', 100) FROM generate_series(1, 50000) g -- flows"


@pytest.fixture
def items(pg: Pg) -> Pg:
    pg.exec("CREATE TABLE items (id int PRIMARY KEY, name text)")
    return pg


def test_a_stream_within_a_transaction(items: Pg) -> None:
    with items.tx() as tx:
        tx.exec("INSERT INTO items SELECT g, 'x' FROM generate_series(1, 5000) g")
        count = 0
        for row in tx.stream("SELECT id FROM items WHERE id > $1", 10):
            count += 1
            if count % 1000 == 0:
                assert tx.exec("SELECT $1::int", row.id).scalar() == row.id  # the session is free between the parts
        assert count == 4990
        for _ in tx.stream("SELECT id FROM items"):
            break  # which is forgotten, and ended
        assert tx.exec("SELECT count(*) FROM items").scalar() == 5000
        with pytest.raises(PgUsageError, match="streamed"):
            tx.stream("DELETE FROM items")
    assert items.exec("SELECT count(*) FROM items").scalar() == 5000


def test_copies_within_a_transaction(items: Pg) -> None:
    with items.tx() as tx:
        with tx.copy_in("COPY items FROM STDIN") as pipe:
            pipe.write_row((1, "one"))
            with pytest.raises(PgUsageError):
                tx.exec("SELECT 1")
            pipe.write_row((2, None))
        assert pipe.rows == 2
        assert b"".join(tx.copy_out("COPY items TO STDOUT")) == b"1\tone\n2\t\\N\n"
    with pytest.raises(PgDataError), items.tx() as tx, tx.copy_in("COPY items FROM STDIN") as pipe:
        pipe.write(b"three\tx\n")
    with pytest.raises(RuntimeError), items.tx() as tx:
        tx.exec("INSERT INTO items VALUES (3)")
        with tx.copy_in("COPY items FROM STDIN") as pipe:
            pipe.write_row((4, "x"))
            raise RuntimeError
    assert items.exec("SELECT id FROM items ORDER BY id").scalars() == [1, 2]


def test_a_transaction_lives_as_long_as_its_stream(items: Pg) -> None:
    stream = PgPool().get().tx().__enter__().stream("SELECT generate_series(1, 5000)")
    gc.collect()
    assert len(list(stream)) == 5000


def test_a_large_result_comes_in_parts(pg: Pg) -> None:
    result = pg.exec(LARGE)
    eventually("a session is taken", lambda: sessions(pg, RUNS) == 1)
    assert sum(row[0] for row in result.stream()) == 50000 * 50001 // 2
    assert len(pg.exec(LARGE).all()) == 50000
    _ = pg.exec(LARGE)
    del result, _
    eventually("what is forgotten is ended", lambda: sessions(pg, RUNS) == 0)


def test_a_large_result_comes_in_parts_when_it_is_awaited(pg: Pg) -> None:
    async def main() -> int:
        return sum([row[0] async for row in (await pg.aio.exec(LARGE)).stream()])

    assert asyncio.run(main()) == 50000 * 50001 // 2


def test_a_cursor_takes_a_large_result_in_parts(pg: Pg) -> None:
    with dbapi.connect(autocommit=True) as connection:
        cursor = connection.cursor()
        cursor.execute(LARGE)
        assert cursor.rowcount == -1 and sessions(pg, RUNS) == 1
        assert cursor.fetchone() == (1, "x" * 100)
        cursor.scroll(20_000, mode="absolute")
        assert cursor.fetchmany(2)[1][0] == 20_002 and cursor.rownumber == 20_002
        rest = cursor.fetchall()
        assert len(rest) == 50_000 - 20_002 and rest[-1][0] == cursor.rowcount == cursor.rownumber == 50_000
        with pytest.raises(dbapi.NotSupportedError, match="are not kept"):
            cursor.scroll(0, mode="absolute")
        with pytest.raises(IndexError):
            cursor.scroll(1)
        cursor.execute(LARGE).close()
        eventually("the statement ends", lambda: sessions(pg, RUNS) == 0)
        with pytest.raises(dbapi.DataError):
            connection.cursor().execute("SELECT 1 / (40000 - g), repeat('x', 100) FROM generate_series(1, 50000) g").fetchall()


async def rows(request: Request) -> Response:
    return QueryResponse(PgPool().get(), request.query_params["sql"], format=request.query_params.get("format", "json"))  # type: ignore[arg-type]


async def copied(request: Request) -> Response:
    return CopyResponse(PgPool().get(), "COPY items TO STDOUT (FORMAT csv)", filename="items.csv", headers={"x-a": "b"})


async def upload(request: Request) -> Response:
    try:
        return JSONResponse(await copy_from_request(request, PgPool().get(), "COPY items FROM STDIN (FORMAT csv)"))
    except PgError as error:
        return JSONResponse(error.sqlstate, 400)


APP = Starlette(routes=[Route("/rows", rows), Route("/copy", copied), Route("/copy", upload, methods=["PUT"])])


def test_responses_out_of_the_database(items: Pg) -> None:
    client = TestClient(APP)
    assert client.put("/copy", content=b"1,one\n2,two\n").json() == 2
    answer = client.get("/copy")
    assert (answer.content, answer.headers["content-disposition"]) == (b"1,one\n2,two\n", 'attachment; filename="items.csv"')
    assert answer.headers["content-type"].startswith("text/csv") and answer.headers["x-a"] == "b"
    answer = client.get("/rows", params={"sql": "SELECT * FROM items"})
    assert answer.json() == [{"id": 1, "name": "one"}, {"id": 2, "name": "two"}] and answer.headers["content-type"] == "application/json"
    lines = client.get("/rows", params={"sql": LARGE, "format": "ndjson"}).text.splitlines()
    assert len(lines) == 50000 and json.loads(lines[-1])["g"] == 50000
    assert client.get("/rows", params={"sql": "SELECT 1 AS a", "format": "csv"}).text == "a\n1\n"
    assert client.put("/copy", content=b"x,y\n").json() == "22P02"
    with pytest.raises(PgError, match="does not exist"):
        client.get("/rows", params={"sql": "SELECT nothing"})
    with pytest.raises(PgDataError):  # in the middle: the server would cut the body off
        client.get("/rows", params={"sql": "SELECT 1 / (40000 - g), repeat('x', 100) FROM generate_series(1, 50000) g"})


async def told(*messages: Message) -> AsyncIterator[Message]:
    for message in messages:
        yield message


def test_a_client_that_leaves(items: Pg) -> None:
    async def gone(path: str, method: str, *messages: Message) -> None:
        scope = {"type": "http", "asgi": {"spec_version": "2.4"}, "method": method, "path": path, "headers": [], "query_string": b""}
        coming = told(*messages, {"type": "http.disconnect"})

        async def send(message: Message) -> None:
            if message["type"] == "http.response.body" and path == "/rows":
                raise OSError

        await APP(scope | {"query_string": b"sql=SELECT+generate_series(1,10000000)+AS+flows"}, coming.__anext__, send)

    with pytest.raises(ClientDisconnect):
        asyncio.run(gone("/copy", "PUT", {"type": "http.request", "body": b"1,x\n", "more_body": True}))
    assert items.exec("SELECT count(*) FROM items").scalar() == 0
    with pytest.raises(ClientDisconnect):
        asyncio.run(gone("/rows", "GET"))
    eventually("the statement ends", lambda: sessions(items, RUNS) == 0)


def test_a_listener_that_is_closed_before_its_wait_began(pg: Pg) -> None:
    async def main() -> None:
        listener = pg.listen("orders")
        waiting = asyncio.ensure_future(listener.aget())
        await asyncio.sleep(0)  # `aget` runs, and what it waits for does not yet
        listener.close()
        with pytest.raises(PgCanceled):
            await waiting

    asyncio.run(main())
    eventually("nobody listens", lambda: sessions(pg, "query LIKE 'LISTEN%'") == 0)
