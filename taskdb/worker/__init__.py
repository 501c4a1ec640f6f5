"""Workers: claim tasks, run a handler for each, report how it ended. docs/workers.md.

::

    async def handle(job: Job) -> None:
        await write_code(job.claim.description)
        job.progress(100, "written")

    async with AsyncDatabase() as database:
        await Worker(database, handle, agent="dev-1", concurrency=4).run()

A handler that is a plain function runs in a thread of its own, and `Worker.serve` is all that a
program without asyncio needs.
"""

from taskdb.worker.jobs import (
    HandlerStuckError,
    Job,
    JobLostError,
    LoopBlockedError,
    Outcome,
    Retry,
    Submit,
)
from taskdb.worker.running import Worker

__all__ = [
    "HandlerStuckError",
    "Job",
    "JobLostError",
    "LoopBlockedError",
    "Outcome",
    "Retry",
    "Submit",
    "Worker",
]
