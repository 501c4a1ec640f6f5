"""Markdown as files have it: read to the byte, and divided at the headings of phases.

What a heading is, markdown-it-py says, by CommonMark: not what looks like one in a code block,
a comment or a quotation.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Final

from taskdb.errors import ValidationError, needing
from taskdb.exchange.files import Files
from taskdb.text import shorten

with needing("cli"):
    from markdown_it import MarkdownIt
    from markdown_it.token import Token

__all__ = ["LEVELS", "Heading", "Part", "body_start", "divide", "headings", "read_markdown"]

# At these levels headings may begin a phase: ##, ### and ####.
LEVELS: Final = range(2, 5)
LONGEST_NAME: Final = 200

LINE_END: Final = re.compile(r"\r\n|\r|\n")
LINE_END_BYTES: Final = re.compile(rb"\r\n|\r|\n")
# Front matter: the first line is ---, the next begins with a field's name, another --- ends it.
FRONT_MATTER: Final = re.compile(
    r"\ufeff?---[ \t]*(?>\r\n|\r|\n)(?=\w[\w .-]*:)"
    r"(?P<fields>(?:[^\r\n]*(?>\r\n|\r|\n))*?)---[ \t]*(?>\r\n|\r|\n|\Z)"
)
# The number of a section may stand before a phase: 1. Phase 1, 10.3 Phase 3.
SECTION: Final = r"(?:\d{1,4}(?:\.\d{1,4})*[.)]?\s+)?"
SECTIONED: Final = re.compile(f"^{SECTION}")
PHASE: Final = re.compile(rf"{SECTION}(?:phase|milestone|stage)\b", re.IGNORECASE)
# Its own number may be whole, of up to four digits, as in the database.
NUMBERED: Final = re.compile(
    rf"{SECTION}(?i:phase|milestone|stage)\s*[#№]?\s*"
    r"(?:(?P<number>\d{1,4})(?![\d.]*\d|\w)|\d[\w.]*|[IVX]+\b|[A-Z]\b"
    r"|(?i:one|two|three|four|five|six|seven|eight|nine|ten)\b)"
)

_COMMONMARK: Final = MarkdownIt("commonmark").disable("inline")
_INLINE: Final = MarkdownIt("commonmark")


@dataclass(slots=True, frozen=True)
class Heading:
    """A heading: its level, its text without markup, and where in the document it begins."""

    level: int
    text: str
    start: int


@dataclass(slots=True, frozen=True)
class Part:
    """A phase of a document: number and name are its own; the content begins with its heading."""

    number: int
    name: str
    content: str


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


def body_start(text: str) -> tuple[str, int]:
    """Return the fields of a document's front matter (YAML) and where its body begins.

    Without front matter the fields are empty, and the body begins at 0, or after the mark.
    """
    matter = FRONT_MATTER.match(text)
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


def divide(text: str, level: int | None = None) -> tuple[str, list[Part]]:
    """Return what comes before the first phase of a document, and its phases.

    Together they are the document, to the byte: a phase goes on to the next, the last one to the
    end. Phases begin at headings, of level 2 to 4, whose first word is Phase, Milestone or Stage,
    perhaps after the number of a section (``1. Phase 1``), which is not part of the name. Those
    with a number count, or, where there are none, two or more without. Of several levels the
    outermost counts, or *level*. Without any phase the list is empty.

    Numbers are the headings' own, if each has one of its own, or else their places. Names are
    the headings' texts; of two alike the second gets a ``(2)``.
    """
    points = _points(headings(text), level)
    starts = [point.start for point in points] + [len(text)]
    texts = [SECTIONED.sub("", point.text) for point in points]
    names, numbers = _unique(texts), _numbers(texts)
    parts = [
        Part(number, name, text[start:end])
        for number, name, start, end in zip(numbers, names, starts, starts[1:], strict=False)
    ]
    return text[: starts[0]], parts


def _points(found: Iterable[Heading], level: int | None) -> list[Heading]:
    levels = LEVELS if level is None else [level]
    named = [heading for heading in found if heading.level in levels and PHASE.match(heading.text)]
    numbered = [heading for heading in named if NUMBERED.match(heading.text)]
    chosen = numbered or named
    outermost = min((heading.level for heading in chosen), default=0)
    points = [heading for heading in chosen if heading.level == outermost]
    # One heading without a number, such as "Stage prompts", is a subject and no phase.
    return points if numbered or level is not None or len(points) > 1 else []


def _numbers(texts: Sequence[str]) -> Sequence[int]:
    matches = [NUMBERED.match(text) for text in texts]
    said = [int(match["number"]) for match in matches if match is not None and match["number"]]
    if len(set(said)) == len(texts):
        return said
    return range(1, len(texts) + 1)


def _unique(texts: Sequence[str]) -> list[str]:
    names: dict[str, None] = {}
    met: dict[str, int] = {}
    for text in texts:
        name = shorten(text, LONGEST_NAME)
        while name in names:
            met[text] = met.get(text, 1) + 1
            again = f" ({met[text]})"
            name = shorten(text, LONGEST_NAME - len(again)) + again
        names[name] = None
    return list(names)


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
