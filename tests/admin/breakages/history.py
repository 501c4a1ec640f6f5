"""Breakages of a task's history."""

from __future__ import annotations

from tests.admin.breaking import PLAN, Breakage

HISTORY = {
    "a status that history does not know": Breakage(
        ("update tasks set status = 'cancelled', is_ready = false where key = 'chore'",),
        "last_transition",
        PLAN.chore,
        "its history ends with pending (seq 3)",
        "cancelled (seq 3), which is where it stands",
    ),
    "a task without history": Breakage(
        (
            "insert into tasks (key, title) values ('orphan', 'Nobody saw it come')",
            "insert into task_details (task_id, created_at)"
            " select id, created_at from tasks where key = 'orphan'",
            "insert into task_search (task_id, title, document)"
            " select id, title, task_document(title, null) from tasks where key = 'orphan'",
        ),
        "last_transition",
        "orphan",
        "it has no history",
        "pending (seq 1), which is where it stands",
    ),
    "a row of history that begins elsewhere": Breakage(
        (
            "update task_history set old_status = 'in_progress' where seq = 3"
            " and task_id = (select id from tasks where key = 'T-E01-F01-002')",
        ),
        "history",
        PLAN.build,
        "row 3 of its history goes from in_progress to pending",
        "from blocked, where row 2 ended",
    ),
    "a gap in history": Breakage(
        (
            "delete from task_history where seq = 2"
            " and task_id = (select id from tasks where key = 'T-E01-F01-002')",
        ),
        "history",
        PLAN.build,
        "row 3 of its history goes from blocked to pending",
        "a row 2 before it",
    ),
    "imported history without a source": Breakage(
        (
            "insert into task_history (task_id, seq, new_status, agent)"
            " select id, 0, 'pending', 'an importer' from tasks where key = 'chore'",
        ),
        "history",
        PLAN.chore,
        "row 0 of its history goes from nothing to pending",
        "a row with a source",
    ),
    "a gap in imported history": Breakage(
        (
            "insert into task_history (task_id, seq, new_status, agent, source)"
            " select id, -1, 'pending', 'an importer', 'elsewhere' from tasks where key = 'chore'",
        ),
        "history",
        PLAN.chore,
        "row -1 of its history goes from nothing to pending, with the source elsewhere",
        "a row 0 behind it",
    ),
    "a force that waits for the next transition": Breakage(
        ("update tasks set status_forced = true where key = 'chore'",),
        "metadata",
        PLAN.chore,
        "status_forced is true",
        "null at rest",
    ),
    "a transition that is not allowed": Breakage(
        (
            "update task_history set new_status = 'completed' where seq = 1"
            " and task_id = (select id from tasks where key = 'T-E01-F01-002')",
            "update task_history set old_status = 'completed' where seq = 2"
            " and task_id = (select id from tasks where key = 'T-E01-F01-002')",
        ),
        "transition",
        PLAN.build,
        "it went from completed to blocked (seq 2, by taskdb)",
        "a row of task_status_transitions, or a forced one",
    ),
}
