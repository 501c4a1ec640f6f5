"""The agents' processes: started, watched, one of them killed, all of them ended."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import IO, Final

from taskdb.demo import agent
from taskdb.demo.agent import Shift
from taskdb.errors import TaskdbError

__all__ = ["Crew", "Member"]

# Until a statement that was sent has reached the server, and a stopped process stands still.
SETTLE_SECONDS: Final = 0.02
END_SECONDS: Final = 5.0


@dataclass(slots=True)
class Member:
    """One agent: its process, what it wrote to stderr, and what it held when it was killed."""

    job: Shift
    process: subprocess.Popen[bytes]
    complaints: IO[bytes]
    killed_at: str | None = field(default=None)

    @property
    def name(self) -> str:
        """The agent's name."""
        return self.job.name

    @property
    def lives(self) -> bool:
        """Return whether its process runs."""
        return self.process.poll() is None


class Crew:
    """The agents of a demo; used with `with`, so that none outlives it."""

    def __init__(self, jobs: Sequence[Shift]) -> None:
        self._jobs = jobs
        self.members: list[Member] = []

    def __enter__(self) -> Crew:
        for job in self._jobs:
            complaints = tempfile.TemporaryFile()
            process = subprocess.Popen(
                [sys.executable, "-P", "-m", agent.__name__, job.as_json()],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=complaints,
                # Ctrl-C is for us; we end them.
                start_new_session=True,
            )
            self.members.append(Member(job, process, complaints))
        return self

    def __exit__(self, *_: object) -> None:
        for member in self.members:
            if member.lives:
                member.process.kill()
            member.process.wait(END_SECONDS)
            member.complaints.close()

    @property
    def at_work(self) -> bool:
        """Return whether any agent lives."""
        return any(member.lives for member in self.members)

    def check(self) -> None:
        """Raise `TaskdbError` with an agent's own last words if one ended in failure."""
        for member in self.members:
            if member.killed_at is None and member.process.poll() not in (None, 0):
                member.complaints.seek(0)
                words = member.complaints.read().decode(errors="replace").strip().splitlines()
                raise TaskdbError(
                    f"{member.name} ended with status {member.process.returncode}: "
                    f"{words[-1] if words else 'it left no word'}"
                )

    def kill_one_at_work(self, in_hand: Callable[[str], str | None]) -> Member | None:
        """Kill (SIGKILL) an agent in the middle of a task; return it, or None if none was caught.

        *in_hand* tells from the database what an agent's claim is. Each agent is stopped
        before it is asked about, so that the answer still holds when the signal comes.
        """
        for member in random.sample(self.members, len(self.members)):
            if not member.lives:
                continue
            os.kill(member.process.pid, signal.SIGSTOP)
            time.sleep(SETTLE_SECONDS)
            key = in_hand(member.name)
            if key is not None:
                member.killed_at = key
                member.process.kill()
                member.process.wait(END_SECONDS)
                return member
            os.kill(member.process.pid, signal.SIGCONT)
        return None
