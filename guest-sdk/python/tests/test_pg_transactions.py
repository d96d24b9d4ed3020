"""Transactions as functions, and hooks after a commit, over a host that answers from a script."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Callable
from typing import Any

import pytest
from test_pg import Script, block, host_error, script as script


from fasterapi.pg import AsyncPg, AsyncTx, Pg, PgDeadlock, PgIntegrityError, PgPool, PgSerializationError, PgUsageError, Tx, run_in_tx, transactional


@pytest.fixture(autouse=True)
def waits(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The waits between tries, which take no time here."""
    waited: list[float] = []
    monkeypatch.setattr("time.sleep", waited.append)
    monkeypatch.setattr("random.uniform", lambda low, high: high)

    async def sleep(seconds: float) -> None:
        waited.append(seconds)

    monkeypatch.setattr("asyncio.sleep", sleep)
    return waited


def refused(state: str = "40001") -> Exception:
    return host_error(sqlstate=state, retryable=True)


def names(script: Script) -> list[str]:
    return [asked[0] for asked in script.asked]


BLOCK = block()
FAILED_AT_COMMIT = ["begin", "tx.query", "commit", "drop"]
FAILED_WITHIN = ["begin", "tx.query", "rollback", "drop"]


def work(tx: Tx) -> int:
    tx.exec("A")
    return 7


async def awork(tx: Tx) -> int:
    await asyncio.sleep(0)
    return work(tx)


@pytest.fixture(params=["sync", "async"])
def run(request: pytest.FixtureRequest) -> Callable[..., Any]:
    """`run_in_tx` with a function that is sync or async."""
    if request.param == "sync":
        return lambda pg, **options: run_in_tx(pg, work, **options)
    return lambda pg, **options: asyncio.run(run_in_tx(pg, awork, **options))


def test_a_function_runs_in_a_transaction(script: Script, run: Callable[..., Any]) -> None:
    assert run(Pg("db"), isolation="serializable", read_only=True) == 7
    assert names(script) == FAILED_AT_COMMIT and script.asked[0][2][:3] == (2, True, False)


def test_it_runs_again_after_a_serialization_failure(script: Script, run: Callable[..., Any], waits: list[float]) -> None:
    # Each answer is one call of the host: fails at COMMIT, within, at BEGIN.
    script.answers = [None, BLOCK, refused(), None, refused("40P01"), None, refused()]
    assert run(Pg("db")) == 7
    assert names(script) == [*FAILED_AT_COMMIT, *FAILED_WITHIN, "begin", *FAILED_AT_COMMIT]
    assert [wait for wait in waits if wait] == [0.004, 0.008, 0.016]


def test_a_handle_that_is_awaited(script: Script) -> None:
    pg = Pg("db").aio
    ran: list[str] = []

    async def work(tx: AsyncTx, statement: str) -> int:
        await tx.exec(statement)
        tx.after_commit(lambda: ran.append(statement))
        return 7

    @transactional
    async def move(pg: AsyncPg) -> None:
        await pg.exec("B")
        pg.after_commit(lambda: ran.append("B"))

    script.answers = [None, refused()]
    assert asyncio.run(pg.run_in_tx(lambda tx: work(tx, "A"), isolation="serializable")) == 7
    assert names(script) == [*FAILED_WITHIN, *FAILED_AT_COMMIT] and script.asked[-4][2][0] == 2
    asyncio.run(move(pg))
    assert names(script)[-4:] == FAILED_AT_COMMIT and ran == ["A", "B"]


def test_it_runs_as_often_as_it_may(script: Script, run: Callable[..., Any], waits: list[float]) -> None:
    script.answers = [None, refused("40P01"), None] * 9
    with pytest.raises(PgDeadlock):
        run(Pg("db"), retries=8)
    assert names(script) == FAILED_WITHIN * 9
    assert [wait for wait in waits if wait] == [0.004, 0.008, 0.016, 0.032, 0.064, 0.128, 0.25, 0.25]
    script.asked.clear()
    script.answers = [None, refused()]
    with pytest.raises(PgSerializationError):
        run(Pg("db"), retries=0)
    assert names(script) == FAILED_WITHIN
    with pytest.raises(PgUsageError, match="0 times or more, not -1"):
        run(Pg("db"), retries=-1)


