"""Compatibility of types: the check and the run agree about each type and each annotation.

The matrix is made of types, built in and of extensions, times annotations. In each cell a value
of the type is selected into the annotation, as the result, as a field, and sent back as a
parameter; the contract check must accept the query if and only if the call gives a value that is
what is annotated.
"""

from __future__ import annotations

from collections.abc import Generator
from pathlib import Path
from typing import Any

import psycopg
import pytest
from psycopg.types.composite import CompositeInfo, register_composite

from taskdb.errors import QueryDefinitionError
from taskdb.query import Queries
from taskdb.query.check import queries as query_check
from taskdb.testing.databases import Databases
from tests.query.type_matrix import EXTENSIONS, SETUP, TYPES, Connection, Matrix, disagreements


@pytest.fixture(scope="module")
def server(databases: Databases) -> Generator[Connection]:
    url = databases.empty()
    with databases.admin(str(psycopg.conninfo.conninfo_to_dict(url)["dbname"])) as admin:
        for name in EXTENSIONS:
            if admin.execute(
                "select 1 from pg_available_extensions where name = %s", [name]
            ).fetchone():
                admin.execute(f"create extension {name}".encode())
    with psycopg.connect(url) as conn:
        conn.execute(SETUP.encode())
        conn.commit()
        yield conn
        conn.rollback()
    databases.drop(url)


USUAL = {"bool", "int4", "int8", "numeric", "text", "uuid", "timestamptz", "interval", "jsonb"}
USUAL |= {"date", "int4[]", "text[]", "tstzrange", "mood"}


def usual_first(name: str) -> Any:
    """Return a type's parameter, marked slow unless nearly every query reads the type."""
    return name if name in USUAL else pytest.param(name, marks=pytest.mark.slow)


@pytest.mark.parametrize("name", [usual_first(name) for name in TYPES])
def test_check_and_run_agree_about_a_built_in_type(
    server: Connection, tmp_path: Path, name: str
) -> None:
    assert disagreements(Matrix(server, tmp_path), name, TYPES[name]) == []


@pytest.mark.slow
@pytest.mark.parametrize("extension", EXTENSIONS)
def test_check_and_run_agree_about_an_extensions_types(
    server: Connection, tmp_path: Path, extension: str
) -> None:
    found = server.execute("select 1 from pg_extension where extname = %s", [extension]).fetchone()
    types = EXTENSIONS[extension] if found else {}

    matrix = Matrix(server, tmp_path)
    for name, values in types.items():
        assert disagreements(matrix, name, values) == []


# Types that are registered with psycopg.


class Pair:
    def __init__(self, *values: Any) -> None:
        self.values = values


def register_pair(conn: Connection) -> None:
    info = CompositeInfo.fetch(conn, "pair")
    assert info
    register_composite(info, conn, factory=Pair)


@pytest.mark.parametrize("registered", [True, False])
def test_a_type_that_is_registered_fits_what_its_loader_makes(
    databases: Databases, server: Connection, tmp_path: Path, registered: bool
) -> None:
    (tmp_path / "q.sql").write_text("-- name: probe\nselect '(7,good)'::pair as v;\n")
    query = Queries(tmp_path, configure=register_pair if registered else None)

    def probe() -> Any: ...

    probe.__annotations__["return"] = Pair
    get = query(file="q")(probe)
    with psycopg.connect(databases.url(server.info.dbname)) as conn:
        found = query_check.check(conn, query, ["contract"]).findings["contract"]
    with psycopg.connect(databases.url(server.info.dbname)) as conn:
        if registered:
            register_pair(conn)
            assert get(conn).values == (7, "good")
        else:
            with pytest.raises(QueryDefinitionError, match="as text, of a type that psycopg"):
                get(conn)

    assert ["column v is pair" in each.message for each in found if "NULL" not in each.message] == (
        [] if registered else [True]
    )
