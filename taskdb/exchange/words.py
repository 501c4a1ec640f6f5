"""Meaning of trackers' words for a status: one table for every reader.

A word is looked up without regard to case, and with a ``_`` for whatever is no letter or digit:
``In Progress``, ``in-progress`` and ``in_progress`` are one word. A word that the table does not
have means nothing; `shaping.normalize_status` puts its task on hold.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from fnmatch import fnmatchcase
from typing import Final

from taskdb.models.types import TaskStatus

__all__ = ["HOLD", "LATER", "is_work", "normalize_word", "priority_of", "status_of"]

# On hold, with the word as the reason.
HOLD: Final = TaskStatus.BLOCKED
# On hold as well, but only until the task's own time, if it has one.
LATER: Final = "deferred"
NO_LETTERS: Final = re.compile(r"[\W_]+")
APOSTROPHES: Final = re.compile("['\u2019]")

WORDS: Final[dict[TaskStatus, str]] = {
    TaskStatus.PENDING: """
        open pending todo to_do not_started backlog reopened selected_for_development
        ready_for_development ready_for_refinement*
    """,
    TaskStatus.IN_PROGRESS: "in_progress in_development doing hooked",
    TaskStatus.IN_REVIEW: """
        review in_review code_review testing in_qa in_approval approved
        ready_for_*review ready_for_*qa ready_for_*approval ready_for_*check
        in_*_review in_*_check
    """,
    TaskStatus.COMPLETED: "closed done completed complete resolved",
    TaskStatus.CANCELLED: """
        cancelled canceled tombstone deleted rejected declined duplicate wont_do wont_fix wontfix
        not_planned cannot_reproduce invalid incomplete superseded withdrawn
    """,
    TaskStatus.ARCHIVED: "archived",
    HOLD: """
        blocked deferred draft on_hold paused pinned waiting postponed icebox triage
        in_refinement* in_research
    """,
}
PATTERNS: Final = [
    (word, status) for status, words in WORDS.items() for word in words.split() if "*" in word
]
EXACT: Final = {word: status for status, words in WORDS.items() for word in words.split()}
PRIORITIES: Final = {
    1: "critical urgent highest blocker p0 immediate",
    3: "high important p1 major",
    5: "medium normal p2 no_priority none unset",
    7: "p3",
    8: "low minor",
    9: "p4",
    10: "lowest trivial",
}
PRIORITY_WORDS: Final = {
    word: level for level, words in PRIORITIES.items() for word in words.split()
}
# Types of work. Anything else that a tracker keeps as a task may be a gate or a note.
WORK_TYPE_WORDS: Final = """
    task bug feature epic chore decision spike story milestone issue sub_task subtask
    improvement enhancement new_feature new_functionality technical_task user_story defect
    documentation docs refactor test initiative change incident problem service_request
"""
WORK_TYPES: Final = frozenset(WORK_TYPE_WORDS.split())


def status_of(word: str, own: Mapping[str, TaskStatus] | None = None) -> TaskStatus | None:
    """Return the status that *word* means, or None if no tracker is known to use it.

    *own* are the words that the tracker at hand uses in its own way.
    """
    plain = normalize_word(word)
    known = (own or {}).get(plain) or EXACT.get(plain)
    if known is not None:
        return known
    return next((status for pattern, status in PATTERNS if fnmatchcase(plain, pattern)), None)


def normalize_word(word: str) -> str:
    """Return *word* as the table spells it."""
    return NO_LETTERS.sub("_", APOSTROPHES.sub("", word.strip().casefold())).strip("_")


def priority_of(word: str) -> int | None:
    """Return the priority, 1 to 10, that *word* or number means, or None for an unknown one."""
    plain = normalize_word(word)
    if plain.isascii() and plain.isdecimal() and 1 <= int(plain[:3]) <= 10:
        return int(plain)
    return PRIORITY_WORDS.get(plain)


def is_work(kind: str) -> bool:
    """Return whether a task of this type is work."""
    return normalize_word(kind) in WORK_TYPES
