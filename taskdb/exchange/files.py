"""The files of a plan: regular ones, inside its folder, and no more of them than allowed."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import BinaryIO, Final

from taskdb.errors import ValidationError
from taskdb.exchange.options import LARGEST

__all__ = ["STDIN", "Files", "TooLargeError"]

# The path that means standard input.
STDIN: Final = Path("-")
MIB: Final = 1024 * 1024


class TooLargeError(ValidationError):
    """The files of a plan are larger than the caller allows; nothing of them is taken."""


class Files:
    """Reads the file, or the files of the folder, at *root*; *largest* bytes at most."""

    def __init__(self, root: Path, largest: int | None = None) -> None:
        self.root = root
        self.largest = largest
        self._left = largest
        try:
            self._inside = root.resolve() if root.is_dir() else None
        except OSError as error:
            reason = f"cannot be read: {error.strerror}"
            raise _refused(root, reason, "Name a file that this user may read") from error

    def read(self, path: Path) -> bytes:
        """Return what is in a file.

        Raises ValidationError if it is none that may be read.
        """
        try:
            if path == STDIN:
                return self._bounded(path, self._taken(sys.stdin.buffer))
            self._admit(path)
            with path.open("rb") as file:
                return self._bounded(path, self._taken(file))
        except OSError as error:
            reason = f"cannot be read: {error.strerror or error}"
            raise _refused(path, reason, "Name a file that this user may read") from error

    def holds(self, path: Path) -> bool:
        """Return whether *path* is inside the folder, its links resolved."""
        return self._inside is None or path.resolve().is_relative_to(self._inside)

    def check(self, path: Path) -> None:
        """Raise ValidationError if *path*, which other code reads, is no file that may be read."""
        self._admit(path)
        if self._left is not None:
            self._count(path, path.stat().st_size)

    def _admit(self, path: Path) -> None:
        if path.exists() and not path.is_file():
            raise _refused(path, "is not a regular file", "Name a file, or pipe it to -")
        if not self.holds(path):
            raise _refused(path, "is a link that leaves the folder", "Put the file itself there")

    def _taken(self, file: BinaryIO) -> bytes:
        """Read up to one byte more than is allowed, which shows that there is more."""
        if self._left is None:
            return file.read()
        pieces: list[bytes] = []
        left = self._left + 1
        # In pieces: a limit beyond the memory reserves none.
        while left and (piece := file.read(min(left, LARGEST + 1))):
            pieces.append(piece)
            left -= len(piece)
        return b"".join(pieces)

    def _bounded(self, path: Path, content: bytes) -> bytes:
        if self._left is not None:
            self._count(path, len(content))
        return content

    def _count(self, path: Path, size: int) -> None:
        self._left = (self._left or 0) - size
        if self._left < 0:
            rule = f"is too large: more than {(self.largest or 0) / MIB:g} MiB"
            hint = "Lift the limit with --no-size-limit (largest=None)"
            raise TooLargeError("path", rule, where=str(path), hint=hint)


def _refused(path: Path, rule: str, hint: str) -> ValidationError:
    return ValidationError("path", rule, where=str(path), hint=hint)
