"""COPY, in asyncpg's words."""

from __future__ import annotations

from collections.abc import AsyncIterable, Awaitable, Callable, Iterable, Sequence
from os import PathLike
from typing import IO, Any

from .._aio import AsyncPg
from .._errors import PgUsageError

Output = str | PathLike[str] | IO[bytes] | Callable[[bytes], Awaitable[None]]
Source = str | PathLike[str] | IO[bytes] | Iterable[bytes] | AsyncIterable[bytes]
Records = Iterable[Sequence[Any]] | AsyncIterable[Sequence[Any]]

_PIECE = 1 << 16


def table(name: str, columns: Sequence[str] | None, schema: str | None) -> str:
    """A table as COPY names it."""
    named = _quoted(name) if schema is None else f"{_quoted(schema)}.{_quoted(name)}"
    return named if columns is None else f"{named} ({', '.join(map(_quoted, columns))})"


async def out(pg: AsyncPg, what: str, args: tuple[Any, ...], output: Output, options: dict[str, Any]) -> str:
    """Runs COPY … TO STDOUT."""
    if args:
        raise PgUsageError("COPY takes no parameters: write the values into the query")
    lines = 0
    with _opened(output, "wb") as write:
        async with pg.copy_out(f"COPY {what} TO STDOUT{_options(options)}") as data:
            async for chunk in data:
                lines += chunk.count(b"\n")
                await write(chunk)
    return f"COPY {lines}" if options.get("format", "text") == "text" else "COPY"


async def into(pg: AsyncPg, where: str, source: Source, options: dict[str, Any]) -> str:
    """Runs COPY … FROM STDIN."""
    async with pg.copy_in(f"COPY {where} FROM STDIN{_options(options)}") as pipe:
        async for chunk in _chunks(source):
            await pipe.write(chunk)
        return f"COPY {await pipe.finish()}"


async def records(pg: AsyncPg, where: str, rows: Records, condition: str | None) -> str:
    """Runs COPY … FROM STDIN with Python values."""
    filtered = "" if condition is None else f" WHERE {condition}"
    async with pg.copy_in(f"COPY {where} FROM STDIN{filtered}") as pipe:
        if isinstance(rows, AsyncIterable):
            async for row in rows:
                await pipe.write_row(row)
        else:
            await pipe.write_rows(rows)
        return f"COPY {await pipe.finish()}"


class _opened:
    """Where the data goes."""

    def __init__(self, output: Output, mode: str) -> None:
        self._output = output
        self._mode = mode
        self._file: IO[bytes] | None = None

    def __enter__(self) -> Callable[[bytes], Awaitable[None]]:
        output = self._output
        if callable(output):
            return output
        if isinstance(output, (str, PathLike)):
            self._file = file = open(output, self._mode)
        else:
            file = output

        async def write(data: bytes) -> None:
            file.write(data)

        return write

    def __exit__(self, *_error: object) -> None:
        if self._file is not None:
            self._file.close()


async def _chunks(source: Source) -> Any:
    if isinstance(source, AsyncIterable):
        async for chunk in source:
            yield chunk
    elif isinstance(source, (str, PathLike)):
        with open(source, "rb") as file:
            while chunk := file.read(_PIECE):
                yield chunk
    elif hasattr(source, "read"):
        while chunk := source.read(_PIECE):
            yield chunk
    else:
        for chunk in source:
            yield chunk


_LITERALS = frozenset(("delimiter", "null", "quote", "escape", "encoding"))


def _options(options: dict[str, Any]) -> str:
    given = [f"{name.upper()} {_option(name, value)}" for name, value in options.items() if value is not None and name != "timeout"]
    return f" ({', '.join(given)})" if given else ""


def _option(name: str, value: Any) -> str:
    if isinstance(value, bool):
        return str(value).upper()
    if name in _LITERALS:
        return "'" + str(value).replace("'", "''") + "'"
    if isinstance(value, str):
        return value if value == "*" else _quoted(value)
    return f"({', '.join(map(_quoted, value))})"


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'
