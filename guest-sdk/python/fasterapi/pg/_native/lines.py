"""The lines of this process: taken for a call, given back after it."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Lock

from .line import HostError, Line
from .process import Bridge

_MOST_IDLE = 32
_start = Lock()
_bridge: Bridge | None = None
_idle: deque[Line] = deque()


def call(code: int, *fields: bytes | None) -> bytes:
    """Makes a call on a line of its own."""
    return call_on(take(), code, *fields)


def call_on(line: Line, code: int, *fields: bytes | None) -> bytes:
    """Makes a call on a line just taken, and gives that back."""
    with closing_on_error(line):
        answer = line.call(code, *fields)
    give_back(line)
    return answer


def take() -> Line:
    """An idle line, or a new one. Starts the bridge if none runs."""
    bridge = _bridge
    if bridge is None or not bridge.alive():
        bridge = _started()
    try:
        return _idle.pop()
    except IndexError:
        return Line(bridge.path)


def give_back(line: Line) -> None:
    """Keeps a line on which nothing is open for the next call."""
    if len(_idle) < _MOST_IDLE and not line.broken:
        _idle.append(line)
    else:
        line.close()


@contextmanager
def closing_on_error(line: Line) -> Iterator[None]:
    """A call on a line just taken: the line goes back after an error that the host answered."""
    try:
        yield
    except HostError:
        give_back(line)
        raise


def _started() -> Bridge:
    global _bridge
    with _start:
        if _bridge is None or not _bridge.alive():
            _forget_idle()
            _bridge = Bridge()
        return _bridge


def _forget_idle() -> None:
    # After a fork they are the parent's too: closing this process's end does it no harm, shutting them down would.
    while _idle:
        _idle.pop().forget()


def stop() -> None:
    """Ends the bridge, and what is open on it. The next call starts another."""
    global _bridge
    with _start:
        bridge, _bridge = _bridge, None
        _forget_idle()
        if bridge is not None:
            bridge.stop()


def _after_fork() -> None:
    global _start
    _start = Lock()


os.register_at_fork(after_in_child=_after_fork)
