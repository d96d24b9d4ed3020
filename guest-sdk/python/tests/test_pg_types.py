"""Every type of Postgres beside psycopg 3, on the same server: what one writes the other reads, and the server prints both alike."""

from __future__ import annotations

import enum
import math
import pickle
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta, timezone
from decimal import Decimal
from ipaddress import IPv4Address, IPv4Interface, IPv4Network, IPv6Address, IPv6Interface, IPv6Network
from typing import Any, NamedTuple
from uuid import UUID

import psycopg
from conftest import socket_folder
from psycopg.types import TypeInfo
import pytest
from hypothesis import HealthCheck, example, given, settings, strategies as st
from psycopg.types.composite import CompositeInfo, register_composite
from psycopg.types.json import Json as TheirJson
from psycopg.types.multirange import Multirange as TheirMultirange
from psycopg.types.range import Range as TheirRange
from pydantic import BaseModel

from fasterapi.pg import (
    Box,
    Circle,
    Interval,
    Json,
    Line,
    LineSegment,
    Multirange,
    OutOfRange,
    Path,
    Pg,
    PgError,
    PgUsageError,
    Point,
    Polygon,
    Range,
    _adapters,
    register_adapter,
    register_converter,
    register_type,
)

NO_NULL = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=20)
FLOATS = st.floats(width=64)
DECIMALS = st.one_of(
    st.decimals(allow_nan=False, allow_infinity=False),
    st.decimals(places=4, min_value=-(10**30), max_value=10**30),
    st.sampled_from([Decimal("NaN"), Decimal("Infinity"), Decimal("-Infinity"), Decimal("sNaN"), Decimal("1E+400"), Decimal("0E-20"), Decimal("-0.00")]),
)
OFFSETS = st.builds(lambda seconds: timezone(timedelta(seconds=seconds)), st.integers(-57_540, 57_540))
AWARE = st.datetimes(min_value=datetime(2, 1, 1), max_value=datetime(9998, 12, 31), timezones=OFFSETS)
INTERVALS = st.timedeltas(min_value=timedelta(days=-2_000_000), max_value=timedelta(days=2_000_000))
JSONS = st.recursive(
    st.booleans() | st.integers(-(10**20), 10**20) | st.floats(allow_nan=False, allow_infinity=False) | NO_NULL,
    lambda inner: st.lists(st.none() | inner, max_size=4) | st.dictionaries(NO_NULL, st.none() | inner, max_size=4),
    max_leaves=8,
)
POINTS = st.builds(Point, FLOATS, FLOATS)
FINITE = st.builds(Point, *[st.floats(allow_nan=False, allow_infinity=False)] * 2)


