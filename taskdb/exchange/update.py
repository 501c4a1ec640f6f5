"""Finds and writes what changed in a file since it was last imported."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from decimal import Decimal
from typing import Any, Final
from uuid import UUID

import psycopg

from taskdb.errors import CircularDependencyError
from taskdb.exchange.again import (
    METADATA,
    STATUS,
    OnConflict,
    State,
    TaskUpdate,
    compare,
    said_here,
)
from taskdb.exchange.choose import Known, is_own
from taskdb.exchange.following import TrackerTransition, transitions
from taskdb.exchange.plan import Plan, PlanHistory, PlanTask
from taskdb.exchange.report import Change, ChangeKind
from taskdb.exchange.shaping import CLOSED
from taskdb.models.exchange import LiveClaim, SaidBefore
from taskdb.models.types import DependencyType, TaskStatus
from taskdb.queries import dependencies, exchange, tasks

__all__ = ["Updates"]

Connection = psycopg.Connection[Any]
# A row of these that could not be read may be a task that seems to be gone.
LOST: Final = frozenset({"line", "task", "file", "folder"})


class Updates:
    """The tasks of a plan that were imported before, and differ now."""

    def __init__(
        self,
        conn: Connection,
        plan: Plan,
        known: Known,
        said: dict[str, dict[str, Any]],
        *,
        on_conflict: OnConflict,
        prune: bool,
    ) -> None:
        self.conn = conn
        self.plan = plan
        self.known = known
        self.planned = plan.tasks_by_key()
        self.history: defaultdict[str, list[PlanHistory]] = defaultdict(list)
        for row in plan.history:
            self.history[row.task].append(row)
        self.said = said
        self.tasks: list[TaskUpdate] = []
        # Tasks of an import that kept no record; their file's words count as the record.
        self.first: list[tuple[str, UUID]] = []
        self.pruned: list[SaidBefore] = []
        self.gone: list[Change] = []
        before = {
            row.key: row for row in exchange.said_before(conn, kind=plan.kind, path=plan.path)
        }
        self._compare(before, on_conflict)
        self._find_gone(before, prune=prune)
        # Transitions of tasks that were closed, and are closed again.
        self.closed_again = dict(self._closed_again())

    @property
    def changes(self) -> list[Change]:
        """Every field that differs, and every task that is gone."""
        return [*(change for update in self.tasks for change in update.changes), *self.gone]

    def counts(self) -> dict[str, int]:
        """Return how much is written, by kind."""
        written = [update for update in self.tasks if update.changes]
        return {
            name: count
            for name, count in {
                "tasks": len(written),
                "fields": sum(
                    len(u.fields) + (u.status is not None) + len(u.names) + len(u.gone)
                    for u in written
                ),
                "dependencies": sum(len({*u.added, *u.removed}) for u in written),
                "history": sum(map(len, self.closed_again.values())),
                "pruned tasks": len(self.pruned),
            }.items()
            if count
        }

    def adjust(self, unchanged: Counter[str]) -> None:
        """Take the tasks that differ out of the *unchanged* ones."""
        unchanged["tasks"] -= sum(bool(update.changes) for update in self.tasks)
        if not unchanged["tasks"]:
            del unchanged["tasks"]

    def write(self, feature_ids: Mapping[str, UUID]) -> None:
        """Write the changes; new tasks must be there already."""
        keys = {task.key for task in self.plan.tasks}
        ids = {row.key: row.id for row in exchange.tasks_by_key(self.conn, keys=sorted(keys))}
        for update in self.tasks:
            self._write_fields(update, feature_ids)
        self._write_parents(ids)
        for update in self.tasks:
            self._write_edges(update)
        moved = [update.task_id for update in self.tasks if update.status is not None]
        told = exchange.told_until(self.conn, source=self.plan.kind, task_ids=moved)
        told_at = {row.task_id: row.told_at for row in told}
        for update in self.tasks:
            if update.status is not None:
                here = tasks.get_by_key(self.conn, key=update.key).status
                at = told_at.get(update.task_id)
                task = self.planned[update.key]
                self._follow(
                    update.key, self._transitions(task, update.status, here=here, told_at=at)
                )
            exchange.say_again(self.conn, task_id=update.task_id, said=update.said)
        for key, told_again in self.closed_again.items():
            self._follow(key, told_again)
        for row in self.pruned:
            tasks.update_status(
                self.conn,
                key=row.key,
                status=TaskStatus.CANCELLED,
                agent=self.plan.kind,
                note=f"gone from {self.plan.path}",
                force=True,
            )
            said = {**row.said, STATUS: [TaskStatus.CANCELLED.value, None]}
            exchange.say_again(self.conn, task_id=row.task_id, said=said)

    def keep(self, new: Iterable[str]) -> None:
        """Keep what the file says of *new* tasks, for the next time."""
        ids = {row.key: row.id for row in exchange.tasks_by_key(self.conn, keys=sorted({*new}))}
        rows = [*ids.items(), *self.first]
        exchange.copy_said.copy(
            self.conn,
            ((task_id, self.plan.kind, self.plan.path, self.said[key]) for key, task_id in rows),
        )

    def _compare(self, before: Mapping[str, SaidBefore], on_conflict: OnConflict) -> None:
        own = [
            (task, self.known.tasks[task.key])
            for task in self.plan.tasks
            if task.key in self.known.tasks and is_own(self.plan, self.known.tasks[task.key])
        ]
        self.first = [(task.key, there.id) for task, there in own if task.key not in before]
        differ = [
            (task, there)
            for task, there in own
            if task.key in before and before[task.key].said != self.said[task.key]
        ]
        if not differ:
            return
        edges: dict[str, set[str]] = {}
        for waiting, blocker in self.known.edges:
            edges.setdefault(waiting, set()).add(blocker)
        keys = {there.id: key for key, there in self.known.tasks.items()}
        features = {there.id: key for key, there in self.known.features.items()}
        claims = self._claims([there.id for _, there in differ])
        for task, there in differ:
            update = TaskUpdate(task.key, there.id, self.said[task.key])
            here = said_here(tasks.get_by_key(self.conn, key=task.key), keys, features)
            compare(
                update,
                before[task.key].said,
                here,
                edges_here=frozenset(edges.get(task.key, ())),
                on_conflict=on_conflict,
            )
            claim = claims.get(there.id)
            moved = any(change.field == STATUS for change in update.changes)
            if claim is not None and moved and on_conflict is not OnConflict.OURS:
                self._leave(update, task.where, before[task.key], claim)
            self.tasks.append(update)

    def _leave(self, update: TaskUpdate, where: str, before: SaidBefore, claim: LiveClaim) -> None:
        """Leave the status of a task to the agent at work on it; the next import asks again."""
        word = self.said[update.key][STATUS][0]
        self.plan.findings.refused(
            "status", where, update.key, f"{word} in the file now, but {_at_work(claim)}"
        )
        update.status = None
        update.said = {**update.said, STATUS: before.said.get(STATUS)}
        update.changes = [change for change in update.changes if change.field != STATUS]

    def _find_gone(self, before: Mapping[str, SaidBefore], *, prune: bool) -> None:
        gone = [row for key, row in before.items() if key not in self.said]
        lost = [f for f in self.plan.findings if f.action.value == "refused" and f.what in LOST]
        claims = self._claims([row.task_id for row in gone]) if gone else {}
        for row in gone:
            status = tasks.get_by_key(self.conn, key=row.key).status
            self.gone.append(Change(row.key, STATUS, ChangeKind.GONE, None, None, status.value))
            claim = claims.get(row.task_id)
            if not prune or status in CLOSED:
                continue
            if lost:
                reason = f"is not pruned: {lost[0].where} could not be read, and may be it"
                self.plan.findings.refused("task", self.plan.path, row.key, reason)
            elif claim is not None:
                reason = f"is not pruned: {_at_work(claim)}"
                self.plan.findings.refused("task", self.plan.path, row.key, reason)
            else:
                self.pruned.append(row)

    def _claims(self, task_ids: list[UUID]) -> dict[UUID, LiveClaim]:
        return {row.task_id: row for row in exchange.live_claims(self.conn, task_ids=task_ids)}

    def _write_fields(self, update: TaskUpdate, feature_ids: Mapping[str, UUID]) -> None:
        fields = dict(update.fields)
        for name in ("estimated_hours", "actual_hours"):
            if fields.get(name) is not None:
                fields[name] = Decimal(fields[name])
        if fields.get("scheduled_at") is not None:
            fields["scheduled_at"] = datetime.fromisoformat(fields["scheduled_at"])
        fields.pop("parent", None)
        if "feature" in fields:
            feature = fields.pop("feature")
            fields["feature_id"] = feature_ids[feature] if feature else None
        if update.names or update.gone:
            fields[METADATA] = self._metadata(update)
        if fields:
            tasks.update(self.conn, key=update.key, **fields)

    def _write_parents(self, ids: Mapping[str, UUID]) -> None:
        """Give tasks their new parents, all at once: two may change places."""
        moved = [update for update in self.tasks if "parent" in update.fields]
        for update in moved:
            tasks.update(self.conn, key=update.key, parent_id=None)
        for update in moved:
            parent = update.fields["parent"]
            if parent is not None:
                try:
                    with self.conn.transaction():
                        tasks.update(self.conn, key=update.key, parent_id=ids[parent])
                except CircularDependencyError as error:
                    reason = f"{parent} is a part of it here; it has no parent now"
                    self.plan.findings.refused(
                        "parent", self.plan.path, update.key, reason, error.path
                    )

    def _metadata(self, update: TaskUpdate) -> dict[str, Any]:
        """Return a task's metadata with the fields that changed in the file."""
        there = tasks.get_by_key(self.conn, key=update.key).metadata
        task = self.planned[update.key]
        kept = {k: v for k, v in (there or {}).items() if k not in update.gone}
        return {**kept, **{name: task.metadata[name] for name in update.names}}

    def _write_edges(self, update: TaskUpdate) -> None:
        for blocker in update.removed:
            dependencies.remove_dependency(self.conn, task=update.key, depends_on=blocker)
        for blocker, kind in update.added.items():
            try:
                with self.conn.transaction():
                    dependencies.add_dependency(
                        self.conn,
                        task=update.key,
                        depends_on=blocker,
                        dependency_type=DependencyType(kind),
                    )
            except CircularDependencyError as error:
                self.plan.findings.refused(
                    "dependency",
                    self.plan.path,
                    update.key,
                    f"on {blocker}: closes the cycle {' -> '.join(error.path)} "
                    "with edges made here",
                    error.path,
                )

    def _closed_again(self) -> Iterator[tuple[str, list[TrackerTransition]]]:
        """Yield what the history tells of tasks that are closed here and in the file."""
        keys = {row.task for row in self.plan.history if not row.derived}
        there = {
            row.id: row
            for key, row in self.known.tasks.items()
            if key in keys
            and is_own(self.plan, row)
            and row.status in CLOSED
            and row.status is self.planned[key].status
        }
        told = exchange.told_until(self.conn, source=self.plan.kind, task_ids=list(there))
        for row in told:
            task = self.planned[there[row.task_id].key]
            state = (task.status, None)
            found = self._transitions(task, state, here=task.status, told_at=row.told_at)
            if found:
                yield task.key, found

    def _transitions(
        self, task: PlanTask, state: State, *, here: TaskStatus, told_at: datetime | None
    ) -> list[TrackerTransition]:
        note = f"changed in {self.plan.path}"
        history = self.history[task.key]
        return list(transitions(task, history, state, here=here, told_at=told_at, note=note))

    def _follow(self, key: str, told: Iterable[TrackerTransition]) -> None:
        """Let a task's status change as it did in its tracker."""
        for each in told:
            exchange.import_transition(
                self.conn,
                key=key,
                status=each.status,
                source=self.plan.kind,
                agent=each.agent,
                at=each.at,
                note=each.note,
                blocked_reason=each.reason,
            )


def _at_work(claim: LiveClaim) -> str:
    until = claim.lease_expires_at.isoformat(timespec="seconds")
    return f"{claim.agent} is at work on it until {until}; left alone"
