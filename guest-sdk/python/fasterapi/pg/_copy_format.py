"""Rows in the formats of COPY (PostgreSQL documentation, COPY, "File Formats")."""

from __future__ import annotations

import re
import struct
from collections.abc import Callable, Sequence
from typing import Any

from ._errors import PgUsageError
from ._literal import literal

_OPTIONS = re.compile(r"\bstdin\b(.*)", re.IGNORECASE | re.DOTALL)
_TOKEN = re.compile(r"e'((?:[^'\\]|''|\\.)*)'|'((?:[^']|'')*)'|(\w+)", re.IGNORECASE)


class RowFormat:
    """The text format: tab between columns, `\\N` for NULL."""

    def __init__(self, options: dict[str, str]) -> None:
        self._delimiter = options.get("delimiter", self.DELIMITER)
        self._null = options.get("null", self.NULL)

    DELIMITER = "\t"
    NULL = "\\N"

    def row(self, values: Sequence[Any]) -> bytes:
        """One row."""
        return (self._delimiter.join([self._field(value) for value in values]) + "\n").encode()

    def _field(self, value: Any) -> str:
        if value is None:
            return self._null
        text = literal(value).translate(_ESCAPES)
        return text.replace(self._delimiter, "\\" + self._delimiter) if self._delimiter != "\t" else text

    def set_types(self, types: Sequence[str]) -> None:
        """Only the binary format needs them."""
        raise PgUsageError("only a binary copy needs the types of its columns")

    def end(self) -> bytes:
        """What follows the last row."""
        return b""


class _Csv(RowFormat):
    """RFC 4180: an empty field is NULL, a quoted one is text."""

    DELIMITER = ","
    NULL = ""

    def __init__(self, options: dict[str, str]) -> None:
        super().__init__(options)
        self._quote = options.get("quote", '"')
        self._escape = options.get("escape", self._quote)

    def _field(self, value: Any) -> str:
        if value is None:
            return self._null
        text = literal(value)
        if self._escape != self._quote:
            text = text.replace(self._escape, self._escape * 2)
        return self._quote + text.replace(self._quote, self._escape + self._quote) + self._quote


class _Binary(RowFormat):
    """The binary format: each value as the column's type has it."""

    _SIGNATURE = b"PGCOPY\n\xff\r\n\0" + bytes(8)

    def __init__(self, options: dict[str, str]) -> None:
        self._encoders: list[Callable[[Any], bytes]] = []
        self._begun = False

    def set_types(self, types: Sequence[str]) -> None:
        unknown = [name for name in types if name.lower() not in _BINARY]
        if unknown:
            raise PgUsageError(f"no binary form of `{unknown[0]}` is known here: write it as text or CSV")
        self._encoders = [_BINARY[name.lower()] for name in types]

    def row(self, values: Sequence[Any]) -> bytes:
        if len(values) != len(self._encoders):
            raise PgUsageError(f"the row has {len(values)} values, and `set_types` named {len(self._encoders)} types")
        fields = [struct.pack("!h", len(values))]
        for value, encode in zip(values, self._encoders):
            data = None if value is None else encode(value)
            fields.append(b"\xff\xff\xff\xff" if data is None else struct.pack("!i", len(data)) + data)
        return self._start() + b"".join(fields)

    def end(self) -> bytes:
        # Bytes that the app wrote itself are complete as they are.
        return self._start() + b"\xff\xff" if self._encoders else b""

    def _start(self) -> bytes:
        begun, self._begun = self._begun, True
        return b"" if begun else self._SIGNATURE


def format_of(statement: str) -> RowFormat:
    """The format that a `COPY … FROM STDIN …` asks for, in its new or its old syntax."""
    found = _OPTIONS.search(statement)
    tokens = iter([] if found is None else [_token(token) for token in _TOKEN.findall(found[1])])
    options: dict[str, str] = {}
    for is_word, text in tokens:
        name = text.lower() if is_word else ""
        if name == "format":
            options["format"] = next(tokens, (True, ""))[1].lower()
        elif name in ("csv", "binary"):
            options["format"] = name
        elif name in ("delimiter", "null", "quote", "escape"):
            options[name] = next((text for is_word, text in tokens if not is_word), "")
    return {"csv": _Csv, "binary": _Binary}.get(options.get("format", "text"), RowFormat)(options)


def _token(token: tuple[str, str, str]) -> tuple[bool, str]:
    """Whether it is a word, and its text."""
    escaped, quoted, word = token
    if word:
        return True, word
    if escaped:
        return False, escaped.replace("''", "'").encode().decode("unicode_escape")
    return False, quoted.replace("''", "'")


_ESCAPES = str.maketrans({"\\": "\\\\", "\n": "\\n", "\r": "\\r", "\t": "\\t", "\b": "\\b", "\f": "\\f", "\v": "\\v"})


def _packed(layout: str) -> Callable[[Any], bytes]:
    return struct.Struct(layout).pack


def _utf8(value: Any) -> bytes:
    return literal(value).encode()


def _days(value: Any) -> bytes:
    return struct.pack("!i", value.toordinal() - 730_120)  # 2000-01-01


_BINARY: dict[str, Callable[[Any], bytes]] = {
    "bool": lambda value: b"\1" if value else b"\0",
    "boolean": lambda value: b"\1" if value else b"\0",
    **dict.fromkeys(("int2", "smallint"), _packed("!h")),
    **dict.fromkeys(("int4", "int", "integer"), _packed("!i")),
    **dict.fromkeys(("int8", "bigint"), _packed("!q")),
    **dict.fromkeys(("float4", "real"), _packed("!f")),
    **dict.fromkeys(("float8", "double precision"), _packed("!d")),
    **dict.fromkeys(("text", "varchar", "bpchar", "char", "name", "json", "xml"), _utf8),
    "jsonb": lambda value: b"\1" + _utf8(value),
    "bytea": bytes,
    "uuid": lambda value: bytes(value.bytes),
    "date": _days,
}
