"""Postgres through the host."""

import asyncio
import uuid
from datetime import UTC, date, datetime, time, timedelta, timezone
from decimal import Decimal
from typing import Annotated, Any

from fastapi import APIRouter, BackgroundTasks, Depends, HTTPException
from fasterapi.pg import Pg, PgError, PgPool, PgSerializationError, PgUniqueViolation, _host
from pydantic import BaseModel, Field
from routes import instance

router = APIRouter(prefix="/pg")
pool = PgPool("default")


def get_pg() -> Pg:
    return pool.get()


Database = Annotated[Pg, Depends(get_pg)]


class Statement(BaseModel):
    sql: str
    args: list[Any] = []


def described(error: PgError) -> dict[str, Any]:
    names = ("sqlstate", "severity", "detail", "hint", "schema", "table", "column", "data_type", "constraint", "position")
    fields = {name: getattr(error, name) for name in names if getattr(error, name) is not None}
    bases = [base.__name__ for base in type(error).__mro__[: type(error).__mro__.index(PgError) + 1]]
    return {"error": bases, "message": error.message, "retryable": error.retryable, "fields": fields}


@router.post("/run")
def run(statements: list[Statement], pg: Database):
    """Runs statements, each on its own; tells what each gave, values as Python shows them."""
    told: list[dict[str, Any]] = []
    for statement in statements:
        try:
            result = pg.exec(statement.sql, *statement.args)
        except PgError as error:
            told.append(described(error))
        else:
            rows = [[repr(value) for value in row] for row in result]
            told.append({"affected": result.affected, "columns": [column.name for column in result.columns], "rows": rows})
    return told


@router.post("/unhandled")
def unhandled(statement: Statement, pg: Database):
    return pg.exec(statement.sql, *statement.args).scalar()


INDIA = timezone(timedelta(hours=5, minutes=30))
VALUES: list[tuple[str, Any]] = [
    ("bool", True),
    ("bool", False),
    ("int2", -(2**15)),
    ("int4", 2**31 - 1),
    ("int8", -(2**63)),
    ("float4", 0.1),
    ("float8", 1e-300),
    ("float8", float("inf")),
    ("numeric", Decimal("123456789012345678901234567890.123456789")),
    ("numeric", Decimal("-0.00")),
    ("numeric", Decimal(10) ** 50),
    ("text", ""),
    ("text", "ünïcode 🐍 ' \" \\ \n"),
    ("varchar(10)", "ten"),
    ("bytea", b""),
    ("bytea", bytes(range(256))),
    ("uuid", uuid.UUID("12345678-1234-4234-8234-123456789abc")),
    ("json", {"a": [1, 2.5, None, "ü"]}),
    ("jsonb", {"b": {"c": []}}),
    ("date", date(2024, 2, 29)),
    ("date", date.max),
    ("time", time(23, 59, 59, 999999)),
    ("timestamp", datetime(2024, 2, 29, 12, 30, 0, 5)),
    ("timestamptz", datetime(1970, 1, 1, tzinfo=UTC)),
    ("timestamptz", datetime(2024, 2, 29, 12, 0, tzinfo=INDIA)),
    ("interval", timedelta(days=-3, seconds=5, microseconds=7)),
    ("int4[]", [1, None, 3]),
    ("int4[]", []),
    ("int4[]", [[1, 2], [3, 4]]),
    ("text[]", ["a", "", 'quo"te', None, "{}", "NULL"]),
    ("numeric[]", [Decimal("1.50"), None]),
    ("uuid[]", [uuid.UUID(int=1)]),
    ("bytea[]", [b"\x00\xff"]),
    ("bool[]", [True, False]),
    ("timestamptz[]", [datetime(2024, 1, 1, tzinfo=UTC)]),
    ("date[]", [date(2024, 1, 1)]),
    ("float8[]", [0.5, -0.25]),
]
TYPES = [name for name, _ in VALUES]


