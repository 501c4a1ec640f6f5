"""The rules of the schema, read from PostgreSQL's catalogue: each test lists what breaks one.

Tables whose names begin with an underscore are the migration runner's, not the schema's.
"""

from __future__ import annotations

import pytest

from tests.sql.catalogue import OURS, SCHEMAS, Connection, listed

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
            'graph_rank', 'status_seq', 'has_files', 'has_dependents', 'is_passed_on',
            'reserved_for', 'for_type',
            'place', 'is_due', 'is_ready', 'failed_attempts',
            'status_agent', 'status_note', 'status_forced', 'status_outcome',
            'status_ending', 'status_source', 'status_at'
        ) and col_description(attrelid, attnum) is not null
    """
    assert len(listed(conn, statement)) == 22


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
    # It writes names with their schema, operators too, and calls one function of the workspace,
    # which it looks up in the schema of its table: tests/sql/test_task_changes.py.
    assert listed(conn, statement) == ["number_imported_history()"]


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
    # The domain stands where a role may write the column.
    found = {
        table: columns.replace("_at moment ", "_at timestamp with time zone ")
        for table, columns in listed(conn, statement)
    }
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
            and (object.atttypid in ('timestamptz'::regtype, 'shared.moment'::regtype))
                <> (object.attname like '%\\_at')
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


def test_shared_has_no_table_but_the_migration_log(conn: Connection) -> None:
    """Rows are a team's: what is in `shared` every team's roles can see."""
    statement = """
        select relname from pg_class
        where relnamespace = 'shared'::regnamespace and relkind in ('r', 'p', 'v', 'm', 'f', 'S')
            and relname not like '\\_yoyo\\_%' and relname not like '\\_taskdb\\_%'
    """
    assert [name for name in listed(conn, statement) if name != "yoyo_lock"] == []
