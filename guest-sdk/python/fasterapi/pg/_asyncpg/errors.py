"""asyncpg's names of the errors."""

from __future__ import annotations

from .._errors import (
    PgCanceled as QueryCanceledError,
    PgCheckViolation as CheckViolationError,
    PgConnectionError as PostgresConnectionError,
    PgDataError as DataError,
    PgDeadlock as DeadlockDetectedError,
    PgError as PostgresError,
    PgForeignKeyViolation as ForeignKeyViolationError,
    PgInsufficientPrivilege as InsufficientPrivilegeError,
    PgIntegrityError as IntegrityConstraintViolationError,
    PgNotNullViolation as NotNullViolationError,
    PgProgrammingError as SyntaxOrAccessError,
    PgSerializationError as SerializationError,
    PgUniqueViolation as UniqueViolationError,
    PgUsageError as InterfaceError,
)

__all__ = [
    "CheckViolationError",
    "DataError",
    "DeadlockDetectedError",
    "ForeignKeyViolationError",
    "InsufficientPrivilegeError",
    "IntegrityConstraintViolationError",
    "InterfaceError",
    "NotNullViolationError",
    "PostgresConnectionError",
    "PostgresError",
    "QueryCanceledError",
    "SerializationError",
    "SyntaxOrAccessError",
    "UniqueViolationError",
]
