"""Notes what the app asks of the environment while it is imported.

There is none yet, so the app gets its default, and what it makes of that is kept in the snapshot: no variable that the
component is given later changes it.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

from .paths import is_users

EVERYTHING = "*"
"""What a look at the whole environment is noted as."""

_MOST = 1000
_LONGEST = 256
_SHOWN = 5

# They ask for what somebody else wants to know.
_MESSENGERS = frozenset((__name__, "os", "posixpath", "collections", "collections.abc", "configparser", "string", "starlette.config"))
# They ask for switches of their own whenever an app is made. So does the rest of the standard library.
_QUIET = frozenset(("fasterapi", "fastapi", "starlette", "pydantic", "anyio"))
# So do other libraries, by these names.
_SWITCHES = frozenset(
    "NO_COLOR FORCE_COLOR TERM COLUMNS LINES HOME NETRC SSLKEYLOGFILE SSL_CERT_FILE SSL_CERT_DIR PYTHON_DOTENV_DISABLED PYDANTIC_SETTINGS_DEBUG".split()
)


class Reads:
    """What was asked for in vain."""

    def __init__(self) -> None:
        self._names: dict[str, list[str]] = {}  # by place
        self._count = 0

    def note(self, name: str, place: str) -> None:
        """Notes a name, `EVERYTHING` among them. What cannot be shown is nobody's variable."""
        names = self._names.get(place, [])
        if name in names or self._count == _MOST or len(name) > _LONGEST or not (name + place).isprintable():
            return
        self._names.setdefault(place, names).append(name)
        self._count += 1

    def warnings(self) -> list[str]:
        """A line for each place."""
        advice = "what it made of that stays; read it in a function or at start-up (lifespan)"
        return [f"{place} read {_shown(names)}: {advice}" for place, names in self._names.items()]

    def by_name(self) -> dict[str, str]:
        """The first place of each name."""
        found: dict[str, str] = {}
        for place, names in self._names.items():
            found |= {name: place for name in names if name not in found}
        return found


def _shown(names: list[str]) -> str:
    if EVERYTHING in names:
        return "the whole environment while the app was built, where nothing is set"
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    they_are = "it is" if len(names) == 1 else "they are"
    return f"{', '.join(names[:_SHOWN])}{more} while the app was built, where {they_are} not set"


_reads: Reads | None = None


@contextmanager
def watched() -> Iterator[Reads]:
    """Notes the app's reads inside. The environment stays the object that it is, and is of its own class again after."""
    global _reads
    made = _reads = Reads()
    environments: list[Any] = [os.environ, *([os.environb] if os.supports_bytes_environ else [])]
    for environment in environments:
        environment.__class__ = _Watched
    try:
        yield made
    finally:
        _reads = None
        for environment in environments:
            environment.__class__ = os._Environ


class _Watched(os._Environ[Any]):
    """The environment, for as long as it is watched."""

    def __getitem__(self, key: Any) -> Any:
        try:
            return super().__getitem__(key)
        except KeyError:
            _note(os.fsdecode(key))
            raise

    def __iter__(self) -> Iterator[Any]:
        _note(EVERYTHING)
        return super().__iter__()


def _note(name: str) -> None:
    place = _place(name)
    if _reads is not None and place is not None:
        _reads.note(name, place)


def _place(name: str) -> str | None:
    """The line of the app's that wants to know; none where it is a library for itself."""
    reader = None
    frame: FrameType | None = sys._getframe(1)
    while frame is not None:
        if is_users(frame.f_code.co_filename):
            return f"{frame.f_code.co_filename}:{frame.f_lineno}"
        if frame.f_code.co_filename.startswith("<frozen importlib."):
            return None  # a library's module, imported
        module = frame.f_globals.get("__name__") or ""
        if reader is None and module not in _MESSENGERS:
            reader = module.partition(".")[0]
            if reader in _QUIET or reader in sys.stdlib_module_names or name in _SWITCHES:
                return None
        frame = frame.f_back
    return None
