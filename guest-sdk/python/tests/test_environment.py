"""What is noted of an app that asks for environment variables while it is imported."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from fasterapi._build import environment, load
from fasterapi._build.environment import EVERYTHING
from fasterapi._build.protocol import BuildError

ASGI = "async def app(scope, receive, send): pass\n"

Seen = Callable[..., dict[str, str]]


@pytest.fixture
def seen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> Seen:
    """Imports a `main` of these lines, beside libraries, and gives what was noted: a line of `main` for each name."""
    monkeypatch.setenv("FOUND", "1")
    for folder in ("app", "site"):
        (tmp_path / folder).mkdir()
        monkeypatch.syspath_prepend(str(tmp_path / folder))
    monkeypatch.setattr(environment, "is_users", lambda path: path.startswith(str(tmp_path / "app")))
    main = f"main_{abs(hash(request.node.name))}"

    def run(*lines: str, **libraries: str) -> dict[str, str]:
        (tmp_path / "app" / f"{main}.py").write_text("import os\n" + "\n".join(lines) + "\n" + ASGI)
        for name, text in libraries.items():
            (tmp_path / "site" / f"{name}.py").write_text("import os\n" + text + "\n")
        with environment.watched() as reads:
            load.application(main, "app")
        run.warnings = [line.replace(str(tmp_path / "app" / main), "main") for line in reads.warnings()]  # type: ignore[attr-defined]
        return {name: place.removeprefix(f"{tmp_path}/app/{main}.py:") for name, place in reads.by_name().items()}

    return run


@pytest.mark.parametrize(
    "text",
    [
        "os.environ.get('WANTED', 'dev')",
        "os.getenv('WANTED')",
        "'WANTED' in os.environ",
        "os.environ.pop('WANTED', None)",
        "os.environb.get(b'WANTED')",
        "os.path.expandvars('$WANTED/x')",
        "from os import getenv; getenv('WANTED')",
        "(lambda: os.getenv('WANTED'))()",
        "from starlette.config import Config; Config()('WANTED', default='dev')",
    ],
)
def test_what_is_not_there_is_noted(seen: Seen, text: str) -> None:
    assert seen("", text) == {"WANTED": "3"}


@pytest.mark.parametrize("text", ["dict(os.environ)", "list(os.environ)", "os.environ.copy()", "{**os.environ}", "[*os.environ.items()]"])
def test_a_look_at_everything_is_noted_as_such(seen: Seen, text: str) -> None:
    assert seen(text) == {EVERYTHING: "2"}


def test_a_key_error_that_is_caught(seen: Seen) -> None:
    assert seen("try:", "    SECRET = os.environ['WANTED']", "except KeyError:", "    SECRET = 'dev'") == {"WANTED": "3"}


@pytest.mark.parametrize("text", ["os.getenv('FOUND')", "'FOUND' in os.environ", "os.environ['FOUND'] = 'x'; os.getenv('FOUND')"])
def test_what_is_found_is_not_noted(seen: Seen, text: str) -> None:
    assert seen(text) == {}


@pytest.mark.parametrize("text", ["def later(): return os.getenv('WANTED')", "later = lambda: dict(os.environ)"])
def test_what_is_asked_for_later_is_not_noted(seen: Seen, text: str) -> None:
    assert seen(text) == {}


def test_what_a_library_asks_for_is_noted_where_the_app_calls_it(seen: Seen) -> None:
    library = "def settings(): return dict(os.environ)\ndef secret(): return os.getenv('WANTED')"
    assert seen("import env_called", "env_called.secret()", "env_called.settings()", env_called=library) == {"WANTED": "3", EVERYTHING: "4"}


def test_what_a_library_asks_for_by_itself_is_not_noted(seen: Seen) -> None:
    lazy = "def load(): import env_inner"
    assert seen("import env_outer", "env_outer.load()", env_outer="os.getenv('NO_COLOR')\n" + lazy, env_inner="os.getenv('WANTED'); dict(os.environ)") == {}


def test_switches_of_libraries_are_noted_only_if_the_app_asks_for_them(seen: Seen, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.delenv("NETRC", raising=False)
    asks = "def call(): return os.getenv('NO_COLOR'), os.getenv('NETRC')"
    assert seen("import env_switch", "env_switch.call()", "os.getenv('NETRC')", env_switch=asks) == {"NETRC": "4"}


def test_the_frameworks_are_quiet(seen: Seen) -> None:
    lines = ("import fastapi, pydantic, argparse, tempfile, urllib.request", "class Item(pydantic.BaseModel):", "    name: str", "api = fastapi.FastAPI()")
    route = "api.post('/x', response_model=Item)(lambda item: item)"
    assert seen(*lines, route, "api.openapi()", "argparse.ArgumentParser()", "tempfile.gettempdir()", "urllib.request.getproxies()") == {}


def test_a_line_for_each_place(seen: Seen) -> None:
    seen("os.getenv('A')", "os.getenv('B'), os.getenv('C'), os.getenv('B')", "[os.getenv(f'N{i}') for i in range(9)]", "dict(os.environ)")
    ends = ": what it made of that stays; read it in a function or at start-up (lifespan)"
    assert seen.warnings == [  # type: ignore[attr-defined]
        f"main.py:2 read A while the app was built, where it is not set{ends}",
        f"main.py:3 read B, C while the app was built, where they are not set{ends}",
        f"main.py:4 read N0, N1, N2, N3, N4 and 4 more while the app was built, where they are not set{ends}",
        f"main.py:5 read the whole environment while the app was built, where nothing is set{ends}",
    ]


def test_names_that_nobody_can_give_are_not_noted(seen: Seen) -> None:
    assert seen("os.getenv('a\\nb'), os.environb.get(b'\\xff'), os.getenv('x' * 1000)") == {}


def test_what_is_noted_is_bounded(seen: Seen) -> None:
    assert len(seen("[os.getenv(f'N{i}') for i in range(2000)]")) == 1000


def test_the_environment_is_what_it_was(seen: Seen) -> None:
    kind: type[os._Environ[Any]] = type(os.environ)
    before = os.environ
    with environment.watched():
        os.environ["ADDED"] = "x"
    assert os.environ is before and type(os.environ) is kind and isinstance(os.environb, kind) and os.environb[b"ADDED"] == b"x"
    del os.environ["ADDED"]
    with pytest.raises(BuildError, match="KeyError") as caught:
        seen("os.environ['WANTED']")
    assert type(os.environ) is kind and "environment variables" in caught.value.report["hint"] and "_build" not in caught.value.report["traceback"]
