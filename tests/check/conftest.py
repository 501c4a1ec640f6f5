"""A small package of its own, as another project has one."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Generator
from types import ModuleType

import pytest

from taskdb.query.check import queries as query_check
from tests.check.own_package import PYTHON, SCHEMA, SQL, Connection


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Generator[ModuleType]:
    folder = tmp_path_factory.mktemp("shop")
    (folder / "sql").mkdir()
    (folder / "sql" / "orders.sql").write_text(SQL)
    (folder / "orders.py").write_text(PYTHON)
    spec = importlib.util.spec_from_file_location("orders", folder / "orders.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["orders"] = module
    spec.loader.exec_module(module)
    yield module
    del sys.modules["orders"]


@pytest.fixture
def own(conn: Connection, shop: ModuleType) -> Connection:
    """A connection in whose database the shop's queries fit, and are recorded."""
    conn.execute(SCHEMA)
    if not (shop.query.expectations).exists():
        written = query_check.check(conn, shop.query, ["contract"], write=True).written
        assert written == [shop.query.expectations / "orders.txt"]
    return conn
