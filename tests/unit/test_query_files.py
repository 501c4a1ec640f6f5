"""Files of named queries: what is read out of them, and what is refused where."""

from __future__ import annotations

import re

import pytest

from taskdb.errors import QueryDefinitionError
from taskdb.query._parser import parse
from taskdb.query._statements import SourceFile, Statement, Variant

LIST_TASKS = """\
-- Tasks: this is about the file.

-- name: list_tasks
-- Tasks, newest first.
--
-- Every filter is optional.
-- plan: tasks_by_creation
select id -- the 'key'
from tasks
where true
    and status = :status              -- if :status
    and (priority, id) > (:after, :id) -- if :after :id
order by created_at desc
limit :limit;
-- A remark between two queries.

-- name: count_tasks
select count(*) from tasks where status = :status or :status = 'any';
"""


def source(text: str) -> SourceFile:
    return SourceFile(text, "sql/tasks.sql")


def only(text: str) -> Statement:
    (statement,) = parse(source(text)).values()
    return statement


def refused(text: str) -> QueryDefinitionError:
    with pytest.raises(QueryDefinitionError) as caught:
        parse(source(text))
    return caught.value


def test_a_file_holds_queries_by_name() -> None:
    statements = parse(source(LIST_TASKS))

    assert list(statements) == ["list_tasks", "count_tasks"]
    assert statements["list_tasks"].where == "sql/tasks.sql:3:1"


def test_the_comment_below_the_name_documents_the_query() -> None:
    statement = parse(source(LIST_TASKS))["list_tasks"]

    assert statement.doc == "Tasks, newest first.\n\nEvery filter is optional."
    assert statement.plans == ("tasks_by_creation",)


def test_a_statement_knows_its_parameters_and_where_they_stand() -> None:
    statement = parse(source(LIST_TASKS))["list_tasks"]

    places = {
        name: [statement.source.place(offset) for offset in offsets]
        for name, offsets in statement.parameters.items()
    }
    assert places == {
        "status": [(11, 18)],
        "after": [(12, 27)],
        "id": [(12, 35)],
        "limit": [(14, 7)],
    }


def test_the_same_name_has_the_same_number() -> None:
    statement = parse(source(LIST_TASKS))["count_tasks"]

    variant = statement.variant(())
    assert variant.text == "select count(*) from tasks where status = $1 or $1 = 'any'"
    assert variant.parameters == ("status",)


def test_a_line_is_left_out_with_its_argument() -> None:
    statement = parse(source(LIST_TASKS))["list_tasks"]

    variant = statement.variant({"after", "id"})
    assert variant.text == (
        "select id -- the 'key'\n"
        "from tasks\n"
        "where true\n"
        "    and (priority, id) > ($1, $2) -- if :after :id\n"
        "order by created_at desc\n"
        "limit $3"
    )
    assert variant.parameters == ("after", "id", "limit")


def test_the_variants_are_all_choices_of_the_groups() -> None:
    statement = parse(source(LIST_TASKS))["list_tasks"]

    assert statement.groups == (frozenset({"status"}), frozenset({"after", "id"}))
    assert [sorted(variant.present) for variant in statement.variants()] == [
        [],
        ["after", "id"],
        ["status"],
        ["after", "id", "status"],
    ]


def test_groups_that_share_a_name_come_and_go_together() -> None:
    statement = only(
        "-- name: q\nselect 1\nwhere true\n"
        "and :a > 1 -- if :a\nand :b > 1 -- if :b\nand :a > :b -- if :a :b\n;"
    )

    assert statement.groups == (frozenset({"a", "b"}),)


def test_with_every_line_in_it_is_the_text_of_the_file() -> None:
    statement = parse(source(LIST_TASKS))["list_tasks"]

    variant = statement.variant(statement.conditional)
    start = LIST_TASKS.index("select id")
    named = re.sub(r"\$(\d)", lambda n: f":{variant.parameters[int(n[1]) - 1]}", variant.text)
    assert named == LIST_TASKS[start : LIST_TASKS.index(";", start)]


def test_the_lead_goes_before_the_statement() -> None:
    variant = only("-- name: q\nselect :a;").variant((), "/* app:q */")

    assert variant.text == "select /* app:q */ $1"


def test_a_line_may_hold_the_end_of_the_statement() -> None:
    statement = only("-- name: q\nselect 1\nlimit :limit; -- if :limit\n")

    assert statement.variant(()).text == "select 1"
    assert statement.variant({"limit"}).text == "select 1\nlimit $1"


def test_lines_may_end_as_on_windows() -> None:
    statement = only("-- name: q\r\nselect 1\r\n+ 1 -- if :a\r\n+ :b;\r\n")

    assert statement.variant(()).text == "select 1\r\n+ $1"
    assert statement.source.place(statement.parameters["b"][0]) == (4, 3)


