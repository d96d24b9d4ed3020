"""fasterapi.testclient: one file of tests on both backends; FakePg; what is said when something is missing."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tempfile
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Annotated, Any
from uuid import UUID

import pytest
from component import host_program
from fastapi import Depends, FastAPI
from pydantic import BaseModel

from fasterapi.pg import CopyResponse, Pg, PgPool, PgUniqueViolation, PgUsageError, dbapi
from fasterapi.testclient import FakePg, TestClient

PROJECT = Path(__file__).parent / "testclient_project"
PG_PROJECT = Path(__file__).parent / "testclient_pg_project"
SDK = str(Path(__file__).parent.parent)


def run(*arguments: str, project: Path = PROJECT, **environment: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "pytest", "-p", "fasterapi._testing.plugin", "-p", "no:cacheprovider", "-c", os.devnull, "--rootdir=.", "-rs"]
    return subprocess.run(
        [*command, *arguments, "tests"],
        cwd=project,
        env={**os.environ, "PYTHONPATH": f"{SDK}{os.pathsep}{project}", "PYTHONDONTWRITEBYTECODE": "1", **environment},
        capture_output=True,
        text=True,
    )


def test_natively() -> None:
    done = run()
    assert "9 passed" in done.stdout and "fasterapi: native backend" in done.stdout, done


def test_as_a_component() -> None:
    done = run("--fasterapi-backend=component", FASTERAPI_HOST_BIN=str(host_program()))
    assert "8 passed, 1 skipped" in done.stdout and "a fake database is of this process" in done.stdout, done


@pytest.mark.parametrize("backend", ["native", "component"])
def test_with_a_database(backend: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("DATABASE_URL", raising=False)
    with tempfile.TemporaryDirectory(prefix="fpy-", dir="/tmp") as folder:
        done = run(f"--fasterapi-backend={backend}", project=PG_PROJECT, FASTERAPI_HOST_BIN=str(host_program()), FASTERAPI_PG_DATA=folder)
    assert "5 passed" in done.stdout and f"fasterapi: {backend} backend" in done.stdout, done


def test_without_a_host() -> None:
    done = run("-x", FASTERAPI_TEST_BACKEND="component", FASTERAPI_HOST_BIN="", PATH="/nowhere")
    assert "`fasterapi-host` is not on PATH: `pip install fasterapi-host`, or name it in FASTERAPI_HOST_BIN" in done.stdout, done
    done = run("-x", FASTERAPI_TEST_BACKEND="wasm")
    assert "FASTERAPI_TEST_BACKEND is `wasm`: a backend is native or component" in done.stdout + done.stderr, done


def test_an_app_in_no_module() -> None:
    with pytest.raises(Exception, match="name it: TestClient"):
        TestClient(FastAPI(), fasterapi_backend="component")


class Item(BaseModel):
    id: int
    name: str


pool = PgPool()
Db = Annotated[Pg, Depends(pool.get)]
app = FastAPI()


@app.get("/items/{item_id}")
def read(item_id: int, pg: Db) -> Item | None:
    return pg.exec("SELECT id, name FROM items WHERE id = $1", item_id).model(Item)


@app.post("/items")
def create(item: Item, pg: Db) -> str:
    try:
        with pg.tx() as tx:
            tx.exec("INSERT INTO items VALUES ($1, $2)", item.id, item.name)
    except PgUniqueViolation as error:
        return error.constraint or ""
    return "created"


@app.get("/copy")
def copy(pg: Db) -> Any:
    return CopyResponse(pg, "COPY items TO STDOUT (FORMAT csv)")


def test_a_fake_gives_what_the_test_says() -> None:
    client = TestClient(app)
    with FakePg() as fake:
        fake.expect("SELECT id, name  FROM items WHERE id = $1", 42).returns({"id": 42, "name": "bolt"})
        fake.expect(re.compile("^SELECT .* items")).returns(columns=["id", "name"])
        fake.expect("INSERT INTO items VALUES ($1, $2)", 1, "nut").affects(1)
        fake.expect("INSERT INTO items VALUES ($1, $2)").raises(PgUniqueViolation("twice", constraint="items_pkey"))
        fake.expect("COPY items TO STDOUT (FORMAT csv)").sends(b"1,", b"nut\n")
        assert client.get("/items/42").json() == {"id": 42, "name": "bolt"}
        assert client.get("/items/43").json() is None
        assert client.post("/items", json={"id": 1, "name": "nut"}).json() == "created"
        assert client.post("/items", json={"id": 1, "name": "nut"}).json() == "items_pkey"
        assert client.get("/copy").content == b"1,nut\n"
    insert = "INSERT INTO items VALUES ($1, $2)"
    assert fake.log[2:-1] == ["BEGIN", insert, "COMMIT", "BEGIN", insert, "ROLLBACK"]


def test_a_fake_has_values_of_every_kind() -> None:
    row = {
        "a": Decimal("1.50"),
        "b": UUID(int=1),
        "c": datetime(2024, 1, 1, tzinfo=UTC),
        "d": {"x": [1]},
        "e": [Decimal(1), None],
        "f": None,
        "g": b"\0",
        "h": True,
    }
    with FakePg() as fake:
        fake.expect("SELECT", times=None).returns(row)
        result = pool.get().exec("SELECT")
        assert result.one().dict() == row and result.affected == 1
        assert [each.dict() for each in pool.get().stream("SELECT")] == [row]
        connection = dbapi.connect()
        assert connection.cursor().execute("SELECT").fetchone() == tuple(row.values())
        connection.rollback()
        fake.expect("INSERT", times=2).affects(1)
        assert pool.get().executemany("INSERT", [(1,), (2,)]).affected == 2
        copied = fake.expect("COPY t FROM STDIN").affects(1)
        with pool.get().copy_in("COPY t FROM STDIN") as pipe:
            pipe.write_row((1, "x"))
        assert copied.copied == b"1\tx\n" and pipe.rows == 1
        with pytest.raises(PgUsageError, match="NOTIFY"):
            pool.get().listen("c")
        with pytest.raises(TypeError, match="`object`"):
            fake.expect("X").returns({"a": object()})
        fake._expected.pop()


def test_what_was_not_expected_fails_the_test() -> None:
    with pytest.raises(AssertionError, match="expected, and did not come:\n  SELECT 1"), FakePg() as fake:
        fake.expect("SELECT 1")
    fake = FakePg()
    fake.expect("SELECT 1", 1)
    fake.expect("SELECT 2")
    for statement, parameters in (("SELECT 2", ()), ("SELECT 1", (2,)), ("SELECT 3", ())):
        with pytest.raises(AssertionError, match=f"not expected:\n  {statement}"), fake:
            pool.get().exec(statement, *parameters)
    with pytest.raises(AssertionError, match="not expected"), fake:  # although the app swallows it
        try:
            pool.get().exec("SELECT 3")
        except BaseException:
            pass


def test_a_fake_without_an_order() -> None:
    with FakePg(ordered=False) as fake:
        for number in (1, 2):
            fake.expect(f"SELECT {number}").returns({"n": number})
        assert [pool.get().exec(f"SELECT {number}").scalar() for number in (2, 1)] == [2, 1]
