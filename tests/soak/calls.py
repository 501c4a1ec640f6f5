"""The calls of the public API that a program makes: names and numbers become arguments.

Every call carries its tag, as agent, note, title or author.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any, Final, TypeAlias
from uuid import UUID

from taskdb.models import DependencyType, NewDependency, NewTask, TaskStatus
from taskdb.queries import claims, concurrency, dependencies, pauses, tasks
from tests.soak.program import KEYS, Op

# Takes a connection, sync or async, and returns what the public function returns.
Call: TypeAlias = Callable[[Any], Any]
Function: TypeAlias = Callable[..., Any]
Arguments: TypeAlias = dict[str, Any]

TYPE: Final = "docs"
# Tasks of one concurrency key throughout, one that joins and leaves them, and the most that may be
# in progress at a time.
KEYED: Final = ["t1", "t4", "t7"]
CHANGES_KEY: Final = "t5"
CONCURRENCY_KEY: Final = "k"
MOST: Final = 2
# Tasks with a back-off of their own.
RETRIED: Final = ["t2", "t5"]
BACK_OFF: Final = timedelta(milliseconds=20)
ENDINGS: Final = {
    "complete": "completed",
    "submit": "submitted",
    "fail": "failed",
    "release": "released",
    "complete_many": "completed",
    "fail_many": "failed",
    "release_many": "released",
    "complete_and_claim_next": "completed",
}
TYPES: Final = list(DependencyType)
STATUSES: Final = list(TaskStatus)


def plan() -> list[NewTask]:
    """Return the tasks that every program begins with."""
    return [
        NewTask(
            key=key,
            title=key,
            agent_type=TYPE if number % 3 == 0 else None,
            concurrency_key=CONCURRENCY_KEY if key in KEYED else None,
            retry_delay=BACK_OFF if key in RETRIED else None,
        )
        for number, key in enumerate(KEYS)
    ]


def planning(op: Op, tag: str, versions: dict[str, int]) -> tuple[Function, Arguments] | None:
    """Return a call that plans; None if *op* does something else."""
    first, second, third = op.numbers
    one, other = KEYS[first % len(KEYS)], KEYS[second % len(KEYS)]
    waiting, awaited, last = (f"t{number % 5}" for number in op.numbers)
    status = STATUSES[second % len(STATUSES)]
    kind = TYPES[third % len(TYPES)]
    calls: dict[str, tuple[Function, Arguments]] = {
        "create": (tasks.create, {"key": tag, "title": tag, "created_by": tag}),
        "create_again": (
            tasks.create,
            {
                "key": f"again{first % 2}",
                "title": tag,
                "created_by": tag,
                "status": TaskStatus.CANCELLED,
                "if_exists": "return",
            },
        ),
        "create_many": (
            tasks.create_many,
            {
                "tasks": [NewTask(key=f"{tag}{part}", title=tag, created_by=tag) for part in "ab"],
                "dependencies": [
                    NewDependency(f"{tag}b", f"{tag}a", kind, created_by=tag),
                    NewDependency(f"{tag}a", waiting, created_by=tag),
                ],
            },
        ),
        "delete": (tasks.delete, {"key": one}),
        "add_dependency": (
            dependencies.add_dependency,
            {"task": waiting, "depends_on": awaited, "dependency_type": kind, "created_by": tag},
        ),
        "add_dependencies": (
            dependencies.add_dependencies,
            {
                "dependencies": [
                    NewDependency(waiting, awaited, kind, created_by=tag),
                    NewDependency(awaited, last, created_by=tag),
                ]
            },
        ),
        "remove_dependency": (
            dependencies.remove_dependency,
            {"task": waiting, "depends_on": awaited},
        ),
        "prioritise": (tasks.update, {"key": one, "priority": 1 + third % 10}),
        "read": (tasks.get_by_key, {"key": one}),
        "edit": (tasks.update, {"key": one, "title": tag, "if_version": versions.get(one, 2)}),
        "change_key": (
            tasks.update,
            {"key": CHANGES_KEY, "concurrency_key": [None, CONCURRENCY_KEY][third % 2]},
        ),
        "set_limit": (
            concurrency.set_limit,
            {"key": CONCURRENCY_KEY, "at_most": 1 + third % MOST},
        ),
        "update_status": (
            tasks.update_status,
            {
                "key": one,
                "status": status,
                "force": third % 3 > 0,
                "note": tag,
                "blocked_reason": "it rains" if status is TaskStatus.BLOCKED else None,
            },
        ),
        "requeue": (tasks.requeue, {"keys": [one, other], "note": tag}),
        "pause": (pauses.pause, {"agent_type": TYPE}),
        "resume": (pauses.resume, {"agent_type": TYPE}),
    }
    return calls.get(op.name)


def claiming(op: Op, tag: str) -> tuple[Function, Arguments] | None:
    """Return a call that claims, and ends nothing; None if *op* does something else."""
    first, second, _ = op.numbers
    given = {"agent": tag, "lease": _lease(op)}
    calls: dict[str, tuple[Function, Arguments]] = {
        "claim_next": (claims.claim_next, {**given, "request_id": _request(op)}),
        "claim_batch": (
            claims.claim_batch,
            {**given, "limit": 1 + second % 3, "agent_type": TYPE},
        ),
        "claim": (
            claims.claim,
            {**given, "key": KEYS[first % len(KEYS)], "request_id": _request(op)},
        ),
    }
    return calls.get(op.name)


def holding(op: Op, tag: str, held: list[tuple[UUID, int]]) -> tuple[Function, Arguments]:
    """Return a call of the holder of one of the last claims, or of many of them."""
    first, _, third = op.numbers
    # The last ones, so that the sets of two clients overlap.
    many = held[-2 - third % 5 :]
    ids = {"task_ids": [id for id, _ in many], "tokens": [token for _, token in many]}
    task_id, token = held[-1 - first % min(len(held), 6)]
    pair = {"task_id": task_id, "token": token}
    delay = [None, timedelta(0), timedelta(0), timedelta(minutes=1)][third % 4]
    # Every other failure goes by the task's own back-off.
    retry = {"retry_in": delay} if first % 2 else {}
    calls: dict[str, tuple[Function, Arguments]] = {
        "heartbeat": (claims.heartbeat, pair),
        "complete": (claims.complete, {**pair, "note": tag}),
        "submit": (claims.submit, {**pair, "note": tag}),
        "fail": (claims.fail, {**pair, "error": tag, **retry}),
        "release": (claims.release, {**pair, "note": tag, "retry_in": delay}),
        "complete_and_claim_next": (
            claims.complete_and_claim_next,
            {
                **pair,
                "note": tag,
                "agent": tag,
                "lease": _lease(op),
                "request_id": _request(op),
            },
        ),
        "heartbeat_many": (claims.heartbeat_many, ids),
        "complete_many": (claims.complete_many, ids),
        "fail_many": (claims.fail_many, {**ids, "error": tag, **retry}),
        "release_many": (claims.release_many, {**ids, "note": tag, "retry_in": delay}),
    }
    return calls[op.name]


def _lease(op: Op) -> timedelta:
    return timedelta(milliseconds=5 if op.numbers[2] % 4 == 0 else 60_000)


def _request(op: Op) -> UUID | None:
    """Return one request for every other claim, so that other clients make it again."""
    return UUID(int=1) if op.numbers[1] % 2 else None
