"""Imports `MODULE:ATTR` and says clearly what is wrong when that cannot be done."""

from __future__ import annotations

import difflib
import importlib
import inspect
import sys
import traceback
from types import TracebackType
from typing import Any

from .._asgi.wsgi import Wsgi, is_wsgi
from .paths import APP, is_users
from .protocol import BuildError

_NOT_IN_WASI = {
    "ssl", "_ssl", "ctypes", "_ctypes", "multiprocessing", "_multiprocessing", "mmap", "fcntl", "resource", "pwd", "grp", "termios",
    "bz2", "_bz2", "lzma", "_lzma", "tkinter", "_tkinter", "curses", "_curses", "readline", "syslog", "_posixsubprocess",
}  # fmt: skip


def application(module: str, attr: str) -> Any:
    """The ASGI application that `module:attr` names; with `()` behind it, the one that this makes."""
    found = _import(module)
    for name in attr.removesuffix("()").split("."):
        found = _attribute(found, name, module)
    if attr.endswith("()"):
        found = _made(found, f"{module}:{attr}")
    if is_wsgi(found):
        return Wsgi(found)
    if not is_asgi(found):
        raise BuildError("not-asgi", f"`{module}:{attr}` is no ASGI application but {_described(found)}", hint=_hint(found, attr))
    return found


def _made(factory: Any, name: str) -> Any:
    if not callable(factory):
        raise BuildError("not-asgi", f"`{name}` calls {_described(factory)}", hint="leave the `()` out")
    try:
        return factory()
    except BuildError:
        raise
    except BaseException as error:
        raise user_error(error) from error


def is_asgi(found: Any) -> bool:
    """Whether it is an ASGI 3 application, as far as can be told without calling it (uvicorn's test)."""
    if inspect.isclass(found):
        return hasattr(found, "__await__")
    if not callable(found):
        return False
    return inspect.iscoroutinefunction(found) or inspect.iscoroutinefunction(found.__call__)


def _import(module: str) -> Any:
    try:
        return importlib.import_module(module)
    except ModuleNotFoundError as error:
        if error.name is not None and (module == error.name or module.startswith(error.name + ".")) and not _users_frames(error.__traceback__):
            raise BuildError("module", f"no module `{module}` in the project", hint=_module_hint(module)) from error
        raise _missing(error) from error
    except BuildError:
        raise
    except ImportError as error:
        raise _missing(error) from error
    except BaseException as error:
        raise user_error(error) from error


def user_error(error: BaseException) -> BuildError:
    """What the user's code raised, with the user's part of the traceback."""
    last = traceback.format_exception_only(error)[-1].strip()
    hint = _ENVIRONMENT if isinstance(error, KeyError) and _from_environ(error) else None
    return BuildError("user", f"the app's module raised {last}", hint=hint, traceback=users_traceback(error))


_ENVIRONMENT = "environment variables are not there while the app is built: read them in a start-up hook or a handler"


def _from_environ(error: BaseException) -> bool:
    frames = traceback.extract_tb(error.__traceback__)
    return bool(frames) and frames[-1].name == "__getitem__" and frames[-1].filename.endswith(("os.py", "<frozen os>"))


def users_traceback(error: BaseException) -> str:
    """The traceback without the frames of the SDK and the import system in front."""
    shortened = traceback.TracebackException(type(error), error, error.__traceback__)
    _cut(shortened)
    return "".join(shortened.format())


def _cut(report: traceback.TracebackException) -> None:
    first = next((index for index, frame in enumerate(report.stack) if is_users(frame.filename)), len(report.stack))
    frames = [frame for frame in report.stack[first:] if "importlib" not in frame.filename and "fasterapi/_build/" not in frame.filename]
    report.stack = traceback.StackSummary.from_list(frames)
    for cause in (report.__cause__, report.__context__):
        if cause is not None:
            _cut(cause)


def _missing(error: ImportError) -> BuildError:
    name = error.name or ""
    top = name.partition(".")[0]
    if top == "fasterapi" or not isinstance(error, ModuleNotFoundError) and top not in _NOT_IN_WASI:
        return user_error(error)
    if top in _NOT_IN_WASI:
        text, hint = f"`{top}` is not available in WebAssembly", "the package that imports it needs something a sandbox has not"
    else:
        text, hint = f"the app imports `{top}`, which is not among its dependencies", "add the package to pyproject.toml or requirements.txt"
    return BuildError("missing-import", text, hint=hint, traceback=users_traceback(error), module=top)


def _users_frames(trace: TracebackType | None) -> bool:
    return any(is_users(frame.filename) for frame in traceback.extract_tb(trace))


def _attribute(found: Any, name: str, module: str) -> Any:
    try:
        return getattr(found, name)
    except AttributeError:
        likely = _likely(name, vars(found))
        hint = f"did you mean `{likely}`?" if likely else None
        raise BuildError("attribute", f"module `{module}` has no attribute `{name}`", hint=hint) from None


def _likely(name: str, known: dict[str, Any]) -> str | None:
    apps = [other for other, value in known.items() if not other.startswith("_") and is_asgi(value) and not inspect.isclass(value)]
    made = [other for other in apps if not inspect.isroutine(known[other])]
    return next(iter(difflib.get_close_matches(name, apps, 1) or made or apps or difflib.get_close_matches(name, known, 1)), None)


def _described(found: Any) -> str:
    if inspect.isfunction(found):
        return f"the function `{found.__name__}`"
    if inspect.isclass(found):
        return f"the class `{found.__name__}`"
    return f"a `{type(found).__module__}.{type(found).__qualname__}`".replace("builtins.", "")


def _hint(found: Any, attr: str) -> str | None:
    if inspect.isclass(found) or inspect.isfunction(found) and not inspect.signature(found).parameters:
        return f"name the application itself; or, if this makes it, `{attr}()`"
    if callable(found):
        return "an ASGI application is called with (scope, receive, send), a WSGI one with (environ, start_response)"
    return None


def _module_hint(module: str) -> str | None:
    import os

    names = [entry.removesuffix(".py") for entry in os.listdir(APP) if entry.endswith(".py") or os.path.isdir(f"{APP}/{entry}")]
    close = difflib.get_close_matches(module, names, 1)
    return f"did you mean `{close[0]}`?" if close else None


def loaded(name: str) -> bool:
    """Whether a module was imported."""
    return name in sys.modules
