"""LISTEN: what NOTIFY sends."""

from __future__ import annotations

import asyncio
from typing import Any, NamedTuple, Self

from . import _host, _options
from ._errors import PgCanceled, PgUsageError
from ._held import Held

_A_MINUTE = 60_000


class Notification(NamedTuple):
    """A message of `NOTIFY`, or the mark of a gap."""

    channel: str
    payload: str
    process_id: int
    """The server's process that sent it."""
    gap: bool = False
    """True: messages may be missing here, since the connection was lost and made again, or this listener was too slow. The rest is
    empty then. Look at the data once more."""


_GAP = Notification("", "", 0, True)


class Listener(Held):
    """Hears what is sent to its channels, from its making on: `for n in …`, `async for n in …`, or `get`. Made by `Pg.listen`.

    Ended with its request at the latest; `close`, or the end of its `with` block, ends it earlier.
    """

    __slots__ = ("_wait",)

    def __init__(self, host: Any) -> None:
        super().__init__(host)
        self._wait: asyncio.Task[Any] | None = None
        """The host's call under way. It outlives whoever awaits it, so that nothing is lost when that is cancelled."""

    def get(self, timeout: float | None = None) -> Notification | None:
        """The next message, `None` when there is none within `timeout` seconds. Nothing else runs in the app meanwhile."""
        limit = None if timeout is None else _options.milliseconds(timeout)
        while True:
            event = self._opened().call("wait", _A_MINUTE if limit is None else limit)
            if event is not None:
                return _notification(event)
            if limit is not None:
                return None

    async def aget(self) -> Notification:
        """The next message. Nothing is lost when the waiting is cancelled, by `asyncio.timeout` for instance."""
        self._opened()
        while self._host is not None:
            if self._wait is None:
                self._wait = _host.serve(_next(self._host))
                self._wait.add_done_callback(_seen)
            wait = self._wait
            await asyncio.wait([wait])
            if self._wait is wait:  # no other task has taken it
                self._wait = None
                return _notification(wait.result())
        raise PgCanceled("the listener was closed")

    def _opened(self) -> _host.Lent:
        host = self._lent
        if host is None:
            raise PgUsageError("the listener is closed")
        return host

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> Notification:
        notification = None if self._lent is None else self.get()
        if notification is None:
            raise StopIteration
        return notification

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> Notification:
        if self._lent is None:
            raise StopAsyncIteration
        try:
            return await self.aget()
        except PgCanceled:  # closed meanwhile
            raise StopAsyncIteration from None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        self.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_error: object) -> None:
        self.close()


async def _next(host: _host.Lent) -> Any:
    """The next event. Knows no listener: one that is forgotten is closed."""
    while not host.over:
        event = await host.aside("wait", _A_MINUTE)
        if event is not None:
            return event
    raise PgCanceled("the listener was closed")


def _seen(wait: asyncio.Task[Any]) -> None:
    """What becomes of a wait that nobody awaits any more is no news."""
    _ = wait.cancelled() or wait.exception()


def _notification(event: Any) -> Notification:
    value = getattr(event, "value", None)
    return _GAP if value is None else Notification(value.channel, value.payload, value.process_id)
