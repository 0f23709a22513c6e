"""Wait for conditions instead of for time."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

T = TypeVar("T")

POLL_S = 0.05


async def until(
    condition: Callable[[], T | Awaitable[T]], what: str, *, within_s: float = 30.0
) -> T:
    """Return the first truthy result of `condition`, polled, or fail naming `what`."""
    loop = asyncio.get_running_loop()
    deadline = loop.time() + within_s
    while True:
        result = condition()
        if isinstance(result, Awaitable):
            result = await result
        if result:
            return result
        if loop.time() > deadline:
            raise AssertionError(f"not within {within_s:.0f} s: {what} (last: {result!r})")
        await asyncio.sleep(POLL_S)
