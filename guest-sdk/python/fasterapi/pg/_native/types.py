"""`fasterapi:postgres/types`."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum


class ErrorKind(Enum):
    """What kind of failure an error is."""

    CONNECTION = 0
    TIMEOUT = 1
    CANCELED = 2
    DATABASE = 3
    USAGE = 4
    DENIED = 5
    TOO_LARGE = 6


class Isolation(Enum):
    """How much a transaction sees of others."""

    READ_COMMITTED = 0
    REPEATABLE_READ = 1
    SERIALIZABLE = 2


class Format(Enum):
    """How the rows of a document are written."""

    JSON = 0
    NDJSON = 1
    CSV = 2


@dataclass
class Error:
    """A failure, with the server's own fields where the server was asked."""

    kind: ErrorKind
    message: str
    sqlstate: str | None = None
    severity: str | None = None
    detail: str | None = None
    hint: str | None = None
    schema: str | None = None
    table: str | None = None
    column: str | None = None
    data_type: str | None = None
    constraint: str | None = None
    position: int | None = None
    retryable: bool = False


@dataclass
class TransactionOptions:
    """How a transaction begins."""

    isolation: Isolation | None
    read_only: bool
    deferrable: bool
    retries: int = 0


@dataclass
class Notification:
    """What NOTIFY sent."""

    channel: str
    payload: str
    process_id: int


@dataclass
class Event_Notification:
    """A notification."""

    value: Notification


@dataclass
class Event_Gap:
    """Notifications may be missing here."""


Event = Event_Notification | Event_Gap
