"""Reading with aiosql, SQLAlchemy and asyncpg. `make bench` installs them."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from datetime import datetime
from decimal import Decimal
from functools import partial
from typing import Any
from uuid import UUID

import aiosql
import asyncpg
import psycopg
from sqlalchemy import DateTime, create_engine, select
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column

from bench import named, plain
from bench.reading import KEY, MANY, Row, Way, get_by_key, list_tasks


class Base(DeclarativeBase):
    pass


class Task(Base):
    __tablename__ = "bench_tasks"
    __table_args__ = {"schema": "public"}  # noqa: RUF012 -- SQLAlchemy asks for it so

    id: Mapped[UUID] = mapped_column(primary_key=True)
    key: Mapped[str]
    title: Mapped[str]
    description: Mapped[str | None]
    status: Mapped[str]
    priority: Mapped[int]
    agent_type: Mapped[str | None]
    estimated_hours: Mapped[Decimal | None]
    execution_order: Mapped[int | None]
    requirements: Mapped[dict[str, Any] | None] = mapped_column(JSONB)
    context: Mapped[dict[str, Any] | None] = mapped_column(JSONB)
    # The name metadata is SQLAlchemy's own.
    metadata_: Mapped[dict[str, Any] | None] = mapped_column("metadata", JSONB)
    created_by: Mapped[str | None]
    created_at: Mapped[datetime] = mapped_column(DateTime(timezone=True))
    updated_at: Mapped[datetime] = mapped_column(DateTime(timezone=True))


@contextmanager
def ways(url: str) -> Iterator[list[Way]]:
    """Open the connections of each library."""
    with ExitStack() as stack:
        conn = stack.enter_context(psycopg.connect(url))
        runner = stack.enter_context(asyncio.Runner())
        yield [
            *_with_aiosql(conn),
            *_with_sqlalchemy(url, stack),
            _with_asyncpg(url, stack, runner, decoding=False),
            _with_asyncpg(url, stack, runner, decoding=True),
        ]


def _with_aiosql(conn: psycopg.Connection[Any]) -> Iterator[Way]:
    for name, gives, line in (
        ("aiosql", "tuple", ""),
        ("aiosql, `record_class`", "dataclass", "-- record_class: Row\n"),
    ):
        texts = (
            f"-- name: get_by_key(key)^\n{line}{named(get_by_key)};\n",
            f"-- name: list_tasks(limit)\n{line}{named(list_tasks)};\n",
        )
        queries = aiosql.from_str("\n".join(texts), "psycopg", record_classes={"Row": Row})
        yield Way(
            name,
            gives,
            partial(queries.get_by_key, conn, key=KEY),
            partial(_list, queries, conn),
        )


def _list(queries: Any, conn: psycopg.Connection[Any]) -> list[Any]:
    return list(queries.list_tasks(conn, limit=MANY))


def _with_sqlalchemy(url: str, stack: ExitStack) -> Iterator[Way]:
    engine = create_engine(url.replace("postgresql:", "postgresql+psycopg:", 1))
    stack.callback(engine.dispose)
    conn = stack.enter_context(engine.connect())
    session = stack.enter_context(Session(engine))
    table = Task.__table__
    yield Way(
        "SQLAlchemy Core",
        "Row",
        lambda: conn.execute(select(table).where(table.c.key == KEY)).one(),
        lambda: conn.execute(select(table).order_by(table.c.key).limit(MANY)).all(),
    )
    yield Way(
        "SQLAlchemy ORM",
        "object of a session",
        lambda: session.scalars(select(Task).where(Task.key == KEY)).one(),
        lambda: session.scalars(select(Task).order_by(Task.key).limit(MANY)).all(),
    )


def _with_asyncpg(url: str, stack: ExitStack, runner: asyncio.Runner, *, decoding: bool) -> Way:
    one, many = plain(get_by_key), plain(list_tasks)

    async def connect() -> Any:
        opened = await asyncpg.connect(url)
        if decoding:
            await opened.set_type_codec(
                "jsonb", encoder=json.dumps, decoder=json.loads, schema="pg_catalog"
            )
        return opened

    conn = runner.run(connect())
    stack.callback(lambda: runner.run(conn.close()))
    return Way(
        "asyncpg, with a codec for jsonb" if decoding else "asyncpg",
        "Record" if decoding else "Record, jsonb as text",
        lambda: conn.fetchrow(one, KEY),
        lambda: conn.fetch(many, MANY),
        runner,
    )
