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
    DEPENDS_ON,
    METADATA,
    STATUS,
    WAITS_FOR,
    OnConflict,
    State,
    TaskUpdate,
    compare,
    content_here,
)
from taskdb.exchange.choose import Known, is_own
from taskdb.exchange.following import TrackerTransition, transitions
from taskdb.exchange.plan import ABOUT, RELATIONS, Plan, PlanHistory, PlanTask
from taskdb.exchange.report import Change, ChangeKind, Report
from taskdb.exchange.shaping import CLOSED
from taskdb.models.exchange import ImportedBefore, LiveClaim
from taskdb.models.types import DependencyType, TaskStatus
from taskdb.queries import dependencies, exchange, tasks

__all__ = ["Updates"]

Connection = psycopg.Connection[Any]
IN_PROGRESS: Final = [TaskStatus.IN_PROGRESS.value, None]
# A row of these that could not be read may be a task that seems to be gone.
LOST: Final = frozenset({"line", "task", "file", "folder"})


class Updates:
    """The tasks of a plan that were imported before, and differ now."""

    def __init__(
        self,
        conn: Connection,
        plan: Plan,
        known: Known,
        content: dict[str, dict[str, Any]],
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
        self.content = content
        self.tasks: list[TaskUpdate] = []
        # Tasks of an import that kept no record; their file's words count as the record.
        self.first: list[tuple[str, UUID]] = []
        self.pruned: list[ImportedBefore] = []
        self.gone: list[Change] = []
        # The metadata of tasks that are gone, without what the file says of itself.
        self.stale: dict[str, dict[str, Any]] = {}
        self._compare(known.before, on_conflict)
        self._find_gone(known.before, prune=prune)
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

    def report(self, report: Report, unchanged: Counter[str]) -> None:
        """Write into *report* what differs; of the rows that were there, the others are the same.

        After `write` it is what was written.
        """
        report.changes, report.updated = self.changes, self.counts()
        differ = sum(bool(update.changes) for update in self.tasks)
        counts = {**unchanged, "tasks": unchanged["tasks"] - differ}
        report.unchanged = {name: count for name, count in counts.items() if count}

    def write(self, feature_ids: Mapping[str, UUID]) -> None:
        """Write the changes; new tasks must be there already."""
        keys = {task.key for task in self.plan.tasks}
        ids = {row.key: row.id for row in exchange.tasks_by_key(self.conn, keys=sorted(keys))}
        for update in self.tasks:
            self._write_fields(update, feature_ids)
        # All that the file has no more goes first: it may close a cycle with what is new.
        for update in self.tasks:
            for blocker in update.removed:
                dependencies.remove_dependency(self.conn, task=update.key, depends_on=blocker)
        self._write_parents(ids)
        for update in self.tasks:
            self._write_edges(update)
        moved = [update.task_id for update in self.tasks if update.status is not None]
        reported = exchange.reported_until(self.conn, source=self.plan.kind, task_ids=moved)
        reported_at = {row.task_id: row.reported_at for row in reported}
        for update in self.tasks:
            if update.status is not None:
                here = tasks.get_by_key(self.conn, key=update.key).status
                at = reported_at.get(update.task_id)
                task = self.planned[update.key]
                self._follow(
                    update.key, self._transitions(task, update.status, here=here, reported_at=at)
                )
            exchange.update_imported(self.conn, task_id=update.task_id, content=update.content)
        for key, reported_again in self.closed_again.items():
            self._follow(key, reported_again)
        for key, metadata in self.stale.items():
            tasks.update(self.conn, key=key, metadata=metadata)
        for row in self.pruned:
            tasks.update_status(
                self.conn,
                key=row.key,
                status=TaskStatus.CANCELLED,
                agent=self.plan.kind,
                note=f"gone from {self.plan.path}",
                force=True,
            )
            content = {**row.content, STATUS: [TaskStatus.CANCELLED.value, None]}
            exchange.update_imported(self.conn, task_id=row.task_id, content=content)

    def keep(self, new: Iterable[str]) -> None:
        """Keep what the file says of *new* tasks, for the next time."""
        ids = {row.key: row.id for row in exchange.tasks_by_key(self.conn, keys=sorted({*new}))}
        rows = [*ids.items(), *self.first]
        exchange.copy_imported.copy(
            self.conn,
            ((task_id, self.plan.kind, self.plan.path, self.content[key]) for key, task_id in rows),
        )

    def _compare(self, before: Mapping[str, ImportedBefore], on_conflict: OnConflict) -> None:
        own = [
            (task, self.known.tasks[task.key])
            for task in self.plan.tasks
            if task.key in self.known.tasks and is_own(self.plan, self.known.tasks[task.key])
        ]
        self.first = [(task.key, there.id) for task, there in own if task.key not in before]
        differ = [
            (task, there)
            for task, there in own
            if task.key in before and before[task.key].content != self.content[task.key]
        ]
        if not differ:
            return
        edges: dict[str, set[str]] = {}
        for waiting, blocker in self.known.edges:
            edges.setdefault(waiting, set()).add(blocker)
        features = {there.id: key for key, there in self.known.features.items()}
        ids = [there.id for _, there in differ]
        claims = self._claims(ids)
        lapsed = frozenset(exchange.lapsed_tasks(self.conn, task_ids=ids))
        for task, there in differ:
            update = TaskUpdate(task.key, there.id, self.content[task.key])
            here = content_here(
                tasks.get_by_key(self.conn, key=task.key), self.known.keys, features
            )
            if there.id in lapsed and before[task.key].content.get(STATUS) == IN_PROGRESS:
                # The end of a lease is no change that anybody made.
                here[STATUS] = IN_PROGRESS
            self._keep_edges(update, task, before[task.key])
            compare(
                update,
                before[task.key].content,
                here,
                edges_here=frozenset(edges.get(task.key, ())),
                on_conflict=on_conflict,
            )
            claim = claims.get(there.id)
            moved = any(change.field == STATUS for change in update.changes)
            if claim is not None and moved and on_conflict is not OnConflict.OURS:
                self._leave(update, task.where, before[task.key], claim)
            self.tasks.append(update)

    def _keep_edges(self, update: TaskUpdate, task: PlanTask, before: ImportedBefore) -> None:
        """Keep what a task waited for, and still names, where the file has lost that task."""
        named = {relation["key"] for relation in task.metadata.get(RELATIONS, ())}
        waits: dict[str, str] = before.content.get(DEPENDS_ON) or {}
        lost = {
            key: kind for key, kind in waits.items() if key in named and key not in self.planned
        }
        update.content = {**update.content, DEPENDS_ON: {**lost, **update.content[DEPENDS_ON]}}

    def _leave(
        self, update: TaskUpdate, where: str, before: ImportedBefore, claim: LiveClaim
    ) -> None:
        """Leave the status of a task to the agent at work on it; the next import asks again."""
        word = self.content[update.key][STATUS][0]
        self.plan.findings.refused(
            "status", where, update.key, f"{word} in the file now, but {_at_work(claim)}"
        )
        update.status = None
        update.content = {**update.content, STATUS: before.content.get(STATUS)}
        update.changes = [change for change in update.changes if change.field != STATUS]

    def _find_gone(self, before: Mapping[str, ImportedBefore], *, prune: bool) -> None:
        # In the order in which they came: the database gives them in any.
        gone = sorted(
            (row for key, row in before.items() if key not in self.content),
            key=lambda row: row.task_id,
        )
        lost = [f for f in self.plan.findings if f.action.value == "refused" and f.what in LOST]
        claims = self._claims([row.task_id for row in gone]) if gone else {}
        for row in gone:
            there = tasks.get_by_key(self.conn, key=row.key)
            status, metadata = there.status, there.metadata or {}
            if ABOUT in metadata and self.plan.tasks:
                self.stale[row.key] = {k: v for k, v in metadata.items() if k != ABOUT}
            self.gone.append(Change(row.key, STATUS, ChangeKind.GONE, None, None, status.value))
            claim = claims.get(row.task_id)
            if not prune or status in CLOSED:
                continue
            if not self.plan.tasks:
                reason = "is not pruned: the file has no task at all"
                self.plan.findings.refused("task", self.plan.path, row.key, reason)
            elif lost:
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
                    self._refuse(update, "parent", reason, error)
                    del update.fields["parent"]
                    update.content = {**update.content, "parent": None}

    def _metadata(self, update: TaskUpdate) -> dict[str, Any]:
        """Return a task's metadata with the fields that changed in the file."""
        there = tasks.get_by_key(self.conn, key=update.key).metadata
        task = self.planned[update.key]
        kept = {k: v for k, v in (there or {}).items() if k not in update.gone}
        return {**kept, **{name: task.metadata[name] for name in update.names}}

    def _write_edges(self, update: TaskUpdate) -> None:
        refused: list[str] = []
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
                cycle = " -> ".join(error.path)
                reason = f"on {blocker}: closes the cycle {cycle} with edges made here"
                self._refuse(update, "dependency", reason, error, WAITS_FOR.format(blocker))
                refused.append(blocker)
        for blocker in refused:
            del update.added[blocker]
        waits = update.content[DEPENDS_ON]
        kept = {key: kind for key, kind in waits.items() if key not in refused}
        update.content = {**update.content, DEPENDS_ON: kept}

    def _refuse(
        self,
        update: TaskUpdate,
        what: str,
        reason: str,
        error: CircularDependencyError,
        field: str = "parent",
    ) -> None:
        """Report what the database refuses: no change then, and the next import asks again."""
        where = self.planned[update.key].where
        self.plan.findings.refused(what, where, update.key, reason, error.path)
        update.changes = [change for change in update.changes if change.field != field]

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
        reported = exchange.reported_until(self.conn, source=self.plan.kind, task_ids=list(there))
        for row in reported:
            task = self.planned[there[row.task_id].key]
            state = (task.status, None)
            found = self._transitions(task, state, here=task.status, reported_at=row.reported_at)
            if found:
                yield task.key, found

    def _transitions(
        self, task: PlanTask, state: State, *, here: TaskStatus, reported_at: datetime | None
    ) -> list[TrackerTransition]:
        note = f"changed in {self.plan.path}"
        history = self.history[task.key]
        return list(
            transitions(task, history, state, here=here, reported_at=reported_at, note=note)
        )

    def _follow(self, key: str, reported: Iterable[TrackerTransition]) -> None:
        """Let a task's status change as it did in its tracker."""
        for each in reported:
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
