"""Handlers that are plain functions."""

from __future__ import annotations

import asyncio
import contextvars
import threading
from collections.abc import Callable
from contextlib import suppress
from typing import TypeVar

__all__ = ["in_thread"]

A = TypeVar("A")
T = TypeVar("T")


async def in_thread(function: Callable[[A], T], argument: A) -> T:
    """Run a function in a thread of its own; return what it returns, or raise what it raises.

    The thread ends with the process, if its function never returns: a pool's would keep it.
    """
    loop = asyncio.get_running_loop()
    future: asyncio.Future[T] = loop.create_future()

    def settle(result: T | None, error: BaseException | None) -> None:
        if future.done():
            return
        if error is not None:
            future.set_exception(error)
        else:
            future.set_result(result)  # type: ignore[arg-type]

    def run() -> None:
        result: T | None = None
        error: BaseException | None = None
        try:
            result = function(argument)
        except BaseException as exc:  # noqa: BLE001
            error = RuntimeError(f"{exc!r}") if isinstance(exc, StopIteration) else exc
        # The loop is closed if the worker has given this thread up.
        with suppress(RuntimeError):
            loop.call_soon_threadsafe(settle, result, error)

    # Within the caller's context: what the function does belongs to its job's trace.
    context = contextvars.copy_context()
    threading.Thread(
        target=context.run, args=[run], name=f"taskdb-{argument}"[:60], daemon=True
    ).start()
    return await future
