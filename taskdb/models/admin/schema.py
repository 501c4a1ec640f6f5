"""Parts of a schema, as comparable rows."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(slots=True)
class Aspect:
    """One aspect of one object: the ``type`` of ``column`` ``tasks.status``."""

    kind: str
    name: str
    aspect: str
    value: str | None
