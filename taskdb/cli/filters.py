"""The filters that `ready`, `tasks`, `graph`, `waves` and `critical-path` share."""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final, TypeVar
from uuid import UUID

import click
import psycopg

from taskdb.cli.common import Target, naming
from taskdb.models.types import TaskStatus
from taskdb.queries import epics, features, selection, tasks, workflows

__all__ = ["OPEN", "Filters", "filter_options"]

F = TypeVar("F", bound=Callable[..., Any])
OPEN: Final = (
    TaskStatus.PENDING,
    TaskStatus.BLOCKED,
    TaskStatus.IN_PROGRESS,
    TaskStatus.IN_REVIEW,
)


@dataclass(frozen=True, slots=True)
class Filters:
    """The filters that the options name; `task_ids` looks them up."""

    epic: str | None
    feature: str | None
    workflow_id: UUID | None
    under: str | None
    near: str | None
    steps: int
    label: str | None
    agent_type: str | None

    @property
    def any(self) -> bool:
        """Return whether any filter is set."""
        given = (self.epic, self.feature, self.workflow_id, self.under, self.near)
        return any(value is not None for value in (*given, self.label, self.agent_type))

    def task_ids(
        self,
        target: Target,
        conn: psycopg.Connection[Any],
        statuses: tuple[TaskStatus, ...] | None = OPEN,
    ) -> list[UUID]:
        """Return the tasks that all filters choose, of these *statuses*.

        Raises NotFoundError, which says how to list what there is, if a filter names nothing.
        """
        self.refuse_unknown(target, conn)
        return selection.chosen(
            conn,
            statuses=None if statuses is None else list(statuses),
            within=self._within(target, conn),
            epic=self.epic,
            feature=self.feature,
            workflow_id=self.workflow_id,
            agent_type=self.agent_type,
            label=self.label,
        )

    def refuse_unknown(self, target: Target, conn: psycopg.Connection[Any]) -> None:
        """Raise NotFoundError if the epic, the feature or the workflow does not exist."""
        if self.epic is not None:
            with naming(target, "epic", self.epic, listing=_listing("key, title", "epics")):
                epics.get_by_key(conn, self.epic)
        if self.feature is not None:
            listing = _listing("key, title", "features")
            with naming(target, "feature", self.feature, listing=listing):
                features.get_by_key(conn, self.feature)
        if self.workflow_id is not None:
            listing = _listing("id, name", "workflows")
            with naming(target, "workflow", self.workflow_id, listing=listing):
                workflows.get(conn, self.workflow_id)

    def _within(self, target: Target, conn: psycopg.Connection[Any]) -> list[UUID] | None:
        """Return the tasks under one, and near one; None if there is no such filter."""
        within: set[UUID] | None = None
        if self.under is not None:
            _known(target, conn, self.under)
            within = set(selection.under(conn, key=self.under))
        if self.near is not None:
            _known(target, conn, self.near)
            near = set(selection.around(conn, key=self.near, steps=self.steps))
            within = near if within is None else within & near
        return None if within is None else sorted(within)


def filter_options(command: F) -> F:
    """Add the filters to *command*, which gets them as `filters`."""

    @functools.wraps(command)
    def filtered(*args: Any, **kwargs: Any) -> Any:
        given = {name: kwargs.pop(name) for name in Filters.__dataclass_fields__}
        return command(*args, filters=Filters(**given), **kwargs)

    for option in reversed(OPTIONS):
        filtered = option(filtered)
    return filtered  # type: ignore[return-value]


OPTIONS: Final = (
    click.option("--epic", metavar="KEY", help="Of this epic."),
    click.option("--feature", metavar="KEY", help="Of this feature."),
    click.option(
        "--workflow", "workflow_id", type=click.UUID, metavar="ID", help="Of this workflow."
    ),
    click.option("--under", metavar="KEY", help="Parts of this task, at any depth."),
    click.option("--near", metavar="KEY", help="This task and what is around it."),
    click.option(
        "--steps",
        type=click.IntRange(0, 100),
        default=2,
        show_default=True,
        help="How far around --near: edges, parents and children.",
    ),
    click.option("--label", metavar="TEXT", help="With this label."),
    click.option("--type", "agent_type", metavar="TYPE", help="For agents of this type."),
)


def _known(target: Target, conn: psycopg.Connection[Any], key: str) -> None:
    with naming(target, "task", key, listing="search WORDS"):
        tasks.get_by_key(conn, key=key)


def _listing(columns: str, table: str) -> str:
    return f"db psql -c 'select {columns} from {table}'"
