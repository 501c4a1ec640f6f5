"""The lease and the completion in plain SQL: `sql/jobs.sql`, for psycopg and for pgbench."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from bench import connected, query


@dataclass(frozen=True, slots=True)
class Leased:
    id: UUID
    token: int
    key: str
    title: str


@dataclass(frozen=True, slots=True)
class LeasedMany:
    ids: list[UUID]
    tokens: list[int]


@query
def create_jobs() -> None: ...


@query
def index_jobs() -> None: ...


@query
def empty_jobs() -> None: ...


@query
def fill_jobs(*, jobs: int) -> int: ...


@query
def jobs_done() -> int: ...


@query
def lease(*, agent: str) -> Leased | None: ...


@query
def finish(*, id: UUID, token: int) -> datetime | None: ...


@query
def finish_and_lease(*, id: UUID, token: int, agent: str) -> Leased | None: ...


@query
def lease_many(*, agent: str) -> LeasedMany: ...


@query
def finish_many(*, ids: list[UUID], tokens: list[int]) -> list[UUID]: ...


def prepare(url: str) -> None:
    """Create the table and its index."""
    with connected(url) as conn:
        create_jobs(conn)
        index_jobs(conn)


def refill(url: str, jobs: int) -> None:
    """Leave that many ready jobs and nothing else."""
    with connected(url) as conn:
        empty_jobs(conn)
        fill_jobs(conn, jobs=jobs)
