"""Verify on live data, row by row, what must always hold.

::

    for finding in doctor.run(conn):
        print(finding.subject, finding.message)

`run` only reads, and may run while everybody works. `repair` repairs derived data: counts, ranks
and caches, which follow from the rest. `overdue` reports what nobody claims.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Iterator, Sequence
from datetime import timedelta
from typing import Any, Final, TypeVar, overload
from uuid import UUID

from psycopg import AsyncConnection, Connection

from taskdb.models.admin.doctor import (
    EffectivePriority,
    Finding,
    Link,
    Overdue,
    PlanSettings,
    Rank,
    Repair,
    WrongRank,
)
from taskdb.queries.admin import doctor as queries
from taskdb.queries.cycles import closing_edges
from taskdb.queries.fields import Delay
from taskdb.queries.steps import Steps, call
from taskdb.queries.steps import run as run_steps
from taskdb.query import checked

__all__ = ["Finding", "Overdue", "Repair", "overdue", "repair", "run"]

R = TypeVar("R")

_CHECKS: Final[Sequence[Callable[[Any], Any]]] = (
    queries.wrong_priority,
    queries.wrong_edges,
    queries.wrong_counts,
    queries.wrong_blocks,
    queries.wrong_bindings,
    queries.wrong_attempts,
    queries.wrong_moments,
    queries.wrong_times,
    queries.left_metadata,
    queries.wrong_claims,
    queries.endless_leases,
    queries.wrong_holders,
    queries.wrong_failures,
    queries.wrong_claim_records,
    queries.wrong_tokens,
    queries.wrong_completions,
    queries.wrong_last_transitions,
    queries.broken_history,
    queries.forbidden_transitions,
    queries.unnoticed_removals,
    queries.wrong_progress,
    queries.wrong_references,
    queries.missing_details,
    queries.wrong_copies,
    queries.wrong_derived,
    queries.wrong_text,
    queries.wrong_readiness,
    queries.wrong_health,
    queries.wrong_workflow_health,
    queries.step_cycles,
    queries.left_steps,
    queries.wrong_files,
    queries.wrong_slots,
    queries.wrong_phases,
    queries.wrong_spec_text,
    queries.slow_catalogue,
    queries.idle_triggers,
)
DEFAULT_PATIENCE: Final = timedelta(hours=1)
# A finding shows the beginning of a long cycle.
_SHOWN_KEYS: Final = 20


@overload
def run(conn: Connection[Any]) -> list[Finding]: ...
@overload
def run(conn: AsyncConnection[Any]) -> Awaitable[list[Finding]]: ...
@checked
def run(conn: Connection[Any] | AsyncConnection[Any]) -> list[Finding] | Awaitable[list[Finding]]:
    """Return all that does not hold in the connection's workspace; an empty list is good news.

    Reads every task, dependency, claim and history row once or twice, and changes nothing. That
    takes seconds for a million tasks; `statement_timeout` does not apply to it.
    """
    return _in_transaction(conn, _unhurried(_run()))


@overload
def repair(conn: Connection[Any]) -> list[Repair]: ...
@overload
def repair(conn: AsyncConnection[Any]) -> Awaitable[list[Repair]]: ...
@checked
def repair(conn: Connection[Any] | AsyncConnection[Any]) -> list[Repair] | Awaitable[list[Repair]]:
    """Repair what follows from the rest, and return what was changed.

    These are: which dependencies are satisfied and how many are not, with the status that this
    implies; the count of unhealthy ones; ranks and effective priorities, unless the dependencies
    have a cycle; the columns that triggers derive or copy; missing rows of task_details, whose
    texts are lost; the cached progress of features; the words that search looks at. What is left
    `run` still reports, and somebody must decide. All is done in the caller's transaction, or in
    one of its own on a connection that commits by itself, and locks the tasks concerned. Raises
    psycopg's `SerializationFailure` above READ COMMITTED if one of them was changed meanwhile.
    """
    return _in_transaction(conn, _unhurried(_repair()))


@overload
def overdue(conn: Connection[Any], *, patience: timedelta = DEFAULT_PATIENCE) -> list[Overdue]: ...
@overload
def overdue(
    conn: AsyncConnection[Any], *, patience: timedelta = DEFAULT_PATIENCE
) -> Awaitable[list[Overdue]]: ...
@checked
def overdue(
    conn: Connection[Any] | AsyncConnection[Any], *, patience: Delay = DEFAULT_PATIENCE
) -> list[Overdue] | Awaitable[list[Overdue]]:
    """Return the tasks that have been overdue for longer than *patience*, the longest first.

    Nothing is damaged: a claiming call makes time pass for them. As long as these are found,
    nobody asks for this kind of work.
    """
    return queries.overdue(conn, patience=patience)


@overload
def _in_transaction(conn: Connection[Any], steps: Steps[R]) -> R: ...
@overload
def _in_transaction(conn: AsyncConnection[Any], steps: Steps[R]) -> Awaitable[R]: ...
def _in_transaction(
    conn: Connection[Any] | AsyncConnection[Any], steps: Steps[R]
) -> R | Awaitable[R]:
    """Run *steps* in the caller's transaction: locks and settings must outlive a statement."""
    if not conn.autocommit:
        return run_steps(conn, steps)
    if isinstance(conn, AsyncConnection):
        return _in_transaction_async(conn, steps)
    with conn.transaction():
        return run_steps(conn, steps)


