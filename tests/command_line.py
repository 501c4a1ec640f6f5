"""Running the command line: in this process, in one of its own, and on a terminal."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import pty
import re
import signal
import struct
import subprocess
import sys
import termios
from collections.abc import Generator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from taskdb.cli import main

ESCAPES = re.compile(r"\x1b(\[[0-9;?]*[ -/]*[@-~]|\][^\x07]*\x07|[=>])")


@dataclass(frozen=True)
class Outcome:
    """Exit status and output of a call."""

    status: int
    out: str
    err: str

    @property
    def data(self) -> Any:
        """Output, as JSON."""
        return json.loads(self.out)


class Caller:
    """Calls the command line in this process, against *url*."""

    def __init__(self, capsys: pytest.CaptureFixture[str], url: str) -> None:
        self.capsys = capsys
        self.url = url

    def __call__(self, *arguments: str | Path) -> Outcome:
        self.capsys.readouterr()
        status = main(["--url", self.url, *map(str, arguments)])
        printed = self.capsys.readouterr()
        return Outcome(status, printed.out, printed.err)


def environment(more: Mapping[str, str] | None = None) -> dict[str, str]:
    """This process's environment, without what changes how output looks."""
    hidden = ("NO_COLOR", "FORCE_COLOR", "COLUMNS", "TERM", "PYTHONWARNINGS")
    kept = {name: value for name, value in os.environ.items() if name not in hidden}
    return {**kept, "TERM": "xterm-256color", **(more or {})}


def command(*arguments: str | Path) -> list[str]:
    return [sys.executable, "-m", "taskdb", *map(str, arguments)]


def run(*arguments: str | Path, folder: Path, more: Mapping[str, str] | None = None) -> Outcome:
    """Run the command line in a process of its own, without a terminal."""
    done = subprocess.run(
        command(*arguments),
        cwd=folder,
        env=environment(more),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    return Outcome(done.returncode, done.stdout, done.stderr)


@dataclass(frozen=True)
class Screen:
    """Raw output sent to a terminal."""

    status: int
    sent: str

    @property
    def text(self) -> str:
        """Without colours and movements of the cursor."""
        return ESCAPES.sub("", self.sent).replace("\r", "")


def run_on_terminal(
    *arguments: str | Path,
    folder: Path,
    columns: int = 100,
    more: Mapping[str, str] | None = None,
) -> Screen:
    """Run the command line on a terminal of its own."""
    ours, theirs = open_terminal(columns)
    with subprocess.Popen(
        command(*arguments),
        cwd=folder,
        env=environment(more),
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        start_new_session=True,
    ) as process:
        os.close(theirs)
        sent = read_terminal(ours)
        status = process.wait()
    return Screen(status, sent)


def open_terminal(columns: int) -> tuple[int, int]:
    """Open a terminal of 40 lines; return the reader's end and the program's."""
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 40, columns, 0, 0))
    return ours, theirs


def read_terminal(ours: int) -> str:
    """Return what was sent to a terminal until its program ended, and close it."""
    sent = b"".join(_read(ours))
    os.close(ours)
    return sent.decode()


def _read(terminal: int) -> Generator[bytes]:
    # Linux reports the end of a terminal as an I/O error.
    with contextlib.suppress(OSError):
        while part := os.read(terminal, 65536):
            yield part


def interrupt(process: subprocess.Popen[str]) -> tuple[str, str]:
    """Send *process* what Ctrl-C sends; return what it printed."""
    process.send_signal(signal.SIGINT)
    return process.communicate(timeout=30)
