"""Seam for tracing a worker: its claims, its jobs and their steps."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from taskdb.models.claims import Claim

__all__ = ["Untraced", "traced"]


class Untraced:
    """Traces nothing. `taskdb.otel` puts its own in its place."""

    def background(self) -> AbstractContextManager[object]:
        """Enclose all that a worker does; its jobs are distinct from it."""
        return nullcontext()

    def claiming(self) -> AbstractContextManager[object]:
        """Enclose an attempt to claim. The next `job` is what it claimed."""
        return nullcontext()

    def job(self, claim: Claim) -> AbstractContextManager[object]:
        """Enclose all that is done for a claim."""
        return nullcontext()

    def step(self, name: str) -> AbstractContextManager[object]:
        """Enclose a part of a job: ``work``, or how it ends. The next `job` may follow from it."""
        return nullcontext()

    def ended(self, how: str) -> None:
        """Take note of how the job ended, within its block."""


traced = Untraced()
