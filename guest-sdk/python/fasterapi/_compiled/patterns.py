"""Regular expressions of Python's, written for the host, where both read them the same.

Python's own parser takes one apart; what is written anew of it is literals, classes, groups, alternatives and repeats. Of those both engines match the
same whole texts, as long as the text is ASCII without line breaks: the host asks the app about any other.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from importlib import import_module
from typing import Any

_MOST = 1000
"""Characters to match, each repeat counted as often as it must or may come. The host's engine lays them all out."""

_CLASSES = {
    "CATEGORY_DIGIT": r"\d",
    "CATEGORY_NOT_DIGIT": r"\D",
    "CATEGORY_WORD": r"\w",
    "CATEGORY_NOT_WORD": r"\W",
    "CATEGORY_SPACE": r"\s",
    "CATEGORY_NOT_SPACE": r"\S",
}
_PLACES = {"AT_BEGINNING": r"\A", "AT_BEGINNING_STRING": r"\A", "AT_END": r"\z", "AT_END_STRING": r"\z"}


class _Unlike(Exception):
    """The engines may differ."""


def written(pattern: re.Pattern[Any]) -> str | None:
    """The expression for the host, to match a whole text with. None: it is one for Python alone."""
    if not isinstance(pattern.pattern, str) or pattern.flags != re.UNICODE:
        return None
    try:
        text, size = _sequence(import_module("re._parser").parse(pattern.pattern))
    except _Unlike:
        return None
    return text if size <= _MOST else None


_Written = tuple[str, int]


def _sequence(parsed: Any) -> _Written:
    parts = [_part(operation.name, argument) for operation, argument in parsed]
    return "".join(text for text, _ in parts), sum(size for _, size in parts)


def _part(operation: str, argument: Any) -> _Written:
    write = _PARTS.get(operation)
    if write is None:
        raise _Unlike(operation)
    return write(argument)


def _literal(code: int) -> _Written:
    if not 0x20 <= code < 0x7F:
        raise _Unlike(code)
    return rf"\x{code:02x}", 1


def _class(members: list[Any]) -> _Written:
    return f"[{''.join(_member(operation.name, argument) for operation, argument in members)}]", 1


def _member(operation: str, argument: Any) -> str:
    if operation == "NEGATE":
        return "^"
    if operation == "RANGE":
        return f"{_literal(argument[0])[0]}-{_literal(argument[1])[0]}"
    if operation == "CATEGORY" and argument.name in _CLASSES:
        return _CLASSES[argument.name]
    return _part(operation, argument)[0] if operation == "LITERAL" else _unlike(operation)


def _place(place: Any) -> _Written:
    return _PLACES.get(place.name) or _unlike(place.name), 0


def _group(argument: Any) -> _Written:
    _, added, removed, parsed = argument
    if added or removed:
        raise _Unlike("flags")
    text, size = _sequence(parsed)
    return f"(?:{text})", size


def _branch(argument: Any) -> _Written:
    parts = [_sequence(parsed) for parsed in argument[1]]
    return f"(?:{'|'.join(text for text, _ in parts)})", sum(size for _, size in parts)


def _repeat(argument: Any) -> _Written:
    least, most, parsed = argument
    if parsed.getwidth()[0] == 0:  # where Python leaves off repeating nothing is its own affair
        raise _Unlike("a repeat of what may be nothing")
    text, size = _sequence(parsed)
    endless = most is import_module("re._constants").MAXREPEAT
    if not endless and most > _MOST or least > _MOST:
        raise _Unlike("a long repeat")
    return f"(?:{text}){{{least},{'' if endless else most}}}", size * (least + 1 if endless else most)


def _unlike(what: str) -> str:
    raise _Unlike(what)


_PARTS: dict[str, Callable[[Any], _Written]] = {
    "LITERAL": _literal,
    "NOT_LITERAL": lambda code: (f"[^{_literal(code)[0]}]", 1),
    "ANY": lambda _: (".", 1),
    "IN": _class,
    "AT": _place,
    "SUBPATTERN": _group,
    "BRANCH": _branch,
    "MAX_REPEAT": _repeat,
    "MIN_REPEAT": _repeat,
}
