"""The bridge's process."""

from __future__ import annotations

import atexit
import os
import shutil
import subprocess
import weakref

from .line import HostError, broken
from .types import Error, ErrorKind

BINARY = "FASTERAPI_HOST_BIN"
_PROTOCOL = "3"
"""As in host/bridge."""
_PATIENCE = 30.0


class Bridge:
    """A running bridge. It ends with its standard input, which this process holds."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            [_program(), "pg", "bridge"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            start_new_session=True,  # Ctrl-C ends this process, which may still need the database for its last steps
        )
        self._owner = os.getpid()
        _running.add(self)
        assert self._process.stdout is not None
        self.path, _, protocol = self._process.stdout.readline().decode().rstrip("\n").partition("\t")
        if not self.path:
            status = self._process.wait()
            self.stop()
            raise broken(f"`fasterapi-host pg bridge` ended with status {status}: what it said is on standard error")
        if protocol != _PROTOCOL:
            self.stop()
            raise broken(f"`{_program()}` is of another version than the package `fasterapi`: install the same version of both")

    def alive(self) -> bool:
        """Whether it runs, and is this process's: one that was forked starts its own."""
        return self._process.returncode is None and self._owner == os.getpid() and self._process.poll() is None

    def stop(self) -> None:
        """Ends it, and waits for that: an embedded server of its own is stopped too."""
        _running.discard(self)
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None:
                pipe.close()
        if self._owner != os.getpid():
            return
        try:
            self._process.wait(_PATIENCE)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()


def _program() -> str:
    named = os.environ.get(BINARY)
    found = shutil.which(named or "fasterapi-host")
    if found is None:
        what = f"`{named}`, which {BINARY} names, is no program" if named else f"`fasterapi-host` is not on PATH, and {BINARY} is not set"
        raise HostError(
            Error(
                ErrorKind.CONNECTION,
                f"there is no Postgres here: {what}",
                hint="outside of a component, `fasterapi.pg` reaches Postgres through `fasterapi-host`: install it, or serve the app with `fasterapi-host serve`",
            )
        )
    return found


_running: weakref.WeakSet[Bridge] = weakref.WeakSet()


@atexit.register
def _stop_all() -> None:
    for bridge in list(_running):
        bridge.stop()
