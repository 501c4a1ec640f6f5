"""Triggers: their names, their order, their files, and what they must not have."""

from __future__ import annotations

import re

import pytest

from taskdb.queries.admin import doctor
from tests.sql.catalogue import SCHEMAS, SQL, Connection, listed

# Triggers of their own move updated_at of a task's two rows, and leave it alone where only the
# columns listed here change: a heartbeat, what follows from other tasks or other columns, and the
# copies in task_details.
MOVED_BY_THEIR_OWN = {
    "tasks": (
        "apply_task_change",
        "effective_priority for_type graph_rank has_dependents is_passed_on "
        "lease_expires_at place progress_note progress_pct reserved_for",
    ),
    "task_details": (
        "count_edit_of_details",
        "agent_type assigned_agent created_at priority task_id updated_at version",
    ),
}


def test_every_table_with_updated_at_has_a_trigger_that_moves_it(conn: Connection) -> None:
    statement = """
        select class.relname from pg_class as class
        join pg_attribute as attribute
            on attribute.attrelid = class.oid and attribute.attname = 'updated_at'
        where class.relnamespace = 'taskdb'::regnamespace and class.relkind = 'r'
            and not exists (
                select from pg_trigger
                where tgrelid = class.oid
                    and tgfoid = 'touch_updated_at'::regproc
                    -- For each row, before, update; no column list; no condition.
                    and tgtype = 1 | 2 | 16
                    and tgattr::text = '' and tgqual is null
            )
    """
    assert set(listed(conn, statement)) == set(MOVED_BY_THEIR_OWN)


@pytest.mark.parametrize("table", MOVED_BY_THEIR_OWN)
def test_updated_at_of_a_task_transitions_with_every_column_but_a_few(
    conn: Connection, table: str
) -> None:
    function, left_alone = MOVED_BY_THEIR_OWN[table]
    statement = f"""
        select attname from pg_attribute
        where attrelid = '{table}'::regclass and attnum > 0 and not attisdropped
            and not exists (
                select from pg_trigger
                where tgrelid = attrelid
                    and tgfoid = '{function}'::regproc
                    and tgtype = 1 | 2 | 16 and tgqual is null
                    and attnum = any(tgattr::int2[])
            )
        order by attname
    """
    assert listed(conn, statement) == left_alone.split()


def test_no_trigger_of_a_task_s_narrow_row_has_a_long_condition(conn: Connection) -> None:
    """A WHEN clause is parsed again by every statement that claims or completes: one column is."""
    statement = """
        select tgname || ' ' || substring(pg_get_triggerdef(oid) from ' WHEN (.*) EXECUTE ')
        from pg_trigger where tgrelid = 'tasks'::regclass and tgqual is not null
    """
    assert listed(conn, statement) == ["tasks_90_pass_on (new.is_passed_on)"]


def test_no_check_of_a_task_s_narrow_row_has_two_columns(conn: Connection) -> None:
    """Such a CHECK is parsed again by every statement: triggers hold these rules."""
    statement = """
        select conname from pg_constraint where conrelid = 'tasks'::regclass and contype = 'c'
        union all
        select attname from pg_attribute where attrelid = 'tasks'::regclass and attgenerated <> ''
    """
    assert listed(conn, statement) == []


def test_triggers_are_numbered_by_what_they_do(conn: Connection) -> None:
    """Before the row is written 10 refuses, 50 to 59 normalize and apply; after it 60 refuses,
    70 refreshes statistics, 90 and above pass on and record."""
    statement = f"""
        select trigger.tgname
        from pg_trigger as trigger
        join pg_class as class on class.oid = trigger.tgrelid
        join pg_namespace as namespace on namespace.oid = class.relnamespace
        where namespace.nspname in {SCHEMAS} and not trigger.tgisinternal
            and trigger.tgname !~ (
                '^' || class.relname
                || case trigger.tgtype & 2 when 2 then '_(10|5[0-9])_' else '_(60|70|9[0-9])_' end
                || '[a-z_]+$'
            )
    """
    assert listed(conn, statement) == []


