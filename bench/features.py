"""Cost of a feature to a job that uses it: the loop of one worker, one by one, on other queues."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any, Final
from uuid import UUID

from bench import Table, connected, query
from bench.accounts import lift_timeout
from bench.claiming import Subject, empty_tasks, fill_tasks, refill, tasks_done
from bench.contest import Contestant, Result
from bench.crews import workers
from taskdb.database import Connection

SPECIFICATION: Final = 1


@query
def add_specification(*, number: int) -> UUID: ...


@query
def add_files(*, spec_id: UUID) -> int: ...


@query
def add_workflow() -> UUID: ...


@query
def add_service(*, workflow_id: UUID) -> int: ...


@query
def fill_workflow(*, jobs: int, workflow_id: UUID) -> int: ...


@query
def add_dependents(*, jobs: int, priority: int) -> int: ...


@query
def add_edges(*, jobs: int) -> int: ...


@query
def fill_mixed(*, jobs: int) -> int: ...


def with_files(conn: Connection, jobs: int) -> None:
    """Give each task two files of its own."""
    fill_tasks(conn, jobs=jobs)
    add_files(conn, spec_id=add_specification(conn, number=SPECIFICATION))


def with_workflow(conn: Connection, jobs: int) -> None:
    """Let all tasks serve a workflow that depends on a healthy service."""
    workflow = add_workflow(conn)
    add_service(conn, workflow_id=workflow)
    fill_workflow(conn, jobs=jobs, workflow_id=workflow)


def with_dependents(priority: int, conn: Connection, jobs: int) -> None:
    """Let one other task of that priority wait for each; it comes later in the queue."""
    fill_tasks(conn, jobs=jobs)
    add_dependents(conn, jobs=jobs, priority=priority)
    add_edges(conn, jobs=jobs)


PLAIN: Final = "plain"
FEATURES: Final[Mapping[str, Callable[[Connection, int], Any]]] = {
    "files": with_files,
    "workflow health": with_workflow,
    "one dependent": partial(with_dependents, 5),
    "one dependent, priority inherited": partial(with_dependents, 1),
}


def _refill(fill: Callable[[Connection, int], Any], url: str, jobs: int) -> None:
    with connected(url) as conn:
        lift_timeout(conn)
        empty_tasks(conn)
        fill(conn, jobs)


def contestants(subject: Subject) -> list[Contestant]:
    """Return the same worker on each queue; the plain one comes first."""
    start = workers(subject.url, "one", python=subject.python)
    refills = {PLAIN: refill} | {name: partial(_refill, fill) for name, fill in FEATURES.items()}
    return [
        Contestant(f"{subject.name}, {name}", "", subject.url, refill_with, start, tasks_done, 600)
        for name, refill_with in refills.items()
    ]


def table(subjects: Sequence[Subject], results: Sequence[Result]) -> Table:
    """Return what each feature adds to the plain loop of the same taskdb."""
    by_name = {result.contestant: result.median for result in results}
    rows: list[tuple[str, ...]] = []
    for subject in subjects:
        plain = by_name[f"{subject.name}, {PLAIN}"]
        for name in (PLAIN, *FEATURES):
            found = by_name[f"{subject.name}, {name}"]
            rows.append(
                (
                    f"{subject.name}, {name}",
                    f"{found.rate:.0f}/s",
                    f"{found.server_us:.0f}",
                    f"{found.server_us - plain.server_us:+.0f}",
                    f"{found.wal:.0f}",
                    f"{found.wal - plain.wal:+.0f}",
                )
            )
    head = ("queue", "1 worker", "server us", "more us", "WAL bytes", "more bytes")
    return Table("What features cost a job", head, rows)
