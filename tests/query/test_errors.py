"""PostgreSQL's errors, and taskdb's errors for them."""

from __future__ import annotations

import pickle
import re
from typing import Any

import psycopg
import pytest
from psycopg import errors as pg

import taskdb.errors
from taskdb.errors import (
    CircularDependencyError,
    ClaimLostError,
    DatabaseError,
    IntegrityError,
    NotFoundError,
    QueryDefinitionError,
    QueryMismatchError,
    TaskdbError,
    ValidationError,
    translate,
)
from taskdb.query.errors import Mismatch

Conn = psycopg.Connection[Any]


def refused(
    conn: Conn, statement: str, arguments: list[Any] | None = None, *names: str
) -> Exception:
    """Return taskdb's error for the one that *statement* ends in."""
    with pytest.raises(psycopg.Error) as caught, conn.transaction():
        conn.execute(statement.encode(), arguments)
    return translate(caught.value, parameters=names)


@pytest.fixture
def plain(conn: Conn) -> Conn:
    """A schema whose author gave most constraints no name."""
    conn.execute(
        """
        create table parent (
            id integer primary key,
            key text unique,
            code varchar(5),
            amount integer not null constraint parent_amount_is_positive check (amount > 0),
            small smallint check (small < 100),
            span int4range,
            exclude using gist (span with &&),
            constraint parent_small_unless_big check (small is null or amount > small)
        );
        create unique index parent_twice on parent (lower(key), (amount + 1));
        create table child (
            id integer primary key,
            parent_id integer references parent,
            other_id integer references parent on delete restrict
        );
        insert into parent (id, key, amount, span) values (1, 'A', 1, '[1,5)'), (2, 'B', 1, null);
        insert into child values (1, 1, null), (2, null, 2);
        """
    )
    return conn


# The message of a user's function, and the class of the error that it becomes.
IN_OWN_WORDS: list[tuple[str, type[TaskdbError]]] = [
    ("check_violation", ValidationError),
    ("not_null_violation", ValidationError),
    ("unique_violation", IntegrityError),
    ("foreign_key_violation", IntegrityError),
    ("restrict_violation", IntegrityError),
    ("exclusion_violation", IntegrityError),
    ("string_data_right_truncation", ValidationError),
    ("numeric_value_out_of_range", ValidationError),
    ("datetime_field_overflow", ValidationError),
    ("invalid_datetime_format", ValidationError),
    ("invalid_text_representation", ValidationError),
    ("character_not_in_repertoire", ValidationError),
    ("untranslatable_character", ValidationError),
    ("invalid_row_count_in_limit_clause", ValidationError),
    ("invalid_row_count_in_result_offset_clause", ValidationError),
]


@pytest.mark.parametrize(("code", "kind"), IN_OWN_WORDS)
def test_message_of_ones_own_function_is_kept(
    conn: Conn, code: str, kind: type[TaskdbError]
) -> None:
    error = refused(
        conn,
        f"do $$ begin raise exception 'only % left', 3 using errcode = '{code}', "
        "hint = 'Order fewer'; end $$",
    )

    assert type(error) is kind
    assert str(error) == "only 3 left. Order fewer"
    assert str(pickle.loads(pickle.dumps(error))) == str(error)


def test_message_of_ones_own_function_is_kept_beside_its_column(conn: Conn) -> None:
    error = refused(
        conn,
        "do $$ begin raise exception 'only 3 left' using errcode = 'check_violation', "
        "column = 'amount'; end $$",
    )

    assert isinstance(error, ValidationError)
    assert (str(error), error.field, error.rule) == ("only 3 left", "amount", "only 3 left")


@pytest.mark.parametrize("code", ["check_violation", "unique_violation", "foreign_key_violation"])
def test_message_of_ones_own_function_is_kept_beside_its_constraint(conn: Conn, code: str) -> None:
    error = refused(
        conn,
        f"do $$ begin raise exception 'only 3 left' using errcode = '{code}', "
        "table = 'orders', constraint = 'stock_is_enough'; end $$",
    )

    assert isinstance(error, TaskdbError)
    assert (str(error), error.constraint) == ("only 3 left", "stock_is_enough")


