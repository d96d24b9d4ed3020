"""The build's own parts that an ordinary Python can run: loading the app, and the texts when that fails."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from fasterapi._asgi.wsgi import Wsgi
from fasterapi._build import load, paths, protocol
from fasterapi._build.protocol import BuildError


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setattr(load, "APP", str(tmp_path))
    monkeypatch.setattr(load, "is_users", lambda path: path.startswith(str(tmp_path)))
    return tmp_path


def refused(project: Path, name: str, text: str, attr: str = "app") -> dict[str, str]:
    (project / f"{name}.py").write_text(text)
    with pytest.raises(BuildError) as caught:
        load.application(name, attr)
    return caught.value.report


ASGI = "async def app(scope, receive, send): pass\n"


def test_an_app_is_found(project: Path) -> None:
    (project / "good_one.py").write_text(ASGI + "class made:\n    inner = app\n")
    assert load.application("good_one", "app").__name__ == "app"
    assert load.application("good_one", "made.inner").__name__ == "app"


def test_no_module(project: Path) -> None:
    (project / "maine.py").write_text("")
    with pytest.raises(BuildError) as caught:
        load.application("mane", "app")
    assert caught.value.report == {"kind": "module", "error": "no module `mane` in the project", "hint": "did you mean `maine`?", "traceback": None}


def test_no_attribute(project: Path) -> None:
    report = refused(project, "no_attribute", "async def application(scope, receive, send): pass\nclass A:\n    async def __call__(self, s, r, x): pass\nweb = A()\n")
    assert report["kind"] == "attribute" and report["error"] == "module `no_attribute` has no attribute `app`" and report["hint"] == "did you mean `web`?"


def test_an_app_that_is_made(project: Path) -> None:
    (project / "a_factory.py").write_text("def create_app():\n    async def made(scope, receive, send): pass\n    return made\nclass made:\n    create = create_app\n")
    assert load.application("a_factory", "create_app()").__name__ == "made"
    assert load.application("a_factory", "made.create()").__name__ == "made"


def test_what_makes_no_app(project: Path) -> None:
    assert refused(project, "makes_none", "app = 5", "app()")["error"] == "`makes_none:app()` calls a `int`"
    raised = refused(project, "makes_errors", "def app():\n    return {}['missing']\n", "app()")
    assert raised["error"] == "the app's module raised KeyError: 'missing'" and "in app" in raised["traceback"]
    assert refused(project, "makes_a_number", "def app(): return 5\n", "app()")["error"] == "`makes_a_number:app()` is no ASGI application but a `int`"


@pytest.mark.parametrize(
    ("text", "error", "hint"),
    [
        ("app = 5", "a `int`", None),
        ("def app(): pass", "the function `app`", "name the application itself; or, if this makes it, `app()`"),
        ("def app(one, two): pass", "the function `app`", "(environ, start_response)"),
        ("class app: pass", "the class `app`", "name the application itself"),
    ],
)
def test_no_asgi(project: Path, request: pytest.FixtureRequest, text: str, error: str, hint: str | None) -> None:
    report = refused(project, f"no_asgi_{abs(hash(text))}", text)
    assert report["kind"] == "not-asgi" and error in report["error"] and (hint is None or hint in report["hint"])


def test_a_wsgi_application_is_taken_as_one(project: Path) -> None:
    (project / "wsgi_app.py").write_text("def app(environ, start_response): return [b'x']\n")
    assert isinstance(load.application("wsgi_app", "app"), Wsgi)


def test_what_the_app_raises(project: Path) -> None:
    report = refused(project, "raises", "def inner():\n    raise ValueError('bad')\ninner()\n")
    assert report["kind"] == "user" and report["error"] == "the app's module raised ValueError: bad"
    assert report["traceback"].startswith("Traceback (most recent call last):\n  File \"" + str(project)) and "importlib" not in report["traceback"]
    assert "_build" not in report["traceback"]


def test_the_environment_is_not_there(project: Path) -> None:
    report = refused(project, "environment", "import os\nos.environ['NO_SUCH_VARIABLE']\n")
    assert report["kind"] == "user" and "environment variables" in report["hint"]


def test_a_syntax_error(project: Path) -> None:
    report = refused(project, "syntax", "def (:\n")
    assert report["kind"] == "user" and "SyntaxError" in report["error"] and "syntax.py" in report["traceback"]


@pytest.mark.parametrize(("module", "error"), [("no_such_package", "not among its dependencies"), ("_ctypes_missing", "not among")])
def test_a_missing_package(project: Path, module: str, error: str) -> None:
    report = refused(project, f"needs_{module}", f"import {module}\n")
    assert report["kind"] == "missing-import" and report["module"] == module and error in report["error"]


def test_a_missing_name_is_the_apps_fault(project: Path) -> None:
    report = refused(project, "needs_name", "from json import nope\n")
    assert report["kind"] == "user" and "cannot import name 'nope'" in report["error"]


def test_protocol(tmp_path: Path) -> None:
    file = tmp_path / "_fasterapi_config.json"
    file.write_text(json.dumps({"protocol": 1, "module": "m", "attr": "a", "mode": "build", "preload": ["x"], "imports": ["y"]}))
    assert protocol.read_config(str(tmp_path)) == protocol.Config("m", "a", "build", ("x",), ("y",))
    file.write_text(json.dumps({"protocol": 2}))
    with pytest.raises(BuildError, match="protocol 2"):
        protocol.read_config(str(tmp_path))
    protocol.write_result(str(tmp_path), True, {"mode": "build"})
    assert json.loads((tmp_path / "_fasterapi_result.json").read_text()) == {"protocol": 1, "ok": True, "mode": "build"}


def test_paths() -> None:
    assert [paths.shown(path) for path in ("/1/a/b.py", "/2/fastapi/x.py", "/python/json/x.py", "/other")] == [
        "a/b.py", "site-packages/fastapi/x.py", "python3.14/json/x.py", "/other",
    ]  # fmt: skip
    assert paths.is_users("a/b.py") and not paths.is_users("site-packages/x.py") and not paths.is_users("<frozen x>")
