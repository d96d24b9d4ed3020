"""The exceptions of PEP 249, and which of them an error of `fasterapi.pg` becomes."""

from __future__ import annotations

import builtins
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from .. import _errors as pg


class Warning(builtins.Warning):
    """Something important to know. Never raised: the host logs the server's notices."""


class Error(Exception):
    """The base of all errors. Has the fields of `PgError` (`sqlstate`, `detail`, `constraint`, …); the `PgError` is its cause."""

    __cause__: BaseException | None

    def __getattr__(self, name: str) -> Any:
        if name in _FIELDS:
            return getattr(self.__cause__, name, None)
        raise AttributeError(f"`{type(self).__name__}` has no attribute `{name}`")


_FIELDS = frozenset((*pg._FIELDS, "retryable"))


class InterfaceError(Error):
    """The driver was used in a wrong way: a cursor that is closed, for example."""


class DatabaseError(Error):
    """Something went wrong with the database."""


class DataError(DatabaseError):
    """A value does not fit."""


class OperationalError(DatabaseError):
    """Not the program's doing: no connection, a timeout, a deadlock."""


class IntegrityError(DatabaseError):
    """A rule of the schema would be broken."""


class InternalError(DatabaseError):
    """The database's own: a transaction that is aborted, a cursor that is not there any more."""


class ProgrammingError(DatabaseError):
    """The statement or its parameters are wrong."""


class NotSupportedError(DatabaseError):
    """The database does not do that."""


_BY_TYPE: tuple[tuple[type[pg.PgError], type[DatabaseError]], ...] = (
    (pg.PgIntegrityError, IntegrityError),
    (pg.PgDataError, DataError),
    (pg.PgProgrammingError, ProgrammingError),
    (pg.PgUsageError, ProgrammingError),
)

_BY_CLASS: dict[str, type[DatabaseError]] = {
    "0A": NotSupportedError,
    **dict.fromkeys(("20", "21", "26", "34", "3D", "3F", "42", "44", "P0"), ProgrammingError),
    "22": DataError,
    "23": IntegrityError,
    **dict.fromkeys(("24", "25", "2B", "2D", "2F", "38", "39", "3B", "F0", "XX"), InternalError),
}


def from_pg(error: pg.PgError) -> DatabaseError:
    """The exception for an error of `fasterapi.pg`."""
    by_type = next((kind for type_, kind in _BY_TYPE if isinstance(error, type_)), None)
    kind = by_type or _BY_CLASS.get((error.sqlstate or "")[:2], OperationalError)
    made = kind(str(error))
    made.__cause__ = error
    return made


@contextmanager
def translated() -> Iterator[None]:
    """Errors of `fasterapi.pg` leave as those of PEP 249."""
    try:
        yield
    except pg.PgError as error:
        raise from_pg(error) from error
