"""Spans and metrics of a test, kept in memory."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import (
    HistogramDataPoint,
    InMemoryMetricReader,
    NumberDataPoint,
)
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

Point = HistogramDataPoint | NumberDataPoint


@dataclass
class Recorder:
    """Providers of spans and metrics, and all that came out of them."""

    exporter: InMemorySpanExporter = field(default_factory=InMemorySpanExporter)
    reader: InMemoryMetricReader = field(default_factory=InMemoryMetricReader)
    tracers: TracerProvider = field(init=False)
    meters: MeterProvider = field(init=False)

    def __post_init__(self) -> None:
        self.tracers = TracerProvider()
        self.tracers.add_span_processor(SimpleSpanProcessor(self.exporter))
        self.meters = MeterProvider([self.reader])

    def spans(self) -> list[ReadableSpan]:
        """Return the spans that have ended, in the order in which they did."""
        return list(self.exporter.get_finished_spans())

    def names(self) -> list[str]:
        return [span.name for span in self.spans()]

    def only(self, name: str) -> ReadableSpan:
        """Return the one span of a name."""
        (span,) = [span for span in self.spans() if span.name == name]
        return span

    def points(self, name: str) -> list[tuple[Mapping[str, object], Point]]:
        """Return the points of a metric, each with its attributes."""
        data = self.reader.get_metrics_data()
        return [
            (dict(point.attributes or {}), point)
            for resource in (data.resource_metrics if data else [])
            for scope in resource.scope_metrics
            for metric in scope.metrics
            if metric.name == name
            for point in metric.data.data_points
            if isinstance(point, HistogramDataPoint | NumberDataPoint)
        ]

    def tree(self) -> list[str]:
        """Return the spans as an indented tree, each level in the order of their begins."""
        spans = sorted(self.spans(), key=lambda span: span.start_time or 0)
        lines: list[str] = []

        def add(parent: int | None, depth: int) -> None:
            for span in spans:
                if (span.parent.span_id if span.parent else None) == parent:
                    lines.append("  " * depth + span.name)
                    assert span.context is not None
                    add(span.context.span_id, depth + 1)

        add(None, 0)
        return lines
