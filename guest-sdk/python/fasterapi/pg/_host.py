"""The host's side of `fasterapi:postgres`, or the bridge to one in an ordinary Python."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Callable, Coroutine
from typing import Any, ParamSpec, TypeVar

from .. import _phase
from .._wasm import calls
from .._wasm.loop import Loop
from ._errors import PgUsageError, from_host

_P = ParamSpec("_P")
_T = TypeVar("_T")

if _phase.IN_COMPONENT:
    from componentize_py_types import Err as _Err

    try:
        from wit_world.imports import fasterapi_postgres_client, fasterapi_postgres_types
    except ImportError:
        from .._build.protocol import BuildError

        raise BuildError("needs-postgres", "the app uses `fasterapi.pg`: it must be built in the world `app-postgres`") from None
    client: Any = fasterapi_postgres_client
    types: Any = fasterapi_postgres_types
else:
    from . import _native

    client, types, _Err = _native.client, _native.types, _native.HostError


def call(function: Callable[_P, _T], *args: _P.args, **kwargs: _P.kwargs) -> _T:
    """Calls the host; its error becomes ours."""
    try:
        return function(*args, **kwargs)
    except _Err as error:
        raise from_host(error.value) from None


async def acall(function: Callable[_P, Coroutine[Any, Any, _T]], *args: _P.args, **kwargs: _P.kwargs) -> _T:
    """Awaits the host; its error becomes ours."""
    try:
        return await function(*args, **kwargs)
    except _Err as error:
        raise from_host(error.value) from None


class _Nobodys(set[calls.Holding]):
    """On an ordinary Python nothing says when a request is over: what is held is ended by whoever holds it, or forgets it."""

    def add(self, holding: calls.Holding) -> None:
        """Does not keep it."""


_nobodys = _Nobodys()


def holdings() -> set[calls.Holding]:
    """What the request under way holds: to be added to, and taken from when it is ended in order."""
    if _phase.IN_COMPONENT or calls.current_call.get() is not None:
        return calls.holdings()
    return _nobodys


async def offload(function: Callable[_P, _T], *args: _P.args, **kwargs: _P.kwargs) -> _T:
    """Calls what waits in the host. On an ordinary Python, where other requests share the loop, in a thread."""
    if _phase.IN_COMPONENT:
        return function(*args, **kwargs)
    return await asyncio.to_thread(function, *args, **kwargs)


def may_block() -> bool:
    """Whether nothing but the task under way would notice that it waits in the host instead of in the event loop."""
    loop = asyncio.get_running_loop()
    return isinstance(loop, Loop) and loop.is_alone


_tickets = itertools.count(1)


def ticket() -> int:
    """A number for a call that may be cancelled."""
    return next(_tickets) & 0xFFFF_FFFF


def require_running() -> None:
    """Raises while a component is built."""
    if _phase.building:
        raise PgUsageError("there is no database while the app is built: use it in a start-up hook or in a handler, not at import")
