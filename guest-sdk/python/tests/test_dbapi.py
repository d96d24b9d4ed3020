"""The DB-API driver against a real server: what PEP 249 asks for, clause by clause."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from datetime import date, datetime, time
from decimal import Decimal
from typing import Any

import pytest
from fake_host import FakeHost

from fasterapi.pg import Pg, PgPool, PgUniqueViolation, dbapi

Connection = dbapi.Connection


@pytest.fixture
def connection(pg: Pg) -> Iterator[Connection]:
    pg.exec("CREATE TABLE drinks (name text PRIMARY KEY, price numeric)")
    made = dbapi.connect()
    yield made
    made.close()


def fill(connection: Connection, *names: str) -> dbapi.Cursor:
    cursor = connection.cursor()
    cursor.executemany("INSERT INTO drinks VALUES (%s, 1.50)", [(name,) for name in names])
    return cursor


def names(pg: Pg) -> list[str]:
    return pg.exec("SELECT name FROM drinks ORDER BY name").scalars()


# --- the module ---


def test_globals() -> None:
    assert (dbapi.apilevel, dbapi.threadsafety, dbapi.paramstyle) == ("2.0", 1, "pyformat")
    assert callable(dbapi.connect)


def test_exceptions_inherit_as_the_pep_draws_it(connection: Connection) -> None:
    assert issubclass(dbapi.Warning, Exception) and issubclass(dbapi.Error, Exception)
    assert issubclass(dbapi.InterfaceError, dbapi.Error) and issubclass(dbapi.DatabaseError, dbapi.Error)
    below = ("DataError", "OperationalError", "IntegrityError", "InternalError", "ProgrammingError", "NotSupportedError")
    assert all(issubclass(getattr(dbapi, name), dbapi.DatabaseError) for name in below)
    for name in ("Warning", "Error", "InterfaceError", "DatabaseError", *below):
        assert getattr(connection, name) is getattr(dbapi, name)


def test_constructors_make_what_the_server_takes(connection: Connection) -> None:
    ticks = datetime(2026, 2, 3, 4, 5, 6).timestamp()
    values = (
        dbapi.Date(2026, 2, 3),
        dbapi.Time(4, 5, 6),
        dbapi.Timestamp(2026, 2, 3, 4, 5, 6),
        dbapi.DateFromTicks(ticks),
        dbapi.TimeFromTicks(ticks),
        dbapi.TimestampFromTicks(ticks),
        dbapi.Binary(b"\x00\xff"),
        dbapi.Binary("a"),
    )
    cursor = connection.cursor()
    cursor.execute("SELECT %s::date, %s::time, %s::timestamp, %s::date, %s::time, %s::timestamp, %s::bytea, %s::bytea", values)
    day, clock = date(2026, 2, 3), time(4, 5, 6)
    assert cursor.fetchone() == (day, clock, datetime.combine(day, clock)) * 2 + (b"\x00\xff", b"a")


def test_type_objects(connection: Connection) -> None:
    cursor = connection.cursor()
    cursor.execute("SELECT 'a'::text AS t, 'a'::bytea AS b, 1::int8 AS i, 1.5 AS n, now() AS d, 1::oid AS r")
    assert cursor.description is not None
    assert all(len(column) == 7 for column in cursor.description)
    assert [column[0] for column in cursor.description] == ["t", "b", "i", "n", "d", "r"]
    found = [column[1] for column in cursor.description]
    assert found == [dbapi.STRING, dbapi.BINARY, dbapi.NUMBER, dbapi.NUMBER, dbapi.DATETIME, dbapi.ROWID]
    assert found[0] != dbapi.NUMBER and repr(dbapi.STRING) == "STRING" and len({dbapi.STRING, dbapi.NUMBER}) == 2


# --- the connection ---


def test_nothing_is_seen_until_commit(connection: Connection, pg: Pg) -> None:
    fill(connection, "ale")
    assert connection.in_transaction and names(pg) == []
    connection.commit()
    assert not connection.in_transaction and names(pg) == ["ale"]


def test_rollback(connection: Connection, pg: Pg) -> None:
    fill(connection, "ale")
    connection.rollback()
    connection.commit()  # nothing is open: nothing happens
    assert names(pg) == []


def test_close_rolls_back_and_refuses_everything(connection: Connection, pg: Pg) -> None:
    cursor = fill(connection, "ale")
    connection.close()
    connection.close()
    assert names(pg) == []
    calls = (connection.commit, connection.rollback, connection.cursor, cursor.fetchall, lambda: cursor.execute("SELECT 1"))
    for call in calls:
        with pytest.raises(dbapi.Error, match="closed"):
            call()


def test_autocommit(connection: Connection, pg: Pg) -> None:
    connection.autocommit = True
    fill(connection, "ale")
    assert names(pg) == ["ale"] and not connection.in_transaction
    connection.autocommit = False
    fill(connection, "beer")
    with pytest.raises(dbapi.ProgrammingError, match="a transaction is open"):
        connection.autocommit = True
    assert not connection.autocommit and names(pg) == ["ale"]


def test_a_with_block_commits_or_rolls_back(pg: Pg) -> None:
    pg.exec("CREATE TABLE drinks (name text, price numeric)")
    with dbapi.connect() as connection:
        fill(connection, "ale")
    with pytest.raises(RuntimeError), dbapi.connect() as other:
        fill(other, "beer")
        raise RuntimeError
    assert names(pg) == ["ale"] and connection.closed and other.closed


def test_the_options_of_a_transaction(connection: Connection) -> None:
    cursor = connection.cursor()
    connection.isolation, connection.read_only = "serializable", True
    cursor.execute("SELECT current_setting('transaction_isolation'), current_setting('transaction_read_only')")
    assert cursor.fetchone() == ("serializable", "on")
    with pytest.raises(dbapi.InternalError) as caught:
        cursor.execute("DELETE FROM drinks")
    assert caught.value.sqlstate == "25006"


def test_a_lost_transaction_ends_with_rollback(connection: Connection, pg: Pg) -> None:
    cursor = connection.cursor()
    cursor.execute("SELECT pg_backend_pid()")
    (pid,) = cursor.fetchall()[0]
    pg.exec("SELECT pg_terminate_backend($1)", pid)
    with pytest.raises(dbapi.OperationalError):
        cursor.execute("SELECT 1")
    connection.rollback()
    assert cursor.execute("SELECT 1").fetchall() == [(1,)]


def test_a_database_that_was_not_granted() -> None:
    with pytest.raises(dbapi.OperationalError, match="granted: `default`"):
        dbapi.connect("nope")


def test_a_transaction_left_open_ends_with_its_request(connection: Connection, pg: Pg, host: FakeHost) -> None:
    async def handler(resolve: Any) -> None:
        fill(connection, "ale")
        resolve("done")

    task = host.call(handler)
    host.run()
    assert task.exited
    with pytest.raises(dbapi.InterfaceError, match="its request ended"):
        connection.cursor().execute("SELECT 1")
    connection.rollback()
    assert names(pg) == []


# --- the cursor ---


def test_cursors_of_a_connection_see_each_other(connection: Connection) -> None:
    fill(connection, "ale")
    assert connection.cursor().execute("SELECT name FROM drinks").fetchall() == [("ale",)]


def test_a_statement_without_rows(connection: Connection) -> None:
    cursor = connection.cursor()
    assert cursor.rowcount == -1 and cursor.description is None
    cursor.execute("INSERT INTO drinks VALUES ('ale')")
    assert cursor.rowcount == 1 and cursor.description is None and cursor.rownumber is None
    for fetch in (cursor.fetchone, cursor.fetchmany, cursor.fetchall, cursor.__next__, lambda: cursor.scroll(1)):
        with pytest.raises(dbapi.ProgrammingError, match="no rows"):
            fetch()


def test_rowcount(connection: Connection) -> None:
    cursor = fill(connection, "ale", "beer", "cider")
    assert cursor.rowcount == 3
    assert cursor.execute("SELECT name FROM drinks").rowcount == 3
    assert cursor.execute("UPDATE drinks SET price = 2 WHERE name < 'c'").rowcount == 2
    assert cursor.execute("DELETE FROM drinks WHERE name = 'gin'").rowcount == 0


def test_fetching(connection: Connection) -> None:
    cursor = fill(connection, "ale", "beer", "cider", "gin", "mead")
    cursor.execute("SELECT name FROM drinks ORDER BY name")
    assert cursor.fetchone() == ("ale",) and cursor.rownumber == 1
    assert cursor.fetchmany() == [("beer",)]
    cursor.arraysize = 2
    assert cursor.fetchmany() == [("cider",), ("gin",)]
    assert cursor.fetchmany(10) == [("mead",)]
    assert cursor.fetchmany() == [] and cursor.fetchone() is None and cursor.fetchall() == []
    cursor.execute("SELECT name FROM drinks WHERE name > 'b' ORDER BY name")
    assert [name for (name,) in cursor] == ["beer", "cider", "gin", "mead"]
    cursor.execute("SELECT name FROM drinks ORDER BY name")
    assert next(cursor) == ("ale",) and cursor.fetchall() == [("beer",), ("cider",), ("gin",), ("mead",)]
    cursor.execute("SELECT name FROM drinks WHERE false")
    assert cursor.fetchall() == [] and cursor.description is not None


def test_a_cursor_belongs_to_one_result(connection: Connection) -> None:
    cursor = fill(connection, "ale")
    cursor.execute("SELECT name FROM drinks")
    cursor.execute("SELECT 1")
    assert cursor.fetchall() == [(1,)]


def test_scroll(connection: Connection) -> None:
    cursor = connection.cursor().execute("SELECT generate_series(0, 4)")
    cursor.scroll(2)
    assert cursor.fetchone() == (2,)
    cursor.scroll(-2)
    assert cursor.fetchone() == (1,)
    cursor.scroll(4, mode="absolute")
    with pytest.raises(IndexError):
        cursor.scroll(5, mode="absolute")
    with pytest.raises(dbapi.ProgrammingError, match="mode"):
        cursor.scroll(0, mode="sideways")
    assert cursor.fetchall() == [(4,)]


def test_sizes_are_taken(connection: Connection) -> None:
    cursor = connection.cursor()
    cursor.setinputsizes((25,))
    cursor.setoutputsize(1000)
    cursor.setoutputsize(1000, 0)
    assert cursor.execute("SELECT %s::text", ("x" * 2000,)).fetchall() == [("x" * 2000,)]


def test_a_closed_cursor_refuses_everything(connection: Connection) -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1")
    for call in (cursor.fetchall, lambda: cursor.execute("SELECT 1"), lambda: cursor.executemany("SELECT 1", []), cursor.__enter__):
        with pytest.raises(dbapi.InterfaceError, match="closed"):
            call()


def test_null_and_numbers(connection: Connection) -> None:
    cursor = connection.cursor()
    cursor.execute("INSERT INTO drinks VALUES (%s, %s)", ("water", None))
    cursor.execute("INSERT INTO drinks VALUES (%s, %s)", ("ale", Decimal("2.50")))
    assert cursor.execute("SELECT price FROM drinks ORDER BY name").fetchall() == [(Decimal("2.50"),), (None,)]


def test_a_converter_of_the_users() -> None:
    with dbapi.connect(converters={"json": lambda text: text}) as connection:
        assert connection.cursor().execute("SELECT '{\"a\": 1}'::jsonb, 1.5").fetchall() == [('{"a": 1}', Decimal("1.5"))]


# --- parameters ---


def test_placeholders(connection: Connection) -> None:
    cursor = connection.cursor()
    assert cursor.execute("SELECT %s::int %% 3, '100%%'", [5]).fetchone() == (2, "100%")
    assert cursor.execute("SELECT 5 % 3, '%s'").fetchone() == (2, "%s")
    assert cursor.execute("SELECT %(a)s::int, %(b)s::text, %(a)s + 1", {"a": 1, "b": "x", "c": 9}).fetchone() == (1, "x", 2)
    with dbapi.connect(paramstyle="numeric_dollar") as dollars:
        assert dollars.cursor().execute("SELECT $2::int % $1::int", (3, 5)).fetchone() == (2,)


@pytest.mark.parametrize(
    ("statement", "parameters", "said"),
    [
        ("SELECT %s, %s", (1,), "has 2 parameters, 1 were given"),
        ("SELECT %s", {"a": 1}, "takes a sequence"),
        ("SELECT %(a)s", (1,), "takes a mapping"),
        ("SELECT %(a)s, %(b)s", {"a": 1}, "not given: b"),
        ("SELECT %(a)s, %s", {"a": 1}, "either `%s` or"),
        ("SELECT %d", (1,), "`%d` is no placeholder"),
        ("SELECT 5 %", (1,), "`%` is no placeholder"),
        ("SELECT %(a)", {"a": 1}, "is no placeholder"),
        ("SELECT %s::int", ("x", "y"), "2 were given"),
        ("SELECT %s", (object(),), "no form in Postgres"),
    ],
)
def test_wrong_parameters(connection: Connection, statement: str, parameters: Any, said: str) -> None:
    with pytest.raises(dbapi.ProgrammingError, match=said.replace("(", r"\(")):
        connection.cursor().execute(statement, parameters)


def test_a_mapping_for_dollars_is_refused() -> None:
    with dbapi.connect(paramstyle="numeric_dollar") as connection, pytest.raises(dbapi.ProgrammingError, match="takes a sequence"):
        connection.cursor().execute("SELECT $1", {"a": 1})


# --- errors ---


@pytest.mark.parametrize(
    ("statement", "kind", "state"),
    [
        ("INSERT INTO drinks VALUES ('ale')", dbapi.IntegrityError, "23505"),
        ("SELECT 1 / 0", dbapi.DataError, "22012"),
        ("SELEC 1", dbapi.ProgrammingError, "42601"),
        ("SELECT * FROM nowhere", dbapi.ProgrammingError, "42P01"),
        ("SELECT max(price) FROM drinks FOR UPDATE", dbapi.NotSupportedError, "0A000"),
        ("FETCH ALL FROM nothing", dbapi.ProgrammingError, "34000"),
        ("DO $$ BEGIN RAISE SQLSTATE '40001'; END $$", dbapi.OperationalError, "40001"),
        ("DO $$ BEGIN RAISE SQLSTATE 'XX000'; END $$", dbapi.InternalError, "XX000"),
        ("DO $$ BEGIN RAISE SQLSTATE '54001'; END $$", dbapi.OperationalError, "54001"),
    ],
)
def test_errors_by_their_class(connection: Connection, statement: str, kind: type[dbapi.Error], state: str) -> None:
    cursor = fill(connection, "ale")
    with pytest.raises(dbapi.Error) as caught:
        cursor.execute(statement)
    assert type(caught.value) is kind and caught.value.sqlstate == state
    with pytest.raises(dbapi.InternalError) as aborted:
        cursor.execute("SELECT 1")
    assert aborted.value.sqlstate == "25P02"


def test_the_fields_of_an_error(connection: Connection) -> None:
    cursor = fill(connection, "ale")
    with pytest.raises(dbapi.IntegrityError) as caught:
        fill(connection, "ale")
    error = caught.value
    assert error.constraint == "drinks_pkey" and error.table == "drinks" and error.retryable is False
    assert isinstance(error.__cause__, PgUniqueViolation) and "Key (name)=(ale) already exists" in str(error)
    with pytest.raises(AttributeError, match="no attribute `nope`"):
        _ = error.nope
    assert cursor.rowcount == 1


def test_a_commit_that_cannot_be(connection: Connection, pg: Pg) -> None:
    pg.exec("CREATE TABLE ids (id int PRIMARY KEY)")
    pg.exec("CREATE TABLE later (id int REFERENCES ids DEFERRABLE INITIALLY DEFERRED)")
    connection.cursor().execute("INSERT INTO later VALUES (1)")
    with pytest.raises(dbapi.IntegrityError):
        connection.commit()
    assert not connection.in_transaction
    fill(connection, "ale")
    connection.commit()
    assert names(pg) == ["ale"]


def test_transaction_control_is_the_connections(connection: Connection) -> None:
    for statement in ("COMMIT", "ROLLBACK", "BEGIN"):
        with pytest.raises(dbapi.ProgrammingError, match="no statement of its own"):
            connection.cursor().execute(statement)


def test_savepoints_are_statements(connection: Connection, pg: Pg) -> None:
    cursor = fill(connection, "ale")
    cursor.execute("SAVEPOINT here")
    fill(connection, "beer")
    cursor.execute("ROLLBACK TO SAVEPOINT here")
    cursor.execute("RELEASE SAVEPOINT here")
    connection.commit()
    assert names(pg) == ["ale"]


def test_no_warnings(connection: Connection) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        connection.cursor().execute("DROP TABLE IF EXISTS nowhere")


def test_pools_and_connections_are_of_one_database(connection: Connection) -> None:
    connection.cursor().execute("SELECT current_database()")
    assert PgPool().get().exec("SELECT current_database()").scalar() == connection.cursor().execute("SELECT current_database()").fetchall()[0][0]


# --- rows that stream ---


@pytest.mark.parametrize("autocommit", [False, True])
def test_rows_that_stream(connection: Connection, autocommit: bool) -> None:
    connection.autocommit = autocommit
    with connection.cursor(stream=True) as cursor:
        cursor.execute("SELECT g, 1.5 FROM generate_series(1, %s::int) g", (12_345,))
        assert cursor.rowcount == -1 and cursor.description is not None and cursor.description[0][:2] == ("g", 23)
        assert cursor.fetchone() == (1, Decimal("1.5")) and cursor.fetchmany(2) == [(2, Decimal("1.5")), (3, Decimal("1.5"))]
        assert [row[0] for row in cursor.fetchmany(5000)] == list(range(4, 5004))
        assert [row[0] for row in cursor] == list(range(5004, 12_346))
        assert cursor.fetchone() is None and cursor.fetchall() == []
        cursor.execute("SELECT 1 WHERE false")
        assert cursor.fetchall() == [] and cursor.description is not None
        with pytest.raises(dbapi.NotSupportedError):
            cursor.scroll(1)


def test_a_stream_holds_little(connection: Connection) -> None:
    cursor = connection.cursor(stream=True).execute("SELECT repeat('x', 1000) FROM generate_series(1, 5000)")
    most = 0
    for _ in cursor:
        most = max(most, len(cursor._rows))
    assert most == 1000


@pytest.mark.parametrize("autocommit", [False, True])
def test_an_error_in_the_middle_of_a_stream(connection: Connection, autocommit: bool) -> None:
    connection.autocommit = autocommit
    cursor = connection.cursor(stream=True).execute("SELECT 1000000 / (60000 - g) FROM generate_series(1, 100000) g")
    with pytest.raises(dbapi.DataError):
        cursor.fetchall()
    cursor.close()
    connection.rollback()
    assert connection.cursor().execute("SELECT 1").fetchall() == [(1,)]


def test_a_stream_that_is_left(connection: Connection, pg: Pg) -> None:
    cursor = connection.cursor(stream=True).execute("SELECT g FROM generate_series(1, 100000) g")
    assert cursor.fetchone() == (1,)
    cursor.execute("SELECT 2")
    assert cursor.fetchall() == [(2,)]
    cursor.close()
    assert connection.cursor().execute("SELECT count(*) FROM pg_cursors WHERE name LIKE 'fasterapi%'").fetchall() == [(0,)]


def test_what_cannot_stream(connection: Connection) -> None:
    with pytest.raises(dbapi.ProgrammingError):
        connection.cursor(stream=True).execute("DELETE FROM drinks RETURNING name")


def test_many_sets_of_parameters(connection: Connection, pg: Pg) -> None:
    cursor = connection.cursor()
    assert cursor.executemany("INSERT INTO drinks VALUES (%(name)s, 1)", ({"name": f"drink{i}"} for i in range(2500))).rowcount == 2500
    with pytest.raises(dbapi.IntegrityError, match="parameters 1"):
        cursor.executemany("INSERT INTO drinks VALUES (%s, 1)", [("new",), ("drink1",)])
    connection.rollback()
    assert cursor.executemany("INSERT INTO drinks VALUES (%s, 1)", []).rowcount == 0
    connection.autocommit = True
    with pytest.raises(dbapi.IntegrityError):
        cursor.executemany("INSERT INTO drinks VALUES (%s, 1)", [("ale",), ("ale",)])
    assert names(pg) == []
