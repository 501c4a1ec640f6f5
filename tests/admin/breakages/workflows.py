"""Breakages of workflows: their health, their executions, their steps."""

from __future__ import annotations

from tests.admin.breaking import PLAN, Breakage

A_WORKFLOW = "insert into workflows (id, name) values (gen_random_uuid(), 'CI')"
A_RUN = (
    "insert into workflow_executions (id, workflow_id, status, ended_at)"
    " select id, id, '{}', {} from workflows"
)
A_STEP = (
    "insert into execution_steps (execution_id, key, position, step_type, on_error, max_attempts,"
    " retry_delay, needs, status, attempt)"
    " select id, '{}', 1, 'job', 'stop', 1, '0', '{{{}}}', '{}', {} from workflow_executions"
)

WORKFLOWS = {
    "more unhealthy than its external dependencies": Breakage(
        ("update tasks set unhealthy_dependencies = 2 where key = 'T-E01-F01-001'",),
        "unhealthy_dependencies",
        PLAN.design,
        "unhealthy_dependencies is 2",
        "0, as its external dependencies say",
    ),
    "a workflow more unhealthy than that": Breakage(
        (A_WORKFLOW, "update workflows set unhealthy_dependencies = 3, is_healthy = false"),
        "unhealthy_dependencies",
        "CI",
        "unhealthy_dependencies is 3",
        "0, as its external dependencies say",
    ),
    "held back by no workflow": Breakage(
        ("update tasks set workflow_is_healthy = false where key = 'T-E01-F01-001'",),
        "workflow_health",
        PLAN.design,
        "workflow_is_healthy is false",
        "true, as its workflow is",
    ),
    "steps that need each other": Breakage(
        (
            A_WORKFLOW,
            "insert into workflow_steps (id, workflow_id, key, step_type)"
            " select md5(key)::uuid, id, key, 'job' from workflows, unnest(array['a', 'b']) as key",
            "insert into workflow_step_needs (workflow_id, step_id, needs_id)"
            " select one.workflow_id, one.id, other.id"
            " from workflow_steps as one, workflow_steps as other where one.id <> other.id",
        ),
        "step_cycle",
        "CI",
        "a -> b -> a, where each needs the next",
        "no cycle",
    ),
    "a step that its execution left open": Breakage(
        (A_WORKFLOW, A_RUN.format("failed", "now()"), A_STEP.format("a", "", "pending", 0)),
        "step_of_ended",
        "a",
        "it is pending, and its execution failed",
        "a step that has ended",
    ),
    "a step begun before what it needs": Breakage(
        (
            A_WORKFLOW,
            A_RUN.format("running", "null"),
            A_STEP.format("a", "", "pending", 0),
            A_STEP.format("b", "a", "in_progress", 1),
        ),
        "step_before_needs",
        "b",
        "it is in_progress, and a, which it needs, pending",
        "a step that waits for what it needs",
    ),
}
