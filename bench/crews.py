"""The processes that do the work of a run: all get ready, start together and stop together."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from math import ceil
from pathlib import Path
from typing import Final, Protocol

from bench import pgbench
from bench.pgbench import Pgbench

LAUNCH: Final = Path(__file__).parent / "launch.py"


class Crew(Protocol):
    """Processes that work when they are told to."""

    def go(self, seconds: float) -> Sequence[int]:
        """Start work that lasts at least so long; return the ids of the processes."""
        ...

    def wait(self) -> None:
        """Wait until all have ended; raise if one failed."""
        ...


def command(python: str, module: str, *arguments: str) -> list[str]:
    """Return the command that runs a module of the bench on the taskdb of that interpreter."""
    return [python, "-P", str(LAUNCH), module, *arguments]


@dataclass
class Workers:
    """Workers as processes: see `bench.worker`."""

    processes: list[subprocess.Popen[str]]

    def go(self, seconds: float) -> Sequence[int]:
        for process in self.processes:
            assert process.stdout is not None
            if process.stdout.readline() != "ready\n":
                self.wait()
                raise RuntimeError("A worker ended before it was ready")
        for process in self.processes:
            assert process.stdin is not None
            process.stdin.write(f"{seconds}\n")
            process.stdin.flush()
        return [process.pid for process in self.processes]

    def wait(self) -> None:
        ended = [(process, process.communicate()[1]) for process in self.processes]
        for process, errors in ended:
            if process.returncode != 0:
                raise RuntimeError(f"A worker failed: {errors}")


def workers(
    url: str,
    way: str,
    *options: str,
    module: str = "bench.worker",
    python: str = sys.executable,
) -> Callable[[int], Crew]:
    """Return a function that starts the given number of workers."""

    def start(count: int) -> Crew:
        pipe = subprocess.PIPE
        return Workers(
            [
                subprocess.Popen(
                    command(python, module, way, url, f"worker-{number}", *options),
                    stdin=pipe,
                    stdout=pipe,
                    stderr=pipe,
                    text=True,
                )
                for number in range(count)
            ]
        )

    return start


@dataclass
class Clients:
    """The clients of one pgbench."""

    program: Pgbench
    script: str
    values: dict[str, str]
    count: int
    process: subprocess.Popen[str] = field(init=False)

    def go(self, seconds: float) -> Sequence[int]:
        self.process = self.program.start(
            self.script, self.values, seconds=ceil(seconds), clients=self.count
        )
        return [self.process.pid]

    def wait(self) -> None:
        pgbench.wait(self.process)
