"""`taskdb check` in a project of one's own: its settings, output for programs, and --watch."""

from __future__ import annotations

import subprocess
from pathlib import Path

import psycopg
import pytest
from psycopg.conninfo import conninfo_to_dict

from taskdb.testing.databases import Databases, make_url
from tests.command_line import command, environment
from tests.shop import Shop
from tests.warm import run

SCHEMA = """
create table orders (id integer primary key, title text not null);
insert into orders select n, 'title ' || n from generate_series(1, 20000) as n;
create index orders_by_title on orders (title);
analyze orders;
"""
SQL = """\
-- name: list_orders
select id, title from orders where title = :title;
"""
PYTHON = """\
from dataclasses import dataclass
from shop import query

@dataclass
class Order:
    id: int
    title: str

@query
def list_orders(*, title: str) -> list[Order]: ...
"""
TABLE = """\
[tool.taskdb]
packages = ["shop"]
url = "${SHOP_URL}"
checks = ["contract"]
"""


@pytest.fixture
def shop(tmp_path: Path, empty_database_url: str) -> Shop:
    with psycopg.connect(empty_database_url) as conn:
        conn.execute(SCHEMA)
    made = Shop(tmp_path, empty_database_url, SQL)
    made.module.write_text(PYTHON)
    (tmp_path / "pyproject.toml").write_text(TABLE)
    return made


@pytest.mark.slow
def test_the_project_says_what_is_checked_and_with_which_database(shop: Shop) -> None:
    done = shop.check()

    assert (done.status, done.err) == (0, "")
    assert done.out.splitlines() == [
        "contract: no findings",
        "looked at: 1 query, 1 variant, 2 columns",
    ]


def test_a_setting_that_is_not_understood_is_named(shop: Shop) -> None:
    (shop.folder / "pyproject.toml").write_text("[tool.taskdb]\npackage = 'shop'\n")

    done = shop.check()

    assert done.status != 0
    assert "[tool.taskdb] package = 'shop' is not understood" in done.err
    assert "packages (list)" in done.err


@pytest.mark.parametrize(
    ("table", "message"),
    [
        ("[tool.taskdb]\n", "[tool.taskdb] names no packages, so nothing would be checked"),
        ("[tool.taskdb]\npackages = []\n", "[tool.taskdb] names no packages"),
        ("[tool.taskdb]\npackages = [1]\n", "packages has 1, which is no module's name"),
        ("[tool.taskdb]\npackages = ['.shop']\n", "packages has '.shop', which is no module's"),
        (
            "[tool.taskdb]\npackages = ['shop']\nchecks = ['contracts']\n",
            "checks has 'contracts', which is no part of the check. The parts are contract, expec",
        ),
        ("[tool.taskdb]\npackages = ['shop']\nchecks = [7]\n", "checks has 7, which is no part"),
        ("[tool]\ntaskdb = 5\n", "tool.taskdb is no table. Write [tool.taskdb]"),
        ("[tool.taskdb\n", "pyproject.toml can't be read: "),
    ],
)
def test_a_table_by_which_nothing_would_be_checked_is_refused(
    shop: Shop, table: str, message: str
) -> None:
    (shop.folder / "pyproject.toml").write_text(table)

    done = shop.check()

    assert (done.status, done.out) == (1, "")
    assert message in done.err
    assert "Traceback" not in done.err


@pytest.mark.slow
def test_a_url_given_replaces_one_whose_variable_is_not_set(shop: Shop) -> None:
    done = run("--url", shop.url, "check", folder=shop.folder)

    assert (done.status, done.err) == (0, "")


@pytest.mark.slow
def test_a_project_is_found_from_a_folder_in_it_and_in_src(shop: Shop) -> None:
    inner = shop.folder / "inner"
    inner.mkdir()
    (inner / "pyproject.toml").write_text("[project]\nname = 'inner'\n")

    outer = run("check", folder=inner, more={"SHOP_URL": shop.url})
    (shop.folder / "src").mkdir()
    (shop.folder / "shop").rename(shop.folder / "src" / "shop")
    src = shop.check()

    assert (outer.status, outer.err) == (0, "")
    assert (src.status, src.err) == (0, "")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("x = (\n", "shop/more.py:1: '(' was never closed"),
        ("import os\nx = os.environ['SHOP_KEY']\n", "shop/more.py:2: KeyError: 'SHOP_KEY'"),
        ("import nothing_such\n", "shop/more.py:1: ModuleNotFoundError: No module named 'nothi"),
    ],
)
def test_a_module_that_cannot_be_imported_is_named_with_its_line(
    shop: Shop, text: str, message: str
) -> None:
    (shop.folder / "shop" / "more.py").write_text(text)

    done = shop.check()

    assert (done.status, done.out) == (2, "")
    assert f"shop cannot be imported: {shop.folder}/{message}" in done.err


