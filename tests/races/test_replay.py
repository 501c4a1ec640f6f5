"""Two trackers' real histories, replayed through the public functions, end where they ended.

The logs are ordered changes; `*.final.json` beside each is the state they must lead to.
Every edge becomes a dependency or a parent as an import would have it, and what taskdb has no
column for goes to `metadata.relations` and `metadata.labels`.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Collection
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psycopg
import pytest

from taskdb.admin import doctor
from taskdb.errors import InvalidTransitionError
from taskdb.models.types import DependencyType, TaskStatus
from taskdb.queries import dependencies, history, tasks

LOGS = Path(__file__).parents[3] / "shared" / "data" / "history"

STATUS = {
    "open": TaskStatus.PENDING,
    "pending": TaskStatus.PENDING,
    "in_progress": TaskStatus.IN_PROGRESS,
    "in-progress": TaskStatus.IN_PROGRESS,
    "closed": TaskStatus.COMPLETED,
    "done": TaskStatus.COMPLETED,
    "completed": TaskStatus.COMPLETED,
    "tombstone": TaskStatus.CANCELLED,
}
PRIORITY: dict[str | int | None, int] = {
    **{"critical": 1, "high": 3, "medium": 5, "low": 8, None: 5},
    **{0: 1, 1: 3, 2: 5, 3: 7, 4: 9},
}
Edge = tuple[str, str]


@dataclass
class Replay:
    """A log being replayed in one connection. *issues* are all that the log ever creates."""

    conn: psycopg.Connection[Any]
    issues: set[str]
    done: Counter[str] = field(default_factory=Counter)

    def run(self, events: list[dict[str, Any]]) -> None:
        """Replay in the order of seq; an edge waits until the issue it names is created."""
        created: set[str] = set()
        early: list[dict[str, Any]] = []
        for event in sorted(events, key=lambda event: int(event["seq"])):
            if event["event"] == "dependency_added" and self.edge(event)[1] not in created:
                early.append(event)
                continue
            self.apply(event)
            if event["event"] == "created":
                created.add(event["issue"])
                for each in [each for each in early if self.edge(each)[1] == event["issue"]]:
                    early.remove(each)
                    self.apply(each)
        assert early == []

    def apply(self, event: dict[str, Any]) -> None:
        """Call the method that bears the event's name; a new kind of event has none, and fails."""
        getattr(self, event["event"])(event)
        self.done[event["event"]] += 1

    def edge(self, event: dict[str, Any]) -> Edge:
        kind, other = event["new"] or event["old"]
        return kind, resolve(event["issue"], other, self.issues)

    def created(self, event: dict[str, Any]) -> None:
        new = event["new"]
        tasks.create(
            self.conn,
            key=event["issue"],
            title=new["title"],
            priority=PRIORITY[new["priority"]],
            assigned_agent=new["assignee"],
            metadata={"type": new["type"], "labels": [], "relations": []},
            created_by="replay",
        )
        if STATUS[new["status"]] is not TaskStatus.PENDING:
            self.move(event["issue"], new["status"], "created so")

    def status_changed(self, event: dict[str, Any]) -> None:
        self.move(event["issue"], event["new"], f"from {event['old']}")

    def move(self, key: str, status: str, note: str) -> None:
        """Make the allowed transitions, and force the others: pending to done."""
        move = {"key": key, "status": STATUS[status], "agent": "replay", "note": note}
        try:
            with self.conn.transaction():
                tasks.update_status.batch(self.conn, [move])
        except InvalidTransitionError:
            tasks.update_status.batch(self.conn, [{**move, "force": True}])
            self.done["forced"] += 1

    def priority_changed(self, event: dict[str, Any]) -> None:
        tasks.update(self.conn, key=event["issue"], priority=PRIORITY[event["new"]])

    def title_changed(self, event: dict[str, Any]) -> None:
        tasks.update(self.conn, key=event["issue"], title=event["new"])

    def assignee_changed(self, event: dict[str, Any]) -> None:
        tasks.update(self.conn, key=event["issue"], assigned_agent=event["new"])

    def comments_added(self, event: dict[str, Any]) -> None:
        self.change(event["issue"], comments=event["new"])

    def label_added(self, event: dict[str, Any]) -> None:
        labels = self.metadata(event["issue"])["labels"]
        self.change(event["issue"], labels=[*labels, event["new"]])

    def dependency_added(self, event: dict[str, Any]) -> None:
        key, (kind, other) = event["issue"], self.edge(event)
        if kind == "parent-child":
            task, parent = (tasks.get_by_key(self.conn, key=each) for each in (key, other))
            assert task.parent_id is None
            tasks.update(self.conn, key=key, parent_id=parent.id)
        elif kind == "blocks":
            dependencies.add_dependency(
                self.conn, task=key, depends_on=other, dependency_type=DependencyType.BLOCKS
            )
        else:
            self.change(key, relations=[*self.metadata(key)["relations"], [kind, other]])

    def dependency_removed(self, event: dict[str, Any]) -> None:
        key, (kind, other) = event["issue"], self.edge(event)
        if kind == "blocks":
            dependencies.remove_dependency(self.conn, task=key, depends_on=other)
        else:
            relations = self.metadata(key)["relations"]
            relations.remove([kind, other])
            self.change(key, relations=relations)

    def metadata(self, key: str) -> dict[str, Any]:
        return tasks.get_by_key(self.conn, key=key).metadata or {}

    def change(self, key: str, **values: Any) -> None:
        tasks.update(self.conn, key=key, metadata={**self.metadata(key), **values})


