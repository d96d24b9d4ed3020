"""Makes the modules that exist only inside a component, so that the SDK's own can be imported by an ordinary Python."""

from __future__ import annotations

import asyncio
import os
import shutil
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

sys.dont_write_bytecode = True
sys.path[:0] = [str(Path(__file__).parent.parent), str(Path(__file__).parent)]

import fake_host  # noqa: E402

fake_host.install_modules()

collect_ignore = ["sqlalchemy_suite", "testclient_project", "testclient_pg_project"]  # a test runs them


@pytest.fixture
def host() -> Iterator[fake_host.FakeHost]:
    made = fake_host.FakeHost()
    with made.running():
        yield made


@pytest.fixture
def no_threads(monkeypatch: pytest.MonkeyPatch) -> None:
    """Work that is meant for a thread runs where it stands, as in a component."""
    import anyio.to_thread

    from fasterapi._wasm import threads

    monkeypatch.setattr(anyio.to_thread, "run_sync", threads._run_sync)
    monkeypatch.setattr("starlette.concurrency.run_in_threadpool", threads._run_in_threadpool)


class EagerTask(asyncio.tasks._PyTask):  # type: ignore[name-defined,misc]
    """A task that begins at once, as `eager_start=True` has it from Python 3.12 on."""

    def __init__(self, coroutine: Any, *, loop: Any, context: Any) -> None:
        super().__init__(coroutine, loop=loop, context=context)
        loop._ready.pop()
        current = asyncio.tasks._current_tasks  # type: ignore[attr-defined]
        around = current.pop(loop, None)
        try:
            context.run(self._Task__step)
        finally:
            if around is not None:
                current[loop] = around


@pytest.fixture(params=["eager", "late"])
def begins(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Whether a task begins at once, as in a component, or later, as no task does otherwise before Python 3.12."""
    from fasterapi._compiled import tasks

    if request.param == "eager" and sys.version_info < (3, 12):
        monkeypatch.setattr(tasks, "asyncio", type("asyncio", (), {**vars(asyncio), "Task": EagerTask}))
    elif request.param == "late":
        monkeypatch.setattr(tasks, "EAGER", {})
    began: str = request.param
    return began


REPOSITORY = Path(__file__).parents[3]


@pytest.fixture(scope="session")
def server() -> Iterator[None]:
    """A Postgres in a folder of its own, which `fasterapi.pg` reaches through the bridge."""
    from fasterapi.pg._native import lines
    from fasterapi.pg._native.process import BINARY

    bridge = os.environ.get(BINARY) or str(Path(os.environ.get("CARGO_TARGET_DIR", REPOSITORY / "target"), "debug/fasterapi-bridge"))
    assert shutil.which(bridge), f"there is no `{bridge}`: `cargo build --workspace --bins`, or set {BINARY}"
    with pytest.MonkeyPatch.context() as patch, tempfile.TemporaryDirectory(prefix="fpy-", dir="/tmp") as folder:
        patch.setenv(BINARY, bridge)
        patch.setenv("FASTERAPI_PG_DATA", folder)
        patch.delenv("DATABASE_URL", raising=False)
        yield
        lines.stop()


def socket_folder() -> str:
    """Where the server of this run listens, for other clients: by Postgres's port, as the role `fasterapi_app`."""
    return str(next(Path(os.environ["FASTERAPI_PG_DATA"]).rglob(".s.PGSQL.5432")).parent)


@pytest.fixture
def pg(server: None) -> Iterator[Any]:
    """A handle on an empty database."""
    from fasterapi.pg import PgPool

    pg = PgPool().get()
    pg.exec("DROP SCHEMA public CASCADE")
    pg.exec("CREATE SCHEMA public")
    yield pg
