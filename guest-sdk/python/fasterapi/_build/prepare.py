"""The build, step by step. Runs inside componentize-py's pre-init."""

from __future__ import annotations

import gc
import traceback
import warnings
from collections.abc import Callable
from typing import Any

from .. import _phase
from .._wasm.loop import Loop
from . import lanes, load, protocol, sources, stand_ins, warm, zones
from .manifest import manifest
from .paths import META
from .preload import preload

_POSTGRES = "fasterapi.pg"


def interpreter() -> None:
    """Makes the interpreter ready, before anything of the user's or of a framework is imported."""
    sources.install()
    stand_ins.install()


def application(outside_loop: Callable[..., Any]) -> tuple[Any, Any]:
    """The user's application, imported, and its compiled lane, if it has one; the result file is written. Raises when the build ends here."""
    try:
        config = protocol.read_config(META)
        app = outside_loop(load.application, config.module, config.attr)
        lane = outside_loop(lanes.Lanes, app)
        report = outside_loop(_finish, app, lane, config)
    except protocol.BuildError as error:
        protocol.write_result(META, False, error.report)
        raise
    except BaseException as error:
        text = "".join(traceback.format_exception(error))
        protocol.write_result(META, False, {"kind": "internal", "error": f"the SDK failed: {error!r}", "hint": None, "traceback": text})
        raise
    protocol.write_result(META, True, report)
    if config.mode == "warm":
        raise RuntimeError("warmed up: this build ends here on purpose")

    return app, lane.compiled


def _finish(app: Any, lane: lanes.Lanes, config: protocol.Config) -> dict[str, Any]:
    problems = preload(config.preload)
    _make_schema(app)
    zones.keep()
    late = [] if config.mode == "warm" else sources.keep_late_imports()
    if late:
        problems.append(f"{len(late)} modules were left out of the component, too many to keep: {late[0]}, …")
    return {
        "mode": config.mode,
        "compiled": dict(sources.compiled),
        "warnings": problems,
        "late_imports": late,
        "manifest": manifest(app, f"{config.module}:{config.attr}", load.loaded(_POSTGRES), lane),
    }


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
    gc.freeze()  # what the snapshot holds is never garbage: collections at run time need not look at it
