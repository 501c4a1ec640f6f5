"""The reference model and the database give the same answers over random sequences of calls.

A failure shrinks to the shortest sequence and prints it. The model is tests/core_model.py, the
comparison tests/compared.py.
"""

from __future__ import annotations

import os
import random

import pytest

from taskdb.database import connect
from tests.compared import FIRST, KEYS, PLANNING, WORK, failure, random_request
from tests.core_model import Request
from tests.core_rules import Entry, ViolationError, replay
from tests.soak.shrinking import shrink
from tests.tiers import first_of

SEQUENCES = 10
# Many tasks that wait for each other, end in every way and come back.
GRAPH = {
    "create_many": 2,
    "delete": 1,
    "add_dependency": 6,
    "add_dependencies": 2,
    "remove_dependency": 2,
    "update_status": 10,
    "requeue": 3,
    "claim_batch": 1,
    "complete": 1,
    "fail": 2,
}
MORE_KEYS = [*KEYS, "f", "g", "h"]
MORE = [Request("create", {"key": name, "max_attempts": 2}) for name in MORE_KEYS]


@pytest.mark.parametrize("third", first_of([1, 2, 3]))
@pytest.mark.parametrize(
    ("first", "weights", "keys"),
    [
        pytest.param(FIRST, {**PLANNING, **WORK}, KEYS, id="all"),
        pytest.param(MORE, GRAPH, MORE_KEYS, id="graph", marks=pytest.mark.slow),
    ],
)
def test_database_and_model_agree_on_every_answer_and_state(
    database_url: str, third: int, first: list[Request], weights: dict[str, int], keys: list[str]
) -> None:
    seed = int(os.environ.get("MODEL_SEED", "0")) or random.randrange(1, 10**9)
    with connect(database_url, autocommit=True) as conn:
        for number in range(int(os.environ.get("MODEL_SEQUENCES", SEQUENCES))):
            chance = random.Random(f"{seed}/{number}")
            requests = first + [random_request(chance, weights, keys) for _ in range(40)]
            if failure(conn, requests) is None:
                continue
            shortest = shrink(requests, lambda some: failure(conn, some) is not None)
            script = "\n".join(map(repr, shortest))
            wrong = failure(conn, shortest)
            pytest.fail(f"MODEL_SEED={seed}\n{script}\n{wrong}")


def test_a_failure_shrinks_to_the_calls_that_it_needs() -> None:
    assert shrink(range(50), lambda some: {7, 31} <= set(some)) == [7, 31]


def test_history_that_cannot_be_true_is_refused() -> None:
    begun = [Entry(None, "pending"), Entry("pending", "in_progress", token=1, agent="ann")]
    for wrong in (
        Entry("pending", "completed", outcome="completed", token=1),
        Entry("in_progress", "completed"),
        Entry("in_progress", "completed", outcome="completed", token=2),
        Entry("in_progress", "archived", outcome="revoked", token=1),
    ):
        with pytest.raises(ViolationError, match="a: entry 3"):
            replay("a", [*begun, wrong])

    twice = [*begun, Entry("in_progress", "pending", outcome="lapsed", token=1)]
    with pytest.raises(ViolationError, match="entry 4 claims after 1"):
        replay("a", [*twice, Entry("pending", "in_progress", token=1, agent="bob")])
