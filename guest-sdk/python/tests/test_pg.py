"""fasterapi.pg over a host that answers from a script."""

from __future__ import annotations

import asyncio
import enum
import marshal
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta, timezone
from decimal import Decimal
from ipaddress import IPv4Address, IPv4Interface, IPv4Network
from types import SimpleNamespace
from typing import Any, NamedTuple, Self, TypedDict
from uuid import UUID

import pytest
from fake_host import FakeHost
from pydantic import BaseModel, ValidationError

from fasterapi import pg as public
from fasterapi._wasm.calls import LINGER
from fasterapi.pg import Json, Pg, PgError, PgNoRows, PgPool, PgTooManyRows, PgUsageError, Result, Tx, _host
from fasterapi.pg._codec import pack
from fasterapi.pg._native import HostError
from fasterapi.pg._native.types import Error, ErrorKind


def host_error(**fields: Any) -> HostError:
    return HostError(Error(**{"kind": ErrorKind.DATABASE, "message": "went wrong", **fields}))


@dataclass
class Script:
    """Stands for the host: remembers what was asked, answers what was put in."""

    answers: list[Any] = field(default_factory=list)
    asked: list[tuple[Any, ...]] = field(default_factory=list)

    def _answer(self, *asked: Any) -> Any:
        self.asked.append(asked)
        answer = self.answers.pop(0) if self.answers else block()
        if isinstance(answer, Exception):
            raise answer
        return answer

    def resolve(self, target: str) -> Any:
        return self._answer("resolve", target)

    def query(self, database: str, statement: str, parameters: str, timeout: int) -> Any:
        return self._answer("query", database, statement, marshal.loads(parameters.encode("latin-1"))), None

    def begin(self, database: str, options: Any) -> FakeTransaction:
        self._answer("begin", database, options)
        return FakeTransaction(self)


class FakeTransaction:
    """The host's transaction resource."""

    def __init__(self, script: Script) -> None:
        self._script = script

    def query(self, statement: str, parameters: str, timeout: int) -> Any:
        return self._script._answer("tx.query", statement, marshal.loads(parameters.encode("latin-1")))

    def __getattr__(self, name: str) -> Any:
        return lambda *args: self._script._answer(name, *args)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *args: object) -> None:
        self._script.asked.append(("drop",))


@pytest.fixture
def script(monkeypatch: pytest.MonkeyPatch) -> Iterator[Script]:
    made = Script()
    monkeypatch.setattr(_host, "client", made)
    monkeypatch.setattr(_host, "types", SimpleNamespace(TransactionOptions=lambda *a: a, Isolation={"SERIALIZABLE": 2}))
    yield made


def block(*rows: tuple[Any, ...], affected: int = 0, columns: tuple[tuple[str, int, str], ...] = ()) -> bytes:
    return marshal.dumps((affected, columns, list(rows)), 4)


ITEMS = (("id", 20, "plain"), ("name", 25, "plain"), ("price", 1700, "numeric"))


def items(*rows: tuple[Any, ...]) -> Result:
    return Result(block(*rows, columns=ITEMS))


class Item(BaseModel):
    id: int
    name: str
    price: Decimal


def test_a_row_by_name_index_attribute_and_keywords() -> None:
    row = items((1, "bolt", "1.50")).one()
    assert row.id == row["id"] == row[0] == 1 and row[-1] == Decimal("1.50") and row[:2] == (1, "bolt")
    assert Item(**row) == Item(id=1, name="bolt", price=Decimal("1.50"))
    assert tuple(row) == (1, "bolt", Decimal("1.50")) == row and len(row) == 3
    assert row.keys() == ("id", "name", "price") and "name" in row and "nope" not in row
    assert dict(row) == row.dict() == {"id": 1, "name": "bolt", "price": Decimal("1.50")}
    assert row.get("nope", 5) == 5 and row.get("id") == 1
    assert repr(row) == "Row(id=1, name='bolt', price=Decimal('1.50'))"
    assert row == items((1, "bolt", "1.50")).one() and hash(row)
    with pytest.raises(AttributeError, match="no column `nope`; it has id, name, price"):
        _ = row.nope
    with pytest.raises(KeyError):
        row["nope"]


