"""What WebAssembly's CPython lacks and others take for granted."""

from __future__ import annotations

import hashlib
import importlib
import io
import sys
import tempfile
from typing import IO, Any

from .._wasm import sockets
from . import hash_stand_in, json_depth, record_queues


def install() -> None:
    """Puts the stand-ins in place."""
    _keep_temporary_files_in_memory()
    json_depth.install()
    record_queues.install()
    sockets.install()
    for name in ("ssl", "mmap"):
        try:
            importlib.import_module(name)
        except ImportError:
            sys.modules[name] = importlib.import_module(f".{name}_stand_in", __package__)
    hash_stand_in.install(hashlib)


def _keep_temporary_files_in_memory() -> None:
    """There is no place for temporary files: they stay in memory, spooled ones (Starlette's uploads over 1 MB) too."""
    module: Any = tempfile
    module.SpooledTemporaryFile.rollover = lambda self: None
    module.TemporaryFile = temporary_file
    module.NamedTemporaryFile = temporary_file


class _Memory(io.BytesIO):
    name = "a temporary file in memory"


def temporary_file(
    mode: str = "w+b",
    buffering: int = -1,
    encoding: str | None = None,
    newline: str | None = None,
    suffix: str | None = None,
    prefix: str | None = None,
    dir: str | None = None,
    delete: bool = True,
    *,
    errors: str | None = None,
    delete_on_close: bool = True,
) -> IO[Any]:
    """`tempfile.TemporaryFile` and `NamedTemporaryFile`, whose name nobody can open."""
    data = _Memory()
    return data if "b" in mode else io.TextIOWrapper(data, encoding or "utf-8", errors, newline)
