"""examples/sqlalchemy-app on this Python: Alembic makes its tables over psycopg, the app then finds them as its models say."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import Any

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from conftest import REPOSITORY, socket_folder
from sqlalchemy import create_engine

import fasterapi.pg.sqlalchemy  # noqa: F401 (registers the dialect)
from fasterapi.pg import Pg

EXAMPLE = REPOSITORY / "examples/sqlalchemy-app"


def alembic(*arguments: str) -> None:
    url = f"postgresql://fasterapi_app@/fasterapi?host={socket_folder()}"
    command = [sys.executable, "-m", "alembic", "-c", str(EXAMPLE / "alembic.ini"), *arguments]
    environment = {**os.environ, "DATABASE_URL": url, "PYTHONDONTWRITEBYTECODE": "1"}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr


def test_the_migrations_make_what_the_models_say(pg: Pg, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(EXAMPLE))
    import models  # type: ignore[import-not-found]

    alembic("upgrade", "head")
    with create_engine("postgresql+fasterapi://default").connect() as connection:
        assert compare_metadata(MigrationContext.configure(connection), models.Base.metadata) == []
    alembic("downgrade", "base")
    assert pg.exec("SELECT tablename FROM pg_tables WHERE schemaname = 'public'").scalars() == ["alembic_version"]


def test_the_app(pg: Pg, monkeypatch: pytest.MonkeyPatch) -> None:
    alembic("upgrade", "head")
    monkeypatch.syspath_prepend(str(EXAMPLE))
    monkeypatch.delitem(sys.modules, "main", raising=False)
    import main  # type: ignore[import-not-found]
    from starlette.testclient import TestClient

    with TestClient(main.app) as client:

        def ask(method: str, path: str, body: Any = None) -> tuple[int, Any]:
            answer = client.request(method, path, json=body)
            return answer.status_code, answer.json() if answer.content else None

        assert ask("POST", "/users", {"name": "Ada"}) == (201, {"id": 1, "name": "Ada"})
        assert ask("POST", "/users", {"name": "Ada"})[0] == 409
        assert ask("POST", "/users/1/posts", [{"title": "First"}, {"title": "Second"}])[0] == 201
        assert ask("POST", "/users/1/posts", [{"title": "Third"}, {"title": "First"}])[0] == 409
        status, page = ask("GET", "/posts?limit=1&offset=1")
        assert status == 200 and page["total"] == 2 and page["items"][0]["title"] == "Second" and page["items"][0]["author"]["name"] == "Ada"
        assert ask("GET", "/posts?search=FIRST")[1]["total"] == 1
        assert [post["title"] for post in ask("GET", "/users/1")[1]["posts"]] == ["First", "Second"]
        assert ask("PATCH", "/users/1", {"name": "Grace"}) == (200, {"id": 1, "name": "Grace"})
        assert ask("DELETE", "/users/1") == (204, None) and ask("GET", "/users/1")[0] == 404
        assert ask("GET", "/posts") == (200, {"items": [], "total": 0})
    sys.modules.pop("main")
