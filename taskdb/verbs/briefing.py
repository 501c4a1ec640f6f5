"""A brief of a task, as text of a bounded number of words."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Final, cast

import orjson
import psycopg

from taskdb.models.briefs import Brief
from taskdb.models.types import TaskStatus
from taskdb.queries import briefs
from taskdb.query import checked
from taskdb.text import clean
from taskdb.verbs.parameters import Help, Key
from taskdb.verbs.planning import QUESTIONS
from taskdb.verbs.work import known

__all__ = ["Briefing", "brief", "sections", "within"]

Section = tuple[str, str]
FEWEST: Final = 50


@dataclass(slots=True)
class Briefing:
    """A brief: a text within a limit of words, the headings of the sections that had to be cut."""

    key: str
    words: int
    cut: list[str]
    text: str


@checked
def brief(
    conn: psycopg.Connection[Any],
    key: Key,
    *,
    words: Annotated[int, Help(f"At most this many words, {FEWEST} or more.")] = 800,
) -> Briefing:
    """Tell what an agent needs to begin or resume a task, in a bounded number of words.

    The task and its criteria, the phase of its specification, what blocks it, questions and
    answers, earlier attempts with their notes and outcomes. Sections that are too long are cut,
    the longest ones first, and say how many words are missing.
    """
    known(conn, key)
    return within(sections(briefs.get(conn, key)), max(words, FEWEST), key)


@checked
def sections(found: Brief) -> list[Section]:
    """Return the headings and texts of a brief, without those that would be empty."""
    context = dict(found.context or {})
    questions: list[object] = context.pop(QUESTIONS, [])
    parts: list[Section] = [
        ("", f"# {found.key} {clean(found.title)}\n{_state(found)}"),
        ("## Task", _indented(found.description or "")),
        ("## Criteria", _object(found.requirements or {})),
        ("## Blocked by", _lines(_blocker(row) for row in found.blockers)),
        ("## Questions", _lines(map(_question, questions))),
        ("## Earlier attempts", _lines(map(_attempt, found.attempts))),
        ("## Notes", _lines(map(_note, found.notes))),
        ("## Checklist", _lines(map(_line, found.checklist))),
        ("## Context", _object(context)),
        (_phase_heading(found), _phase(found)),
        ("## Files", _lines([*found.assigned_files, *found.files])),
    ]
    return [(heading, _printable(text.strip())) for heading, text in parts if text.strip()]


def _printable(text: str) -> str:
    """Return lines of which none steers a terminal, wherever an agent shows them."""
    return "\n".join(clean(line.expandtabs(4)) for line in text.split("\n"))


def within(parts: list[Section], most: int, key: str) -> Briefing:
    """Put sections together in at most *most* words: the longest are cut to one length."""
    spent = sum(_count(heading) for heading, _ in parts)
    sizes = [_count(text) for _, text in parts]
    each = _share(sizes, most - spent)
    cut = [
        heading.lstrip("# ") or "Title"
        for (heading, _), size in zip(parts, sizes, strict=True)
        if size > each
    ]
    text = "\n\n".join(f"{heading}\n{_cut(text, each)}".strip() for heading, text in parts)
    return Briefing(key=key, words=_count(text), cut=cut, text=text)


def _share(sizes: list[int], budget: int) -> int:
    """Return the length that the longest sections get so that all fit into *budget*."""
    for done, size in enumerate(ordered := sorted(sizes)):
        if size * (len(ordered) - done) > budget:
            return max(budget // (len(ordered) - done), 0)
        budget -= size
    return max(sizes, default=0)


def _cut(text: str, most: int) -> str:
    """Return *text*, or the words that fit before the note on how many are missing."""
    size = _count(text)
    if size <= most:
        return text
    note = f"(+{size - most + 2} words)"
    if most < 2:
        return "(cut)" if most else ""
    left = most - 2
    kept: list[str] = []
    for line in text.split("\n"):
        words = line.split()
        if len(words) > left:
            kept.append(" ".join(words[:left]))
            break
        kept.append(line)
        left -= len(words)
    return "\n".join(kept).rstrip() + f"\n{note}"


def _count(text: str) -> int:
    return len(text.split())


def _state(found: Brief) -> str:
    given = [f"{found.status}", f"priority {found.effective_priority}"]
    if found.blocked_reason:
        given.append(f"on hold: {found.blocked_reason}")
    if found.status is TaskStatus.IN_PROGRESS and found.claim_agent:
        given.append(
            f"claimed by {found.claim_agent} (token {found.claim_token}) "
            f"until {found.lease_expires_at:%Y-%m-%d %H:%M:%S%z}"
        )
    if found.progress_pct is not None or found.progress_note:
        given.append(
            f"progress {found.progress_pct or 0} %: {found.progress_note or ''}".rstrip(": ")
        )
    if found.failed_attempts:
        given.append(f"{found.failed_attempts} of {found.max_attempts} attempts failed")
    if found.error_message:
        given.append(f"last error: {found.error_message}")
    places = (
        ("for agents of type", found.agent_type),
        ("reserved for", found.assigned_agent),
        ("part of", _named(found.parent_key, found.parent_title)),
        ("feature", _named(found.feature_key, found.feature_title)),
        ("labels", ", ".join(found.labels)),
        ("document", found.file_path),
        ("branch", found.branch_name),
        ("worktree", found.worktree_path),
    )
    lines = [
        _indented("; ".join(given)),
        *(f"{name}: {clean(value)}" for name, value in places if value),
    ]
    return "\n".join(lines)


def _named(key: str | None, title: str | None) -> str | None:
    return f"{key} {clean(title)}" if key else None


def _phase_heading(found: Brief) -> str:
    number = f", phase {found.phase_number}" if found.phase_number is not None else ""
    return f"## Specification {found.spec_key}{number}"


def _phase(found: Brief) -> str:
    about = f"{found.spec_title}: {found.scope}" if found.spec_title else None
    given = (about, found.scope_description, found.phase_description, found.spec_text)
    # Where the task was made of its scope, that is its description as well.
    return "\n".join(_indented(text) for text in given if text and text != found.description)


def _blocker(row: Mapping[str, Any]) -> str:
    stands = row["status"] if row["open"] else f"{row['status']}, satisfied"
    return f"{row['key']} ({row['type']}, {stands}): {row['title']}"


def _attempt(row: Mapping[str, Any]) -> str:
    progress = f" at {row['progress_pct']} %" if row["progress_pct"] is not None else ""
    given = "; ".join(text for text in (row["progress_note"], row["note"]) if text)
    return (
        f"{row['token']}: {row['agent']}, {row['outcome']}{progress}: {given or 'without a note'}"
    )


def _note(row: Mapping[str, Any]) -> str:
    return f"{row['agent']}, {row['status']}: {row['note']}"


def _line(row: Mapping[str, Any]) -> str:
    return f"[{'x' if row['status'] == 'completed' else ' '}] {row['title']}"


def _question(row: object) -> str:
    """Tell a question or an answer; another tool's questions as they are."""
    if not isinstance(row, dict):
        return _value(row)
    given = cast("dict[str, Any]", row)
    for kind in ("question", "answer"):
        if kind in given:
            by = given.get("asked_by") or given.get("answered_by")
            return f"{kind}{f' of {by}' if by else ''}: {given[kind]}"
    return _object(given, "; ")


def _object(given: Mapping[str, Any], between: str = "\n") -> str:
    return between.join(
        f"{clean(name)}: {_indented(_value(value))}" for name, value in given.items()
    )


def _value(value: object) -> str:
    return value if isinstance(value, str) else orjson.dumps(value).decode()


def _indented(text: str) -> str:
    """Indent all lines but the first, so that none can pass for one of the brief's own."""
    return "\n  ".join(text.splitlines())


def _lines(rows: Iterable[str]) -> str:
    return "\n".join(f"- {_indented(row)}" for row in _known(rows))


def _known(rows: Iterable[str]) -> Iterator[str]:
    yield from (row for row in rows if row)
