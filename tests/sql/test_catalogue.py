"""The rules of the schema, read from PostgreSQL's catalogue: each test lists what breaks one.

Tables whose names begin with an underscore are the migration runner's, not the schema's.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import psycopg
import pytest

from taskdb.queries import admin, query
from taskdb.queries.admin import doctor

Connection = psycopg.Connection[Any]

SQL = Path(__file__).parents[2] / "sql"
SCHEMAS = "('shared', 'taskdb')"

# Relations, functions and types of the two schemas, without those of extensions.
OURS = f"""
    namespace.nspname in {SCHEMAS}
    and not exists (
        select from pg_depend as part
        where part.objid = object.oid and part.deptype = 'e'
    )
"""


def listed(conn: Connection, statement: str) -> list[Any]:
    """The first column of each row, or the whole row if there are more."""
    rows = conn.execute(statement.encode()).fetchall()
    return [row[0] if len(row) == 1 else row for row in rows]


# Comments


def test_every_relation_has_a_comment(conn: Connection) -> None:
    statement = f"""
        select object.oid::regclass::text
        from pg_class as object
        join pg_namespace as namespace on namespace.oid = object.relnamespace
        where object.relkind in ('r', 'p', 'v', 'm', 'f', 'S')
            and obj_description(object.oid, 'pg_class') is null
            and object.relname not like '\\_yoyo%' and object.relname <> 'yoyo_lock' and {OURS}
    """
    assert listed(conn, statement) == []


def test_every_function_has_a_comment(conn: Connection) -> None:
    statement = f"""
        select object.oid::regprocedure::text
        from pg_proc as object
        join pg_namespace as namespace on namespace.oid = object.pronamespace
        where obj_description(object.oid, 'pg_proc') is null and {OURS}
    """
    assert listed(conn, statement) == []


def test_every_type_and_domain_has_a_comment(conn: Connection) -> None:
    statement = f"""
        select object.oid::regtype::text
        from pg_type as object
        join pg_namespace as namespace on namespace.oid = object.typnamespace
        where object.typtype in ('e', 'd', 'r')
            and obj_description(object.oid, 'pg_type') is null and {OURS}
    """
    assert listed(conn, statement) == []


def test_columns_that_triggers_keep_say_so(conn: Connection) -> None:
    statement = """
        select attname from pg_attribute
        where attrelid = 'tasks'::regclass and attname in (
            'open_dependencies', 'unhealthy_dependencies', 'workflow_is_healthy', 'claim_token',
            'graph_rank', 'status_seq', 'has_files', 'has_dependents', 'reserved_for', 'for_type',
            'place', 'is_due', 'is_ready', 'failed_attempts',
            'status_agent', 'status_note', 'status_forced', 'status_outcome',
            'status_ending', 'status_source', 'status_at'
        ) and col_description(attrelid, attnum) is not null
    """
    assert len(listed(conn, statement)) == 21


# Functions


def test_every_function_pins_its_path_or_has_its_names_resolved(conn: Connection) -> None:
    statement = f"""
        select object.oid::regprocedure::text
        from pg_proc as object
        join pg_namespace as namespace on namespace.oid = object.pronamespace
        where object.prosqlbody is null
            and not exists (
                select from unnest(object.proconfig) as setting
                where setting like 'search\\_path=%'
            )
            and {OURS}
    """
    assert listed(conn, statement) == []


def test_functions_of_a_workspace_look_into_it_first_and_last_into_pg_temp(
    conn: Connection,
) -> None:
    statement = """
        select distinct setting
        from pg_proc, unnest(proconfig) as setting
        where pronamespace = 'taskdb'::regnamespace and setting like 'search\\_path=%'
    """
    assert [path.replace('"', "") for path in listed(conn, statement)] == [
        "search_path=taskdb, shared, pg_temp"
    ]


def test_a_function_that_guides_the_planner_is_planned_once_a_session(conn: Connection) -> None:
    """Without the setting, a statement with an array as parameter is planned at each call."""
    statement = f"""
        select object.oid::regprocedure::text
        from pg_proc as object
        join pg_namespace as namespace on namespace.oid = object.pronamespace
        where exists (select from unnest(object.proconfig) as setting where setting like 'enable%')
            and 'plan_cache_mode=force_generic_plan' <> all (object.proconfig)
            and {OURS}
    """
    assert listed(conn, statement) == []


def test_only_triggers_and_five_entries_run_with_the_rights_of_their_owner(
    conn: Connection,
) -> None:
    """Callers of these do what their owner may: docs/security.md has each."""
    statement = f"""
        select object.proname
        from pg_proc as object
        join pg_namespace as namespace on namespace.oid = object.pronamespace
        where object.prosecdef and object.prorettype <> 'trigger'::regtype and {OURS}
        order by 1
    """
    assert listed(conn, statement) == [
        "any_pauses",
        "claim_tasks",
        "complete_and_claim",
        "import_history",
        "set_concurrency_limit",
    ]


def test_trigger_functions_that_write_do_so_as_the_owner(conn: Connection) -> None:
    """Else every role that sets off the trigger needs the right to write there by hand."""
    statement = f"""
        select object.proname
        from pg_proc as object
        join pg_namespace as namespace on namespace.oid = object.pronamespace
        where object.prorettype = 'trigger'::regtype and not object.prosecdef
            and object.prosrc ~ '\\m(insert into|update \\w+ as|delete from|lock table|perform)\\M'
            and {OURS}
    """
    assert listed(conn, statement) == []


@pytest.mark.parametrize("word", ["notify", "pg_notify", "tg_table_name", "merge"])
def test_no_function_uses_what_citus_cannot(conn: Connection, word: str) -> None:
    statement = f"""
        select object.oid::regprocedure::text
        from pg_proc as object
        join pg_namespace as namespace on namespace.oid = object.pronamespace
        where coalesce(object.prosrc, '') ~* '\\m{word}\\M' and {OURS}
    """
    assert listed(conn, statement) == []


# Tables


def test_every_table_has_a_primary_key(conn: Connection) -> None:
    statement = f"""
        select object.oid::regclass::text
        from pg_class as object
        join pg_namespace as namespace on namespace.oid = object.relnamespace
        where object.relkind in ('r', 'p') and {OURS}
            and not exists (
                select from pg_constraint
                where conrelid = object.oid and contype = 'p'
            )
    """
    assert listed(conn, statement) == []


def test_every_foreign_key_is_indexed(conn: Connection) -> None:
    """An index of the rows that refer to something will do, and booleans need not be in it."""
    statement = f"""
        select object.conrelid::regclass || '.' || object.conname
        from pg_constraint as object
        join pg_namespace as namespace on namespace.oid = object.connamespace
        where object.contype = 'f' and {OURS}
            and not exists (
                select from pg_index as index
                where index.indrelid = object.conrelid
                    and (
                        index.indpred is null
                        or pg_get_expr(index.indpred, index.indrelid) ~ '^\\(\\w+ IS NOT NULL\\)$'
                    )
                    and (index.indkey::int2[])[0:cardinality(object.conkey) - 1] @> array(
                        select attnum from pg_attribute
                        where attrelid = object.conrelid and attnum = any(object.conkey)
                            and atttypid <> 'boolean'::regtype
                    )
            )
    """
    assert listed(conn, statement) == []


def test_entities_have_uuids_and_moments_of_creation_and_change(conn: Connection) -> None:
    statement = """
        select relname, (
            select string_agg(
                attname || ' ' || format_type(atttypid, atttypmod)
                || case when attnotnull then ' not null' else '' end
                || coalesce(' default ' || pg_get_expr(adbin, adrelid), ''),
                ', ' order by attname
            )
            from pg_attribute
            left join pg_attrdef on adrelid = attrelid and adnum = attnum
            where attrelid = pg_class.oid and attname in ('id', 'created_at', 'updated_at')
        )
        from pg_class
        where relnamespace = 'taskdb'::regnamespace and relkind = 'r' and relname not like '\\_%'
            and exists (
                select from pg_attribute where attrelid = pg_class.oid and attname = 'updated_at'
            )
    """
    found = dict(listed(conn, statement))
    moments = (
        "created_at timestamp with time zone not null default now(), id uuid not null default "
        "uuidv7(), updated_at timestamp with time zone not null default now()"
    )

    # The second row of a task has the id of the first.
    assert found.pop("task_details") == moments.replace("id uuid not null default uuidv7(), ", "")
    assert set(found) >= {"epics", "features", "tasks", "subtasks", "task_files"}
    assert {table: columns for table, columns in found.items() if columns != moments} == {}


def test_moments_have_a_time_zone_and_names_that_end_so(conn: Connection) -> None:
    statement = f"""
        select object.attrelid::regclass || '.' || object.attname
        from pg_attribute as object
        join pg_class as class on class.oid = object.attrelid and class.relkind in ('r', 'v')
        join pg_namespace as namespace on namespace.oid = class.relnamespace
        where namespace.nspname in {SCHEMAS} and class.relname not like '\\_%'
            and class.relname <> 'yoyo_lock'
            and object.attnum > 0 and not object.attisdropped
            and (object.atttypid = 'timestamptz'::regtype) <> (object.attname like '%\\_at')
            or object.atttypid = 'timestamp'::regtype and namespace.nspname in {SCHEMAS}
                and class.relname not like '\\_%' and class.relname <> 'yoyo_lock'
    """
    assert listed(conn, statement) == []


def test_json_is_binary_and_checked_to_be_of_its_kind(conn: Connection) -> None:
    statement = f"""
        select object.attrelid::regclass || '.' || object.attname
        from pg_attribute as object
        join pg_class as class on class.oid = object.attrelid and class.relkind = 'r'
        join pg_namespace as namespace on namespace.oid = class.relnamespace
        join pg_type as type on type.oid = object.atttypid
        where namespace.nspname in {SCHEMAS}
            and (
                object.atttypid = 'json'::regtype
                or object.atttypid = 'jsonb'::regtype and not exists (
                    select from pg_constraint
                    where conrelid = object.attrelid and contype = 'c'
                        and object.attnum = any(conkey)
                        and pg_get_constraintdef(oid) like '%jsonb_typeof%'
                )
                or type.typbasetype = 'jsonb'::regtype and not exists (
                    select from pg_constraint
                    where contypid = type.oid
                        and pg_get_constraintdef(oid) like '%jsonb_typeof%'
                )
            )
    """
    assert listed(conn, statement) == []


def test_nothing_is_there_that_citus_cannot_have(conn: Connection) -> None:
    identity = """
        select attrelid::regclass || '.' || attname from pg_attribute
        join pg_class on pg_class.oid = attrelid
        where attidentity <> '' and relname not like '\\_%'
            and relnamespace in ('taskdb'::regnamespace, 'shared'::regnamespace)
    """
    deferrable = f"""
        select object.conname from pg_constraint as object
        join pg_namespace as namespace on namespace.oid = object.connamespace
        where object.condeferrable and {OURS}
    """
    rules = """
        select rulename from pg_rewrite
        join pg_class on pg_class.oid = ev_class
        where rulename <> '_RETURN'
            and relnamespace in ('taskdb'::regnamespace, 'shared'::regnamespace)
    """
    assert listed(conn, identity) == []
    assert listed(conn, deferrable) == []
    assert listed(conn, rules) == []


def test_enumerated_types_and_domains_live_in_the_shared_schema(conn: Connection) -> None:
    statement = """
        select typname from pg_type
        where typnamespace = 'taskdb'::regnamespace and typtype in ('e', 'd', 'r')
    """
    assert listed(conn, statement) == []


# Names


def test_names_of_constraints_are_short_and_end_in_no_number(conn: Connection) -> None:
    """Citus appends a number to them, and errors are recognised with and without it."""
    statement = f"""
        select object.conname from pg_constraint as object
        join pg_namespace as namespace on namespace.oid = object.connamespace
        where (octet_length(object.conname) > 56 or object.conname ~ '_[0-9]+$') and {OURS}
        union all
        select object.relname from pg_class as object
        join pg_namespace as namespace on namespace.oid = object.relnamespace
        where object.relkind = 'i'
            and (octet_length(object.relname) > 56 or object.relname ~ '_[0-9]+$') and {OURS}
    """
    assert listed(conn, statement) == []


def test_names_of_constraints_and_indexes_begin_with_their_table(conn: Connection) -> None:
    statement = f"""
        select object.conname from pg_constraint as object
        join pg_namespace as namespace on namespace.oid = object.connamespace
        where object.conrelid <> 0 and {OURS}
            and not starts_with(
                object.conname, (select relname from pg_class where oid = object.conrelid) || '_'
            )
        union all
        select object.relname from pg_index as index
        join pg_class as object on object.oid = index.indexrelid
        join pg_namespace as namespace on namespace.oid = object.relnamespace
        where {OURS}
            and not starts_with(
                object.relname, (select relname from pg_class where oid = index.indrelid) || '_'
            )
    """
    assert listed(conn, statement) == []


# Triggers


# Triggers of their own move updated_at of a task's two rows, and leave it alone where only the
# columns listed here change: a heartbeat, what follows from other tasks or other columns, and the
# copies in task_details.
MOVED_BY_THEIR_OWN = {
    "tasks": (
        "apply_task_change",
        "effective_priority for_type graph_rank has_dependents "
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


def test_no_trigger_of_a_task_s_narrow_row_has_a_condition(conn: Connection) -> None:
    """A WHEN clause is parsed again by every statement that claims or completes."""
    statement = """
        select tgname from pg_trigger where tgrelid = 'tasks'::regclass and tgqual is not null
    """
    assert listed(conn, statement) == []


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


def test_only_what_is_numbered_10_or_60_refuses_by_name(conn: Connection) -> None:
    statement = f"""
        select trigger.tgname
        from pg_trigger as trigger
        join pg_class as class on class.oid = trigger.tgrelid
        join pg_namespace as namespace on namespace.oid = class.relnamespace
        where namespace.nspname in {SCHEMAS} and not trigger.tgisinternal
            and trigger.tgname ~ '_refuse_' <> (trigger.tgname ~ '_[16]0_')
            and trigger.tgname <> 'claim_pauses_10_lock'
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


