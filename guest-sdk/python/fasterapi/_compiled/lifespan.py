"""Whether an application's start-up does anything.

One that does nothing is not run: an instance of such an app is ready sooner, and shares more of its memory with the others.
"""

from __future__ import annotations

import os
from inspect import getclosurevars, unwrap
from typing import Any

from fastapi.routing import _DefaultLifespan, _merge_lifespan_context

from .dispatch import is_dispatch
from .reasons import builds_its_stack


def is_needed(app: Any) -> bool:
    """Whether start-up and shut-down of an application (which `reasons.of_app` has nothing against) do something."""
    layers: list[Any] = [middleware.cls for middleware in app.user_middleware]
    stands_in_the_way = builds_its_stack(app) or not all(map(_passes_on, layers))
    return "FASTAPI_OTEL_AUTO_CONFIGURE" in os.environ or stands_in_the_way or not _is_idle(app.router.lifespan_context)


def _passes_on(cls: Any) -> bool:
    """Whether middleware leaves start-up alone. Starlette's own does."""
    return is_dispatch(cls) or getattr(cls, "__module__", "").startswith("starlette.middleware.")


def _is_idle(context: Any) -> bool:
    if type(context) is _DefaultLifespan:
        router = context._router
        return not router.on_startup and not router.on_shutdown
    if getattr(context, "__qualname__", "") != f"{_merge_lifespan_context.__qualname__}.<locals>.merged_lifespan":
        return False
    merged = getclosurevars(unwrap(context)).nonlocals
    return _is_idle(merged["original_context"]) and _is_idle(merged["nested_context"])
