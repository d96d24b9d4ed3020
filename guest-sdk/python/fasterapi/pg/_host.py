"""The host's side of `fasterapi:postgres`, or the bridge to one in an ordinary Python."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Callable, Coroutine, Generator
from functools import partial
from typing import Any, ParamSpec, Protocol, TypeVar

from .. import _phase
from .._wasm import calls
from .._wasm.calls import cancelling
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


class Calls(Protocol):
    """What can be called of the host: its functions, or something that it lent."""

    def call(self, name: str, *args: Any) -> Any:
        """Calls it, and waits for the answer. Nothing else runs in the app meanwhile."""

    async def wait(self, name: str, *args: Any) -> Any:
        """Calls it, and lets the app's other tasks go on meanwhile, if there are any. Cancelling the task cancels the call."""


class _Functions:
    def call(self, name: str, *args: Any) -> Any:
        return call(getattr(client, name), *args)

    async def wait(self, name: str, *args: Any) -> Any:
        if may_block():
            return self.call(name, *args)
        own = ticket()
        return await _aside(cancelling(partial(_cancel, own), _nothing), client, name, own, *args)


functions: Calls = _Functions()
"""The host's functions."""


class Lent:
    """Something that the host lent. It is given back when it is not needed any more, and no call has it."""

    __slots__ = ("_calls", "_resource", "over")

    def __init__(self, resource: Any) -> None:
        self._resource = resource
        self._calls: dict[int, cancelling] = {}
        self.over = False
        """Whether it was given back, or will be."""

    def call(self, name: str, *args: Any) -> Any:
        """See `Calls.call`."""
        if self._calls:
            raise PgUsageError("another task waits for it: await this call too")
        return call(getattr(self._resource, name), *args)

    async def wait(self, name: str, *args: Any) -> Any:
        """See `Calls.wait`."""
        return self.call(name, *args) if may_block() else await self.aside(name, *args)

    async def aside(self, name: str, *args: Any) -> Any:
        """The same, though there be no other tasks: for what may take any time."""
        own = ticket()
        self._calls[own] = call = cancelling(partial(_cancel, own), partial(self._ended, own))
        return await _aside(call, self._resource, name, own, *args)

    def _ended(self, own: int) -> None:
        del self._calls[own]
        if self.over and not self._calls:
            self.give_back()

    def cancel(self) -> None:
        """Cancels the calls that go on."""
        for each in tuple(self._calls.values()):
            each.end()

    def give_back(self) -> None:
        """Gives it back once the calls that go on, which are cancelled, have ended."""
        self.over = True
        if self._calls:
            self.cancel()
        else:
            self._resource.__exit__(None, None, None)

    def abandon(self) -> None:
        """Ends it with its request."""
        self.give_back()


def _nothing() -> None:
    pass


def _cancel(own: int) -> None:
    client.cancel(own)


async def _aside(call: cancelling, owner: Any, name: str, own: int, *args: Any) -> Any:
    with call:
        if _phase.IN_COMPONENT:
            return await acall(getattr(owner, f"{name}_async"), own, *args)
        return await acall(_native.aside, getattr(owner, name), own, *args)


def serve(work: Coroutine[Any, Any, _T]) -> asyncio.Task[_T]:
    """A task that no request waits for at its end: it ends with what it serves."""
    task = asyncio.ensure_future(work)
    loop = asyncio.get_running_loop()
    if isinstance(loop, Loop):
        loop.servants.add(task)
    return task


Steps = Generator[tuple[Any, ...], Any, _T]
"""What takes several calls, written once for `def` and for `async def`: it yields each (`Calls`, name, arguments), and is sent the answer."""


def run(steps: Steps[_T]) -> _T:
    """Takes the steps, with all of the app waiting."""
    try:
        calls, *what = next(steps)
        while True:
            try:
                answer = calls.call(*what)
            except BaseException as error:
                calls, *what = steps.throw(error)
            else:
                calls, *what = steps.send(answer)
    except StopIteration as end:
        result: _T = end.value
        return result


async def arun(steps: Steps[_T]) -> _T:
    """Takes the steps, while the app's other tasks go on."""
    try:
        calls, *what = next(steps)
        while True:
            try:
                answer = await calls.wait(*what)
            except BaseException as error:
                calls, *what = steps.throw(error)
            else:
                calls, *what = steps.send(answer)
    except StopIteration as end:
        result: _T = end.value
        return result


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
