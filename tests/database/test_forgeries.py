"""Attacks of a role with ordinary write access: each was done once, and each is refused now."""

from __future__ import annotations

from collections.abc import Callable, Generator
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
from taskdb.testing.databases import Databases
from tests.database.privileges import Conn, MakeRole, Refused, execute
from tests.made_roles import making_roles


@pytest.fixture
def app(owner: Conn, make_role: MakeRole) -> Generator[Conn]:
    """An app's connection, and the tasks of `prepare`."""
    role, url = make_role()
    roles.grant(owner, "taskdb", role, "app")
    with connect(url, autocommit=True) as conn:
        prepare(conn)
        yield conn


@pytest.fixture(scope="module")
def unharmed(databases: Databases, template: str) -> Generator[Conn]:
    """The same, once for all attacks that are refused: they leave it as it was."""
    url = databases.clone(template)
    with making_roles(databases, url) as make_role, connect(url, autocommit=True) as owner:
        role, app_url = make_role()
        roles.grant(owner, "taskdb", role, "app")
        with connect(app_url, autocommit=True) as conn:
            prepare(conn)
            yield conn
    databases.drop(url)


def prepare(conn: Conn) -> None:
    """T-1 is completed, T-2 waits for it, T-3 is claimed, T-4 ready."""
    for key in ("T-1", "T-2", "T-3", "T-4"):
        tasks.create(conn, key=key, title=key)
    dependencies.add_dependency(conn, task="T-2", depends_on="T-1")
    one = claims.claim(conn, key="T-1", agent="ann")
    assert one is not None
    claims.complete(conn, task_id=one.task_id, token=one.token)
    assert claims.claim(conn, key="T-3", agent="bob") is not None


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
    "is_passed_on": "false",
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
def test_machinery_is_not_an_apps_to_write(unharmed: Conn, column: str) -> None:
    before = everything(unharmed)

    with pytest.raises(Refused):
        execute(unharmed, f"update tasks set {column} = {MACHINERY[column]} where key = 'T-3'")

    assert everything(unharmed) == before


@pytest.mark.parametrize(
    "column", ["claim_token", "graph_rank", "unhealthy_dependencies", "is_ready", "status_seq"]
)
def test_a_new_task_brings_no_machinery(unharmed: Conn, column: str) -> None:
    with pytest.raises(Refused):
        execute(
            unharmed,
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
        "delete from file_locks",
        "update guards set version = 0",
        "update task_search set title = 'x'",
        "alter table tasks disable trigger user",
        "select task_graph_repair(array[]::uuid[], array[]::uuid[])",
        "select unblock_dependents(uuidv7())",
        "select pass_time(1)",
        "select take_files(uuidv7())",
        "set session_replication_role = replica",
    ],
)
def test_history_rules_and_internals_are_not_an_apps(unharmed: Conn, statement: str) -> None:
    before = everything(unharmed)

    with pytest.raises(Refused):
        execute(unharmed, statement)

    assert everything(unharmed) == before


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


@pytest.mark.slow
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


def test_a_transition_of_a_tracker_is_of_a_moment_that_a_program_can_hold(app: Conn) -> None:
    execute(
        app,
        "update tasks set status = 'cancelled', status_source = 'x', status_at = '-infinity'"
        " where key = 'T-4'",
    )

    assert history.list_for_task(app, key="T-4")[-1].created_at.year == 1


def test_a_task_of_no_one_is_claimed_by_no_request_of_another(app: Conn) -> None:
    request = uuid4()
    claim = claims.claim(app, key="T-4", agent="ann", request_id=request)

    again = claims.claim(app, key="T-4", agent="ann", request_id=request)

    assert claim is not None
    assert again is not None
    assert (again.token, again.agent) == (claim.token, "ann")


@pytest.mark.slow
@pytest.mark.parametrize(
    "statement",
    [
        "select * from claim_tasks(null, null, '1 min', 1)",
        "select * from claim_tasks(null, null, '1 min', 1, 'T-4', request_id => uuidv7())",
        "select next.* from tasks cross join complete_and_claim("
        "id, claim_token, null, null, null, '1 min') as next where tasks.key = 'T-3'",
        "select * from claim_tasks('eve', null, '1 min', null)",
        "select * from claim_tasks('eve', null, null, 1)",
        "select * from claim_tasks('eve', null, '-1 min', 1)",
    ],
)
def test_a_worker_begins_no_task_without_a_claim(
    app: Conn, as_role: Callable[[roles.Kind], Conn], statement: str
) -> None:
    """A task that is in progress without a claim can be ended by nobody but an app."""
    worker = as_role("worker")
    before = everything(app)

    with pytest.raises(psycopg.Error, match=r"TD005|must be given|must end after now"):
        execute(worker, statement)

    assert everything(app) == before


