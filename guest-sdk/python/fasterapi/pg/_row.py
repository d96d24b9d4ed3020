"""Rows, and what all rows of one result share."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple, overload

from . import _adapters, _convert


class Column(NamedTuple):
    """A column of a result: its name, the OID of its type, and how its values travel."""

    name: str
    type_oid: int
    kind: str
    type: tuple[str, tuple[Any, ...]] | None = None
    """The type's name and the descriptions of its parts; none for most built-in types."""


class Shape:
    """What all rows of one set of columns share."""

    __slots__ = ("_convert", "_described", "columns", "converters", "index", "names")

    def __init__(self, columns: tuple[_convert.Description, ...]) -> None:
        self._described = columns
        self.columns = tuple(Column(*column) for column in columns)
        self.names = tuple(column.name for column in self.columns)
        self.index = {name: position for position, name in enumerate(self.names)}
        found = [(position, _convert.converter(column)) for position, column in enumerate(columns)]
        self.converters = [(position, convert) for position, convert in found if convert is not None]
        """For values that are not None."""
        self._convert = _convert.rows_converter(columns, self.converters) if self.converters else None

    def convert(self, rows: list[tuple[Any, ...]]) -> list[tuple[Any, ...]]:
        """The rows with Python's values."""
        return rows if self._convert is None or not rows else self._convert(rows)


_shapes: dict[Any, Shape] = {}
_MOST_SHAPES = 512
_adapters.on_change += [_shapes.clear, _convert.forget]


def shape_of(columns: tuple[_convert.Description, ...]) -> Shape:
    shape = _shapes.get(columns)
    if shape is None:
        if len(_shapes) >= _MOST_SHAPES:  # an app that makes its column names up
            _shapes.clear()
        shape = _shapes[columns] = Shape(columns)
    return shape


class Row:
    """One row: by name (`row["id"]`), by position (`row[0]`), by attribute (`row.id`), and as keyword arguments (`Item(**row)`).

    Iterates over its values, as a tuple does. Of columns with the same name the last one counts.
    """

    __slots__ = ("_shape", "_values")

    def __init__(self, shape: Shape, values: tuple[Any, ...]) -> None:
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

    def __reduce__(self) -> tuple[Any, ...]:
        """For `copy` and `pickle`, which would ask an empty row for attributes."""
        return _row_of, (self._shape._described, self._values)

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


def _row_of(columns: tuple[_convert.Description, ...], values: tuple[Any, ...]) -> Row:
    return Row(shape_of(columns), values)
