"""Rows and results."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple, Protocol, TypeVar, overload

from . import _codec
from ._errors import PgNoRows, PgTooManyRows


class _Model(Protocol):
    @classmethod
    def model_validate(cls, obj: Any, /) -> Any: ...


_M = TypeVar("_M", bound=_Model)


class Column(NamedTuple):
    """A column of a result: its name, the OID of its type, and how its values travel."""

    name: str
    type_oid: int
    kind: str


class _Shape:
    """What all rows of one set of columns share."""

    __slots__ = ("columns", "converters", "index", "names")

    def __init__(self, columns: tuple[tuple[str, int, str], ...]) -> None:
        self.columns = tuple(Column(*column) for column in columns)
        self.names = tuple(column.name for column in self.columns)
        self.index = {name: position for position, name in enumerate(self.names)}
        found = ((position, _codec.converter(column.kind)) for position, column in enumerate(self.columns))
        self.converters = [(position, convert) for position, convert in found if convert is not None]

    def convert(self, values: tuple[Any, ...]) -> tuple[Any, ...]:
        converted = list(values)
        for position, convert in self.converters:
            value = converted[position]
            if value is not None:
                converted[position] = convert(value)
        return tuple(converted)


_shapes: dict[Any, _Shape] = {}
_MOST_SHAPES = 512


def _shape(columns: tuple[tuple[str, int, str], ...]) -> _Shape:
    shape = _shapes.get(columns)
    if shape is None:
        if len(_shapes) >= _MOST_SHAPES:  # an app that makes its column names up
            _shapes.clear()
        shape = _shapes[columns] = _Shape(columns)
    return shape


class Row:
    """One row: by name (`row["id"]`), by position (`row[0]`), by attribute (`row.id`), and as keyword arguments (`Item(**row)`).

    Iterates over its values, as a tuple does. Of columns with the same name the last one counts.
    """

    __slots__ = ("_shape", "_values")

    def __init__(self, shape: _Shape, values: tuple[Any, ...]) -> None:
        self._shape = shape
        self._values = values

    @overload
    def __getitem__(self, key: str | int) -> Any: ...
    @overload
    def __getitem__(self, key: slice) -> tuple[Any, ...]: ...
    def __getitem__(self, key: str | int | slice) -> Any:
        if type(key) is str:
            return self._values[self._shape.index[key]]
        return self._values[key]  # type: ignore[index]

    def __getattr__(self, name: str) -> Any:
        try:
            return self._values[self._shape.index[name]]
        except KeyError:
            raise AttributeError(f"the row has no column `{name}`; it has {', '.join(self._shape.names)}") from None

    def __iter__(self) -> Iterator[Any]:
        return iter(self._values)

    def __len__(self) -> int:
        return len(self._values)

    def __contains__(self, name: object) -> bool:
        return name in self._shape.index

    def __eq__(self, other: object) -> bool:
        if isinstance(other, Row):
            return self._values == other._values and self._shape.names == other._shape.names
        return self._values == other if isinstance(other, tuple) else NotImplemented

    def __hash__(self) -> int:
        return hash(self._values)

    def __repr__(self) -> str:
        return f"Row({', '.join(f'{name}={value!r}' for name, value in self.items())})"

    def keys(self) -> tuple[str, ...]:
        """The names of the columns."""
        return self._shape.names

    def values(self) -> tuple[Any, ...]:
        """The values."""
        return self._values

    def items(self) -> Iterator[tuple[str, Any]]:
        """Names with values."""
        return zip(self._shape.names, self._values)

    def get(self, name: str, default: Any = None) -> Any:
        """The value of a column that may not be there."""
        position = self._shape.index.get(name)
        return default if position is None else self._values[position]

    def dict(self) -> dict[str, Any]:
        """The row as a `dict`."""
        return dict(zip(self._shape.names, self._values))


class Result:
    """What a statement gave. It is here already: nothing is fetched any more."""

    __slots__ = ("_rows", "_shape", "affected")

    affected: int
    """How many rows the statement inserted, updated, deleted or selected."""

    def __init__(self, block: bytes) -> None:
        self.affected, columns, rows = _codec.unpack(block)
        self._shape = shape = _shape(columns)
        self._rows = [shape.convert(row) for row in rows] if shape.converters else rows

    @property
    def columns(self) -> tuple[Column, ...]:
        """The columns, there for an empty result too."""
        return self._shape.columns

    def __len__(self) -> int:
        return len(self._rows)

    def __iter__(self) -> Iterator[Row]:
        shape = self._shape
        return (Row(shape, values) for values in self._rows)

    def all(self) -> list[Row]:
        """Every row."""
        shape = self._shape
        return [Row(shape, values) for values in self._rows]

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
        return [values[0] for values in self._rows]

    def model(self, model: type[_M]) -> _M | None:
        """The only row as a pydantic model, `None` if there is none.

        Raises:
            PgTooManyRows: there are more.
            pydantic.ValidationError: the row does not fit the model.
        """
        row = self.one_or_none()
        return None if row is None else model.model_validate(row.dict())

    def models(self, model: type[_M]) -> list[_M]:
        """Every row as a pydantic model."""
        names = self._shape.names
        return [model.model_validate(dict(zip(names, values))) for values in self._rows]

    def _not_one(self) -> None:
        if not self._rows:
            raise PgNoRows("one row was asked for and there is none")
        raise PgTooManyRows(f"one row was asked for and there are {len(self._rows)}")
