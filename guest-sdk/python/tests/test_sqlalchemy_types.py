"""Types of Postgres that SQLAlchemy has classes of its own for, through the dialect."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from decimal import Decimal
from typing import Any

import pytest
from sqlalchemy import Column, Engine, Integer, MetaData, Table, create_engine, insert, select
from sqlalchemy.dialects.postgresql import (
    ARRAY,
    BIT,
    DATEMULTIRANGE,
    DATERANGE,
    ENUM,
    HSTORE,
    INT4MULTIRANGE,
    INT4RANGE,
    MACADDR,
    NUMRANGE,
    Range,
)
from sqlalchemy.dialects.postgresql.ranges import MultiRange

import fasterapi.pg.sqlalchemy  # noqa: F401 (registers the dialect)
from fasterapi.pg import Pg


@pytest.fixture
def engine(pg: Pg) -> Iterator[Engine]:
    engine = create_engine("postgresql+fasterapi://default")
    yield engine
    engine.dispose()


VALUES: dict[str, tuple[Any, list[Any]]] = {
    "int4range": (INT4RANGE(), [Range(1, 5), Range(None, 5, bounds="()"), Range(empty=True)]),
    "numrange": (NUMRANGE(), [Range(Decimal("1.50"), None, bounds="(]")]),
    "daterange": (DATERANGE(), [Range(date(2024, 1, 1), date(2024, 2, 1))]),
    "ranges": (ARRAY(INT4RANGE()), [[Range(1, 5), None]]),
    "int4multirange": (INT4MULTIRANGE(), [MultiRange([Range(1, 3), Range(5, None)]), MultiRange[int]([])]),
    "datemultirange": (DATEMULTIRANGE(), [MultiRange([Range(date(2024, 1, 1), date(2024, 2, 1))])]),
    "enum": (ENUM("sad", "ok", name="mood"), ["ok"]),
    "enums": (ARRAY(ENUM("sad", "ok", name="mood")), [["ok", None]]),
    "bit": (BIT(5), ["10110"]),
    "macaddr": (MACADDR(), ["08:00:2b:01:02:03"]),
}


@pytest.mark.parametrize("name", VALUES)
def test_values_there_and_back(engine: Engine, name: str) -> None:
    there_and_back(engine, name, *VALUES[name])


def test_hstore(pg: Pg, engine: Engine) -> None:
    if not pg.exec("SELECT count(*) FROM pg_available_extensions WHERE name = 'hstore'").scalar():
        pytest.skip("the server has no hstore")
    pg.exec("CREATE EXTENSION hstore")
    there_and_back(engine, "hstore", HSTORE(), [{}, {"a": "b", "c": None}])


def there_and_back(engine: Engine, name: str, kind: Any, values: list[Any]) -> None:
    table = Table(f"t_{name}", MetaData(), Column("id", Integer, primary_key=True), Column("value", kind))
    with engine.begin() as connection:
        table.metadata.create_all(connection)
        connection.execute(insert(table), [{"value": value} for value in [*values, None]])
        assert list(connection.scalars(select(table.c.value).order_by(table.c.id))) == [*values, None]
        for value in values:
            assert connection.scalar(select(table.c.id).where(table.c.value == value)) is not None
