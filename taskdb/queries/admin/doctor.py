"""Invariants: `sql/queries/admin/doctor.sql`. `taskdb.admin.doctor` runs them all.

The functions that return a list of findings return an empty one where all is well.
"""

from __future__ import annotations

from datetime import timedelta
from uuid import UUID

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
from taskdb.queries.admin import query


@query
def plan_settings() -> PlanSettings:
    """Return how the transaction plans its statements, and how long one may take."""
    ...


@query
def change_plan_settings(*, enable_nestloop: str, jit: str, statement_timeout: str) -> PlanSettings:
    """Change that until the transaction ends; return it."""
    ...


@query
def wrong_ranks() -> list[WrongRank]:
    """Return the dependencies whose blocker does not rank below the task that waits for it."""
    ...


@query
def edges_around(*, waiting: list[UUID], awaited: list[UUID]) -> list[Link]:
    """Return the edges, among them those of every cycle, around what wrong_ranks found."""
    ...


@query
def tasks_below_no_root() -> list[Link]:
    """Return the tasks, with their parents, that are in a cycle of parents or below one."""
    ...


@query
def wrong_edges() -> list[Finding]:
    """Return the dependencies that are not marked as their blockers' statuses say."""
    ...


@query
def wrong_counts() -> list[Finding]:
    """Return the tasks whose open_dependencies is not the number of unsatisfied edges."""
    ...


@query
def wrong_priority() -> list[Finding]:
    """Return the tasks that are not as urgent as their priority and what waits for them say."""
    ...


@query
def wrong_blocks() -> list[Finding]:
    """Return the tasks whose status does not go with their open dependencies and reason."""
    ...


@query
def wrong_attempts() -> list[Finding]:
    """Return the tasks that wait for work and have no attempt left."""
    ...


@query
def wrong_moments() -> list[Finding]:
    """Return the tasks whose moments do not go with their status."""
    ...


@query
def wrong_claims() -> list[Finding]:
    """Return the tasks that are claimed in part, or claimed and not in progress."""
    ...


@query
def endless_leases() -> list[Finding]:
    """Return the claims whose lease ends in more than a year."""
    ...


@query
def wrong_claim_records() -> list[Finding]:
    """Return the claims that history does not begin and end, each once."""
    ...


@query
def wrong_tokens() -> list[Finding]:
    """Return the tokens that did not grow, and tasks that are not at their newest one."""
    ...


@query
def wrong_completions() -> list[Finding]:
    """Return the claims that ended as completed and completed nothing."""
    ...


@query
def wrong_last_transitions() -> list[Finding]:
    """Return the tasks whose status is not where their history ends."""
    ...


@query
def broken_history() -> list[Finding]:
    """Return the rows of history that do not begin where the one before ended."""
    ...


@query
def wrong_moves() -> list[Finding]:
    """Return the transitions in history that are neither allowed, nor forced, nor imported."""
    ...


@query
def wrong_progress() -> list[Finding]:
    """Return the features whose cached progress is not that of the counts beside it."""
    ...


@query
def wrong_text() -> list[Finding]:
    """Return the tasks that search knows under another text, or not at all."""
    ...


@query
def missing_details() -> list[Finding]:
    """Return the tasks without a row of task_details."""
    ...


@query
def wrong_copies() -> list[Finding]:
    """Return the tasks of which task_details has other copies."""
    ...


@query
def wrong_derived() -> list[Finding]:
    """Return the columns for the claim that do not agree with what they follow from."""
    ...


@query
def slow_catalogue() -> list[Finding]:
    """Return the rules that every statement on tasks and their history would parse."""
    ...


@query
def overdue(*, patience: timedelta) -> list[Overdue]:
    """Return the tasks that have been overdue for longer than *patience*, the longest first."""
    ...


@query
def wrong_readiness() -> list[Finding]:
    """Return the tasks of which ready_tasks and task_blocking_reasons do not say the same."""
    ...


@query
def wrong_health() -> list[Finding]:
    """Return the tasks and workflows whose unhealthy_dependencies is not their number."""
    ...


@query
def wrong_workflow_health() -> list[Finding]:
    """Return the tasks that are not as healthy as their workflows."""
    ...


@query
def step_cycles() -> list[Finding]:
    """Return the workflows whose steps need each other in a circle."""
    ...


@query
def left_steps() -> list[Finding]:
    """Return the open steps of ended executions, and steps begun before what they need."""
    ...


@query
def wrong_files() -> list[Finding]:
    """Return the files of tasks in progress that they do not hold, and those held otherwise."""
    ...


@query
def spec_edges() -> list[Link]:
    """Return the dependencies between specifications."""
    ...


@query
def wrong_phases() -> list[Finding]:
    """Return the specifications whose rows of phases are not those of their structure."""
    ...


@query
def wrong_spec_text() -> list[Finding]:
    """Return the specifications that search knows under another text, or not at all."""
    ...


@query
def lock_tasks(*, ids: list[UUID]) -> list[UUID]:
    """Lock tasks until the transaction ends; return those of *ids* that exist."""
    ...


@query
def repair_edges(*, ids: list[UUID]) -> list[UUID]:
    """Mark the dependencies of locked tasks as they should be; return whose were wrong."""
    ...


@query
def repair_counts(*, ids: list[UUID]) -> list[Repair]:
    """Count the open dependencies of locked tasks again; their status follows."""
    ...


@query
def repair_details(*, ids: list[UUID]) -> list[UUID]:
    """Make the missing second rows of locked tasks; return of which."""
    ...


@query
def repair_copies(*, ids: list[UUID]) -> list[UUID]:
    """Copy again what the second rows of locked tasks have from the first."""
    ...


@query
def repair_derived(*, ids: list[UUID]) -> list[UUID]:
    """Derive again what triggers derive for the claim of locked tasks."""
    ...


@query
def lock_workflows(*, ids: list[UUID]) -> list[UUID]:
    """Lock workflows until the transaction ends; return those of *ids* that exist."""
    ...


@query
def repair_workflow_health(*, ids: list[UUID]) -> list[Repair]:
    """Count what is unhealthy at locked workflows again; their tasks follow."""
    ...


@query
def repair_health(*, ids: list[UUID]) -> list[Repair]:
    """Count what is unhealthy at locked tasks again."""
    ...


@query
def ranks_below(*, roots: list[UUID]) -> list[Rank]:
    """Return the ranks of *roots* and of all that they wait for, directly or not."""
    ...


@query
def repair_ranks(*, waiting: list[UUID], awaited: list[UUID]) -> int:
    """Lower ranks until each of *awaited* ranks below its partner in *waiting*; both are locked.

    Returns 1: how often that was done.

    Raises `CircularDependencyError` if they are on a cycle.
    """
    ...


@query
def lock_priorities() -> list[EffectivePriority]:
    """Lock every task until the transaction ends; return how urgent each is."""
    ...


@query
def inherit_priorities() -> int:
    """Make every task as urgent as its priority, and as what waits for it. Returns 1."""
    ...


@query
def revoke_priorities(*, ids: list[UUID]) -> int:
    """Revoke inherited priority that nothing justifies, in all they wait for too. Returns 1."""
    ...


@query
def repair_progress(*, keys: list[str]) -> list[Repair]:
    """Refresh the cached progress of features."""
    ...


@query
def repair_text(*, ids: list[UUID]) -> list[Repair]:
    """Write the words of locked tasks into the search table again."""
    ...