def test_a_byte_order_mark_is_no_part_of_the_text() -> None:
    read = SourceFile.from_bytes("-- name: q\nselect 'é';".encode("utf-8-sig"), "a.sql")

    assert list(parse(read)) == ["q"]
    assert read.where(0) == "a.sql:1:1"


def test_a_name_inside_a_string_or_comment_opens_no_query() -> None:
    text = "-- name: q\nselect '\n-- name: r\n', $$\n-- name: s\n$$ /*\n-- name: t\n*/;"

    assert list(parse(source(text))) == ["q"]


def test_parentheses_hide_a_semicolon_as_in_psql() -> None:
    statement = only("-- name: q\ncreate rule r as on insert to t do (delete from a; select 1);")

    assert statement.variant(()).text.endswith("(delete from a; select 1)")


def test_a_comment_that_only_begins_with_if_on_its_own_line_is_prose() -> None:
    statement = only("-- name: q\n-- if the task is done, nothing\nselect 1\n-- if so\n;")

    assert statement.conditions == ()
    assert statement.doc == "if the task is done, nothing"


def test_a_condition_may_name_a_parameter_that_its_line_does_not_use() -> None:
    statement = only("-- name: q\nselect 1\nwhere true\nand archived_at is null -- if :live\n;")

    assert statement.variant({"live"}).parameters == ()
    assert statement.conditional == {"live"}


def test_copy_knows_its_columns() -> None:
    statement = only('-- name: q\ncopy app.tasks (id, "Odd ""Name""", KEY) from stdin;')

    assert statement.copy_columns == ("id", 'Odd "Name"', "key")


@pytest.mark.parametrize(
    "statement",
    [
        "copy t from stdin",
        "copy t (a) from stdin with (format csv)",
        "copy t (a) to stdout",
        "copy (select 1) to stdout",
        "copy t (a) from program 'x'",
        "copy t () from stdin",
    ],
)
def test_any_other_copy_is_refused(statement: str) -> None:
    error = refused(f"-- name: q\n{statement};")

    assert "copy t (a, b) from stdin" in error.message


REFUSED = [
    # what is wrong in the text, what the message says, where
    ("select 1;", "the statement has no name", "1:1"),
    ("-- name:\nselect 1;", "the name is missing", "1:9"),
    ("-- name: a-b\nselect 1;", "'a-b' cannot name a function", "1:10"),
    ("-- name: a b\nselect 1;", "'a b' cannot name a function", "1:10"),
    ("-- name: q\nselect 1; -- name: r\nselect 2;", "a name does not begin its line", "2:11"),
    ("-- name: q\nselect 1;\n-- name: q\nselect 2;", "the name q is taken by line 1", "3:1"),
    ("-- name: q\nselect 1\n  from t\n", "the statement of q has no end", "3:8"),
    ("-- name: q\nselect (1;\n", "q has a parenthesis that is not closed", "2:8"),
    ("-- name: q\n-- nothing\n", "q has no statement", "1:1"),
    ("-- name: q\n/* nothing */ ;\n", "q has no statement", "1:1"),
    ("-- name: q\nselect 1; select 2;", "q has a second statement", "2:11"),
    ("-- name: q\nselect 'a", "the string is not closed", "2:8"),
    ('-- name: q\nselect "a', "the quoted identifier is not closed", "2:8"),
    ("-- name: q\nselect $x$ $$;", "the dollar-quoted string is not closed", "2:8"),
    ("-- name: q\nselect /* 1;", "the comment is not closed", "2:8"),
    ("-- name: q\nselect 1a;", "letters are glued to the number", "2:8"),
    ("-- name: q\nselect $1;", "$1 is a parameter without a name", "2:8"),
    ("-- name: q\nselect \\gexec;", "PostgreSQL has no use for '\\\\'", "2:8"),
    ("-- name: q\nselect $ 1;", "PostgreSQL has no use for '$'", "2:8"),
    ("-- name: q\nselect {x};", "PostgreSQL has no use for '{'", "2:8"),
    ("-- name: q\nselect :'a';", ":'a' is psql's way to quote a variable", "2:8"),
    ('-- name: q\nselect :"a";', ':"a" is psql\'s way to quote a variable', "2:8"),
    ("-- name: q\nselect 1 limit:a;", ":a touches the word before it", "2:15"),
    ("-- name: q\nselect :a:b;", ":b touches the word before it", "2:10"),
    ("-- name: q\nselect 1:a;", ":a touches the word before it", "2:9"),
    ("-- name: q\nselect 'x':a;", ":a touches the word before it", "2:11"),
    ("-- name: q\nselect :a'x';", ":a touches the text after it", "2:10"),
    ("-- name: q\nselect a[lo:hi];", ":hi touches the word before it", "2:12"),
    ("-- name: q\nselect a[1 :hi];", ":hi may be a parameter or a slice's bound", "2:12"),
    ("-- name: q\nselect a[f(1):hi];", ":hi may be a parameter or a slice's bound", "2:14"),
    ("-- name: q\nselect a[b[1] :hi];", ":hi may be a parameter or a slice's bound", "2:15"),
    ("-- name: q\nselect a[:lo :hi];", ":hi may be a parameter or a slice's bound", "2:14"),
    ("-- name: q\nselect 1\n-- if :a\n;", "the block is not closed", "3:1"),
    ("-- name: q\nselect 1\n+ 1 -- if :a = b\n+ 2 -- if not :a\n;", "a keeps lines by its", "4:5"),
    ("-- name: q\nselect 1\n+ 1 -- if a\n;", "the condition is not of the form", "3:5"),
    ("-- name: q\nselect 1\n+ 1 -- if :a and :b\n;", "the condition is not of the form", "3:5"),
    ("-- name: q\nselect 1\n+ 1 -- if\n;", "the condition is not of the form", "3:5"),
    ("-- name: q\nselect '\n' -- if :a\n;", "leaving the line out would cut a string", "2:8"),
    ("-- name: q\nselect 'a'\n'b' -- if :a\n;", "leaving the line out would cut a string", "2:8"),
    ("-- name: q\nselect 1 /*\n*/ + 1 -- if :a\n;", "would cut a block comment", "2:10"),
    ("-- name: q\nselect 1 -- if :a\n;", "every line is conditional", "1:1"),
    ("-- name: q\nselect (1\n+ 1) -- if :a\n;", "would leave half a pair", "3:6"),
    ("-- name: q\nselect 1, a\n[1 -- if :a\n];", "would leave half a pair", "3:4"),
]


