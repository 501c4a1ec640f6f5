"""Breakages of triggers: what each claim would run, and what no longer runs."""

from __future__ import annotations

from tests.admin.breaking import Breakage

TRIGGERS = {
    "a condition that each claim parses": Breakage(
        (
            "create trigger tasks_99_slow before update on tasks for each row"
            " when (old.title <> new.title) execute function touch_updated_at()",
        ),
        "hot_path",
        "tasks_99_slow",
        "a trigger of tasks with a WHEN clause of more than a column",
        "its condition inside its function",
    ),
    "a rule that each claim parses": Breakage(
        (
            "alter table task_history add constraint task_history_slow"
            " check ((token is null) or (seq > 0)) not valid",
        ),
        "hot_path",
        "task_history_slow",
        "a CHECK of task_history over 2 columns",
        "its condition inside apply_task_change",
    ),
    "a column that each claim parses": Breakage(
        (
            "alter table task_history add column day date generated always as"
            " ((created_at at time zone 'UTC')::date) stored",
        ),
        "hot_path",
        "task_history.day",
        "a generated column",
        "a column that a trigger keeps",
    ),
    "a trigger that is turned off": Breakage(
        ("alter table subtasks disable trigger subtasks_50_touch_updated_at",),
        "trigger",
        "subtasks_50_touch_updated_at",
        "a trigger of subtasks that is turned off",
        "on",
    ),
    "a row that names nothing": Breakage(
        (
            "alter table features drop constraint features_epic_exists",
            "update features set epic_id = '00000000-0000-0000-0000-000000000001'"
            " where key = 'E01-F02'",
            "alter table features add constraint features_epic_exists"
            " foreign key (epic_id) references epics (id) on delete cascade not valid",
        ),
        "reference",
        "features_epic_exists",
        "00000000-0000-0000-0000-000000000001 is no row of epics; rows of features that name it: 1",
        "a row of epics",
    ),
    "a guard that guards nothing": Breakage(
        ("delete from guards where name = 'pauses'",),
        "guard",
        "pauses",
        "no row",
        "one row",
    ),
}
