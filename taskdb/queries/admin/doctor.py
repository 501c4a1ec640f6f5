"""What must always hold: `sql/queries/admin/doctor.sql`. `taskdb.admin.doctor` runs them all.

The functions that return a list of findings return an empty one where all is well.
"""

from __future__ import annotations

from uuid import UUID

from taskdb.models.admin.doctor import Finding, Link, PlanSettings, Rank, Repair, Urgency, WrongRank
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
    """Return the tasks, with their parents, that are in a loop of parents or below one."""
    ...


@query
def wrong_counts() -> list[Finding]:
    """Return the tasks whose open_dependencies is not the number of their unsatisfied edges."""
    ...


@query
def wrong_urgency() -> list[Finding]:
    """Return the tasks that are not as urgent as their priority and what waits for them say."""
    ...


@query
def wrong_blocks() -> list[Finding]:
    """Return the tasks whose status does not go with their open dependencies and reason."""
    ...


@query
def doubled_claims() -> list[Finding]:
    """Return the tasks with more than one live claim."""
    ...


@query
def stray_claims() -> list[Finding]:
    """Return the tasks that have a live claim and are not in progress."""
    ...


@query
def wrong_tokens() -> list[Finding]:
    """Return the claims that are ahead of their task's token, and live ones behind it."""
    ...


@query
def wrong_completions() -> list[Finding]:
    """Return the tasks that claims completed twice, or completed before the newest claim."""
    ...


@query
def wrong_last_moves() -> list[Finding]:
    """Return the tasks whose status is not where their history ends."""
    ...


@query
def broken_history() -> list[Finding]:
    """Return the rows of history that do not begin where the one before ended."""
    ...


@query
def wrong_moves() -> list[Finding]:
    """Return the moves in history that are neither allowed, nor forced, nor imported."""
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
def wrong_readiness() -> list[Finding]:
    """Return the tasks of which ready_tasks and task_obstacles do not say the same."""
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
def repair_counts(*, ids: list[UUID]) -> list[Repair]:
    """Count the open dependencies of locked tasks anew; their status follows."""
    ...


@query
def lock_workflows(*, ids: list[UUID]) -> list[UUID]:
    """Lock workflows until the transaction ends; return those of *ids* that exist."""
    ...


@query
def repair_workflow_health(*, ids: list[UUID]) -> list[Repair]:
    """Count what is unhealthy at locked workflows anew; their tasks follow."""
    ...


@query
def repair_health(*, ids: list[UUID]) -> list[Repair]:
    """Count what is unhealthy at locked tasks anew."""
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
def lock_urgencies() -> list[Urgency]:
    """Lock every task until the transaction ends; return how urgent each is."""
    ...


@query
def spread_urgencies() -> int:
    """Make every task as urgent as its priority, and as what waits for it. Returns 1."""
    ...


@query
def withdraw_urgencies(*, ids: list[UUID]) -> int:
    """Take back the urgency of tasks, and of what they wait for, that nothing gives. Returns 1."""
    ...


@query
def repair_progress(*, keys: list[str]) -> list[Repair]:
    """Refresh the cached progress of features."""
    ...


@query
def repair_text(*, ids: list[UUID]) -> list[Repair]:
    """Write the words of locked tasks into the search table again."""
    ...
