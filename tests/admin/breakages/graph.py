"""Breakages of the graph: edges, counts, ranks, parents, priorities."""

from __future__ import annotations

from tests.admin.breaking import PLAN, Breakage

GRAPH = {
    "a rank that is not above its blocker's": Breakage(
        (
            "update tasks set graph_rank = -5 where key = 'T-E01-F01-003'",
            "update tasks set graph_rank = -5 where key = 'T-E01-F01-002'",
            "update tasks set graph_rank = -6 where key = 'T-E01-F01-001'",
        ),
        "rank",
        PLAN.test,
        "its rank is -5, and T-E01-F01-002, which it waits for, has -5",
        "a rank above those of all tasks that it waits for",
    ),
    "parents in a cycle": Breakage(
        (
            "update task_details set parent_id = parent.id from tasks as task, tasks as parent"
            " where task_id = task.id and parent.key = 'T-E01-F02-001'"
            " and task.key in ('chore', 'T-E01-F02-002')",
            "update task_details set parent_id = parent.id from tasks as task, tasks as parent"
            " where task_id = task.id and parent.key = 'chore' and task.key = 'T-E01-F02-001'",
        ),
        "parent_cycle",
        PLAN.docs,
        "T-E01-F02-001 -> chore -> T-E01-F02-001, where each is a part of the next",
        "no cycle",
    ),
    "a dependency that is not satisfied": Breakage(
        (
            "update task_dependencies set is_satisfied = true where (task_id, depends_on_id) ="
            " (select test.id, build.id from tasks as test, tasks as build"
            " where test.key = 'T-E01-F01-003' and build.key = 'T-E01-F01-002')",
            "update tasks set open_dependencies = 0, blocked_reason = 'wait' where key ="
            " 'T-E01-F01-003'",
        ),
        "is_satisfied",
        PLAN.test,
        "a satisfied dependency on T-E01-F01-002, which is in_progress",
        "an unsatisfied one, as its type is requires",
    ),
    "a count too high": Breakage(
        ("update tasks set open_dependencies = 5 where key = 'T-E01-F02-002'",),
        "open_dependencies",
        PLAN.release,
        "open_dependencies is 5",
        "2, as its edges say",
    ),
    "a priority that nothing justifies": Breakage(
        ("update tasks set effective_priority = 1 where key = 'chore'",),
        "effective_priority",
        PLAN.chore,
        "effective_priority is 1",
        "5, by its priority 5",
    ),
}
