"""As `_entry`, for a component without an application: its packages are in it, the application is imported when an instance
starts. For development, where a change is live without a build."""

from __future__ import annotations

import sys

sys.pycache_prefix = "/2/.pyc"

from fasterapi._build import prepare  # noqa: E402

prepare.interpreter()

from componentize_py_types import Err  # noqa: E402
from wit_world import exports  # noqa: E402

from fasterapi._wasm.exported import Compiled, Endpoint, Handler, Http, Lifecycle, instance  # noqa: E402

__all__ = ["Compiled", "Draft", "Endpoint", "Handler", "Http", "Lifecycle"]

prepare.packages()


class Draft(exports.Draft):  # type: ignore[misc]
    """`fasterapi:app/draft`."""

    def load(self, config: str) -> str:
        """Imports the application."""
        app, lane, report = prepare.late_application(config)
        if app is None:
            raise Err(report)
        instance.serve(app, lane)
        return report


prepare.settle(instance.scheduler.loop)