@pytest.mark.parametrize("failure", [host_error(sqlstate="23505"), host_error(sqlstate="57P01", retryable=True)])
def test_other_failures_are_its_own(script: Script, run: Callable[..., Any], failure: Exception) -> None:
    script.answers = [None, failure]
    with pytest.raises(Exception, match="went wrong"):
        run(Pg("db"))
    assert names(script) == FAILED_WITHIN


def test_within_a_transaction_it_is_a_savepoint_and_the_outer_one_runs_again(script: Script) -> None:
    pg = Pg("db")
    runs = []

    def outer(tx: Tx) -> int:
        runs.append(tx)
        return run_in_tx(pg, work)

    script.answers = [None, None, refused()]
    assert run_in_tx(pg, outer) == 7
    within = ["savepoint", "tx.query"]
    assert names(script) == ["begin", *within, "rollback_to", "release", "rollback", "drop", "begin", *within, "release", "commit", "drop"]
    assert len(runs) == 2 and runs[0] is not runs[1]


def test_what_it_ended_by_hand_is_not_run_again(script: Script) -> None:
    pg = Pg("db")

    def commits(tx: Tx) -> None:
        tx.commit()
        pg.exec("B")

    script.answers = [None, None, refused()]
    with pytest.raises(PgSerializationError):
        run_in_tx(pg, commits)
    assert names(script) == ["begin", "commit", "drop", "query"]


def test_an_awaitable_out_of_a_sync_function_is_refused(script: Script) -> None:
    with pytest.raises(PgUsageError, match="make it an `async def`"):
        _ = run_in_tx(Pg("db"), lambda tx: awork(tx))
    assert names(script) == ["begin", "rollback", "drop"]


def test_a_transactional_function(script: Script) -> None:
    @transactional
    def move(amount: int, pg: Pg, *, note: str = "") -> str:
        """Moves."""
        pg.exec("A", amount)
        return note

    pg = Pg("db")
    script.answers = [None, refused()]
    assert move(3, pg, note="n") == "n" == move(amount=3, pg=pg, note="n")
    assert names(script) == [*FAILED_WITHIN, *FAILED_AT_COMMIT, *FAILED_AT_COMMIT]
    assert move.__doc__ == "Moves." and list(inspect.signature(move).parameters) == ["amount", "pg", "note"]
    assert not inspect.iscoroutinefunction(move)
    with pytest.raises(PgUsageError, match="none of its arguments is a `Pg`"):
        move(3, "db", note="n")  # type: ignore[arg-type]


def test_a_transactional_async_function(script: Script) -> None:
    class Shop:
        @transactional(retries=1, isolation="serializable")
        async def buy(self, pg: Pg) -> str:
            await asyncio.sleep(0)
            pg.exec("A")
            return "bought"

    assert inspect.iscoroutinefunction(Shop.buy)
    script.answers = [None, refused()]
    assert asyncio.run(Shop().buy(Pg("db"))) == "bought"
    assert names(script) == [*FAILED_WITHIN, *FAILED_AT_COMMIT] and script.asked[0][2][0] == 2
    script.asked.clear()
    script.answers = [None, refused(), None] * 2
    with pytest.raises(PgSerializationError):
        asyncio.run(Shop().buy(Pg("db")))
    assert names(script) == FAILED_WITHIN * 2


def test_a_generator_is_not_transactional() -> None:
    def rows(pg: Pg) -> Any:
        yield pg

    async def arows(pg: Pg) -> Any:
        yield pg

    for function in (rows, arows):
        with pytest.raises(PgUsageError, match="yields, so it cannot be run again"):
            transactional(function)


def test_a_cancelled_function_rolls_back(script: Script) -> None:
    async def never(tx: Tx) -> None:
        tx.exec("A")
        await asyncio.get_running_loop().create_future()

    async def cancel() -> None:
        task = asyncio.ensure_future(run_in_tx(Pg("db"), never))
        while not script.asked or script.asked[-1][0] != "tx.query":
            await asyncio.get_running_loop().run_in_executor(None, int)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(cancel())
    assert names(script) == FAILED_WITHIN


def test_hooks_run_after_the_commit_in_their_order(script: Script) -> None:
    pg = Pg("db")
    with pg.tx() as tx:
        tx.after_commit(lambda: script.asked.append(("first",)))
        with tx.tx() as inner:
            inner.after_commit(lambda: script.asked.append(("inner",)))

        @pg.after_commit
        def last() -> None:
            pg.exec("C")

        assert callable(last)
    assert names(script) == ["begin", "savepoint", "release", "commit", "drop", "first", "inner", "query"]
    pg.after_commit(lambda: script.asked.append(("at once",)))
    assert script.asked[-1] == ("at once",)


