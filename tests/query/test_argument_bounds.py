"""Values that were stored as another, or took a server too long: refused by name."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import psycopg
import pytest

from taskdb.errors import ValidationError
from taskdb.models.tasks import NewTask
from taskdb.models.workflows import NewStep, NewWorkflow
from taskdb.queries import concurrency, epics, files, flow, tasks, workflows
from taskdb.queries.fields import MOST_BYTES
from tests.plans import Plan


@pytest.mark.parametrize("hours", ["1.23456", "0.001", "1e-400", "999999.985"])
def test_hours_that_would_be_rounded_are_refused(conn: psycopg.Connection, hours: str) -> None:
    with pytest.raises(ValidationError, match=r"^estimated_hours must have at most 2 decimal"):
        tasks.create(conn, title="T", estimated_hours=Decimal(hours))
    with pytest.raises(ValidationError, match=r"^estimated_hours must have at most 2 decimal"):
        tasks.create_many(conn, [NewTask(title="T", estimated_hours=Decimal(hours))])


@pytest.mark.parametrize("hours", ["1.25", "1.250000", "1e3", "999999.99", "-0"])
def test_hours_of_two_places_are_kept(conn: psycopg.Connection, hours: str) -> None:
    task = tasks.create(conn, title="T", estimated_hours=Decimal(hours))

    assert task.estimated_hours == Decimal(hours)


@pytest.mark.parametrize("blank", [" ", "\t", "\n \r", "\u2003\u00a0"])
def test_blank_keys_and_titles_are_refused(conn: psycopg.Connection, blank: str) -> None:
    with pytest.raises(ValidationError, match=r"^title must not be blank"):
        tasks.create(conn, title=blank)
    with pytest.raises(ValidationError, match=r"^key must not be blank"):
        tasks.create(conn, title="T", key=blank)
    with pytest.raises(ValidationError, match=r"^title must not be blank"):
        epics.create(conn, key="E77", title=blank)
    with pytest.raises(ValidationError, match=r"^name must not be blank"):
        workflows.create(conn, NewWorkflow(name=blank))
    with pytest.raises(ValidationError, match=r"^concurrency_key must not be blank"):
        tasks.create(conn, title="T", concurrency_key=blank)
    with pytest.raises(ValidationError, match=r"concurrency_key must not be blank"):
        tasks.create_many(conn, [NewTask(title="T", concurrency_key=blank)])
    with pytest.raises(ValidationError, match=r"^concurrency_key must not be blank"):
        tasks.update(conn, key="T", concurrency_key=blank)
    with pytest.raises(ValidationError, match=r"^key must not be blank"):
        concurrency.set_limit(conn, key=blank, at_most=1)


LARGE = "x" * (MOST_BYTES + 1)


@pytest.mark.parametrize(
    "text", [LARGE, "\U0001f680" * (MOST_BYTES // 4 + 1)], ids=["ascii", "four bytes each"]
)
def test_text_and_document_beyond_the_limit_are_refused(
    conn: psycopg.Connection, plan: Plan, text: str
) -> None:
    rule = f"must have at most {MOST_BYTES} bytes"

    with pytest.raises(ValidationError, match=f"^description {rule}"):
        tasks.create(conn, title="T", description=text)
    with pytest.raises(ValidationError, match=f"^metadata {rule}"):
        tasks.create(conn, title="T", metadata={"a": text})
    with pytest.raises(ValidationError, match=f"^content {rule}"):
        files.put(conn, task=plan.chore, path="a", content=text)


@pytest.mark.slow
def test_text_at_the_limit_is_kept(conn: psycopg.Connection, plan: Plan) -> None:
    files.put(conn, task=plan.chore, path="a", content=LARGE[1:])

    assert files.get(conn, task=plan.chore, path="a").content == LARGE[1:]


@pytest.mark.parametrize("zone", ["Nowhere/Land", "'; --", "%", "é"])
def test_unknown_time_zone_is_refused_by_name(
    conn: psycopg.Connection, plan: Plan, zone: str
) -> None:
    since, until = datetime(2026, 1, 1, tzinfo=UTC), datetime(2026, 1, 2, tzinfo=UTC)

    with pytest.raises(ValidationError, match=r"^zone must be a time zone"), conn.transaction():
        flow.throughput(conn, since=since, until=until, zone=zone)
    with pytest.raises(ValidationError, match=r"^zone must be a time zone"), conn.transaction():
        flow.burn_up(conn, zone=zone)


@pytest.mark.parametrize(
    ("field", "since", "until"), [("since", 1, 2026), ("until", 2026, 9999), ("since", 1, 9999)]
)
def test_span_of_thousands_of_years_is_refused(
    conn: psycopg.Connection, field: str, since: int, until: int
) -> None:
    first = datetime(since, 1, 1, tzinfo=UTC)
    last = datetime(until, 12, 31, tzinfo=UTC)

    with pytest.raises(ValidationError, match=f"^{field} must be between 1970-01-01"):
        flow.throughput(conn, since=first, until=last)


@pytest.mark.parametrize(
    ("condition", "rule"),
    [
        (" && ".join(["$.a == 1"] * 300_000), "must have at most 1000 characters"),
        ("$.**.** == 1", "must have at most 2 repetitions"),
        ("$[*][*][*] == 1", "must have at most 2 repetitions"),
        ("$.* . *.a[ * ] == 1", "must have at most 2 repetitions"),
        ("$[0 to 9][0 to 9][0 to last] == 1", "must have at most 2 repetitions"),
        ("exists($ ? (exists($ ? ($.a == 1))))", "must have at most 1 filter"),
        ("exists($.a[*] ? (@ == $.a))", "must have at most 1 filter, and no path after it"),
        ("$.a == $.b", "must have at most 1 path per comparison"),
        ('$.a like_regex "(a*)*\\\\1"', "must have no back references"),
    ],
    ids=[
        "terms",
        "recursive",
        "arrays",
        "mixed",
        "ranges",
        "filters",
        "root",
        "sequences",
        "back references",
    ],
)
def test_condition_that_multiplies_is_refused(
    conn: psycopg.Connection, condition: str, rule: str
) -> None:
    step = NewStep(key="a", step_type="x", condition=condition)

    with pytest.raises(ValidationError, match=rf"^condition {rule}"), conn.transaction():
        workflows.create(conn, NewWorkflow(name="W"), [step])


@pytest.mark.parametrize(
    "condition",
    [
        '$.branch == "main"',
        '$.name == "** ? [*] to $.**.**"',
        "$.ready == true && exists($.files[*] ? (@.size > 10))",
        "$.**.failed == true",
        '$.a like_regex "a?b?c\\"?"',
    ],
)
def test_condition_within_the_limits_is_kept(conn: psycopg.Connection, condition: str) -> None:
    step = NewStep(key="a", step_type="x", condition=condition)
    made = workflows.create(conn, NewWorkflow(name="W"), [step])

    kept: Any = workflows.list_steps(conn, made.id)[0].condition
    assert kept is not None
