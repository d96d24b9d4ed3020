"""The same tests on both backends."""

from collections.abc import Iterator

import pytest
from main import app

from fasterapi.testclient import FakePg, TestClient


@pytest.fixture(scope="module")
def client() -> Iterator[TestClient]:
    with TestClient(app, raise_server_exceptions=False, headers={"x-token": "t"}) as client:
        yield client


def test_the_lifespan_ran(client: TestClient) -> None:
    assert client.get("/started").json() is True


def test_json(client: TestClient) -> None:
    answer = client.post("/items", json={"name": "bolt", "price": 1.5})
    assert (answer.status_code, answer.json()) == (201, {"name": "bolt", "price": 1.5})
    assert client.post("/items", json={"name": "bolt"}).status_code == 422
    assert client.get("/items/0").json() == {"detail": "no such item"}


def test_headers_and_redirects(client: TestClient) -> None:
    assert client.get("/items/2").json() == {"id": 2, "token": "t"}
    assert client.get("/items/2", headers={"X-Token": "other"}).json()["token"] == "other"
    answer = client.get("/old")
    assert answer.json()["id"] == 1 and len(answer.history) == 1 and str(answer.url) == "http://testserver/items/1"
    assert client.get("/old", follow_redirects=False).headers["location"] == "/items/1"


def test_cookies(client: TestClient) -> None:
    assert client.get("/me").json() is None
    client.get("/login")
    assert client.get("/me").json() == "abc"


def test_files_and_streams(client: TestClient) -> None:
    assert client.post("/upload", files={"file": ("a.txt", b"hello")}).json() == {"name": "a.txt", "size": 5}
    assert client.get("/stream").content == b"ab"


def test_what_the_app_raises(client: TestClient) -> None:
    assert client.get("/boom").status_code == 500


def test_without_a_block() -> None:
    client = TestClient("main:app")
    assert client.get("/items/3").json()["id"] == 3
    client.close()


def test_overrides_are_of_this_process(fasterapi_backend: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(app.dependency_overrides, lambda: 1, lambda: 2)
    if fasterapi_backend == "component":
        with pytest.raises(Exception, match="has `dependency_overrides`"), TestClient(app):
            pass
    else:
        assert TestClient(app).get("/items/3").status_code == 200


def test_a_fake_is_of_this_process(fake_pg: FakePg) -> None:
    assert isinstance(fake_pg, FakePg)
