"""Agreement of a `.sql` file and its stubs, checked when the module is imported."""

from __future__ import annotations

import copy
import inspect
import linecache
import pickle
import pydoc
import sys
import zipfile
from dataclasses import dataclass
from importlib.machinery import ModuleSpec
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from typing import Any

import pytest

from taskdb.errors import QueryDefinitionError, ValidationError
from taskdb.queries import tasks
from taskdb.query import Queries, Query
from taskdb.query._help import functions_of

STUBS = """
from __future__ import annotations
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from taskdb.query import UNSET, Queries, Unset

query = Queries(Path(__file__).parent / "sql")

@dataclass
class Row:
    a: int

"""


@dataclass
class Package:
    """A folder with one file of queries, `area.sql`, and modules to be imported."""

    folder: Path

    def define(self, sql: str, stubs: str, module: str = "area") -> Any:
        """Write both and import the stubs; return their module."""
        return self.define_from(sql, STUBS + stubs, module)

    def define_from(self, sql: str, text: str, module: str = "area") -> Any:
        """Write a file of queries and a whole module, and import it."""
        (self.folder / "sql").mkdir(exist_ok=True)
        (self.folder / "sql" / "area.sql").write_text(sql)
        path = self.folder / f"{module}.py"
        path.write_text(text)
        spec = spec_from_file_location(f"made.{module}", path)
        assert isinstance(spec, ModuleSpec)
        made = module_from_spec(spec)
        sys.modules[spec.name] = made
        assert spec.loader
        spec.loader.exec_module(made)
        return made

    def refused(self, sql: str, stubs: str, module: str = "area") -> QueryDefinitionError:
        """Define what must not be; return the error."""
        with pytest.raises(QueryDefinitionError) as caught:
            self.define(sql, stubs, module)
        return caught.value


@pytest.fixture
def package(tmp_path: Path) -> Package:
    (tmp_path / "made").mkdir()
    return Package(tmp_path / "made")


def test_help_shows_how_a_query_is_called_and_where_its_sql_is(package: Package) -> None:
    made = package.define(
        "-- name: get\nselect :n::int where :key = 'a';",
        '@query\ndef get(*, n: int, key: str = "a") -> int:\n    "What it gives."\n',
    )

    shown = pydoc.plain(pydoc.render_doc(made.get))

    assert "get(conn: Connection | AsyncConnection, /, *, n: int, key: str = 'a') -> int" in shown
    assert "What it gives." in shown
    assert "SQL: made/sql/area.sql:1:1" in shown


def test_a_call_without_a_connection_names_the_query(package: Package) -> None:
    made = package.define("-- name: get\nselect 1;", "@query\ndef get() -> int: ...\n")

    first = r"area\.get\(conn, \.\.\.\) runs on a psycopg connection, given first and by position"
    with pytest.raises(TypeError, match=first):
        made.get()
    with pytest.raises(TypeError, match=first):
        made.get(conn=object())


def test_a_query_is_named_for_its_file_and_documented_twice(package: Package) -> None:
    made = package.define(
        "-- name: get\n-- How it is done.\n-- plan: t_pkey\nselect 1;",
        "@query\ndef get() -> int:\n    '''What it gives.'''\n",
    )

    assert made.get.name == "area.get"
    assert made.get.where == "made/sql/area.sql:1:1"
    assert "What it gives." in (made.get.__doc__ or "").splitlines()
    assert made.get.doc == "How it is done."
    assert made.get.plans == ("t_pkey",)
    assert repr(made.get) == "<query area.get of made/sql/area.sql:1:1>"


def test_a_query_has_the_signature_of_its_stub(package: Package) -> None:
    made = package.define(
        "-- name: get\nselect :a + :b;",
        "@query\ndef get(a: int, *, b: int = 2) -> int: ...\n",
    )

    assert str(inspect.signature(made.get)) == (
        "(conn: Connection | AsyncConnection, /, a: int, *, b: int = 2) -> int"
    )


EVALUATED = """
from datetime import datetime, timedelta
from enum import Enum
from pathlib import Path
from typing import Annotated
from taskdb.query import Queries, Range

query = Queries(Path(__file__).parent / "sql")
Few = Annotated[int, Range(1, 3)]

class Mood(Enum):
    CALM = "calm"

@query
def get(
    key: str, *, few: Few = 2, at: datetime | None = None, mood: Mood = Mood.CALM
) -> list[Mood]:
    ...
"""


