"""What can go wrong, by who is to blame."""

from __future__ import annotations

from typing import Any

_FIELDS = ("sqlstate", "severity", "detail", "hint", "schema", "table", "column", "data_type", "constraint", "position")


class PgError(Exception):
    """Something went wrong with Postgres. The server's own fields are there when the server answered.

    `retryable` says whether the same call may succeed when it is made again.
    """

    sqlstate: str | None
    severity: str | None
    detail: str | None
    hint: str | None
    schema: str | None
    table: str | None
    column: str | None
    data_type: str | None
    constraint: str | None
    position: int | None

    def __init__(self, message: str, *, retryable: bool = False, **fields: Any) -> None:
        super().__init__(message)
        self.message = message
        self.retryable = retryable
        for name in _FIELDS:
            setattr(self, name, fields.get(name))

    def __str__(self) -> str:
        text = f"{self.message} (SQLSTATE {self.sqlstate})" if self.sqlstate else self.message
        more = [f"\n{name}: {value}" for name in ("detail", "hint") if (value := getattr(self, name))]
        return text + "".join(more)


class PgConnectionError(PgError):
    """No connection could be had, or it broke. Whether the statement ran is unknown."""


class PgTimeout(PgError):
    """A wait ended at its deadline: for a connection, or for the statement."""


class PgCanceled(PgError):
    """The statement was cancelled on request."""


class PgIntegrityError(PgError):
    """The data would break a rule of the schema (SQLSTATE 23…)."""


class PgUniqueViolation(PgIntegrityError):
    """A value that must be unique is there already."""


class PgForeignKeyViolation(PgIntegrityError):
    """A row refers to one that is not there, or is still referred to."""


class PgCheckViolation(PgIntegrityError):
    """A check constraint failed."""


class PgNotNullViolation(PgIntegrityError):
    """A value that must be there is NULL."""


class PgDataError(PgError):
    """A value does not fit: out of range, malformed, division by zero (SQLSTATE 22…)."""


class PgProgrammingError(PgError):
    """The statement is wrong: syntax, unknown table or column (SQLSTATE 42…)."""


class PgInsufficientPrivilege(PgProgrammingError):
    """The database role may not do that."""


class PgSerializationError(PgError):
    """The transaction could not be serialised with others: run it again."""


class PgDeadlock(PgError):
    """The transaction waited for others that waited for it: run it again."""


class PgUsageError(PgError):
    """The call was wrong before anything was sent."""


class PgNoRows(PgError):
    """One row was asked for and there is none."""


class PgTooManyRows(PgError):
    """One row was asked for and there are more."""


class PgDenied(PgError):
    """The app has no grant for what it named."""


class PgTooLarge(PgError):
    """The result is larger than the host lets through at once. Nothing of it came."""


_BY_KIND: dict[str, type[PgError]] = {
    "CONNECTION": PgConnectionError,
    "TIMEOUT": PgTimeout,
    "CANCELED": PgCanceled,
    "USAGE": PgUsageError,
    "DENIED": PgDenied,
    "TOO_LARGE": PgTooLarge,
}

_BY_STATE: dict[str, type[PgError]] = {
    "23502": PgNotNullViolation,
    "23503": PgForeignKeyViolation,
    "23505": PgUniqueViolation,
    "23514": PgCheckViolation,
    "40001": PgSerializationError,
    "40P01": PgDeadlock,
    "42501": PgInsufficientPrivilege,
    "57014": PgCanceled,
}

_BY_CLASS: dict[str, type[PgError]] = {"08": PgConnectionError, "22": PgDataError, "23": PgIntegrityError, "42": PgProgrammingError}


def from_host(error: Any) -> PgError:
    """The exception for an error record of `fasterapi:postgres/types`."""
    state = error.sqlstate
    kind = _BY_KIND.get(error.kind.name)
    if kind is None:
        kind = _BY_STATE.get(state or "") or _BY_CLASS.get((state or "")[:2]) or PgError
    return kind(error.message, retryable=error.retryable, **{name: getattr(error, name) for name in _FIELDS})
