"""Checks of the embedded server's files: their owner, and that they were made here.

A data folder names programs that its server runs (`restore_command`, libraries to load), so one
that came in an archive or that another user prepared must not be started. Two rules: nothing that
another user owns or may change is used, and data is used only where it was made. `made-here`
names the folder and its data by inode, which nobody who packs an archive can know.
"""

from __future__ import annotations

import os
import stat
from pathlib import Path
from typing import Final

from taskdb.errors import DatabaseError

__all__ = ["is_private", "record", "require_known", "require_made_here", "require_own"]

MARK: Final = "made-here"


def require_own(directory: Path) -> None:
    """Raise `DatabaseError` unless *directory* is a folder that only this user may change."""
    found = directory.lstat()
    if not stat.S_ISDIR(found.st_mode):
        raise DatabaseError(
            f"User id {os.geteuid()} cannot use {directory}: Not a directory",
            hint="Links are not followed, since they may lead to another's files; name a folder",
        )
    if found.st_uid != os.geteuid():
        raise DatabaseError(
            f"User id {os.geteuid()} cannot use {directory}: it belongs to {found.st_uid}",
            hint="Another user's server could run any program as you; work as that user, or in"
            " another folder",
        )
    if found.st_mode & 0o022:
        raise DatabaseError(
            f"User id {os.geteuid()} cannot use {directory}: others may write in it",
            hint=f"If nobody did, run: chmod go-w {directory}",
        )


def require_known(link: Path, directory: Path) -> None:
    """Raise `DatabaseError` where *link* is a link to a *directory* that taskdb did not make."""
    if link.is_symlink() and _read(directory / MARK) is None:
        raise DatabaseError(
            f"{link} is a link to {directory}, which taskdb did not make",
            hint="Name the folder itself, or remove the link",
        )


def require_made_here(directory: Path, data: Path) -> None:
    """Raise `DatabaseError` where *data* is there and taskdb did not make it in *directory*."""
    if not os.path.lexists(data):
        return
    if data.is_symlink():
        raise DatabaseError(
            f"{data} is a link, which taskdb never makes",
            hint="Put the data itself there, then run: taskdb db adopt",
        )
    if _read(directory / MARK) != _inodes(directory, data):
        raise DatabaseError(
            f"{data} was not created here: it came from an archive, a copy or a backup",
            hint="A server's files can make it run any program. If you trust where they come from,"
            " run: taskdb db adopt",
        )


def record(directory: Path, data: Path) -> None:
    """Note that taskdb made *data* in *directory*, or that its owner trusts it."""
    fresh = directory / f"{MARK}.new"
    fresh.unlink(missing_ok=True)
    fresh.touch(mode=0o600)
    fresh.write_text(_inodes(directory, data))
    fresh.replace(directory / MARK)


def is_private(directory: Path, owner: int) -> bool:
    """Tell whether *directory* is a folder of user id *owner*, and closed to all others."""
    try:
        found = directory.lstat()
    except FileNotFoundError:
        return False
    mine = stat.S_ISDIR(found.st_mode) and found.st_uid == owner
    return mine and stat.S_IMODE(found.st_mode) & 0o077 == 0


def _inodes(directory: Path, data: Path) -> str:
    return f"{directory.lstat().st_ino} {data.lstat().st_ino}\n"


def _read(mark: Path) -> str | None:
    return None if mark.is_symlink() or not mark.is_file() else mark.read_text(errors="replace")
