"""Spans of a worker: a job, and in it the claim, the work and how it ended.

::

    job                             from before the claim until after its end
    ├── claim
    │   └── claims.claim_next       a query's span
    ├── work                        the handler, and what it does
    └── complete                    or submit, release, fail
        └── claims.complete_and_claim_next

A claim that comes with the completion of the job before has no query of its own; its job is
linked to that completion. Claims that found nothing, heartbeats and waiting are measured, and make
no span.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Generator, MutableSequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Final

from opentelemetry.context import Context, attach, detach, set_value
from opentelemetry.metrics import Meter
from opentelemetry.trace import (
    Link,
    SpanContext,
    SpanKind,
    Status,
    StatusCode,
    Tracer,
    set_span_in_context,
)

from taskdb.models.claims import Claim
from taskdb.otel.calls import BUCKETS, KEPT, Kept, error_type
from taskdb.worker.jobs import Retry
from taskdb.worker.tracing import Untraced

__all__ = ["Jobs"]


@dataclass(slots=True)
class Origin:
    """The beginning of a claim. Times in nanoseconds."""

    begun: int = field(default_factory=time.time_ns)
    ended: int | None = None
    clock: float = field(default_factory=time.perf_counter)
    calls: list[Kept] = field(default_factory=list[Kept])
    """The calls that claimed it; no span is made of them yet."""
    after: SpanContext | None = None
    """The completion that claimed it."""


_origin: Final[ContextVar[Origin | None]] = ContextVar("taskdb_origin", default=None)
_outcome: Final[ContextVar[str | None]] = ContextVar("taskdb_outcome", default=None)


class Jobs(Untraced):
    """Makes the spans of workers, and measures their jobs."""

    def __init__(self, tracer: Tracer, meter: Meter) -> None:
        self._tracer = tracer
        self._durations = meter.create_histogram(
            "taskdb.job.duration",
            unit="s",
            description="Duration of a worker's jobs, from the claim to the end.",
            explicit_bucket_boundaries_advisory=(*BUCKETS, 60.0, 600.0, 3600.0),
        )

    @contextmanager
    def background(self) -> Generator[None]:
        """Make no spans of what concerns no job."""
        with _keeping(deque(maxlen=0)):
            yield

    @contextmanager
    def claiming(self) -> Generator[None]:
        """Keep what the claim did until there is a job to tell it of."""
        origin = Origin()
        with _keeping(origin.calls):
            yield
        origin.ended = time.time_ns()
        _origin.set(origin)

    @contextmanager
    def job(self, claim: Claim) -> Generator[None]:
        """Make the span of a job, in a trace of its own, and that of its claim."""
        origin = _origin.get() or Origin()
        kind = claim.agent_type or ""
        span = self._tracer.start_span(
            "job",
            Context(),
            kind=SpanKind.CONSUMER,
            attributes={
                "taskdb.task.id": str(claim.task_id),
                "taskdb.task.key": claim.key,
                "taskdb.task.attempt": claim.failed_attempts + 1,
                "taskdb.agent": claim.agent,
                "taskdb.agent_type": kind,
            },
            links=[Link(origin.after)] if origin.after else None,
            start_time=origin.begun,
        )
        context = set_span_in_context(span, Context())
        claimed = self._tracer.start_span("claim", context, start_time=origin.begun)
        for call in origin.calls:
            call.report(self._tracer, set_span_in_context(claimed, context))
        claimed.end(origin.ended)
        _outcome.set(None)
        token = attach(context)
        try:
            yield
        finally:
            detach(token)
            # None: the worker itself failed.
            outcome = _outcome.get() or "none"
            span.set_attribute("taskdb.outcome", outcome)
            span.end()
            self._durations.record(
                time.perf_counter() - origin.clock,
                {"taskdb.outcome": outcome, "taskdb.agent_type": kind},
            )

    @contextmanager
    def step(self, name: str) -> Generator[None]:
        """Make the span of a part of a job."""
        origin = Origin()
        with self._tracer.start_as_current_span(
            name, record_exception=False, set_status_on_exception=False
        ) as span:
            try:
                yield
            except BaseException as exc:
                if not isinstance(exc, Retry):
                    span.set_attribute("error.type", error_type(exc))
                    span.set_status(Status(StatusCode.ERROR))
                raise
            finally:
                origin.ended = time.time_ns()
                origin.after = span.get_span_context()
                _origin.set(origin)

    def ended(self, how: str) -> None:
        """Remember how the job ended."""
        _outcome.set(how)


@contextmanager
def _keeping(calls: MutableSequence[Kept]) -> Generator[None]:
    """Have calls of the block kept here, and no spans made of them."""
    token = attach(set_value(KEPT, calls))
    try:
        yield
    finally:
        detach(token)
