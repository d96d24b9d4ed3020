"""The SQLAlchemy dialect against a real server: what its own suite does not look at."""

from __future__ import annotations

import enum
import subprocess
import sys
import uuid
from collections.abc import Iterator
from datetime import date, datetime, timedelta, timezone
from decimal import Decimal
from ipaddress import IPv4Address
from typing import Any

import pytest
from sqlalchemy import DateTime, Engine, ForeignKey, String, create_engine, engine_from_config, exc, func, insert, inspect, literal, make_url, select, text
from sqlalchemy.dialects.postgresql import (
    ARRAY,
    DATEMULTIRANGE,
    DATERANGE,
    INET,
    INT4RANGE,
    JSONB,
    NUMRANGE,
    TSTZRANGE,
    insert as upsert,
)
from sqlalchemy.dialects.postgresql.ranges import MultiRange, Range
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column, relationship
from sqlalchemy.pool import NullPool

import fasterapi.pg.sqlalchemy  # noqa: F401 (registers the dialect)
from fasterapi.pg import Pg, PgUniqueViolation, dbapi


class Colour(enum.Enum):
    RED = "r"
    BLUE = "b"


class Base(DeclarativeBase):
    pass


class User(Base):
    __tablename__ = "users"

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(String(40), unique=True)
    posts: Mapped[list[Post]] = relationship(back_populates="author", cascade="all, delete-orphan", order_by="Post.id")


class Post(Base):
    __tablename__ = "posts"

    id: Mapped[int] = mapped_column(primary_key=True)
    author_id: Mapped[int] = mapped_column(ForeignKey(User.id))
    title: Mapped[str]
    author: Mapped[User] = relationship(back_populates="posts")


class Thing(Base):
    __tablename__ = "things"

    id: Mapped[uuid.UUID] = mapped_column(primary_key=True, default=uuid.uuid4)
    price: Mapped[Decimal]
    ratio: Mapped[float]
    on: Mapped[bool]
    born: Mapped[date]
    seen: Mapped[datetime]
    took: Mapped[timedelta]
    colour: Mapped[Colour]
    data: Mapped[dict[str, Any]] = mapped_column(JSONB)
    tags: Mapped[list[str]] = mapped_column(ARRAY(String))
    grid: Mapped[list[Any]] = mapped_column(ARRAY(String, dimensions=2))
    address: Mapped[Any] = mapped_column(INET)
    blob: Mapped[bytes]


@pytest.fixture
def engine(pg: Pg) -> Iterator[Engine]:
    made = create_engine("postgresql+fasterapi://default")
    Base.metadata.create_all(made)
    yield made
    made.dispose()


def test_the_dialect_is_found_by_its_url() -> None:
    code = "import sqlalchemy; print(sqlalchemy.create_engine('postgresql+fasterapi://default').dialect.dbapi.__name__)"
    registered = "import fasterapi.pg.sqlalchemy; " + code
    done = subprocess.run([sys.executable, "-c", registered], env={"PYTHONPATH": sys.path[0]}, capture_output=True, text=True, timeout=60)
    assert done.stdout == "fasterapi.pg.dbapi\n" and not done.stderr, done


@pytest.mark.parametrize(
    ("url", "target"),
    [
        ("postgresql+fasterapi://", "default"),
        ("postgresql+fasterapi://default_ro", "default_ro"),
        ("postgresql+fasterapi://user:secret@server:5432/shop", "postgres://server/shop"),
        ("postgresql+fasterapi:///shop", "postgres:///shop"),
    ],
)
def test_what_a_url_means(url: str, target: str) -> None:
    assert create_engine(url).dialect.create_connect_args(make_url(url))[0] == [target]


def test_statements_have_the_servers_own_placeholders(engine: Engine) -> None:
    with engine.connect() as connection, pytest.raises(exc.DBAPIError) as caught:
        connection.execute(select(1 / literal(0)).where(literal("%s") == "%s"))
    assert caught.value.statement is not None and "$1::INTEGER" in caught.value.statement
    with create_engine("postgresql+fasterapi://default", paramstyle="pyformat").connect() as connection:
        assert connection.exec_driver_sql("SELECT %(a)s::int %% 3", {"a": 5}).scalar() == 2


def test_the_pool_is_the_hosts(engine: Engine) -> None:
    assert isinstance(engine.pool, NullPool)
    with engine.connect() as connection:
        connection.execute(select(1))
        assert connection.connection.dbapi_connection is not None


def test_the_size_of_another_pool_is_taken() -> None:
    sizes: dict[str, Any] = {"pool_size": 5, "max_overflow": 10, "pool_timeout": 3, "pool_recycle": 1800, "pool_pre_ping": True, "pool_use_lifo": True}
    made = create_engine("postgresql+fasterapi://default", **sizes)
    again = made.pool.recreate()
    assert isinstance(made.pool, NullPool) and type(again) is type(made.pool) and again._pre_ping and again._recycle == 1800
    made.dispose()
    configured = engine_from_config({"sqlalchemy.url": "postgresql+fasterapi://default", "sqlalchemy.pool_size": "5"})
    assert isinstance(configured.pool, NullPool)
    with pytest.raises(TypeError, match="pool_sise"):
        create_engine("postgresql+fasterapi://default", pool_sise=5)