@router.get("/types")
def types(pg: Database):
    """Sends each value and compares what comes back, and its NULL. Tells the differences and how many were compared."""
    wrong = []
    for name, value in VALUES:
        back = pg.exec(f"SELECT $1::{name}", value).scalar()
        if back != value or type(back) is not type(value):
            wrong.append([name, repr(value), repr(back)])
    for name in sorted(set(TYPES)):
        back = pg.exec(f"SELECT $1::{name}", None).scalar()
        if back is not None:
            wrong.append([name, "None", repr(back)])
    return {"wrong": wrong, "compared": len(VALUES), "types": sorted({name.partition("(")[0].rstrip("[]") for name in TYPES})}


class Thing(BaseModel):
    id: int
    name: str = Field(min_length=1)
    price: Decimal


@router.get("/rows")
def rows(pg: Database):
    """The ways to take a result."""
    one = pg.exec("SELECT 1 AS id, 'a' AS name, 1.50 AS price").one()
    three = pg.exec("SELECT n AS id, 'x' || n AS name, n::numeric AS price FROM generate_series(1, 3) n")
    none = pg.exec("SELECT 1 AS id WHERE false")
    errors = []
    for call in (none.one, three.one):
        try:
            call()
        except PgError as error:
            errors.append(type(error).__name__)
    return {
        "by_name": one["name"],
        "by_index": one[0],
        "by_attribute": one.price,
        "keys": one.keys(),
        "dict": dict(**one),
        "all": [list(row) for row in three.all()],
        "first": three.first()["id"],
        "no_first": none.first(),
        "scalar": three.scalar(),
        "no_scalar": none.scalar(),
        "scalars": three.scalars(),
        "length": [len(three), len(none)],
        "affected": three.affected,
        "empty_columns": [column.name for column in none.columns],
        "model": pg.exec("SELECT 5 AS id, 'm' AS name, 2 AS price").model(Thing),
        "no_model": none.model(Thing),
        "models": three.models(Thing),
        "errors": errors,
    }


class Refused(Exception):
    """Ends a block on purpose."""


def fill(pg: Pg, table: str, how: str) -> None:
    if how == "commit":
        with pg.tx() as tx:
            tx.exec(f"INSERT INTO {table} VALUES (1)")
            tx.exec(f"INSERT INTO {table} VALUES (2)")
    elif how == "exception":
        with pg.tx() as tx:
            tx.exec(f"INSERT INTO {table} VALUES (1)")
            raise Refused
    elif how == "rollback":
        with pg.tx() as tx:
            tx.exec(f"INSERT INTO {table} VALUES (1)")
            tx.rollback()
    elif how == "nested":
        with pg.tx() as outer:
            outer.exec(f"INSERT INTO {table} VALUES (1)")
            try:
                with outer.tx() as inner:
                    inner.exec(f"INSERT INTO {table} VALUES (2)")
                    raise Refused
            except Refused:
                pass
            with outer.tx() as inner:
                inner.exec(f"INSERT INTO {table} VALUES (3)")
    elif how == "failed":
        with pg.tx() as outer:
            outer.exec(f"INSERT INTO {table} VALUES (1)")
            try:
                with outer.tx() as inner:
                    inner.exec("SELECT 1 / 0")
            except PgError as error:
                assert error.sqlstate == "22012"
            outer.exec(f"INSERT INTO {table} VALUES (4)")
    elif how == "http":
        with pg.tx() as tx:
            tx.exec(f"INSERT INTO {table} VALUES (1)")
            raise HTTPException(409, "rolled back")
    elif how == "handle":
        with pg.tx():
            pg.exec(f"INSERT INTO {table} VALUES (1)")  # the handle runs it within its open transaction
            raise Refused


@router.post("/tx/{how}")
def tx(how: str, pg: Database):
    table = f"tx_{uuid.uuid4().hex}"
    pg.exec(f"CREATE TABLE {table} (n int)")
    try:
        fill(pg, table, how)
    except Refused:
        pass
    except HTTPException as error:
        seen = pg.exec(f"SELECT n FROM {table} ORDER BY n").scalars()
        raise HTTPException(error.status_code, seen) from None
    return pool.get().exec(f"SELECT n FROM {table} ORDER BY n").scalars()