def test_only_what_is_numbered_10_or_60_refuses_or_locks_by_name(conn: Connection) -> None:
    statement = f"""
        select trigger.tgname
        from pg_trigger as trigger
        join pg_class as class on class.oid = trigger.tgrelid
        join pg_namespace as namespace on namespace.oid = class.relnamespace
        where namespace.nspname in {SCHEMAS} and not trigger.tgisinternal
            and trigger.tgname ~ '_refuse_' <> (trigger.tgname ~ '_[16]0_')
            and trigger.tgname !~ '_10_lock'
    """
    assert listed(conn, statement) == []


def test_the_triggers_of_one_event_fire_in_the_order_of_their_names(conn: Connection) -> None:
    """Those of a statement fire around those of its rows, whatever their names."""
    statement = f"""
        select sooner.tgname, later.tgname
        from pg_trigger as sooner
        join pg_trigger as later on later.tgrelid = sooner.tgrelid
        join pg_class as class on class.oid = sooner.tgrelid
        join pg_namespace as namespace on namespace.oid = class.relnamespace
        where namespace.nspname in {SCHEMAS}
            and not sooner.tgisinternal and not later.tgisinternal
            and sooner.tgtype & later.tgtype & (4 | 8 | 16 | 32) <> 0
            -- Before: the statement, then its rows. After: the rows, then the statement.
            and sooner.tgtype & 2 = later.tgtype & 2
            and (sooner.tgtype & 1 = 0) = (sooner.tgtype & 2 <> 0)
            and (later.tgtype & 1 = 0) <> (sooner.tgtype & 1 = 0)
            and sooner.tgname > later.tgname
    """
    assert listed(conn, statement) == []


def test_each_trigger_stands_in_a_file_of_its_name() -> None:
    """So `ls sql/triggers/tasks_*` is the firing order."""
    declared = {
        file.stem: re.findall(r"^create trigger (\w+)", file.read_text("utf-8"), re.MULTILINE)
        for file in (SQL / "triggers").glob("*.sql")
    }
    assert declared == {stem: [stem] for stem in declared}
    assert {"tasks_50_apply_change", "task_details_90_record_creation"} <= declared.keys()


def test_every_trigger_is_there_and_enabled(conn: Connection) -> None:
    declared = {
        name
        for file in (SQL / "triggers").glob("*.sql")
        for name in re.findall(r"^create trigger (\w+)", file.read_text("utf-8"), re.MULTILINE)
    }
    statement = """
        select tgname from pg_trigger
        join pg_class on pg_class.oid = tgrelid
        where relnamespace = 'taskdb'::regnamespace and not tgisinternal and tgenabled = 'O'
    """
    assert set(listed(conn, statement)) == declared
    assert len(declared) > 20


def test_no_claim_parses_a_rule_of_the_catalogue_again(conn: Connection) -> None:
    assert doctor.slow_catalogue(conn) == []


def test_functions_with_transition_tables_read_them_first(conn: Connection) -> None:
    """Citus loses them at the first other statement."""
    statement = """
        select proname, prosrc, coalesce(tgnewtable, tgoldtable) from pg_trigger
        join pg_proc on pg_proc.oid = tgfoid
        join pg_class on pg_class.oid = tgrelid
        where relnamespace = 'taskdb'::regnamespace
            and (tgnewtable is not null or tgoldtable is not null)
    """
    found = listed(conn, statement)
    for name, source, table in found:
        body = re.sub(r"--.*", "", source.partition("begin")[2])
        assert re.search(rf"\bfrom {table}\b", body.partition(";")[0]), f"{name} begins otherwise"
        reads = body[: body.rindex(f"from {table}")]
        others = set(re.findall(r"\b(?:from|join|update|into) (\w+) as\b", reads)) - {table}
        assert others == set(), f"{name} reads {table} after {others}"
    assert found
