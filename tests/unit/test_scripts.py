"""Files of several statements: where each ends, and what is told of one that fails."""

from __future__ import annotations

from pathlib import Path

import pglast
import psycopg
import pytest

from taskdb.errors import ScriptError
from taskdb.migrations.cutting import split
from taskdb.migrations.scripts import run_file, shown, statements_of

ROOT = Path(__file__).parents[2]

NASTY = [
    "select 1",
    ";;select 1;;select 2;;",
    "select 'a;b'; select $$c;d$$; select $x$ $$;$$ $x$;",
    "select e'\\';'; select 1;",
    "/* a; /* b; */ c; */ select 1; -- d; e\nselect 2;",
    'select ";" from ";";',
    "create function f() returns int language sql begin atomic select 1; select 2; end; select 3;",
    "create function f() returns int language sql begin atomic select case when true then 1"
    " else 2 end; select case 1 when 1 then 1 end; end; select 3;",
    "create function f() returns int language sql return case when true then 1 end; select 3;",
    "create procedure p() language sql BEGIN ATOMIC insert into t values (1); END; call p();",
    "create function f() returns void language plpgsql as $$ begin begin end; end; $$; select 1;",
    "do $$ begin if true then null; end if; end $$; select 1;",
    "create rule r as on insert to t do also (insert into u values (1); delete from v); select 1;",
    'create table t (begin_at int, atomic int, "end" int); select 1;',
    "select case when a then 1 end from t; select 2;",
    "select 1 as atomic; select 2;",
]


def cut(text: str) -> list[str]:
    return [statement.text.rstrip("; \n") for statement in split(text)]


def pglast_cut(text: str) -> list[str]:
    pieces = pglast.split(text)
    # The parser's pieces may begin with comments; ours begin with the first word.
    return [piece[_first_token(piece) :].rstrip("; \n") for piece in pieces]


def _first_token(text: str) -> int:
    tokens = pglast.parser.scan(text)
    return next(token.start for token in tokens if token.name not in {"SQL_COMMENT", "C_COMMENT"})


@pytest.mark.parametrize("text", NASTY)
def test_statements_end_where_the_parser_ends_them(text: str) -> None:
    assert [piece.split("--")[0].strip() for piece in cut(text)] == [
        piece.split("--")[0].strip() for piece in pglast_cut(text)
    ]


@pytest.mark.parametrize(
    "path",
    sorted(
        path
        for folder in ("migrations", "sql/functions", "sql/tables", "sql/triggers", "sql/views")
        for path in (ROOT / folder).rglob("*.sql")
    ),
    ids=lambda path: str(path.relative_to(ROOT)),
)
def test_every_file_of_the_project_is_cut_as_the_parser_cuts_it(path: Path) -> None:
    text = path.read_text()

    assert cut(text) == pglast_cut(text)


def test_a_statement_knows_its_line_and_that_of_a_place_in_it() -> None:
    _, second = split("-- head\nselect 1;\n\n/* two\nlines */ select\n    a,\n    b;\n")

    assert second.line == 5
    assert second.line_at(1) == 5
    assert second.line_at(second.text.index("b") + 1) == 7


def test_included_files_come_where_their_line_stands(tmp_path: Path) -> None:
    (tmp_path / "sub").mkdir()
    (tmp_path / "all.sql").write_text("select 1;\n\\ir sub/two.sql\nselect 4;\n")
    (tmp_path / "sub" / "two.sql").write_text("-- two\nselect 2;\n\\ir three.sql\n")
    (tmp_path / "sub" / "three.sql").write_text("select 3;\n")

    found = [(path.name, s.text, s.line) for path, s in statements_of(tmp_path / "all.sql")]

    assert found == [
        ("all.sql", "select 1;", 1),
        ("two.sql", "select 2;", 2),
        ("three.sql", "select 3;", 1),
        ("all.sql", "select 4;", 3),
    ]


def test_an_open_quote_is_told_with_file_and_line(tmp_path: Path) -> None:
    (tmp_path / "all.sql").write_text("\\ir one.sql\n")
    (tmp_path / "one.sql").write_text("select 1;\nselect\n 'x;\n")

    with pytest.raises(ScriptError, match="not closed") as caught:
        list(statements_of(tmp_path / "all.sql"))

    assert caught.value.where == f"{(tmp_path / 'one.sql').resolve()}:3"
    assert caught.value.hint


def test_a_file_runs_and_a_failure_names_its_line(conn: psycopg.Connection, tmp_path: Path) -> None:
    path = tmp_path / "all.sql"
    path.write_text("create temp table a (id int);\ninsert into a values (1), (2);\n")
    run_file(conn, path)
    assert conn.execute("select count(*) from a").fetchone() == (2,)

    path.write_text("select 1;\nselect\n    nothing\nfrom a;\n")
    with conn.transaction(force_rollback=True), pytest.raises(ScriptError) as caught:
        run_file(conn, path)

    assert caught.value.where == f"{path.resolve()}:3"
    assert caught.value.sqlstate == "42703"


def test_a_path_below_the_current_directory_is_shown_from_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)

    assert shown(tmp_path / "a" / "b.sql") == "a/b.sql"
    assert shown(Path("/etc/hosts")) == "/etc/hosts"
