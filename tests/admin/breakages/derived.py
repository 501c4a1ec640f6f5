"""Breakages of what is derived from other rows, and of copies."""

from __future__ import annotations

from tests.admin.breaking import PLAN, Breakage

DERIVED = {
    "progress that was never so": Breakage(
        ("update features set progress_pct = 50 where key = 'E01-F01'",),
        "progress",
        "E01-F01",
        "progress_pct is 50.00, computed from 1 of 3 tasks",
        "33.33, by its 1 of 3 tasks today",
    ),
    "progress of a feature that was never asked": Breakage(
        ("update features set progress_pct = 1 where key = 'E01-F02'",),
        "progress",
        "E01-F02",
        "progress_pct is 1.00, computed from 0 of 0 tasks",
        "0.00, by its 0 of 2 tasks today",
    ),
    "a text that search does not know": Breakage(
        (
            "update task_details set description = 'with zebras'"
            " where task_id = (select id from tasks where key = 'chore')",
        ),
        "search_text",
        PLAN.chore,
        "task_search has another text",
        "the words of its title and description",
    ),
    "a task that search does not know": Breakage(
        ("delete from task_search where task_id = (select id from tasks where key = 'chore')",),
        "search_text",
        PLAN.chore,
        "task_search has no row for it",
        "the words of its title and description",
    ),
    "a task without details": Breakage(
        ("delete from task_details where task_id = (select id from tasks where key = 'chore')",),
        "details",
        PLAN.chore,
        "no row in task_details",
        "one row",
    ),
    "a copy that is out of date": Breakage(
        (
            "update task_details set priority = 9"
            " where task_id = (select id from tasks where key = 'chore')",
        ),
        "copy",
        PLAN.chore,
        "priority 9 in task_details",
        "priority 5, as in tasks",
    ),
    "a copy of what was taken back": Breakage(
        (
            "update task_details set assigned_agent = 'ada'"
            " where task_id = (select id from tasks where key = 'chore')",
        ),
        "copy",
        PLAN.chore,
        "assigned_agent ada in task_details",
        "assigned_agent null, as in tasks",
    ),
    "a lane that is not its agent's": Breakage(
        ("update tasks set reserved_for = 'ada' where key = 'chore'",),
        "derived",
        PLAN.chore,
        "reserved_for 'ada'",
        "reserved_for ''",
    ),
    "a lane that is not of its type": Breakage(
        (
            "update tasks set agent_type = 'tester' where key = 'chore'",
            "update task_details set agent_type = 'tester'"
            " where task_id = (select id from tasks where key = 'chore')",
        ),
        "derived",
        PLAN.chore,
        "for_type ''",
        "for_type 'tester'",
    ),
    "a place that is not its order": Breakage(
        ("update tasks set place = 3 where key = 'chore'",),
        "derived",
        PLAN.chore,
        "place 3",
        "place 2147483647",
    ),
    "a schedule that nobody keeps": Breakage(
        ("update tasks set is_due = false where key = 'T-E01-F01-001'",),
        "derived",
        PLAN.design,
        "is_due false",
        "is_due true",
    ),
    "held back by no pause": Breakage(
        ("update tasks set is_paused = true where key = 'T-E01-F01-002'",),
        "derived",
        PLAN.build,
        "is_paused true",
        "is_paused false",
    ),
    "a pause that lets a blocked task go": Breakage(
        (
            "update tasks set is_paused = true where status <> 'completed'",
            "update tasks set is_ready = false",
            "insert into claim_pauses default values",
            "update tasks set is_paused = false where key = 'T-E01-F01-003'",
        ),
        "derived",
        PLAN.test,
        "is_paused false",
        "is_paused true",
    ),
    "not ready, though only a file is in its way": Breakage(
        (
            "update implementation_tasks set assigned_files = '{1.py}'"
            " where task_id = (select id from tasks where key = 'chore')",
            "update tasks set is_ready = false where key = 'chore'",
        ),
        "derived",
        PLAN.chore,
        "is_ready false",
        "is_ready true",
    ),
    "files that nobody looks for": Breakage(
        ("update tasks set has_files = false where key = 'T-E01-F01-002'",),
        "derived",
        PLAN.build,
        "has_files false",
        "has_files true",
    ),
    "dependents that nobody looks for": Breakage(
        ("update tasks set has_dependents = false where key = 'T-E01-F01-002'",),
        "derived",
        PLAN.build,
        "has_dependents false",
        "has_dependents true",
    ),
    "changes that nobody passes on": Breakage(
        ("update tasks set is_passed_on = false where key = 'T-E01-F01-002'",),
        "derived",
        PLAN.build,
        "is_passed_on false",
        "is_passed_on true",
    ),
}
