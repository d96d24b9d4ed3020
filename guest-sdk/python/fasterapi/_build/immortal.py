"""Objects that the snapshot holds are made immortal (PEP 683), so that instances go on sharing the memory that they are in.

They would be never freed anyway, but for those that the app itself lets go while it runs. An object whose end somebody may notice stays mortal: one with a
finalizer, and one that somebody refers to weakly.
"""

from __future__ import annotations

import gc
import types
import weakref

_LASTING = (type, types.FunctionType, types.BuiltinFunctionType, types.ModuleType, types.CodeType)
"""What weak references to are a matter of Python's own: subclasses, caches by type or function."""


def make() -> None:
    """Makes all that there is immortal. In an instance that starts from the snapshot, what is made later is as ever."""
    import _fasterapi_snapshot  # type: ignore[import-not-found] # guest-sdk/snapshot, beside this package in a component

    _fasterapi_snapshot.immortalize(_mortal())


def _mortal() -> list[object]:
    return [thing for thing in gc.get_objects() if weakref.getweakrefcount(thing) and not issubclass(type(thing), _LASTING)]
