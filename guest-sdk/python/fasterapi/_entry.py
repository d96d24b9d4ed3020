"""The module that componentize-py makes a component of: the exports of wit/world.wit over the user's application.

Imported once, at build time; what it leaves in memory is the component.
"""

from __future__ import annotations

import sys

sys.pycache_prefix = "/2/.pyc"  # where the builder puts what it compiled beforehand, the standard library's included

from fasterapi._build import prepare  # noqa: E402

prepare.interpreter()

from fasterapi._wasm.exported import Compiled, Endpoint, Handler, Http, Lifecycle, instance  # noqa: E402

__all__ = ["Compiled", "Endpoint", "Handler", "Http", "Lifecycle"]

instance.serve(*prepare.application())
prepare.settle(instance.scheduler.loop)
