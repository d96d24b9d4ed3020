"""A line of calls to the bridge. The protocol is described in the source of `fasterapi-bridge`."""

from __future__ import annotations

import socket
import struct
from contextlib import suppress
from threading import Lock

from . import attempts
from .types import Error, ErrorKind

_NONE = 0xFFFF_FFFF
_DROP, _CANCEL = 32, 40
_u32 = struct.Struct("<I")
_head = struct.Struct("<IB")


class HostError(Exception):
    """An error of the host. `value` is the record `error`."""

    def __init__(self, value: Error) -> None:
        super().__init__(value)
        self.value = value


def broken(message: str) -> HostError:
    """The error for a bridge that does not answer."""
    return HostError(Error(ErrorKind.CONNECTION, message, retryable=True))


class Line:
    """A connection to the bridge: one call at a time. A call that is interrupted closes it, which cancels the call."""

    def __init__(self, path: str) -> None:
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._lock = Lock()
        self._to_drop: list[bytes] = []
        try:
            self._socket.connect(path)
        except OSError:
            self._socket.close()
            raise broken("the bridge to `fasterapi-host` takes no connection") from None

    @property
    def broken(self) -> bool:
        """Whether it is closed."""
        return self._socket.fileno() < 0

    def call(self, code: int, *fields: bytes | None) -> bytes:
        """Makes a call and waits for its answer: the first field of it, `b""` when there is none."""
        with self._lock:
            try:
                while self._to_drop:
                    self._ask(_DROP, (self._to_drop.pop(),))
                answer = self._ask(code, fields)
            except OSError:
                self.close()
                raise broken("the bridge to `fasterapi-host` broke; whether the statement ran is unknown") from None
            except BaseException:
                self.close()
                raise
        if answer[0]:
            raise HostError(_error(_fields(answer)))
        return answer[5:]

    def drop(self, handle: bytes) -> bool:
        """Gives a handle up: at once; or, when a call is under way, with the next (False), since whoever forgets a handle must not wait."""
        self._to_drop.append(handle)
        if not self._lock.acquire(blocking=False):
            return False
        try:
            while self._to_drop:
                self._ask(_DROP, (self._to_drop.pop(),))
        except OSError:
            self.close()  # all that was open is gone
        except BaseException:
            self.close()
            raise
        finally:
            self._lock.release()
        return True

    def close(self) -> None:
        """Ends a call that another thread waits in, and rolls back a transaction."""
        try:
            self._socket.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass
        self._socket.close()

    def forget(self) -> None:
        """Closes this process's end only: the other end may be another process's, too."""
        self._socket.close()

    __del__ = forget

    def cancel(self) -> None:
        """Cancels the call that another thread waits in, which fails then."""
        with suppress(OSError):
            self._send(_CANCEL, ())

    def _ask(self, code: int, fields: tuple[bytes | None, ...]) -> bytes:
        self._send(code, fields)
        attempt = attempts.current()
        if attempt is None:
            return self._receive()
        attempt.waits_for(self)  # not before: it would be cancelled within the frame
        try:
            return self._receive()
        finally:
            attempt.waits_for(None)

    def _send(self, code: int, fields: tuple[bytes | None, ...]) -> None:
        parts = [b""]
        for value in fields:
            parts += (_u32.pack(_NONE),) if value is None else (_u32.pack(len(value)), value)
        parts[0] = _head.pack(sum(map(len, parts)) + 1, code)
        self._socket.sendall(b"".join(parts))

    def _receive(self) -> bytes:
        (length,) = _u32.unpack(self._exactly(4))
        return self._exactly(length)

    def _exactly(self, length: int) -> bytes:
        data = self._socket.recv(length)
        if len(data) == length:
            return data
        buffer = bytearray(length)
        buffer[: len(data)] = data
        rest = memoryview(buffer)[len(data) :]
        while rest:
            if not (received := self._socket.recv_into(rest)):
                raise ConnectionError
            rest = rest[received:]
        return bytes(buffer)


def _fields(frame: bytes) -> list[bytes | None]:
    found: list[bytes | None] = []
    at = 1
    while at < len(frame):
        (length,) = _u32.unpack_from(frame, at)
        at += 4
        if length == _NONE:
            found.append(None)
            continue
        found.append(frame[at : at + length])
        at += length
    return found


def _error(fields: list[bytes | None]) -> Error:
    kind, message, *texts, position, retryable = fields
    assert kind is not None and message is not None
    error = Error(ErrorKind[kind.decode().upper().replace("-", "_")], message.decode(), retryable=retryable is not None)
    for name, text in zip(_TEXTS, texts, strict=True):
        setattr(error, name, None if text is None else text.decode())
    error.position = None if position is None else _u32.unpack(position)[0]
    return error


_TEXTS = ("sqlstate", "severity", "detail", "hint", "schema", "table", "column", "data_type", "constraint")
