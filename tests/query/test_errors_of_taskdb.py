"""Errors of the task database: its triggers, the names of its schema, and the manual."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from psycopg.types.json import Jsonb

import taskdb.errors
from taskdb.constraints import CONSTRAINTS
from taskdb.errors import (
    CircularDependencyError,
    IntegrityError,
    InvalidTransitionError,
    TaskdbError,
    ValidationError,
)
from taskdb.query.translation import STANDARD, ConstraintRule, describe
from tests.query.test_errors import Conn, refused

# Messages of taskdb's own triggers


def raising(code: str, detail: str, *, errcode: str | None = None) -> str:
    return (
        f"do $$ begin raise exception 'the trigger''s words' using errcode = '{errcode or code}',"
        f" detail = '{code} {detail}', hint = 'Do this.'; end $$"
    )


@pytest.mark.parametrize("errcode", [None, "XX000"])
@pytest.mark.parametrize(
    ("code", "kind"),
    [
        ("TD001", InvalidTransitionError),
        ("TD002", CircularDependencyError),
        ("TD003", IntegrityError),
        ("TD004", IntegrityError),
        ("TD005", ValidationError),
    ],
)
def test_trigger_s_error_is_known_by_its_code_or_by_its_detail(
    conn: Conn, code: str, kind: type[TaskdbError], errcode: str | None
) -> None:
    error = refused(conn, raising(code, '["A", "B", "A"]', errcode=errcode))

    assert isinstance(error, kind)
    assert error.sqlstate == code
    assert error.hint == "Do this."


def test_circular_dependency_names_its_path(conn: Conn) -> None:
    error = refused(conn, raising("TD002", '["A", "B C", "A"]'))

    assert isinstance(error, CircularDependencyError)
    assert error.path == ("A", "B C", "A")


def test_circular_dependency_stays_one_even_if_its_path_is_garbled(conn: Conn) -> None:
    error = refused(conn, raising("TD002", '["A", "B'))

    assert isinstance(error, CircularDependencyError)
    assert error.path == ()


def test_trigger_s_validation_names_field_and_rule(conn: Conn) -> None:
    error = refused(conn, raising("TD005", "key: must be the key of its epic: E01-F02"))

    assert isinstance(error, ValidationError)
    assert (error.field, error.rule) == ("key", "must be the key of its epic: E01-F02")


def test_forbidden_move_of_a_real_task_says_what_is_allowed(conn: Conn) -> None:
    conn.execute("insert into tasks (key, title) values ('T', 't')")
    error = refused(conn, "update tasks set status = 'archived' where key = 'T'")

    assert isinstance(error, InvalidTransitionError)
    assert "pending" in error.message
    assert "archived" in error.message
    assert "in_progress" in (error.hint or "")


def test_cycle_of_real_tasks_is_refused_with_its_path(conn: Conn) -> None:
    conn.execute("insert into tasks (key, title) values ('A', 'a'), ('B', 'b')")
    add = (
        "insert into task_dependencies (task_id, depends_on_id)"
        " select a.id, b.id from tasks a, tasks b where a.key = $1 and b.key = $2"
    )
    conn.execute(add, ["A", "B"])
    error = refused(conn, add, ["B", "A"])

    assert isinstance(error, CircularDependencyError)
    assert error.path in {("A", "B", "A"), ("B", "A", "B")}


def test_rule_of_a_column_s_domain_is_told_where_the_column_is_not(conn: Conn) -> None:
    conn.execute("insert into tasks (key, title) values ('T', 't')")
    error = refused(conn, "update task_details set context = $1", [Jsonb([1])])

    assert isinstance(error, ValidationError)
    assert str(error) == "a value must be a JSON object"
    assert error.constraint == "object_json_is_object"


# The schema's names


def meaning(name: str, table: str) -> ConstraintRule:
    return CONSTRAINTS.get(name) or describe(name, table)


@pytest.fixture
def constraints(conn: Conn) -> list[tuple[str, str, str, bool]]:
    """Every constraint and unique index of taskdb's tables and domains: name, of what, kind."""
    return conn.execute(
        """
        select con.conname, coalesce(c.relname, t.typname), con.contype::text, c.oid is null
        from pg_constraint con
        left join pg_class c on c.oid = con.conrelid
        left join pg_type t on t.oid = con.contypid
        where con.connamespace in ('taskdb'::regnamespace, 'shared'::regnamespace)
            and con.contype in ('c', 'f', 'p', 'u', 'x')
            and coalesce(c.relname, '') not like '\\_%'
        union all
        select i.relname, c.relname, 'u', false
        from pg_index x
        join pg_class i on i.oid = x.indexrelid
        join pg_class c on c.oid = x.indrelid
        where x.indisunique
            and i.relnamespace in ('taskdb'::regnamespace, 'shared'::regnamespace)
            and c.relname not like '\\_%'
            and not exists (select from pg_constraint where conindid = i.oid)
        order by 1
        """
    ).fetchall()


