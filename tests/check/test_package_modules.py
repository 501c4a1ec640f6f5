"""All modules of a package are checked, or the one that cannot be is named."""

from __future__ import annotations

import re
import sys
from collections.abc import Generator
from pathlib import Path

import psycopg
import pytest

from tests.check.own_package import PYTHON, SCHEMA, SQL
from tests.command_line import Caller


@pytest.fixture
def lazy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Generator[Path]:
    """A package that makes its Queries in its first module, and its functions in others."""
    folder = tmp_path / "lazy"
    (folder / "sql").mkdir(parents=True)
    (folder / "sql" / "orders.sql").write_text(SQL)
    (folder / "__init__.py").write_text(
        "from pathlib import Path\nfrom taskdb.queries import query as theirs\n"
        "from taskdb.query import Queries\n"
        "query = Queries(Path(__file__).parent / 'sql', name='lazy')\n"
    )
    (folder / "__main__.py").write_text("raise SystemExit('this would run the program')\n")
    (folder / "deeper").mkdir()
    (folder / "deeper" / "__init__.py").touch()
    imported = PYTHON.replace("from taskdb.query import Queries", "from lazy import query")
    stubs = "\n".join(line for line in imported.splitlines() if "Queries(" not in line)
    (folder / "deeper" / "orders.py").write_text(stubs)
    monkeypatch.chdir(tmp_path)
    yield folder
    for name in [each for each in sys.modules if each.partition(".")[0] == "lazy"]:
        del sys.modules[name]


def test_all_modules_of_a_package_are_imported(
    database_url: str, capsys: pytest.CaptureFixture[str], lazy: Path
) -> None:
    with psycopg.connect(database_url) as conn:
        conn.execute(SCHEMA)

    done = Caller(capsys, database_url)("check", "--package", "lazy", "--write")

    assert done.status == 0, done.out
    assert "looked at: 5 queries, 5 variants, 3 columns" in done.out
    written = (lazy / "sql" / "expectations" / "orders.txt").read_text()
    assert written.count("\nquery ") == 5


@pytest.mark.parametrize("parts", [("contract",), ("expectations",), ("--write",)])
def test_a_file_in_a_folder_that_is_not_read_is_found(
    database_url: str, capsys: pytest.CaptureFixture[str], lazy: Path, parts: tuple[str, ...]
) -> None:
    inner = lazy / "sql" / "reports"
    inner.mkdir()
    (inner / "monthly.sql").write_text("-- name: count_all\nselect 1;\n")
    (inner / "schema.sql").write_text("create table no_query (id integer);\n")

    done = Caller(capsys, database_url)("check", "--package", "lazy", *parts)

    assert done.status == 1
    assert (
        "lazy/sql/reports/monthly.sql:1:1: lazy: lies in a folder of its own, so it was not checked"
    ) in done.out
    assert "schema.sql" not in done.out


@pytest.mark.parametrize("parts", [(), ("contract",), ("expectations",), ("--write",)])
def test_a_statement_without_a_function_is_found(
    database_url: str, capsys: pytest.CaptureFixture[str], lazy: Path, parts: tuple[str, ...]
) -> None:
    for name in ("customers", "my customers"):
        (lazy / "sql" / f"{name}.sql").write_text("-- name: count_all\nselect 1;\n")

    done = Caller(capsys, database_url)("check", "--package", "lazy", *parts)

    assert done.status == 1
    assert re.search(r"customers\.sql:1:1: customers\.count_all: has no function", done.out)
    assert "Write its stub in the module customers; --package names" in done.out
    assert "Write its stub below @query(file='my customers'), in a module of" in done.out
    assert not (lazy / "sql" / "expectations").exists()


@pytest.mark.parametrize("parts", [(), ("contract",), ("expectations",), ("--write",)])
def test_a_check_that_looked_at_nothing_fails(
    database_url: str, capsys: pytest.CaptureFixture[str], lazy: Path, parts: tuple[str, ...]
) -> None:
    (lazy / "deeper" / "orders.py").unlink()
    (lazy / "sql" / "orders.sql").unlink()

    done = Caller(capsys, database_url)("check", "--package", "lazy", *parts)

    assert done.status == 1
    assert "no query has a function, so nothing was checked" in done.out
    assert "looked at: no queries" in done.out


def test_a_module_that_cannot_be_imported_is_named(
    database_url: str, capsys: pytest.CaptureFixture[str], lazy: Path
) -> None:
    (lazy / "deeper" / "__init__.py").write_text("import there_is_no_such_module\n")

    done = Caller(capsys, database_url)("check", "--package", "lazy")

    assert done.status == 2
    assert "there_is_no_such_module" in done.err
