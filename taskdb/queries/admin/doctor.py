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
    """Return the planner settings of the transaction, and its statement timeout."""
    ...


@query
def change_plan_settings(*, enable_nestloop: str, jit: str, statement_timeout: str) -> PlanSettings:
    """Change these settings until the transaction ends; return them."""
    ...


@query
def wrong_ranks() -> list[WrongRank]:
    """Return the dependencies whose blocker does not rank below its dependent."""
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
    """Return the tasks whose effective priority does not follow from the rules."""
    ...


@query
def wrong_blocks() -> list[Finding]:
    """Return the tasks whose status contradicts their open dependencies or reason."""
    ...


@query
def wrong_bindings() -> list[Finding]:
    """Return the tasks that wait although they are bound to a dead blocker."""
    ...


@query
def wrong_attempts() -> list[Finding]:
    """Return the open tasks without an attempt left."""
    ...


@query
def wrong_moments() -> list[Finding]:
    """Return the tasks whose moments contradict their status."""
    ...


@query
def wrong_times() -> list[Finding]:
    """Return the moments that history contradicts, and rows of history out of order."""
    ...


@query
def left_metadata() -> list[Finding]:
    """Return the tasks whose transition metadata waits for their next change."""
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
def wrong_holders() -> list[Finding]:
    """Return the live claims whose holder is not the agent that began them."""
    ...


@query
def wrong_failures() -> list[Finding]:
    """Return the tasks whose failed_attempts is not what history counts."""
    ...


@query
def wrong_claim_records() -> list[Finding]:
    """Return the claims that history does not begin and end, each once."""
    ...


@query
def wrong_tokens() -> list[Finding]:
    """Return the tokens that do not follow the one before, or a restore."""
    ...


@query
def wrong_completions() -> list[Finding]:
    """Return the claims that ended as completed without completing their task."""
    ...


@query
def wrong_last_transitions() -> list[Finding]:
    """Return the tasks whose status is not that of their last history row."""
    ...


@query
def broken_history() -> list[Finding]:
    """Return the rows of history that do not begin where the one before ended."""
    ...


@query
def forbidden_transitions() -> list[Finding]:
    """Return the transitions in history that are neither allowed, nor forced, nor imported."""
    ...


@query
def unnoticed_removals() -> list[Finding]:
    """Return the transitions of claims that are forbidden, and looked up by none."""
    ...


@query
def wrong_progress() -> list[Finding]:
    """Return the features whose cached progress does not follow from its counts."""
    ...


@query
def wrong_text() -> list[Finding]:
    """Return the tasks whose text in task_search is missing or old."""
    ...


@query
def wrong_references() -> list[Finding]:
    """Return the values of foreign keys that name no row; a subject is a constraint's name."""
    ...


@query
def missing_details() -> list[Finding]:
    """Return the tasks without a row of task_details."""
    ...


@query
def wrong_copies() -> list[Finding]:
    """Return the tasks whose copied columns in task_details differ."""
    ...


@query
def wrong_derived() -> list[Finding]:
    """Return the derived columns for the claim that disagree with their sources."""
    ...


@query
def idle_triggers() -> list[Finding]:
    """Return the triggers that are turned off, and the guards without their row."""
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
    """Return the tasks on which ready_tasks and task_blocking_reasons disagree."""
    ...


@query
def wrong_health() -> list[Finding]:
    """Return the tasks and workflows whose unhealthy_dependencies is wrong."""
    ...


@query
def wrong_workflow_health() -> list[Finding]:
    """Return the tasks that are not as healthy as their workflows."""
    ...


@query
def step_cycles() -> list[Finding]:
    """Return the workflows whose steps need each other in a cycle."""
    ...


@query
def left_steps() -> list[Finding]:
    """Return the open steps of ended executions, and steps begun before their needs."""
    ...


@query
def wrong_slots() -> list[Finding]:
    """Return tasks without the slot of their concurrency key, wrong slots, and stranded tasks."""
    ...


@query
def wrong_files() -> list[Finding]:
    """Return the files of tasks in progress without a lock, and wrong locks."""
    ...


@query
def spec_edges() -> list[Link]:
    """Return the dependencies between specifications."""
    ...


@query
def wrong_phases() -> list[Finding]:
    """Return the specifications whose rows of spec_phases differ from their structure."""
    ...


@query
def wrong_spec_text() -> list[Finding]:
    """Return the specifications whose text in spec_search is missing or old."""
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
    """Recount the open dependencies of locked tasks; their status follows."""
    ...


@query
def repair_details(*, ids: list[UUID]) -> list[UUID]:
    """Add the missing rows of task_details of locked tasks; return their ids."""
    ...


@query
def repair_copies(*, ids: list[UUID]) -> list[UUID]:
    """Copy the columns of task_details again for locked tasks."""
    ...


@query
def repair_derived(*, ids: list[UUID]) -> list[UUID]:
    """Derive the columns for the claim of locked tasks again."""
    ...


@query
def lock_workflows(*, ids: list[UUID]) -> list[UUID]:
    """Lock workflows until the transaction ends; return those of *ids* that exist."""
    ...


@query
def repair_workflow_health(*, ids: list[UUID]) -> list[Repair]:
    """Recount the unhealthy dependencies of locked workflows; their tasks follow."""
    ...


@query
def repair_health(*, ids: list[UUID]) -> list[Repair]:
    """Recount the unhealthy dependencies of locked tasks."""
    ...


@query
def ranks_below(*, roots: list[UUID]) -> list[Rank]:
    """Return the ranks of *roots* and of all their blockers, direct or indirect."""
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
    """Lock every task until the transaction ends; return the effective priorities."""
    ...


@query
def inherit_priorities() -> int:
    """Raise every task to its own priority and its active dependents'. Returns 1."""
    ...


@query
def revoke_priorities(*, ids: list[UUID]) -> int:
    """Revoke inherited priority that nothing justifies, also of all blockers. Returns 1."""
    ...


@query
def repair_progress(*, keys: list[str]) -> list[Repair]:
    """Refresh the cached progress of features."""
    ...


@query
def repair_text(*, ids: list[UUID]) -> list[Repair]:
    """Write the words of locked tasks into the search table again."""
    ...
