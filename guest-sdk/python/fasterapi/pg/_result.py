"""What a statement gave."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Protocol, Self, TypeVar

from . import _codec
from ._convert import Description
from ._errors import PgNoRows, PgTooManyRows
from ._into import maker
from ._row import Column, Row, Shape, shape_of
from ._stream import Blocks, Stream


class _Model(Protocol):
    @classmethod
    def model_validate(cls, obj: Any, /) -> Any: ...


_M = TypeVar("_M", bound=_Model)
_T = TypeVar("_T")


class Result:
    """What a statement gave: its first rows are here. Those of a large result that are not come when they are asked for, at once
    (`all`, `len`, …) or a block at a time (`stream`), until the request ends."""

    __slots__ = ("_affected", "_blocks", "_rows", "_shape")

    def __init__(self, block: bytes, rest: Any = None) -> None:
        """Takes a result block, and the host's `rows` of what it does not hold."""
        self._take(_codec.loads(block), rest)

    @classmethod
    def of(cls, packed: tuple[int, tuple[Description, ...], list[tuple[Any, ...]]]) -> Self:
        """A result out of its packed parts."""
        result = cls.__new__(cls)
        result._take(packed, None)
        return result

    def _take(self, packed: tuple[int, tuple[Description, ...], list[tuple[Any, ...]]], rest: Any) -> None:
        self._affected, columns, rows = packed
        self._shape: Shape = shape_of(columns)
        self._rows = self._shape.convert(rows)
        self._blocks = None if rest is None else Blocks(rest)

    @property
    def affected(self) -> int:
        """How many rows the statement inserted, updated, deleted or selected."""
        self._all()
        return self._affected

    @property
    def columns(self) -> tuple[Column, ...]:
        """The columns, there for an empty result too."""
        return self._shape.columns

    def __len__(self) -> int:
        return len(self._all())

    def __iter__(self) -> Iterator[Row]:
        shape = self._shape
        return (Row(shape, values) for values in self._all())

    def stream(self) -> Stream:
        """The rows one by one, of which only a block at a time is in memory: `for row in …` or `async for row in …`.

        The rows that were streamed are not in the result any more.
        """
        rows, blocks = self._rows, self._blocks
        self._rows, self._blocks = [], None
        return Stream(self._shape, rows, blocks)

    def all(self) -> list[Row]:
        """Every row."""
        shape = self._shape
        return [Row(shape, values) for values in self._all()]

    def tuples(self) -> list[tuple[Any, ...]]:
        """Every row as a plain tuple."""
        return self._all()

    def first(self) -> Row | None:
        """The first row, `None` if there is none."""
        return Row(self._shape, self._rows[0]) if self._rows else None

    def one(self) -> Row:
        """The only row.

        Raises:
            PgNoRows: there is none.
            PgTooManyRows: there are more.
        """
        rows = self._rows
        if len(rows) != 1:
            self._not_one()
        return Row(self._shape, rows[0])

    def one_or_none(self) -> Row | None:
        """The only row, `None` if there is none.

        Raises:
            PgTooManyRows: there are more.
        """
        return self.one() if self._rows else None

    def scalar(self) -> Any:
        """The first column of the first row, `None` if there is no row."""
        return self._rows[0][0] if self._rows else None

    def scalars(self) -> list[Any]:
        """The first column of every row."""
        return [values[0] for values in self._all()]

    def model(self, model: type[_M]) -> _M | None:
        """The only row as a pydantic model, `None` if there is none.

        Raises:
            PgTooManyRows: there are more.
            pydantic.ValidationError: the row does not fit the model.
        """
        return None if self.one_or_none() is None else maker(model, self._shape.names)(self._rows)[0]

    def models(self, model: type[_M]) -> list[_M]:
        """Every row as a pydantic model."""
        return maker(model, self._shape.names)(self._all())

    def into(self, kind: type[_T]) -> list[_T]:
        """Every row as a `kind`: a pydantic model (validated), a dataclass, a `NamedTuple` or another class that takes the columns as
        keyword arguments; `dict`; `tuple`; a `TypedDict` (not validated).

        Raises:
            TypeError: the columns do not fit what `kind` takes.
            pydantic.ValidationError: a row does not fit the model.
        """
        return maker(kind, self._shape.names)(self._all())

    def _all(self) -> list[tuple[Any, ...]]:
        if self._blocks is not None:
            blocks, self._blocks = self._blocks, None
            while (rows := blocks.next()) is not None:
                self._rows += self._shape.convert(rows)
            self._affected = len(self._rows)  # the block said nothing of it: it was not over
        return self._rows

    def _not_one(self) -> None:
        if not self._rows:
            raise PgNoRows("one row was asked for and there is none")
        raise PgTooManyRows(f"one row was asked for and there are {len(self._all())}")