kept: list[Any] = []


@router.post("/left/{how}")
async def left(how: str, pg: Database):
    """Leaves a transaction open, where no garbage collector finds it. Tells the instance."""

    def halfway():
        with pg.tx() as tx:
            yield tx.exec("SELECT 1")

    if how == "entered":
        kept.append(pg.tx().__enter__())
        pg.exec("SELECT 1")
    elif how == "nested":
        kept.append([pg.tx().__enter__(), pg.tx().__enter__()])
    elif how == "generator":
        kept.append(halfway())
        next(kept[-1])
    elif how == "task":

        async def never_ends():
            with pg.tx():
                await asyncio.sleep(3600)

        kept.append(asyncio.create_task(never_ends()))
        await asyncio.sleep(0)
    elif how == "behind-the-sdk":
        kept.append(_host.client.begin("default", _host.types.TransactionOptions(None, False, False, 0)))
    return instance.NAME


@router.post("/background")
def background(pg: Database, tasks: BackgroundTasks):
    """A transaction that is begun before the response and ended after it."""
    tx = pg.tx().__enter__()
    tx.exec("CREATE TABLE background (n int)")

    async def end():
        await asyncio.sleep(0.05)
        tx.exec("INSERT INTO background VALUES (1)")
        tx.commit()

    tasks.add_task(end)


@router.post("/write-skew")
def write_skew():
    """Two transactions that both read what the other writes: one after the other, neither would have seen what it saw."""
    pool.get().exec("CREATE TABLE shifts (n int)")
    try:
        with pool.get().tx(isolation="serializable") as one, pool.get().tx(isolation="serializable") as two:
            for tx in (one, two):
                tx.exec("SELECT count(*) FROM shifts")
            for tx in (one, two):
                tx.exec("INSERT INTO shifts VALUES (1)")
    except PgSerializationError as error:
        return described(error)


@router.get("/isolation/{level}")
def isolation(level: str, pg: Database, read_only: bool = False):
    told = {}
    try:
        with pg.tx(isolation=level.replace("-", " "), read_only=read_only) as tx:  # type: ignore[arg-type]
            told["isolation"] = tx.exec("SHOW transaction_isolation").scalar()
            tx.exec("CREATE TABLE written (n int)")
            raise Refused
    except Refused:
        return told
    except PgError as error:
        return {**told, "error": error.sqlstate}


@router.post("/unique")
def unique(pg: Database):
    pg.exec("CREATE TABLE IF NOT EXISTS uniques (name text PRIMARY KEY)")
    pg.exec("INSERT INTO uniques VALUES ('one') ON CONFLICT DO NOTHING")
    try:
        pg.exec("INSERT INTO uniques VALUES ('one')")
    except PgUniqueViolation as error:
        return described(error)


@router.get("/pool")
def named(target: str):
    try:
        return {"value": PgPool(target).get().exec("SELECT 1").scalar()}
    except PgError as error:
        return described(error)


@router.get("/many")
def many(count: int, pg: Database):
    total = 0
    for number in range(count):
        row = pg.exec("SELECT $1::int AS n, repeat('x', 1000) AS text, $2::bytea AS data", number, b"\xff" * 1000).one()
        total += row["n"] + len(row["text"]) + len(row["data"])
    return {"total": total}


@router.get("/sleep")
def sleep(seconds: float, token: str, pg: Database):
    print(f"{token} began")
    pg.exec("SELECT pg_sleep($1), $2::text", seconds, token)
    return {"slept": seconds}


@router.get("/side-by-side")
async def side_by_side(pg: Database):
    """Statements block their instance; tasks take turns between them."""

    async def ask(number: int) -> int:
        await asyncio.sleep(0)
        return pg.exec("SELECT $1::int * 2", number).scalar()

    return await asyncio.gather(*(ask(number) for number in range(10)))
