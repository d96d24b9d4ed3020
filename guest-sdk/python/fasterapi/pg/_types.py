"""Values of Postgres that Python has no type for."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import timedelta
from typing import Any, Final, Generic, NamedTuple, Self, TypeVar, final

T = TypeVar("T")

_BOUNDS: Final = ("[]", "[)", "(]", "()")


@final
class Range(Generic[T]):
    """A range of a subtype: `Range(1, 5)` is `[1,5)`.

    A bound that is `None` is open. Compares as it is written: `int4range` comes from the server in the form `[)`, so send it in that
    form when you want it back equal. Immutable.

    Args:
        lower: the lower bound, `None` for none.
        upper: the upper bound, `None` for none.
        bounds: which bounds belong to it: `[]`, `[)`, `(]` or `()`.
        empty: it holds nothing; then it has no bounds.
    """

    __slots__ = ("_bounds", "_lower", "_upper")

    def __init__(self, lower: T | None = None, upper: T | None = None, bounds: str = "[)", empty: bool = False) -> None:
        if bounds not in _BOUNDS:
            raise ValueError(f"bounds are one of {', '.join(_BOUNDS)}, not `{bounds}`")
        self._lower = None if empty else lower
        self._upper = None if empty else upper
        self._bounds = None if empty else bounds

    @classmethod
    def _made(cls, lower: T | None, upper: T | None, bounds: str | None) -> Self:
        made = cls.__new__(cls)
        made._lower, made._upper, made._bounds = lower, upper, bounds
        return made

    @property
    def lower(self) -> T | None:
        """The lower bound, `None` if it is open or the range is empty."""
        return self._lower

    @property
    def upper(self) -> T | None:
        """The upper bound, `None` if it is open or the range is empty."""
        return self._upper

    @property
    def bounds(self) -> str | None:
        """`[]`, `[)`, `(]` or `()`; `None` if the range is empty."""
        return self._bounds

    @property
    def isempty(self) -> bool:
        """Whether it holds nothing."""
        return self._bounds is None

    @property
    def lower_inf(self) -> bool:
        """Whether it has no lower bound."""
        return self._bounds is not None and self._lower is None

    @property
    def upper_inf(self) -> bool:
        """Whether it has no upper bound."""
        return self._bounds is not None and self._upper is None

    @property
    def lower_inc(self) -> bool:
        """Whether its lower bound belongs to it."""
        return self._bounds is not None and self._lower is not None and self._bounds[0] == "["

    @property
    def upper_inc(self) -> bool:
        """Whether its upper bound belongs to it."""
        return self._bounds is not None and self._upper is not None and self._bounds[1] == "]"

    def __contains__(self, value: Any) -> bool:
        if self._bounds is None:
            return False
        if self._lower is not None and not (value >= self._lower if self.lower_inc else value > self._lower):
            return False
        return self._upper is None or bool(value <= self._upper if self.upper_inc else value < self._upper)

    def __bool__(self) -> bool:
        return self._bounds is not None

    def _key(self) -> tuple[T | None, T | None, bool, bool, bool]:
        return (self._lower, self._upper, self.lower_inc, self.upper_inc, self.isempty)

    def __eq__(self, other: object) -> bool:
        return self._key() == other._key() if isinstance(other, Range) else NotImplemented

    def __hash__(self) -> int:
        return hash(self._key())

    def __reduce__(self) -> tuple[Any, tuple[Any, ...]]:
        return (Range._made, (self._lower, self._upper, self._bounds))

    def __repr__(self) -> str:
        return "Range(empty=True)" if self._bounds is None else f"Range({self._lower!r}, {self._upper!r}, {self._bounds!r})"


class Multirange(tuple[Range[T], ...]):
    """Ranges that do not touch, in their order: `Multirange([Range(1, 3), Range(5, 7)])`."""

    __slots__ = ()

    def __repr__(self) -> str:
        return f"Multirange([{', '.join(map(repr, self))}])"


class Point(NamedTuple):
    """`point`."""

    x: float
    y: float


class Line(NamedTuple):
    """`line`: all points with `a*x + b*y + c = 0`."""

    a: float
    b: float
    c: float


class LineSegment(NamedTuple):
    """`lseg`."""

    start: Point
    end: Point


class Box(NamedTuple):
    """`box`: its upper right and lower left corner. The server orders them."""

    high: Point
    low: Point


class Path(NamedTuple):
    """`path`: joined points; closed: the last with the first too."""

    points: tuple[Point, ...]
    closed: bool = False


class Polygon(tuple[Point, ...]):
    """`polygon`: its corners."""

    __slots__ = ()

    def __new__(cls, points: Iterable[tuple[float, float]]) -> Self:
        return super().__new__(cls, [Point(*point) for point in points])

    def __repr__(self) -> str:
        return f"Polygon([{', '.join(map(repr, self))}])"


class Circle(NamedTuple):
    """`circle`."""

    center: Point
    radius: float


class Interval(timedelta):
    """An interval with months, which no `timedelta` holds exactly.

    As a `timedelta` it has 30 days for a month and 365 for 12 of them; as a parameter it is what it was made of.
    """

    __slots__ = ("parts",)

    parts: tuple[int, int, int]
    """Months, days and microseconds, each with its own sign."""

    def __new__(cls, months: int = 0, days: int = 0, microseconds: int = 0) -> Self:
        years, rest = divmod(abs(months), 12)
        counted = (years * 365 + rest * 30) * (1 if months > 0 else -1)
        made = super().__new__(cls, days=counted + days, microseconds=microseconds)
        made.parts = (months, days, microseconds)
        return made

    def __reduce__(self) -> tuple[Any, tuple[Any, ...]]:
        return (Interval, self.parts)

    def __repr__(self) -> str:
        return "Interval(months={}, days={}, microseconds={})".format(*self.parts)


class OutOfRange(str):
    """A date, time or interval that Python's types cannot hold: infinity, BC, a year over 9999, `24:00:00`.

    It is Postgres's own text (`"infinity"`, `"0044-03-15 BC"`), and as a parameter means the same value again.
    """

    __slots__ = ()

    def __repr__(self) -> str:
        return f"OutOfRange({str.__repr__(self)})"
