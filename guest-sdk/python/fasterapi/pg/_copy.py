"""COPY, driven by the app."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Iterator, Sequence
from types import TracebackType
from typing import Any, Self

from . import _host
from ._copy_format import RowFormat, format_of
from ._errors import PgError, PgUsageError
from ._held import Flow, Held

Data = bytes | bytearray | memoryview | str

_PIECE = 64 * 1024
"""Bytes that are gathered before the host is called."""


class CopyIn(Held):
    """Takes what `COPY … FROM STDIN` is to store. Made by `copy_in`; used in a `with` block, whose end stores it."""

    __slots__ = ("_format", "_pieces", "_size", "rows")

    rows: int | None
    """How many rows were stored: there after the end."""

    def __init__(self, host: Any, statement: str) -> None:
        super().__init__(host)
        self._format: RowFormat = format_of(statement)
        self._pieces: list[bytes] = []
        self._size = 0
        self.rows = None

    def write(self, data: Data) -> None:
        """Writes data in the statement's format, cut anywhere. Waits while the server does not take it."""
        _host.run(self._writing(data))

    def write_row(self, row: Sequence[Any]) -> None:
        """Writes one row of Python values, in the format that the statement says: text, CSV or binary. Binary needs `set_types`."""
        self.write(self._format.row(row))

    def write_rows(self, rows: Iterable[Sequence[Any]]) -> None:
        """Writes rows."""
        for row in rows:
            self.write_row(row)

    def set_types(self, types: Sequence[str]) -> None:
        """Says what types the columns of a binary COPY have, by their names: `["int4", "text"]`."""
        self._format.set_types(types)

    def finish(self) -> int:
        """Stores what was written, and says how many rows that is. The end of the `with` block does it."""
        return _host.run(self._finishing())

    def _writing(self, data: Data) -> _host.Steps[None]:
        piece = data.encode() if isinstance(data, str) else bytes(data)
        self._pieces.append(piece)
        self._size += len(piece)
        if self._size >= _PIECE:
            yield from self._flushing()

    def _flushing(self) -> _host.Steps[None]:
        host = self._opened()
        data = b"".join(self._pieces)
        self._pieces.clear()
        self._size = 0
        try:
            for start in range(0, len(data), 4 * _PIECE):
                yield host, "write", data[start : start + 4 * _PIECE].decode("latin-1")
        except PgError:
            self.close()
            raise

    def _finishing(self) -> _host.Steps[int]:
        host = self._opened()
        yield from self._writing(self._format.end())
        yield from self._flushing()
        try:
            rows: int = yield host, "finish"
        finally:
            self.close()
        self.rows = rows
        return rows

    def _opened(self) -> _host.Lent:
        host = self._lent
        if host is None:
            raise PgUsageError("the copy has ended")
        return host

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None) -> None:
        if kind is None and self._lent is not None:
            self.finish()
        else:
            self.close()


class CopyOut(Flow, Iterator[bytes], AsyncIterator[bytes]):
    """What `COPY … TO STDOUT` gives, in chunks: `for chunk in …`, `async for chunk in …`. Made by `copy_out`."""

    __slots__ = ()

    def __next__(self) -> bytes:
        data = _host.run(self._taking())
        if data is None:
            raise StopIteration
        return data

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> bytes:
        data = await _host.arun(self._taking())
        if data is None:
            raise StopAsyncIteration
        return data

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        self.close()
