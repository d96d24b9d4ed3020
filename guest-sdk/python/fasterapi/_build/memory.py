"""Finds what the routes of an app keep in memory from one request to the next. That works in a single process. Here each route has
a memory of its own, and as many as it has instances, so the user is told while the app is built."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from . import changes
from .manifest import flat, route_kind

_SHOWN = 3


def warnings(app: Any, isolation: str) -> list[str]:
    """A line for each thing that requests change; one that is only for the WebSockets of a route, which share an instance, counts not."""
    try:
        kinds = ((route_kind(route), route) for route in flat(getattr(app, "routes", ())))
        return list(_lines([_Route(kind, route) for kind, route in kinds if kind in ("http", "websocket")], isolation))
    except Exception:  # no app fails to build for what could not be read of it
        return []
    finally:
        changes.forget()


class _Route:
    """A route, and what it changes and uses."""

    def __init__(self, kind: str, route: Any) -> None:
        self.is_websocket = kind == "websocket"
        methods = "WEBSOCKET" if self.is_websocket else ",".join(sorted(route.methods or ("*",)))
        self.name = f"{methods} {route.path}"
        reader = changes.Reader()
        dependant = getattr(route, "dependant", None)
        if dependant is None:
            reader.read(route.endpoint)
        else:
            _read(dependant, reader)
        self.changed, self.used = reader.changed, reader.used


def _read(dependant: Any, reader: changes.Reader) -> None:
    given = {below.name: changes.returned(below.call) for below in dependant.dependencies if below.name}
    reader.read(dependant.call, {name: thing for name, thing in given.items() if thing})
    for below in dependant.dependencies:
        _read(below, reader)


def _lines(routes: list[_Route], isolation: str) -> Iterator[str]:
    told: set[str] = set()
    for route in routes:
        for name, change in route.changed.items():
            if name in told or route.is_websocket and not any(change.root in other.used for other in routes if other is not route):
                continue
            told.add(name)
            those = [other.name for other in routes if name in other.changed]
            yield f"{change.place}: {_listed(those)} keep{'s' if len(those) == 1 else ''} `{name}` in memory. {_advice(route.is_websocket, isolation)}"


def _advice(is_websocket: bool, isolation: str) -> str:
    if is_websocket:
        return "The WebSockets of a route have a memory of their own: other routes do not see it. Keep it in a database"
    if isolation == "app":
        return "Each instance of the app has a memory of its own. Keep it in a database; to try things out, serve the app with `--max-instances 1`"
    alone = "serve the app with `--isolation app --max-instances 1`"
    return f"Each route has a memory of its own, and may have several: others do not see it. Keep it in a database; to try things out, {alone}"


def _listed(names: list[str]) -> str:
    more = len(names) - _SHOWN
    return ", ".join(names[:_SHOWN]) + (f" and {more} more" if more > 0 else "")
