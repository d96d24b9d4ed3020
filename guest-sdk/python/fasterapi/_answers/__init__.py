"""What the host may answer in an app's place, since the app's own answer is known while it is built: `of`."""

from __future__ import annotations

from typing import Any

from . import record, unchanged


def of(app: Any, lane: Any) -> dict[str, Any] | None:
    """The manifest's `answers` for a FastAPI app that has a compiled lane; none where the app must be asked each time."""
    if lane is None or unchanged.reason(app, lane) is not None:
        return None
    return record.answers(app)
