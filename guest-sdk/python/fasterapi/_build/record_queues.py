"""Records that are logged through a queue reach their handlers at once: `logging`'s listener would take them out in a thread, and
there are none. Litestar logs so.
"""

from __future__ import annotations

from logging import LogRecord
from logging.handlers import QueueHandler, QueueListener
from typing import Any

_listeners: dict[int, QueueListener] = {}
_enqueue = QueueHandler.enqueue


def install() -> None:
    """Has every listener and handler of this process work so."""
    listener: Any = QueueListener
    handler: Any = QueueHandler
    listener.start, listener.stop, handler.enqueue = _start, _stop, _handle


def _start(self: QueueListener) -> None:
    _listeners[id(self.queue)] = self


def _stop(self: QueueListener) -> None:
    _listeners.pop(id(self.queue), None)


def _handle(self: QueueHandler, record: LogRecord) -> None:
    listener = _listeners.get(id(self.queue))
    if listener is None:
        _enqueue(self, record)
    else:
        listener.handle(record)