def test_types_are_shown_as_written_where_python_evaluates_them(package: Package) -> None:
    sql = "-- name: get\nselect :key, :few, :mood\nwhere true\nand :at = now() -- if :at\n;"
    made = package.define_from(sql, EVALUATED)

    assert str(inspect.signature(made.get)) == (
        "(conn: Connection | AsyncConnection, /, key: str, *, few: Few = 2, "
        "at: datetime | None = None, mood: Mood = <Mood.CALM: 'calm'>) -> list[Mood]"
    )
    assert "    mood: Mood = Mood.CALM,\n) -> list[Mood]" in made.get.__doc__


def test_types_are_shown_without_their_source_too(package: Package) -> None:
    sql = "-- name: get\nselect :key, :few, :mood\nwhere true\nand :at = now() -- if :at\n;"
    made = package.define_from(sql, EVALUATED)
    Path(made.__file__).unlink()
    linecache.clearcache()
    functions_of.cache_clear()

    assert "at: datetime.datetime | None = None" in str(inspect.signature(made.get))


@pytest.mark.parametrize("call", ["stream", "batch", "copy"])
def test_other_calls_without_a_connection_name_the_query_too(package: Package, call: str) -> None:
    made = package.define("-- name: get\nselect 1;", "@query\ndef get() -> list[int]: ...\n")

    with pytest.raises(TypeError, match=rf"area\.get\.{call}\(conn, \.\.\.\) runs on a psycopg"):
        getattr(made.get, call)()


def test_the_class_of_queries_has_its_own_documentation() -> None:
    assert (Query.__doc__ or "").startswith("A named statement with the signature of its stub.")
    assert "statement" in inspect.signature(Query).parameters


def test_a_keyword_of_python_goes_to_a_parameter_with_an_underscore(package: Package) -> None:
    made = package.define(
        "-- name: get\nselect 1 where :class = 'a'\nand :from = 1 -- if :from\n;",
        "@query\ndef get(*, class_: str, from_: int | None = None) -> list[int]: ...\n",
    )

    assert [each.name for each in made.get.parameters] == ["class", "from"]
    assert "*, class_: str, from_: int | None = None" in str(inspect.signature(made.get))
    assert made.get.sql(from_=1).endswith("and $2 = 1 -- if :from")
    with pytest.raises(ValidationError, match=r"^class_ must be a str"):
        made.get.row(class_=1)


def test_a_parameter_written_with_the_underscore_in_sql_keeps_it(package: Package) -> None:
    made = package.define(
        "-- name: get\nselect :class_::text;", "@query\ndef get(*, class_: str) -> str: ...\n"
    )

    assert [each.name for each in made.get.parameters] == ["class_"]


def test_a_query_is_pickled_and_copied_by_its_name_as_a_function_is() -> None:
    assert pickle.loads(pickle.dumps(tasks.create)) is tasks.create
    assert copy.deepcopy(tasks.create) is tasks.create


def test_the_text_carries_a_comment_that_leads_back(package: Package) -> None:
    made = package.define(
        "-- name: get\nselect 1\n+ :a -- if :a\n;",
        "@query\ndef get(*, a: int | None = None) -> int: ...\n",
    )

    assert made.get.sql() == "select /* taskdb:area.get */ 1"
    assert made.get.sql(a=1) == "select /* taskdb:area.get */ 1\n+ $1 -- if :a"
    assert [variant.text for variant in made.get.variants()] == [
        made.get.sql(),
        made.get.sql(a=1),
    ]
    with pytest.raises(ValueError, match="no line -- if :b"):
        made.get.sql(b=1)


def test_the_comment_names_the_project(tmp_path: Path) -> None:
    (tmp_path / "area.sql").write_text("-- name: get\nselect 1;")
    query = Queries(str(tmp_path), name="shop-2", label="queries")

    @query(file="area")
    def get() -> int: ...

    assert get.sql() == "select /* shop-2:area.get */ 1"
    assert get.where == "queries/area.sql:1:1"
    assert query["area.get"] is get
    assert list(query) == [get]


def test_a_name_that_would_end_the_comment_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="does not fit into a comment"):
        Queries(tmp_path, name="a */ drop table t; /*")


