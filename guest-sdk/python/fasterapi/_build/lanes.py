"""Which lane each route of an application takes."""

from __future__ import annotations

import sys
from typing import Any


class Lanes:
    """The compiled lane of an application, if it has one, and the reasons of the routes that stay out of it."""

    def __init__(self, app: Any) -> None:
        self.compiled: Any = None
        self._reason = "the app is not a FastAPI app"
        if "fastapi" not in sys.modules:
            return
        from .._compiled import lifted, reasons
        from .._compiled.lane import Lane

        reason = reasons.of_app(app)
        if reason is None:
            try:
                done = lifted.of(app)
            except Exception:  # options that cannot be read as text: Starlette's own classes make of them what they do
                done = None
            self.compiled = Lane(app, list(sys.modules["fastapi.routing"].iter_route_contexts(app.routes)), done)
        else:
            self._reason = reason

    def layers(self, isolation: str) -> dict[str, Any] | None:
        """What the manifest says of the middleware that the host does. `early`: no code of the app's can have changed it by then, so the host
        answers what it stops, without asking."""
        if self.compiled is None or self.compiled.lifted is None:
            return None
        return {"early": isolation == "route" and not self.compiled.needs_start_up(), "list": self.compiled.lifted.layers}

    def of(self, place: int) -> dict[str, Any]:
        """What the manifest says of the route at a place."""
        if self.compiled is None:
            return {"plan": None, "reason": self._reason}
        number = self.compiled.numbers.get(place)
        plan = None if number is None else self.compiled.plans[number].manifest(number)
        return {"plan": plan, "reason": self.compiled.reasons.get(place)}
