"""What is told of apps that keep something in memory between two requests."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from pathlib import Path

import pytest

from fasterapi._build import memory, paths

HEAD = """
import collections, itertools, threading
from typing import Annotated
from fastapi import Depends, FastAPI, WebSocket
app = FastAPI(openapi_url=None, docs_url=None, redoc_url=None)
items, names, count, ids = {}, [], 0, itertools.count()
"""

Told = Callable[..., list[tuple[str, str]]]


@pytest.fixture
def told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> Told:
    """What is told of a `main` that ends with these lines: the routes and the thing."""
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setattr(paths, "is_users", lambda path: path.startswith(str(tmp_path)))
    name = f"memory_{abs(hash(request.node.name))}"

    def run(text: str, isolation: str = "route", **modules: str) -> list[tuple[str, str]]:
        for other, source in modules.items():
            (tmp_path / f"{other}.py").write_text(source)
        (tmp_path / f"{name}.py").write_text(HEAD + text)
        run.lines = memory.warnings(importlib.import_module(name).app, isolation)  # type: ignore[attr-defined]
        run.file = str(tmp_path / f"{name}.py")  # type: ignore[attr-defined]
        parts = [line.partition(": ")[2].partition(" in memory. ")[0].replace(" keeps ", " keep ").split(" keep ") for line in run.lines]  # type: ignore[attr-defined]
        return [(routes, thing.strip("`")) for routes, thing in parts]

    return run


def route(body: str, parameters: str = "") -> str:
    return f"@app.post('/x')\ndef endpoint({parameters}):\n    " + body.replace("\n", "\n    ") + "\n"


@pytest.mark.parametrize(
    ("body", "thing"),
    [
        ("items[1] = 2", "items"),
        ("del items[1]", "items"),
        ("items[1] += 2", "items"),
        ("items[1]['a'] = 2", "items"),
        ("items.setdefault(1, []).append(2)", "items"),
        ("items[1].append(2)", "items"),
        ("items.pop(1, None)", "items"),
        ("names.append(1)", "names"),
        ("names[:] = []", "names"),
        ("global count\ncount += 1", "count"),
        ("global items\nitems = {}", "items"),
        ("return next(ids)", "ids"),
        ("app.state.seen = 1", "app.state.seen"),
        ("app.state.seen += 1", "app.state.seen"),
        ("for items[1] in (): pass", "items"),
        ("def inner(): items[1] = 2\ninner()", "items"),
        ("return [names.append(x) for x in ()]", "names"),
        ("(lambda: names.append(1))()", "names"),
    ],
)
def test_a_change_is_told(told: Told, body: str, thing: str) -> None:
    assert told(route(body)) == [("POST /x", thing)]


@pytest.mark.parametrize(
    "body",
    [
        "return items",
        "return items[1]",
        "return items.get(1), names.count(1), len(names), sorted(names)",
        "items = {}\nitems[1] = 2",
        "names = list(names_of())\nnames.append(1)",
        "for names in ((),): names.append(1)",
        "return {**items, 1: 2}",
        "def inner(names): names.append(1)\ninner([])",
        "copy = items.copy()\ncopy[1] = 2",
        "local.x = 1",
        "missing.append(1)",
        "return next(iter(names))",
    ],
)
def test_what_changes_nothing_is_not(told: Told, body: str) -> None:
    assert told("local = threading.local()\ndef names_of(): return []\n" + route(body)) == []


def test_what_ends_with_the_request_is_not(told: Told) -> None:
    text = "def local(): return {}\n" + route("db[1] = 2\nrequest.state.x = 1", "request: Request, db: Annotated[dict, Depends(local)]")
    assert told("from fastapi import Request\n" + text) == []


def test_start_up_is_not(told: Told) -> None:
    assert told("def start(): items[1] = 2\napp.router.on_startup.append(start)\n" + route("return items")) == []


def test_functions_and_methods_of_the_app_are_followed(told: Told) -> None:
    store = "rows = []\nclass Store:\n    def __init__(self): self.items = {}\n    def add(self, item): self._put(item)\n    def _put(self, item): self.items[1] = item\nstore = Store()\ndef put(row): rows.append(row)\n"
    assert told("import store\n" + route("store.put(1)"), store=store) == [("POST /x", "rows")]


def test_methods_are_followed_into_their_own(told: Told) -> None:
    text = "class Store:\n    def __init__(self): self.items = {}\n    def add(self, item): self._put(item)\n    def _put(self, item): self.items[1] = item\nstore = Store()\n"
    assert told(text + route("store.add(1)")) == [("POST /x", "store.items")]


def test_recursion_ends(told: Told) -> None:
    assert told("def walk(n): names.append(n); walk(n - 1)\n" + route("walk(3)")) == [("POST /x", "names")]


def test_what_a_dependency_gives_is_followed(told: Told) -> None:
    assert told("def database(): return items\n" + route("db[1] = 2", "db: Annotated[dict, Depends(database)]")) == [("POST /x", "items")]
    assert told.lines[0].startswith(f"{told.file}:10: ")  # type: ignore[attr-defined]


def test_a_dependency_itself_is_read(told: Told) -> None:
    assert told("async def counted():\n    names.append(1)\n    yield\n" + route("return 1", "x: Annotated[None, Depends(counted)]")) == [("POST /x", "names")]


def test_a_library_is_not_read(told: Told, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    library = "seen = []\ndef note(x): seen.append(x)\n"
    monkeypatch.setattr(paths, "is_users", lambda path: path.startswith(str(tmp_path)) and "library" not in path)
    assert told("import a_library\n" + route("a_library.note(1)"), a_library=library) == []


def test_a_thing_is_told_once_with_its_routes(told: Told) -> None:
    text = "".join(f"@app.put('/{name}')\ndef {name}(): items[1] = 2\n" for name in "abcde")
    assert told(text) == [("PUT /a, PUT /b, PUT /c and 2 more", "items")]


def test_the_advice(told: Told) -> None:
    told(route("items[1] = 2"))
    assert "`--isolation app --max-instances 1`" in told.lines[0] and " keeps `items`" in told.lines[0]  # type: ignore[attr-defined]


def test_the_advice_where_routes_share_their_memory(told: Told) -> None:
    told(route("items[1] = 2"), "app")
    assert "`--max-instances 1`" in told.lines[0] and "--isolation" not in told.lines[0]  # type: ignore[attr-defined]


CHAT = """
class Room:
    def __init__(self): self.clients = []
    async def join(self, socket): self.clients.append(socket)
room = Room()
@app.websocket('/chat')
async def chat(socket: WebSocket): await room.join(socket)
"""


def test_the_websockets_of_a_route_share_their_memory(told: Told) -> None:
    assert told(CHAT) == []


def test_other_routes_do_not_see_it(told: Told) -> None:
    assert told(CHAT + "@app.get('/clients')\ndef clients(): return len(room.clients)\n") == [("WEBSOCKET /chat", "room.clients")]
    assert told.lines[0].partition(". ")[2].startswith("The WebSockets of a route have a memory of their own")  # type: ignore[attr-defined]


@pytest.mark.parametrize("app", [None, object()])
def test_what_has_no_routes_has_none_that_remember(app: object) -> None:
    assert memory.warnings(app, "route") == []


def test_starlette(told: Told) -> None:
    text = "from starlette.applications import Starlette\nfrom starlette.routing import Route\ndef put(request): items[1] = 2\napp = Starlette(routes=[Route('/x', put)])\n"
    assert told(text) == [("GET,HEAD /x", "items")]
