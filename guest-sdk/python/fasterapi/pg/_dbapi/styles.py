"""From the placeholders of PEP 249 to PostgreSQL's `$1`."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from typing import Any, Literal

from .errors import ProgrammingError

Paramstyle = Literal["pyformat", "numeric_dollar"]
Parameters = Sequence[Any] | Mapping[str, Any]
Bound = tuple[str, tuple[Any, ...]]

_PLACEHOLDER = re.compile(r"%(?:\(([^)]*)\))?(.?)", re.DOTALL)


def pyformat(statement: str, parameters: Parameters | None) -> Bound:
    """`%s` with a sequence, `%(name)s` with a mapping, `%%` for a percent sign. Without parameters the statement stays as it is."""
    if parameters is None:
        return statement, ()
    text, count, names = _parsed(statement)
    if isinstance(parameters, Mapping):
        if count:
            raise ProgrammingError("the statement has `%s`, which takes a sequence of parameters, not a mapping")
        missing = [name for name in names if name not in parameters]
        if missing:
            raise ProgrammingError(f"the statement has parameters that were not given: {', '.join(missing)}")
        return text, tuple([parameters[name] for name in names])
    if names:
        raise ProgrammingError("the statement has `%(name)s`, which takes a mapping of parameters, not a sequence")
    values = tuple(parameters)
    if len(values) != count:
        raise ProgrammingError(f"the statement has {count} parameters, {len(values)} were given")
    return text, values


def numeric_dollar(statement: str, parameters: Parameters | None) -> Bound:
    """`$1`, as the server itself has it."""
    if isinstance(parameters, Mapping):
        raise ProgrammingError("`$1` takes a sequence of parameters, not a mapping")
    return statement, tuple(parameters or ())


STYLES: dict[Paramstyle, Callable[[str, Parameters | None], Bound]] = {"pyformat": pyformat, "numeric_dollar": numeric_dollar}


@lru_cache(512)
def _parsed(statement: str) -> tuple[str, int, tuple[str, ...]]:
    """The statement with `$n`, how many `%s` it had, and its names in the order of their numbers."""
    names: dict[str, int] = {}
    count = 0

    def replace(found: re.Match[str]) -> str:
        nonlocal count
        name, code = found.groups()
        if code == "%" and name is None:
            return "%"
        if code != "s":
            raise ProgrammingError(f"`{found[0]}` is no placeholder: write `%s` or `%(name)s`, and `%%` for a percent sign")
        if name is not None:
            return f"${names.setdefault(name, len(names) + 1)}"
        count += 1
        return f"${count}"

    text = _PLACEHOLDER.sub(replace, statement)
    if count and names:
        raise ProgrammingError("a statement has either `%s` or `%(name)s`")
    return text, count, tuple(names)
