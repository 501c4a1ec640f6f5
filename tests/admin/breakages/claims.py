"""Breakages of claims: leases, tokens, outcomes, locked files, slots."""

from __future__ import annotations

from tests.admin.breaking import PLAN, Breakage

CLAIMS = {
    "a live claim on a finished task": Breakage(
        (
            "update tasks set claim_agent = 'ada', lease_expires_at = now() + interval '1 hour'"
            " where key = 'T-E01-F01-001'",
        ),
        "claim",
        PLAN.design,
        "it is completed and claimed by ada",
        "a task in progress with a token and a lease, or no claim",
    ),
    "what a claim left behind": Breakage(
        ("update tasks set progress_pct = 7, progress_note = 'so far' where key = 'chore'",),
        "claim",
        PLAN.chore,
        "it is pending without a claim, and progress_pct, progress_note is set",
        "a task in progress with a token and a lease, or no claim",
    ),
    "a lease without end": Breakage(
        (
            "update tasks set lease_expires_at = '9999-12-31 00:00+00' where key = 'T-E01-F01-002'",
            "set local timezone to 'UTC'",
        ),
        "lease",
        PLAN.build,
        "the lease of ben ends at 9999-12-31 00:00:00+00",
        "within 366 days",
    ),
    "a claim in another's name": Breakage(
        ("update tasks set claim_agent = 'eve' where key = 'T-E01-F01-002'",),
        "holder",
        PLAN.build,
        "it is claimed by eve",
        "claimed by ben, as row 4 of its history says",
    ),
    "a beginning in another's name": Breakage(
        (
            "update task_history set agent = 'eve' where seq = 4"
            " and task_id = (select id from tasks where key = 'T-E01-F01-002')",
        ),
        "holder",
        PLAN.build,
        "it is claimed by ben",
        "claimed by eve, as row 4 of its history says",
    ),
    "failures that never were": Breakage(
        ("update tasks set failed_attempts = 3 where key = 'chore'",),
        "failures",
        PLAN.chore,
        "failed_attempts is 3",
        "0, as its history says",
    ),
    "a failure that was forgotten": Breakage(
        (
            "update task_history set outcome = 'failed' where seq = 3"
            " and task_id = (select id from tasks where key = 'chore')",
        ),
        "failures",
        PLAN.chore,
        "failed_attempts is 0",
        "1, as its history says",
    ),
    "a claim that was lost": Breakage(
        (
            "update tasks set claim_agent = null, lease_expires_at = null"
            " where key = 'T-E01-F01-002'",
        ),
        "claim_record",
        PLAN.build,
        "row 4 of its history begins the claim of ben (token 1), and it is neither live nor ended",
        "a live claim, or an end with the same token and an outcome",
    ),
    "a claim without an outcome": Breakage(
        (
            "update task_history set outcome = null where seq = 3"
            " and task_id = (select id from tasks where key = 'chore')",
        ),
        "claim_record",
        PLAN.chore,
        "row 2 of its history begins the claim of cy (token 1), and the next row does not end it",
        "a live claim, or an end with the same token and an outcome",
    ),
    "an end of a claim that never began": Breakage(
        (
            "update task_history set token = 5, outcome = 'released' where seq = 2"
            " and task_id = (select id from tasks where key = 'T-E01-F02-002')",
        ),
        "claim_record",
        PLAN.release,
        "row 2 of its history ends a claim (token 5, released), and the row before it begins none",
        "an end right behind its beginning",
    ),
    "a live claim that history does not know": Breakage(
        (
            "update task_history set new_status = 'in_progress', token = 1 where seq = 2"
            " and task_id = (select id from tasks where key = 'T-E01-F01-002')",
            "update task_history set old_status = 'in_progress', token = 1, outcome = 'released'"
            " where seq = 3 and task_id = (select id from tasks where key = 'T-E01-F01-002')",
            "update task_history set forced = true, token = case when seq < 4 then token end"
            " where task_id = (select id from tasks where key = 'T-E01-F01-002')",
        ),
        "claim_record",
        PLAN.build,
        "it is claimed by ben, and row 4 of its history, the latest, begins no claim",
        "the beginning of the live claim",
    ),
    "a file that two tasks in progress share": Breakage(
        (
            "update implementation_tasks set assigned_files = '{1.py}'"
            " where task_id = (select id from tasks where key = 'chore')",
            "insert into task_history (task_id, seq, old_status, new_status, agent)"
            " select id, 4, 'pending', 'in_progress', 'eve' from tasks where key = 'chore'",
            "update tasks set status = 'in_progress', status_seq = 4, is_ready = false,"
            " started_at = entry.created_at from task_history as entry"
            " where key = 'chore' and entry.task_id = id and entry.seq = 4",
        ),
        "file_lock",
        PLAN.chore,
        "it is in progress with 1.py, which T-E01-F01-002 locks",
        "locked by it",
    ),
    "a file that a task holds at rest": Breakage(
        (
            "insert into file_locks (path, task_id)"
            " select '2.py', id from tasks where key = 'chore'",
        ),
        "file_lock",
        PLAN.chore,
        "it locks 2.py",
        "no such file: it is pending",
    ),
    "a slot that a task holds at rest": Breakage(
        (
            "insert into concurrency_slots (key, slot, task_id)"
            " select 'repo', 1, id from tasks where key = 'chore'",
        ),
        "slot",
        PLAN.chore,
        "it is pending and holds a slot of repo",
        "no slot",
    ),
    "a fence that was reset": Breakage(
        ("update tasks set claim_token = 0 where key = 'chore'",),
        "token",
        PLAN.chore,
        "claim_token is 0",
        "1, as its newest claim in history says",
    ),
    "a fence that was raised": Breakage(
        ("update tasks set claim_token = 9223372036854775807 where key = 'chore'",),
        "token",
        PLAN.chore,
        "claim_token is 9223372036854775807",
        "1, as its newest claim in history says",
    ),
    "a fence that a restore did not raise": Breakage(
        ("update tasks set claim_token = 1000000 where key = 'T-E01-F01-002'",),
        "token",
        PLAN.build,
        "claim_token is 1000000",
        "1, as its newest claim in history says",
    ),
    "a token that was raised in history too": Breakage(
        (
            "update task_history set token = 7 where token = 1"
            " and task_id = (select id from tasks where key = 'chore')",
            "update tasks set claim_token = 7 where key = 'chore'",
        ),
        "token",
        PLAN.chore,
        "a claim with token 7 is the first",
        "1, the next one",
    ),
    "a live claim behind the fence": Breakage(
        ("update tasks set claim_token = 7 where key = 'T-E01-F01-002'",),
        "token",
        PLAN.build,
        "claim_token is 7",
        "1, as its newest claim in history says",
    ),
    "a token that was given twice": Breakage(
        (
            "insert into task_history"
            " (task_id, seq, old_status, new_status, token, outcome, agent)"
            " select id, seq, old_status, new_status, 1, outcome, 'eve' from tasks, (values"
            " (4, 'pending'::task_status, 'in_progress'::task_status, null::claim_outcome),"
            " (5, 'in_progress', 'pending', 'released'))"
            " as entry (seq, old_status, new_status, outcome) where key = 'chore'",
            "update tasks set status_seq = 5, started_at = entry.created_at"
            " from task_history as entry"
            " where key = 'chore' and entry.task_id = id and entry.seq = 4",
        ),
        "token",
        PLAN.chore,
        "a claim with token 1 follows one with 1",
        "2, the next one",
    ),
    "work completed that was not": Breakage(
        (
            "update task_history set outcome = 'completed' where seq = 3"
            " and task_id = (select id from tasks where key = 'chore')",
        ),
        "completion",
        PLAN.chore,
        "row 3 of its history ends the claim of cy as completed, and the task is pending",
        "a task completed by it",
    ),
}
