"""A plan whose texts are all hostile, and what is wrong with output that they steer."""

from __future__ import annotations

import json
import unicodedata
from collections.abc import Generator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import pytest

from taskdb.database import connect
from taskdb.models.types import TaskStatus
from taskdb.queries import claims, dependencies, epics, features, specs, subtasks, tasks
from taskdb.testing.databases import Databases

__all__ = ["FORGED", "MARKUP", "NAME", "TAIL", "TITLE", "Planned", "faults", "planned"]

# Each begins a line of its own where a break is printed as one.
FORGED: Final = "FORGED  pending"
BREAKS: Final = ["\n", "\r", "\r\n", "\x0b", "\x0c", "\x85", "\u2028", "\u2029"]
STEERING: Final = "\x1b[2J\x1b]0;t\x07\x9b31m\u202e\u2066\u200b\u2060\ufeff\xad\U000e0041\t\x7f\x00"
MARKUP: Final = '</script><img src=x onerror=alert(1)>`|*_[a](b)"\\"]; n0 --> n1 "'
NAME: Final = (MARKUP + STEERING.replace("\x00", "") + f"H\r{FORGED}H\u2028{FORGED}H\n{FORGED}")[
    :200
]
TITLE: Final = NAME + "".join(f"Honest{each}{FORGED}" for each in BREAKS)
# A key has no control character; what steers the direction of writing it may have.
TAIL: Final = "\u202e\u200b<b>`*|"


@dataclass(frozen=True)
class Planned:
    """A database whose texts are all hostile, the tokens of its claims, a folder."""

    url: str
    tokens: dict[str, str]
    folder: Path


VERBS: Final = ("cancel", "complete", "fail", "heartbeat", "hold", "release", "submit")


@pytest.fixture(scope="module")
def planned(
    databases: Databases, template: str, tmp_path_factory: pytest.TempPathFactory
) -> Generator[Planned]:
    url = databases.clone(template)
    folder = tmp_path_factory.mktemp("hostile")
    issue = {"id": "b-1", "title": TITLE, "status": TITLE, "issue_type": TITLE, "labels": [TITLE]}
    (folder / "issues.jsonl").write_text(json.dumps(issue) + "\n")
    (folder / "spec.md").write_text(f"# {NAME}\n\n## Phase 1: {MARKUP}\n{FORGED}\n", newline="")
    with connect(url) as conn:
        tokens = _make(conn)
    yield Planned(url, tokens, folder)
    databases.drop(url)


def _make(conn: Any) -> dict[str, str]:
    epic = epics.create(conn, key="E01", title=TITLE)
    feature = features.create(conn, epic_id=epic.id, key="E01-F01", title=TITLE)
    features.create(conn, epic_id=epic.id, key="E01-F02", title=TITLE)
    parent = tasks.create(conn, key=f"parent{TAIL}", title=TITLE)
    for key in ("T", "before", "asked", "held", "done", "dead", "waits", *VERBS):
        tasks.create(
            conn,
            key=key + TAIL,
            title=TITLE,
            description=TITLE,
            parent_id=parent.id,
            feature_id=feature.id,
            labels=[NAME],
            file_path=TITLE,
            agent_type=NAME,
            created_by=NAME,
            context={TITLE: TITLE},
            requirements={TITLE: [TITLE]},
            metadata={
                "comments": [{"author": TITLE, "text": TITLE, "created_at": TITLE}],
                "relations": [{"type": TITLE, "key": TITLE, "refused": TITLE}],
                "source": {"kind": TITLE, "file": TITLE, "at": TITLE, TITLE: TITLE},
                TITLE: TITLE,
            },
        )
    for task, blocker in (("T", "before"), ("waits", "dead")):
        dependencies.add_dependency(conn, task=task + TAIL, depends_on=blocker + TAIL)
    subtasks.append(conn, task=f"T{TAIL}", title=TITLE)
    tokens: dict[str, str] = {}
    for key in ("before", "done", "dead", *VERBS):
        claim = claims.claim(conn, key=key + TAIL, agent=NAME)
        assert claim
        tokens[key] = str(claim.token)
        if key == "before":
            claims.release(conn, task_id=claim.task_id, token=claim.token, note=TITLE)
        if key == "done":
            claims.complete(conn, task_id=claim.task_id, token=claim.token, note=TITLE)
        if key == "dead":
            claims.fail(conn, task_id=claim.task_id, token=claim.token, error=TITLE, retry_in=None)
    for key, reason in (("asked", f"question: {TITLE}"), ("held", TITLE)):
        tasks.update_status(conn, key=key + TAIL, status=TaskStatus.BLOCKED, blocked_reason=reason)
    specs.create(conn, spec_number=7, title=TITLE, content=f"{TITLE}\n")
    return tokens


def steers(character: str) -> bool:
    """Return whether a terminal might obey a character, or show nothing in its place."""
    if character in "\n\u200c\u200d":
        return False
    return unicodedata.category(character) in ("Cc", "Cf", "Zl", "Zp")


def faults(text: str) -> list[str]:
    """Return what in printed text is not text, and the lines that a title forged."""
    steering = [ascii(character) for character in sorted(set(filter(steers, text)))]
    return steering + [line for line in text.split("\n") if line.startswith("FORGED")]
