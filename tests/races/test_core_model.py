"""The reference model and the database give the same answers over random sequences of calls.

A failure shrinks to the shortest sequence and prints it. The model is tests/core_model.py; time is
moved by taking seconds from every lease and schedule.
"""

from __future__ import annotations

import os
import random
from collections.abc import Sequence
from datetime import timedelta
from typing import Any

import psycopg
import pytest

from taskdb.database import connect
from taskdb.errors import TaskdbError
from taskdb.models import DependencyType, TaskStatus
from taskdb.queries import claims, dependencies, pauses, tasks
from tests.core_model import (
    Entry,
    Request,
    State,
    ViolationError,
    effective_priority,
    is_ready,
    open_dependencies,
    replay,
    step,
)
from tests.soak.shrinking import shrink

Connection = psycopg.Connection[Any]

SEQUENCES = 25
KEYS = ["a", "b", "c", "d", "e"]
AGENTS = ["ann", "bob"]
TYPES = ["test", "docs"]
FIRST = [
    Request(
        "create",
        {"key": name, "priority": 5, "agent_type": None, "assigned": None, "max_attempts": 2},
    )
    for name in KEYS[:4]
]


def random_request(chance: random.Random) -> Request:
    """Return any call; `claim` is the number of a claim made so far, counted from the last."""
    one = chance.choice
    key, other, agent = one(KEYS), one(KEYS), one(AGENTS)
    kind, retry = one([None, *TYPES]), one([None, 0.0, 60.0])
    claim = chance.randint(0, 3)
    choices: list[tuple[int, str, dict[str, Any]]] = [
        (
            2,
            "create",
            {
                "key": key,
                "priority": chance.randint(1, 10),
                "agent_type": kind,
                "assigned": one([None, None, agent]),
                "max_attempts": one([1, 2, 10]),
            },
        ),
        (1, "delete", {"key": key}),
        (
            4,
            "add_dependency",
            {
                "task": key,
                "depends_on": other,
                "dependency_type": one(
                    ["requires", "requires", "blocks", "suggests", "cancelled_with", "compensates"]
                ),
            },
        ),
        (1, "remove_dependency", {"task": key, "depends_on": other}),
        (1, "prioritise", {"key": key, "priority": chance.randint(1, 10)}),
        (
            3,
            "update_status",
            {
                "key": key,
                "status": str(one(list(TaskStatus))),
                "force": one([True, False]),
                "reason": one([None, None, "it rains"]),
            },
        ),
        (1, "requeue", {"keys": [key, other, key]}),
        (1, "pause", {"agent_type": kind}),
        (2, "resume", {"agent_type": one([None, kind])}),
        (
            4,
            "claim_batch",
            {
                "agent": agent,
                "agent_type": one([None, kind]),
                "limit": chance.randint(1, 3),
                "lease": 60.0,
            },
        ),
        (1, "claim", {"key": key, "agent": agent, "lease": 60.0}),
        (1, "heartbeat", {"claim": claim, "lease": 60.0}),
        (2, "complete", {"claim": claim}),
        (1, "submit", {"claim": claim}),
        (2, "fail", {"claim": claim, "retry_in": retry}),
        (2, "release", {"claim": claim, "retry_in": retry}),
        (2, "pass", {"seconds": one([100.0, 1000.0])}),
    ]
    weights = [weight for weight, _, _ in choices]
    _, name, arguments = chance.choices(choices, weights)[0]
    return Request(name, arguments)