@pytest.mark.parametrize(("text", "message", "place"), REFUSED)
def test_what_is_wrong_in_a_file_is_named_with_its_place(
    text: str, message: str, place: str
) -> None:
    error = refused(text)

    assert message in error.message
    assert error.where == f"sql/tasks.sql:{place}"


def test_an_error_shows_the_line_a_caret_and_a_remedy() -> None:
    error = refused("-- name: q\nselect\n\tid, 'its\nfrom t;")

    assert str(error) == (
        "sql/tasks.sql:3:6: the string is not closed. Close it with a single quote.\n"
        "    \tid, 'its\n"
        "    \t    ^"
    )


def test_an_open_quote_that_swallows_the_next_query_is_pointed_out() -> None:
    error = refused("-- name: q\nselect 'a;\n\n-- name: r\nselect 'c';\n")

    assert error.where == "sql/tasks.sql:5:10"
    assert error.hint
    assert "the string that begins at 2:8 should end before the name at line 4" in error.hint


def test_an_open_quote_is_pointed_out_when_the_quotes_are_even() -> None:
    error = refused("-- name: q\nselect 'a;\n\n-- name: r\nselect b';\nselect 2;\n")

    assert error.hint
    assert "the string that begins at 2:8 should end before the name at line 4" in error.hint


def test_a_file_that_is_not_utf_8_is_refused_where_it_is_not() -> None:
    with pytest.raises(QueryDefinitionError) as caught:
        SourceFile.from_bytes(b"-- name: q\nselect 'caf\xe9';", "sql/tasks.sql")

    assert caught.value.where == "sql/tasks.sql:2:12"
    assert "not UTF-8" in caught.value.message


def at(variant: Variant, piece: str) -> str:
    """Return where in the file the first *piece* of the text sent stands."""
    return variant.statement.source.where(variant.offset(variant.text.index(piece)))


def test_every_place_of_the_text_sent_leads_back_to_the_file() -> None:
    statement = parse(source(LIST_TASKS))["list_tasks"]
    variant = statement.variant({"after", "id"}, "/* app:tasks.list_tasks */")

    assert at(variant, "select") == "sql/tasks.sql:8:1"
    assert at(variant, "'key'") == "sql/tasks.sql:8:18"
    assert at(variant, "priority") == "sql/tasks.sql:12:10"
    assert at(variant, "$2") == "sql/tasks.sql:12:35"
    assert at(variant, "2) -- if") == "sql/tasks.sql:12:35"
    assert at(variant, ") -- if") == "sql/tasks.sql:12:38"
    assert at(variant, "order by") == "sql/tasks.sql:13:1"
    assert at(variant, "app:").startswith("sql/tasks.sql:8:")
    assert statement.source.where(variant.offset(len(variant.text))) == "sql/tasks.sql:14:7"
