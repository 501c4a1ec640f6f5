"""Attacks of a role with ordinary write access: each was done once, and each is refused now."""

from __future__ import annotations

from collections.abc import Generator
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import psycopg
import pytest

from taskdb.admin import doctor
from taskdb.database import connect, roles
from taskdb.errors import InvalidTransitionError, TaskdbError
from taskdb.models import NewWorkflow, TaskStatus, WorkflowStatus
from taskdb.queries import claims, dependencies, exchange, history, tasks, workflows
from tests.database.privileges import Conn, MakeRole, Refused, execute


@pytest.fixture
def app(owner: Conn, make_role: MakeRole) -> Generator[Conn]:
    """An app's connection; T-1 is completed, T-2 waits for it, T-3 is claimed, T-4 ready."""
    role, url = make_role()
    roles.grant(owner, "taskdb", role, "app")
    with connect(url, autocommit=True) as conn:
        for key in ("T-1", "T-2", "T-3", "T-4"):
            tasks.create(conn, key=key, title=key)
        dependencies.add_dependency(conn, task="T-2", depends_on="T-1")
        one = claims.claim(conn, key="T-1", agent="ann")
        assert one is not None
        claims.complete(conn, task_id=one.task_id, token=one.token)
        assert claims.claim(conn, key="T-3", agent="bob") is not None
        yield conn


def everything(conn: Conn) -> list[list[tuple[Any, ...]]]:
    tables = ("tasks", "task_history", "task_dependencies", "task_status_transitions")
    return [execute(conn, f"select * from {table} order by 1, 2, 3") for table in tables]


MACHINERY = {
    "claim_agent": "'eve'",
    "claim_token": "9223372036854775807",
    "claim_request_id": "uuidv7()",
    "graph_rank": "9223372036854775807",
    "status_seq": "7",
    "effective_priority": "1",
    "open_dependencies": "0",
    "unhealthy_dependencies": "0",
    "workflow_is_healthy": "true",
    "failed_attempts": "0",
    "has_dependents": "false",
    "has_files": "false",
    "is_ready": "true",
    "is_due": "true",
    "is_paused": "false",
    "reserved_for": "'eve'",
    "for_type": "'eve'",
    "place": "1",
    "version": "1",
    "started_at": "now()",
    "blocked_at": "now()",
    "completed_at": "'2020-01-01'",
    "created_at": "'2020-01-01'",
    "id": "uuidv7()",
    "key": "'T-9'",
}


@pytest.mark.parametrize("column", MACHINERY)
def test_machinery_is_not_an_apps_to_write(app: Conn, column: str) -> None:
    before = everything(app)

    with pytest.raises(Refused):
        execute(app, f"update tasks set {column} = {MACHINERY[column]} where key = 'T-3'")

    assert everything(app) == before


@pytest.mark.parametrize(
    "column", ["claim_token", "graph_rank", "open_dependencies", "is_ready", "status_seq"]
)
def test_a_new_task_brings_no_machinery(app: Conn, column: str) -> None:
    with pytest.raises(Refused):
        execute(
            app,
            f"insert into tasks (key, title, {column}) values ('T-9', 'x', {MACHINERY[column]})",
        )


@pytest.mark.parametrize(
    "statement",
    [
        "delete from task_history",
        "update task_history set agent = 'eve'",
        "insert into task_history (task_id, seq, new_status, agent, source)"
        " select id, -5, 'completed', 'eve', 'another' from tasks",
        "truncate task_history cascade",
        "delete from task_status_transitions",
        "insert into task_status_transitions values ('completed', 'pending', 'mine')",
        "update task_dependencies set is_satisfied = true",
        "delete from held_files",
        "update parent_guard set version = 0",
        "update task_search set title = 'x'",
        "alter table tasks disable trigger user",
        "select task_graph_repair(array[]::uuid[], array[]::uuid[])",
        "select unblock_dependents(uuidv7())",
        "select pass_time(1)",
        "select take_files(uuidv7())",
        "set session_replication_role = replica",
    ],
)
def test_history_rules_and_internals_are_not_an_apps(app: Conn, statement: str) -> None:
    before = everything(app)

    with pytest.raises(Refused):
        execute(app, statement)

    assert everything(app) == before


@pytest.mark.parametrize(
    "body",
    [
        "delete from task_history;",
        "update task_history set agent = 'eve';",
        "insert into task_history (task_id, seq, new_status, agent)"
        " select id, 99, 'completed', 'eve' from tasks;",
    ],
)
def test_a_trigger_of_ones_own_has_no_more_rights_than_its_maker(app: Conn, body: str) -> None:
    """The guards of history ask for the depth of triggers; a temporary table has depth too."""
    before = everything(app)
    execute(app, "create temp table mine (x int)")
    execute(
        app,
        "create function pg_temp.forge() returns trigger language plpgsql as"
        f" $$ begin {body} return null; end; $$",
    )
    execute(
        app,
        "create trigger forge after insert on mine execute function pg_temp.forge()",
    )

    with pytest.raises(Refused):
        execute(app, "insert into mine values (1)")

    assert everything(app) == before


def test_no_trigger_function_is_tied_to_a_table_of_ones_own(owner: Conn, app: Conn) -> None:
    """It would write as the owner what the table says."""
    functions = execute(
        owner,
        """
        select proname from pg_proc
        where pronamespace = 'taskdb'::regnamespace and prorettype = 'trigger'::regtype
        """,
    )
    execute(app, "create temp table mine as select * from tasks")

    assert len(functions) > 40
    for (name,) in functions:
        with pytest.raises(Refused):
            execute(
                app, f"create trigger t after insert on mine for each row execute function {name}()"
            )


