"""fasterapi.pg on this very Python, over the bridge, against a real server."""

from __future__ import annotations

import asyncio
import copy
import marshal
import os
import pickle
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from fasterapi.pg import AsyncTx, CopyResponse, Listener, Pg, PgCanceled, PgConnectionError, PgDataError, PgDenied, PgPool, PgUniqueViolation, PgUsageError, QueryResponse, _host
from fasterapi.pg._native import HostError, attempts, client, lines
from fasterapi.pg._native.types import ErrorKind, TransactionOptions

PATIENCE = 30.0


def eventually(what: str, done: Callable[[], bool]) -> None:
    end = time.monotonic() + PATIENCE
    while not done():
        assert time.monotonic() < end, f"never happened: {what}"
        time.sleep(0.01)


def sessions(pg: Pg, where: str) -> int:
    found: int = pg.exec(f"SELECT count(*) FROM pg_stat_activity WHERE pid <> pg_backend_pid() AND {where}").scalar()
    return found


def test_values_there_and_back(pg: Pg) -> None:
    row = pg.exec("SELECT $1::int8 AS a, $2::text AS b, $3::bytea AS c, NULL AS d", -5, "h\u00e9\u20ac", b"\x00\xff").one()
    assert row == (-5, "h\u00e9\u20ac", b"\x00\xff", None)


def test_a_large_answer(pg: Pg) -> None:
    rows = pg.exec("SELECT g, repeat('x', 500) FROM generate_series(1, 20000) g").all()
    assert len(rows) == 20000 and rows[-1][0] == 20000 and all(len(row[1]) == 500 for row in rows)


def test_every_field_of_an_error(pg: Pg) -> None:
    pg.exec("CREATE TABLE items (id int PRIMARY KEY)")
    pg.exec("INSERT INTO items VALUES (1)")
    with pytest.raises(PgUniqueViolation) as caught:
        pg.exec("INSERT INTO items VALUES (1)")
    error = caught.value
    assert (error.sqlstate, error.severity, error.schema, error.table, error.constraint) == ("23505", "ERROR", "public", "items", "items_pkey")
    assert error.detail == "Key (id)=(1) already exists." and error.column is None and not error.retryable
    with pytest.raises(Exception, match="does not exist") as caught_:
        pg.exec("SELECT nope")
    assert caught_.value.position == 8  # type: ignore[attr-defined]


def test_the_host_refuses_as_it_does_in_a_component(pg: Pg) -> None:
    with pytest.raises(PgDenied, match="granted: `default`"):
        PgPool("other").get()
    with pytest.raises(PgUsageError):
        pg.exec("SELECT $1::int", "a", "b")
    assert PgPool("postgres://somewhere/some_database").get().exec("SELECT 1").scalar() == 1


def test_transactions_and_savepoints(pg: Pg) -> None:
    pg.exec("CREATE TABLE items (id int PRIMARY KEY)")
    with pg.tx(isolation="serializable", read_only=False) as tx:
        tx.exec("INSERT INTO items VALUES (1)")
        with pytest.raises(PgUniqueViolation), tx.tx() as inner:
            inner.exec("INSERT INTO items VALUES (2)")
            inner.exec("INSERT INTO items VALUES (1)")
        assert tx.exec("SHOW transaction_isolation").scalar() == "serializable"
    with pytest.raises(RuntimeError), pg.tx() as tx:
        tx.exec("INSERT INTO items VALUES (3)")
        raise RuntimeError
    assert pg.exec("SELECT id FROM items").scalars() == [1]


def test_threads_do_not_wait_for_each_other(pg: Pg) -> None:
    pg.exec("CREATE TABLE gate (open bool)")
    met = threading.Barrier(4)

    def work(number: int) -> int:
        mine = PgPool().get()
        with mine.tx() as tx:
            pid: int = tx.exec("SELECT pg_backend_pid()").scalar()
            met.wait(PATIENCE)  # all four are within a transaction at once
            assert tx.exec("SELECT $1::int, pg_backend_pid()", number).one() == (number, pid)
        return pid

    with ThreadPoolExecutor(4) as threads:
        assert len(set(threads.map(work, range(4)))) == 4


def test_a_transaction_that_is_forgotten_is_rolled_back(pg: Pg) -> None:
    pg.exec("CREATE TABLE forgotten (id int)")
    host = _host.client.begin("default", _host.types.TransactionOptions(None, False, False))
    host.query("INSERT INTO forgotten VALUES (1)", packed(), 0)
    del host
    mine = "state LIKE 'idle in transaction%' AND query LIKE 'INSERT INTO forgotten%'"
    eventually("the session is idle", lambda: sessions(pg, mine) == 0)
    assert pg.exec("SELECT count(*) FROM forgotten").scalar() == 0


