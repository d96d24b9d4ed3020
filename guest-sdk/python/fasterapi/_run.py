"""`app.run()`: from a program in an ordinary Python to the host that serves it."""

from __future__ import annotations

import hashlib
import inspect
import os
import shutil
import subprocess
import sys
from pathlib import Path
from types import ModuleType
from typing import Any, NoReturn

BINARY = "fasterapi-host"
VARIABLE = "FASTERAPI_HOST_BIN"


class RunError(SystemExit):
    """Ends the program with one line, exit code 2."""

    def __init__(self, message: str) -> None:
        print(f"error: {message}", file=sys.stderr)
        super().__init__(2)


def run(app: Any, *, host: str, port: int) -> None:
    """Builds the component and becomes the host."""
    if sys.platform == "wasi":
        return  # it is being served already
    binary = find_binary()
    folder, target = find_target(app)
    component = cache("run") / f"{hashlib.sha256(f'{folder}:{target}'.encode()).hexdigest()[:16]}.wasm"
    component.parent.mkdir(parents=True, exist_ok=True)
    built = subprocess.run([binary, "build", target, "-C", str(folder), "-o", str(component)], check=False)
    if built.returncode != 0:
        raise SystemExit(built.returncode)
    address = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
    _become([binary, "serve", str(component), "--addr", address])


def find_binary() -> str:
    """The host's program."""
    named = os.environ.get(VARIABLE)
    if named:
        if not os.access(named, os.X_OK):
            raise RunError(f"{VARIABLE} names `{named}`, which is no program that can be run")
        return named
    found = shutil.which(BINARY)
    if found is None:
        raise RunError(f"`{BINARY}` was not found: put it on PATH or name it in {VARIABLE}")
    return found


def find_target(app: Any) -> tuple[Path, str]:
    """The folder and `MODULE:ATTR` of an app, from the module that made it."""
    for module in _candidates():
        for attr, value in vars(module).items():
            if value is app:
                return place(module, attr)
    raise RunError("`run()` needs the app in a variable of its module, as in `app = App()`")


def _candidates() -> list[ModuleType]:
    modules = [sys.modules["__main__"]]
    frame = inspect.currentframe()
    while frame is not None:
        module = sys.modules.get(frame.f_globals.get("__name__", ""))
        if module is not None and module not in modules:
            modules.append(module)
        frame = frame.f_back
    return modules


def place(module: ModuleType, attr: str) -> tuple[Path, str]:
    """The folder and `MODULE:ATTR` of a variable."""
    file = getattr(module, "__file__", None)
    if file is None:
        raise RunError("`run()` needs a program in a file: there is none to build from in an interactive session")
    path = Path(file).resolve()
    package: str = getattr(module, "__package__", None) or ""
    names = package.split(".") if package else []
    folder = path.parents[len(names)]
    if path.stem != "__init__":
        names.append(path.stem)
    return folder, f"{'.'.join(names)}:{attr}"


def cache(name: str) -> Path:
    """A folder for components."""
    base = os.environ.get("XDG_CACHE_HOME")
    return (Path(base) if base else Path.home() / ".cache") / "fasterapi-host" / name


def _become(command: list[str]) -> NoReturn:
    if os.name == "posix":
        os.execv(command[0], command)
    raise SystemExit(subprocess.run(command, check=False).returncode)
