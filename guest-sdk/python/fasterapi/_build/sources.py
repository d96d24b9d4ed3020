"""Python's import system for a program that will lose its files.

At build time modules come from the mounted folders, with code objects that carry the paths people know. The sources of the
user's modules are kept for tracebacks. What nobody has imported when the snapshot is taken is kept too, compressed, so that an
import within a function still works at run time (slowly: `preload` is for what is known to be wanted).
"""

from __future__ import annotations

import _imp
import gc
import marshal
import os
import sys
import zlib
from collections.abc import Iterator
from importlib import machinery
from importlib.abc import InspectLoader, MetaPathFinder
from importlib.readers import FileReader
from importlib.util import cache_from_source
from types import CodeType, FunctionType, ModuleType
from typing import Any

from .paths import APP, SITE, shown

_PYTHON = "/python"
_UNWANTED = frozenset(
    "test idlelib tkinter turtledemo lib2to3 ensurepip pydoc_data venv site-packages __pycache__ tests testing "
    "_pytest pytest mypy multiprocessing sqlite3.test".split()
)
_LARGEST_LATE = 32 * 1024 * 1024
"""Bytes kept for late imports, before compression, at most."""

compiled = {"app": 0, "site": 0}
"""How many modules had no `.pyc`."""

_kept: dict[str, bytes] = {}


class _Loader(machinery.SourceFileLoader):
    """Loads a source file, names it as people know it, and keeps the user's text."""

    def get_code(self, fullname: str) -> CodeType | None:
        code = super().get_code(fullname)
        if code is not None:
            _imp._fix_co_filename(code, shown(self.path))  # type: ignore[attr-defined]
        if self.path.startswith(APP):
            _kept[self.path] = zlib.compress(self.get_data(self.path))
        return code

    def source_to_code(self, *args: Any, **options: Any) -> CodeType:  # type: ignore[override]
        if self.path.startswith(APP):
            compiled["app"] += 1
        elif self.path.startswith(SITE):
            compiled["site"] += 1
        try:
            return super().source_to_code(*args, **options)
        except SyntaxError as error:
            # The compiler itself needs the true name: for some errors it reads the line from the file.
            if error.filename is not None:
                error.filename = shown(error.filename)
            raise

    def get_source(self, fullname: str) -> str | None:
        if self.path in _kept:
            return zlib.decompress(_kept[self.path]).decode("utf-8", "replace")
        try:
            return super().get_source(fullname)
        except OSError:
            return None


class _LateLoader(InspectLoader):
    """Loads a module from what was kept of it: its compiled code if that was there, else its text."""

    def __init__(self, package: bool, path: str, code: bytes, source: bytes) -> None:
        self._package = package
        self.path = path
        self._code = code
        self._source = source

    def is_package(self, fullname: str) -> bool:
        return self._package

    def get_resource_reader(self, fullname: str) -> FileReader:
        """The data beside it, which the host lends."""
        loader: Any = self  # of a loader it only asks for the path
        return FileReader(loader)

    def get_source(self, fullname: str) -> str | None:
        return zlib.decompress(self._source).decode("utf-8", "replace") if self._source else None

    def get_code(self, fullname: str) -> CodeType:
        if not self._code:
            source = zlib.decompress(self._source) if self._source else b""
            return compile(source, shown(self.path), "exec", dont_inherit=True)
        code: CodeType = marshal.loads(zlib.decompress(self._code))
        _imp._fix_co_filename(code, shown(self.path))  # type: ignore[attr-defined]
        return code

    def exec_module(self, module: ModuleType) -> None:
        module.__file__ = self.path
        exec(self.get_code(module.__name__), module.__dict__)


class _LateFinder(MetaPathFinder):
    """Finds what was not imported in time."""

    def __init__(self) -> None:
        self.modules: dict[str, tuple[bool, str, bytes, bytes]] = {}

    def find_spec(self, fullname: str, path: Any = None, target: Any = None) -> machinery.ModuleSpec | None:
        found = self.modules.get(fullname)
        if found is None:
            return None
        package, file, code, source = found
        spec = machinery.ModuleSpec(fullname, _LateLoader(package, file, code, source), origin=file, is_package=package)
        spec.has_location = True
        if package:
            spec.submodule_search_locations = [os.path.dirname(file)]
        return spec


def install() -> None:
    """Makes the mounted folders importable in our way."""
    finder = machinery.FileFinder.path_hook(
        (machinery.ExtensionFileLoader, machinery.EXTENSION_SUFFIXES),
        (_Loader, machinery.SOURCE_SUFFIXES),
        (machinery.SourcelessFileLoader, machinery.BYTECODE_SUFFIXES),
    )
    sys.path_hooks[:] = [finder]
    sys.path_importer_cache.clear()


def keep_late_imports() -> list[str]:
    """Keeps the source of everything that could still be imported. Gives the names left out for their size."""
    finder = _LateFinder()
    budget = _LARGEST_LATE
    left_out = []
    for folder in (APP, SITE, _PYTHON):
        for name, package, path in _modules(folder):
            if name in sys.modules or name in finder.modules:
                continue
            code = _compiled(path)
            source = _read(path) if not code or folder == APP else b""
            budget -= len(code) + len(source)
            if budget < 0:
                left_out.append(name)
            else:
                finder.modules[name] = (package, path, zlib.compress(code, 1) if code else b"", zlib.compress(source, 1) if source else b"")
    # First: a folder of a package's data, which is there at run time, must not pass for the package.
    sys.meta_path.insert(0, finder)
    return left_out


def show_known_paths() -> None:
    """Gives the modules that were imported before `install` the names people know, too."""
    for thing in gc.get_objects():
        if isinstance(thing, FunctionType) and shown(thing.__code__.co_filename) != thing.__code__.co_filename:
            _imp._fix_co_filename(thing.__code__, shown(thing.__code__.co_filename))  # type: ignore[attr-defined]


def _modules(folder: str, prefix: str = "") -> Iterator[tuple[str, bool, str]]:
    for entry in sorted(os.listdir(folder)):
        path = f"{folder}/{entry}"
        if entry.endswith(".py") and entry not in ("__init__.py", "__main__.py"):
            yield prefix + entry[:-3], False, path
        elif entry not in _UNWANTED and "." not in entry and os.path.isdir(path):
            if os.path.exists(f"{path}/__init__.py"):
                yield prefix + entry, True, f"{path}/__init__.py"
            yield from _modules(path, f"{prefix}{entry}.")


def _compiled(path: str) -> bytes:
    cached = cache_from_source(path)
    return _read(cached)[16:] if os.path.exists(cached) else b""


def _read(path: str) -> bytes:
    with open(path, "rb") as file:
        return file.read()