def test_a_variable_that_is_not_set_is_named(shop: Shop) -> None:
    done = run("check", folder=shop.folder)

    assert done.status != 0
    assert "[tool.taskdb] url needs $SHOP_URL, which is not set" in done.err


def test_findings_are_annotations_for_github(shop: Shop) -> None:
    shop.sql.write_text(SQL.replace("id, title from", "id,\n    colour from"))

    done = shop.check("--format", "github")

    assert done.status == 1
    (line,) = done.out.splitlines()
    assert line.startswith(
        "::error title=taskdb check contract,file=shop/sql/orders.sql,line=3,col=5::"
    )
    assert 'column "colour" does not exist' in line


@pytest.mark.slow
def test_findings_are_results_in_sarif(shop: Shop) -> None:
    shop.sql.write_text(SQL.replace("title = :title", "title > :title"))
    shop.module.write_text(PYTHON.replace("title: str)", "title: int)"))

    done = shop.check("--format", "sarif")

    assert done.status == 1
    (run_,) = done.data["runs"]
    (result,) = run_["results"]
    assert done.data["version"] == "2.1.0"
    assert result["ruleId"] == "contract"
    assert ":title is text" in result["message"]["text"]
    (location,) = result["locations"]
    assert location["physicalLocation"] == {
        "artifactLocation": {"uri": "shop/sql/orders.sql"},
        "region": {"startLine": 2, "startColumn": 44},
    }


@pytest.mark.slow
def test_plans_are_checked_with_the_data_that_the_database_has(shop: Shop) -> None:
    marked = SQL.replace("list_orders\n", "list_orders\n-- plan: orders_by_title\n")
    shop.sql.write_text(marked)
    good = shop.check("plans")
    shop.sql.write_text(marked.replace("where title", "where title || ''"))
    bad = shop.check("plans")

    assert good.status == 0, good.out
    assert "plans of 1 query;" in good.out
    assert bad.status == 1
    assert "reads table orders whole" in bad.out


MIGRATIONS = {
    "0001.make-orders.sql": "create table orders (id integer primary key, title text not null);\n",
    "0001.make-orders.rollback.sql": "drop table orders;\n",
    "0002.index-titles.sql": "-- transactional: false\n"
    "-- Locks: share update exclusive on orders, for as long as the build takes.\n"
    "create index concurrently orders_by_title on orders (title);\n",
    "0002.index-titles.rollback.sql": "drop index concurrently if exists orders_by_title;\n",
}
WHOLE = """\
create table orders (id integer primary key, title text not null);
create index orders_by_title on orders (title);
"""
WITH_SCHEMA = """\
migrations = "migrations"
schema = "schema.sql"
"""


@pytest.fixture
def migrated(shop: Shop, databases: Databases) -> Shop:
    """The shop with migrations and a schema file of its own, as who may create databases."""
    database = str(conninfo_to_dict(shop.url)["dbname"])
    shop.url = make_url(databases.admin_url, dbname=database)
    (shop.folder / "migrations").mkdir()
    for name, text in MIGRATIONS.items():
        (shop.folder / "migrations" / name).write_text(text)
    (shop.folder / "schema.sql").write_text(WHOLE)
    settings = TABLE.replace('checks = ["contract"]\n', WITH_SCHEMA)
    (shop.folder / "pyproject.toml").write_text(settings)
    return shop


