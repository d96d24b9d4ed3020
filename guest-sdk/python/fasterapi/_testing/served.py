"""The app as a component: built once for the same contents, served by a process of the host's."""

from __future__ import annotations

import atexit
import hashlib
import os
import re
import shutil
import subprocess
import sys
import weakref
from collections.abc import Iterator
from pathlib import Path
from threading import Lock
from typing import Any, NamedTuple

from .. import _run
from .backend import TestingError

_PATIENCE = 60.0
_LISTENING = re.compile(r"listening on http://(\S+):(\d+)")
_NOT_OF_IT = ("__pycache__", "node_modules", "target", "tests", "test")
_LARGE = 4 << 20


class Target(NamedTuple):
    """Where an app is."""

    folder: Path
    name: str
    """`module:attr`."""

    @classmethod
    def named(cls, name: str) -> Target:
        """By its name, from the folder that the tests run in."""
        return cls(Path.cwd(), name if ":" in name else f"{name}:app")

    @classmethod
    def of(cls, app: Any) -> Target:
        """The module that has it in a variable; one of tests only if there is no other."""
        for module in list(sys.modules.values()):
            file = getattr(module, "__file__", None)
            if file is None or "site-packages" in file or _is_of_tests(module.__name__):
                continue
            for attr, value in list(vars(module).items()):
                if value is app:
                    return cls(*_run.place(module, attr))
        raise TestingError(
            "the app is in no variable of a module but those of tests: a component is made of a module. "
            "Move it to one (`main.py`), or name it: TestClient('main:app')"
        )


def _is_of_tests(name: str) -> bool:
    last = name.rpartition(".")[2]
    return last.startswith("test_") or last.endswith("_test") or last in ("conftest", "__main__", "pytest")


class Served:
    """A process that serves a component, once it is started."""

    def __init__(self, target: Target) -> None:
        self._target = target
        self._process: subprocess.Popen[str] | None = None
        self._address: tuple[str, int] | None = None
        self._lock = Lock()

    def start(self) -> tuple[str, int]:
        """Where it listens. Builds the component if these contents were not built before."""
        with self._lock:
            if self._process is not None and self._process.poll() is not None:
                status = self._process.returncode
                self._process = None
                raise TestingError(f"`fasterapi-host serve` ended with status {status}: what it said is on standard error")
            if self._process is None or self._address is None:
                self._address = self._begin()
            return self._address

    def stop(self) -> None:
        """Ends the process, and waits for that: requests in flight are answered, the app's shut-down hooks run."""
        with self._lock:
            process, self._process = self._process, None
        _running.discard(self)
        if process is None:
            return
        process.terminate()
        try:
            process.wait(_PATIENCE)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        if process.stdout is not None:
            process.stdout.close()

    def _begin(self) -> tuple[str, int]:
        program = host_program()
        component = built(program, self._target)
        command = [program, "serve", str(component), "--addr", "127.0.0.1:0", "--log", os.environ.get("RUST_LOG", "warn")]
        self._process = process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, start_new_session=True)
        _running.add(self)
        assert process.stdout is not None
        for line in process.stdout:
            found = _LISTENING.search(line)
            if found is not None:
                return found[1], int(found[2])
        status = process.wait()
        process.stdout.close()
        self._process = None
        raise TestingError(f"`fasterapi-host serve` ended with status {status} before it listened: what it said is on standard error")


def host_program() -> str:
    """The host's program, by FASTERAPI_HOST_BIN or PATH."""
    named = os.environ.get(_run.VARIABLE)
    found = shutil.which(named or _run.BINARY)
    if found is not None:
        return found
    what = f"{_run.VARIABLE} names `{named}`, which is no program" if named else f"`{_run.BINARY}` is not on PATH"
    raise TestingError(f"the component backend needs the host, and {what}: `pip install fasterapi-host`, or name it in {_run.VARIABLE}")


def built(program: str, target: Target) -> Path:
    """The component of an app, from the cache if its contents and the host are the same."""
    place = hashlib.sha256(f"{target.folder}:{target.name}".encode()).hexdigest()[:16]
    folder = _run.cache("test")
    folder.mkdir(parents=True, exist_ok=True)
    component = folder / f"{place}-{_digest(program, target.folder)}.wasm"
    if component.exists():
        return component
    fresh = component.with_suffix(f".{os.getpid()}")
    done = subprocess.run([program, "build", target.name, "-C", str(target.folder), "-o", str(fresh)], check=False)
    if done.returncode != 0:
        fresh.unlink(missing_ok=True)
        raise TestingError(f"`fasterapi-host build {target.name}` in {target.folder} failed: what it said is on standard error")
    for old in folder.glob(f"{place}-*.wasm"):
        old.unlink(missing_ok=True)
    return fresh.rename(component)


def _digest(program: str, folder: Path) -> str:
    status = os.stat(program)
    digest = hashlib.sha256(f"{program}:{status.st_mtime_ns}:{status.st_size}".encode())
    for file in sorted(_files(folder)):
        digest.update(f"\0{file.relative_to(folder)}\0".encode())
        digest.update(file.read_bytes())
    return digest.hexdigest()[:16]


def _files(folder: Path) -> Iterator[Path]:
    """What a component may be made of: tests are not, so that changing one builds nothing."""
    for entry in folder.iterdir():
        if entry.name.startswith(".") or entry.name in _NOT_OF_IT:
            continue
        if entry.is_dir():
            if not (entry / "pyvenv.cfg").exists():
                yield from _files(entry)
        elif not _is_of_tests(entry.stem) and entry.suffix != ".wasm" and entry.stat().st_size < _LARGE:
            yield entry


_running: weakref.WeakSet[Served] = weakref.WeakSet()


@atexit.register
def _stop_all() -> None:
    for served in list(_running):
        served.stop()
