"""The pytest plugin: the option `--fasterapi-backend`, and fixtures. Found by its entry point once `fasterapi` is installed."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

from . import backend

if TYPE_CHECKING:
    from .fake_pg import FakePg


def pytest_addoption(parser: pytest.Parser) -> None:
    """Adds the option."""
    parser.getgroup("fasterapi").addoption(
        "--fasterapi-backend",
        choices=backend.BACKENDS,
        help=f"what fasterapi.testclient runs: the app in this Python, or as the component under fasterapi-host (also {backend.VARIABLE})",
    )


def pytest_configure(config: pytest.Config) -> None:
    """Takes the option."""
    backend.chosen = config.getoption("--fasterapi-backend")


def pytest_report_header() -> str:
    """Says which backend it is."""
    return f"fasterapi: {backend.current()} backend"


@pytest.fixture
def fasterapi_backend() -> backend.Backend:
    """The backend that clients run on: `"native"` or `"component"`."""
    return backend.current()


@pytest.fixture
def fake_pg() -> Iterator[FakePg]:
    """A `FakePg` in the place of the database. Skips the test where the app is a component, which has none of this process's."""
    if backend.current() == "component":
        pytest.skip("a fake database is of this process: the component has none")
    from .fake_pg import FakePg

    with FakePg() as fake:
        yield fake