def test_results() -> None:
    two = items((1, "a", "1"), (2, "b", None))
    assert len(two) == 2 and [row.name for row in two] == ["a", "b"] and len(two.all()) == 2
    assert two.scalar() == 1 and two.scalars() == [1, 2] and two.all()[1].price is None
    assert two.first() == (1, "a", Decimal(1))
    with pytest.raises(PgTooManyRows, match="there are 2"):
        two.one()
    with pytest.raises(PgTooManyRows):
        two.one_or_none()
    assert items((1, "a", "1")).model(Item) == Item(id=1, name="a", price=Decimal(1))
    assert items((1, "a", "1"), (2, "b", "2")).models(Item)[1].name == "b"


class Checked(Item):
    @classmethod
    def model_validate(cls, obj: Any, **options: Any) -> Self:
        return super().model_validate({**obj, "name": obj["name"].upper()}, **options)


class Pair(NamedTuple):
    id: int
    name: str
    price: Decimal


class Typed(TypedDict):
    id: int
    name: str
    price: Decimal


def test_rows_into_classes_of_the_app() -> None:
    two = items((1, "a", "1"), (2, "b", "2"))
    assert two.into(Item) == [Item(id=1, name="a", price=Decimal(1)), Item(id=2, name="b", price=Decimal(2))]
    assert two.into(tuple) == [(1, "a", 1), (2, "b", 2)]
    assert two.into(Pair) == [Pair(1, "a", Decimal(1)), Pair(2, "b", Decimal(2))]
    assert two.into(dict)[1] == {"id": 2, "name": "b", "price": 2} == two.into(Typed)[1]
    assert two.into(SimpleNamespace)[0].name == "a"
    with pytest.raises(TypeError):
        two.into(enum.Enum)
    with pytest.raises(ValidationError):
        items((1, None, "1")).into(Item)
    assert [one.name for one in two.models(Checked)] == ["A", "B"] and two.into(Checked)[0].name == "A"


def test_columns_may_have_any_name() -> None:
    names = ("a'b", 'c"}', "ü\n\\", "{v0}", "x", "x")
    odd = Result(block(tuple("123456"), columns=tuple((name, 25, "plain") for name in names)))
    assert odd.into(dict) == [{"a'b": "1", 'c"}': "2", "ü\n\\": "3", "{v0}": "4", "x": "6"}]
    assert Result(block((), ())).into(dict) == [{}, {}]


def test_an_empty_result_has_columns() -> None:
    empty = items()
    assert [column.name for column in empty.columns] == ["id", "name", "price"]
    assert empty.scalar() is None and empty.first() is None and empty.one_or_none() is None and empty.model(Item) is None
    assert empty.all() == [] == empty.scalars() == empty.models(Item)
    with pytest.raises(PgNoRows):
        empty.one()


@pytest.mark.parametrize(
    ("kind", "packed", "value"),
    [
        ("plain", [1, [2, None]], [1, [2, None]]),
        ("plain", b"\x00\xff", b"\x00\xff"),
        ("numeric", "NaN", Decimal("NaN").to_eng_string()),
        ("uuid", b"\x01" * 16, UUID(bytes=b"\x01" * 16)),
        ("json", '{"a": [1, null]}', {"a": [1, None]}),
        ("inet", "10.0.0.1", IPv4Address("10.0.0.1")),
        ("inet", "10.0.0.1/8", IPv4Interface("10.0.0.1/8")),
        ("cidr", "10.0.0.0/8", IPv4Network("10.0.0.0/8")),
        ("date", "2024-02-29", date(2024, 2, 29)),
        ("date", ("0044-03-15 BC",), "0044-03-15 BC"),
        ("time", "23:59:59.000001", time(23, 59, 59, 1)),
        ("timetz", "12:00:00+05:30", time(12, tzinfo=timezone(timedelta(hours=5.5)))),
        ("timestamp", "2024-02-29T12:00:00", datetime(2024, 2, 29, 12)),
        ("timestamptz", "2024-02-29T12:00:00.500000+00:00", datetime(2024, 2, 29, 12, 0, 0, 500000, timezone.utc)),
        ("timestamptz", ("infinity",), "infinity"),
        ("interval", (0, 1, -1), timedelta(days=1, microseconds=-1)),
        ("interval", (14, 0, 0), timedelta(days=365 + 60)),
        ("interval", (-14, 1, 0), timedelta(days=1 - 365 - 60)),
        ("interval", ("infinity",), "infinity"),
        ("date[]", [["2024-02-29", None], [("infinity",), "2024-03-01"]], [[date(2024, 2, 29), None], ["infinity", date(2024, 3, 1)]]),
        ("interval[]", [(0, 1, 0)], [timedelta(days=1)]),
        ("uuid[]", [], []),
        ("binary", b"x", b"x"),
        ("a kind of the future", "x", "x"),
    ],
)
def test_kinds(kind: str, packed: Any, value: Any) -> None:
    found = Result(block((packed,), (None,), columns=(("c", 0, kind),))).scalars()
    assert found[1] is None
    assert str(found[0]) == value if kind == "numeric" else found[0] == value


