"""Breakages of a task's status: reasons, moments, attempts, readiness."""

from __future__ import annotations

from tests.admin.breaking import PLAN, Breakage

STATUSES = {
    "a reason of a task that is not blocked": Breakage(
        ("update tasks set blocked_reason = 'tired' where key = 'T-E01-F01-001'",),
        "blocked",
        PLAN.design,
        'it is completed with 0 open dependencies and the reason "tired"',
        "no reason",
    ),
    "a task that outlives what it is bound to": Breakage(
        (
            "update task_dependencies set dependency_type = 'cancelled_with' where task_id ="
            " (select id from tasks where key = 'T-E01-F02-002') and depends_on_id ="
            " (select id from tasks where key = 'T-E01-F02-001')",
            "update tasks set status = 'cancelled', blocked_at = null, status_seq = status_seq + 1"
            " where key = 'T-E01-F02-001'",
            "insert into task_history (task_id, seq, old_status, new_status, agent)"
            " select id, status_seq, 'blocked', 'cancelled', 'eve' from tasks"
            " where key = 'T-E01-F02-001'",
        ),
        "binding",
        PLAN.release,
        "it is blocked, and bound to T-E01-F02-001, which is cancelled",
        "cancelled with it, as its type is cancelled_with",
    ),
    "work that waits without an attempt left": Breakage(
        (
            "update task_history set outcome = 'failed' where seq = 3"
            " and task_id = (select id from tasks where key = 'chore')",
            "update tasks set failed_attempts = 1, max_attempts = 1 where key = 'chore'",
        ),
        "attempts",
        PLAN.chore,
        "it is pending after 1 of 1 attempts",
        "failed",
    ),
    "blocked since never": Breakage(
        ("update tasks set blocked_at = null where key = 'T-E01-F01-003'",),
        "moment",
        PLAN.test,
        "it is blocked, and blocked_at is null",
        "the moment of that",
    ),
    "completed without a moment": Breakage(
        # Requires is satisfied by the status.
        ("update tasks set completed_at = null where key = 'T-E01-F01-001'",),
        "moment",
        PLAN.design,
        "it is completed, and completed_at is null",
        "the moment of that",
    ),
    "a completion of what is not completed": Breakage(
        ("update tasks set completed_at = now() where key = 'chore'",),
        "moment",
        PLAN.chore,
        "it is pending, and completed_at is set",
        "none",
    ),
    "in progress since never": Breakage(
        ("update tasks set started_at = null where key = 'T-E01-F01-002'",),
        "moment",
        PLAN.build,
        "it is in_progress, and started_at is null",
        "the moment of that",
    ),
    "a task that waits for a slot which nobody offers": Breakage(
        (
            "insert into concurrency_slots (key, slot, is_unseen) values ('repo', 1, false)",
            "update tasks set concurrency_key = 'repo', waits_for_slot = true, is_ready = false"
            " where key = 'chore'",
        ),
        "stranded",
        PLAN.chore,
        "it waits for a slot of repo, and nothing of its lane is in line",
        "in line, as a slot is free",
    ),
    "a view that hides what is ready": Breakage(
        (
            "create or replace view ready_tasks as"
            " select id, key, title, status, effective_priority, place, created_at,"
            " agent_type, assigned_agent from tasks where false",
        ),
        "readiness",
        PLAN.chore,
        "it is not ready, and nothing stands in its way",
        "ready, if and only if nothing stands in its way",
    ),
}