class Interrupted(Exception):
    """What a signal's handler raises."""


def test_an_interrupted_call_is_cancelled_on_the_server(pg: Pg) -> None:
    def interrupt(*_: object) -> None:
        raise Interrupted

    def send() -> None:
        watcher = PgPool().get()
        eventually("the statement runs", lambda: sessions(watcher, "query LIKE '%pg_sleep(60)' AND state = 'active'") == 1)
        signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGUSR1)

    before = signal.signal(signal.SIGUSR1, interrupt)
    thread = threading.Thread(target=send)
    thread.start()
    try:
        with pytest.raises(Interrupted):
            pg.exec("SELECT pg_sleep(60)")
    finally:
        thread.join()
        signal.signal(signal.SIGUSR1, before)
    eventually("the statement is cancelled", lambda: sessions(pg, "query LIKE '%pg_sleep(60)' AND state = 'active'") == 0)


def test_a_bridge_that_died_is_replaced(pg: Pg) -> None:
    bridge = lines._bridge
    assert bridge is not None
    tx = pg.tx().__enter__()
    bridge._process.kill()
    bridge._process.wait()
    with pytest.raises(PgConnectionError, match="the bridge"):
        tx.exec("SELECT 1")
    with pytest.raises(PgConnectionError):
        tx.commit()
    assert PgPool().get().exec("SELECT 1").scalar() == 1
    assert lines._bridge is not bridge
    bridge.stop()


def test_a_forked_process_has_a_bridge_of_its_own(pg: Pg) -> None:
    pg.exec("SELECT 1")
    child = os.fork()
    if child == 0:
        good = PgPool().get().exec("SELECT 1").scalar() == 1
        lines.stop()
        os._exit(0 if good else 1)
    _, status = os.waitpid(child, 0)
    assert os.waitstatus_to_exitcode(status) == 0
    assert pg.exec("SELECT 1").scalar() == 1


def python(*code: str, **environment: str) -> subprocess.CompletedProcess[str]:
    sdk = str(Path(__file__).parent.parent)
    return subprocess.run(
        [sys.executable, "-W", "error", "-c", "\n".join(code)],
        env={**os.environ, "PYTHONPATH": sdk, **environment},
        capture_output=True,
        text=True,
        timeout=60,
    )


@pytest.mark.parametrize(
    ("environment", "said"),
    [
        ({"PATH": "/nowhere", "FASTERAPI_HOST_BIN": ""}, "`fasterapi-host` is not on PATH, and FASTERAPI_HOST_BIN is not set"),
        ({"FASTERAPI_HOST_BIN": "/nowhere/host"}, "`/nowhere/host`, which FASTERAPI_HOST_BIN names, is no program"),
        ({"FASTERAPI_HOST_BIN": "false"}, "`fasterapi-host pg bridge` ended with status 1"),
    ],
)
def test_without_a_host(environment: dict[str, str], said: str) -> None:
    done = python(
        "from fasterapi.pg import PgConnectionError, PgPool",
        "pool = PgPool()",
        "try: pool.get()",
        "except PgConnectionError as error: print(error.message)",
        **environment,
    )
    assert said in done.stdout and not done.stderr, done


def test_a_host_of_another_version(tmp_path: Path) -> None:
    program = tmp_path / "fasterapi-host"
    program.write_text("#!/bin/sh\necho /a/socket\nread line\n")
    program.chmod(0o755)
    done = python(
        "from fasterapi.pg import PgConnectionError, PgPool",
        "try: PgPool().get()",
        "except PgConnectionError as error: print(error.message)",
        FASTERAPI_HOST_BIN=str(program),
    )
    assert "is of another version than the package `fasterapi`" in done.stdout and not done.stderr, done


def test_the_bridge_ends_with_its_process(server: None) -> None:
    done = python(
        "from fasterapi.pg import PgPool",
        "from fasterapi.pg._native import lines",
        "PgPool().get().exec('SELECT 1')",
        "print(lines._bridge._process.pid)",
        "import os, sys; sys.stdout.flush(); os.kill(os.getpid(), 9)",
    )
    assert done.returncode == -signal.SIGKILL, done
    eventually("the bridge ends", lambda: not Path("/proc", done.stdout.strip(), "exe").exists())


