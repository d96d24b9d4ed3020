"""The transaction of a connection."""

from __future__ import annotations

import logging
from typing import Any

from ..._wasm.calls import Holding
from .. import _host, _options

logger = logging.getLogger("fasterapi.error")


class Transaction:
    """An open transaction of the host. One that is still open when its request is over is rolled back."""

    def __init__(self, database: str, options: Any) -> None:
        self._host: Any = _host.call(_host.client.begin, database, options)
        self._held: set[Holding] = _host.holdings()
        self._held.add(self)

    @property
    def open(self) -> bool:
        """Whether it is neither ended nor abandoned."""
        return self._host is not None

    def query(self, statement: str, parameters: str) -> bytes:
        """Runs a statement: parameters and result are blocks."""
        block: bytes = _host.call(self._host.query, statement, parameters, 0)
        return block

    def batch(self, statements: str) -> bytes:
        """Runs a batch: it and its result are blocks."""
        block: bytes = _host.call(self._host.batch, statements, 0)
        return block

    def commit(self) -> None:
        """Commits. Whatever comes of it, the transaction has ended then."""
        self._end("commit")

    def rollback(self) -> None:
        """Rolls back."""
        self._end("rollback")

    def abandon(self) -> None:
        """Rolls back because the request is over."""
        host, self._host = self._host, None
        host.__exit__(None, None, None)
        logger.warning("a transaction was left open: it is rolled back with the end of its request")

    def _end(self, how: str) -> None:
        host, self._host = self._host, None
        self._held.discard(self)
        try:
            _host.call(getattr(host, how))
        finally:
            host.__exit__(None, None, None)


options = _options.transaction
