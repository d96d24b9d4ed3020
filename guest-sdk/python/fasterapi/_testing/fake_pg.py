"""A database that a test scripts: which statements it expects, and what each gives.

    with FakePg() as pg:
        pg.expect("SELECT id, name FROM items WHERE id = $1", 42).returns({"id": 42, "name": "bolt"})
        pg.expect("INSERT INTO items (name) VALUES ($1)").raises(PgUniqueViolation("duplicate key", sqlstate="23505"))
        client.get("/items/42")

It stands where the host's client stands, so everything above it is the real thing: handles, results, models, transactions, errors.
"""

from __future__ import annotations

import marshal
import re
from collections.abc import Mapping, Sequence
from threading import RLock
from types import TracebackType
from typing import Any, Self

from ..pg import PgError, PgUsageError, _codec, _host
from .fake_host import FakeClient
from .packing import pack_result

Statement = str | re.Pattern[str]
Row = Mapping[str, Any] | Sequence[Any]


class Expected:
    """A statement that is expected, and what it gives: nothing, and no row affected, if nothing is said."""

    def __init__(self, statement: Statement, parameters: tuple[Any, ...], times: int | None) -> None:
        self._statement = statement if isinstance(statement, re.Pattern) else _plain(statement)
        self._parameters = parameters
        self._packed = _codec.pack(parameters) if parameters else None
        self.left = times
        """How many more times it is expected; `None`: any number."""
        self.block: bytes = pack_result(0, [], [])
        self.error: BaseException | None = None
        self.chunks: list[bytes] = []
        self.copied = b""
        """What was written to a `COPY … FROM STDIN`."""

    def returns(self, *rows: Row, columns: Sequence[str] | None = None, affected: int | None = None) -> Self:
        """Gives rows: mappings, or sequences with `columns`. `affected` is the number of rows if it is not said."""
        names = list(columns or (rows[0] if rows and isinstance(rows[0], Mapping) else ()))
        if not names:
            raise PgUsageError("rows need columns: give mappings, or columns=[…]")
        values = [tuple([row[name] for name in names]) if isinstance(row, Mapping) else tuple(row) for row in rows]
        self.block = pack_result(len(rows) if affected is None else affected, names, values)
        return self

    def affects(self, rows: int) -> Self:
        """Gives no rows, and says that so many were affected, or copied."""
        self.block = pack_result(rows, [], [])
        return self

    def sends(self, *chunks: bytes) -> Self:
        """Gives these bytes: of a `COPY … TO STDOUT`, a `CopyResponse` or a `QueryResponse`."""
        self.chunks = list(chunks)
        return self

    def raises(self, error: PgError) -> Self:
        """Fails, as the server or the host would."""
        self.error = error
        return self

    def matches(self, statement: str, packed: str) -> bool:
        """Whether it is this one."""
        if isinstance(self._statement, str):
            same = self._statement == _plain(statement)
        else:
            same = self._statement.search(statement) is not None
        return same and self._packed in (None, packed)

    def __str__(self) -> str:
        text = self._statement if isinstance(self._statement, str) else f"/{self._statement.pattern}/"
        return f"{text} with {self._parameters!r}" if self._parameters else text


class FakePg:
    """Takes the place of every database while its `with` block lasts, which fails at its end if something expected did not come.

    Args:
        ordered: whether statements come in the order in which they are expected.
    """

    def __init__(self, *, ordered: bool = True) -> None:
        self.log: list[str] = []
        """Every statement that came, with `BEGIN`, `COMMIT`, `ROLLBACK`, `SAVEPOINT s1` and so on."""
        self._ordered = ordered
        self._expected: list[Expected] = []
        self._surprises: list[str] = []
        self._lock = RLock()
        self._before: Any = None

    def expect(self, statement: Statement, *parameters: Any, times: int | None = 1) -> Expected:
        """Expects a statement.

        Args:
            statement: its text, in which white space counts as one space; or a regular expression that is found in it.
            parameters: what it comes with. None given: whatever it comes with.
            times: how often; `None`: any number of times, or never.
        """
        expected = Expected(statement, parameters, times)
        self._expected.append(expected)
        return expected

    def verify(self) -> None:
        """Raises AssertionError if a statement came that was not expected, or one that was did not. The end of the block does it."""
        missing = [str(each) for each in self._expected if each.left]
        problems = self._surprises + ([_lines("expected, and did not come:", missing)] if missing else [])
        if problems:
            raise AssertionError("\n".join(problems))

    def ask(self, statement: str, packed: str) -> Expected:
        """What a statement gives. Not for tests."""
        with self._lock:
            self.log.append(_plain(statement))
            for expected in self._expected:
                if expected.left != 0 and expected.matches(statement, packed):
                    if expected.left is not None:
                        expected.left -= 1
                    break
                if self._ordered and expected.left:
                    self._surprise(statement, packed)
            else:
                self._surprise(statement, packed)
        if expected.error is not None:
            raise expected.error
        return expected

    def _surprise(self, statement: str, packed: str) -> None:
        parameters = marshal.loads(packed.encode("latin-1"))
        came = _plain(statement) + (f" with {parameters!r}" if parameters else "")
        wanted = [str(each) for each in self._expected if each.left]
        self._surprises.append(_lines("a statement that was not expected:", [came]) + "\n" + _lines("expected:", wanted or ["nothing more"]))
        raise AssertionError(self._surprises[-1])

    def __enter__(self) -> Self:
        self._before = _host.client
        _host.client = FakeClient(self)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None) -> None:
        _host.client = self._before
        if kind is None:
            self.verify()


def _plain(statement: str) -> str:
    return " ".join(statement.split())


def _lines(title: str, items: list[str]) -> str:
    return "\n".join([title, *[f"  {item}" for item in items]])