# --- what has no face in `fasterapi.pg` of its own, or more than that shows ---


def packed(*values: Any) -> str:
    return marshal.dumps(values, 2).decode("latin-1")


def test_rows_come_in_blocks(pg: Pg) -> None:
    rows = client.stream("default", "SELECT g, repeat('x', 100) FROM generate_series(1, $1::int) g", packed(50_000), 0)
    assert [column[:2] for column in marshal.loads(rows.columns())] == [("g", 23), ("repeat", 25)]
    count = blocks = 0
    while (block := rows.next()) is not None:
        count, blocks = count + len(marshal.loads(block)), blocks + 1
    assert count == 50_000 and blocks > 5 and rows.next() is None
    rows.__exit__(None, None, None)


def test_rows_that_are_forgotten_cancel_their_statement(pg: Pg) -> None:
    rows = client.stream("default", "SELECT g, pg_sleep(0.0001) FROM generate_series(1, 10000000) g", packed(), 0)
    assert rows.next()
    del rows
    eventually("the statement ends", lambda: sessions(pg, "state = 'active' AND query LIKE '%pg_sleep%'") == 0)


def test_a_batch(pg: Pg) -> None:
    pg.exec("CREATE TABLE items (id int PRIMARY KEY)")
    block = packed(("INSERT INTO items VALUES ($1)", (1,), (2,)), ("SELECT count(*) FROM items", ()))
    inserted, counted = marshal.loads(client.batch("default", block, 0))
    assert inserted[0] == 2 and counted[2] == [(2,)]
    with pytest.raises(HostError, match="item 0, parameters 1"):
        client.batch("default", packed(("INSERT INTO items VALUES ($1)", (3,), (1,))), 0)
    assert pg.exec("SELECT count(*) FROM items").scalar() == 2
    with client.begin("default", TransactionOptions(None, False, False)) as transaction:
        assert marshal.loads(transaction.batch(packed(("DELETE FROM items", ())), 0))[0][0] == 2
        transaction.rollback()


def test_copy_there_and_back(pg: Pg) -> None:
    pg.exec("CREATE TABLE items (id int, name text)")
    writer = client.copy_in("default", "COPY items FROM STDIN")
    for start in range(0, 10_000, 1000):
        writer.write("".join(f"{number}\tname\n" for number in range(start, start + 1000)))
    assert writer.finish() == 10_000
    reader = client.copy_out("default", "COPY items TO STDOUT")
    pieces = []
    while (data := reader.next()) is not None:
        pieces.append(data)
    reader.__exit__(None, None, None)
    assert b"".join(pieces).count(b"\n") == 10_000
    with client.copy_in("default", "COPY items FROM STDIN") as writer:
        writer.write("1\tdropped\n")
    assert pg.exec("SELECT count(*) FROM items").scalar() == 10_000


def test_a_timeout_and_its_error(pg: Pg) -> None:
    with pytest.raises(HostError) as caught:
        client.query("default", "SELECT pg_sleep(60)", packed(), 50)
    assert caught.value.value.kind is ErrorKind.TIMEOUT


SLOW = "SELECT pg_sleep(60)"
RUNS_SLOW = f"state = 'active' AND query = '{SLOW}'"


def test_an_awaited_call_and_its_end(pg: Pg) -> None:
    async def main() -> None:
        assert (await pg.aio.exec("SELECT 7")).scalar() == 7
        slow = asyncio.create_task(pg.aio.exec(SLOW))
        while not await asyncio.to_thread(sessions, pg, RUNS_SLOW):
            assert not slow.done()
        slow.cancel()
        with pytest.raises(asyncio.CancelledError):
            await slow

    asyncio.run(main())
    eventually("the statement is cancelled", lambda: sessions(pg, RUNS_SLOW) == 0)


def test_transactions_of_several_tasks(pg: Pg) -> None:
    """Many more than the machine has cores: none may wait for a thread that another one holds."""
    pg.exec("CREATE TABLE turn (taken int)")
    pg.exec("INSERT INTO turn VALUES (0)")

    async def take() -> None:
        async with PgPool().get().aio.tx() as tx:
            await tx.exec("UPDATE turn SET taken = taken + 1")
            await asyncio.sleep(0.001)

    async def main() -> None:
        await asyncio.wait_for(asyncio.gather(*[take() for _ in range(40)]), PATIENCE)

    asyncio.run(main())
    assert pg.exec("SELECT taken FROM turn").scalar() == 40


