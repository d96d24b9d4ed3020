"""What WebAssembly's CPython lacks and others take for granted."""

from __future__ import annotations

import sys
import tempfile
from typing import Any


def install() -> None:
    """Puts the stand-ins in place."""
    _spool_in_memory()
    try:
        import ssl  # noqa: F401
    except ImportError:
        from . import ssl_stand_in

        sys.modules["ssl"] = ssl_stand_in


def _spool_in_memory() -> None:
    """There are no temporary files: a spooled one (Starlette's uploads over 1 MB) stays in memory."""
    spooled: Any = tempfile.SpooledTemporaryFile
    spooled.rollover = lambda self: None
