"""Watch beside the jobs: heartbeats, lapsed leases, handlers that misbehave."""

from __future__ import annotations

import asyncio
import logging
import sys
import threading
import time
import traceback
from collections import defaultdict
from collections.abc import Awaitable, Callable
from datetime import timedelta
from types import FrameType, TracebackType
from typing import Any, Final, Self

from psycopg.errors import LockNotAvailable

from taskdb.errors import ClaimLostError
from taskdb.queries import claims
from taskdb.worker.jobs import HandlerStuckError, Job, JobLostError, LoopBlockedError
from taskdb.worker.line import ServerLine

__all__ = ["Watch"]

logger = logging.getLogger("taskdb.worker")

_LONGEST_TICK: Final = 1.0
_STUCK_SECONDS: Final = 10.0


class Watch:
    """Renews the leases of a worker's jobs, ends jobs whose claim is lost, reports handlers.

    A thread sees whether the event loop still turns, for nothing on the loop could.
    """

    def __init__(
        self,
        line: ServerLine,
        jobs: set[Job],
        report: Callable[[Job | None, Exception], Awaitable[None]],
        note_end: Callable[[asyncio.Task[None]], None],
        shortest_lease: timedelta,
    ) -> None:
        self._line = line
        self._jobs = jobs
        self._report = report
        self._note_end = note_end
        self._tick = min(_LONGEST_TICK, shortest_lease.total_seconds() / 6)
        self._stall = max(1.0, min(_STUCK_SECONDS, shortest_lease.total_seconds() / 3))
        self._ticked = time.monotonic()
        self._over = threading.Event()
        self._tasks: list[asyncio.Task[None]] = []

    async def __aenter__(self) -> Self:
        self._ticked = time.monotonic()
        loop_thread = threading.get_ident()
        threading.Thread(target=self._see_loop, args=[loop_thread], daemon=True).start()
        create = asyncio.get_running_loop().create_task
        self._tasks = [create(self._beat_on()), create(self._tick_on())]
        for task in self._tasks:
            task.add_done_callback(self._note_end)
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._over.set()
        for task in self._tasks:
            task.cancel()
        # One that failed has called `note_end`.
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _beat_on(self) -> None:
        while True:
            await asyncio.sleep(self._tick)
            for job in [job for job in self._jobs if job.report is not None]:
                await self._tell_progress(job)
            due: defaultdict[timedelta, list[Job]] = defaultdict(list)
            for job in self._jobs:
                if time.monotonic() - job.renewed_at > job.lease.total_seconds() / 3:
                    due[job.lease].append(job)
            for lease, jobs in due.items():
                await self._renew(lease, jobs)

    async def _tell_progress(self, job: Job) -> None:
        report, job.report = job.report, None
        percent, note = report or (None, None)
        begun = time.monotonic()
        try:
            await self._line.call(
                lambda conn: claims.heartbeat(
                    conn,
                    task_id=job.claim.task_id,
                    token=job.claim.token,
                    lease=job.lease,
                    progress=percent,
                    note=note,
                ),
                waits_for_locks=False,
            )
            job.renewed_at = begun
        except LockNotAvailable:
            job.report = job.report or report
        except ClaimLostError:
            self._lose(job, "its claim is lost")

    async def _renew(self, lease: timedelta, jobs: list[Job]) -> None:
        begun = time.monotonic()
        try:
            rows = await self._line.call(
                lambda conn: claims.heartbeat_many(
                    conn,
                    task_ids=[job.claim.task_id for job in jobs],
                    tokens=[job.claim.token for job in jobs],
                    lease=lease,
                ),
                waits_for_locks=False,
            )
        except LockNotAvailable:
            # Another session has the task of one of them: the others are not to wait for it.
            if len(jobs) > 1:
                half = len(jobs) // 2
                await self._renew(lease, jobs[:half])
                await self._renew(lease, jobs[half:])
            return
        for job, row in zip(jobs, rows, strict=True):
            if row.was_held:
                job.renewed_at = begun
            else:
                self._lose(job, "its claim is lost")

    async def _tick_on(self) -> None:
        while True:
            await asyncio.sleep(self._tick)
            now = time.monotonic()
            blocked, self._ticked = now - self._ticked - self._tick, now
            if blocked > self._stall:
                await self._report(
                    None,
                    LoopBlockedError(
                        f"the event loop was blocked for {blocked:.1f} s, and no lease was renewed",
                        hint="Let the handler await, or make it a plain function",
                    ),
                )
            for job in list(self._jobs):
                is_over = now - job.renewed_at > job.lease.total_seconds()
                if is_over and not job.is_ending and not job.is_done:
                    self._lose(job, "its lease is over, and no heartbeat succeeded")
                    await self._report(job, JobLostError(f"{job.claim.key}: {job.why_ended}"))
                if job.is_ending and now - job.ended_at > _STUCK_SECONDS and not job.is_reported:
                    job.is_reported = True
                    await self._report(job, _stuck(job))

    @staticmethod
    def _lose(job: Job, why: str) -> None:
        if not job.is_done:
            job.is_lost = True
            job.end(why)

    def _see_loop(self, loop_thread: int) -> None:
        """Log where the event loop stands, once each time that it stands still."""
        was_late = False
        while not self._over.wait(self._stall / 4):
            late = time.monotonic() - self._ticked
            if (is_late := late > self._stall) and not was_late:
                frame = sys._current_frames().get(loop_thread)  # pyright: ignore[reportPrivateUsage]
                stack = "".join(traceback.format_stack(frame)) if frame else ""
                logger.error(
                    "the event loop has been blocked for %.1f s:\n%s",
                    late,
                    stack,
                    extra={"blocked_seconds": round(late, 3)},
                )
            was_late = is_late


def _stuck(job: Job) -> HandlerStuckError:
    where = "" if job.task is None else "\n" + _awaiting(job.task)
    return HandlerStuckError(
        f"{job.claim.key}: the handler goes on, {_STUCK_SECONDS:g} s after it was asked to end"
        f" ({job.why_ended}){where}",
        hint="Let it end on CancelledError; in a thread, call job.check() now and then",
    )


def _awaiting(task: asyncio.Task[Any]) -> str:
    """Return where a task is suspended: its innermost coroutines, which its own stack has not."""
    frames: list[FrameType] = []
    coroutine: Any = task.get_coro()
    while (frame := getattr(coroutine, "cr_frame", None)) is not None:
        frames.append(frame)
        coroutine = coroutine.cr_await
    lines = traceback.StackSummary.extract((frame, frame.f_lineno) for frame in frames[-3:])
    return "".join(lines.format())