def test_a_statement_of_a_transaction_is_given_up(pg: Pg) -> None:
    pg.exec("CREATE TABLE kept (i int)")

    async def main() -> None:
        async with pg.aio.tx() as tx:
            await tx.exec("INSERT INTO kept VALUES (1)")
            with pytest.raises(TimeoutError):
                async with tx.tx() as inner, asyncio.timeout(0.1):
                    await inner.exec("INSERT INTO kept VALUES (2)")
                    await inner.exec(SLOW)
            await tx.executemany("INSERT INTO kept VALUES ($1)", [(3,), (4,)])
        with pytest.raises(ZeroDivisionError):
            async with pg.aio.tx() as tx:
                await asyncio.gather(tx.exec(SLOW), fail())

    async def fail() -> None:
        await asyncio.sleep(0.05)
        raise ZeroDivisionError

    asyncio.run(main())
    assert pg.exec("SELECT i FROM kept ORDER BY i").scalars() == [1, 3, 4]
    eventually("both are cancelled", lambda: sessions(pg, RUNS_SLOW) == 0)


def test_a_transaction_ends_with_what_is_open_in_it(pg: Pg) -> None:
    pg.exec("CREATE TABLE ended (t text)")

    async def slow(tx: AsyncTx) -> None:
        async with tx.tx() as inner:
            await inner.exec("INSERT INTO ended VALUES ('slow')")
            await asyncio.sleep(0.2)

    async def fails() -> None:
        await asyncio.sleep(0.05)
        raise ValueError

    async def main() -> None:
        handle = pg.aio
        with pytest.raises(ValueError):
            async with handle.tx() as tx:
                await asyncio.gather(slow(tx), fails())
        await handle.exec("INSERT INTO ended VALUES ('after')")
        await asyncio.sleep(0.3)
        with pytest.raises(PgUsageError, match="both are rolled back"):
            async with handle.tx() as tx:
                await tx.tx().__aenter__()
                await tx.exec("INSERT INTO ended VALUES ('lost')")
        await handle.exec("INSERT INTO ended VALUES ('at last')")

    asyncio.run(main())
    assert PgPool().get().exec("SELECT t FROM ended").scalars() == ["after", "at last"]


def test_what_was_given_up_half_way_does_not_look_whole(pg: Pg) -> None:
    slow = "SELECT i, repeat('x', 5000), pg_sleep(0.02) FROM generate_series(1, 1000) AS i"

    async def main() -> None:
        for statement, why in ((slow, "not all"), (SLOW, "nothing of it came")):
            for flow in (pg.aio.stream(statement), pg.aio.copy_out(f"COPY ({statement}) TO STDOUT")):
                with pytest.raises(TimeoutError):
                    async with asyncio.timeout(0.3):
                        async for _ in flow:
                            pass
                with pytest.raises(PgUsageError, match=why):
                    await anext(flow)

    asyncio.run(main())


def test_two_tasks_share_a_listener(pg: Pg) -> None:
    heard: list[str] = []

    async def hear(listener: Listener) -> None:
        while len(heard) < 40:
            try:
                async with asyncio.timeout(0.03):
                    heard.append((await listener.aget()).payload)
            except TimeoutError:
                pass

    async def main() -> None:
        async with pg.listen("shared") as listener:
            tasks = [asyncio.create_task(hear(listener)) for _ in range(2)]
            for number in range(40):
                await pg.aio.exec(f"NOTIFY shared, '{number}'")
                await asyncio.sleep(0.01)
            await asyncio.wait_for(asyncio.gather(*tasks), PATIENCE)

    asyncio.run(main())
    assert heard == [str(number) for number in range(40)]


def test_a_call_beside_one_that_is_awaited(pg: Pg) -> None:
    async def main() -> None:
        with pg.tx() as tx:
            other = asyncio.create_task(AsyncTx(tx).exec("SELECT pg_sleep(0.1)"))
            await asyncio.sleep(0.01)
            with pytest.raises(PgUsageError, match="await this call too"):
                tx.exec("SELECT 1")
            await other
            assert tx.exec("SELECT 2").scalar() == 2

    asyncio.run(main())


