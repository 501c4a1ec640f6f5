"""The worker: claims, slots, the end of each job, and its own end."""

from __future__ import annotations

import asyncio
import inspect
import logging
import time
from collections.abc import Awaitable, Callable, Mapping
from datetime import timedelta
from functools import partial
from typing import Annotated, Any, Final, TypeAlias, cast
from uuid import uuid4

import psycopg

from taskdb.database import AsyncDatabase, Database
from taskdb.errors import ClaimLostError, TaskdbError, ValidationError
from taskdb.events.hearing import POLL, pauses
from taskdb.events.waiting_async import AsyncWaiter
from taskdb.models.claims import Claim
from taskdb.queries import claims
from taskdb.queries.claims import DEFAULT_LEASE
from taskdb.queries.fields import Delay, Interval, Name, WorkerLease
from taskdb.query import Range, checked, checker
from taskdb.worker import tracing
from taskdb.worker.jobs import (
    HandlerStuckError,
    Job,
    Outcome,
    Retry,
    Submit,
    default_retry,
    text_of,
)
from taskdb.worker.line import ABSENT, ServerLine
from taskdb.worker.signals import stopped_by_signals
from taskdb.worker.threads import in_thread
from taskdb.worker.watching import Watch

__all__ = ["Worker"]

logger = logging.getLogger("taskdb.worker")

Handler: TypeAlias = Callable[[Job], Awaitable[Outcome]] | Callable[[Job], Outcome]
Hook: TypeAlias = Callable[..., Any]

# A handler that was asked to end does so within this time, or is reported.
GRACE_SECONDS: Final = 10.0
# After its jobs have ended a stopping worker tries this long to reach a server that is away.
_FAREWELL_SECONDS: Final = 5.0
_NOTHING: Final = timedelta(0)

_check_pause = checker("retry", Delay | None)


