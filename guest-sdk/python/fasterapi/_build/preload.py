"""Imports, at build time, what the libraries of a web app import only when they are first used."""

from __future__ import annotations

import importlib
import pkgutil
import sys
from collections.abc import Iterable

# Imported lazily by the standard library or by pydantic, FastAPI, Starlette and anyio.
_STDLIB = (
    "_strptime annotationlib ast asyncio.taskgroups asyncio.timeouts base64 calendar colorsys copy csv dataclasses datetime decimal difflib "
    "email.message email.mime.text email.parser encodings.ascii encodings.cp1252 encodings.idna encodings.latin_1 encodings.utf_16 encodings.utf_8 "
    "encodings.utf_8_sig fractions hashlib hmac html http.cookies inspect ipaddress json linecache locale logging.config math mimetypes pathlib "
    "pickle pprint queue quopri random re secrets statistics string stringprep tempfile textwrap timeit tokenize traceback types typing unicodedata "
    "urllib.parse uuid warnings zoneinfo zoneinfo._common"
).split()

_PACKAGES = ("pydantic", "pydantic_core", "starlette", "fastapi", "anyio", "annotated_doc", "typing_inspection", "opentelemetry")
_SKIPPED = (
    "pydantic.v1", "pydantic.mypy", "pydantic._hypothesis", "fastapi.__main__", "fastapi.cli", "fastapi.testclient", "starlette.testclient",
    "starlette.templating", "fastapi.templating", "anyio._backends._trio", "anyio.pytest_plugin", "anyio.to_process", "anyio.to_interpreter",
)  # fmt: skip


def preload(more: Iterable[str]) -> list[str]:
    """Imports it all. Gives a warning for each of `more` that could not be imported."""
    for name in _STDLIB:
        _try(name)
    for package in _PACKAGES:
        if package in sys.modules:
            _walk(package)
    return [f"module `{name}` could not be preloaded: {problem}" for name in more if (problem := _try(name))]


def attempt(names: Iterable[str]) -> None:
    """Imports what can be."""
    for name in names:
        _try(name)


def _walk(package: str) -> None:
    for found in pkgutil.walk_packages(sys.modules[package].__path__, package + ".", onerror=lambda name: None):
        if not found.name.startswith(_SKIPPED):
            _try(found.name)


def _try(name: str) -> str | None:
    try:
        importlib.import_module(name)
    except BaseException as error:  # an optional dependency, mostly
        return f"{type(error).__name__}: {error}"
    return None
