"""The same tests on both backends, and on one real database, which they use themselves."""

from collections.abc import Iterator

import pytest
from main import SCHEMA, app, pool

from fasterapi.pg import Pg
from fasterapi.testclient import TestClient

BOLT = {"id": 1, "name": "bolt", "price": "1.50"}
NUT = {"id": 2, "name": "nut", "price": "0.25"}


@pytest.fixture(scope="module")
def client() -> Iterator[TestClient]:
    with TestClient(app, raise_server_exceptions=False) as client:
        yield client


@pytest.fixture(autouse=True)
def pg() -> Pg:
    """The database, with an empty table."""
    pg = pool.get()
    pg.exec(SCHEMA)
    pg.exec("TRUNCATE items")
    return pg


def test_the_test_sees_what_the_app_wrote(client: TestClient, pg: Pg) -> None:
    assert client.post("/items", json=[BOLT, NUT]).status_code == 201
    assert pg.exec("SELECT name FROM items ORDER BY id").scalars() == ["bolt", "nut"]
    assert client.get("/items").json() == [BOLT, NUT]


def test_the_app_sees_what_the_test_wrote(client: TestClient, pg: Pg) -> None:
    pg.exec("INSERT INTO items VALUES (7, 'gear', 12.5)")
    assert client.get("/items/7").json() == {"id": 7, "name": "gear", "price": "12.5"}
    assert client.get("/items/8").status_code == 404


def test_a_failed_transaction_leaves_nothing(client: TestClient, pg: Pg) -> None:
    answer = client.post("/items", json=[BOLT, NUT, {**NUT, "id": 3}])
    assert (answer.status_code, answer.json()) == (409, {"detail": "items_name_key"})
    assert pg.exec("SELECT count(*) FROM items").scalar() == 0


def test_a_copy(client: TestClient) -> None:
    client.post("/items", json=[BOLT, NUT])
    assert client.get("/export").text == "1,bolt,1.50\n2,nut,0.25\n"


def test_a_database_error_is_a_500(client: TestClient) -> None:
    assert client.get("/broken").status_code == 500
    assert client.get("/items").json() == []