def test_an_engine_with_another_pools_size_connects(pg: Pg) -> None:
    with create_engine("postgresql+fasterapi://default", pool_size=1, max_overflow=0, pool_pre_ping=True).connect() as first:
        assert first.scalar(select(1)) == 1
        with first.engine.connect() as second:
            assert second.scalar(select(1)) == 1


def test_relationships(engine: Engine) -> None:
    with Session(engine) as session:
        session.add_all(User(name=f"user{i}", posts=[Post(title=f"post{j}") for j in range(i)]) for i in range(4))
        session.commit()
    with Session(engine) as session:
        user = session.scalars(select(User).where(User.name == "user3")).one()
        assert [post.title for post in user.posts] == ["post0", "post1", "post2"] and user.posts[0].author is user
        counted = select(User.name, func.count(Post.id)).join(Post).group_by(User.name).order_by(User.name)
        assert session.execute(counted).all() == [("user1", 1), ("user2", 2), ("user3", 3)]
        session.delete(user)
        session.commit()
        assert session.scalar(select(func.count()).select_from(Post)) == 3


def test_types_there_and_back(engine: Engine) -> None:
    values: dict[str, Any] = {
        "price": Decimal("1.50"),
        "ratio": 0.1,
        "on": True,
        "born": date(2024, 2, 29),
        "seen": datetime(2024, 2, 29, 12, 30, 0, 5),
        "took": timedelta(days=-1, microseconds=3),
        "colour": Colour.BLUE,
        "data": {"a": [1, None, "\u20ac"], "b": {}},
        "tags": ["x", None, '"{}'],
        "grid": [["a", "b"], ["c", "d"]],
        "address": IPv4Address("10.0.0.1"),
        "blob": b"\x00\xff",
    }
    with Session(engine) as session:
        session.add(Thing(**values))
        session.commit()
        thing = session.scalars(select(Thing)).one()
        assert {name: getattr(thing, name) for name in values} == values and isinstance(thing.id, uuid.UUID)
        asked = select(Thing.id).where(
            Thing.data["a"][2].astext == "\u20ac",
            Thing.tags.contains(["x"]),
            Thing.colour == Colour.BLUE,
            Thing.price.in_([Decimal("1.5"), Decimal(2)]),
            Thing.id == thing.id,
        )
        assert session.scalars(asked).all() == [thing.id]


def test_many_rows_with_what_they_return(engine: Engine) -> None:
    with engine.begin() as connection:
        rows = [{"name": f"user{i}"} for i in range(2500)]
        returned = connection.execute(insert(User).returning(User.id, User.name, sort_by_parameter_order=True), rows).all()
        assert [name for _, name in returned] == [row["name"] for row in rows] and len({id for id, _ in returned}) == 2500
        connection.execute(insert(User), [{"name": f"more{i}"} for i in range(10)])
        assert connection.scalar(select(func.count()).select_from(User)) == 2510


def test_upsert(engine: Engine) -> None:
    with engine.begin() as connection:
        for title in ("first", "second"):
            made = upsert(User).values(id=1, name=title)
            connection.execute(made.on_conflict_do_update(index_elements=[User.id], set_={"name": made.excluded.name}))
        assert connection.scalars(select(User.name)).all() == ["second"]


def test_errors_keep_what_the_server_said(engine: Engine) -> None:
    with Session(engine) as session:
        session.add_all([User(name="ada"), User(name="ada")])
        with pytest.raises(exc.IntegrityError) as caught:
            session.commit()
        orig = caught.value.orig
        assert isinstance(orig, dbapi.IntegrityError) and orig.constraint == "users_name_key" and orig.sqlstate == "23505"
        assert isinstance(orig.__cause__, PgUniqueViolation) and not caught.value.connection_invalidated
        session.rollback()
        with pytest.raises(exc.ProgrammingError):
            session.execute(text("SELECT nope"))


def test_a_nested_transaction_is_a_savepoint(engine: Engine) -> None:
    with Session(engine) as session:
        session.add(User(name="ada"))
        session.flush()
        with pytest.raises(exc.IntegrityError), session.begin_nested():
            session.add(User(name="ada"))
            session.flush()
        session.add(User(name="bob"))
        session.commit()
        assert session.scalars(select(User.name).order_by(User.name)).all() == ["ada", "bob"]


