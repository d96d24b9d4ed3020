"""What the host lent and somebody holds."""

from __future__ import annotations

from typing import Any

from . import _host
from ._errors import PgError, PgUsageError


class Held:
    """Ended by `close`, when it is forgotten, and with its request at the latest."""

    __slots__ = ("_held", "_host")

    def __init__(self, resource: Any) -> None:
        self._host: _host.Lent | None = _host.Lent(resource)
        self._held = _host.holdings()
        self._held.add(self._host)

    @property
    def _lent(self) -> _host.Lent | None:
        """None: it has ended."""
        host = self._host
        return None if host is None or host.over else host

    def close(self) -> None:
        """Ends it. What is left of it is given up."""
        host, self._host = self._host, None
        if host is not None:
            self._held.discard(host)
            host.give_back()

    def __del__(self) -> None:
        self.close()


class Flow(Held):
    """Something that comes in parts."""

    __slots__ = ("_torn",)

    def __init__(self, resource: Any) -> None:
        super().__init__(resource)
        self._torn = False

    def _taking(self) -> _host.Steps[bytes | None]:
        """The next part; none at the end."""
        if self._torn:
            raise PgUsageError("it was given up half-way: what came of it is not all")
        host = self._lent
        if host is None:
            return None
        try:
            part: bytes | None = yield host, "next"
        except BaseException as error:
            self._torn = not isinstance(error, PgError)
            self.close()
            raise
        if part is None:
            self.close()
        return part
