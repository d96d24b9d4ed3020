"""Rows as values of a class of the app's own."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import Any, TypeVar, is_typeddict

_T = TypeVar("_T")
_Rows = list[tuple[Any, ...]]


def maker(kind: type[_T], names: tuple[str, ...]) -> Callable[[_Rows], list[_T]]:
    """What makes a `kind` of each row."""
    as_dicts = _dicts(names)
    if hasattr(kind, "model_validate"):
        validate = _validator(kind)
        return lambda rows: list(map(validate, as_dicts(rows)))
    if kind is tuple:
        return lambda rows: list[Any](rows)
    if kind is dict or is_typeddict(kind):
        return as_dicts
    return lambda rows: [kind(**values) for values in as_dicts(rows)]


def _validator(model: Any) -> Callable[[Any], Any]:
    # To this pydantic's own `model_validate` adds nothing but options, at the price of as much time again.
    validate: Callable[[Any], Any] = model.model_validate
    if getattr(getattr(validate, "__func__", None), "__module__", None) == "pydantic.main":
        validate = model.__pydantic_validator__.validate_python
    return validate


@lru_cache(512)
def _dicts(names: tuple[str, ...]) -> Callable[[_Rows], list[Any]]:
    """What makes a `dict` of each row, by a display: it takes a third of the time of `dict(zip(names, values))`."""
    if not names:
        return lambda rows: [{} for _ in rows]
    values = [f"v{position}" for position in range(len(names))]
    items = ", ".join([f"{name!r}: {value}" for name, value in zip(names, values)])
    made: Callable[[_Rows], list[Any]] = eval(f"lambda rows: [{{{items}}} for {', '.join(values)}, in rows]")  # of literals alone
    return made
