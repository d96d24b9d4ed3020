"""`App`, its re-exports, its manifest, and `run`."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import fastapi
import pytest
from starlette.applications import Starlette
from starlette.routing import Host, Mount, Route, WebSocketRoute

import fasterapi
from fasterapi import _run
from fasterapi._build.lanes import Lanes
from fasterapi._build.manifest import manifest

PACKAGE = Path(__file__).parent.parent


def test_everything_else_is_fastapi() -> None:
    assert issubclass(fasterapi.App, fastapi.FastAPI)
    for name in fasterapi.__all__:
        if name not in ("App", "__version__"):
            assert getattr(fasterapi, name) is getattr(fastapi, name)
    with pytest.raises(AttributeError):
        _ = fasterapi.nope


def test_fastapi_is_optional() -> None:
    program = "import sys, fasterapi, fasterapi.pg; print([n for n in ('fastapi', 'starlette', 'pydantic', 'anyio') if n in sys.modules])"
    done = subprocess.run([sys.executable, "-c", program], cwd=PACKAGE, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_options() -> None:
    app = fasterapi.App(title="t", host="0.0.0.0", port=80, enable_h2=True, enable_h3=False, compression=True, isolation="app")
    assert app.title == "t" and app.serving.port == 80 and app.serving.isolation == "app"
    assert callable(app.host), "Starlette's own method stays"
    with pytest.raises(ValueError, match="HTTP/3"):
        fasterapi.App(enable_h3=True)
    with pytest.raises(ValueError, match="isolation"):
        fasterapi.App(isolation="none")  # type: ignore[arg-type]


def routes(app: Any) -> list[tuple[Any, ...]]:
    described = manifest(app, "main:app", False, Lanes(app))["routes"]
    return [(route["kind"], route["path"], route["methods"], route["name"], route["in_schema"]) for route in described]


def test_the_manifest_of_an_app() -> None:
    app = fasterapi.App(openapi_url=None, enable_h2=True, isolation="app")
    router = fastapi.APIRouter(prefix="/v1")

    @router.get("/files/{path:path}")
    def read(path: str) -> str:
        return path

    @app.api_route("/items", methods=["POST", "PUT"], include_in_schema=False)
    def write() -> None:
        pass

    @app.websocket("/ws")
    async def talk(socket: fastapi.WebSocket) -> None:
        pass

    app.include_router(router)
    app.mount("/sub", Starlette(), name="sub")
    assert routes(app) == [
        ("http", "/items", ["POST", "PUT"], "write", False),
        ("websocket", "/ws", [], "talk", False),
        ("http", "/v1/files/{path:path}", ["GET"], "read", True),
        ("mount", "/sub", [], "sub", False),
    ]
    made = manifest(app, "main:app", True, Lanes(app))
    assert made["kind"] == "fasterapi" and made["framework"] == {"name": "fastapi", "version": fastapi.__version__}
    assert made["uses_postgres"] and made["isolation"] == "app" and {route["isolation"] for route in made["routes"]} == {"app"}
    assert made["server"] == {"host": None, "port": None, "enable_h2": True, "compression": None}


async def endpoint(*args: Any) -> None:
    pass


def test_the_manifest_of_others() -> None:
    app = Starlette(routes=[Route("/a/{n:int}", endpoint, name="a"), WebSocketRoute("/w", endpoint), Mount("/m", endpoint), Host("x.org", endpoint)])
    assert [(kind, path, methods) for kind, path, methods, *_ in routes(app)] == [
        ("http", "/a/{n:int}", ["GET", "HEAD"]),
        ("websocket", "/w", []),
        ("mount", "/m", []),
        ("host", "x.org", []),
    ]
    assert manifest(app, "x:y", False, Lanes(app))["kind"] == "starlette"
    assert manifest(fastapi.FastAPI(), "x:y", False, Lanes(fastapi.FastAPI()))["kind"] == "fastapi"
    plain = manifest(endpoint, "x:y", False, Lanes(endpoint))
    assert plain["kind"] == "asgi" and plain["framework"] is None and plain["routes"] == []


PROGRAM = """
from fasterapi import App
app = App({options})
@app.get("/")
def hello():
    return {{"message": "hello"}}
if __name__ == "__main__":
    app.run({arguments})
"""

HOST = """#!/bin/sh
echo "$0" "$@" >> "$RECORD"
case "$1" in build) exit ${BUILD_EXIT:-0};; esac
"""


def run(tmp_path: Path, options: str = "", arguments: str = "port=9000", name: str = "main.py", **variables: str) -> tuple[subprocess.CompletedProcess[str], list[str]]:
    program = tmp_path / "project" / name
    program.parent.mkdir(parents=True, exist_ok=True)
    program.write_text(PROGRAM.format(options=options, arguments=arguments))
    binary = tmp_path / "fasterapi-host"
    binary.write_text(HOST)
    binary.chmod(0o755)
    record = tmp_path / "record"
    environment = {
        "PATH": os.environ["PATH"], "PYTHONPATH": str(PACKAGE), "PYTHONDONTWRITEBYTECODE": "1", "RECORD": str(record),
        "XDG_CACHE_HOME": str(tmp_path / "cache"), "FASTERAPI_HOST_BIN": str(binary), **variables,
    }  # fmt: skip
    done = subprocess.run([sys.executable, str(program)], env=environment, capture_output=True, text=True, check=False)
    return done, record.read_text().splitlines() if record.exists() else []


def test_run_builds_and_serves(tmp_path: Path) -> None:
    done, record = run(tmp_path)
    assert done.returncode == 0, done.stderr
    build, serve = (line.split()[1:] for line in record)
    assert build[:4] == ["build", "main:app", "-C", str(tmp_path / "project")] and build[4] == "-o"
    assert serve == ["serve", build[5], "--addr", "127.0.0.1:9000"] and Path(build[5]).parent.is_dir()


def test_run_takes_the_apps_own_address(tmp_path: Path) -> None:
    _, record = run(tmp_path, options="host='::1', port=7000", arguments="")
    assert record[1].endswith("--addr [::1]:7000")


def test_run_stops_when_the_build_fails(tmp_path: Path) -> None:
    done, record = run(tmp_path, BUILD_EXIT="2")
    assert done.returncode == 2 and len(record) == 1


def test_run_without_a_host(tmp_path: Path) -> None:
    done, _ = run(tmp_path, FASTERAPI_HOST_BIN="", PATH="/nonexistent")
    assert done.returncode == 2 and done.stderr == "error: `fasterapi-host` was not found: put it on PATH or name it in FASTERAPI_HOST_BIN\n"
    done, _ = run(tmp_path, FASTERAPI_HOST_BIN="/nonexistent")
    assert done.returncode == 2 and "names `/nonexistent`" in done.stderr


def test_run_in_a_package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for file in ("shop/__init__.py", "shop/api/__init__.py", "shop/api/main.py"):
        path = tmp_path / file
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("")
    import importlib

    monkeypatch.syspath_prepend(str(tmp_path))
    module: Any = importlib.import_module("shop.api.main")
    module.app = object()
    assert _run.place(module, "app") == (tmp_path, "shop.api.main:app")
    assert _run.place(importlib.import_module("shop.api"), "app") == (tmp_path, "shop.api:app")


def test_run_needs_a_variable(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        _run.find_target(object())
    assert "in a variable of its module" in capsys.readouterr().err
