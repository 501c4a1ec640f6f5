"""`taskdb check --watch`: the same command again whenever a file of the project changes."""

from __future__ import annotations

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


def again_and_again(arguments: list[str]) -> NoReturn:
    """Run *arguments* in a process of its own, which imports again, now and after each change."""
    while True:
        before = _state(Path.cwd())
        subprocess.run([sys.executable, "-m", "taskdb", *arguments[1:]], check=False)
        click.echo("-- waiting for a change", err=True)
        while _state(Path.cwd()) == before:
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
    for entry in folder.iterdir():
        if entry.name.startswith(".") or entry.name in _HIDDEN:
            continue
        if entry.is_dir() and not entry.is_symlink():
            yield from _files(entry)
        elif entry.suffix in _WATCHED:
            yield entry