async def _in_transaction_async(conn: AsyncConnection[Any], steps: Steps[R]) -> R:
    async with conn.transaction():
        return await run_steps(conn, steps)


def _unhurried(steps: Steps[R]) -> Steps[R]:
    """Set what the queries need, and set it back. (After an error, rolling back does that.)"""
    before: PlanSettings = yield queries.plan_settings
    yield call(
        queries.change_plan_settings, enable_nestloop="off", jit="off", statement_timeout="0"
    )
    result = yield from steps
    yield call(
        queries.change_plan_settings,
        enable_nestloop=before.enable_nestloop,
        jit=before.jit,
        statement_timeout=before.statement_timeout,
    )
    return result


def _run() -> Steps[list[Finding]]:
    ranks: list[WrongRank] = yield queries.wrong_ranks
    found: list[Finding] = [*ranks, *(yield from _cycles(ranks))]
    parents: list[Link] = yield queries.tasks_below_no_root
    found += _paths(parents, "parent_cycle", "each is a part of the next")
    specs: list[Link] = yield queries.spec_edges
    found += _paths(specs, "spec_cycle", "each builds on the next")
    for check in _CHECKS:
        found += yield check
    return found


def _cycles(ranks: Sequence[WrongRank]) -> Steps[list[Finding]]:
    if not ranks:
        return []
    waiting = [rank.waiting_id for rank in ranks]
    awaited = [rank.blocker_id for rank in ranks]
    edges: list[Link] = yield call(queries.edges_around, waiting=waiting, awaited=awaited)
    return list(_paths(edges, "dependency_cycle", "each waits for the next"))


def _paths(links: Iterable[Link], invariant: str, relation: str) -> Iterator[Finding]:
    ids: dict[str, UUID] = {}
    steps: dict[str, list[str]] = {}
    for link in links:
        ids[link.key] = link.id
        steps.setdefault(link.key, []).append(link.next_key)
    for path in closing_edges(list(steps), steps):
        shown = " -> ".join(path[:_SHOWN_KEYS])
        if len(path) > _SHOWN_KEYS:
            shown += f" -> ... ({len(path) - _SHOWN_KEYS} more)"
        yield Finding(invariant, path[0], ids[path[0]], f"{shown}, where {relation}", "no cycle")


def _repair() -> Steps[list[Repair]]:
    details = yield from _repair_with(queries.missing_details, queries.repair_details)
    copies = yield from _repair_with(queries.wrong_copies, queries.repair_copies)
    ranks = yield from _repair_ranks()
    priorities = yield from _repair_priorities()
    edges = yield from _repair_with(queries.wrong_edges, queries.repair_edges)
    counts = yield from _repair_counts()
    health = yield from _repair_health()
    # The columns for the claim are derived from all of the above.
    derived = yield from _repair_with(queries.wrong_derived, queries.repair_derived)
    progress = yield from _repair_progress()
    text = yield from _repair_text()
    tasks = [*details, *copies, *ranks, *priorities, *edges, *counts, *health, *derived]
    return [*tasks, *progress, *text]


