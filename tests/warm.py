"""Running the command line in a process of its own that has imported it already.

A server of this module imports the command line once and forks for each call: half of what a call
takes is imports. `run` and `run_on_terminal` of `tests.command_line` start Python anew.
"""

from __future__ import annotations

import atexit
import json
import os
import socket
import subprocess
import sys
import traceback
from collections.abc import Mapping, Sequence
from functools import cache
from importlib import import_module
from pathlib import Path
from tempfile import TemporaryFile

from taskdb.cli import COMMANDS, main
from tests.command_line import Outcome, Screen, environment, open_terminal, read_terminal

ROOT = Path(__file__).parents[1]
LONGEST = 1 << 17


def run(*arguments: str | Path, folder: Path, more: Mapping[str, str] | None = None) -> Outcome:
    """Run the command line as `tests.command_line.run` does."""
    with open(os.devnull) as none, TemporaryFile() as out, TemporaryFile() as err:
        _call(arguments, folder, more, [none.fileno(), out.fileno(), err.fileno()])
        status = int(_server().recv(LONGEST))
        for file in (out, err):
            file.seek(0)
        return Outcome(status, out.read().decode(), err.read().decode())


def run_on_terminal(
    *arguments: str | Path,
    folder: Path,
    columns: int = 100,
    more: Mapping[str, str] | None = None,
) -> Screen:
    """Run the command line on a terminal of its own, as that of `tests.command_line` does."""
    ours, theirs = open_terminal(columns)
    _call(arguments, folder, more, [theirs] * 3)
    os.close(theirs)
    sent = read_terminal(ours)
    return Screen(int(_server().recv(LONGEST)), sent)


def _call(
    arguments: Sequence[str | Path], folder: Path, more: Mapping[str, str] | None, fds: list[int]
) -> None:
    call = {"arguments": [*map(str, arguments)], "folder": str(folder), "more": environment(more)}
    socket.send_fds(_server(), [json.dumps(call).encode()], fds)


@cache
def _server() -> socket.socket:
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    command = [sys.executable, "-m", "tests.warm", str(theirs.fileno())]
    process = subprocess.Popen(
        command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        cwd=ROOT,
        env=environment(),
        pass_fds=[theirs.fileno()],
    )
    theirs.close()

    def stop() -> None:
        ours.close()
        process.wait()

    atexit.register(stop)
    return ours


def serve(calls: socket.socket) -> None:
    """Answer each call with its status, until the socket is closed."""
    for target in COMMANDS.values():
        import_module(f"taskdb.cli.{target.partition('.')[0]}")
    while (received := socket.recv_fds(calls, LONGEST, 3))[0]:
        call, fds = json.loads(received[0]), received[1]
        child = os.fork()
        if child == 0:
            calls.close()
            os._exit(_answer(call["arguments"], call["folder"], call["more"], fds))
        for fd in fds:
            os.close(fd)
        status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        calls.send(str(status).encode())


def _answer(arguments: list[str], folder: str, variables: dict[str, str], fds: list[int]) -> int:
    os.setsid()
    for number, fd in enumerate(fds):
        os.dup2(fd, number)
        os.close(fd)
    os.chdir(folder)
    os.environ.clear()
    os.environ.update(variables)
    sys.path[0] = folder
    sys.stdin, sys.stdout = os.fdopen(0), os.fdopen(1, "w")
    sys.stderr = os.fdopen(2, "w", buffering=1)
    try:
        status = main(arguments)
    except BaseException:  # noqa: BLE001  # As the interpreter does.
        traceback.print_exc()
        status = 1
    sys.stdout.flush()
    sys.stderr.flush()
    return status


if __name__ == "__main__":
    serve(socket.socket(fileno=int(sys.argv[1])))
