"""Waiting for something to change, by whoever wants to know of it."""

from __future__ import annotations

import asyncio


class Waiters(list[asyncio.Future[None]]):
    """Those who wait."""

    __slots__ = ()

    async def wait(self) -> None:
        """Waits for the next `notify`."""
        waiter = asyncio.get_running_loop().create_future()
        self.append(waiter)
        try:
            await waiter
        finally:
            self.remove(waiter)

    def notify(self) -> None:
        """Lets all go on who wait now."""
        for waiter in self:
            if not waiter.done():
                waiter.set_result(None)