class Compared:
    """The database and the model, side by side."""

    def __init__(self, conn: Connection) -> None:
        self.conn = conn
        self.state = State()
        self.now = 0.0
        self.claims: list[tuple[str, int]] = []
        self.ids: dict[str, Any] = {}
        for row in pauses.list_pauses(conn):
            pauses.resume(conn, agent_type=row.agent_type)
        conn.execute(b"delete from tasks")

    def apply(self, request: Request) -> None:
        if request.name == "pass":
            self.pass_time(request.arguments["seconds"])
            return
        given = dict(request.arguments)
        if "claim" in given:
            if not self.claims:
                return
            number = given.pop("claim")
            key, token = self.claims[-1 - number % len(self.claims)]
            given = {"key": key, "token": token, **given}
        lapses = self.lapses()
        try:
            answer = getattr(self, request.name)(**given)
        except TaskdbError as error:
            answer = type(error).__name__
        before = self.state
        if request.name == "claim_batch":
            given["chosen"] = answer
        lapsed = {key for key, count in self.lapses().items() if count > lapses.get(key, 0)}
        self.state, expected = step(
            before, Request(request.name, given), self.now, frozenset(lapsed)
        )
        assert answer == expected, (request, answer, expected)
        made = answer if request.name == "claim_batch" else [answer]
        if request.name in ("claim", "claim_batch"):
            self.claims += [one for one in made if one is not None]
        self.compare()

    def compare(self) -> None:
        found = {
            row[0]: row[1:]
            for row in self.conn.execute(
                b"select key, id, status::text, claim_agent, claim_token, open_dependencies,"
                b" effective_priority, failed_attempts, blocked_reason, is_ready, is_due from tasks"
            )
        }
        assert found.keys() == self.state.tasks.keys()
        for key, task in self.state.tasks.items():
            id, status, holder, token, count, urgency, failed, reason, ready, due = found[key]
            self.ids[key] = id
            assert (status, holder, token, failed, reason) == (
                task.status,
                task.holder,
                task.token,
                task.failed_attempts,
                task.reason,
            ), key
            assert count == open_dependencies(self.state, key), key
            assert urgency == effective_priority(self.state, key), key
            assert not due or ready == is_ready(self.state, task, self.now), key
            history = [
                Entry(*row)
                for row in self.conn.execute(
                    b"select old_status::text, new_status::text, forced, outcome::text, token,"
                    b" case when token is not null then agent end from task_history"
                    b" where task_id = $1 order by seq",
                    (id,),
                )
            ]
            for seen, expected in zip(history, task.history, strict=True):
                if seen.outcome == "revoked":
                    seen.agent = expected.agent  # The agent that revoked it.
                if seen.token is None:
                    seen.agent = expected.agent
            assert history == task.history, key
            assert replay(key, history).token == token

    def pass_time(self, seconds: float) -> None:
        self.now += seconds
        with self.conn.transaction():
            self.conn.execute(b"alter table tasks disable trigger user")
            self.conn.execute(
                b"update tasks set lease_expires_at = lease_expires_at - $1,"
                b" scheduled_at = scheduled_at - $1",
                (timedelta(seconds=seconds),),
            )
            self.conn.execute(b"alter table tasks enable trigger user")

    def lapses(self) -> dict[str, int]:
        return dict(
            self.conn.execute(
                b"select task.key, count(*)::int from task_history as entry"
                b" join tasks as task on task.id = entry.task_id"
                b" where entry.outcome = 'lapsed' group by task.key"
            ).fetchall()
        )

    # The public calls, in the model's words.

    def create(self, key: str, assigned: str | None, **given: Any) -> Any:
        made = tasks.create(self.conn, key=key, title=key, assigned_agent=assigned, **given)
        self.ids[key] = made.id
        return str(made.status)

    def delete(self, key: str) -> Any:
        tasks.delete(self.conn, key=key)

    def add_dependency(self, task: str, depends_on: str, dependency_type: str) -> Any:
        kind = DependencyType(dependency_type)
        dependencies.add_dependency(
            self.conn, task=task, depends_on=depends_on, dependency_type=kind
        )

    def remove_dependency(self, task: str, depends_on: str) -> Any:
        dependencies.remove_dependency(self.conn, task=task, depends_on=depends_on)

    def prioritise(self, key: str, priority: int) -> Any:
        tasks.update(self.conn, key=key, priority=priority)

    def update_status(self, key: str, status: str, force: bool, reason: str | None) -> Any:
        return str(
            tasks.update_status(
                self.conn, key=key, status=TaskStatus(status), force=force, blocked_reason=reason
            ).status
        )

    def requeue(self, keys: list[str]) -> Any:
        found = tasks.requeue(self.conn, keys=keys)
        return sorted((row.key, str(row.status)) for row in found)

    def pause(self, agent_type: str | None) -> Any:
        pauses.pause(self.conn, agent_type=agent_type)

    def resume(self, agent_type: str | None) -> Any:
        return pauses.resume(self.conn, agent_type=agent_type)

    def claim_batch(self, lease: float, **given: Any) -> Any:
        found = claims.claim_batch(self.conn, lease=timedelta(seconds=lease), **given)
        return [(claim.key, claim.token) for claim in found]

    def claim(self, lease: float, **given: Any) -> Any:
        found = claims.claim(self.conn, lease=timedelta(seconds=lease), **given)
        return found and (found.key, found.token)

    def heartbeat(self, key: str, token: int, lease: float) -> Any:
        given = timedelta(seconds=lease)
        claims.heartbeat(self.conn, task_id=self.ids[key], token=token, lease=given)

    def complete(self, key: str, token: int) -> Any:
        return str(claims.complete(self.conn, task_id=self.ids[key], token=token).status)

    def submit(self, key: str, token: int) -> Any:
        return str(claims.submit(self.conn, task_id=self.ids[key], token=token).status)

    def fail(self, key: str, token: int, retry_in: float | None) -> Any:
        delay = None if retry_in is None else timedelta(seconds=retry_in)
        return str(
            claims.fail(
                self.conn, task_id=self.ids[key], token=token, error="it broke", retry_in=delay
            ).status
        )

    def release(self, key: str, token: int, retry_in: float | None) -> Any:
        delay = None if retry_in is None else timedelta(seconds=retry_in)
        return str(
            claims.release(self.conn, task_id=self.ids[key], token=token, retry_in=delay).status
        )


def failure(conn: Connection, requests: Sequence[Request]) -> AssertionError | None:
    """Run the calls on both; return what is wrong, or None."""
    compared = Compared(conn)
    try:
        for request in requests:
            compared.apply(request)
    except AssertionError as wrong:
        return wrong
    return None


def test_database_and_model_agree_on_every_answer_and_state(database_url: str) -> None:
    seed = int(os.environ.get("MODEL_SEED", "0")) or random.randrange(1, 10**9)
    with connect(database_url, autocommit=True) as conn:
        for number in range(SEQUENCES):
            chance = random.Random(f"{seed}/{number}")
            requests = FIRST + [random_request(chance) for _ in range(40)]
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