def optional(strategy: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.none() | strategy


def ranges(bound: st.SearchStrategy[Any]) -> st.SearchStrategy[Range[Any]]:
    def made(one: Any, two: Any, bounds: str) -> Range[Any]:
        in_order = one is None or two is None or one <= two
        return Range(one if in_order else two, two if in_order else one, bounds)

    return st.just(Range[Any](empty=True)) | st.builds(made, optional(bound), optional(bound), st.sampled_from(["[]", "[)", "(]", "()"]))


def arrays(element: st.SearchStrategy[Any]) -> st.SearchStrategy[list[Any]]:
    flat = st.lists(optional(element), max_size=5)
    square = st.integers(1, 3).flatmap(lambda width: st.lists(st.lists(optional(element), min_size=width, max_size=width), min_size=1, max_size=3))
    return flat | square


class Pair(NamedTuple):
    a: int | None
    b: str | None


class Nest(NamedTuple):
    p: Pair | None
    ps: list[Pair | None] | None
    d: date | None
    n: Decimal | None
    r: Range[int] | None
    f: float | None
    y: bytes | None
    i: timedelta | None


PAIRS = st.builds(Pair, optional(st.integers(-(2**31), 2**31 - 1)), optional(NO_NULL))
INT4 = st.integers(-(2**31), 2**31 - 1)
# Its last value has no successor, which the form `[)` needs.
BOUNDS = st.integers(-(2**31), 2**31 - 2)
NESTS = st.builds(
    Nest,
    optional(PAIRS),
    optional(st.lists(optional(PAIRS), max_size=3)),
    *map(optional, (st.dates(), DECIMALS, ranges(BOUNDS), FLOATS, st.binary(max_size=8), INTERVALS)),
)

TYPES: dict[str, st.SearchStrategy[Any]] = {
    "bool": st.booleans(),
    "int2": st.integers(-(2**15), 2**15 - 1),
    "int4": INT4,
    "int8": st.integers(-(2**63), 2**63 - 1),
    "oid": st.integers(0, 2**32 - 1),
    "float4": st.floats(width=32),
    "float8": FLOATS,
    "numeric": DECIMALS,
    "text": NO_NULL,
    "varchar": NO_NULL,
    "bytea": st.binary(max_size=300),
    "uuid": st.uuids(),
    "date": st.dates(),
    "time": st.times(),
    "timetz": st.times(timezones=OFFSETS),
    "timestamp": st.datetimes(),
    "timestamptz": AWARE,
    "interval": INTERVALS,
    "inet": st.ip_addresses() | st.builds(IPv4Interface, st.tuples(st.integers(0, 2**32 - 1), st.integers(0, 31))) | st.builds(IPv6Interface, st.tuples(st.integers(0, 2**128 - 1), st.integers(0, 127))),
    "cidr": st.builds(lambda a, bits: IPv4Network((a, bits), strict=False), st.integers(0, 2**32 - 1), st.integers(0, 32))
    | st.builds(lambda a, bits: IPv6Network((a, bits), strict=False), st.integers(0, 2**128 - 1), st.integers(0, 128)),
    "macaddr": st.binary(min_size=6, max_size=6).map(lambda raw: raw.hex(":")),
    "macaddr8": st.binary(min_size=8, max_size=8).map(lambda raw: raw.hex(":")),
    "varbit": st.text("01", max_size=40),
    "jsonb": JSONS.map(Json),
    "json": JSONS.map(Json),
    "money": st.integers(-(10**15), 10**15).map(lambda cents: f"{cents / 100:.2f}"),
    "point": POINTS,
    "line": st.builds(Line, st.floats(1, 1e9), st.floats(-1e9, 1e9), st.floats(-1e9, 1e9)),
    "lseg": st.builds(LineSegment, POINTS, POINTS),
    "box": st.builds(Box, FINITE, FINITE),
    "path": st.builds(Path, st.lists(POINTS, min_size=1, max_size=5).map(tuple), st.booleans()),
    "polygon": st.lists(FINITE, min_size=1, max_size=5).map(Polygon),
    "circle": st.builds(Circle, POINTS, st.floats(0, 1e300)),
    "int4range": ranges(BOUNDS),
    "int8range": ranges(st.integers(-(2**63), 2**63 - 2)),
    "numrange": ranges(st.decimals(allow_nan=False, allow_infinity=False)),
    "daterange": ranges(st.dates(max_value=date(9999, 12, 30))),
    "tsrange": ranges(st.datetimes()),
    "tstzrange": ranges(AWARE),
    "int4multirange": st.lists(ranges(BOUNDS), max_size=4).map(Multirange),
    "datemultirange": st.lists(ranges(st.dates(max_value=date(9999, 12, 30))), max_size=4).map(Multirange),
    "mood": st.sampled_from(["sad", 'it\'s "ok"']),
    "small": st.decimals(places=2, min_value=-9, max_value=9),
    "pair": PAIRS,
    "nest": NESTS,
    "int4[]": arrays(INT4),
    "text[]": arrays(NO_NULL),
    "float8[]": arrays(FLOATS),
    "numeric[]": arrays(DECIMALS),
    "bytea[]": arrays(st.binary(max_size=5)),
    "uuid[]": arrays(st.uuids()),
    "date[]": arrays(st.dates()),
    "timestamptz[]": arrays(AWARE),
    "interval[]": arrays(INTERVALS),
    "jsonb[]": st.lists(st.none() | JSONS.map(Json), max_size=3),
    "mood[]": arrays(st.sampled_from(["sad", 'it\'s "ok"'])),
    "pair[]": arrays(PAIRS),
    "numrange[]": arrays(ranges(st.decimals(allow_nan=False, allow_infinity=False))),
}

SETUP = """
    CREATE TYPE mood AS ENUM ('sad', 'it''s "ok"');
    CREATE DOMAIN small AS numeric;
    CREATE TYPE pair AS (a int, b text);
    CREATE TYPE nest AS (p pair, ps pair[], d date, n numeric, r int4range, f float8, y bytea, i interval)
"""


@pytest.fixture(scope="module")
def theirs(server: None) -> Iterator[psycopg.Connection[Any]]:
    """psycopg's connection to our server."""
    from fasterapi.pg import PgPool

    name = PgPool().get().exec("SELECT current_database()").scalar()
    with psycopg.connect(host=socket_folder(), port=5432, user="fasterapi_app", dbname=name, autocommit=True) as connection:
        connection.execute("SET timezone = 'UTC'")
        yield connection


@pytest.fixture(scope="module")
def both(theirs: psycopg.Connection[Any]) -> tuple[Pg, psycopg.Connection[Any]]:
    """A handle of ours and a connection of theirs, with a table for each type."""
    from fasterapi.pg import PgPool

    theirs.execute("DROP SCHEMA public CASCADE")
    theirs.execute("CREATE SCHEMA public")
    theirs.execute(SETUP)
    for index, name in enumerate(TYPES):
        theirs.execute(f"CREATE TABLE t{index} (theirs {name}, ours {name})")
        theirs.execute(f"INSERT INTO t{index} VALUES (NULL, NULL)")
    mood = TypeInfo.fetch(theirs, "mood")
    assert mood is not None
    mood.register(theirs)
    for name in ("pair", "nest"):
        info = CompositeInfo.fetch(theirs, name)
        assert info is not None
        register_composite(info, theirs)
    return PgPool().get(), theirs


def to_theirs(value: Any) -> Any:
    """What psycopg takes for one of our values."""
    match value:
        case Json():
            return TheirJson(value.value)
        case Range():
            return TheirRange(empty=True) if value.isempty else TheirRange(to_theirs(value.lower), to_theirs(value.upper), value.bounds or "")
        case Multirange():
            return TheirMultirange(map(to_theirs, value))
        case Point() | Line() | LineSegment() | Box() | Path() | Polygon() | Circle():
            return geometry(value)
        case Pair() | Nest():
            return type(value)(*map(to_theirs, value))
        case list():
            return [to_theirs(item) for item in value]
    return value


def geometry(value: Any) -> str:
    """Psycopg has geometric types as text."""

    def number(value: float) -> str:
        return str(value).replace("inf", "Infinity").replace("nan", "NaN")

    match value:
        case Line():
            return "{" + ",".join(map(number, value)) + "}"
        case Path():
            return ("({})" if value.closed else "[{}]").format(",".join(map(geometry, value.points)))
        case Circle():
            return f"<{geometry(value.center)},{number(value.radius)}>"
        case Point():
            return f"({number(value.x)},{number(value.y)})"
    return "({})".format(",".join(map(geometry, value)))


# Where we knowingly give something else than psycopg: type, and what makes of theirs what is ours. Beside these, psycopg raises
# DataError where we give `OutOfRange`, and gives OIDs of `reg*` as names, xid and the like as texts, where we give ints.
DIFFERENCES: dict[type[Any], Callable[[Any], Any]] = {
    TheirRange: lambda value: Range(empty=True) if value.isempty else Range(from_theirs(value.lower), from_theirs(value.upper), value.bounds),
    TheirMultirange: lambda value: Multirange(map(from_theirs, value)),
}
GEOMETRIC = ("point", "line", "lseg", "box", "path", "polygon", "circle")


def from_theirs(value: Any) -> Any:
    """What we give for a value that psycopg gives."""
    if type(value) in DIFFERENCES:
        return DIFFERENCES[type(value)](value)
    if isinstance(value, list):
        return [from_theirs(item) for item in value]
    if isinstance(value, tuple):
        return tuple(map(from_theirs, value))
    return value


def same(one: Any, two: Any) -> bool:
    """Equal, and of the same type; NaN is NaN."""
    if isinstance(one, (list, tuple)):
        return isinstance(two, type(one) if isinstance(one, list) else tuple) and len(one) == len(two) and all(map(same, one, two))
    if isinstance(one, (float, Decimal)) and one != one:
        return type(two) is type(one) and two != two
    if isinstance(one, Range):
        return isinstance(two, Range) and one == two and same(one.lower, two.lower) and same(one.upper, two.upper)
    return bool(one == two) and (type(one) is type(two) or isinstance(one, timedelta) or isinstance(two, TheirRange))


def numbers(value: Any) -> list[float]:
    """All numbers of a geometric value."""
    if isinstance(value, str):
        return [float(number) for number in re.findall(r"[^\s(){}\[\]<>,]+", value)]
    return [value] if isinstance(value, float) else [number for part in value if not isinstance(part, bool) for number in numbers(part)]


@pytest.mark.parametrize("name", TYPES)
def test_both_ways_beside_psycopg(both: tuple[Pg, psycopg.Connection[Any]], name: str) -> None:
    pg, theirs = both
    table = f"t{list(TYPES).index(name)}"

    @settings(max_examples=60, deadline=None, database=None, suppress_health_check=list(HealthCheck))
    @given(TYPES[name])
    @example(None)
    def check(value: Any) -> None:
        theirs.execute(f"UPDATE {table} SET theirs = %s::{name}", (to_theirs(value),))
        read, their_text, our_text = pg.exec(f"UPDATE {table} SET ours = $1 RETURNING theirs, theirs::text, ours::text", value).one()
        found = theirs.execute(f"SELECT ours, theirs FROM {table}").fetchone()
        assert found is not None
        if name != "json":  # its text is the driver's
            assert our_text == their_text
        if name in GEOMETRIC and value is not None:
            assert same(numbers(read), numbers(found[0]))
        else:
            assert same(from_theirs(found[0]), from_theirs(found[1])) and same(read, from_theirs(found[1]))
        again = pg.exec(f"UPDATE {table} SET theirs = $1 RETURNING theirs::text", document(read, name))
        assert again.scalar() == our_text

    check()


def document(value: Any, name: str) -> Any:
    """A JSON document says that it is one, as in psycopg: it may be a list or a text."""
    if value is None or not name.startswith("json"):
        return value
    return list(map(document, value, ["json"] * len(value))) if name == "jsonb[]" else Json(value)


@pytest.mark.parametrize("form", ["text", "csv"])
def test_a_copy_writes_every_type(both: tuple[Pg, psycopg.Connection[Any]], form: str) -> None:
    pg, _ = both

    @settings(max_examples=500, deadline=None, database=None, suppress_health_check=list(HealthCheck))
    @given(st.sampled_from(list(TYPES)).flatmap(lambda name: st.tuples(st.just(name), TYPES[name])))
    def check(case: tuple[str, Any]) -> None:
        name, value = case
        table = f"t{list(TYPES).index(name)}"
        pg.exec(f"DELETE FROM {table}")
        with pg.copy_in(f"COPY {table} FROM STDIN (FORMAT {form})") as pipe:
            pipe.write_row((value, None))
        copied, sent = pg.exec(f"UPDATE {table} SET ours = $1 RETURNING theirs::text, ours::text", value).one()
        assert copied == sent

    check()


# Values that Python has no type for, and some at the edges of what it has.
EDGES = {
    "date": ["infinity", "-infinity", "0001-12-31 BC", "4714-11-24 BC", "5874897-12-31", "10000-01-01", "0001-01-01", "9999-12-31"],
    "time": ["24:00:00", "23:59:59.999999", "00:00:00"],
    "timetz": ["24:00:00+15:59:59", "23:59:59.999999-15:59:59", "00:00:00+00"],
    "timestamp": ["infinity", "-infinity", "0044-03-15 12:34:56.789 BC", "294276-12-31 23:59:59.999999", "9999-12-31 23:59:59.999999"],
    "timestamptz": ["infinity", "-infinity", "0044-03-15 12:34:56.789+00 BC", "294276-12-31 23:59:59.999999+00", "0001-01-01 00:00:00+00"],
    "interval": ["178000000 years", "-178000000 years", "2147483647 days", "1 year", "-1 mon +1 day -00:00:00.000001", "13 mons"],
    "numeric": ["NaN", "Infinity", "-Infinity", "1e131071", "1e-16383", "0.000", "123456789012345678901234567890.123456789"],
    "float4": ["NaN", "Infinity", "-Infinity", "1e-45", "3.4028235e38", "-0"],
    "daterange": ["[-infinity,infinity]", "[0044-03-15 BC,10000-01-01)"],
    "timestamp[]": ["{infinity,NULL,2024-02-29 12:00:00}", "{{infinity},{-infinity}}"],
    "xid8": ["18446744073709551615"],
    "regclass": ["pg_class"],
    "tid": ["(42,7)"],
    "pg_lsn": ["FFFFFFFF/FFFFFFFF", "0/0"],
    "pg_snapshot": ["10:20:10,14,15"],
    "jsonpath": ['$."a"[*]?(@ > 1)'],
    "tsvector": ["", "'a':1A,2 'b c':3B 'it''s':4C"],
    "tsquery": ["'a' & !( 'b':*AB | 'c' ) <2> 'd'", ""],
    "int2vector": ["1 2 3", ""],
    "oidvector": ["1 2 3"],
    "\"char\"": ["a", "\\351"],
    "bpchar": ["a  "],
    "aclitem": ["=r/USER"],
    "xml": ["<a>1</a>"],
    "int4[]": ["[0:1]={7,8}"],
}


def _reads_xml(pg: Pg) -> bool:
    try:
        return pg.exec("SELECT '<a/>'::xml IS NOT NULL").scalar()
    except PgError as error:
        assert error.sqlstate == "0A000"
        return False


@pytest.mark.parametrize("name", EDGES)
def test_what_python_cannot_hold_comes_back_as_it_was(pg: Pg, name: str) -> None:
    if name == "xml" and not _reads_xml(pg):
        pytest.skip("a server without libxml")
    user = pg.exec("SELECT current_user::text").scalar()
    beyond = 0
    for text in EDGES[name]:
        text = text.replace("USER", user)
        read = pg.exec(f"SELECT $1::{name}", text).scalar()
        beyond += isinstance(read, OutOfRange)
        one, two = pg.exec(f"SELECT format('%s', $1::{name}), format('%s', $2::{name})", text, read).one()
        assert one == two or text.startswith("[0:1]"), "lower bounds of arrays are dropped"
    assert bool(beyond) == (name in ("date", "time", "timetz", "timestamp", "timestamptz", "interval"))


def test_each_type_comes_as_documented(pg: Pg) -> None:
    pg.exec("CREATE TYPE mood AS ENUM ('sad', 'ok')")
    pg.exec("CREATE TYPE pair AS (a int, \"b c\" numeric, moods mood[])")
    for sql, value in {
        "'infinity'::date": OutOfRange("infinity"),
        "'1 year 2 mons -3 days 00:00:01'::interval": Interval(14, -3, 1_000_000),
        "'[1,5)'::int4range": Range(1, 5),
        "'(,2.5]'::numrange": Range(None, Decimal("2.5"), "(]"),
        "'empty'::daterange": Range[date](empty=True),
        "'{[1,2),[5,)}'::int4multirange": Multirange([Range(1, 2), Range(5, None)]),
        "array['[1,2)']::int4range[]": [Range(1, 2)],
        "point(1, 2)": Point(1, 2),
        "'{1,2,3}'::line": Line(1, 2, 3),
        "'[(1,2),(3,4)]'::lseg": LineSegment(Point(1, 2), Point(3, 4)),
        "'(1,2),(3,4)'::box": Box(Point(3, 4), Point(1, 2)),
        "'[(1,2),(3,4)]'::path": Path((Point(1, 2), Point(3, 4)), False),
        "'((1,2),(3,4))'::polygon": Polygon([(1, 2), (3, 4)]),
        "'<(1,2),3>'::circle": Circle(Point(1, 2), 3),
        "array[point(1, 2), null]": [Point(1, 2), None],
        "row(1, 1.5, null, row('2024-01-01'::date))": (1, Decimal("1.5"), None, (date(2024, 1, 1),)),
        "array[row(1, 'a'::text)]": [(1, "a")],
        "1048576.25::float4": 1048576.2,
        "'12.34'::money": "$12.34",
        "array['12.34'::money, null]": ["$12.34", None],
        "'a:1A b'::tsvector": "'a':1A 'b'",
        "'pg_class'::regclass": 1259,
        "row(1, '2.50', '{sad,NULL}')::pair": (1, Decimal("2.50"), ["sad", None]),
    }.items():
        read = pg.exec(f"SELECT {sql}").scalar()
        assert read == value and type(read) is type(value) or sql.endswith("::pair") and read == value, (sql, read)
    read = pg.exec("SELECT array[row(1, 2.5, null)::pair]").scalar()[0]
    assert (read.a, read._1, read.moods, type(read).__name__) == (1, Decimal("2.5"), None, "pair")
    column = pg.exec("SELECT 'sad'::mood AS m, 1 AS n").columns
    assert (column[0].kind, column[0].type) == ("plain", ("public.mood", ())) and column[1].type is None


def test_long_results_are_converted_like_short_ones(pg: Pg) -> None:
    sql = """SELECT g, CASE WHEN g % $1 > 0 THEN g / 8.0 END, CASE g % $1 WHEN 1 THEN 'infinity' WHEN 2 THEN NULL ELSE date '2024-01-01' + g END,
        gen_random_uuid() IS NULL, jsonb_build_object('g', g), interval '1 day' * g, array[g / 4.0] FROM generate_series(1, $2) g"""
    for modulus in (5, 1000):
        long = pg.exec(sql, modulus, 100).all()
        short = [row for g in range(0, 100, 4) for row in pg.exec(f"{sql} OFFSET {g} LIMIT 4", modulus, 100)]
        assert [row.values() for row in long] == [row.values() for row in short]
    assert pg.exec(f"{sql} LIMIT 0", 5, 100).all() == []


def test_hstore(pg: Pg) -> None:
    if not pg.exec("SELECT count(*) FROM pg_available_extensions WHERE name = 'hstore'").scalar():
        pytest.skip("the server has no hstore; its binary form is tested in host/postgres")
    pg.exec("CREATE EXTENSION hstore")
    for value in ({}, {"a": "b", "c": None, 'q"\\': "=>, é"}):
        assert pg.exec("SELECT $1::hstore", value).scalar() == value
        assert pg.exec("SELECT $1::hstore[]", [value, None]).scalar() == [value, None]
    with pytest.raises(PgError, match="[Ss]yntax error"):
        pg.exec("SELECT $1::hstore", {"a": 1})


def test_a_dict_of_texts_is_json_too(pg: Pg) -> None:
    value = {'q"\\\n\x1f': "é", "n": None}
    for name in ("json", "jsonb"):
        assert pg.exec(f"SELECT $1::{name}", value).scalar() == value
        assert pg.exec(f"SELECT $1::{name}[]", [value, {"a": 1}]).scalar() == [value, {"a": 1}]
    assert pg.exec("SELECT $1::text", {"a": "b"}).scalar() == '{"a": "b"}'


@pytest.fixture
def registry() -> Iterator[None]:
    kept = [dict(part) for part in (_adapters.adapters, _adapters._converters, _adapters._classes)]
    yield
    for part, before in zip((_adapters.adapters, _adapters._converters, _adapters._classes), kept):
        part.clear()  # type: ignore[attr-defined]
        part.update(before)  # type: ignore[attr-defined]
    _adapters._changed()


class Mood(enum.Enum):
    SAD = "sad"
    OK = 2


@dataclass
class PairData:
    a: int
    b: str


class PairModel(BaseModel):
    a: int
    b: str


def test_classes_for_types_of_users(pg: Pg, registry: None) -> None:
    pg.exec("CREATE TYPE mood AS ENUM ('sad', 'OK', 'new')")
    pg.exec("CREATE TYPE pair AS (a int, b text)")
    sql = "SELECT $1::mood, $2::mood[], $3::pair, $4::pair[]"
    register_type("mood", Mood)
    for made in (PairData, PairModel, Pair):
        register_type("public.pair", made)
        one, two = made(a=1, b="x"), made(a=2, b='"')
        row = pg.exec(sql, Mood.SAD, [Mood.OK, None], one, [one, two, None]).one()
        assert row == (Mood.SAD, [Mood.OK, None], one, [one, two, None]) and type(row[2]) is made
    with pytest.raises(PgUsageError, match="`mood` has the label `new`"):
        pg.exec("SELECT 'new'::mood")
    pg.exec("ALTER TYPE pair ADD ATTRIBUTE c int")
    with pytest.raises(PgUsageError, match="has the fields a, b, c, the class `Pair` has a, b"):
        pg.exec("SELECT '(1,x,3)'::pair, 1")
    with pytest.raises(PgUsageError, match="is no Enum"):
        register_type("pair", int)


class Cents(int):
    pass


def test_converters_and_adapters(pg: Pg, registry: None) -> None:
    pg.exec("CREATE SCHEMA app")
    pg.exec("CREATE TYPE app.mood AS ENUM ('sad')")
    pg.exec("CREATE TYPE priced AS (price numeric, at date)")
    assert pg.exec("SELECT 1.5").scalar() == Decimal("1.5")
    register_converter("numeric", float)
    register_converter(1082, lambda text: f"on {text}")
    register_converter("app.mood", str.upper)
    register_converter("int4", str)
    register_converter("int4range", lambda value: (value.lower, value.upper))
    row = pg.exec("SELECT 1.5, array[1.5, null], 'sad'::app.mood, array['sad'::app.mood], row(2.5, 'infinity')::priced, row(1.5), '[1,2)'::int4range, array[7]")
    assert row.one() == (1.5, [1.5, None], "SAD", ["SAD"], (2.5, "on infinity"), (1.5,), ("1", "2"), ["7"])
    many = pg.exec("SELECT g / 2.0, nullif(g, 3) FROM generate_series(1, 20) g").all()
    assert many[2].values() == (1.5, None) and many[3].values() == (2.0, "4")
    register_adapter(complex, lambda value: Point(value.real, value.imag))
    assert pg.exec("SELECT $1::point, $2::point[]", 1 + 2j, [3j]).one() == (Point(1, 2), [Point(0, 3)])
    register_adapter(Cents, lambda value: f"{value // 100}.{value % 100:02}")
    assert pg.exec("SELECT $1::numeric::text", Cents(1234)).scalar() == "12.34"
    register_adapter(Decimal, lambda value: value.quantize(Decimal("0.1")))
    assert pg.exec("SELECT $1::numeric::text", Decimal("1.234")).scalar() == "1.2"
    with pytest.raises(PgUsageError, match="`str` travels as it is"):
        register_adapter(str, str.upper)


def test_a_range() -> None:
    one = Range(1, 5, "(]")
    assert (one.lower, one.upper, one.bounds, one.lower_inc, one.upper_inc) == (1, 5, "(]", False, True)
    assert 5 in one and 1 not in one and 6 not in one and one and 7 in Range(None, None) and -7 in Range(None, 0)
    empty = Range[int](3, 4, empty=True)
    assert empty.isempty and not empty and (empty.lower, empty.bounds) == (None, None) and 3 not in empty and not empty.lower_inf
    assert Range(None, 5).lower_inf and not Range(None, 5).upper_inf and not Range(None, 5, "[]").lower_inc
    assert one == Range(1, 5, "(]") != Range(1, 5) and one != 5 and Range(None, 5, "[)") == Range(None, 5, "()") and hash(one) == hash(Range(1, 5, "(]"))
    assert repr(one) == "Range(1, 5, '(]')" and repr(empty) == "Range(empty=True)" and repr(Multirange([one])) == "Multirange([Range(1, 5, '(]')])"
    with pytest.raises(ValueError, match="bounds are one of"):
        Range(1, 2, "[[")
    for value in (one, empty, Multirange([one]), Interval(14, -3, 5), OutOfRange("infinity"), Polygon([(1, 2)]), Path((Point(1, 2),), True)):
        again = pickle.loads(pickle.dumps(value))
        assert again == value and type(again) is type(value) and repr(again) == repr(value)


def test_an_interval_with_months() -> None:
    value = Interval(months=-14, days=3, microseconds=-1)
    assert value == timedelta(days=-365 - 60 + 3, microseconds=-1) and value.parts == (-14, 3, -1)
    assert repr(value) == "Interval(months=-14, days=3, microseconds=-1)" and type(value + value) is timedelta
    assert math.isclose(Interval(months=1).total_seconds(), 30 * 86_400)