def _repair_with(check: Callable[[Any], Any], repair: Callable[..., Any]) -> Steps[list[Repair]]:
    """Let *repair* correct the tasks that *check* finds, once they are locked."""
    wrong: list[Finding] = yield check
    if not wrong:
        return []
    yield call(queries.lock_tasks, ids=_ids(wrong))
    # A transaction that the lock waited for may have changed something: look again.
    wrong = yield check
    done = set((yield call(repair, ids=_ids(wrong))))
    return [
        Repair(found.invariant, found.subject, found.id, found.found, found.expected)
        for found in wrong
        if found.id and found.id in done
    ]


def _ids(findings: Iterable[Finding]) -> list[UUID]:
    return list({finding.id for finding in findings if finding.id})


def _repair_ranks() -> Steps[list[Repair]]:
    wrong: list[WrongRank] = yield queries.wrong_ranks
    if not wrong or (yield from _cycles(wrong)):
        return []
    ids = {id for rank in wrong for id in (rank.waiting_id, rank.blocker_id)}
    yield call(queries.lock_tasks, ids=list(ids))
    # A transaction that the lock waited for may have changed something: look again.
    again: list[WrongRank] = yield queries.wrong_ranks
    wrong = [rank for rank in again if {rank.waiting_id, rank.blocker_id} <= ids]
    waiting = [rank.waiting_id for rank in wrong]
    awaited = [rank.blocker_id for rank in wrong]
    before: list[Rank] = yield call(queries.ranks_below, roots=awaited)
    if wrong:
        yield call(queries.repair_ranks, waiting=waiting, awaited=awaited)
    after: list[Rank] = yield call(queries.ranks_below, roots=awaited)
    now = {rank.id: rank.graph_rank for rank in after}
    return [
        Repair("rank", old.key, old.id, f"rank {old.graph_rank}", f"rank {now[old.id]}")
        for old in before
        if now.get(old.id, old.graph_rank) != old.graph_rank
    ]


def _repair_priorities() -> Steps[list[Repair]]:
    wrong: list[Finding] = yield queries.wrong_priority
    # On a cycle of tasks each inherits from the next: no priority is the right one.
    if not wrong or (yield from _cycles((yield queries.wrong_ranks))):
        return []
    before: list[EffectivePriority] = yield queries.lock_priorities
    yield queries.inherit_priorities
    # Now no task is less urgent than it should be; some are more.
    wrong = yield queries.wrong_priority
    yield call(queries.revoke_priorities, ids=_ids(wrong))
    after: list[EffectivePriority] = yield queries.lock_priorities
    now = {task.id: task.effective_priority for task in after}
    return [
        Repair(
            "effective_priority",
            old.key,
            old.id,
            f"effective_priority {old.effective_priority}",
            f"effective_priority {now[old.id]}",
        )
        for old in before
        if now[old.id] != old.effective_priority
    ]


def _repair_counts() -> Steps[list[Repair]]:
    counts: list[Finding] = yield queries.wrong_counts
    blocks: list[Finding] = yield queries.wrong_blocks
    ids = _ids((*counts, *blocks))
    # The lock first: a count is right only in a snapshot that is younger than the lock.
    locked: list[UUID] = yield call(queries.lock_tasks, ids=ids)
    done: list[Repair] = yield call(queries.repair_counts, ids=locked)
    return [repair for repair in done if repair.old_value != repair.new_value]


def _repair_health() -> Steps[list[Repair]]:
    wrong: list[Finding] = yield queries.wrong_health
    unlike: list[Finding] = yield queries.wrong_workflow_health
    ids = _ids((*wrong, *unlike))
    # Workflows first, as everybody does; what is neither the other query passes over.
    workflows: list[UUID] = yield call(queries.lock_workflows, ids=ids)
    locked: list[UUID] = yield call(queries.lock_tasks, ids=ids)
    of_workflows: list[Repair] = yield call(queries.repair_workflow_health, ids=workflows)
    of_tasks: list[Repair] = yield call(queries.repair_health, ids=locked)
    return [*of_workflows, *of_tasks]


def _repair_progress() -> Steps[list[Repair]]:
    wrong: list[Finding] = yield queries.wrong_progress
    keys = [finding.subject for finding in wrong]
    done: list[Repair] = yield call(queries.repair_progress, keys=keys)
    return done


def _repair_text() -> Steps[list[Repair]]:
    wrong: list[Finding] = yield queries.wrong_text
    ids = _ids(wrong)
    locked: list[UUID] = yield call(queries.lock_tasks, ids=ids)
    done: list[Repair] = yield call(queries.repair_text, ids=locked)
    return done
