"""Instrumentation for a test, taken back afterwards."""

from __future__ import annotations

from collections.abc import Generator
from typing import Any

import psycopg
import pytest
from opentelemetry.instrumentation.psycopg import PsycopgInstrumentor

import taskdb.otel
from tests.observe.recorder import Recorder


@pytest.fixture
def recorder() -> Recorder:
    return Recorder()


@pytest.fixture
def traced(recorder: Recorder) -> Generator[Recorder]:
    """taskdb's own instrumentation."""
    taskdb.otel.instrument(tracer_provider=recorder.tracers, meter_provider=recorder.meters)
    yield recorder
    taskdb.otel.uninstrument()


@pytest.fixture
def psycopg_traced(database_url: str, recorder: Recorder) -> Generator[Recorder]:
    """The instrumentation of psycopg from PyPI."""
    kinds: tuple[Any, ...] = (psycopg.Connection, psycopg.AsyncConnection)
    connects = [vars(kind)["connect"] for kind in kinds]
    instrumentor = PsycopgInstrumentor()
    instrumentor.instrument(tracer_provider=recorder.tracers)
    yield recorder
    instrumentor.uninstrument()
    # It leaves them bound.
    for kind, connect in zip(kinds, connects, strict=True):
        kind.connect = connect
