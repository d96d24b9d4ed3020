"""Streams, batches, COPY and LISTEN of fasterapi.pg, over a host that answers from a script."""

from __future__ import annotations

import asyncio
import marshal
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any, Self

import pytest

from fasterapi._asgi.cycle import Cycle
from fasterapi.pg import AsyncTx, CopyIn, CopyResponse, Pg, PgUsageError, QueryResponse, _host
from fasterapi.pg._copy_format import format_of

COLUMNS = (("i", 23, "plain"),)


@dataclass
class Handle:
    """A resource of the host's: gives what it was made with, remembers what was asked."""

    blocks: list[Any] = field(default_factory=list)
    asked: list[Any] = field(default_factory=list)
    open: bool = True

    def columns(self) -> bytes:
        return marshal.dumps(COLUMNS)

    def next(self) -> bytes | None:
        return marshal.dumps(self.blocks.pop(0)) if self.blocks else None

    def write(self, data: str) -> None:
        self.asked.append(data)

    def finish(self) -> int:
        return 7

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.open = False


@dataclass
class Host:
    handle: Handle = field(default_factory=Handle)
    asked: list[Any] = field(default_factory=list)
    answer: Any = None

    def __getattr__(self, name: str) -> Callable[..., Any]:
        def call(*arguments: Any) -> Any:
            self.asked.append((name, *arguments))
            return self.handle if self.answer is None else self.answer

        return call


@pytest.fixture
def host(monkeypatch: pytest.MonkeyPatch) -> Iterator[Host]:
    host = Host()
    monkeypatch.setattr(_host, "client", host)
    yield host


def test_a_stream_gives_rows_and_ends(host: Host) -> None:
    host.handle.blocks = [[(1,), (2,)], [(3,)]]
    rows = Pg("db").stream("SELECT i", 5, timeout=1.5)
    assert host.asked == [("stream", "db", "SELECT i", marshal.dumps((5,), 2).decode("latin-1"), 1500)]
    assert [row.i for row in rows] == [1, 2, 3]
    assert not host.handle.open


def test_a_stream_that_is_left_is_cancelled(host: Host) -> None:
    host.handle.blocks = [[(1,), (2,)]]
    with Pg("db").stream("SELECT i") as rows:
        assert next(rows).i == 1
    assert not host.handle.open
    assert list(rows) == []
    host.handle.open = True
    for row in Pg("db").stream("SELECT i"):
        break
    assert not host.handle.open, "the forgotten stream is ended"


def test_the_rest_of_a_result(host: Host) -> None:
    host.handle.blocks = [[(2,)], [(3,)]]
    host.answer = marshal.dumps((0, COLUMNS, [(1,)])), host.handle
    pg = Pg("db")
    result = pg.exec("SELECT i")
    assert result.first() == (1,) and host.handle.open
    assert (result.affected, result.scalars(), host.handle.open) == (3, [1, 2, 3], False)
    host.handle.blocks, host.handle.open = [[(2,)]], True
    result = pg.exec("SELECT i")
    assert [row.i for row in result.stream()] == [1, 2]
    assert result.all() == []


def test_a_batch_is_one_call(host: Host) -> None:
    host.answer = marshal.dumps(((1, (), []), (2, COLUMNS, [(1,), (2,)])))
    pg = Pg("db")
    first, second = pg.batch(["DELETE", ("INSERT", [1, None])])
    assert (first.affected, second.scalars()) == (1, [1, 2])
    packed = marshal.dumps((("DELETE", ()), ("INSERT", (1, None))), 2).decode("latin-1")
    assert host.asked == [("batch", "db", packed, 0)]
    assert pg.executemany("INSERT", []).affected == 0
    assert pg.batch([]) == []
    assert len(host.asked) == 1


@pytest.mark.parametrize("timeout", [0, -1])
def test_a_timeout_is_more_than_nothing(host: Host, timeout: float) -> None:
    with pytest.raises(PgUsageError, match="more than 0 seconds"):
        Pg("db").exec("SELECT 1", timeout=timeout)


def test_a_copy_gathers_small_writes(host: Host) -> None:
    with Pg("db").copy_in("COPY t FROM STDIN") as pipe:
        for _ in range(3):
            pipe.write(b"\xff")
        assert host.handle.asked == []
        pipe.write("x" * 300_000)
    assert "".join(host.handle.asked) == "\xff\xff\xff" + "x" * 300_000
    assert (pipe.rows, host.handle.open) == (7, False)
    with pytest.raises(PgUsageError, match="has ended"):
        pipe.finish()


def test_a_copy_is_aborted_by_an_exception(host: Host) -> None:
    def fail() -> CopyIn:
        with Pg("db").copy_in("COPY t FROM STDIN") as pipe:
            pipe.write(b"1\n")
            raise ValueError

    with pytest.raises(ValueError):
        fail()
    assert (host.handle.asked, host.handle.open) == ([], False)


