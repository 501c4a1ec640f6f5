"""A project that uses the toolkit alone has its own words for what its database refuses."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType

import psycopg
import pytest
from psycopg import Connection

from taskdb.errors import CircularDependencyError
from taskdb.query import ConstraintRule, Queries, Refusal, verify
from taskdb.query.errors import DatabaseError, IntegrityError, ValidationError

SCHEMA = """
create temporary table orders (id int constraint execution_steps_pkey primary key);
create function pg_temp.deliver(id int) returns void language plpgsql as $$
begin raise exception 'delivery refused' using errcode = 'TD002', hint = 'Pay first'; end $$;
"""

SQL = """
-- name: add
insert into orders (id) values (:id);

-- name: deliver
select pg_temp.deliver(:id);
"""

STUBS = """
from tests.query.test_foreign_project import query

@query
def add(*, id: int) -> None: ...
@query
def deliver(*, id: int) -> None: ...
"""


class DeliveryError(DatabaseError):
    pass


class PlainError(Exception):
    pass


def unpaid(refusal: Refusal) -> DeliveryError:
    return DeliveryError(f"{refusal.code}: {refusal.message}")


@pytest.fixture
def shop(
    tmp_path: Path, conn: Connection, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Callable[..., ModuleType]]:
    """Return what makes the project's module, with a vocabulary of its own or with none."""
    (tmp_path / "shop.sql").write_text(SQL)
    (tmp_path / "shop.py").write_text(STUBS)
    monkeypatch.syspath_prepend(tmp_path)
    conn.execute(SCHEMA)

    def make(**vocabulary: object) -> ModuleType:
        made = Queries(tmp_path, name="shop", **vocabulary)  # type: ignore[arg-type]
        monkeypatch.setattr(sys.modules[__name__], "query", made, raising=False)
        sys.modules.pop("shop", None)
        return __import__("shop")

    yield make
    sys.modules.pop("shop", None)


def test_its_own_sqlstate_is_its_own(conn: Connection, shop: Callable[..., ModuleType]) -> None:
    with pytest.raises(psycopg.Error) as caught:
        shop().deliver(conn, id=1)

    assert not isinstance(caught.value, CircularDependencyError)
    assert caught.value.sqlstate == "TD002"


def test_its_own_constraint_is_read_by_its_own_name(
    conn: Connection, shop: Callable[..., ModuleType]
) -> None:
    made = shop()
    made.add(conn, id=1)

    with pytest.raises(IntegrityError, match=r"^id must be unique in orders"):
        made.add(conn, id=1)


@pytest.mark.parametrize(
    ("error", "kind", "text"),
    [
        (DeliveryError, DeliveryError, "delivery refused (at "),
        (PlainError, PlainError, "delivery refused"),
        (unpaid, DeliveryError, "TD002: delivery refused (at "),
    ],
)
def test_errors_by_sqlstate_are_handed_in(
    conn: Connection,
    shop: Callable[..., ModuleType],
    error: object,
    kind: type[Exception],
    text: str,
) -> None:
    with pytest.raises(kind) as caught:
        shop(errors={"TD002": error}).deliver(conn, id=1)

    assert str(caught.value).startswith(text)
    assert isinstance(caught.value.__cause__, psycopg.Error)


@pytest.mark.parametrize(
    ("shows_value", "text"),
    [(False, "number must be new"), (True, "number '1' must be new")],
)
def test_constraints_are_handed_in(
    conn: Connection, shop: Callable[..., ModuleType], shows_value: bool, text: str
) -> None:
    rule = ConstraintRule("number", "must be new", shows_value=shows_value)
    made = shop(constraints={"execution_steps_pkey": rule})
    made.add(conn, id=1)

    with pytest.raises(IntegrityError) as caught:
        made.add(conn, id=1)

    assert str(caught.value).startswith(text)


def test_rules_of_exclusion_constraints_are_handed_in(
    conn: Connection, shop: Callable[..., ModuleType]
) -> None:
    conn.execute("alter table orders add constraint one_each exclude using btree (id with =)")
    conn.execute("alter table orders drop constraint execution_steps_pkey")
    made = shop(constraints={"one_each": ConstraintRule("number", "must not overlap")})
    made.add(conn, id=1)

    with pytest.raises(IntegrityError) as caught:
        made.add(conn, id=1)

    assert (caught.value.field, caught.value.rule) == ("number", "must not overlap")


def test_an_argument_is_refused_as_anywhere(
    conn: Connection, shop: Callable[..., ModuleType]
) -> None:
    with pytest.raises(ValidationError, match=r"^id must lie in"):
        shop().add(conn, id=1 << 40)


def test_verify_needs_no_task_database(conn: Connection, shop: Callable[..., ModuleType]) -> None:
    made = shop().query

    with pytest.raises(DatabaseError, match="has no expectations"):
        verify(conn, made)
