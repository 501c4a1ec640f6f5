"""Conditions are evaluated in linear time: whoever writes them, by whatever way."""

from __future__ import annotations

from typing import Any

import psycopg
import pytest
from psycopg import errors

from taskdb.models.workflows import NewStep, NewWorkflow
from taskdb.queries import workflows

ATTACKS = {
    " && ".join(["$.a == 1"] * 1000): "condition_has_at_most_4000_characters",
    "$.**.** == 1": "condition_has_at_most_2_repetitions",
    "$[*].b[*].c.* == 1": "condition_has_at_most_2_repetitions",
    "$.a == $.b": "condition_has_at_most_1_path_per_comparison",
    "exists($.a[*] ? (@ == $.b))": "condition_has_at_most_1_filter_and_no_path_after_it",
    "exists($ ? (exists(@.a ? (@ == 1))))": "condition_has_at_most_1_filter_and_no_path_after_it",
    '$.a like_regex "(a*)*\\\\1"': "condition_has_no_back_references",
}


@pytest.mark.parametrize("attack", ATTACKS, ids=lambda each: each[:30])
def test_a_role_that_writes_sql_keeps_the_limits(
    conn: psycopg.Connection[Any], attack: str
) -> None:
    made = workflows.create(conn, NewWorkflow(name="W"), [NewStep(key="a", step_type="x")])

    with pytest.raises(errors.CheckViolation) as refused, conn.transaction():
        conn.execute(
            "update workflow_steps set condition = $1::jsonpath where workflow_id = $2",
            [attack, made.id],
        )

    assert refused.value.diag.constraint_name == ATTACKS[attack]


# To compare one with the other is 10,000,000,000 comparisons, and no timeout ends it.
LISTS = """
    select jsonb_build_object(
        'a', array_fill(1, array[100000]), 'b', array_fill(2, array[100000])
    )
"""


@pytest.mark.parametrize(
    "condition",
    [
        "$.**.failed == true",
        "$.a[*] == 2 || $.b[*] == 3",
        "exists($.a[*] ? (@ > 10))",
        "$.*[*] == 7",
    ],
)
def test_what_is_left_is_linear(conn: psycopg.Connection[Any], condition: str) -> None:
    conn.execute("set local statement_timeout = '5s'")

    [found] = conn.execute(f"select ({LISTS}) @@ $1::shared.condition", [condition]).fetchone() or [
        None
    ]

    assert found is not True