def test_a_condition_without_a_message_is_read_by_its_constraint(conn: Conn) -> None:
    error = refused(
        conn, "do $$ begin raise check_violation using constraint = 'stock_is_enough'; end $$"
    )

    assert str(error) == "stock must be enough"


@pytest.mark.parametrize("code", ["54000", "42601", "22012"])
def test_another_code_of_ones_own_function_passes_as_it_is(conn: Conn, code: str) -> None:
    error = refused(
        conn, f"do $$ begin raise exception 'it exceeds ten' using errcode = '{code}'; end $$"
    )

    assert isinstance(error, psycopg.Error)
    assert str(error).startswith("it exceeds ten")


def test_row_without_a_partition_is_refused_in_the_servers_words(conn: Conn) -> None:
    conn.execute("create table parted (id integer) partition by list (id)")

    error = refused(conn, "insert into parted values (1)")

    assert isinstance(error, ValidationError)
    assert str(error) == 'no partition of relation "parted" found for row'


def test_tree_is_the_one_that_the_docstring_draws() -> None:
    drawn = re.findall(r"^(?:│   |    )*[├└]── (\w+)", taskdb.errors.__doc__ or "", re.MULTILINE)

    assert {"TaskdbError", "translate", *drawn} == set(taskdb.errors.__all__)
    for name in drawn:
        kind = getattr(taskdb.errors, name)
        below_database = f"│   ├── {name}" in (taskdb.errors.__doc__ or "") or (
            f"│   └── {name}" in (taskdb.errors.__doc__ or "")
        )
        assert issubclass(kind, DatabaseError) == (below_database or name == "DatabaseError")
    assert issubclass(ValidationError, ValueError)


def test_text_of_an_error_is_one_sentence_with_its_place_and_its_hint() -> None:
    error = NotFoundError("no task has this key", where="sql/queries/tasks.sql:7:15", hint="Look.")

    assert str(error) == "no task has this key (at sql/queries/tasks.sql:7:15). Look."


def test_text_of_a_definition_error_begins_with_its_place_as_a_compiler_s_does() -> None:
    error = QueryDefinitionError("no such parameter", where="tasks.sql:7:15", hint="Add it.")

    assert str(error) == "tasks.sql:7:15: no such parameter. Add it."


@pytest.mark.parametrize(
    "error",
    [
        ValidationError("priority", "must be 1 to 10", where="a.sql:1:1", constraint="c"),
        CircularDependencyError("a cycle", path=["A", "B", "A"], sqlstate="TD002"),
        IntegrityError("a duplicate", field="key", rule="must be unique"),
        ClaimLostError("gone", hint="Claim again."),
        QueryMismatchError([Mismatch("a.b", "a.sql:1:1", "a.py:1", "is gone")], hint="Migrate"),
    ],
)
def test_errors_go_from_one_process_to_another_whole(error: TaskdbError) -> None:
    copy = pickle.loads(pickle.dumps(error))

    assert (type(copy), str(copy), vars(copy)) == (type(error), str(error), vars(error))


# Constraints