@pytest.mark.parametrize("moment", ["infinity", "-infinity", "10000-01-01", "0002-01-01 BC"])
@pytest.mark.parametrize(
    "statement",
    [
        "update tasks set scheduled_at = '{}' where key = 'T-4'",
        "update tasks set lease_expires_at = '{}' where key = 'T-3'",
        "insert into tasks (title, scheduled_at) values ('x', '{}')",
        "insert into tasks (title, created_at) values ('x', '{}')",
        "insert into tasks (title, updated_at) values ('x', '{}')",
        "insert into tasks (title, status, started_at) values ('x', 'in_progress', '{}')",
        "insert into tasks (title, status, completed_at) values ('x', 'completed', '{}')",
        "insert into tasks (title, status, blocked_reason, blocked_at)"
        " values ('x', 'blocked', 'rain', '{}')",
        "select import_history('x', array[id], array[null::shared.task_status],"
        " array['pending'::shared.task_status], array['eve'], array[null], array[false],"
        " array['{}'::timestamptz]) from tasks where key = 'T-4'",
        "insert into epics (key, title, created_at) values ('E01', 'x', '{}')",
        "insert into task_details (task_id, updated_at) select id, '{}' from tasks",
        "insert into task_dependencies (task_id, depends_on_id, created_at)"
        " select one.id, other.id, '{}' from tasks as one, tasks as other"
        " where one.key = 'T-4' and other.key = 'T-1'",
    ],
)
def test_a_moment_that_no_program_can_hold_is_refused(
    unharmed: Conn, statement: str, moment: str
) -> None:
    """One such row, and every list that has it fails in Python."""
    before = everything(unharmed)

    with pytest.raises(psycopg.Error, match=r"moment_is_of_years|must not be in the future"):
        execute(unharmed, statement.format(moment))

    assert everything(unharmed) == before


def test_every_moment_that_an_app_may_write_is_one_that_a_program_can_hold(app: Conn) -> None:
    """A domain says so, or a trigger: of tasks that of its times, elsewhere of updated_at."""
    found = execute(
        app,
        "select class.relname, attribute.attname from pg_attribute as attribute"
        " inner join pg_class as class on class.oid = attribute.attrelid"
        " where class.relnamespace = current_schema()::regnamespace"
        " and class.relkind = 'r' and attribute.attnum > 0"
        " and attribute.atttypid in ('timestamptz'::regtype, 'date'::regtype, 'timestamp'::regtype)"
        " and class.relname <> 'tasks'"
        " and (has_column_privilege(class.oid, attribute.attnum, 'insert') or"
        " attribute.attname <> 'updated_at'"
        " and has_column_privilege(class.oid, attribute.attnum, 'update'))",
    )

    assert found == []


@pytest.mark.parametrize(
    "statement",
    [
        "update task_details set actual_hours = 'NaN'",
        "update task_details set retry_delay = '178000000 years'",
        "update task_details set max_retry_delay = '3650001 days 10 years'",
    ],
)
def test_a_measure_that_no_program_can_add_is_refused(unharmed: Conn, statement: str) -> None:
    with pytest.raises(psycopg.errors.CheckViolation):
        execute(unharmed, statement)


@pytest.mark.parametrize("to", ["T-3", "T-5"])
def test_a_second_row_stays_with_its_task(app: Conn, owner: Conn, to: str) -> None:
    """`tasks.update` needs the right to the column, for a write that changes nothing."""
    execute(app, "insert into tasks (key, title, details_follow) values ('T-5', 'x', true)")
    before = execute(owner, "select * from task_details order by task_id")

    with pytest.raises(psycopg.Error, match="stays with its task"):
        execute(
            app,
            f"update task_details set task_id = (select id from tasks where key = '{to}')"
            " where task_id = (select id from tasks where key = 'T-4')",
        )

    assert execute(owner, "select * from task_details order by task_id") == before


def test_a_task_whose_second_row_never_came_stops_no_claim(app: Conn, owner: Conn) -> None:
    """An app may announce that row, and end its transaction without it."""
    execute(
        app,
        "insert into tasks (key, title, priority, details_follow, concurrency_key)"
        " select 'trap-' || n, 'x', 1, true, 'k' || n from generate_series(1, 3) as n",
    )
    assert "details" in {row.invariant for row in doctor.run(owner)}

    claimed = [claims.claim_next(app, agent="ann") for _ in range(8)]

    assert {claim.key for claim in claimed if claim} == {
        *("trap-1", "trap-2", "trap-3"),
        *("T-2", "T-4"),
    }
    assert doctor.run(owner) == []


def test_what_an_app_says_of_the_edges_of_a_new_task_is_compared_with_them(
    app: Conn, owner: Conn
) -> None:
    """A load may say it, to save a write; where it is wrong it counts until the second row."""
    execute(
        app,
        "insert into tasks (key, title, details_follow, open_dependencies, has_dependents,"
        " effective_priority) values ('T-5', 'x', true, 3, true, 1)",
    )
    execute(
        app,
        "insert into task_details (task_id, created_at, updated_at)"
        " select id, created_at, updated_at from tasks where key = 'T-5'",
    )

    found = execute(
        owner, "select status, open_dependencies, effective_priority from tasks where key = 'T-5'"
    )
    assert found == [("pending", 0, 5)]
    assert doctor.run(owner) == []
