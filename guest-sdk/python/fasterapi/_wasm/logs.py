"""Where the logging of an app goes: to stderr, which the host puts in its log. `print` goes to stdout.

As under uvicorn: INFO and above of our own loggers, and what the app configured itself. The root logger gets a handler only if
the app gave it none.
"""

from __future__ import annotations

import logging
import sys


def configure() -> None:
    """Called after the app was imported, so that its own configuration wins."""
    root = logging.getLogger()
    if not root.handlers:
        handler = logging.StreamHandler(_Stderr())
        handler.setFormatter(logging.Formatter("%(levelname)s:     %(name)s: %(message)s"))
        root.addHandler(handler)
        if root.level == logging.WARNING:
            root.setLevel(logging.INFO)


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
