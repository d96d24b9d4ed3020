"""Where the logging of an app goes: to stderr, which the host puts in its log. `print` goes to stdout.

As under uvicorn: INFO and above of our own loggers, and what the app configured itself. The root logger gets a handler only if
the app gave it none. The host learns each record's level, whoever formats it.
"""

from __future__ import annotations

import logging
import sys
import traceback
from typing import Any


def configure() -> None:
    """Called after the app was imported, so that its own configuration wins."""
    setattr(traceback.TracebackException, "print", _print_traceback)
    root = logging.getLogger()
    if not root.handlers:
        handler = logging.StreamHandler(_Stderr())
        handler.setFormatter(_Levelled(logging.Formatter("%(levelname)s:     %(name)s: %(message)s")))
        root.addHandler(handler)
        if root.level == logging.WARNING:
            root.setLevel(logging.INFO)
    for reference in logging._handlerList:  # type: ignore[attr-defined]
        made = reference()
        if type(made) is logging.StreamHandler and made.stream is sys.stderr:
            made.setFormatter(_Levelled(made.formatter or logging.Formatter()))


class _Levelled(logging.Formatter):
    """Says a record's level as systemd has it said on stderr (sd-daemon(3)): `<3>` is an error. The host takes it off."""

    def __init__(self, inner: logging.Formatter) -> None:
        super().__init__()
        self._inner = inner

    def format(self, record: logging.LogRecord) -> str:
        level = record.levelno
        number = 3 if level >= logging.ERROR else 4 if level >= logging.WARNING else 6 if level >= logging.INFO else 7
        return f"<{number}>{self._inner.format(record)}"


def _print_traceback(error: traceback.TracebackException, *, file: Any = None, chain: bool = True, **colours: bool) -> None:
    """`traceback.print_exc` and its like write line by line, and each write would be a record."""
    text = "".join(error.format(chain=chain))
    (_Stderr() if file is None or file is sys.stderr else file).write(text)


class _Stderr:
    """stderr as it is at the moment of writing. A record, its traceback included, goes out in one piece."""

    def write(self, text: str) -> None:
        stream = sys.stderr
        raw = getattr(getattr(stream, "buffer", None), "raw", None)
        if raw is None:  # something else was put in its place
            stream.write(text)
            return
        stream.flush()
        data = memoryview(text.encode(stream.encoding, stream.errors or "strict"))
        while data:
            data = data[raw.write(data) :]

    def flush(self) -> None:
        sys.stderr.flush()
