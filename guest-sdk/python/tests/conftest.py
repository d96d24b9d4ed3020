"""Makes the modules that exist only inside a component, so that the SDK's own can be imported by an ordinary Python."""

from __future__ import annotations

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


REPOSITORY = Path(__file__).parents[3]


@pytest.fixture(scope="session")
def server() -> Iterator[None]:
    """A Postgres in a folder of its own, which `fasterapi.pg` reaches through the bridge."""
    from fasterapi.pg._native import lines
    from fasterapi.pg._native.process import BINARY

    bridge = os.environ.get(BINARY) or str(Path(os.environ.get("CARGO_TARGET_DIR", REPOSITORY / "target"), "release/fasterapi-bridge"))
    assert shutil.which(bridge), f"there is no `{bridge}`: `cargo build --release -p fasterapi-bridge`, or set {BINARY}"
    with pytest.MonkeyPatch.context() as patch, tempfile.TemporaryDirectory(prefix="fpy-", dir="/tmp") as folder:
        patch.setenv(BINARY, bridge)
        patch.setenv("FASTERAPI_PG_DATA", folder)
        patch.delenv("DATABASE_URL", raising=False)
        yield
        lines.stop()


@pytest.fixture
def pg(server: None) -> Iterator[Any]:
    """A handle on an empty database."""
    from fasterapi.pg import PgPool

    pg = PgPool().get()
    pg.exec("DROP SCHEMA public CASCADE")
    pg.exec("CREATE SCHEMA public")
    yield pg
