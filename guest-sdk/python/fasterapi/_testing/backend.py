"""Which backend the tests run on."""

from __future__ import annotations

import os
from typing import Literal, get_args

Backend = Literal["native", "component"]

VARIABLE = "FASTERAPI_TEST_BACKEND"
BACKENDS: tuple[str, ...] = get_args(Backend)

chosen: Backend | None = None
"""By pytest's option."""


class TestingError(Exception):
    """The tests cannot run as they are asked to; says why, and what to do."""

    __test__ = False


def current() -> Backend:
    """The backend of clients that do not say one."""
    if chosen is not None:
        return chosen
    return checked(os.environ.get(VARIABLE) or "native", VARIABLE)


def checked(name: str, where: str) -> Backend:
    """A backend by its name."""
    if name == "native":
        return "native"
    if name == "component":
        return "component"
    raise TestingError(f"{where} is `{name}`: a backend is {' or '.join(BACKENDS)}")
