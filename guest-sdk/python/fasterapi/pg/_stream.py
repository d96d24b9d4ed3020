"""Rows that come in blocks, while the statement runs."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from typing import Any, Self

from . import _codec, _host
from ._convert import Description
from ._held import Flow
from ._row import Row, Shape, shape_of


class Blocks(Flow):
    """The blocks of a statement under way: the host's `rows`."""

    __slots__ = ()

    def columns(self) -> tuple[Description, ...]:
        """The columns, as in a result block. To be asked before the rows."""
        assert self._host is not None
        columns: tuple[Description, ...] = _codec.loads(self._host.call("columns"))
        return columns

    def next(self) -> list[tuple[Any, ...]] | None:
        """The next rows, packed; none at the end."""
        return _rows(_host.run(self._taking()))

    async def anext(self) -> list[tuple[Any, ...]] | None:
        """The same, while other tasks go on."""
        return _rows(await _host.arun(self._taking()))


def _rows(block: bytes | None) -> list[tuple[Any, ...]] | None:
    return None if block is None else _codec.loads(block)


class Stream(Iterator[Row], AsyncIterator[Row]):
    """Rows as they come: `for row in …`, `async for row in …`. As a context manager, or by `close`, it can be ended early, which
    cancels the statement; a loop that is left by `break` is ended when the stream is forgotten."""

    __slots__ = ("_blocks", "_rows", "_shape")

    def __init__(self, shape: Shape, first: list[tuple[Any, ...]], blocks: Blocks | None) -> None:
        self._shape = shape
        self._rows = iter(first)
        self._blocks = blocks

    @classmethod
    def of(cls, rows: Any) -> Self:
        """Takes the host's `rows`."""
        blocks = Blocks(rows)
        return cls(shape_of(blocks.columns()), [], blocks)

    def __iter__(self) -> Self:
        return self

    def __aiter__(self) -> Self:
        return self

    def __next__(self) -> Row:
        while True:
            for values in self._rows:
                return Row(self._shape, values)
            if self._blocks is None or not self._took(self._blocks.next()):
                raise StopIteration

    async def __anext__(self) -> Row:
        while True:
            for values in self._rows:
                return Row(self._shape, values)
            if self._blocks is None or not self._took(await self._blocks.anext()):
                raise StopAsyncIteration

    def _took(self, rows: list[tuple[Any, ...]] | None) -> bool:
        if rows is None:
            self._blocks = None
            return False
        self._rows = iter(self._shape.convert(rows))
        return True

    def close(self) -> None:
        """Ends it. What was not read is lost."""
        self._rows = iter(())
        blocks, self._blocks = self._blocks, None
        if blocks is not None:
            blocks.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        self.close()

    def __del__(self) -> None:
        self.close()
