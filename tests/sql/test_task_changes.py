"""Tasks: history, keys, changes, and what is deleted with what."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import psycopg
import pytest

from taskdb.admin import doctor
from taskdb.errors import IntegrityError, NotFoundError, ValidationError
from taskdb.models import DependencyType, NewDependency, NewTask, TaskStatus
from taskdb.queries import claims, dependencies, epics, features, history, tasks
from tests.plans import Plan
from tests.sql.test_tasks import Connection, Status, make_task, move, run

# History


def test_every_route_leaves_one_row(conn: Connection) -> None:
    make_task(conn)
    run(conn, "update tasks set status = 'in_progress'")
    run(conn, "update tasks set status = 'in_review', status_agent = 'bob', status_note = 'look'")
    run(
        conn,
        "insert into tasks (key, title) values ('A', 'again')"
        " on conflict (key) do update set status = 'completed', title = excluded.title",
    )
    run(conn, "update tasks set status = 'archived', key = 'B' where key = 'A'")

    rows = history.list_for_task(conn, key="B")
    (user,) = run(conn, "select session_user")[0]
    assert [(row.seq, row.new_status, row.agent, row.note) for row in rows] == [
        (1, Status.PENDING, user, None),
        (2, Status.IN_PROGRESS, user, None),
        (3, Status.IN_REVIEW, "bob", "look"),
        (4, Status.COMPLETED, user, None),
        (5, Status.ARCHIVED, user, None),
    ]
    assert doctor.run(conn) == []


def test_the_letterbox_is_always_empty_afterwards(conn: Connection) -> None:
    run(
        conn,
        "insert into tasks (key, title, status_agent, status_note, status_forced)"
        " values ('A', 'A', 'eve', 'psst', true)",
    )
    letters = "select status_agent, status_note, status_forced from tasks"
    assert run(conn, letters) == [(None, None, None)]

    run(conn, "update tasks set title = 'B', status_agent = 'eve', status_forced = true")
    assert run(conn, letters) == [(None, None, None)]

    run(conn, "update tasks set status = 'in_progress'")
    last = history.list_for_task(conn, key="A")[-1]
    assert (last.agent, last.forced) != ("eve", True)


def test_what_the_machinery_keeps_cannot_be_set_at_creation_or_by_hand(conn: Connection) -> None:
    run(
        conn,
        "insert into tasks (key, title, open_dependencies, status_seq) values ('A', 'A', 7, 7)",
    )
    run(conn, "update tasks set status_seq = 9")

    assert run(conn, "select open_dependencies, status_seq from tasks") == [(0, 1)]
    assert doctor.run(conn) == []


def test_creation_is_signed_by_who_created_the_task(conn: Connection) -> None:
    tasks.create(conn, key="A", title="A", created_by="planner")

    (created,) = history.list_for_task(conn, key="A")
    assert (created.agent, created.old_status) == ("planner", None)


@pytest.mark.parametrize(
    "statement",
    [
        "insert into task_history (task_id, seq, new_status, agent)"
        " select id, 9, 'completed', 'eve' from tasks",
        "update task_history set agent = 'eve'",
        "delete from task_history",
        "truncate task_history",
    ],
)
def test_history_is_not_written_by_hand(conn: Connection, statement: str) -> None:
    make_task(conn)

    with pytest.raises(psycopg.DatabaseError) as refusal, conn.transaction():
        run(conn, statement)

    assert refusal.value.sqlstate == "TD004"
    assert doctor.run(conn) == []


def test_history_is_not_written_by_hand_with_functions_and_operators_of_ones_own(
    conn: Connection,
) -> None:
    """The trigger that refuses it has no search_path of its own."""
    make_task(conn)
    for statement in (
        "create schema forged",
        "create function forged.pg_trigger_depth() returns int return 2",
        "create function forged.never(int, int) returns boolean return false",
        "create operator forged.= (leftarg = int, rightarg = int, function = forged.never)",
        "create function forged.format(text, variadic text[]) returns text return 'select $1.*'",
        "set local search_path = forged, pg_catalog, taskdb, shared",
    ):
        run(conn, statement)

    with pytest.raises(psycopg.DatabaseError) as refusal, conn.transaction():
        run(
            conn,
            "insert into task_history (task_id, seq, new_status, agent)"
            " select id, 9, 'completed', 'eve' from tasks",
        )

    assert refusal.value.sqlstate == "TD004"


def test_all_tasks_may_be_truncated_with_their_history(conn: Connection, plan: Plan) -> None:
    run(conn, "truncate epics, tasks cascade")

    assert run(conn, "select from task_history") == []
    make_task(conn)
    assert doctor.run(conn) == []


@pytest.mark.parametrize("path", ["taskdb, shared", "public, shared, taskdb"])
def test_imported_rows_of_history_count_downwards_whatever_they_say(
    conn: Connection, path: str
) -> None:
    make_task(conn)
    run(conn, f"set local search_path = {path}")
    row = (
        "insert into task_history (task_id, seq, new_status, agent, source)"
        " select id, {seq}, 'completed', 'eve', 'elsewhere' from tasks"
    )

    run(conn, row.format(seq=2))
    run(conn, row.format(seq="null"))

    entries = history.list_for_task(conn, key="A")
    assert [(entry.seq, entry.source) for entry in entries] == [
        (0, "elsewhere"),
        (-1, "elsewhere"),
        (1, None),
    ]


# Keys


def test_a_task_without_a_key_gets_the_next_free_one(conn: Connection) -> None:
    run(conn, "alter sequence task_number restart with 41")
    make_task(conn, key="T-42")

    made = [tasks.create(conn, title="anonymous").key for _ in range(2)]

    assert made == ["T-41", "T-43"]


def test_a_taken_key_is_refused_by_name(conn: Connection) -> None:
    make_task(conn, key="T-1 (a)")

    with pytest.raises(IntegrityError) as caught, conn.transaction():
        make_task(conn, key="T-1 (a)")
    assert str(caught.value).startswith("key 'T-1 (a)' must be unique in tasks (at sql/queries/")
    assert (caught.value.field, caught.value.rule) == ("key", "must be unique in tasks")
    with pytest.raises(IntegrityError, match=r"key 'T-1 \(a\)' must be unique"):
        tasks.create_many(conn, [NewTask(key=key, title="New") for key in ("T-2", "T-1 (a)")])


def test_keys_are_compared_byte_for_byte(conn: Connection) -> None:
    for key in ("a", "A", "á", "a\u0301", "a "):
        make_task(conn, key=key)

    assert tasks.get_by_key(conn, key="á").key == "á"
    with pytest.raises(NotFoundError):
        tasks.get_by_key(conn, key=" a")


@pytest.mark.parametrize("key", ["", "x" * 101, "tab\there", "line\nbreak", "\u0085"])
def test_a_key_that_cannot_be_typed_is_refused(conn: Connection, key: str) -> None:
    with pytest.raises(ValidationError, match="key"):
        make_task(conn, key=key)


def test_a_key_may_change(conn: Connection, plan: Plan) -> None:
    run(conn, "update tasks set key = 'renamed' where key = 'T-E01-F01-001'")

    assert dependencies.dependencies_of(conn, key=plan.build)[0].key == "renamed"
    assert doctor.run(conn) == []


# Changes


def test_update_changes_what_is_given_and_nothing_else(conn: Connection) -> None:
    before = tasks.create(
        conn, key="A", title="A", description="d", agent_type="coder", estimated_hours=Decimal(2)
    )

    after = tasks.update(conn, key="A", title="B", agent_type=None)

    assert (after.title, after.agent_type) == ("B", None)
    assert (after.description, after.estimated_hours) == ("d", Decimal(2))
    assert after.updated_at > before.updated_at
    assert len(history.list_for_task(conn, key="A")) == 1


def test_update_and_move_of_no_task_are_refused(conn: Connection) -> None:
    with pytest.raises(NotFoundError):
        tasks.update(conn, key="ghost", title="B")
    with pytest.raises(NotFoundError):
        move(conn, Status.CANCELLED, key="ghost")
    with pytest.raises(NotFoundError):
        tasks.delete(conn, key="ghost")


def test_search_follows_the_text(conn: Connection) -> None:
    make_task(conn)
    tasks.update(conn, key="A", title="Zebras", description="and antelopes")

    assert run(
        conn,
        "select title, document @@ to_tsquery('english', 'zebra & antelope') from task_search",
    ) == [("Zebras", True)]
    assert doctor.run(conn) == []


def test_effective_priority_follows_the_priority(conn: Connection) -> None:
    make_task(conn)

    assert tasks.update(conn, key="A", priority=1).effective_priority == 1


def test_a_reopened_task_counts_its_attempts_anew(conn: Connection) -> None:
    make_task(conn)
    held = claims.claim(conn, key="A", agent="ada")
    assert held
    claims.fail(conn, task_id=held.task_id, token=held.token, error="it broke")
    assert tasks.get_by_key(conn, key="A").failed_attempts == 1

    assert move(conn, Status.PENDING, force=True).failed_attempts == 0


# Deletion


def test_all_under_an_epic_goes_with_it(conn: Connection, plan: Plan) -> None:
    tasks.create(
        conn, key="child", title="child", parent_id=tasks.get_by_key(conn, key=plan.build).id
    )
    tasks.create(conn, key="outside", title="outside")
    dependencies.add_dependency(conn, task="outside", depends_on=plan.release)
    dependencies.add_dependency(conn, task="outside", depends_on=plan.chore)
    assert claims.claim(conn, key=plan.design, agent="ada")

    epics.delete(conn, key=plan.epic)

    left = {task.key: task.open_dependencies for task in tasks.list_tasks(conn)}
    assert left == {"outside": 1, plan.chore: 0}
    for table in ("features", "task_claims"):
        assert run(conn, f"select from {table}") == []
    assert doctor.run(conn) == []


def test_deleting_a_feature_frees_what_waited_for_it_in_others(
    conn: Connection, plan: Plan
) -> None:
    features.delete(conn, key=plan.features[0])

    assert tasks.get_by_key(conn, key=plan.docs).status is Status.PENDING
    assert tasks.get_by_key(conn, key=plan.release).open_dependencies == 1
    assert doctor.run(conn) == []


def test_the_parts_of_a_task_go_with_it(conn: Connection) -> None:
    top = make_task(conn, key="top")
    mid = tasks.create(conn, key="mid", title="mid", parent_id=top.id)
    tasks.create(conn, key="low", title="low", parent_id=mid.id)
    make_task(conn, key="waits")
    for key in ("low", "mid"):
        dependencies.add_dependency(conn, task="waits", depends_on=key)
    dependencies.add_dependency(conn, task="low", depends_on="mid")
    run(conn, "insert into subtasks (task_id, title) select id, 'line' from tasks")
    run(conn, "insert into task_files (task_id, path, content) select id, 'f', 'x' from tasks")

    tasks.delete(conn, key="top")

    assert [(task.key, task.status) for task in tasks.list_tasks(conn)] == [
        ("waits", Status.PENDING)
    ]
    assert run(conn, "select count(*) from subtasks") == [(1,)]
    assert run(conn, "select count(*) from task_files") == [(1,)]
    assert doctor.run(conn) == []


def test_subtasks_gate_nothing(conn: Connection) -> None:
    make_task(conn, Status.IN_PROGRESS)
    run(conn, "insert into subtasks (task_id, title) select id, 'line' from tasks")

    assert move(conn, Status.COMPLETED).status is Status.COMPLETED
    assert dependencies.why_not_ready(conn, key="A")[0].reason == "finished"


# Many at once


def test_create_many_returns_ids_in_the_order_given(conn: Connection) -> None:
    made = tasks.create_many(
        conn,
        [NewTask(key="B", title="b"), NewTask(title="no key"), NewTask(key="A", title="a")],
        [NewDependency("A", "B")],
    )

    assert (made.task_count, made.dependency_count) == (3, 1)
    assert [tasks.get(conn, id=id).title for id in made.ids] == ["b", "no key", "a"]
    assert tasks.get(conn, id=made.ids[2]).status is Status.BLOCKED


def test_create_many_knows_tasks_that_exist(conn: Connection, plan: Plan) -> None:
    tasks.create_many(
        conn,
        [NewTask(key="new", title="new", parent=plan.build)],
        [NewDependency("new", plan.chore), NewDependency(plan.chore, plan.release)],
    )

    new = tasks.get_by_key(conn, key="new")
    assert new.parent_id == tasks.get_by_key(conn, key=plan.build).id
    assert new.open_dependencies == 1
    assert doctor.run(conn) == []


def test_create_many_records_one_creation_with_the_status_that_dependencies_give(
    conn: Connection,
) -> None:
    done = NewTask(key="done", title="Done", status=TaskStatus.COMPLETED)
    tasks.create_many(
        conn,
        [done, *(NewTask(key=key, title=key) for key in ("first", "waits", "was awaited"))],
        [
            NewDependency("waits", "first"),
            NewDependency("was awaited", "done"),
            NewDependency("first", "done", DependencyType.SUGGESTS),
        ],
    )

    made = {
        key: [
            (row.seq, row.old_status, row.new_status)
            for row in history.list_for_task(conn, key=key)
        ]
        for key in ("first", "waits", "was awaited")
    }
    assert made == {
        "first": [(1, None, TaskStatus.PENDING)],
        "waits": [(1, None, TaskStatus.BLOCKED)],
        "was awaited": [(1, None, TaskStatus.PENDING)],
    }
    assert doctor.run(conn) == []


def test_a_change_of_a_task_with_both_rows_is_recorded_though_they_came_apart(
    conn: Connection,
) -> None:
    tasks.create_many(conn, [NewTask(key="a", title="A")])
    claims.claim(conn, key="a", agent="ada")

    assert [row.seq for row in history.list_for_task(conn, key="a")] == [1, 2]


def test_create_many_names_the_keys_that_nobody_has(conn: Connection) -> None:
    with pytest.raises(NotFoundError, match="ghost, phantom"):
        tasks.create_many(
            conn, [NewTask(key="A", title="a", parent="ghost")], [NewDependency("A", "phantom")]
        )
    assert tasks.list_tasks(conn) == []


def test_create_many_of_nothing_is_nothing(conn: Connection) -> None:
    made = tasks.create_many(conn, [])

    assert (made.ids, made.task_count, made.dependency_count) == ([], 0, 0)


async def test_the_same_functions_serve_an_asynchronous_connection(
    aconn: psycopg.AsyncConnection[Any],
) -> None:
    await tasks.create_many(
        aconn,
        [NewTask(key="A", title="a"), NewTask(key="B", title="b")],
        [NewDependency("B", "A")],
    )
    await tasks.update_status(aconn, key="A", status=Status.COMPLETED, force=True)

    assert (await tasks.get_by_key(aconn, key="B")).status is Status.PENDING
    assert await doctor.run(aconn) == []
