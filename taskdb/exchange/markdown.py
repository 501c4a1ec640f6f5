"""Markdown as files have it: read to the byte, with its headings.

What a heading is, markdown-it-py says, by CommonMark: not what looks like one in a code block,
a comment or a quotation.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Final

from taskdb.errors import ValidationError, needing
from taskdb.exchange.files import Files

with needing("cli"):
    from markdown_it import MarkdownIt
    from markdown_it.token import Token

__all__ = ["Heading", "body_start", "headings", "read_markdown"]

LINE_END: Final = re.compile(r"\r\n|\r|\n")
LINE_END_BYTES: Final = re.compile(rb"\r\n|\r|\n")
# Front matter: the first line is ---, the next begins with a field's name, another --- ends it.
MARK: Final = r"\ufeff?---[ \t]*(?>\r\n|\r|\n)"
UP_TO_MARK: Final = r"(?P<fields>(?:[^\r\n]*(?>\r\n|\r|\n))*?)---[ \t]*(?>\r\n|\r|\n|\Z)"
FRONT_MATTER: Final = re.compile(rf"{MARK}(?=\w[\w .-]*:){UP_TO_MARK}")
# The same of a file that is known to have fields: a comment, or an empty line, may come first.
FIELDS: Final = re.compile(f"{MARK}{UP_TO_MARK}")

_COMMONMARK: Final = MarkdownIt("commonmark").disable("inline")
_INLINE: Final = MarkdownIt("commonmark")


@dataclass(slots=True, frozen=True)
class Heading:
    """A heading: its level, its text without markup, and where in the document it begins."""

    level: int
    text: str
    start: int


def read_markdown(path: Path, files: Files | None = None) -> str:
    """Return the text of a file, with its line ends and its byte order mark.

    Raises ValidationError, with line and column, if it is not UTF-8 or holds a NUL character.
    """
    try:
        content = files.read(path) if files else path.read_bytes()
    except OSError as error:
        raise ValidationError(
            "file",
            f"cannot be read: {error.strerror or error}",
            where=str(path),
            hint="Name a file that this user may read",
        ) from error
    try:
        text = content.decode()
    except UnicodeDecodeError as error:
        rule = f"must be UTF-8: byte 0x{content[error.start]:02x} at offset {error.start} is not"
        raise _refused(path, content, error.start, rule, "Save the file as UTF-8") from error
    nul = content.find(0)
    if nul >= 0:
        rule = f"must hold no NUL character: there is one at offset {nul}"
        raise _refused(path, content, nul, rule, "Take it out: PostgreSQL stores none")
    return text


def body_start(text: str, *, has_fields: bool = False) -> tuple[str, int]:
    """Return the fields of a document's front matter (YAML) and where its body begins.

    A first line of dashes may also be a rule across a page, unless the document *has_fields*.
    Without front matter the fields are empty, and the body begins at 0, or after the mark.
    """
    matter = (FIELDS if has_fields else FRONT_MATTER).match(text)
    if matter is None:
        return "", int(text.startswith("\ufeff"))
    return matter["fields"], matter.end()


def headings(text: str) -> Iterator[Heading]:
    """Yield the headings of a document, but for those within lists and quotations."""
    _, start = body_start(text)
    body = text[start:]
    lines = [start, *(start + end.end() for end in LINE_END.finditer(body))]
    tokens = _COMMONMARK.parse(body)
    for token, inline in pairwise(tokens):
        if token.type == "heading_open" and token.level == 0 and token.map is not None:
            yield Heading(int(token.tag[1:]), _plain(inline.content), lines[token.map[0]])


def _plain(markup: str) -> str:
    """Return the text of a heading, without its emphasis, links and ends of lines."""
    words = "".join(map(_words, _INLINE.parseInline(markup)))
    return " ".join(words.split())


def _words(token: Token) -> str:
    if token.children is not None:
        return "".join(map(_words, token.children))
    return " " if token.type.endswith("break") else token.content


def _refused(path: Path, content: bytes, offset: int, rule: str, hint: str) -> ValidationError:
    ends = [end.end() for end in LINE_END_BYTES.finditer(content, 0, offset)]
    column = offset - (ends[-1] if ends else 0) + 1
    where = f"{path}:{len(ends) + 1}:{column}"
    return ValidationError("file", rule, where=where, hint=hint)