@pytest.mark.parametrize(
    ("statement", "row", "written"),
    [
        ("COPY t FROM STDIN", (1, None, "a\tb\\\n", True, [1, None, "x\"y"]), b'1\t\\N\ta\\tb\\\\\\n\tt\t{"1",NULL,"x\\\\"y"}\n'),
        ("COPY t FROM stdin DELIMITER '|' NULL ''", ("a|b", None), b"a\\|b|\n"),
        ("COPY t FROM STDIN CSV", (1, None, 'a"b', ""), b'"1",,"a""b",""\n'),
        ("copy t from stdin with (format csv, delimiter ';', quote '''', null 'N')", ("a'b", None), b"'a''b';N\n"),
        ("COPY t FROM STDIN (FORMAT csv, ESCAPE '\\')", ('a"b\\',), b'"a\\"b\\\\"\n'),
        ("COPY t FROM STDIN WITH (DELIMITER E'\\t')", (b"\x01\xff",), b"\\\\x01ff\n"),
    ],
)
def test_rows_are_written_as_the_statement_says(statement: str, row: tuple[Any, ...], written: bytes) -> None:
    assert format_of(statement).row(row) == written


def test_binary_rows_have_types() -> None:
    binary = format_of("COPY t FROM STDIN (FORMAT binary)")
    with pytest.raises(PgUsageError, match="`money`"):
        binary.set_types(["int4", "money"])
    binary.set_types(["int4", "TEXT"])
    with pytest.raises(PgUsageError, match="3 values"):
        binary.row((1, 2, 3))
    assert binary.row((1, None)) == b"PGCOPY\n\xff\r\n\0" + bytes(8) + b"\0\2\0\0\0\4\0\0\0\1\xff\xff\xff\xff"
    assert binary.row((None, "é")) == b"\0\2\xff\xff\xff\xff\0\0\0\2\xc3\xa9"
    assert binary.end() == b"\xff\xff"
    with pytest.raises(PgUsageError, match="only a binary copy"):
        format_of("COPY t FROM STDIN").set_types(["int4"])


def test_a_response_is_made_apart_from_transactions(host: Host) -> None:
    pg = Pg("db")
    host.handle.commit = lambda: None  # type: ignore[attr-defined]
    with pg.tx() as tx:
        for handle in (pg, pg.aio, tx, AsyncTx(tx)):
            for response in (QueryResponse, CopyResponse):
                with pytest.raises(PgUsageError, match="apart from any transaction"):
                    response(handle, "SELECT 1")
    QueryResponse(pg, "SELECT 1")


@pytest.mark.parametrize(
    ("name", "header"),
    [("a.csv", 'attachment; filename="a.csv"'), ('Größe "1"\r\n.csv', "attachment; filename*=utf-8''Gr%C3%B6%C3%9Fe%20%221%22%0D%0A.csv")],
)
def test_a_file_has_its_name(host: Host, name: str, header: str) -> None:
    assert CopyResponse(Pg("db"), "COPY t TO STDOUT", filename=name).headers["content-disposition"] == header


@pytest.mark.parametrize("channels", [(), ("",), ("a\0b",)])
def test_channels_have_names(host: Host, channels: tuple[str, ...]) -> None:
    with pytest.raises(PgUsageError, match="channel"):
        Pg("db").listen(*channels)


class Source:
    busy = False
    closed = False

    def give(self) -> Any:
        return "stream"

    def read(self, on_data: Any) -> None:
        raise AssertionError("the body is given away")

    def close(self) -> None:
        self.closed = True


class Sink:
    def __init__(self) -> None:
        self.told: list[Any] = []

    def respond(self, *response: Any) -> None:
        self.told.append(response)

    async def finished(self) -> None:
        pass

    def __getattr__(self, name: str) -> Any:
        raise AssertionError(name)


def cycle(source: Any, sink: Any) -> Cycle:
    scope: Any = {"type": "http", "method": "POST", "headers": []}
    return Cycle(scope, b"first", source, sink, [])


def test_a_body_is_given_away_once_and_whole() -> None:
    async def run() -> None:
        with_rest = cycle(Source(), Sink())
        assert with_rest.give_body() == (b"first", "stream")
        assert with_rest.give_body() is None
        waiting = asyncio.ensure_future(with_rest.receive())
        await asyncio.sleep(0)
        assert not waiting.done()
        with_rest.disconnect()
        assert await waiting == {"type": "http.disconnect"}
        whole = cycle(None, Sink())
        assert whole.give_body() == (b"first", None)
        read = cycle(None, Sink())
        await read.receive()
        assert read.give_body() is None

    asyncio.run(run())


@pytest.mark.parametrize("chunks", [[(b"", False)], [(b"", True), (b"", True), (b"", False)]])
def test_a_lent_body_is_answered_at_once(chunks: list[tuple[bytes, bool]]) -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": [(b":body", b"postgres/1")]})
        await asyncio.sleep(0)
        for body, more in chunks:
            await send({"type": "http.response.body", "body": body, "more_body": more})

    sink = Sink()
    asyncio.run(cycle(None, sink).run(app))
    assert sink.told == [(200, [(b":body", b"postgres/1")], b"")]
