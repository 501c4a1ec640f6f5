"""`taskdb doctor`: each broken promise is found, by the query that guards it and by no other."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import pairwise
from typing import Any

import psycopg
import pytest

from taskdb.admin import doctor
from taskdb.database import connect, connect_async
from taskdb.errors import ValidationError
from taskdb.models import NewDependency, NewTask, SpecType, TaskStatus
from taskdb.models.admin.doctor import Finding
from taskdb.queries import (
    claims,
    dependencies,
    features,
    history,
    implementation_tasks,
    specs,
    tasks,
)
from taskdb.queries.admin import query
from tests.plans import LARGE, LargePlan, Plan
from tests.rows_read import rows_read

TABLES = (
    *("epics", "features", "tasks", "task_details", "task_history", "task_dependencies"),
    *("workflows", "workflow_steps", "workflow_step_needs", "workflow_executions"),
    *("execution_steps", "external_dependencies"),
    *("technical_specs", "spec_dependencies", "implementation_tasks", "claim_pauses"),
)


@contextmanager
def triggers_off(conn: psycopg.Connection[Any]) -> Generator[None]:
    """Let the owner of the tables write what the triggers would not."""
    for table in TABLES:
        conn.execute(f"alter table {table} disable trigger user".encode())
    yield
    for table in TABLES:
        conn.execute(f"alter table {table} enable trigger user".encode())


def break_it(conn: psycopg.Connection[Any], *statements: str) -> None:
    with triggers_off(conn):
        for statement in statements:
            conn.execute(statement.encode())


@pytest.fixture
def used(conn: psycopg.Connection[Any], plan: Plan) -> Plan:
    """The small plan after some work: one task completed, one claimed, one given back."""
    with_claim = claims.claim(conn, key=plan.design, agent="ada")
    assert with_claim
    claims.complete(conn, task_id=with_claim.task_id, token=with_claim.token)
    assert claims.claim(conn, key=plan.build, agent="ben")
    given_back = claims.claim(conn, key=plan.chore, agent="cy")
    assert given_back
    claims.release(conn, task_id=given_back.task_id, token=given_back.token)
    features.update_progress(conn, key=plan.features[0])
    for number, key in ((1, plan.build), (2, plan.chore)):
        structure = {"phases": [{"name": "all"}]}
        made = specs.create(
            conn,
            spec_number=number,
            title="The plan",
            spec_type=SpecType.HIERARCHICAL,
            structure=structure,
        )
        implementation_tasks.adopt(
            conn, key=key, spec=made.key, scope="all", assigned_files=[f"{number}.py"]
        )
    return plan


@dataclass(frozen=True)
class Breakage:
    """Statements that break one promise, and what is to be said of it."""

    statements: tuple[str, ...]
    invariant: str
    subject: str
    found: str
    expected: str


PLAN = Plan()

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

BREAKAGES = {
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
    "a reason of a task that is not blocked": Breakage(
        ("update tasks set blocked_reason = 'tired' where key = 'T-E01-F01-001'",),
        "blocked",
        PLAN.design,
        'it is completed with 0 open dependencies and the reason "tired"',
        "no reason",
    ),
    "work that waits without an attempt left": Breakage(
        ("update tasks set failed_attempts = 10 where key = 'chore'",),
        "attempts",
        PLAN.chore,
        "it is pending after 10 of 10 attempts",
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
            "update task_history set token = 5, outcome = 'lapsed' where seq = 2"
            " and task_id = (select id from tasks where key = 'T-E01-F02-002')",
        ),
        "claim_record",
        PLAN.release,
        "row 2 of its history ends a claim (token 5, lapsed), and the row before it begins none",
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
            "update tasks set status = 'in_progress', status_seq = 4, is_ready = false,"
            " started_at = now() where key = 'chore'",
            "insert into task_history (task_id, seq, old_status, new_status, agent)"
            " select id, 4, 'pending', 'in_progress', 'eve' from tasks where key = 'chore'",
        ),
        "held_file",
        PLAN.chore,
        "it is in progress with 1.py, which T-E01-F01-002 holds",
        "held by it",
    ),
    "a file that a task holds at rest": Breakage(
        (
            "insert into held_files (path, task_id)"
            " select '2.py', id from tasks where key = 'chore'",
        ),
        "held_file",
        PLAN.chore,
        "it holds 2.py",
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
    "specifications in a cycle": Breakage(
        (
            "insert into spec_dependencies (spec_id, depends_on_id)"
            " select a.id, b.id from technical_specs as a, technical_specs as b where a.id <> b.id",
        ),
        "spec_cycle",
        "SPEC-1",
        "SPEC-1 -> SPEC-2 -> SPEC-1, where each builds on the next",
        "no cycle",
    ),
    "a phase that its specification does not have": Breakage(
        (
            "insert into spec_phases (spec_id, name, number)"
            " select id, 'more', 2 from technical_specs where spec_number = 2",
        ),
        "phases",
        "SPEC-2",
        "spec_phases has all, more",
        "all",
    ),
    "a specification that search knows otherwise": Breakage(
        ("update technical_specs set title = 'Another' where spec_number = 2",),
        "spec_text",
        "SPEC-2",
        "spec_search has another text",
        "the words of its title and content",
    ),
    "a fence that was reset": Breakage(
        ("update tasks set claim_token = 0 where key = 'chore'",),
        "token",
        PLAN.chore,
        "claim_token is 0",
        "1, as its newest claim in history says",
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
            " (5, 'in_progress', 'pending', 'lapsed'))"
            " as entry (seq, old_status, new_status, outcome) where key = 'chore'",
            "update tasks set status_seq = 5 where key = 'chore'",
        ),
        "token",
        PLAN.chore,
        "a claim with token 1 follows one with 1",
        "a higher one",
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
    "a condition that each claim parses": Breakage(
        (
            "create trigger tasks_99_slow before update on tasks for each row"
            " when (old.title <> new.title) execute function touch_updated_at()",
        ),
        "hot_path",
        "tasks_99_slow",
        "a trigger of tasks with a WHEN clause",
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


def test_doctor_finds_nothing_in_a_plan_that_is_worked_off(
    conn: psycopg.Connection[Any], used: Plan
) -> None:
    assert doctor.run(conn) == []


@pytest.mark.parametrize("breakage", BREAKAGES.values(), ids=BREAKAGES.keys())
def test_doctor_finds_what_is_broken_and_nothing_else(
    conn: psycopg.Connection[Any], used: Plan, breakage: Breakage
) -> None:
    break_it(conn, *breakage.statements)

    (finding,) = doctor.run(conn)

    assert (finding.invariant, finding.subject) == (breakage.invariant, breakage.subject)
    assert (finding.found, finding.expected) == (breakage.found, breakage.expected)
    assert finding.message == f"{breakage.found}; expected: {breakage.expected}"


def test_every_query_of_the_doctor_has_something_that_only_it_finds() -> None:
    seen = {breakage.invariant for breakage in BREAKAGES.values()}

    stated = {
        line.split("'")[1]
        for check in query
        if check.name.startswith("doctor.") and not check.name.startswith("doctor.repair")
        for variant in check.variants()
        for line in variant.text.splitlines()
        if "as invariant" in line
    }
    assert stated | {"parent_cycle", "spec_cycle"} == seen


def cycle_of_release(conn: psycopg.Connection[Any]) -> None:
    """Let design wait for release, which waits for all the rest."""
    break_it(
        conn,
        "insert into task_dependencies (task_id, depends_on_id)"
        " select design.id, release.id from tasks as design, tasks as release"
        " where design.key = 'T-E01-F01-001' and release.key = 'T-E01-F02-002'",
        "update tasks set open_dependencies = 1 where key = 'T-E01-F01-001'",
        "update tasks set has_dependents = true where key = 'T-E01-F02-002'",
    )


def test_a_cycle_is_found_with_its_path_beside_the_rank_that_let_it_in(
    conn: psycopg.Connection[Any], used: Plan
) -> None:
    cycle_of_release(conn)

    rank, *cycles = doctor.run(conn)

    assert (rank.invariant, rank.subject) == ("rank", used.design)
    assert {cycle.invariant for cycle in cycles} == {"dependency_cycle"}
    paths = {cycle.found.removesuffix(", where each waits for the next") for cycle in cycles}
    for path in paths:
        keys = path.split(" -> ")
        assert keys[0] == keys[-1]
        edges = {*used.edges, (used.design, used.release)}
        assert set(pairwise(keys)) <= edges


def test_the_path_of_a_long_cycle_is_cut(conn: psycopg.Connection[Any]) -> None:
    keys = [f"link-{number:02}" for number in range(30)]
    edges = [NewDependency(later, earlier) for earlier, later in pairwise(keys)]
    tasks.create_many(conn, [NewTask(key=key, title=key) for key in keys], edges)
    break_it(
        conn,
        "insert into task_dependencies (task_id, depends_on_id)"
        " select first.id, last.id from tasks as first, tasks as last"
        " where first.key = 'link-00' and last.key = 'link-29'",
        "update tasks set open_dependencies = 1, status = 'blocked', blocked_at = now(),"
        " is_ready = false where key = 'link-00'",
    )

    (cycle,) = (found for found in doctor.run(conn) if found.invariant == "dependency_cycle")

    assert cycle.found.count(" -> ") == 20
    assert cycle.found.endswith(" -> ... (11 more), where each waits for the next")


def test_advice_may_go_round_in_a_circle(conn: psycopg.Connection[Any], used: Plan) -> None:
    conn.execute(
        b"insert into task_dependencies (task_id, depends_on_id, dependency_type)"
        b" select design.id, release.id, 'suggests' from tasks as design, tasks as release"
        b" where design.key = 'T-E01-F01-001' and release.key = 'T-E01-F02-002'"
    )

    assert doctor.run(conn) == []


@pytest.mark.parametrize(
    ("statement", "found"),
    [
        (
            "update tasks set blocked_reason = 'tired' where key = 'chore'",
            {("blocked", "chore"), ("readiness", "chore")},
        ),
        (
            "update tasks set status = 'blocked', blocked_at = now(), is_ready = false"
            " where key = 'chore'",
            {("blocked", "chore"), ("last_transition", "chore"), ("readiness", "chore")},
        ),
        (
            "update tasks set status = 'pending', blocked_at = null, is_ready = true"
            " where key = 'T-E01-F01-003'",
            {
                ("blocked", "T-E01-F01-003"),
                ("last_transition", "T-E01-F01-003"),
                ("readiness", "T-E01-F01-003"),
            },
        ),
        (
            "update tasks set is_ready = false where key = 'chore'",
            {("derived", "chore"), ("readiness", "chore")},
        ),
        (
            "update tasks set lease_expires_at = null where key = 'T-E01-F01-002'",
            {("claim", "T-E01-F01-002"), ("readiness", "T-E01-F01-002")},
        ),
    ],
    ids=[
        *("pending for a reason", "blocked by nothing", "pending behind a gate", "hidden"),
        "a claim without a lease",
    ],
)
def test_what_breaks_several_promises_is_found_with_all_that_follows(
    conn: psycopg.Connection[Any], used: Plan, statement: str, found: set[tuple[str, str]]
) -> None:
    break_it(conn, statement)

    assert {(row.invariant, row.subject) for row in doctor.run(conn)} == found


def test_forced_and_imported_moves_are_no_finding(
    conn: psycopg.Connection[Any], used: Plan
) -> None:
    tasks.update_status(conn, key=used.design, status=TaskStatus.PENDING, force=True)
    conn.execute(
        b"insert into task_history (task_id, old_status, new_status, agent, source, created_at)"
        b" select id, 'completed', 'blocked', 'importer', 'elsewhere', '2020-01-01'"
        b" from tasks where key = 'chore'"
    )

    assert doctor.run(conn) == []


def test_a_task_completed_again_after_it_was_reopened_is_no_finding(
    conn: psycopg.Connection[Any], used: Plan
) -> None:
    tasks.update_status(conn, key=used.design, status=TaskStatus.PENDING, force=True)
    again = claims.claim(conn, key=used.design, agent="eve")
    assert again
    claims.complete(conn, task_id=again.task_id, token=again.token)

    assert doctor.run(conn) == []


def test_progress_that_is_merely_old_is_no_finding(
    conn: psycopg.Connection[Any], used: Plan
) -> None:
    tasks.update_status(conn, key=used.build, status=TaskStatus.COMPLETED)
    tasks.delete(conn, key=used.test)

    assert features.get_by_key(conn, key="E01-F01").progress_pct == Decimal("33.33")
    assert doctor.run(conn) == []


async def test_doctor_runs_on_an_asynchronous_connection(
    aconn: psycopg.AsyncConnection[Any],
) -> None:
    await tasks.create(aconn, key="A", title="A")
    await aconn.execute(b"delete from task_search")

    assert [found.invariant for found in await doctor.run(aconn)] == ["search_text"]
    assert [repair.invariant for repair in await doctor.repair(aconn)] == ["search_text"]
    assert await doctor.run(aconn) == []


# Repairs


def test_repair_of_a_sound_plan_changes_nothing(conn: psycopg.Connection[Any], used: Plan) -> None:
    before = conn.execute(b"select xmin, ctid, id from tasks order by id").fetchall()

    assert doctor.repair(conn) == []
    assert conn.execute(b"select xmin, ctid, id from tasks order by id").fetchall() == before


def test_repair_counts_again_and_gives_the_status_that_follows(
    conn: psycopg.Connection[Any], used: Plan
) -> None:
    break_it(
        conn,
        "update tasks set open_dependencies = 0, status = 'pending', blocked_at = null,"
        " is_ready = true, status_seq = 3 where key = 'T-E01-F02-002'",
        "insert into task_history (task_id, seq, old_status, new_status, agent)"
        " select id, 3, 'blocked', 'pending', 'a bug' from tasks where key = 'T-E01-F02-002'",
        "update tasks set open_dependencies = 7 where key = 'T-E01-F01-003'",
    )

    repairs = doctor.repair(conn)

    assert {(repair.subject, repair.message) for repair in repairs} == {
        (
            used.release,
            "pending with 0 open dependencies became blocked with 2 open dependencies",
        ),
        (used.test, "blocked with 7 open dependencies became blocked with 1 open dependencies"),
    }
    assert doctor.run(conn) == []
    last = history.list_for_task(conn, key=used.release)[-1]
    assert (last.new_status, last.agent) == (TaskStatus.BLOCKED, "taskdb")
    assert last.note == "taskdb doctor counted its dependencies again"


def test_repair_keeps_the_reason_of_a_pending_task_by_blocking_it(
    conn: psycopg.Connection[Any], used: Plan
) -> None:
    break_it(conn, "update tasks set blocked_reason = 'tired' where key = 'chore'")

    (repair,) = doctor.repair(conn)

    assert repair.message == (
        'pending with 0 open dependencies and the reason "tired" became '
        'blocked with 0 open dependencies and the reason "tired"'
    )
    assert doctor.run(conn) == []


def test_repair_lowers_ranks_and_says_which(conn: psycopg.Connection[Any], used: Plan) -> None:
    break_it(conn, "update tasks set graph_rank = -5 where key = 'T-E01-F01-003'")

    repairs = doctor.repair(conn)

    assert {repair.invariant for repair in repairs} == {"rank"}
    assert {repair.subject for repair in repairs} == {used.build, used.design}
    assert doctor.run(conn) == []


def test_repair_leaves_the_ranks_of_a_cycle_to_people(
    conn: psycopg.Connection[Any], used: Plan
) -> None:
    cycle_of_release(conn)
    found = doctor.run(conn)

    assert doctor.repair(conn) == []
    assert doctor.run(conn) == found


def test_repair_refreshes_caches(conn: psycopg.Connection[Any], used: Plan) -> None:
    break_it(
        conn,
        "update features set progress_pct = 50",
        "update tasks set title = 'Zebras' where key = 'chore'",
        "delete from task_search where title = 'Task T-E01-F02-001'",
    )

    repairs = doctor.repair(conn)

    assert {(repair.subject, repair.new_value) for repair in repairs} == {
        ("E01-F01", "progress_pct 33.33"),
        ("E01-F02", "progress_pct 0.00"),
        ("chore", "the words of its title and description"),
        (used.docs, "the words of its title and description"),
    }
    assert doctor.run(conn) == []


def test_repair_counts_what_is_unhealthy_again(conn: psycopg.Connection[Any], used: Plan) -> None:
    break_it(
        conn,
        A_WORKFLOW,
        "update tasks set workflow_id = (select id from workflows) where key = 'T-E01-F02-002'",
        "insert into external_dependencies (workflow_id, service, health)"
        " select id, 'registry', 'unhealthy' from workflows",
        "update tasks set unhealthy_dependencies = 2, workflow_is_healthy = false"
        " where key = 'chore'",
    )

    repairs = doctor.repair(conn)

    assert {(repair.subject, repair.message) for repair in repairs} == {
        ("CI", "unhealthy_dependencies 0 became unhealthy_dependencies 1"),
        (
            "chore",
            "unhealthy_dependencies 2 and a workflow that is unhealthy became"
            " unhealthy_dependencies 0 and a workflow that is healthy",
        ),
    }
    assert doctor.run(conn) == []


def test_repair_marks_dependencies_as_their_blockers_are(
    conn: psycopg.Connection[Any], used: Plan
) -> None:
    break_it(conn, "update task_dependencies set is_satisfied = not is_satisfied")

    repairs = doctor.repair(conn)

    assert {repair.invariant for repair in repairs} == {"is_satisfied"}
    assert repairs[0].message == (
        "an unsatisfied dependency on T-E01-F01-001, which is completed became"
        " a satisfied one, as its type is requires"
    )
    assert doctor.run(conn) == []


def test_repair_derives_and_copies_again(conn: psycopg.Connection[Any], used: Plan) -> None:
    break_it(
        conn,
        "update tasks set reserved_for = 'eve', for_type = 'x', place = 0, is_due = false,"
        " is_ready = not is_ready, is_paused = not is_paused, has_files = false,"
        " has_dependents = false",
        "update task_details set priority = 1, agent_type = 'x', assigned_agent = 'eve',"
        " created_at = '2020-01-01'",
    )

    repairs = doctor.repair(conn)

    assert {repair.invariant for repair in repairs} == {"derived", "copy"}
    assert {repair.message for repair in repairs if repair.subject == used.build} >= {
        "reserved_for 'eve' became reserved_for ''",
        "is_ready true became is_ready false",
        "has_files false became has_files true",
        "priority 1 in task_details became priority 5, as in tasks",
    }
    assert doctor.run(conn) == []


def test_repair_makes_a_lost_row_of_details_and_no_second_history(
    conn: psycopg.Connection[Any], used: Plan
) -> None:
    before = history.list_for_task(conn, key=used.chore)
    break_it(
        conn, "delete from task_details where task_id = (select id from tasks where key = 'chore')"
    )

    (repair,) = doctor.repair(conn)

    assert (repair.subject, repair.message) == (
        used.chore,
        "no row in task_details became one row",
    )
    assert tasks.get_by_key(conn, key=used.chore).description is None
    assert history.list_for_task(conn, key=used.chore) == before
    assert doctor.run(conn) == []


def test_repair_leaves_alone_what_needs_a_decision(
    conn: psycopg.Connection[Any], used: Plan
) -> None:
    break_it(
        conn,
        "update tasks set claim_agent = 'ada', lease_expires_at = now() + interval '1 hour'"
        " where key = 'T-E01-F01-001'",
        "update task_details set parent_id = task_id"
        " where task_id = (select id from tasks where key = 'chore')",
    )
    found = doctor.run(conn)

    assert doctor.repair(conn) == []
    assert {row.invariant for row in found} == {"claim", "parent_cycle"}
    assert doctor.run(conn) == found


def test_repair_is_undone_with_the_transaction_of_its_caller(database_url: str) -> None:
    with connect(database_url) as conn:
        tasks.create(conn, key="A", title="A")
        conn.execute(b"delete from task_search")
        conn.commit()

        assert len(doctor.repair(conn)) == 1
        conn.rollback()

        assert [found.invariant for found in doctor.run(conn)] == ["search_text"]


def test_ten_thousand_tasks_are_each_examined_a_few_times(large_plan: LargePlan) -> None:
    with connect(large_plan.url) as conn:
        for held in claims.claim_batch(conn, agent="ada", limit=500):
            claims.complete(conn, task_id=held.task_id, token=held.token)
        before = rows_read(conn)

        assert doctor.run(conn) == []
        assert rows_read(conn) - before < 150 * LARGE


def test_doctor_takes_its_time_and_leaves_the_settings_of_its_caller(
    conn: psycopg.Connection[Any], used: Plan
) -> None:
    settings = (
        b"select current_setting('statement_timeout'), current_setting('enable_nestloop'),"
        b" current_setting('jit')"
    )
    conn.execute(b"set local jit = on")
    conn.execute(b"set local statement_timeout = '7s'")

    doctor.run(conn)
    doctor.repair(conn)

    assert conn.execute(settings).fetchone() == ("7s", "on", "on")


def test_on_a_connection_that_commits_by_itself_a_repair_is_one_transaction(
    database_url: str,
) -> None:
    with connect(database_url, autocommit=True) as conn:
        tasks.create(conn, key="A", title="A")
        tasks.update_status(conn, key="A", status=TaskStatus.BLOCKED, blocked_reason="it rains")
        break_it(
            conn,
            "update tasks set open_dependencies = 3",
            "update task_details set description = 'zebras'",
        )
        conn.execute(b"alter table task_search add constraint no check (false) not valid")
        with pytest.raises(ValidationError):
            doctor.repair(conn)

        found = [finding.invariant for finding in doctor.run(conn)]

        assert found == ["open_dependencies", "search_text"]
        conn.execute(b"alter table task_search drop constraint no")
        doctor.repair(conn)
        assert doctor.run(conn) == []
        assert conn.execute(b"show enable_nestloop").fetchone() == ("on",)


async def test_the_same_on_an_asynchronous_connection(database_url: str) -> None:
    async with await connect_async(database_url, autocommit=True) as conn:
        await tasks.create(conn, key="A", title="A")
        await conn.execute(b"delete from task_search")

        assert [repair.subject for repair in await doctor.repair(conn)] == ["A"]
        assert await doctor.run(conn) == []


def test_a_load_that_nobody_has_analyzed_is_examined_as_cheaply(
    conn: psycopg.Connection[Any],
) -> None:
    keys = [f"k{number}" for number in range(5000)]
    edges = [NewDependency(later, earlier) for earlier, later in pairwise(keys)]
    tasks.create_many(conn, [NewTask(key=key, title=key) for key in keys], edges)
    before = rows_read(conn)

    assert doctor.run(conn) == []
    assert rows_read(conn) - before < 150 * len(keys)


def test_a_finding_is_ready_for_json(conn: psycopg.Connection[Any], used: Plan) -> None:
    break_it(conn, "update tasks set open_dependencies = 5 where key = 'T-E01-F02-002'")

    (finding,) = doctor.run(conn)

    assert isinstance(finding, Finding)
    assert finding.to_dict() == {
        "invariant": "open_dependencies",
        "subject": used.release,
        "id": str(tasks.get_by_key(conn, key=used.release).id),
        "found": "open_dependencies is 5",
        "expected": "2, as its edges say",
    }


def test_what_nobody_claims_is_overdue_and_no_finding(
    conn: psycopg.Connection[Any], used: Plan
) -> None:
    soon = datetime.now(UTC) + timedelta(hours=1)
    tasks.update(conn, key=used.chore, scheduled_at=soon)
    tasks.create(conn, key="later", title="Later", scheduled_at=soon)
    conn.execute(
        b"update tasks set lease_expires_at = now() - interval '2 hours'"
        b" where key = 'T-E01-F01-002'"
    )
    break_it(
        conn,
        "update tasks set scheduled_at = now() - interval '3 hours' where key = 'chore'",
        "update tasks set scheduled_at = now() - interval '1 minute' where key = 'later'",
    )

    overdue = doctor.overdue(conn)

    assert [(task.key, task.reason) for task in overdue] == [
        (used.chore, "its schedule has passed"),
        (used.build, "the lease of ben lapsed"),
    ]
    assert "later" in {task.key for task in doctor.overdue(conn, patience=timedelta(seconds=5))}
    assert doctor.run(conn) == []


def test_a_claim_makes_time_pass_for_what_is_overdue(
    conn: psycopg.Connection[Any], used: Plan
) -> None:
    conn.execute(
        b"update tasks set lease_expires_at = now() - interval '2 hours'"
        b" where key = 'T-E01-F01-002'"
    )
    assert claims.claim_next(conn, agent="eve")

    assert doctor.overdue(conn) == []
    assert doctor.run(conn) == []


def test_work_that_fails_as_its_attempts_are_cut_down_is_no_finding(
    conn: psycopg.Connection[Any], used: Plan
) -> None:
    held = claims.claim(conn, key=used.chore, agent="eve")
    assert held
    claims.fail(
        conn, task_id=held.task_id, token=held.token, error="no", retry_in=timedelta(hours=1)
    )
    tasks.update(conn, key=used.chore, max_attempts=1)

    assert tasks.get_by_key(conn, key=used.chore).status is TaskStatus.FAILED
    assert doctor.run(conn) == []


def test_doctor_needs_no_right_but_to_read(make_role: Any, database_url: str) -> None:
    from taskdb.database import roles

    role, url = make_role()
    with connect(database_url) as conn:
        roles.grant(conn, "taskdb", role, "reader")
        tasks.create_many(
            conn,
            [NewTask(key="A", title="A"), NewTask(key="B", title="B")],
            [NewDependency("B", "A")],
        )
        conn.commit()
        break_it(conn, "update tasks set graph_rank = 99 where key in ('A', 'B')")
        conn.commit()

    with connect(url) as conn:
        assert [found.invariant for found in doctor.run(conn)] == ["rank"]
        assert dependencies.why_not_ready(conn, key="A") == []