class Colour(enum.Enum):
    RED = "red"


class Level(enum.IntEnum):
    HIGH = 3


class Text(str):
    pass


@pytest.mark.parametrize(
    ("value", "sent"),
    [
        (None, None),
        (True, True),
        (2**70, 2**70),
        (1.5, 1.5),
        ("é\x00", "é\x00"),
        (b"\xff", b"\xff"),
        (bytearray(b"a"), b"a"),
        (memoryview(b"b"), b"b"),
        (Decimal("1.50"), "1.50"),
        (UUID(int=1), "00000000-0000-0000-0000-000000000001"),
        (date(2024, 2, 29), "2024-02-29"),
        (datetime(2024, 2, 29, 1, 2, 3, 4, timezone.utc), "2024-02-29T01:02:03.000004+00:00"),
        (time(1, 2), "01:02:00"),
        (timedelta(days=-1, seconds=1.5), "-1 days 1.500000 seconds"),
        (Colour.RED, "red"),
        (Level.HIGH, 3),
        (Text("t"), "t"),
        ({"a": "é", "b": None}, {"a": "é", "b": None}),
        ({"a": "é", "b": 1}, '{"a": "é", "b": 1}'),
        (Json([1, "x"]), '[1, "x"]'),
        (Item(id=1, name="n", price=Decimal(2)), '{"id":1,"name":"n","price":"2"}'),
        ([1, [Colour.RED, None]], [1, ["red", None]]),
        ((Decimal(1),), ("1",)),
        (IPv4Address("10.0.0.1"), "10.0.0.1"),
    ],
)
def test_parameters(value: Any, sent: Any) -> None:
    assert marshal.loads(pack((value,)).encode("latin-1")) == (sent,)


def test_a_parameter_without_a_form() -> None:
    with pytest.raises(PgUsageError, match=r"\$2 is a `set`"):
        pack((1, {1}))


def test_pool_and_statements(script: Script) -> None:
    script.answers = ["default", block((1, "a", "2"), affected=1, columns=ITEMS)]
    pg = PgPool("postgres://localhost/mydb").get()
    result = pg.exec("SELECT $1", 5)
    assert result.affected == 1 and result.one().price == 2
    assert script.asked == [("resolve", "postgres://localhost/mydb"), ("query", "default", "SELECT $1", (5,))]


def test_a_transaction_commits(script: Script) -> None:
    pg = Pg("db")
    with pg.tx(isolation="serializable", read_only=True) as tx:
        tx.exec("A", 1)
        pg.exec("B")
    pg.exec("C")
    assert script.asked == [("begin", "db", (2, True, False, 0)), ("tx.query", "A", (1,)), ("tx.query", "B", ()), ("commit",), ("drop",), ("query", "db", "C", ())]


def test_a_transaction_rolls_back(script: Script) -> None:
    with pytest.raises(KeyError), Pg("db").tx():
        raise KeyError
    assert [asked[0] for asked in script.asked] == ["begin", "rollback", "drop"]