def test_flows_that_are_awaited(pg: Pg) -> None:
    async def main() -> None:
        handle = pg.aio
        await handle.exec("CREATE TABLE flowed (i int, t text)")
        unused = handle.copy_in("COPY flowed FROM STDIN")
        with pytest.raises(PgUsageError, match="is not begun"):
            await unused.write("1")
        async with handle.copy_in("COPY flowed FROM STDIN") as pipe:
            await pipe.write_rows((i, "x" * 10_000) for i in range(100))
        assert pipe.rows == 100
        with pytest.raises(PgUsageError, match="entered once"):
            await pipe.__aenter__()
        with pytest.raises(ZeroDivisionError):
            async with handle.copy_in("COPY flowed FROM STDIN") as pipe:
                await pipe.write("1\tx\n" * 100_000)
                raise ZeroDivisionError
        async with handle.copy_out("COPY flowed TO STDOUT") as chunks:
            assert sum([chunk.count(b"\n") async for chunk in chunks]) == 100
        assert [chunk async for chunk in chunks] == []
        async with handle.tx() as tx:
            assert [row.i async for row in tx.stream("SELECT i FROM flowed ORDER BY i")] == list(range(100))
            async for row in tx.stream("SELECT i FROM flowed"):
                break
        stream = handle.stream("SELECT 1 / 0")
        with pytest.raises(PgDataError):
            await anext(stream)
        await stream.aclose()

    asyncio.run(main())
    eventually("nothing is left open", lambda: sessions(pg, "state <> 'idle' AND pid <> pg_backend_pid()") == 0)


def test_a_listener(pg: Pg) -> None:
    with pg.listen("orders", "other") as listener:
        assert listener.get(timeout=0.01) is None
        pg.exec("SELECT pg_notify('orders', 'one')")
        pg.exec("NOTIFY other")
        first, second = listener.get(timeout=PATIENCE), listener.get(timeout=PATIENCE)
        assert first is not None and (first.channel, first.payload, first.gap) == ("orders", "one", False) and first.process_id > 0
        assert second is not None and (second.channel, second.payload) == ("other", "")
        pg.exec("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query LIKE 'LISTEN%' AND pid <> pg_backend_pid()")
        gap = listener.get(timeout=PATIENCE)
        assert gap is not None and gap.gap
    with pytest.raises(PgUsageError):
        listener.get()


def test_a_listener_that_is_awaited(pg: Pg) -> None:
    async def main() -> None:
        async with pg.listen("orders") as listener:
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(listener.aget(), 0.01)
            pg.exec("NOTIFY orders, 'x'")
            assert (await listener.aget()).payload == "x"
            waiting = asyncio.create_task(listener.aget())
            while not attempts._under_way:
                await asyncio.sleep(0)
            listener.close()
            with pytest.raises(PgCanceled):
                await waiting

    asyncio.run(main())


def test_a_row_can_be_copied_and_pickled(pg: Pg) -> None:
    row = pg.exec("SELECT 1 AS a, ARRAY[1, 2] AS b, now() AS c, ROW(1, 'x') AS d").one()
    for other in (copy.copy(row), copy.deepcopy(row), pickle.loads(pickle.dumps(row))):
        assert other == row and other.a == 1 and other.keys() == row.keys()
    assert copy.deepcopy(row).b is not row.b


@pytest.mark.parametrize("wrong", [b"SELECT 1", None, 5, "SELECT '\ud800'"])
def test_what_is_no_text_is_refused_before_the_host_sees_it(pg: Pg, wrong: Any) -> None:
    with pg.tx() as tx:
        for handle in (pg, tx):
            for call in (handle.exec, handle.stream, handle.copy_in, handle.copy_out, lambda text: handle.executemany(text, [()])):
                with pytest.raises(PgUsageError, match="a statement "):
                    call(wrong)
    with pytest.raises(PgUsageError, match="a channel "):
        pg.listen(wrong)
    with pytest.raises(PgUsageError, match="a database "):
        PgPool(wrong)
    with pytest.raises(PgUsageError, match="a statement "):
        asyncio.run(pg.aio.exec(wrong))
    for response in (QueryResponse, CopyResponse):
        with pytest.raises(PgUsageError, match="a statement "):
            response(pg, wrong)
    assert pg.exec("SELECT 1").scalar() == 1


def test_options_that_are_none(pg: Pg) -> None:
    for options in ({"isolation": "bogus"}, {"isolation": "read uncommitted"}, {"retries": 1.5}, {"retries": 10**12}, {"retries": -1}):
        with pytest.raises(PgUsageError), pg.tx(**options):  # type: ignore[arg-type]
            pass
    for timeout in (float("nan"), "1", 0, -1):
        with pytest.raises(PgUsageError, match="a timeout is"):
            pg.exec("SELECT 1", timeout=timeout)  # type: ignore[arg-type]
    assert pg.exec("SELECT 1", timeout=float("inf")).scalar() == 1
