"""Values that a role could write by SQL, and no program read: each list that has one would fail."""

from __future__ import annotations

from collections.abc import Callable

import psycopg
import pytest

from taskdb.database import roles
from tests.database.privileges import Conn, execute


@pytest.fixture
def app(as_role: Callable[[roles.Kind], Conn]) -> Conn:
    return as_role("app")


def test_no_document_that_an_app_writes_is_one_that_no_program_can_read(app: Conn) -> None:
    """A claim of such a task would begin it, and fail: again for each agent after the lease."""
    found = {
        name
        for (name,) in execute(
            app,
            "select distinct attribute.atttypid::regtype::text from pg_attribute as attribute"
            " inner join pg_type as type on type.oid = attribute.atttypid"
            " where attribute.attrelid in (select oid from pg_class where relkind = 'r'"
            " and relnamespace = current_schema()::regnamespace) and attribute.attnum > 0"
            " and 'jsonb'::regtype in (type.oid, type.typbasetype)",
        )
    }
    # Objects of texts have one level, and no numbers.
    assert found == {"changes_json", "object_json", "option_list", "texts_json"}

    def document(kind: str, content: str) -> str:
        begin, end = ('[{"name": "x", "a": ', "}]") if kind == "option_list" else ('{"a": ', "}")
        return f"select ('{begin}' || {content} || '{end}')::jsonb::{kind}"

    def nested(levels: int) -> str:
        return f"repeat('[', {levels}) || repeat(']', {levels})"

    for kind in ("object_json", "option_list"):
        for content in (nested(1001), nested(5000), "'1e309'", "'-1.8e308'", "'[{\"x\": 1e999}]'"):
            with pytest.raises(psycopg.errors.CheckViolation, match="can_be_read"):
                execute(app, document(kind, content))
        for content in (
            nested(900),
            "'-1.7976931348623157e308'",
            "'1e-400'",
            "'\"' || repeat('9', 400) || '\"'",
        ):
            assert execute(app, document(kind, content))


def test_every_array_that_an_app_writes_is_one_list(app: Conn) -> None:
    """Lists of lists are no value of a field: whoever reads such a row fails."""
    found = execute(
        app,
        "select distinct attribute.atttypid::regtype::text, class.relname from pg_attribute"
        " as attribute inner join pg_class as class on class.oid = attribute.attrelid"
        " inner join pg_type as type on type.oid = attribute.atttypid"
        " where class.relkind = 'r' and class.relnamespace = current_schema()::regnamespace"
        " and attribute.attnum > 0 and attribute.attgenerated = ''"
        " and 0 <> (select typelem from pg_type as of where of.oid in (type.oid, type.typbasetype)"
        " order by typelem desc limit 1) and type.typcategory = 'A'",
    )

    assert {row for row in found if row[0] != "name_list"} == {("text[]", "implementation_tasks")}
    assert execute(app, "select names_files('{{a,b},{c,d}}'), names_files('[0:1]={a,b}')") == [
        (False, True)
    ]
    with pytest.raises(psycopg.errors.CheckViolation):
        execute(app, "select '{{a,b},{c,d}}'::name_list")
