"""A function of several queries, written once for both kinds of connection.

It is a generator that yields calls of queries and is sent their results; `run` drives it,
awaiting each result if the connection is asynchronous.
"""

from collections.abc import Awaitable, Callable, Generator
from typing import Any, TypeVar, overload

from psycopg import AsyncConnection, Connection

R = TypeVar("R")
Call = Callable[[Any], Any]
Steps = Generator[Call, Any, R]


def call(function: Callable[..., Any], *args: Any, **arguments: Any) -> Call:
    """Return a step: *function* with these arguments, which waits for its connection."""

    def step(conn: Any) -> Any:
        return function(conn, *args, **arguments)

    return step


@overload
def run(conn: Connection[Any], steps: Steps[R]) -> R: ...
@overload
def run(conn: AsyncConnection[Any], steps: Steps[R]) -> Awaitable[R]: ...
def run(conn: Connection[Any] | AsyncConnection[Any], steps: Steps[R]) -> R | Awaitable[R]:
    """Send the connection to each call that *steps* yields, and the result back."""
    if isinstance(conn, AsyncConnection):
        return _run_async(conn, steps)
    result = None
    while True:
        try:
            step = steps.send(result)
        except StopIteration as done:
            return done.value  # type: ignore[no-any-return]
        result = step(conn)


async def _run_async(conn: AsyncConnection[Any], steps: Steps[R]) -> R:
    result = None
    while True:
        try:
            step = steps.send(result)
        except StopIteration as done:
            return done.value  # type: ignore[no-any-return]
        result = await step(conn)
