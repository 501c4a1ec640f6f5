"""Puts a plan into the database, in one transaction, through the typed functions."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import islice
from typing import Any
from uuid import UUID

import psycopg

from taskdb.exchange.again import OnConflict, content_of_tasks, states_of_tasks
from taskdb.exchange.choose import Known, Selection, choose, place_about, usable_tasks
from taskdb.exchange.graph import Standing, normalize
from taskdb.exchange.plan import ABOUT, SOURCE, Plan, PlanEpic, PlanFeature, PlanTask
from taskdb.exchange.progress import Progress, Stage, counted
from taskdb.exchange.report import ImportConflictError, ImportRefusedError, Report
from taskdb.exchange.update import Updates
from taskdb.models.exchange import ImportedBefore, KnownRow
from taskdb.models.jsontypes import is_list
from taskdb.models.tasks import NewTask
from taskdb.models.types import TaskStatus
from taskdb.queries import exchange, features, files, implementation_tasks, specs, tasks

__all__ = ["LoadOptions", "load"]

Connection = psycopg.Connection[Any]
_HISTORY_BATCH = 10_000


@dataclass(slots=True, frozen=True)
class LoadOptions:
    """Options of a load: all or nothing, a dry run, and precedence over existing rows."""

    strict: bool = False
    dry_run: bool = False
    on_conflict: OnConflict = OnConflict.STOP
    prune: bool = False


def load(conn: Connection, plan: Plan, options: LoadOptions, progress: Progress) -> Report:
    """Normalize *plan*, write what is new or changed, and report it. Rolled back whole if it fails.

    A dry run writes as well, and rolls back: so it reports what the database refuses, too.

    Raises ImportRefusedError if it is to be strict and there are findings, ImportConflictError
    if fields changed on both sides and nothing says whose value counts. What the database itself
    refuses (a key or a cycle that another session commits meanwhile) is its own error.
    """
    with conn.transaction() as transaction:
        before = exchange.imported_before(conn, kind=plan.kind, path=plan.path)
        if plan.any_case:
            plan.rename(_same_in_any_case(plan, [row.key for row in before]))
        known = _known(conn, plan, before)
        normalize(plan, known.tasks, known.edges, _gone(conn, plan, known))
        states = states_of_tasks(plan)
        selection = choose(plan, known)
        place_about(plan, known, selection)
        usable = usable_tasks(plan, selection, known)
        updates = Updates(
            conn,
            plan,
            known,
            content_of_tasks(plan, states, usable),
            on_conflict=options.on_conflict,
            prune=options.prune,
        )
        report = _report(plan, selection)
        updates.report(report, selection.unchanged)
        _refuse_findings(report, options)
        stops = options.on_conflict is OnConflict.STOP and any(u.conflicts for u in updates.tasks)
        if stops and not options.dry_run:
            _nothing_taken(report, "changed on both sides: nothing was imported")
            raise ImportConflictError(report)
        if not stops:
            writer = _Writer(conn, plan, selection, progress)
            writer.write()
            updates.write(writer.feature_ids())
            updates.keep(task.key for task in selection.tasks)
            # The database may have refused edges that close a cycle with those made here.
            updates.report(report, selection.unchanged)
            _refuse_findings(report, options)
        if options.dry_run:
            report.remarks.append("dry run: nothing was written")
            raise psycopg.Rollback(transaction)
    return report


def _refuse_findings(report: Report, options: LoadOptions) -> None:
    if options.strict and report.findings:
        _nothing_taken(report, "strict: nothing was imported")
        raise ImportRefusedError(report)


def _nothing_taken(report: Report, remark: str) -> None:
    report.taken.clear()
    report.updated.clear()
    report.kept.clear()
    report.remarks[:] = [remark]


class _Writer:
    def __init__(
        self, conn: Connection, plan: Plan, selection: Selection, progress: Progress
    ) -> None:
        self.conn = conn
        self.plan = plan
        self.new = selection
        self.progress = progress

    def write(self) -> None:
        self._write_epics()
        self._write_features()
        if self.new.tasks:
            self._write_tasks()
            self._write_dependents()
        if self.new.specs or self.new.parts:
            self._write_specs()
        if self.new.files:
            self._write_files()
        touched = {task.feature for task in self.new.tasks if task.feature}
        for key in sorted(touched):
            features.update_progress(self.conn, key=key)

    def _write_epics(self) -> None:
        rows = (
            (
                epic.key,
                epic.title,
                epic.description,
                epic.status,
                epic.priority,
                epic.business_value,
                epic.file_path,
                epic.metadata,
                epic.created_by,
                _moment(epic.created_at),
            )
            for epic in self._reported(self.new.epics, Stage.EPICS)
        )
        exchange.copy_epics.copy(self.conn, rows)

    def _write_features(self) -> None:
        epic_ids = _ids(exchange.epics_by_key(self.conn, keys=[e.key for e in self.plan.epics]))
        rows = (
            (
                epic_ids[feature.epic],
                feature.key,
                feature.title,
                feature.description,
                feature.status,
                feature.execution_order,
                feature.file_path,
                feature.metadata,
                feature.created_by,
                _moment(feature.created_at),
            )
            for feature in self._reported(self.new.features, Stage.FEATURES)
        )
        exchange.copy_features.copy(self.conn, rows)

    def feature_ids(self) -> dict[str, UUID]:
        """Return the ids of the plan's features that are there."""
        keys = [feature.key for feature in self.plan.features]
        return _ids(exchange.features_by_key(self.conn, keys=keys))

    def _write_tasks(self) -> None:
        feature_ids = self.feature_ids()
        rows = (
            _new_task(task, feature_ids) for task in self._reported(self.new.tasks, Stage.TASKS)
        )
        tasks.create_many(self.conn, list(rows), [])

    def _write_dependents(self) -> None:
        """Write what refers to tasks by their ids."""
        keys = [task.key for task in self.plan.tasks]
        ids = {task.key: task.id for task in exchange.tasks_by_key(self.conn, keys=keys)}
        exchange.copy_edges.copy(
            self.conn,
            (
                (
                    ids[edge.task],
                    ids[edge.depends_on],
                    edge.dependency_type,
                    edge.created_by,
                    _moment(edge.created_at),
                )
                for edge in self._reported(self.new.edges, Stage.DEPENDENCIES)
            ),
        )
        rows = self._reported(self.new.history, Stage.HISTORY)
        while batch := list(islice(rows, _HISTORY_BATCH)):
            exchange.import_history(
                self.conn,
                source=self.plan.kind,
                task_ids=[ids[row.task] for row in batch],
                old_statuses=[row.old_status for row in batch],
                new_statuses=[row.new_status for row in batch],
                agents=[row.agent for row in batch],
                notes=[row.note for row in batch],
                are_forced=[row.forced for row in batch],
                moments=[row.created_at for row in batch],
            )

    def _write_specs(self) -> None:
        keys = {
            spec.file_path: spec.key
            for spec in exchange.specs_by_file(
                self.conn, paths=[spec.file_path for spec in self.plan.specs]
            )
        }
        for spec in self._reported(self.new.specs, Stage.SPECS):
            keys[spec.file_path] = specs.create(
                self.conn,
                title=spec.text.title,
                spec_type=spec.text.spec_type,
                content=spec.text.content,
                structure=spec.text.structure,
                roadmap_item_id=spec.item,
                created_by=self.plan.kind,
                file_path=spec.file_path,
            ).key
        for part in self.new.parts:
            implementation_tasks.adopt(
                self.conn,
                key=part.task,
                spec=keys[part.spec],
                scope=part.scope,
                created_by=self.plan.kind,
            )

    def _write_files(self) -> None:
        for file in self._reported(self.new.files, Stage.FILES):
            files.put(
                self.conn,
                task=file.task,
                path=file.path,
                content=file.content,
                content_type="text/markdown",
            )

    def _reported(self, rows: list[Any], stage: Stage) -> Iterator[Any]:
        return counted(rows, stage, len(rows), self.progress)


