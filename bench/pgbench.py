"""The ceiling: the same statements from pgbench, which is written in C and decodes nothing."""

from __future__ import annotations

import subprocess
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench import WORKSPACE, named
from taskdb.database.settings import Settings
from taskdb.query import Query


@dataclass(frozen=True, slots=True)
class Pgbench:
    """pgbench from the folder *binaries*, on the workspace of the bench."""

    url: str
    binaries: Path

    def latencies(
        self, function: Query[..., Any], values: Mapping[str, str], seconds: float
    ) -> list[float]:
        """Run one query on one connection; return how many seconds each call took."""
        with tempfile.TemporaryDirectory() as folder:
            prefix = Path(folder, "calls")
            options = ["--log", f"--log-prefix={prefix}"]
            script = f"{named(function)};"
            wait(self.start(script, values, seconds=seconds, options=options))
            logs = [log.read_text() for log in Path(folder).iterdir()]
        # client, number, microseconds, script, when
        return [int(line.split()[2]) / 1e6 for log in logs for line in log.splitlines()]

    def start(
        self,
        script: str,
        values: Mapping[str, str],
        *,
        seconds: float,
        clients: int = 1,
        options: list[str] | None = None,
    ) -> subprocess.Popen[str]:
        """Run *script*, prepared, over and over; pgbench counts in whole seconds."""
        command = [
            str(self.binaries / "pgbench"),
            "--no-vacuum",
            "--protocol=prepared",
            f"--client={clients}",
            f"--jobs={clients}",
            f"--time={max(1, round(seconds))}",
            "--file=-",
            *(f"--define={name}={value}" for name, value in values.items()),
            *(options or []),
            Settings.read(self.url, workspace=WORKSPACE).conninfo,
        ]
        pipe = subprocess.PIPE
        process = subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=pipe, text=True)
        assert process.stdin is not None
        process.stdin.write(script)
        process.stdin.close()
        process.stdin = None
        return process


def wait(process: subprocess.Popen[str]) -> None:
    """Wait for pgbench to end; raise if it failed."""
    _, errors = process.communicate()
    if process.returncode != 0 or "aborted" in errors:
        raise RuntimeError(f"pgbench failed: {errors}")
