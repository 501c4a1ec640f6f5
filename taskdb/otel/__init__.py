"""Spans and metrics of OpenTelemetry, by its conventions for databases. docs/operations.md.

::

    import taskdb.otel

    taskdb.otel.instrument()

It needs the extra `taskdb[otel]`, which is the API alone; the program brings the SDK. Before that
call nothing of it is loaded, and queries cost what they cost without it.
"""

from taskdb.errors import needing

with needing("otel"):
    from taskdb.otel.instrumentation import instrument, uninstrument

__all__ = ["instrument", "uninstrument"]
