"""Phases of a Markdown document: the headings that begin them divide it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from taskdb.exchange.markdown import Heading, headings
from taskdb.text import shorten

__all__ = ["LEVELS", "Part", "divide"]

# At these levels headings may begin a phase: ##, ### and ####.
LEVELS: Final = range(2, 5)
LONGEST_NAME: Final = 200
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


@dataclass(slots=True, frozen=True)
class Part:
    """A phase of a document: number and name are its own; the content begins with its heading."""

    number: int
    name: str
    content: str


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
    raw = [int(match["number"]) for match in matches if match is not None and match["number"]]
    if len(set(raw)) == len(texts):
        return raw
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