@pytest.mark.parametrize(
    ("statement", "kind", "message", "field", "constraint"),
    [
        (
            "insert into parent (id, amount) values (1, 1)",
            IntegrityError,
            "id must be unique in parent",
            "id",
            "parent_pkey",
        ),
        (
            "insert into parent (id, key, amount) values (3, 'A', 1)",
            IntegrityError,
            "key must be unique in parent",
            "key",
            "parent_key_key",
        ),
        (
            "insert into parent (id, key, amount) values (3, 'a', 1)",
            IntegrityError,
            "lower(key), (amount + 1) must be unique in parent",
            "lower(key), (amount + 1)",
            "parent_twice",
        ),
        (
            "insert into parent (id, amount, span) values (3, 1, '[4,9)')",
            IntegrityError,
            "span must not conflict with another row of parent",
            "span",
            "parent_span_excl",
        ),
        (
            "insert into child values (3, 99)",
            IntegrityError,
            "parent_id must name a row of parent that exists",
            "parent_id",
            "child_parent_id_fkey",
        ),
        (
            "delete from parent where id = 1",
            IntegrityError,
            "the row is still in use: child.parent_id names it",
            "parent_id",
            "child_parent_id_fkey",
        ),
        (
            "delete from parent where id = 2",
            IntegrityError,
            "the row is still in use: child.other_id names it",
            "other_id",
            "child_other_id_fkey",
        ),
        (
            "insert into parent (id, amount) values (3, 0)",
            ValidationError,
            "amount must be positive",
            "amount",
            "parent_amount_is_positive",
        ),
        (
            "insert into parent (id, amount, small) values (3, 300, 200)",
            ValidationError,
            'small breaks the rule "small check"',
            "small",
            "parent_small_check",
        ),
        (
            "insert into parent (id, amount, small) values (3, 5, 7)",
            ValidationError,
            'parent breaks the rule "small unless big"',
            "parent",
            "parent_small_unless_big",
        ),
        (
            "insert into parent (id) values (3)",
            ValidationError,
            "amount must not be null",
            "amount",
            None,
        ),
    ],
)
def test_refusal_of_a_constraint_names_field_and_rule(  # noqa: PLR0917
    plain: Conn,
    statement: str,
    kind: type[IntegrityError | ValidationError],
    message: str,
    field: str,
    constraint: str | None,
) -> None:
    error = refused(plain, statement)

    assert isinstance(error, kind)
    assert (error.message, error.field, error.constraint) == (message, field, constraint)
    assert error.rule is not None
    assert message.endswith(error.rule) or "in use" in message
    assert error.sqlstate is not None
    assert error.sqlstate[:2] == "23"


def test_values_stay_out_of_the_message_and_with_the_cause(plain: Conn) -> None:
    statement = "insert into parent (id, key, amount) values (1, 's3cret', 1)"
    error = refused(plain, statement)

    assert "s3cret" not in f"{error!s}{error!r}{vars(error)}"


def test_foreign_key_is_understood_in_any_language() -> None:
    class German(pg.ForeignKeyViolation):
        diag = diagnosis(
            message_primary="Einfügen oder Aktualisieren in Tabelle »child« verletzt"
            " Fremdschlüssel-Constraint »child_parent_id_fkey«",
            message_detail="Schlüssel (parent_id)=(99) ist nicht in Tabelle »parent« vorhanden.",
            constraint_name="child_parent_id_fkey",
            table_name="child",
        )

    error = translate(German())

    assert str(error) == "parent_id must name a row of parent that exists"


def test_row_in_use_is_understood_in_any_language() -> None:
    class German(pg.ForeignKeyViolation):
        diag = diagnosis(
            message_primary="Aktualisieren oder Löschen in Tabelle »parent« verletzt"
            " Fremdschlüssel-Constraint »child_parent_id_fkey« von Tabelle »child«",
            message_detail="Auf Schlüssel (id)=(1) wird noch aus Tabelle »child« verwiesen.",
            constraint_name="child_parent_id_fkey",
            table_name="child",
        )

    assert str(translate(German())) == "the row is still in use: child.parent_id names it"


def diagnosis(**parts: str) -> Any:
    """An error's parts, None where not given."""

    class Diagnosis:
        def __getattr__(self, name: str) -> str | None:
            return parts.get(name)

    return Diagnosis()


def test_shard_of_a_distributed_table_is_recognised_by_its_message_alone() -> None:
    """Citus's workers name their shards, and leave the other parts of an error out."""

    class FromWorker(pg.UniqueViolation):
        diag = diagnosis(
            message_primary="duplicate key value violates unique constraint"
            ' "task_files_path_once_per_task_102008"'
        )

    error = translate(FromWorker())

    assert isinstance(error, IntegrityError)
    assert (error.field, error.rule) == ("path", "must be unique among its task's files")
    assert error.constraint == "task_files_path_once_per_task_102008"


def test_check_of_a_shard_is_read_without_its_number() -> None:
    class FromWorker(pg.CheckViolation):
        diag = diagnosis(
            message_primary='new row for relation "features_102040" violates check constraint'
            ' "features_progress_pct_is_0_to_100_per_cent_102040"'
        )

    assert str(translate(FromWorker())) == "progress_pct must be 0 to 100 per cent"


