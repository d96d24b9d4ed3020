"""What an application adds to the types: how its own go to Postgres, and how values of Postgres become its own.

All of it holds for the whole process; register at import, where it is done once.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import fields, is_dataclass
from enum import Enum
from typing import Any

from ._errors import PgUsageError

Converter = Callable[[Any], Any]

AS_THEY_ARE = frozenset((type(None), bool, int, float, str, bytes))
"""The types of parameters that travel as they are."""

adapters: dict[type[Any], Callable[[Any], Any]] = {}
_converters: dict[int | str, Converter] = {}
_classes: dict[str, type[Any]] = {}
on_change: list[Callable[[], None]] = []
"""Called when something is registered: what was worked out from the registry is out of date."""


def register_adapter(python_type: type[Any], to_postgres: Callable[[Any], Any]) -> None:
    """Makes values of a type parameters: `to_postgres` gives what goes in their place, itself a parameter.

    Holds for subclasses too. The types that travel as they are (None, bool, int, float, str, bytes) cannot be changed.

        register_adapter(Money, lambda money: money.amount)
    """
    if python_type in AS_THEY_ARE:
        raise PgUsageError(f"`{python_type.__name__}` travels as it is: make a type of your own of it")
    adapters[python_type] = to_postgres


def register_converter(pg_type: str | int, convert: Converter) -> None:
    """Makes values of a Postgres type what `convert` gives, also within arrays, ranges and composites. Never called for NULL.

    `convert` gets a simple value as it is packed: text for enums, numeric, JSON, dates and what Postgres prints. A composite comes as a
    named tuple, a range as a `Range`, each with its parts converted.

        register_converter("jsonb", orjson.loads)
        register_converter("shop.color", Color)

    Args:
        pg_type: the type's name, with its schema or without (any schema then), or its OID. Arrays: `mood[]`.
        convert: makes the value.
    """
    _converters[_BUILT_IN.get(pg_type, pg_type) if isinstance(pg_type, str) else pg_type] = convert
    _changed()


def register_type(pg_type: str, python_type: type[Any]) -> None:
    """Joins a Postgres type with a Python class, in both directions.

    An enum type with an `Enum`: a member's label is its value if that is a string, else its name. A composite type with a dataclass, a
    `NamedTuple` or a pydantic model whose fields have the composite's names, in the same order.

    Args:
        pg_type: the type's name, with its schema or without.
        python_type: the class.
    """
    if issubclass(python_type, Enum):
        members = {_label(member): member for member in python_type}
        adapters[python_type] = _label
        _converters[pg_type] = lambda label: _member(members, label, pg_type)
    elif (names := field_names(python_type)) is None:
        raise PgUsageError(f"`{python_type.__qualname__}` is no Enum, dataclass, NamedTuple or pydantic model")
    else:
        if not issubclass(python_type, tuple):
            adapters[python_type] = lambda value: tuple([getattr(value, name) for name in names])
        _classes[pg_type] = python_type
    _changed()


def field_names(python_type: type[Any]) -> tuple[str, ...] | None:
    """The fields of a dataclass, a NamedTuple or a pydantic model."""
    if is_dataclass(python_type):
        return tuple([field.name for field in fields(python_type) if field.init])
    found = getattr(python_type, "model_fields", None) or getattr(python_type, "_fields", None)
    return None if found is None else tuple(found)


def converter_of(oid: int, type_name: str | None) -> Converter | None:
    """What was registered for a type."""
    return _converters.get(oid) or _by_name(_converters, type_name)


def class_of(type_name: str, names: tuple[str, ...]) -> type[Any] | None:
    """The class registered for a composite type with fields of these names."""
    found: type[Any] | None = _by_name(_classes, type_name)
    if found is not None and field_names(found) != names:
        theirs = ", ".join(field_names(found) or ())
        raise PgUsageError(f"the type `{type_name}` has the fields {', '.join(names)}, the class `{found.__qualname__}` has {theirs}")
    return found


def _by_name(registered: dict[Any, Any], type_name: str | None) -> Any:
    if type_name is None or not registered:
        return None
    return registered.get(type_name) or registered.get(type_name.rpartition(".")[2])


def _label(member: Enum) -> str:
    return member.value if isinstance(member.value, str) else member.name


def _member(members: dict[str, Enum], label: str, pg_type: str) -> Enum:
    try:
        return members[label]
    except KeyError:
        raise PgUsageError(f"the type `{pg_type}` has the label `{label}`, and the Enum registered for it has not") from None


def _changed() -> None:
    for forget in on_change:
        forget()


# Types that columns describe by their OID alone (PostgreSQL's `pg_type.dat`).
_BUILT_IN = {
    **{"bool": 16, "bytea": 17, "char": 18, "name": 19, "int8": 20, "int2": 21, "int2vector": 22, "int4": 23, "regproc": 24, "text": 25},
    **{"oid": 26, "tid": 27, "xid": 28, "cid": 29, "oidvector": 30, "json": 114, "xml": 142, "point": 600, "lseg": 601, "path": 602},
    **{"box": 603, "polygon": 604, "line": 628, "cidr": 650, "float4": 700, "float8": 701, "circle": 718, "macaddr8": 774, "money": 790},
    **{"macaddr": 829, "inet": 869, "aclitem": 1033, "bpchar": 1042, "varchar": 1043, "date": 1082, "time": 1083, "timestamp": 1114},
    **{"timestamptz": 1184, "interval": 1186, "timetz": 1266, "bit": 1560, "varbit": 1562, "numeric": 1700, "refcursor": 1790},
    **{"regclass": 2205, "regtype": 2206, "record": 2249, "uuid": 2950, "pg_lsn": 3220, "tsvector": 3614, "tsquery": 3615},
    **{"jsonb": 3802, "int4range": 3904, "numrange": 3906, "tsrange": 3908, "tstzrange": 3910, "daterange": 3912, "int8range": 3926},
    **{"jsonpath": 4072, "regrole": 4096, "int4multirange": 4451, "nummultirange": 4532, "tsmultirange": 4533, "tstzmultirange": 4534},
    **{"datemultirange": 4535, "int8multirange": 4536, "xid8": 5069},
}