def test_hooks_of_what_is_rolled_back_do_not_run(script: Script) -> None:
    pg = Pg("db")
    ran: list[str] = []
    with pytest.raises(KeyError), pg.tx() as tx:
        tx.after_commit(lambda: ran.append("rolled back"))
        raise KeyError
    with pg.tx() as tx:
        with pytest.raises(KeyError), tx.tx() as inner:
            with inner.tx() as innermost:
                innermost.after_commit(lambda: ran.append("around it rolled back"))
            raise KeyError
        tx.after_commit(lambda: ran.append("committed"))
        tx.commit()
        assert ran == ["committed"]
    with pg.tx() as tx:
        tx.after_commit(lambda: ran.append("rolled back by hand"))
        tx.rollback()
        with pytest.raises(PgUsageError, match="ended"):
            tx.after_commit(print)
    script.answers = [None, refused()]
    with pytest.raises(PgSerializationError), pg.tx() as tx:
        tx.after_commit(lambda: ran.append("not committed"))
    assert ran == ["committed"]


def test_hooks_of_the_run_that_committed_count(script: Script) -> None:
    ran: list[str] = []

    def work(tx: Tx) -> None:
        tx.after_commit(lambda: ran.append("once"))

    script.answers = [None, refused(), None, refused()]
    run_in_tx(Pg("db"), work)
    assert ran == ["once"] and names(script).count("commit") == 3


def test_a_hook_that_fails_is_logged_and_stops_nothing(script: Script, caplog: pytest.LogCaptureFixture) -> None:
    ran: list[str] = []

    def fails() -> None:
        raise PgIntegrityError("a secret is not in the message")

    with Pg("db").tx() as tx:
        tx.after_commit(fails)
        tx.after_commit(lambda: ran.append("second"))
    assert ran == ["second"]
    assert "`test_a_hook_that_fails_is_logged_and_stops_nothing.<locals>.fails`, called after a commit, failed" in caplog.text
    with pytest.raises(PgUsageError, match="not a `int`"), Pg("db").tx() as tx:
        tx.after_commit(5)  # type: ignore[arg-type]


def test_async_hooks_run_as_a_task_in_their_order(script: Script, caplog: pytest.LogCaptureFixture) -> None:
    ran: list[int] = []

    async def hook(number: int) -> None:
        ran.append(number)
        if number == 2:
            raise KeyError(number)

    async def commit() -> None:
        with Pg("db").tx() as tx:
            tx.after_commit(lambda: ran.append(1))
            tx.after_commit(lambda: hook(2))
            tx.after_commit(lambda: ran.append(3))
            tx.after_commit(lambda: hook(4))
        assert ran == [1]
        await asyncio.gather(*asyncio.all_tasks() - {asyncio.current_task()})

    asyncio.run(commit())
    assert ran == [1, 2, 3, 4] and "called after a commit, failed" in caplog.text

    async def alone() -> None:
        raise AssertionError("it cannot be run")

    with pytest.raises(PgUsageError, match="needs a running event loop"), Pg("db").tx() as tx:
        tx.after_commit(alone)
    assert names(script)[-2:] == ["rollback", "drop"]


def test_on_a_server_it_runs_again_with_what_is_there_then(pg: Pg, waits: list[float]) -> None:
    """Write skew: while the function is at work another transaction reads what it writes, and writes what it read."""
    pg.exec("CREATE TABLE accounts (id int PRIMARY KEY, balance int)")
    pg.exec("INSERT INTO accounts VALUES (1, 100), (2, 100)")
    other = PgPool().get()
    seen: list[int] = []
    ran: list[int] = []

    def withdraw(handle: Pg, account: int) -> int:
        both: int = handle.exec("SELECT sum(balance)::int FROM accounts").scalar()
        if both >= 150:
            handle.exec("UPDATE accounts SET balance = balance - 150 WHERE id = $1", account)
        return both

    @transactional(isolation="serializable")
    def work(pg: Pg) -> int:
        seen.append(withdraw(pg, 1))
        pg.after_commit(lambda: ran.append(len(seen)))
        if len(seen) == 1:
            with other.tx(isolation="serializable"):
                withdraw(other, 2)
        return seen[-1]

    assert work(pg) == 50
    assert seen == [200, 50] and ran == [2] and len(waits) == 1
    assert pg.exec("SELECT balance FROM accounts ORDER BY id").scalars() == [100, -50]
