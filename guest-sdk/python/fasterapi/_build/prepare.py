"""The build, step by step. Runs inside componentize-py's pre-init, but for what a draft imports late."""

from __future__ import annotations

import gc
import importlib
import os
import sys
import traceback
import warnings
from collections.abc import Callable
from typing import Any

from .. import _phase
from .._wasm.loop import Loop, outside_loop
from . import environment, heap, immortal, lanes, load, memory, protocol, sources, stand_ins, warm, zones
from .manifest import manifest
from .paths import APP, META
from .preload import attempt, preload

_POSTGRES = "fasterapi.pg"


def interpreter() -> None:
    """Makes the interpreter ready, before anything of the user's or of a framework is imported."""
    os.chdir(APP)  # as if started from the project's folder; relative paths mean the same when the component runs
    sources.install()
    stand_ins.install()


def application() -> tuple[Any, Any]:
    """The user's application, imported, and its compiled lane, if it has one; the result file is written. Raises when the build ends here."""
    app, lane, mode = _written(_application)
    if mode == "warm":
        raise RuntimeError("warmed up: this build ends here on purpose")
    return app, lane


def packages() -> None:
    """Imports what the application will, as the builder names it, and keeps the rest of the packages; the result file is written."""
    _written(_packages)


def late_application(text: str) -> tuple[Any, Any, str]:
    """The application of a draft and its compiled lane, imported now, with the report; no application, and what is wrong."""
    importlib.invalidate_caches()  # the application's folder was empty when the packages were imported
    variables = dict(os.environ)
    os.environ.clear()  # a build has none, so what needs one at import must not work here either
    _phase.building = True
    sys.dont_write_bytecode = True
    try:
        (app, lane, _), ok, report = _attempted(_application, lambda: protocol.parse(text))
    finally:
        _phase.building = False
        os.environ.update(variables)
    return app, lane, protocol.result(ok, report)


_Step = Callable[[protocol.Config], tuple[Any, dict[str, Any]]]


def _written(step: _Step) -> Any:
    """What `step` gives, once the builder has the result file."""
    made, ok, report = _attempted(step, lambda: protocol.read_config(META))
    protocol.write_result(META, ok, report)
    if not ok:
        raise RuntimeError("the build ends here")
    return made


def _attempted(step: _Step, config: Callable[[], protocol.Config]) -> tuple[Any, bool, dict[str, Any]]:
    nothing = (None, None, None)
    try:
        made, report = outside_loop(step, config())
    except protocol.BuildError as error:
        return nothing, False, error.report
    except BaseException as error:
        text = "".join(traceback.format_exception(error))
        return nothing, False, {"kind": "internal", "error": f"the SDK failed: {error!r}", "hint": None, "traceback": text}
    return made, True, report


def _application(config: protocol.Config) -> tuple[Any, dict[str, Any]]:
    problems: list[str] = []
    with environment.watched() as reads:
        app = load.application(config.module, config.attr)
        lane = lanes.Lanes(app)
        _make_schema(app)
        if config.mode in ("late", "described"):
            _show_errors(app, lane.compiled)
        else:
            problems = _settled(config)
    known = manifest(app, f"{config.module}:{config.attr}", load.loaded(_POSTGRES), lane)
    # Every instance of a draft imports the app; one of them is there to tell what its author should know.
    warnings = [] if config.mode == "late" else reads.warnings() + memory.warnings(app, known["isolation"]) + problems
    report = {
        "mode": config.mode,
        "compiled": dict(sources.compiled),
        "warnings": warnings,
        "manifest": known | {"answers": _answers(app, lane.compiled, config.mode), "environment_read": reads.by_name()},
    }
    return (app, lane.compiled, config.mode), report


def _answers(app: Any, lane: Any, mode: str) -> dict[str, Any] | None:
    """What the host may answer itself. In development, each change may make something else of it."""
    if lane is None or mode != "build":
        return None
    from .. import _answers

    try:
        return _answers.of(app, lane)
    except Exception as error:  # the app is asked then, as ever
        warnings.warn(f"the host will answer nothing for the app: {type(error).__name__}: {error}", stacklevel=1)
        return None


def _show_errors(app: Any, lane: Any) -> None:
    """Has an app in development answer a request that raised with the traceback, as with `debug=True`, unless it has an answer of its own."""
    handlers = getattr(app, "exception_handlers", None)
    if handlers is None or 500 in handlers or Exception in handlers:
        return
    app.debug = True
    if lane is not None:
        lane.take_middleware()


def _packages(config: protocol.Config) -> tuple[Any, dict[str, Any]]:
    attempt(config.imports)
    problems = _settled(config)
    return None, {"mode": config.mode, "compiled": dict(sources.compiled), "warnings": problems, "manifest": {}}


def _settled(config: protocol.Config) -> list[str]:
    """Imports and keeps what will be wanted when there are no files any more. Gives what the user should know."""
    problems = preload(config.preload)
    zones.keep()
    late = [] if config.mode == "warm" else sources.keep_late_imports()
    if late:
        problems.append(f"{len(late)} modules were left out of the component, too many to keep: {late[0]}, …")
    return problems


def _make_schema(app: Any) -> None:
    """Makes the OpenAPI document now: it is kept, and some types read files while they describe themselves."""
    openapi = getattr(app, "openapi", None)
    if openapi is None or getattr(app, "openapi_url", None) is None:
        return
    try:
        openapi()
    except Exception:
        # It would fail in the same way at /openapi.json, as it does under any server.
        warnings.warn("the OpenAPI document could not be made", stacklevel=1)


def settle(loop: Loop) -> None:
    """The last step: leaves a heap that is warm, and that the garbage collector has no reason to touch."""
    warm.up(loop)
    _phase.building = False
    sources.show_known_paths()
    gc.collect()
    immortal.make()
    gc.freeze()  # what the snapshot holds is never garbage: collections at run time need not look at it
    heap.use()