def test_shared_has_no_table_but_the_migration_log(conn: Connection) -> None:
    """Rows are a team's: what is in `shared` every team's roles can see."""
    statement = """
        select relname from pg_class
        where relnamespace = 'shared'::regnamespace and relkind in ('r', 'p', 'v', 'm', 'f', 'S')
            and relname not like '\\_yoyo\\_%' and relname not like '\\_taskdb\\_%'
    """
    assert [name for name in listed(conn, statement) if name != "yoyo_lock"] == []


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


# Files


@pytest.mark.parametrize(
    ("order", "folders"),
    [
        ("shared.sql", ["shared"]),
        ("workspace.sql", ["functions", "tables", "triggers", "views"]),
    ],
)
def test_every_file_of_the_schema_has_its_place_in_the_order(
    order: str, folders: list[str]
) -> None:
    listed_files = re.findall(r"^\\ir (\S+)$", (SQL / order).read_text("utf-8"), re.MULTILINE)
    files = {f"{folder}/{file.name}" for folder in folders for file in (SQL / folder).iterdir()}

    assert sorted(listed_files) == sorted(files)


def test_every_index_says_in_its_file_whom_it_serves() -> None:
    silent = []
    for file in SQL.glob("tables/*.sql"):
        statements = re.split(r";\n", file.read_text("utf-8"))
        for before, statement in zip(["", *statements], statements, strict=False):
            made = re.search(r"^create (unique )?index (\w+)", statement, re.MULTILINE)
            explained = "-- Serve" in statement or "-- Keeps" in statement
            follows = bool(re.search(r"^create (unique )?index", before, re.MULTILINE))
            if made and not (explained or follows):
                silent.append(made[2])
    assert silent == []