def test_a_complete_package_passes(package: Package) -> None:
    made = package.define("-- name: get\nselect 1;", "@query\ndef get() -> int: ...\n")

    made.query.complete()


def test_a_query_without_a_function_is_named(package: Package) -> None:
    made = package.define(
        "-- name: get\nselect 1;\n\n-- name: put\nselect 2;", "@query\ndef get() -> int: ...\n"
    )

    with pytest.raises(QueryDefinitionError, match="put has no function") as caught:
        made.query.complete()
    assert caught.value.where == "made/sql/area.sql:4:1"


def test_a_file_without_a_module_is_named(package: Package) -> None:
    made = package.define("-- name: get\nselect 1;", "@query\ndef get() -> int: ...\n")
    (package.folder / "sql" / "other.sql").write_text("-- name: put\nselect 1;")
    (package.folder / "sql" / "README.md").write_text("not SQL")

    with pytest.raises(QueryDefinitionError, match="put has no function") as caught:
        made.query.complete()
    assert caught.value.where == "made/sql/other.sql:1:1"


def test_a_folder_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(QueryDefinitionError, match="there is no folder"):
        Queries(tmp_path / "nothing").complete()


def test_a_module_may_be_reloaded(package: Package) -> None:
    made = package.define("-- name: get\nselect 1;", "@query\ndef get() -> int: ...\n")

    stub = made.get.function
    assert made.query(stub).name == "area.get"


REFUSED = [
    # the stub, the statement below `-- name: get`, what the message says, where
    ("def got() -> int: ...", "select 1;", "got has no query in made/sql/area.sql", "area.py:16"),
    (
        "def get() -> int: ...\n@query\ndef get() -> int: ...",
        "select 1;",
        "get is the second function of made/sql/area.sql:1:1",
        "area.py:18",
    ),
    ("def get() -> int: ...", "select :a;", "has no parameter a", "area.sql:2:8"),
    ("def get() -> int: ...", "select 1\n+ 1 -- if :a\n;", "has no parameter a", "area.sql:3:5"),
    ("def get(a: int) -> int: ...", "select 1;", "get has no :a", "area.sql:2:1"),
    (
        "def get(a: int) -> int: ...",
        "select 1\n+ :a -- if :a\n;",
        "a is never absent",
        "area.sql:3:6",
    ),
    (
        "def get(a: int | None | Unset = UNSET) -> int: ...",
        "select 1\n+ :a -- if :a\n+ :a;",
        "a may be UNSET, and is sent all the same",
        "area.sql:4:3",
    ),
    ("def get(): ...", "select 1;", "get has no return type", "area.py:16"),
    ("async def get() -> int: ...", "select 1;", "get is async", "area.py:16"),
    (
        "def get(a: int) -> int: ...",
        "select %(a)s;",
        "%(a)s is psycopg's way",
        "area.sql:2:8",
    ),
    ("def get() -> int: return 1", "select 1;", "has a body, which would never run", "area.py:16"),
    ("def get() -> int: print()", "select 1;", "has a body, which would never run", "area.py:16"),
    ("def get(a) -> int: ...", "select :a;", "a has no annotation", "area.py:16"),
    ("def get(*a: int) -> int: ...", "select :a;", "a stands for any number", "area.py:16"),
    ("def get(**a: int) -> int: ...", "select :a;", "a stands for any number", "area.py:16"),
    ("def get(a: Any) -> int: ...", "select :a;", "a is annotated Any", "area.py:16"),
    ("def get(a: object) -> int: ...", "select :a;", "a is annotated object", "area.py:16"),
    ("def get(a: None) -> int: ...", "select :a;", "a is only None", "area.py:16"),
    ("def get(a: Path) -> int: ...", "select :a;", "PostgreSQL has no type for", "area.py:16"),
    ("def get(a: complex) -> int: ...", "select :a;", "PostgreSQL has no type for", "area.py:16"),
    ("def get(a: list[complex]) -> int: ...", "select :a;", "a is a list of complex", "area.py:16"),
    ("def get(a: tuple[int, str]) -> int: ...", "select :a;", "items of one type", "area.py:16"),
    ("def get(a: Unknown) -> int: ...", "select :a;", "annotated with 'Unknown'", "area.py:16"),
    ("def get() -> list: ...", "select 1;", "does not say what the rows are", "area.py:16"),
    ("def get() -> list[Row] | None: ...", "select 1;", "an empty list, not None", "area.py:16"),
    ("def get() -> Iterator[Row]: ...", "select 1;", "call .stream", "area.py:16"),
    (
        "def get(*, b: int, a: int) -> int: ...",
        "copy t (a, b) from stdin;",
        "get copies (a, b), its function at made/area.py:16 takes (b, a)",
        "area.sql:2:1",
    ),
]


