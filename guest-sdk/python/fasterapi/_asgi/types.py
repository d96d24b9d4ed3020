"""The words of ASGI 3, and what a transport must offer the engine."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, MutableMapping
from typing import Any, Protocol

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
ASGIApp = Callable[[Scope, Receive, Send], Awaitable[object]]
Headers = Iterable[tuple[bytes, bytes]]


class Source(Protocol):
    """The rest of a request body."""

    @property
    def busy(self) -> bool:
        """Whether a read is under way."""

    def read(self, on_data: Callable[[bytes], None], /) -> None:
        """Calls back with the next bytes, at once or later; with none at the end."""

    def give(self) -> Any:
        """The stream itself, for the host to read; none when it is being read or is over."""

    def close(self) -> None:
        """Nobody reads any more."""


class Sink(Protocol):
    """Where the response goes. `respond` or `fail` or `open` comes first and once."""

    def respond(self, status: int, headers: Headers, body: bytes) -> None:
        """The whole response."""

    def open(self, status: int, headers: Headers, first: bytes) -> None:
        """The response with more of its body to come."""

    async def write(self, data: bytes) -> None:
        """More of the body. Returns when the reader has taken it or gone."""

    def end(self, whole: bool) -> None:
        """No more of the body; `whole` is false when it broke off."""

    def fail(self, traceback: str) -> None:
        """No response: the application failed before it sent anything."""

    async def finished(self) -> None:
        """Waits until everything is on its way."""


class MessageSource(Protocol):
    """What the client of a WebSocket sends."""

    def read(self, on_message: Callable[[int, bytes], None], /) -> None:
        """Calls back with the kind and the data of the next message, at once or later; the last is a close. One read at a time."""

    async def finished(self) -> None:
        """Nobody reads any more. Waits for the read under way, which the client's close ends, and lets go."""


class MessageSink(Protocol):
    """Where the answer to an opening handshake and what follows it go. `accept`, `refuse` or `fail` comes first and once."""

    def accept(self, headers: Headers) -> None:
        """The WebSocket is served."""

    def refuse(self, status: int, headers: Headers, body: bytes) -> None:
        """It is not; this is the answer."""

    def fail(self, traceback: str) -> None:
        """No answer: the application failed."""

    async def write(self, kind: int, data: bytes) -> None:
        """A message. Returns at once while little waits for the client, else when it has taken enough."""

    def close(self, code: int, reason: str) -> None:
        """The last word."""

    async def finished(self) -> None:
        """Waits until everything is on its way, and lets go."""
