"""Modules that WebAssembly's CPython lacks and that others import without needing them."""

from __future__ import annotations

import sys


def install() -> None:
    """Puts the stand-ins where imports find them."""
    try:
        import ssl  # noqa: F401
    except ImportError:
        from . import ssl_stand_in

        sys.modules["ssl"] = ssl_stand_in