def test_a_misspelt_parameter_is_told_which_is_meant(package: Package) -> None:
    stub = "\n@query\ndef get(*, agent: str) -> int: ...\n"

    error = package.refused("-- name: get\nselect :agnet;", stub)

    assert error.hint == ("Add it to get(); did you mean agent?\n    select :agnet;\n           ^")


@pytest.mark.parametrize(("stub", "sql", "message", "where"), REFUSED)
def test_what_does_not_fit_is_refused_at_import(
    package: Package, stub: str, sql: str, message: str, where: str
) -> None:
    error = package.refused(f"-- name: get\n{sql}", f"\n@query\n{stub}\n")

    assert message in error.message
    assert error.where in (f"made/{where}", f"made/sql/{where}")
    assert error.hint


def test_a_misspelt_parameter_is_recognised(package: Package) -> None:
    error = package.refused(
        "-- name: get\nselect :feature_di;", "@query\ndef get(feature_id: int) -> int: ...\n"
    )

    assert error.hint
    assert "did you mean feature_id?" in error.hint
    assert "    select :feature_di;\n           ^" in error.hint


def test_a_misspelt_function_is_recognised(package: Package) -> None:
    error = package.refused("-- name: list_tasks\nselect 1;", "@query\ndef list_task() -> int: ...")

    assert error.hint
    assert "did you mean list_tasks?" in error.hint


def test_a_module_without_a_file_is_named(package: Package) -> None:
    error = package.refused(
        "-- name: get\nselect 1;", "\n@query\ndef get() -> int: ...\n", module="elsewhere"
    )

    assert error.message == "get has no file made/sql/elsewhere.sql"
    assert error.where == "made/elsewhere.py:16"


def test_a_row_of_unknown_fields_is_named(package: Package) -> None:
    error = package.refused(
        "-- name: get\nselect 1;",
        "@dataclass\nclass Odd:\n    a: Unknown\n\n@query\ndef get() -> Odd: ...\n",
    )

    assert "Odd is annotated with 'Unknown'" in error.message


def test_a_row_that_its_fields_do_not_make_is_named(package: Package) -> None:
    error = package.refused(
        "-- name: get\nselect 1;",
        "import dataclasses\n\n"
        "@dataclass\nclass Odd:\n    a: int\n    b: dataclasses.InitVar[int]\n\n"
        "@query\ndef get() -> Odd: ...\n",
    )

    assert "Odd cannot be made of its fields: missing a required argument: 'b'" in error.message


@pytest.mark.parametrize("returned", ["list[int]", "int | None"])
def test_an_error_for_no_row_needs_a_promise_of_one(package: Package, returned: str) -> None:
    error = package.refused(
        "-- name: get\nselect 1;",
        f"@query(not_found=LookupError)\ndef get() -> {returned}: ...\n",
    )

    assert "is satisfied without a row" in error.message


@pytest.mark.parametrize("base", ["Exception", "ValidationError"])
def test_an_error_for_no_row_that_could_not_be_raised_is_refused(
    package: Package, base: str
) -> None:
    error = package.refused(
        "-- name: get\nselect 1;",
        "from taskdb.errors import ValidationError\n\n"
        f"class Sold({base}):\n    def __init__(self, sku, when): ...\n\n"
        "@query(not_found=Sold)\ndef get() -> int: ...\n",
    )

    assert "get names Sold for no row, which a message" in error.message
    assert "do not make" in error.message
    assert error.where == "made/area.py:20"


def test_queries_are_read_from_a_package_that_is_no_folder(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "app.zip", "w") as archive:
        archive.writestr("sql/area.sql", "-- name: get\nselect 1;")
    query = Queries(zipfile.Path(tmp_path / "app.zip") / "sql")

    @query(file="area")
    def get() -> int: ...

    query.complete()
    assert get.where == "sql/area.sql:1:1"