class Worker:
    """Claims tasks, runs *handler* for each, and reports how it ended, until it is stopped.

    *handler* gets a `Job`. A coroutine function runs on the event loop, another one in a thread
    of its own. What it returns completes the task (None, or a note), hands it in (`Submit`) or
    gives it back (`Retry`); what it raises fails the attempt, and *retry* says when the next one
    may begin (None: never); without *retry* the task's own back-off says it, else `default_retry`.
    After *timeout* the attempt has failed.

    At most *concurrency* jobs run at once. A claim holds for *lease*, or what *leases* says for
    its agent type (half a second at least), and is renewed three times as often; when it is lost
    the handler is cancelled (in a thread, `job.check` raises). SIGTERM, SIGINT and `stop` end the
    worker: it claims no more, gives its jobs *drain* to end, then cancels them and gives their
    tasks back. It does so at once where `run` is cancelled. A signal that the program handles
    itself is left to it.

    Hooks, plain or coroutine functions, are called on the event loop: ``on_start(job)``,
    ``on_end(job, how)`` with ``completed``, ``submitted``, ``failed``, ``released`` or ``lost``,
    ``on_error(job, error)`` also for `HandlerStuckError` and `LoopBlockedError` (the latter with
    no job), ``on_idle(worker)`` when it has nothing to do: ``on_idle=Worker.stop`` ends it then.
    What a hook raises is logged.

    The worker has two connections of its own and takes none from the pool of *database*.
    """

    @checked
    def __init__(
        self,
        database: AsyncDatabase | Database,
        handler: Handler,
        *,
        agent: Name,
        agent_type: Name | None = None,
        concurrency: Annotated[int, Range(1)] = 1,
        lease: WorkerLease = DEFAULT_LEASE,
        leases: Mapping[str, WorkerLease] | None = None,
        poll: Interval = POLL,
        timeout: Delay | None = None,
        drain: Delay = timedelta(seconds=30),
        retry: Callable[[Job, Exception], timedelta | None] | None = None,
        on_start: Hook | None = None,
        on_end: Hook | None = None,
        on_error: Hook | None = None,
        on_idle: Hook | None = None,
    ) -> None:
        self.agent = agent
        self.agent_type = agent_type
        self._settings = database.settings
        self._handler = handler
        function: Any = handler
        while isinstance(function, partial):
            function = function.func
        self._is_async = inspect.iscoroutinefunction(function) or inspect.iscoroutinefunction(
            getattr(function, "__call__", None)  # noqa: B004
        )
        self._concurrency = concurrency
        self._leases = dict(leases or {})
        self._lease = self._leases.get(agent_type or "", lease)
        self._poll = poll
        self._timeout = timeout.total_seconds() if timeout else None
        self._drain_seconds = drain.total_seconds()
        self._retry = retry
        self._on_start = on_start
        self._on_end = on_end
        self._on_error = on_error
        self._on_idle = on_idle
        self._line = ServerLine(self._settings, self._shortest_lease())
        self._jobs: set[Job] = set()
        self._slots: set[asyncio.Task[None]] = set()
        self._poke = asyncio.Event()
        self._stopping = False
        self._failure: BaseException | None = None

    def serve(self) -> None:
        """Run until stopped, in a program without asyncio."""
        asyncio.run(self.run())

    def stop(self) -> None:
        """Claim no more and end when the jobs have; once more, end them now.

        Call it on the worker's event loop; a signal does.
        """
        if self._stopping:
            self._drain_seconds = 0.0
        self._stopping = True
        self._poke.set()

    async def run(self) -> None:
        """Run until stopped. Raises what keeps it from claiming, other than an absent server."""
        watch = Watch(self._line, self._jobs, self._report, self._note_end, self._shortest_lease())
        with tracing.traced.background(), stopped_by_signals(self.stop):
            try:
                async with watch:
                    await self._work_on()
            finally:
                await self._line.close()
        if self._failure is not None:
            raise self._failure

    async def _work_on(self) -> None:
        """Claim until stopped; whatever ends that, the jobs end with it."""
        try:
            await self._claim_on()
        except asyncio.CancelledError:
            self._drain_seconds = 0.0
            raise
        finally:
            self._stopping = True
            await self._drain()

    async def _claim_on(self) -> None:
        """Fill free slots; wait where there is nothing to claim."""
        async with AsyncWaiter(self._settings, self.agent_type) as waiter:
            looks = pauses(self._poll)
            while not self._stopping:
                if len(self._slots) >= self._concurrency:
                    await waiter.stop()
                    await self._poke.wait()
                    self._poke.clear()
                    continue
                claim = await self._claim()
                if claim is not None:
                    self._begin(claim)
                elif self._stopping:
                    break
                elif await waiter.start():
                    # Look once more: what became ready before this woke nobody.
                    looks = pauses(self._poll)
                else:
                    if not self._slots:
                        await self._hook(self._on_idle, self)
                        if self._stopping:
                            break
                    await self._wait(waiter, next(looks))

    async def _wait(self, waiter: AsyncWaiter, seconds: float) -> None:
        """Wait until a task became ready, a slot is free, or the worker is to stop."""
        heard = asyncio.ensure_future(waiter.heard(seconds))
        poked = asyncio.ensure_future(self._poke.wait())
        try:
            await asyncio.wait({heard, poked}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            heard.cancel()
            poked.cancel()
            await asyncio.wait({heard, poked})
        self._poke.clear()
        if not heard.cancelled():
            heard.result()

    async def _claim(self) -> Claim | None:
        request = uuid4()
        with tracing.traced.claiming():
            try:
                return await self._line.call(
                    lambda conn: claims.claim_next(
                        conn,
                        agent=self.agent,
                        agent_type=self.agent_type,
                        lease=self._lease,
                        request_id=request,
                    ),
                    is_wanted=lambda: not self._stopping,
                )
            except ABSENT:
                if not self._stopping:
                    raise
                return None  # The worker stops while the server is away.

    def _begin(self, claim: Claim) -> None:
        slot = asyncio.get_running_loop().create_task(self._fill_slot(claim))
        self._slots.add(slot)
        slot.add_done_callback(self._free)

    def _free(self, slot: asyncio.Task[None]) -> None:
        self._slots.discard(slot)
        self._poke.set()
        self._note_end(slot)

    def _note_end(self, task: asyncio.Task[None]) -> None:
        """Stop if a part of the worker failed: `run` raises its error when the jobs have ended."""
        if not task.cancelled() and (failure := task.exception()) is not None:
            self._failure = self._failure or failure
            self._stopping = True
            self._poke.set()

    async def _fill_slot(self, claim: Claim | None) -> None:
        """Work on a claim, and on those that follow in the same breath."""
        while claim is not None:
            with tracing.traced.job(claim):
                claim = await self._fill_with(claim)

    async def _fill_with(self, claim: Claim) -> Claim | None:
        lease = self._leases.get(claim.agent_type or "", self._lease)
        # A lease of another length than the claim's begins with the next heartbeat.
        age = 0.0 if lease == self._lease else lease.total_seconds() / 2
        job = Job(claim, lease, renewed_at=time.monotonic() - age)
        if self._stopping:
            # Not begun, and claimed just as the worker was told to stop.
            job.why_ended = "the worker stops"
            return await self._end(job, Retry(note=job.why_ended))
        self._jobs.add(job)
        try:
            return await self._work(job)
        finally:
            self._jobs.discard(job)

    async def _work(self, job: Job) -> Claim | None:
        """Run the handler, and end the claim as it ended; return the next claim, if any."""
        await self._hook(self._on_start, job)
        if job.is_lost:
            await self._tell_end(job, "lost")
            return None
        if job.is_ending:
            return await self._end(job, Retry(note=job.why_ended))
        task = asyncio.ensure_future(self._run(job))
        if self._is_async:
            job.task = task
        done, _ = await asyncio.wait({task}, timeout=self._timeout)
        if not done:
            job.end(f"it did not end within {self._timeout:g} s")
            await asyncio.wait({task})
        job.is_done = True
        if job.is_lost:
            await self._tell_end(job, "lost")
            return None
        error = asyncio.CancelledError() if task.cancelled() else task.exception()
        if error is None:
            return await self._end(job, task.result())
        if isinstance(error, Retry):
            return await self._end(job, error)
        if self._stopping and job.is_ending:
            return await self._end(job, Retry(note=job.why_ended))
        if job.is_ending:
            error = TimeoutError(job.why_ended)
        elif not isinstance(error, Exception):
            error = RuntimeError(f"the handler ended with {error!r}")
        await self._report(job, error)
        return await self._fail(job, error)

    async def _run(self, job: Job) -> Outcome:
        try:
            with tracing.traced.step("work"):
                if self._is_async:
                    return await cast("Callable[[Job], Awaitable[Outcome]]", self._handler)(job)
                return await in_thread(cast("Callable[[Job], Outcome]", self._handler), job)
        except (SystemExit, KeyboardInterrupt) as exc:
            # It would end the event loop, and with it every other job. A real Ctrl-C is a signal.
            raise RuntimeError(f"the handler ended with {exc!r}") from exc

    async def _end(self, job: Job, outcome: Outcome) -> Claim | None:
        """Store the result of a job; return the next claim, if any.

        What cannot be stored fails this attempt, and nothing else.
        """
        following: Claim | None = None
        try:
            how, following = await self._store(job, outcome)
        except ClaimLostError:
            how = "lost"
        except ABSENT:
            raise
        except (psycopg.Error, TaskdbError) as refused:
            await self._report(job, refused)
            return await self._fail(job, refused)
        await self._tell_end(job, how)
        return following

    async def _store(self, job: Job, outcome: Outcome) -> tuple[str, Claim | None]:
        named: dict[str, Any] = {"task_id": job.claim.task_id, "token": job.claim.token}
        match outcome:
            case Submit(note=note):
                with tracing.traced.step("submit"):
                    await self._line.call(lambda conn: claims.submit(conn, note=note, **named))
                return "submitted", None
            case Retry():
                named |= {
                    "note": outcome.note,
                    "retry_in": None if outcome.after == _NOTHING else outcome.after,
                }
                with tracing.traced.step("release"):
                    await self._line.call(lambda conn: claims.release(conn, **named))
                return "released", None
            case None | str():
                with tracing.traced.step("complete"):
                    return "completed", await self._complete(outcome, named)
            case _:
                kind = type(outcome).__name__
                rule = f"must be None, a note, Submit or Retry, not {kind}"
                raise ValidationError("the handler's result", rule)

    async def _complete(self, note: str | None, named: dict[str, Any]) -> Claim | None:
        """Complete the task, and claim the next one unless the worker stops."""
        if self._stopping:
            await self._line.call(lambda conn: claims.complete(conn, note=note, **named))
            return None
        request = uuid4()
        done = await self._line.call(
            lambda conn: claims.complete_and_claim_next(
                conn,
                agent=self.agent,
                agent_type=self.agent_type,
                lease=self._lease,
                note=note,
                request_id=request,
                **named,
            )
        )
        return done.claim

    async def _fail(self, job: Job, error: Exception) -> Claim | None:
        when = await self._pause_after(job, error)
        how = "failed"
        try:
            with tracing.traced.step("fail"):
                await self._line.call(
                    lambda conn: claims.fail(
                        conn,
                        task_id=job.claim.task_id,
                        token=job.claim.token,
                        error=text_of(error),
                        **when,
                    )
                )
        except ClaimLostError:
            how = "lost"
        await self._tell_end(job, how)
        return None

    async def _tell_end(self, job: Job, how: str) -> None:
        tracing.traced.ended(how)
        await self._hook(self._on_end, job, how)

    async def _pause_after(self, job: Job, error: Exception) -> dict[str, timedelta | None]:
        """Return what *retry* says; else, or where that cannot be kept, the task's or the usual."""
        if self._retry is not None:
            try:
                pause = self._retry(job, error)
                _check_pause(pause)
            except Exception as wrong:  # noqa: BLE001  # It is reported, and the attempt has failed.
                await self._report(job, wrong)
            else:
                return {"retry_in": pause}
        return {"default_retry_in": default_retry(job, error)}

    async def _drain(self) -> None:
        """Let the jobs end, then end them."""
        begun = time.monotonic()
        try:
            while self._slots and time.monotonic() - begun < self._drain_seconds:
                # Short: a second signal is heeded.
                await asyncio.wait(self._slots, timeout=0.1)
        finally:
            # Also when `run` is cancelled meanwhile.
            await self._end_jobs()

    async def _end_jobs(self) -> None:
        self._line.give_up_at = time.monotonic() + _FAREWELL_SECONDS
        for job in list(self._jobs):
            job.end("the worker stops")
        if self._slots:
            await asyncio.wait(self._slots, timeout=GRACE_SECONDS)
        for job in list(self._jobs):
            # If it ends yet, nobody is there to store its result.
            job.is_lost = True
            message = f"{job.claim.key}: its handler does not end; the claim will lapse"
            await self._report(job, HandlerStuckError(message))

    async def _report(self, job: Job | None, error: Exception) -> None:
        """Log what went wrong, and tell the hook."""
        key = job.claim.key if job else "worker"
        fields = {"agent": self.agent, "task": key if job else None, "error": type(error).__name__}
        shown = error if error.__traceback__ else None
        logger.error("%s: %s", key, text_of(error), exc_info=shown, extra=fields)
        await self._hook(self._on_error, job, error)

    async def _hook(self, hook: Hook | None, *args: Any) -> None:
        if hook is None:
            return
        try:
            result = hook(*args)
            if inspect.isawaitable(result):
                await result
        except (Exception, SystemExit, KeyboardInterrupt, asyncio.CancelledError) as exc:
            around = asyncio.current_task()
            if isinstance(exc, asyncio.CancelledError) and around and around.cancelling():
                raise
            # A fault of an observer does not stop the work.
            logger.exception("a hook of the worker failed", extra={"agent": self.agent})

    def _shortest_lease(self) -> timedelta:
        return min([self._lease, *self._leases.values()])