def test_every_check_of_the_schema_says_its_field_and_rule(
    conn: Conn, constraints: list[tuple[str, str, str, bool]]
) -> None:
    checks = [row for row in constraints if row[2] == "c"]
    assert len(checks) > 10
    for name, owner, _, of_domain in checks:
        field, rule, _ = meaning(name, "" if of_domain else owner)

        assert not rule.startswith("breaks the rule"), f"{name} needs a row in CONSTRAINTS"
        if not of_domain:
            columns = conn.execute(
                "select attname from pg_attribute where attrelid = $1::text::regclass", [owner]
            )
            assert (field,) in columns.fetchall(), f"{name} names {field}, which {owner} lacks"


def test_every_unique_key_but_the_ids_says_its_field_and_rule(
    constraints: list[tuple[str, str, str, bool]],
) -> None:
    for name, owner, kind, _ in constraints:
        if kind == "u":
            assert not meaning(name, owner).rule.startswith("breaks the rule"), (
                f"{name} needs a row in CONSTRAINTS"
            )


def raised_by_triggers() -> set[str]:
    """The rules of tasks that triggers hold, each raised under the name of a constraint."""
    sql = Path(__file__).parents[2] / "sql"
    files = [*sql.glob("triggers/*.sql"), *sql.glob("functions/*.sql")]
    return {
        name
        for file in files
        for name in re.findall(r"raise_broken_rule\(\s*'(\w+)'", file.read_text("utf-8"))
    }


def test_listed_names_are_all_there(constraints: list[tuple[str, str, str, bool]]) -> None:
    known = {name for name, *_ in constraints} | raised_by_triggers()
    assert set(CONSTRAINTS) - known == set()


def test_every_rule_that_a_trigger_raises_says_its_field(conn: Conn) -> None:
    columns = conn.execute(
        "select attname from pg_attribute where attrelid = 'tasks'::regclass"
    ).fetchall()

    assert len(raised_by_triggers()) >= 3
    for name in raised_by_triggers():
        assert (CONSTRAINTS[name].field,) in columns, name


@pytest.mark.parametrize(
    ("statement", "message"),
    [
        (
            "insert into tasks (key, title, blocked_reason) values ('T', 't', 'why')",
            "blocked_reason must be null unless status is blocked",
        ),
        (
            "insert into tasks (key, title, completed_at) values ('T', 't', now())",
            "completed_at must be set on completion, and only while completed or archived",
        ),
        (
            "update tasks set blocked_reason = 'why' where key = 'OPEN'",
            "blocked_reason must be null unless status is blocked",
        ),
        (
            "update tasks set status = 'in_progress', claim_agent = 'a',"
            " lease_expires_at = now() where key = 'OPEN'",
            "lease_expires_at must end after now for a new claim",
        ),
    ],
)
def test_rule_that_a_trigger_raises_reads_like_a_constraint_s(
    conn: Conn, statement: str, message: str
) -> None:
    conn.execute("insert into tasks (key, title) values ('OPEN', 'open')")

    error = refused(conn, statement)

    assert isinstance(error, ValidationError)
    assert str(error) == message


def test_names_leave_room_for_the_number_of_a_shard(
    constraints: list[tuple[str, str, str, bool]],
) -> None:
    """PostgreSQL cuts names at 63 bytes; a shard's number takes seven, or a few more."""
    assert [name for name, *_ in constraints if len(name) > 56] == []


# The manual


def test_manual_lists_every_error_and_every_code() -> None:
    manual = (Path(__file__).parents[2] / "docs" / "errors.md").read_text(encoding="utf-8")

    for name in taskdb.errors.__all__:
        assert name in manual, name
    for code in [*STANDARD, *taskdb.errors.ERRORS]:
        assert code == "DataError" or f"`{code}`" in manual, code
    for name in CONSTRAINTS:
        assert f"`{name}`" in manual, name
