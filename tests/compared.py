"""The database and the reference model side by side: random calls, and a comparison of everything.

Time is moved by taking seconds from every lease and schedule.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from datetime import timedelta
from typing import Any, Final
from uuid import UUID

import psycopg

from taskdb.errors import TaskdbError
from taskdb.models import DependencyType, NewDependency, NewTask, TaskStatus
from taskdb.queries import claims, concurrency, dependencies, pauses, tasks
from taskdb.queries.tasks import create_many as many_tasks
from tests.core_model import Request, step
from tests.core_rules import (
    KINDS,
    Entry,
    State,
    effective_priority,
    is_ready,
    open_dependencies,
    replay,
    running,
    stuck,
)

Connection = psycopg.Connection[Any]

KEYS: Final = ["a", "b", "c", "d", "e"]
AGENTS: Final = ["ann", "bob"]
TYPES: Final = ["test", "docs"]
# Over, or not, with the next time that passes; and so is a back-off, whatever part is drawn.
DELAYS: Final = [None, 0.0, 60.0]
FIRST: Final = [Request("create", {"key": name, "max_attempts": 2}) for name in KEYS[:4]]
PLANNING: Final = {
    "create": 2,
    "create_many": 1,
    "delete": 1,
    "add_dependency": 4,
    "add_dependencies": 1,
    "remove_dependency": 1,
    "update": 2,
    "update_status": 3,
    "requeue": 1,
}
WORK: Final = {
    "pause": 1,
    "resume": 2,
    "set_limit": 1,
    "claim_next": 3,
    "claim_batch": 2,
    "claim": 1,
    "complete_and_claim_next": 1,
    "heartbeat": 1,
    "heartbeat_many": 1,
    "complete": 2,
    "complete_many": 1,
    "submit": 1,
    "fail": 2,
    "fail_many": 1,
    "release": 2,
    "release_many": 1,
    "pass": 2,
}


def random_request(
    chance: random.Random, weights: dict[str, int], keys: Sequence[str] = KEYS
) -> Request:
    """Return any call; `claim` is the number of a claim made so far, counted from the last."""
    one = chance.choice
    key, other, agent = one(keys), one(keys), one(AGENTS)
    kind, retry = one([None, *TYPES]), one([{}, *({"retry_in": delay} for delay in DELAYS)])
    key_of_many = one([None, None, "k"])
    claim, many = chance.randint(0, 3), [chance.randint(0, 3) for _ in range(chance.randint(1, 3))]
    request = one([None, 1, 2])
    type_of_edge = one(["requires", *KINDS])
    edges = {(key, other): type_of_edge, (one(keys), key): one(KINDS)}
    new: dict[str, Any] = {
        "key": key,
        "priority": chance.randint(1, 10),
        "agent_type": kind,
        "assigned": one([None, None, agent]),
        "max_attempts": one([1, 2, 10]),
        "concurrency_key": key_of_many,
        "retry_delay": one([None, 40.0]),
        "max_retry_delay": 90.0,
    }
    change: dict[str, Any] = one(
        [
            {"priority": chance.randint(1, 10)},
            {"concurrency_key": key_of_many},
            {"max_attempts": one([1, 3])},
            {"agent_type": kind},
        ]
    )
    claiming: dict[str, Any] = {"agent": agent, "agent_type": one([None, kind]), "lease": 60.0}
    arguments: dict[str, dict[str, Any]] = {
        "create": {**new, "if_exists": one([None, "return"])},
        "create_many": {
            "tasks": [{**new, "key": name} for name in {key, one(["x", "y"])}],
            "edges": [(*edge, of) for edge, of in edges.items()],
        },
        "delete": {"key": key},
        "add_dependency": {"task": key, "depends_on": other, "dependency_type": type_of_edge},
        "add_dependencies": {"edges": [(*edge, of) for edge, of in edges.items()]},
        "remove_dependency": {"task": key, "depends_on": other},
        "update": {"key": key, "if_version": one([None, 0, 1]), **change},
        "update_status": {
            "key": key,
            "status": str(one(list(TaskStatus))),
            "force": one([True, False]),
            "reason": one([None, None, "it rains"]),
        },
        "requeue": {"keys": [key, other, key]},
        "pause": {"agent_type": kind},
        "resume": {"agent_type": one([None, kind])},
        "set_limit": {"key": "k", "at_most": chance.randint(1, 3)},
        "claim_next": {**claiming, "request": request},
        "claim_batch": {**claiming, "limit": chance.randint(1, 3)},
        "claim": {"key": key, "agent": agent, "lease": 60.0, "request": request},
        "complete_and_claim_next": {"claim": claim, **claiming, "request": request},
        "heartbeat": {"claim": claim, "lease": 60.0},
        "heartbeat_many": {"claims": many, "lease": 60.0},
        "complete": {"claim": claim},
        "complete_many": {"claims": many},
        "submit": {"claim": claim},
        "fail": {"claim": claim, **retry, "default_retry_in": one([None, 60.0])},
        "fail_many": {"claims": many, **retry},
        "release": {"claim": claim, "retry_in": one(DELAYS)},
        "release_many": {"claims": many, "retry_in": one(DELAYS)},
        "pass": {"seconds": one([100.0, 1000.0])},
    }
    name = chance.choices(list(weights), list(weights.values()))[0]
    return Request(name, arguments[name])


def failure(conn: Connection, requests: Sequence[Request]) -> AssertionError | None:
    """Run the calls on both; return what is wrong, or None."""
    compared = Compared(conn)
    try:
        for request in requests:
            compared.apply(request)
    except AssertionError as wrong:
        return wrong
    return None


class Compared:
    """The database and the model."""

    def __init__(self, conn: Connection) -> None:
        self.conn = conn
        self.state = State()
        self.now = 0.0
        self.claims: list[tuple[str, int]] = []
        self.ids: dict[str, UUID] = {}
        # The version of each task after so many edits.
        self.versions: dict[tuple[UUID, int], int] = {}
        for row in pauses.list_pauses(conn):
            pauses.resume(conn, agent_type=row.agent_type)
        conn.execute(b"delete from tasks")
        conn.execute(b"delete from concurrency_slots")

    def apply(self, request: Request) -> None:
        if request.name == "pass":
            self.pass_time(request.arguments["seconds"])
            return
        given = dict(request.arguments)
        if {"claim", "claims"} & given.keys():
            if not self.claims:
                return
            numbers = given.pop("claims") if "claims" in given else [given.pop("claim")]
            pairs = [self.claims[-1 - number % len(self.claims)] for number in numbers]
            single = {"key": pairs[0][0], "token": pairs[0][1]}
            given |= {"pairs": pairs} if "claims" in request.arguments else single
        self.compare_answers(request.name, given)
        self.compare()

    def compare_answers(self, name: str, given: dict[str, Any]) -> None:
        lapses = self.lapses()
        try:
            answer = getattr(self, name)(**given)
        except TaskdbError as error:
            answer = type(error).__name__
        chosen = answer
        if name == "complete_and_claim_next":
            chosen = answer[1] if isinstance(answer, tuple) else []
        if name in ("claim_next", "claim_batch", "complete_and_claim_next"):
            given["chosen"] = chosen
        if name in ("fail", "fail_many"):
            given["drawn"] = self.drawn()
        lapsed = {key for key, count in self.lapses().items() if count > lapses.get(key, 0)}
        request = Request(name, given)
        self.state, expected = step(self.state, request, self.now, frozenset(lapsed))
        assert answer == expected, (request, answer, expected)
        if name == "claim":
            chosen = [answer] if answer else []
        if name == "claim" or "chosen" in given:
            self.claims += chosen

    def compare(self) -> None:
        found = {
            row[0]: row[1:]
            for row in self.conn.execute(
                b"select task.key, task.id, task.status::text, task.claim_agent, task.claim_token,"
                b" task.open_dependencies, task.effective_priority, task.failed_attempts,"
                b" task.blocked_reason, task.is_ready or task.waits_for_slot, task.is_due,"
                b" task.version + details.version"
                b" from tasks as task join task_details as details on details.task_id = task.id"
            )
        }
        assert found.keys() == self.state.tasks.keys()
        for key, task in self.state.tasks.items():
            id, status, holder, token, count, urgency, failed, reason, ready, due, version = found[
                key
            ]
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
            assert self.versions.setdefault((id, task.edits), version) == version, key
            assert task.edits == 0 or self.versions[id, task.edits - 1] < version, key
        self.compare_histories()
        self.compare_lists()

    def compare_histories(self) -> None:
        found: dict[str, list[Entry]] = {key: [] for key in self.state.tasks}
        for key, *row in self.conn.execute(
            b"select task.key, entry.old_status::text, entry.new_status::text, entry.forced,"
            b" entry.outcome::text, entry.token,"
            b" case when entry.token is not null then entry.agent end"
            b" from task_history as entry join tasks as task on task.id = entry.task_id"
            b" order by entry.task_id, entry.seq"
        ):
            found[key].append(Entry(*row))
        for key, history in found.items():
            self.compare_history(key, history)

    def compare_history(self, key: str, history: list[Entry]) -> None:
        task = self.state.tasks[key]
        assert len(history) == len(task.history), (key, history)
        for seen, expected in zip(history, task.history, strict=True):
            if seen.outcome == "revoked":
                seen.agent = expected.agent  # The agent that revoked it.
            if seen.token is None:
                seen.agent = expected.agent
        assert history == task.history, key
        assert replay(key, history).token == task.token

    def compare_lists(self) -> None:
        """Compare the lists of stuck tasks and of concurrency keys."""
        in_vain = stuck(self.state)
        listed = {row.key: row.dead_blockers for row in dependencies.list_stuck(self.conn)}
        assert listed == in_vain
        for key, task in self.state.tasks.items():
            if task.status == "blocked":
                reasons = dependencies.why_not_ready(self.conn, key)
                dead = sorted(row.blocker_key for row in reasons if row.dead and row.blocker_key)
                assert dead == in_vain.get(key, []), key
        for row in concurrency.list_keys(self.conn):
            limit = self.state.limits.get(row.key, 1)
            assert (row.at_most, row.running) == (limit, running(self.state, row.key)), row

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

    def drawn(self) -> dict[str, float | None]:
        """Return in how many seconds each task can be claimed again."""
        return dict(
            self.conn.execute(
                b"select key, extract(epoch from scheduled_at - now())::float8 from tasks"
            ).fetchall()
        )

    # The public calls, in the model's words.

    def create(self, key: str, **given: Any) -> Any:
        made = tasks.create(self.conn, key=key, title=key, **_planned(given))
        return str(made.status)

    def create_many(self, tasks: list[dict[str, Any]], edges: list[tuple[str, str, str]]) -> Any:
        new = [NewTask(title=given["key"], **_planned(given)) for given in tasks]
        with self.conn.transaction():
            made = many_tasks(self.conn, new, _edges(edges))
        found = dict(self.conn.execute(b"select id, status::text from tasks").fetchall())
        return [found[id] for id in made.ids]

    def delete(self, key: str) -> Any:
        tasks.delete(self.conn, key=key)

    def add_dependency(self, task: str, depends_on: str, dependency_type: str) -> Any:
        kind = DependencyType(dependency_type)
        dependencies.add_dependency(
            self.conn, task=task, depends_on=depends_on, dependency_type=kind
        )

    def add_dependencies(self, edges: list[tuple[str, str, str]]) -> Any:
        dependencies.add_dependencies(self.conn, _edges(edges))

    def remove_dependency(self, task: str, depends_on: str) -> Any:
        dependencies.remove_dependency(self.conn, task=task, depends_on=depends_on)

    def update(self, key: str, if_version: int | None, **changes: Any) -> Any:
        known = None
        if if_version is not None and key in self.state.tasks:
            known = self.versions.get((self.ids[key], if_version), 0)
        tasks.update(self.conn, key=key, if_version=known, **changes)

    def update_status(self, key: str, status: str, force: bool, reason: str | None) -> Any:
        return str(
            tasks.update_status(
                self.conn, key=key, status=TaskStatus(status), force=force, blocked_reason=reason
            ).status
        )

    def requeue(self, keys: list[str]) -> Any:
        return sorted(tasks.requeue(self.conn, keys=keys))

    def pause(self, agent_type: str | None) -> Any:
        pauses.pause(self.conn, agent_type=agent_type)

    def resume(self, agent_type: str | None) -> Any:
        return pauses.resume(self.conn, agent_type=agent_type)

    def set_limit(self, key: str, at_most: int) -> Any:
        row = concurrency.set_limit(self.conn, key=key, at_most=at_most)
        return (row.at_most, row.running)

    def claim_next(self, **given: Any) -> Any:
        found = claims.claim_next(self.conn, **_timed(given))
        return [(found.key, found.token)] if found else []

    def claim_batch(self, **given: Any) -> Any:
        found = claims.claim_batch(self.conn, **_timed(given))
        return [(claim.key, claim.token) for claim in found]

    def claim(self, **given: Any) -> Any:
        found = claims.claim(self.conn, **_timed(given))
        return found and (found.key, found.token)

    def complete_and_claim_next(self, key: str, token: int, **given: Any) -> Any:
        found = claims.complete_and_claim_next(
            self.conn, task_id=self.ids[key], token=token, **_timed(given)
        )
        chosen = [(found.claim.key, found.claim.token)] if found.claim else []
        return (str(found.status), chosen)

    def heartbeat(self, key: str, token: int, **given: Any) -> Any:
        claims.heartbeat(self.conn, task_id=self.ids[key], token=token, **_timed(given))

    def heartbeat_many(self, pairs: list[tuple[str, int]], **given: Any) -> Any:
        found = claims.heartbeat_many(self.conn, **self._many(pairs), **_timed(given))
        return [row.was_held for row in found]

    def complete(self, key: str, token: int) -> Any:
        return str(claims.complete(self.conn, task_id=self.ids[key], token=token).status)

    def submit(self, key: str, token: int) -> Any:
        return str(claims.submit(self.conn, task_id=self.ids[key], token=token).status)

    def fail(self, key: str, token: int, **given: Any) -> Any:
        id = self.ids[key]
        return str(
            claims.fail(
                self.conn, task_id=id, token=token, error="it broke", **_timed(given)
            ).status
        )

    def release(self, key: str, token: int, **given: Any) -> Any:
        id = self.ids[key]
        return str(claims.release(self.conn, task_id=id, token=token, **_timed(given)).status)

    def complete_many(self, pairs: list[tuple[str, int]]) -> Any:
        return _statuses(claims.complete_many(self.conn, **self._many(pairs)))

    def fail_many(self, pairs: list[tuple[str, int]], **given: Any) -> Any:
        many = self._many(pairs)
        return _statuses(claims.fail_many(self.conn, **many, error="it broke", **_timed(given)))

    def release_many(self, pairs: list[tuple[str, int]], **given: Any) -> Any:
        return _statuses(claims.release_many(self.conn, **self._many(pairs), **_timed(given)))

    def _many(self, pairs: list[tuple[str, int]]) -> dict[str, Any]:
        return {
            "task_ids": [self.ids[key] for key, _ in pairs],
            "tokens": [token for _, token in pairs],
        }


def _statuses(rows: list[Any]) -> list[str | None]:
    assert all(row.was_held == (row.status is not None) for row in rows)
    return [row.status and str(row.status) for row in rows]


def _planned(given: dict[str, Any]) -> dict[str, Any]:
    """Return the arguments of a new task, in taskdb's words."""
    arguments = dict(given)
    arguments["assigned_agent"] = arguments.pop("assigned", None)
    return _timed(arguments)


def _timed(given: dict[str, Any]) -> dict[str, Any]:
    """Return arguments with seconds as intervals and numbers of requests as UUIDs."""
    arguments = dict(given)
    for name in ("lease", "retry_in", "default_retry_in", "retry_delay", "max_retry_delay"):
        if arguments.get(name) is not None:
            arguments[name] = timedelta(seconds=arguments[name])
    if "request" in arguments:
        request = arguments.pop("request")
        arguments["request_id"] = None if request is None else UUID(int=request)
    return arguments


def _edges(edges: list[tuple[str, str, str]]) -> list[NewDependency]:
    return [NewDependency(task, blocker, DependencyType(kind)) for task, blocker, kind in edges]