# Values


@pytest.mark.parametrize(
    ("statement", "argument", "message"),
    [
        ("select $1::uuid", "s3cret", "given must be a valid uuid"),
        ("select $1::integer", "s3cret", "given must be a valid integer"),
        ("select $1::timestamptz", "s3cret", "given must be a valid timestamp with time zone"),
        ("select $1::shared.task_status", "s3cret", "given must be a valid task_status"),
        ("select $1::int4range", "s3cret", "given must be valid for its type"),
        ("select $1::smallint", "70000", "given must lie in the range of smallint"),
        ("select $1::date", "2026-13-01", "given must lie in its type's range"),
        ("select $1::shared.priority", "11", "given must be 1 to 10 inclusive"),
    ],
)
def test_value_that_the_server_cannot_read_is_named_by_its_parameter(
    conn: Conn, statement: str, argument: str, message: str
) -> None:
    error = refused(conn, statement, [argument], "given")

    assert isinstance(error, ValidationError)
    assert str(error) == message


@pytest.mark.parametrize(
    ("statement", "arguments", "message"),
    [
        ("insert into parent (id, amount, code) values (4, 1, 's3cret')", [], "at most 5 char"),
        ("select $1::integer::smallint", [70000], "must lie in the range of smallint"),
        ("select '99999999999'::text::integer", [], "must lie in the range of integer"),
        ("select 10::numeric(1, 0)", [], "must lie in its type's range"),
        ("select 1 limit $1", [-1], "limit must not be negative"),
        ("select 1 offset $1", [-1], "offset must not be negative"),
        ("select $1::jsonb", ['"\\u0000"'], "without NUL characters"),
        ("select $1", ["a\0b"], "without NUL characters"),
        ("select convert_from($1, 'UTF8')", [b"\xff"], "that the database's encoding has"),
        (
            "select to_tsvector(repeat($1, 1))",
            ["x" * 2000 + " " + " ".join(map(str, range(300000)))],
            "small enough to be indexed",
        ),
    ],
)
def test_value_that_does_not_fit_is_a_validation_error(
    plain: Conn, statement: str, arguments: list[Any], message: str
) -> None:
    error = refused(plain, statement, arguments or None)

    assert isinstance(error, ValidationError)
    assert message in str(error)
    assert "s3cret" not in str(error)


def test_value_in_a_copy_is_named_by_column_and_line(plain: Conn) -> None:
    with (
        pytest.raises(psycopg.Error) as caught,
        plain.transaction(),
        plain.cursor().copy("copy parent (id, amount) from stdin") as copy,
    ):
        copy.write("8\t1\n9\ts3cret\n")

    assert str(translate(caught.value)) == "amount (line 2) must be a valid integer"


@pytest.mark.parametrize(
    "statement",
    [
        "select 1 / 0",
        "select nothing",
        "select chr(0)",
        "select 'x' ~ '('",
        "select '[5,1)'::int4range",
        "set session characteristics as transaction isolation level nonsense",
    ],
)
def test_what_taskdb_does_not_understand_passes_through(conn: Conn, statement: str) -> None:
    with pytest.raises(psycopg.Error) as caught, conn.transaction():
        conn.execute(statement.encode())

    assert translate(caught.value) is caught.value


@pytest.mark.parametrize(
    "error",
    [
        pg.SerializationFailure("could not serialize access"),
        pg.DeadlockDetected("deadlock detected"),
        pg.AdminShutdown("terminating connection"),
        psycopg.OperationalError("the connection is closed"),
        psycopg.DataError("date too large"),
    ],
)
def test_failures_that_are_nobody_s_mistake_pass_through(error: psycopg.Error) -> None:
    assert translate(error) is error


def test_place_of_the_statement_is_kept(conn: Conn) -> None:
    with pytest.raises(psycopg.Error) as caught, conn.transaction():
        conn.execute("select $1::uuid", ["no"])

    error = translate(caught.value, where="sql/queries/tasks.sql:7:15")

    assert str(error) == "a value must be a valid uuid (at sql/queries/tasks.sql:7:15)"
