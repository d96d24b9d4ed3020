"""SQLAlchemy's types as this driver has them.

The server infers the type of each parameter, and the host sends a value only where it fits it exactly. So a parameter says its type
(`$1::INTEGER`): `render_bind_cast`. What comes back is a Python value already.
"""

from __future__ import annotations

import decimal
from collections.abc import Callable
from typing import Any

from sqlalchemy import exc, types, util
from sqlalchemy.dialects import postgresql as pg
from sqlalchemy.dialects.postgresql import base, ranges
from sqlalchemy.engine import processors

from .._types import Multirange, Range

Processor = Callable[[Any], Any] | None

# OIDs: float4, float8; those, int2, int4, int8, numeric; and the arrays of all.
_FLOATS = frozenset((700, 701, 1021, 1022))
_NUMBERS = _FLOATS | {21, 23, 20, 1700, 1005, 1007, 1016, 1231}


class _Numeric:
    """Of the three ways that the server has numbers, each to what was asked for: an exact decimal, or a float."""

    asdecimal: bool
    _effective_decimal_return_scale: int
    render_bind_cast = True

    def bind_processor(self, dialect: Any) -> Processor:
        return None

    def result_processor(self, dialect: Any, coltype: Any) -> Processor:
        float_ = coltype in _FLOATS
        if coltype not in _NUMBERS:
            raise exc.InvalidRequestError(f"a value of the type with the OID {coltype} is no number")
        if self.asdecimal:
            return processors.to_decimal_processor_factory(decimal.Decimal, self._effective_decimal_return_scale) if float_ else None
        return None if float_ else processors.to_float


class Numeric(_Numeric, types.Numeric[Any]):
    """NUMERIC."""


class Float(_Numeric, types.Float[Any]):
    """FLOAT, REAL, DOUBLE PRECISION."""


class Interval(pg.INTERVAL):
    """INTERVAL."""

    render_bind_cast = True

    @classmethod
    def adapt_emulated_to_native(cls, interval: types.Interval, **kw: Any) -> pg.INTERVAL:  # type: ignore[override]
        """The native type for SQLAlchemy's generic one."""
        return cls(precision=interval.second_precision)


class _NativeJson:
    """Decoded by the driver, with the engine's deserializer."""

    def result_processor(self, dialect: Any, coltype: Any) -> Processor:
        return None


class Json(_NativeJson, pg.JSON):
    """JSON."""


class Jsonb(_NativeJson, pg.JSONB):
    """JSONB."""


class JsonPath(pg.JSONPATH):
    """A path into JSON: an array of texts, or the text of a `jsonpath`."""

    def bind_processor(self, dialect: Any) -> Callable[[Any], Any]:
        def process(value: Any) -> Any:
            return value if isinstance(value, str) else [str(step) for step in value or ()]

        return process


class Hstore(pg.HSTORE):
    """HSTORE: a dict there and back."""

    render_bind_cast = True

    def bind_processor(self, dialect: Any) -> Processor:
        return None

    def result_processor(self, dialect: Any, coltype: Any) -> Processor:
        return None


def _to_host(value: Any) -> Any:
    if isinstance(value, ranges.Range):
        return Range(value.lower, value.upper, value.bounds, value.empty)
    if isinstance(value, (list, tuple)):
        return Multirange(map(_to_host, value))
    return value


def _from_host(value: Any) -> Any:
    if isinstance(value, Multirange):
        return ranges.MultiRange(map(_from_host, value))
    if isinstance(value, Range):
        return ranges.Range(value.lower, value.upper, bounds=value.bounds or "[)", empty=value.isempty)  # type: ignore[arg-type]
    return value


class _Ranges:
    """SQLAlchemy's own class of ranges, there and back."""

    def bind_processor(self, dialect: Any) -> Processor:
        return _to_host

    def result_processor(self, dialect: Any, coltype: Any) -> Processor:
        return _from_host


class SingleRange(_Ranges, ranges.AbstractSingleRangeImpl[Any]):
    """INT4RANGE, TSTZRANGE and the like."""


class MultiRange(_Ranges, ranges.AbstractMultiRangeImpl[Any]):
    """INT4MULTIRANGE and the like."""


def _with_cast(generic: type[Any], **more: Any) -> type[Any]:
    return type(generic.__name__, (generic,), {"render_bind_cast": True, "__doc__": generic.__doc__, "__module__": __name__, **more})


_CAST: tuple[type[Any], ...] = (
    types.String,
    types.CHAR,
    types.Boolean,
    types.SmallInteger,
    types.Integer,
    types.BigInteger,
    types.Date,
    types.Time,
    types.DateTime,
    types.ARRAY,
    pg.ENUM,
    pg.OID,
    pg.REGCLASS,
    pg.REGCONFIG,
)

COLSPECS: dict[type[Any], type[Any]] = util.update_copy(
    base.PGDialect.colspecs,
    {
        **{generic: _with_cast(base.PGDialect.colspecs.get(generic, generic)) for generic in _CAST},
        types.Enum: _with_cast(pg.ENUM),
        types.LargeBinary: _with_cast(pg.BYTEA),
        types.JSON.JSONIntIndexType: _with_cast(types.JSON.JSONIntIndexType, __visit_name__="json_int_index"),
        types.JSON.JSONStrIndexType: _with_cast(types.JSON.JSONStrIndexType, __visit_name__="json_str_index"),
        types.JSON.JSONPathType: JsonPath,
        types.JSON: Json,
        pg.JSON: Json,
        pg.JSONB: Jsonb,
        types.Numeric: Numeric,
        types.Float: Float,
        types.Interval: Interval,
        pg.INTERVAL: Interval,
        pg.CITEXT: pg.CITEXT,
        pg.HSTORE: Hstore,
        ranges.AbstractSingleRange: SingleRange,
        ranges.AbstractMultiRange: MultiRange,
    },
)
