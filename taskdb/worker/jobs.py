"""One claim in a handler's hands, and what the handler may make of it."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass
from datetime import timedelta
from typing import Final, TypeAlias

from taskdb.errors import ClaimLostError, TaskdbError
from taskdb.models.claims import Claim
from taskdb.queries.fields import AnyText, Complexity
from taskdb.query import checker

__all__ = [
    "HandlerStuckError",
    "Job",
    "JobLostError",
    "LoopBlockedError",
    "Outcome",
    "Retry",
    "Submit",
    "default_retry",
    "text_of",
]

_FIRST_RETRY: Final = timedelta(seconds=10)
_LAST_RETRY: Final = timedelta(hours=1)
# An error's text may quote the whole input of the handler; so much of it says what went wrong.
_MOST_CHARACTERS: Final = 10_000

_check_percent = checker("percent", Complexity | None)
_check_note = checker("note", AnyText | None)


class JobLostError(ClaimLostError):
    """The claim of a job is lost, or its worker stops: its handler should end."""


@dataclass(frozen=True, slots=True)
class Submit:
    """Result of a handler: hand the task in for review."""

    note: str | None = None


class Retry(Exception):  # noqa: N818
    """Result of a handler, returned or raised: give the task back, to be claimed again later.

    This costs no attempt; raise another error where the attempt failed.
    """

    def __init__(self, after: timedelta = timedelta(0), note: str | None = None) -> None:
        super().__init__(note or "to be tried again later")
        self.after = after
        self.note = note


class HandlerStuckError(TaskdbError):
    """A handler goes on although it was asked to end: its slot is lost until it does."""


class LoopBlockedError(TaskdbError):
    """A handler blocked the event loop, and with it the heartbeats of all jobs."""


Outcome: TypeAlias = None | str | Submit | Retry
"""Return value of a handler: None or a note (completed), `Submit`, or `Retry`."""


@dataclass(slots=True, eq=False)
class Job:
    """A claim that a handler works on."""

    claim: Claim
    lease: timedelta
    renewed_at: float
    """Start of its lease, by this machine's monotonic clock."""
    report: tuple[int | None, str | None] | None = None
    task: asyncio.Task[Outcome] | None = None
    """The handler, where it can be cancelled."""
    why_ended: str | None = None
    ended_at: float = 0.0
    is_lost: bool = False
    is_reported: bool = False
    is_done: bool = False
    """Its handler has returned."""

    def progress(self, percent: int | None = None, note: str | None = None) -> None:
        """Tell how far the work is, 0 to 100 and in words; it goes with the next heartbeat.

        Raises `ValidationError` for what could not be stored.
        """
        _check_percent(percent)
        _check_note(note)
        self.report = (percent, note)

    @property
    def is_ending(self) -> bool:
        """Return whether the handler should end: its claim is lost, or its worker stops."""
        return self.why_ended is not None

    def check(self) -> None:
        """Raise `JobLostError` if the handler should end; for handlers that run in a thread."""
        if self.is_ending:
            raise JobLostError(f"{self.claim.key}: {self.why_ended}")

    def end(self, why: str) -> None:
        """Ask the handler to end: cancel it, or set `is_ending` for one in a thread."""
        if self.why_ended is None and not self.is_done:
            self.why_ended = why
            self.ended_at = time.monotonic()
            if self.task is not None:
                self.task.cancel()


def default_retry(job: Job, error: Exception) -> timedelta | None:
    """Return the pause after a failed attempt: 10 s, doubled with each, an hour at most."""
    return min(_LAST_RETRY, _FIRST_RETRY * (1 << min(job.claim.failed_attempts, 20)))


def text_of(error: BaseException) -> str:
    """Return an error as a text that can be stored, of 10,000 characters at most."""
    try:
        words = str(error)
    except Exception as broken:  # noqa: BLE001  # Its class says more than nothing.
        words = f"its text cannot be read ({type(broken).__name__})"
    text = f"{type(error).__name__}: {words}"[:_MOST_CHARACTERS].rstrip(": ")
    return text.replace("\0", "").encode(errors="replace").decode() or "unnamed error"
