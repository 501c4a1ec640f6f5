"""A large made-up plan, a statement a table: `sql/queries/admin/seed.sql`."""

from __future__ import annotations

from taskdb.queries.admin import query

__all__ = [
    "add_agent_errors",
    "add_conversations",
    "add_dependencies",
    "add_design_decisions",
    "add_design_jobs",
    "add_design_outputs",
    "add_design_progress",
    "add_documents",
    "add_environments",
    "add_epics",
    "add_execution_steps",
    "add_executions",
    "add_externals",
    "add_features",
    "add_files",
    "add_history",
    "add_implementation_tasks",
    "add_imported",
    "add_modifications",
    "add_needs",
    "add_projects",
    "add_research",
    "add_sessions",
    "add_spec_dependencies",
    "add_specs",
    "add_steps",
    "add_subtasks",
    "add_tasks",
    "add_templates",
    "add_workflows",
    "analyze",
    "claim_again",
    "complete_claims",
    "decide_modifications",
    "end_attempts",
    "end_modifications",
    "is_empty",
]


@query
def is_empty() -> bool:
    """Return whether the workspace has no task yet."""
    ...


@query
def add_epics(*, tasks: int) -> int:
    """Make the epics of a plan of *tasks* tasks."""
    ...


@query
def add_features() -> int:
    """Make the features of all epics."""
    ...


@query
def add_workflows(*, tasks: int, seed: int) -> int:
    """Make the workflows beside *tasks* tasks."""
    ...


@query
def add_steps() -> int:
    """Make the steps of all workflows."""
    ...


@query
def add_needs() -> int:
    """Let steps need each other."""
    ...


@query
def add_executions(*, seed: int) -> int:
    """Make executions of the workflows."""
    ...


@query
def add_execution_steps() -> int:
    """Make the steps of all executions."""
    ...


@query
def add_projects(*, tasks: int, seed: int) -> int:
    """Make the projects beside *tasks* tasks, with their files."""
    ...


@query
def add_environments() -> int:
    """Make the variables of projects."""
    ...


@query
def add_modifications() -> int:
    """Request five modifications of each project."""
    ...


@query
def decide_modifications() -> int:
    """Approve or reject most modifications."""
    ...


@query
def end_modifications() -> int:
    """Apply one modification of each project, and let another fail."""
    ...


@query
def add_templates(*, tasks: int, seed: int) -> int:
    """Make templates beside *tasks* tasks."""
    ...


@query
def add_design_jobs(*, tasks: int, seed: int) -> int:
    """Make design jobs beside *tasks* tasks, unless they are there."""
    ...


@query
def add_design_outputs(*, tasks: int, seed: int) -> int:
    """Make the documents of completed design jobs."""
    ...


@query
def add_design_decisions(*, tasks: int, seed: int) -> int:
    """Make the decisions of design jobs."""
    ...


@query
def add_design_progress(*, tasks: int, seed: int) -> int:
    """Make the reports of design jobs."""
    ...


@query
def add_sessions(*, tasks: int, seed: int) -> int:
    """Make tech-spec sessions of completed design jobs."""
    ...


@query
def add_research() -> int:
    """Make research of sessions."""
    ...


@query
def add_conversations() -> int:
    """Make the messages of sessions."""
    ...


@query
def add_documents() -> int:
    """Make the documents of completed sessions."""
    ...


@query
def add_agent_errors() -> int:
    """Make errors of agents in some sessions."""
    ...


@query
def add_specs(*, tasks: int) -> int:
    """Make specifications with phases."""
    ...


@query
def add_spec_dependencies() -> int:
    """Let specifications build on each other."""
    ...


@query
def add_implementation_tasks() -> int:
    """Make some of the tasks parts of the specifications."""
    ...


@query
def add_externals() -> int:
    """Make external dependencies of tasks and workflows."""
    ...


@query
def add_tasks(*, tasks: int, seed: int) -> int:
    """Make the tasks; triggers add the rest."""
    ...


@query
def end_attempts(*, seed: int) -> int:
    """End some of the claims held since long ago, otherwise than by completion."""
    ...


@query
def claim_again(*, seed: int) -> int:
    """Let other agents claim these tasks."""
    ...


@query
def complete_claims() -> int:
    """Complete the claims held since long ago, and second ones; return how many tasks that were."""
    ...


@query
def add_dependencies(*, seed: int) -> int:
    """Make the dependencies; tasks that wait become blocked."""
    ...


@query
def add_history(*, seed: int) -> int:
    """Make the imported part of the history of finished tasks."""
    ...


@query
def add_subtasks(*, seed: int) -> int:
    """Make the checklists."""
    ...


@query
def add_files(*, seed: int) -> int:
    """Make the tasks' files."""
    ...


@query
def add_imported() -> int:
    """Make the records of imported tasks."""
    ...


@query
def analyze() -> None:
    """Collect the planner's statistics of the tables that have been filled."""
    ...
