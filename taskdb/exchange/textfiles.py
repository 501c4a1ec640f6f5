"""Text of files: UTF-8, and what is not becomes U+FFFD and is recorded."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from taskdb.errors import ValidationError
from taskdb.exchange.files import Files
from taskdb.exchange.report import Findings

__all__ = ["bytes_of", "decode", "decode_file"]

UTF16_MARKS: Final = (b"\xff\xfe", b"\xfe\xff")


def decode_file(path: Path, findings: Findings, files: Files | None = None) -> str:
    """Return the text of a file; invalid UTF-8 in it becomes U+FFFD, which is recorded."""
    return decode(bytes_of(path, files), path.name, None, findings)


def bytes_of(path: Path, files: Files | None) -> bytes:
    """Return what a file holds behind its byte order mark; one in UTF-16 is refused."""
    content = (files or Files(path)).read(path)
    # Without a mark, each other byte of what begins a table or a JSON text is zero.
    if content.startswith(UTF16_MARKS) or content[:2].count(0) == 1:
        raise ValidationError(
            "plan", "is in UTF-16", where=f"{path}:1", hint="Save the file as UTF-8"
        )
    return content.removeprefix(b"\xef\xbb\xbf")


def decode(content: bytes, name: str, number: int | None, findings: Findings) -> str:
    """Return *content* as text; *number* is its line, None for a whole file."""
    try:
        return content.decode()
    except UnicodeDecodeError as error:
        before = content[: error.start]
        line = number or before.count(b"\n") + 1
        column = len(before) - before.rfind(b"\n")
        findings.changed(
            "line",
            f"{name}:{line}:{column}",
            None,
            f"byte 0x{content[error.start]:02x} is not UTF-8; "
            "it, and any like it that follow, became U+FFFD",
        )
        return content.decode(errors="replace")
