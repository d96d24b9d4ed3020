"""Rows as values of a class of the app's own."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar, is_typeddict

_T = TypeVar("_T")


def maker(kind: type[_T], names: tuple[str, ...]) -> Callable[[tuple[Any, ...]], _T]:
    """What makes a `kind` of a row's values."""
    make: Callable[[tuple[Any, ...]], Any]
    validate = getattr(kind, "model_validate", None)
    if validate is not None:

        def make(values: tuple[Any, ...]) -> Any:
            return validate(dict(zip(names, values)))

    elif kind is tuple:

        def make(values: tuple[Any, ...]) -> Any:
            return values

    elif kind is dict or is_typeddict(kind):

        def make(values: tuple[Any, ...]) -> Any:
            return dict(zip(names, values))

    else:

        def make(values: tuple[Any, ...]) -> Any:
            return kind(**dict(zip(names, values)))

    return make
