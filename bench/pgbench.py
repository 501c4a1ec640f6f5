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
            self.run(f"{named(function)};", values, seconds=seconds, options=options)
            logs = [log.read_text() for log in Path(folder).iterdir()]
        # client, number, microseconds, script, when
        return [int(line.split()[2]) / 1e6 for log in logs for line in log.splitlines()]

    def run(
        self,
        script: str,
        values: Mapping[str, str],
        *,
        seconds: float,
        clients: int = 1,
        options: list[str] | None = None,
    ) -> None:
        """Run *script*, prepared, over and over; pgbench counts in whole seconds."""
        with tempfile.NamedTemporaryFile("w", suffix=".sql") as file:
            file.write(script)
            file.flush()
            command = [
                str(self.binaries / "pgbench"),
                "--no-vacuum",
                "--protocol=prepared",
                f"--client={clients}",
                f"--jobs={clients}",
                f"--time={max(1, round(seconds))}",
                f"--file={file.name}",
                *(f"--define={name}={value}" for name, value in values.items()),
                *(options or []),
                Settings.read(self.url, workspace=WORKSPACE).conninfo,
            ]
            done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode != 0:
            raise RuntimeError(f"pgbench failed: {done.stderr}")