def _same_in_any_case(plan: Plan, before: list[str]) -> dict[str, str]:
    """Return the keys of earlier imports for those of the plan that differ in case alone."""
    here = {task.key for task in plan.tasks}
    gone = {key.casefold(): key for key in before if key not in here}
    new = here.difference(before)
    return {key: gone[key.casefold()] for key in new if key.casefold() in gone}


def _gone(conn: Connection, plan: Plan, known: Known) -> dict[str, Standing]:
    """Return how the tasks stand that the file had before, and still names as blockers."""
    here = {task.key for task in plan.tasks}
    named = {edge.depends_on for edge in plan.edges} & known.before.keys() - here
    there = exchange.tasks_by_key(conn, keys=sorted(named)) if named else []
    return {row.key: (row.status, row.completed_at is not None) for row in there}


def _known(conn: Connection, plan: Plan, before: list[ImportedBefore]) -> Known:
    """Ask what the database holds under the plan's keys."""
    epics = exchange.epics_by_key(conn, keys=[epic.key for epic in plan.epics])
    features_there = exchange.features_by_key(conn, keys=[row.key for row in plan.features])
    tasks_there = exchange.tasks_by_key(conn, keys=[task.key for task in plan.tasks])
    ids = [task.id for task in tasks_there]
    edges = exchange.edges_of(conn, task_ids=ids)
    keys = {row.task_id: row.key for row in before} | {task.id: task.key for task in tasks_there}
    paths = [spec.file_path for spec in plan.specs]
    specs_there = exchange.specs_by_file(conn, paths=paths) if paths else []
    with_files = ids if plan.files else []
    files_there = exchange.files_of(conn, task_ids=with_files) if with_files else []
    with_parts = ids if plan.parts else []
    parts_there = exchange.parts_of(conn, task_ids=with_parts) if with_parts else []
    return Known(
        epics={row.key: row for row in epics},
        features={row.key: row for row in features_there},
        tasks={row.key: row for row in tasks_there},
        edges=frozenset(
            (keys[edge.task_id], keys[edge.depends_on_id])
            for edge in edges
            if edge.depends_on_id in keys
        ),
        before={row.key: row for row in before},
        keys=keys,
        specs={row.file_path: row for row in specs_there},
        files=frozenset((keys[row.task_id], row.path) for row in files_there),
        parts=frozenset(keys[task_id] for task_id in parts_there),
    )