def test_isolation_levels(engine: Engine) -> None:
    shown = text("SHOW transaction_isolation")
    with engine.connect() as connection:
        assert connection.get_isolation_level() == connection.default_isolation_level == "READ COMMITTED"
    with engine.connect().execution_options(isolation_level="SERIALIZABLE", postgresql_readonly=True, postgresql_deferrable=True) as connection:
        assert connection.scalar(shown) == "serializable" and connection.get_isolation_level() == "SERIALIZABLE"
        assert connection.scalar(text("SHOW transaction_read_only")) == connection.scalar(text("SHOW transaction_deferrable")) == "on"
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(insert(User), {"name": "ada"})
        assert connection.get_isolation_level() == "AUTOCOMMIT"
        connection.rollback()
    with engine.connect() as connection:
        assert connection.scalars(select(User.name)).all() == ["ada"] and connection.scalar(shown) == "read committed"
    with pytest.raises(exc.ArgumentError, match="READ UNCOMMITTED"):
        engine.connect().execution_options(isolation_level="READ UNCOMMITTED")


def test_a_lost_transaction_is_a_disconnect(engine: Engine, pg: Pg) -> None:
    with Session(engine) as session:
        pg.exec("SELECT pg_terminate_backend($1)", session.scalar(select(func.pg_backend_pid())))
        with pytest.raises(exc.OperationalError) as caught:
            session.execute(select(1))
        assert caught.value.connection_invalidated
        session.rollback()
        assert session.scalar(select(1)) == 1


def test_pre_ping(pg: Pg) -> None:
    engine = create_engine("postgresql+fasterapi://default", pool_pre_ping=True)
    checked_out = engine.raw_connection()
    assert checked_out.dbapi_connection is not None and engine.dialect.do_ping(checked_out.dbapi_connection)
    with engine.connect() as connection:
        assert connection.scalar(select(1)) == 1


def test_the_engines_own_json_and_addresses(pg: Pg) -> None:
    engine = create_engine("postgresql+fasterapi://default", json_deserializer=lambda text: ("mine", text), native_inet_types=False)
    with engine.connect() as connection:
        assert connection.execute(text("SELECT '[1]'::jsonb, '10.0.0.1'::inet")).one() == (("mine", "[1]"), "10.0.0.1")


def test_reflection(engine: Engine) -> None:
    found = inspect(engine)
    assert sorted(found.get_table_names()) == ["posts", "things", "users"]
    assert [column["name"] for column in found.get_columns("posts")] == ["id", "author_id", "title"]
    assert found.get_foreign_keys("posts")[0]["referred_table"] == "users"
    assert found.get_unique_constraints("users")[0]["column_names"] == ["name"]


def test_times_with_zones(engine: Engine) -> None:
    with engine.connect() as connection:
        when = datetime(2024, 1, 1, 12, tzinfo=timezone(timedelta(hours=2)))
        assert connection.scalar(select(literal(when, DateTime(timezone=True)))) == when


def test_rows_that_stream(engine: Engine) -> None:
    many = select(func.generate_series(1, 5000))
    with engine.connect().execution_options(yield_per=1000) as connection:
        result = connection.execute(many)
        assert [len(part) for part in result.scalars().partitions()] == [1000] * 5
    with engine.connect().execution_options(stream_results=True, isolation_level="AUTOCOMMIT") as connection:
        rows = connection.execute(many)
        assert rows.fetchone() == (1,) and len(rows.all()) == 4999


def test_ranges_there_and_back(engine: Engine) -> None:
    day = Range(date(2024, 1, 1), date(2024, 2, 1))
    values: dict[str, tuple[Any, Any]] = {
        "ints": (INT4RANGE(), Range(1, 5)),
        "open": (NUMRANGE(), Range(None, Decimal("1.5"), bounds="(]")),
        "nothing": (INT4RANGE(), Range(empty=True)),
        "days": (DATERANGE(), day),
        "times": (TSTZRANGE(), Range(datetime(2024, 1, 1, tzinfo=timezone.utc), None, bounds="(]")),
        "many": (DATEMULTIRANGE(), MultiRange([day])),
        "array": (ARRAY(INT4RANGE), [Range(1, 2), Range(3, 4)]),
    }
    with engine.connect() as connection:
        row = connection.execute(select(*(literal(value, kind).label(name) for name, (kind, value) in values.items()))).one()
        found = dict(row._mapping)
        times = found.pop("times")
        assert (times.lower, times.upper) == (datetime(2024, 1, 1, tzinfo=timezone.utc), None)
        assert found == {name: value for name, (_, value) in values.items() if name != "times"}
        assert connection.scalar(select(literal(Range(1, 9), INT4RANGE()).contains(3)))


def test_bits_and_texts_of_the_servers(engine: Engine) -> None:
    with engine.connect() as connection:
        row = connection.execute(text("SELECT 12.5::money AS money, to_tsvector('simple', 'a b') AS words, B'0101' AS bits")).one()
        assert row.words == "'a':1 'b':2" and row.bits == "0101" and "12.5" in row.money
