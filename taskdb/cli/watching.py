"""`taskdb check --watch`: the same command again whenever a file of the project changes."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Final, NoReturn

import click

__all__ = ["again_and_again"]

_WATCHED: Final = frozenset({".sql", ".py", ".toml"})
_HIDDEN: Final = frozenset({"node_modules", "__pycache__", "site-packages"})
_PAUSE: Final = 0.2


def again_and_again(arguments: list[str], folder: Path) -> NoReturn:
    """Run *arguments* now and after each change in *folder*, in a process that imports again."""
    while True:
        before = _state(folder)
        subprocess.run([sys.executable, "-m", "taskdb", *arguments[1:]], check=False)
        click.echo("-- waiting for a change", err=True)
        while _state(folder) == before:
            time.sleep(_PAUSE)


def _state(folder: Path) -> dict[Path, int]:
    found: dict[Path, int] = {}
    for path in _files(folder):
        try:
            found[path] = path.stat().st_mtime_ns
        except FileNotFoundError:
            continue  # It is gone since it was listed, which is a change as well.
    return found


def _files(folder: Path) -> Iterator[Path]:
    # Folders that can't be read, or are gone since they were listed, are passed over.
    for at, folders, names in os.walk(folder):
        folders[:] = [each for each in folders if each[0] != "." and each not in _HIDDEN]
        paths = [Path(at, name) for name in names if name[0] != "."]
        yield from (path for path in paths if path.suffix in _WATCHED)