def resolve(issue: str, other: str, issues: Collection[str]) -> str:
    """Return the key of an edge's other end.

    task-master's are relative to the tag and, in a subtask, to its siblings first.
    """
    tag, separator, own = issue.partition(":")
    if not separator:
        return other
    parent, dot, _ = own.partition(".")
    sibling = f"{tag}:{parent}.{other}"
    return sibling if dot and sibling in issues else f"{tag}:{other}"


def expected(final: dict[str, dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """Return the log's final state, where a task that waits for open work becomes blocked."""
    state = {
        key: {
            "status": STATUS[issue["status"]],
            "priority": PRIORITY[issue["priority"]],
            "type": issue["type"],
            "labels": sorted(issue["labels"]),
            "edges": sorted((kind, resolve(key, other, final)) for kind, other in issue["deps"]),
        }
        for key, issue in final.items()
    }
    over = {TaskStatus.COMPLETED, TaskStatus.CANCELLED}
    for task in state.values():
        gates = [other for kind, other in task["edges"] if kind == "blocks"]
        if task["status"] is TaskStatus.PENDING and any(
            STATUS[final[other]["status"]] not in over for other in gates
        ):
            task["status"] = TaskStatus.BLOCKED
    return state


def stored(conn: psycopg.Connection[Any]) -> dict[str, dict[str, Any]]:
    """The same of the database, read through the public functions."""
    rows = tasks.list_tasks(conn, limit=10_000)
    names = {row.id: row.key for row in rows}
    state = {}
    for row in rows:
        metadata = tasks.get(conn, id=row.id).metadata or {}
        edges = [("blocks", each.key) for each in dependencies.dependencies_of(conn, key=row.key)]
        edges += [(kind, other) for kind, other in metadata["relations"]]
        if row.parent_id:
            edges.append(("parent-child", names[row.parent_id]))
        state[row.key] = {
            "status": row.status,
            "priority": row.priority,
            "type": metadata["type"],
            "labels": sorted(metadata["labels"]),
            "edges": sorted(edges),
        }
    return state


@pytest.mark.slow
@pytest.mark.skipif(not LOGS.is_dir(), reason=f"{LOGS} is absent: no histories to replay")
@pytest.mark.parametrize("name", ["Elias-fluent+Prophy-API-Client", "fullofcaffeine+hxhx"])
def test_replayed_history_ends_in_its_final_state(conn: psycopg.Connection, name: str) -> None:
    with (LOGS / f"{name}.events.jsonl").open() as lines:
        events = [json.loads(line) for line in lines]
    final = json.loads((LOGS / f"{name}.final.json").read_text())
    replay = Replay(conn, {event["issue"] for event in events if event["event"] == "created"})

    replay.run(events)

    assert stored(conn) == expected(final)
    forced = replay.done.pop("forced")
    assert replay.done == Counter(event["event"] for event in events)
    assert doctor.run(conn) == []
    moves = history.list_by_agent(conn, agent="replay", limit=10_000)
    assert sum(move.forced for move in moves) == forced


def test_ends_of_edges_are_found_among_siblings_first() -> None:
    issues = {"master:1", "master:2", "master:2.1", "master:2.3", "bd-1"}

    assert resolve("master:2.3", "1", issues) == "master:2.1"
    assert resolve("master:2.3", "2", issues) == "master:2"
    assert resolve("master:2", "1", issues) == "master:1"
    assert resolve("master:1", "2.3", issues) == "master:2.3"
    assert resolve("bd-2", "bd-1", issues) == "bd-1"
