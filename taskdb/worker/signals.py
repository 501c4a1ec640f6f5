"""SIGTERM and SIGINT, which stop the workers of a process."""

from __future__ import annotations

import asyncio
import signal
import threading
from collections.abc import Callable, Generator
from contextlib import contextmanager
from typing import Any, Final

__all__ = ["stopped_by_signals"]

_SIGNALS: Final = (signal.SIGTERM, signal.SIGINT)
# The workers that run in the main thread, where one loop runs at a time.
_stops: Final[list[Callable[[], None]]] = []
_before: Final[dict[signal.Signals, Any]] = {}


@contextmanager
def stopped_by_signals(stop: Callable[[], None]) -> Generator[None]:
    """Have SIGTERM and SIGINT call *stop*, and that of each other worker of this process.

    Only in the main thread, where Python handles signals; elsewhere nothing is done, and nothing
    with a signal that the program handles itself: what it calls has to stop the worker too. When
    the last worker has ended they are handled as before the first began.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    loop = asyncio.get_running_loop()
    if not _stops:
        for number in _SIGNALS:
            handler = signal.getsignal(number)
            if not _is_pythons(handler):
                continue
            _before[number] = handler
            loop.add_signal_handler(number, _stop_all)
    _stops.append(stop)
    try:
        yield
    finally:
        _stops.remove(stop)
        if not _stops:
            for number, handler in _before.items():
                loop.remove_signal_handler(number)
                signal.signal(number, handler or signal.SIG_DFL)
            _before.clear()


def _is_pythons(handler: Any) -> bool:
    """Return whether a signal is handled as in a program that says nothing about it."""
    if handler in (None, signal.SIG_DFL, signal.SIG_IGN, signal.default_int_handler):
        return True
    # `asyncio.run` has Ctrl-C cancel its task.
    function = getattr(handler, "func", None)
    return getattr(function, "__qualname__", None) == asyncio.Runner.__name__ + "._on_sigint"


def _stop_all() -> None:
    for stop in _stops:
        stop()