def test_named_queries_list_their_columns_or_name_whose_row_it_is() -> None:
    star = re.compile(r"(\bselect\s+|\breturning\s+|,\s*)\*", re.IGNORECASE)
    lazy = [
        file.name
        for file in (SQL / "queries").rglob("*.sql")
        if star.search(re.sub(r"--.*", "", file.read_text("utf-8")))
    ]
    assert lazy == []


def test_the_indexes_that_queries_plan_with_exist(conn: Connection) -> None:
    indexes = set(listed(conn, f"select indexname from pg_indexes where schemaname in {SCHEMAS}"))
    planned = {
        name
        for file in (SQL / "queries").rglob("*.sql")
        for line in re.findall(r"^-- plan: (.+)$", file.read_text("utf-8"), re.MULTILINE)
        if not line.startswith(("whole tables", "long sorts"))
        for name in re.findall(r"\w+", line)
    }
    assert planned
    assert planned - indexes == set()


def test_the_readers_that_indexes_name_exist() -> None:
    named = {
        (area, name)
        for file in (*SQL.glob("tables/*.sql"), *SQL.glob("shared/*.sql"))
        for area, names in re.findall(
            r"-- Serves? (?:the same|queries/(?:admin/)?(\w+)\.sql: ([\w, ]+))",
            file.read_text("utf-8"),
        )
        if area
        for name in re.findall(r"[a-z]+_\w+", names)
    }
    known = {tuple(one.name.split(".")) for each in (query, admin.query) for one in each}
    assert named
    assert named - known == set()