def test_a_projects_own_migrations_and_schema_are_checked(migrated: Shop) -> None:
    migrated.check("--write")
    done = migrated.check()

    assert (done.status, done.err) == (0, ""), done.out
    assert done.out.splitlines()[:4] == [
        "contract: no findings",
        "expectations: no findings",
        "drift: no findings",
        "migrations: no findings",
    ]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("file", "text", "finding"),
    [
        (
            "schema.sql",
            WHOLE.replace("title text not null", "title text"),
            "public: column orders.title: its not null is 'true' by migrations/, 'false' by "
            "schema.sql (migrations/0002.index-titles.sql:3, schema.sql:1)",
        ),
        (
            "schema.sql",
            WHOLE + "create schema extra;\n",
            "extra: schema extra is in schema.sql and not in migrations/",
        ),
        (
            "migrations/0001.make-orders.rollback.sql",
            "alter table orders rename to gone;\n",
            "migrations/0001.make-orders.rollback.sql:1: after up and down, ",
        ),
        (
            "migrations/0002.index-titles.sql",
            "-- transactional: false\n-- Locks: none beyond new objects.\n"
            "create index orders_by_title on orders (title);\n",
            "migrations/0002.index-titles.sql:1: takes share on public.orders; its head does not",
        ),
        (
            "migrations/0001.make-orders.sql",
            "\ncreate table orders (id integre);\n",
            'migrations/0001.make-orders.sql:2: type "integre" does not exist',
        ),
        (
            "migrations/0003.add-colour.sql",
            "alter table orders add column colour text;\n",
            "0003.add-colour.sql:1: no rollback: 0003.add-colour.rollback.sql is missing",
        ),
    ],
)
def test_a_fault_in_a_projects_own_schema_is_found(
    migrated: Shop, file: str, text: str, finding: str
) -> None:
    (migrated.folder / file).write_text(text)

    done = migrated.check("drift" if file == "schema.sql" else "migrations", "--format", "github")

    assert done.status == 1
    assert finding in done.out.replace("%0A", "\n")
    assert f"file={'migrations/' if file != 'schema.sql' else ''}" in done.out


@pytest.mark.slow
def test_migrations_are_named_on_the_command_line_too(migrated: Shop) -> None:
    (migrated.folder / "pyproject.toml").unlink()
    folder = ("--migrations", "migrations", "--schema", "schema.sql")

    done = migrated.call("check", "drift", "migrations", *folder)

    assert (done.status, done.out) == (0, "drift: no findings\nmigrations: no findings\n")


def test_a_folder_that_is_not_there_is_named(migrated: Shop) -> None:
    (migrated.folder / "schema.sql").unlink()

    done = migrated.check()

    assert "[tool.taskdb] schema = 'schema.sql' is not there" in done.err


def test_drift_of_a_package_without_migrations_says_what_it_needs(shop: Shop) -> None:
    done = shop.check("drift")

    assert done.status == 2
    assert "drift of another package needs --migrations and --schema" in done.err