def test_savepoints(script: Script) -> None:
    pg = Pg("db")
    with pg.tx() as tx:
        with pytest.raises(ValueError), tx.tx() as inner:
            inner.exec("A")
            raise ValueError
        with pg.tx() as second, second.tx():
            pass
        tx.exec("B")
    names = [asked[:2] for asked in script.asked if asked[0] not in ("begin", "tx.query")]
    assert names == [("savepoint", "s1"), ("rollback_to", "s1"), ("release", "s1"), ("savepoint", "s1"), ("savepoint", "s2"),
                     ("release", "s2"), ("release", "s1"), ("commit",), ("drop",)]  # fmt: skip
    with pytest.raises(PgUsageError, match="takes no options"), pg.tx(), pg.tx(read_only=True):
        pass


def test_an_end_by_hand(script: Script) -> None:
    with Pg("db").tx() as tx:
        tx.rollback()
        with pytest.raises(PgUsageError, match="ended"):
            tx.exec("A")
    assert [asked[0] for asked in script.asked] == ["begin", "rollback", "drop"]
    with pytest.raises(PgUsageError, match="not begun"):
        Pg("db").tx().exec("A")


def test_a_transaction_left_open_ends_with_its_call(script: Script, host: FakeHost, caplog: pytest.LogCaptureFixture) -> None:
    left: list[Tx] = []

    async def leave() -> None:
        pg = Pg("db")
        left.append(pg.tx().__enter__())
        left.append(pg.tx().__enter__())
        with Pg("db").tx():
            pass
        script.asked.clear()

    assert host.call(leave()).exited
    assert script.asked == [("drop",)]
    assert caplog.messages == ["a transaction was left open: it is rolled back with the end of its request"]
    for tx in left:
        with pytest.raises(PgUsageError, match="its request ended before it did"):
            tx.exec("A")
        with pytest.raises(PgUsageError, match="its request ended before it did"):
            tx.__exit__(None, None, None)  # a block that ends as if all were well
        tx.__exit__(KeyError, KeyError(), None)
    assert script.asked == [("drop",)]


def test_a_transaction_of_a_task_that_outlives_its_call_ends_with_a_later_one(script: Script, host: FakeHost) -> None:
    async def begin() -> None:
        await asyncio.sleep(LINGER + 1)
        Pg("db").tx().__enter__()

    async def start() -> None:
        asyncio.create_task(begin())

    async def sleep() -> None:
        await asyncio.sleep(5)

    host.call(start())
    host.run(LINGER + 0.5)
    assert not script.asked
    later = host.call(sleep())
    host.run()
    assert later.exited and script.asked[-1] == ("drop",)


def test_a_commit_that_fails_gives_the_session_back(script: Script) -> None:
    script.answers = [None, host_error(sqlstate="40001", retryable=True)]
    with pytest.raises(public.PgSerializationError) as caught, Pg("db").tx():
        pass
    assert caught.value.retryable and script.asked[-1] == ("drop",)


@pytest.mark.parametrize(
    ("state", "kind"),
    [
        ("23505", public.PgUniqueViolation),
        ("23503", public.PgForeignKeyViolation),
        ("23514", public.PgCheckViolation),
        ("23502", public.PgNotNullViolation),
        ("23P01", public.PgIntegrityError),
        ("22012", public.PgDataError),
        ("42P01", public.PgProgrammingError),
        ("42501", public.PgInsufficientPrivilege),
        ("40P01", public.PgDeadlock),
        ("57014", public.PgCanceled),
        ("XX000", PgError),
    ],
)
def test_errors_of_the_server(script: Script, state: str, kind: type[PgError]) -> None:
    script.answers = [host_error(sqlstate=state, message="it broke", detail="here", table="items", position=7)]
    with pytest.raises(PgError) as caught:
        Pg("db").exec("SELECT")
    error = caught.value
    assert type(error) is kind and error.sqlstate == state and error.table == "items" and error.position == 7
    assert str(error) == f"it broke (SQLSTATE {state})\ndetail: here" and error.constraint is None
    assert str(PgError("no", hint="cast it")) == "no\nhint: cast it"


def test_errors_of_the_host(script: Script) -> None:
    script.answers = [host_error(kind=ErrorKind.DENIED, message="no grant for `x`; granted: default")]
    with pytest.raises(public.PgDenied, match="granted: default"):
        PgPool("x").get()