def test_what_runs_as_the_owner_does_not_look_into_pg_temp_first(app: Conn) -> None:
    execute(app, "create temp table task_status_transitions as table task_status_transitions")
    execute(app, "insert into pg_temp.task_status_transitions values ('completed', 'pending')")
    execute(
        app,
        "create function pg_temp.is_satisfied(shared.dependency_type, shared.task_status,"
        " timestamptz) returns boolean language sql return true",
    )

    with pytest.raises((InvalidTransitionError, psycopg.Error), match=r"cannot go from|TD001"):
        execute(app, "update tasks set status = 'pending' where key = 'T-1'")
    dependencies.add_dependency(app, task="T-4", depends_on="T-3")

    assert tasks.get_by_key(app, key="T-4").status is TaskStatus.BLOCKED


def test_a_move_is_refused_by_the_workspaces_own_transitions(app: Conn) -> None:
    """`refuse_transition` reads a table by its name, with the rights of the caller."""
    workflow = workflows.create(app, NewWorkflow(name="Release"))
    execute(
        app, "create temp table workflow_status_transitions as table workflow_status_transitions"
    )
    execute(
        app, "insert into pg_temp.workflow_status_transitions values ('draft', 'completed', 'mine')"
    )

    with pytest.raises(InvalidTransitionError, match="from draft to completed"):
        workflows.update_status(app, workflow.id, status=WorkflowStatus.COMPLETED)

    assert workflows.activate(app, workflow.id).status is WorkflowStatus.ACTIVE


def test_ranks_cannot_be_set_so_that_a_cycle_commits(owner: Conn, app: Conn) -> None:
    with pytest.raises(Refused):
        execute(app, "update tasks set graph_rank = -graph_rank")
    with pytest.raises(TaskdbError, match="T-1"):
        dependencies.add_dependency(app, task="T-1", depends_on="T-2")

    assert doctor.run(owner) == []


def test_imported_history_tells_that_it_is(app: Conn) -> None:
    task = tasks.get_by_key(app, key="T-4")
    given: dict[str, Any] = {
        "task_ids": [task.id],
        "old_statuses": [None],
        "new_statuses": [TaskStatus.COMPLETED],
        "agents": ["eve"],
        "notes": [None],
        "are_forced": [False],
        "moments": [task.created_at],
    }

    assert exchange.import_history(app, source="another", **given) == 1
    with pytest.raises(psycopg.Error, match="source must be given"):
        app.execute(
            "select import_history(null, array[$1::uuid], array[null::shared.task_status],"
            " array['completed'::shared.task_status], array['eve'], array[null], array[false],"
            " array[now()])",
            (task.id,),
        )

    (imported, *own) = history.list_for_task(app, key="T-4")
    assert (imported.source, imported.token) == ("another", None)
    assert [entry.agent for entry in own] == [app.info.user]


def test_a_claim_of_nobody_is_not_begun_by_hand(app: Conn) -> None:
    execute(app, "update tasks set status = 'in_progress', status_agent = 'eve' where key = 'T-4'")

    assert claims.list_live(app, agent="eve") == []


def test_an_ending_by_hand_is_recorded_with_who_was_logged_in(app: Conn) -> None:
    execute(
        app,
        "update tasks set status_ending = 'completed', status_outcome = 'completed',"
        " status_agent = 'bob' where key = 'T-3'",
    )

    last = history.list_for_task(app, key="T-3")[-1]
    assert (last.agent, last.new_status) == ("bob", TaskStatus.COMPLETED)
    (row,) = execute(
        app,
        "select login_role from task_history where new_status = 'completed' and task_id ="
        " (select id from tasks where key = 'T-3')",
    )
    assert row == (app.info.user,)


def test_a_moment_of_the_past_needs_a_source(app: Conn) -> None:
    execute(
        app, "update tasks set status = 'cancelled', status_at = '2020-01-01' where key = 'T-4'"
    )

    last = history.list_for_task(app, key="T-4")[-1]
    assert (last.new_status, last.source) == (TaskStatus.CANCELLED, None)
    assert datetime.now(UTC) - last.created_at < timedelta(minutes=5)


@pytest.mark.parametrize("at", ["2020-01-01", "infinity", "-infinity", None])
def test_a_transition_of_a_tracker_shows_its_source_and_is_neither_to_come_nor_before_its_claim(
    app: Conn, at: str | None
) -> None:
    (claim,) = claims.list_live(app, agent="bob")

    app.execute(
        "update tasks set status = 'completed', status_source = 'elsewhere', status_at = $1,"
        " status_forced = true where key = 'T-3'",
        (at,),
    )

    last = history.list_for_task(app, key="T-3")[-1]
    assert (last.source, last.token, last.outcome) == ("elsewhere", claim.token, "revoked")
    assert claim.claimed_at <= last.created_at <= datetime.now(UTC)
    assert execute(app, "select status_source, status_at from tasks where key = 'T-3'") == [
        (None, None)
    ]


def test_a_task_of_no_one_is_claimed_by_no_request_of_another(app: Conn) -> None:
    request = uuid4()
    claim = claims.claim(app, key="T-4", agent="ann", request_id=request)

    again = claims.claim(app, key="T-4", agent="ann", request_id=request)

    assert claim is not None
    assert again is not None
    assert (again.token, again.agent) == (claim.token, "ann")