@pytest.mark.slow
def test_a_change_anywhere_in_the_project_is_checked_again(shop: Shop) -> None:
    inner = shop.folder / "inner"
    inner.mkdir()
    watching = subprocess.Popen(
        command("check", "--watch"),
        cwd=inner,
        env=environment({"SHOP_URL": shop.url}),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    try:
        assert watching.stdout is not None
        seen = iter(watching.stdout.readline, "")
        first = [next(seen), next(seen), next(seen)]
        shop.sql.write_text(SQL.replace("id, title", "id, colour"))
        second = next(seen)
    finally:
        watching.terminate()
        watching.communicate()

    assert first[0] == "contract: no findings\n"
    assert first[2] == "-- waiting for a change\n"
    assert second == "contract: 1 finding\n"


UNUSUAL = (
    *("int4range", "datemultirange", "inet", "cidr[]", "macaddr8", "money", "bit(3)", "varbit"),
    *("point", "box", "line", "circle", "path", "polygon", "pg_lsn", "tid", "xid8", "regclass"),
    *("refcursor", "pg_snapshot", "int4range[]", "tsquery", "unusual", "mail"),
)


@pytest.mark.slow
def test_plans_are_taken_with_values_of_every_type(shop: Shop) -> None:
    with psycopg.connect(shop.url) as conn:
        conn.execute(
            "create type unusual as (a int4range, b text, c point);"
            "create domain mail as text check (value ~ '@');"
            "create domain strict as text check (value = 'only this')"
        )
    casts = " and ".join(f":v{n}::{of} is not null" for n, of in enumerate(UNUSUAL))
    shop.sql.write_text(
        "-- name: show\n-- plan: orders_pkey\n"
        f"select id from orders where id = 1 and {casts};\n\n"
        "-- name: opens\n-- plan: orders_pkey\n"
        "select id from orders where id = 1 and :at::text::timetz is null and :s::strict <> '';\n"
    )
    shop.module.unlink()
    assert shop.call("generate").status == 0

    done = shop.check("plans")

    assert (done.status, done.err) == (0, ""), done.out
    # The second has no plan with arguments.
    assert "4 plans of 2 queries" in done.out


@pytest.mark.slow
def test_plans_name_the_query_that_the_server_refuses(shop: Shop) -> None:
    shop.sql.write_text(SQL.replace("title from", "colour from"))
    refused = shop.check("plans")
    shop.sql.write_text(
        "-- name: list_orders\nselect id, title from orders where :title > 'x'::date;\n"
    )
    unplanned = shop.check("plans")

    assert refused.status == unplanned.status == 1
    place = "orders.list_orders: the server refuses it: "
    assert f'{place}column "colour" does not exist (at shop/sql/orders.sql:1:1)' in refused.err
    assert f"{place}invalid input syntax for type date" in unplanned.err


@pytest.mark.slow
def test_reports_name_paths_from_the_root_of_the_repository(shop: Shop) -> None:
    root = shop.folder.parent / f"{shop.folder.name} + more"
    root.mkdir()
    (root / ".git").mkdir()
    shop.folder = shop.folder.rename(root / "services")
    package = shop.folder / "shop"
    (package / "sql" / "lost items.sql").write_text("-- name: list_lost\nselect 1 as n;\n")
    (package / "sql" / "deep").mkdir()
    (package / "sql" / "deep" / "more.sql").write_text("-- name: more\nselect 1 as n;\n")
    (package / "orders.py").unlink()

    annotated = shop.check("--format", "github")
    inner = run("check", "--format", "github", folder=package, more={"SHOP_URL": shop.url})
    reported = shop.check("--format", "sarif")

    places = [line.split(",", 1)[1].split("::")[0] for line in annotated.out.splitlines()]
    assert places == [
        "file=services/shop/sql/lost items.sql,line=1,col=1",
        "file=services/shop/sql/orders.sql,line=1,col=1",
        "file=services/shop/sql,line=1,col=1",
        "file=services/shop/sql/deep/more.sql,line=1,col=1",
    ]
    assert inner.out == annotated.out
    (log,) = reported.data["runs"]
    where = [each["locations"][0]["physicalLocation"] for each in log["results"]]
    assert where[0]["artifactLocation"] == {"uri": "services/shop/sql/lost%20items.sql"}
    assert all(each["region"]["startLine"] == 1 for each in where)
    assert reported.data["$schema"].endswith("/sarif-schema-2.1.0.json")


@pytest.mark.slow
def test_a_report_has_a_place_for_each_finding_on_a_schema(migrated: Shop) -> None:
    (migrated.folder / "db").mkdir()
    for name in ("migrations", "schema.sql"):
        (migrated.folder / name).rename(migrated.folder / "db" / name)
    settings = (migrated.folder / "pyproject.toml").read_text()
    for name in ("migrations", "schema.sql"):
        settings = settings.replace(f'"{name}"', f'"db/{name}"')
    (migrated.folder / "pyproject.toml").write_text(settings)
    schema = migrated.folder / "db" / "schema.sql"
    schema.write_text(WHOLE.replace("title text not null", "title text"))
    inner = migrated.folder / "inner"
    inner.mkdir()

    def uris(folder: Path) -> list[str]:
        done = run("check", "drift", "--format", "sarif", folder=folder, more=more)
        (log,) = done.data["runs"]
        where = [each["locations"][0]["physicalLocation"] for each in log["results"]]
        return [each["artifactLocation"]["uri"] for each in where]

    more = {"SHOP_URL": migrated.url}
    outside = uris(migrated.folder), uris(inner)
    (migrated.folder / ".git").mkdir()

    assert outside == (["db/schema.sql"], ["../db/schema.sql"])
    assert uris(inner) == ["db/schema.sql"]
