"""Spans and durations of named queries."""

from __future__ import annotations

import time
from collections.abc import AsyncGenerator, Generator, Iterable, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Final, TypeAlias
from weakref import WeakKeyDictionary

import psycopg
from opentelemetry.context import Context, create_key, get_value
from opentelemetry.metrics import Meter
from opentelemetry.trace import Span, SpanKind, Status, StatusCode, Tracer

from taskdb.query import _waiting, _waiting_async
from taskdb.query._decisions import Decisions, Prepared

__all__ = ["BUCKETS", "KEPT", "Calls", "Kept", "error_type"]

Attributes: TypeAlias = dict[str, str | int]
Bound: TypeAlias = Sequence[tuple[Prepared, tuple[Any, ...]]]

# In seconds; those that the conventions advise.
BUCKETS: Final = (0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1.0, 5.0, 10.0)
# Under this key a context has the list that takes its calls, instead of the exporter.
KEPT: Final = create_key("taskdb-kept-calls")


@dataclass(frozen=True, slots=True)
class Kept:
    """A call that has ended, and whose span is made later or never. Times in nanoseconds."""

    name: str
    attributes: Attributes
    begun: int
    ended: int
    error: str | None

    def report(self, tracer: Tracer, parent: Context) -> None:
        """Make its span, below *parent*."""
        span = tracer.start_span(
            self.name,
            parent,
            kind=SpanKind.CLIENT,
            attributes=self.attributes,
            start_time=self.begun,
        )
        if self.error is not None:
            span.set_status(Status(StatusCode.ERROR))
        span.end(self.ended)


class Calls:
    """The runners of queries, with a span and a measurement around each call.

    Neither has arguments, nor an error's message, which may quote them.
    """

    def __init__(self, tracer: Tracer, meter: Meter) -> None:
        self.tracer = tracer
        self.durations = meter.create_histogram(
            "db.client.operation.duration",
            unit="s",
            description="Duration of database client operations.",
            explicit_bucket_boundaries_advisory=BUCKETS,
        )
        self._common: dict[str, Attributes] = {}
        self._places: WeakKeyDictionary[Any, Attributes] = WeakKeyDictionary()

    def run(self, query: Decisions, conn: Any, values: tuple[Any, ...]) -> Any:
        """Run a query."""
        with self._call(query, conn, query.plan(values).text):
            return _waiting.run(query, conn, values)

    async def run_async(self, query: Decisions, conn: Any, values: tuple[Any, ...]) -> Any:
        """Run a query."""
        with self._call(query, conn, query.plan(values).text):
            return await _waiting_async.run_async(query, conn, values)

    def stream(
        self, query: Decisions, conn: Any, values: tuple[Any, ...]
    ) -> Generator[Any, None, None]:
        """Stream a query: the span lasts as long as the iteration."""
        with self._call(query, conn, query.plan(values).text):
            yield from _waiting.stream(query, conn, values)

    async def stream_async(
        self, query: Decisions, conn: Any, values: tuple[Any, ...]
    ) -> AsyncGenerator[Any, None]:
        """Stream a query: the span lasts as long as the iteration."""
        with self._call(query, conn, query.plan(values).text):
            async with aclosing(_waiting_async.stream_async(query, conn, values)) as rows:
                async for row in rows:
                    yield row

    def batch(self, query: Decisions, conn: Any, bound: Bound) -> list[Any]:
        """Run a query for each of the bound rows."""
        with self._batch(query, conn, bound):
            return _waiting.batch(query, conn, bound)

    async def batch_async(self, query: Decisions, conn: Any, bound: Bound) -> list[Any]:
        """Run a query for each of the bound rows."""
        with self._batch(query, conn, bound):
            return await _waiting_async.batch_async(query, conn, bound)

    def copy(self, query: Decisions, conn: Any, rows: Iterable[Any]) -> int:
        """Send rows."""
        with self._call(query, conn, query.plan(()).text):
            return _waiting.copy(query, conn, rows)

    async def copy_async(self, query: Decisions, conn: Any, rows: Iterable[Any]) -> int:
        """Send rows."""
        with self._call(query, conn, query.plan(()).text):
            return await _waiting_async.copy_async(query, conn, rows)

    def _batch(self, query: Decisions, conn: Any, bound: Bound) -> Call:
        text = bound[0][0].text if bound else ""
        return self._call(query, conn, text, None if len(bound) == 1 else len(bound))

    def _call(self, query: Decisions, conn: Any, text: str, size: int | None = None) -> Call:
        common = self._common.get(query.name)
        if common is None:
            common = self._common[query.name] = {
                "db.system.name": "postgresql",
                "db.operation.name": query.statement.command,
                "db.query.summary": query.name,
            }
        measured = common | self.place_of(conn)
        if size is None:
            return Call(self, measured, measured | {"db.query.text": text})
        measured["db.query.summary"] = f"BATCH {query.name}"
        return Call(
            self, measured, measured | {"db.query.text": text, "db.operation.batch.size": size}
        )

    def place_of(self, conn: Any) -> Attributes:
        """Return where a connection leads: its server, its database and its workspace."""
        place = self._places.get(conn)
        if place is None:
            try:
                info = conn.info
                parts = (info.dbname, getattr(conn, "workspace", ""))
                place = {
                    "db.namespace": "|".join(filter(None, parts)),
                    "server.address": info.host,
                    "server.port": info.port,
                }
            except psycopg.OperationalError:
                # It is closed: the call says so itself.
                return {}
            self._places[conn] = place
        return place


class Call:
    """One call of a query while it lasts."""

    __slots__ = ("_began", "_begun", "_calls", "_kept", "_measured", "_span", "_spanned")

    def __init__(self, calls: Calls, measured: Attributes, spanned: Attributes) -> None:
        self._calls = calls
        self._measured = measured
        self._spanned = spanned
        self._span: Span | None = None

    def __enter__(self) -> None:
        self._kept: Any = get_value(KEPT)
        self._began = time.time_ns()
        if self._kept is None:
            self._span = self._calls.tracer.start_span(
                str(self._measured["db.query.summary"]),
                kind=SpanKind.CLIENT,
                attributes=self._spanned,
                start_time=self._began,
            )
        self._begun = time.perf_counter()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        seconds = time.perf_counter() - self._begun
        failure: Attributes = {}
        # A stream that is left early has not failed.
        if exc is not None and not isinstance(exc, GeneratorExit):
            failure["error.type"] = error_type(exc)
            if (state := _sqlstate(exc)) is not None:
                failure["db.response.status_code"] = state
        if self._span is not None:
            if failure:
                self._span.set_attributes(failure)
                self._span.set_status(Status(StatusCode.ERROR))
            self._span.end()
        else:
            self._kept.append(
                Kept(
                    str(self._measured["db.query.summary"]),
                    self._spanned | failure,
                    self._began,
                    self._began + int(seconds * 1e9),
                    str(failure["error.type"]) if failure else None,
                )
            )
        self._calls.durations.record(seconds, self._measured | failure)


def error_type(exc: BaseException) -> str:
    """Return the SQLSTATE of a server's error, of another one the name of its class."""
    kind = type(exc)
    name = (
        kind.__qualname__
        if kind.__module__ == "builtins"
        else f"{kind.__module__}.{kind.__qualname__}"
    )
    return _sqlstate(exc) or name


def _sqlstate(exc: BaseException) -> str | None:
    for each in (exc, exc.__cause__):
        if isinstance(each, psycopg.Error) and each.sqlstate is not None:
            return each.sqlstate
    return None