def _report(plan: Plan, new: Selection) -> Report:
    taken = {
        "epics": len(new.epics),
        "features": len(new.features),
        "tasks": len(new.tasks),
        "parents": sum(task.parent is not None for task in new.tasks),
        "dependencies": sum(not edge.derived for edge in new.edges),
        "derived dependencies": sum(edge.derived for edge in new.edges),
        "history": sum(not row.derived for row in new.history),
        "history from moments": sum(row.derived for row in new.history),
        "claims": sum(task.claim is not None for task in new.tasks),
        "specs": len(new.specs),
        "implementation tasks": len(new.parts),
        "files": len(new.files),
    }
    listed: Counter[str] = Counter()
    kept: Counter[str] = Counter()
    rows: list[PlanEpic | PlanFeature | PlanTask] = [*new.epics, *new.features, *new.tasks]
    for row in rows:
        for name, value in row.metadata.items():
            if name in plan.lists:
                listed[name] += len(value) if is_list(value) else 1
            elif name == ABOUT:
                listed.update({each: len(raw) for each, raw in value.items() if is_list(raw)})
            elif name != SOURCE:
                kept[name] += 1
    remarks = list(plan.remarks)
    untimed = sum(
        task.status is TaskStatus.COMPLETED and task.completed_at is None for task in new.tasks
    )
    if untimed:
        remarks.append(f"{untimed} completed tasks name no time; this import's time is used")
    return Report(
        kind=plan.kind,
        path=plan.path,
        taken={name: count for name, count in {**taken, **listed}.items() if count},
        kept=dict(kept),
        renamed=plan.renamed,
        remarks=remarks,
        findings=plan.findings.rows,
    )


def _new_task(task: PlanTask, feature_ids: dict[str, UUID]) -> NewTask:
    return NewTask(
        key=task.key,
        title=task.title,
        description=task.description,
        status=task.status,
        priority=task.priority,
        agent_type=task.agent_type,
        assigned_agent=task.assigned_agent,
        estimated_hours=task.estimated_hours,
        actual_hours=task.actual_hours,
        execution_order=task.execution_order,
        requirements=task.requirements,
        context=task.context,
        metadata=task.metadata,
        labels=list(task.labels),
        file_path=task.file_path,
        blocked_reason=task.blocked_reason,
        scheduled_at=task.scheduled_at,
        feature_id=feature_ids[task.feature] if task.feature else None,
        parent=task.parent,
        created_by=task.created_by,
        claim_agent=task.claim.agent if task.claim else None,
        started_at=task.started_at,
        blocked_at=task.blocked_at if task.status is TaskStatus.BLOCKED else None,
        completed_at=task.completed_at,
        created_at=task.created_at,
    )


def _ids(rows: Iterable[KnownRow]) -> dict[str, UUID]:
    return {row.key: row.id for row in rows}


def _moment(raw: datetime | None) -> datetime:
    return raw or datetime.now(UTC)
