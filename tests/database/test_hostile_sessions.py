"""Settings that any role may change for its session: nothing that is kept depends on them."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator
from datetime import timedelta
from typing import Any

import pytest

from taskdb.admin import doctor
from taskdb.database import connect, roles
from taskdb.errors import CircularDependencyError
from taskdb.queries import claims, concurrency, dependencies, tasks
from tests.database.privileges import Conn, MakeRole, execute

# These end or refuse statements of their own session, and nothing else.
LEFT = {
    *("search_path", "role", "session_authorization", "client_encoding", "exit_on_error"),
    *("statement_timeout", "lock_timeout", "transaction_timeout", "idle_session_timeout"),
    *("idle_in_transaction_session_timeout", "client_connection_check_interval"),
    *("transaction_read_only", "default_transaction_read_only", "transaction_isolation"),
    *(
        "transaction_deferrable",
        "default_transaction_isolation",
        "log_parameter_max_length_on_error",
    ),
    # psycopg reads no other.
    *("DateStyle", "IntervalStyle"),
}
TEXTS = {
    "TimeZone": "Pacific/Kiritimati",
    "default_text_search_config": "pg_catalog.german",
    "plpgsql.extra_errors": "all",
    "plpgsql.extra_warnings": "all",
    "application_name": "x" * 60,
    "taskdb.ready_types": '[0:1]={"a",NULL}',
}
WAYS: dict[str, Callable[[str, list[str], str, str, str], str | None]] = {
    "flipped": lambda kind, _, low, high, now: (
        None if kind != "bool" else "off" if now == "on" else "on"
    ),
    "lowest": lambda kind, _, low, high, now: low if kind in ("integer", "real") else None,
    "highest": lambda kind, _, low, high, now: high if kind in ("integer", "real") else None,
    "first": lambda kind, labels, low, high, now: labels[0] if kind == "enum" else None,
    "last": lambda kind, labels, low, high, now: labels[-1] if kind == "enum" else None,
}


@pytest.fixture
def app(owner: Conn, make_role: MakeRole) -> Generator[Conn]:
    role, url = make_role()
    roles.grant(owner, "taskdb", role, "app")
    with connect(url, autocommit=True) as conn:
        yield conn


def settings(conn: Conn, way: str) -> Iterator[tuple[str, str]]:
    """Yield each setting that this role may change, with a value of its kind."""
    if way == "texts":
        yield from TEXTS.items()
        return
    for name, *given in execute(
        conn,
        "select name, vartype, enumvals, min_val, max_val, setting from pg_settings"
        " where context = 'user' order by name",
    ):
        if name not in LEFT and (value := WAYS[way](*given)) is not None:
            yield name, value


def work(conn: Conn, prefix: str) -> None:
    """Create, connect, claim, fail, complete: each trigger that derives something runs."""
    back_off = timedelta(days=2, microseconds=7)
    concurrency.set_limit(conn, key=prefix, at_most=1)
    for key, given in {
        "a": {"description": "Running 1.5e-300 dogs", "labels": ["NULL"]},
        "b": {"priority": 1, "metadata": {"x": [None, 1.1, "null"]}},
        "c": {"concurrency_key": prefix},
        "d": {"retry_delay": back_off, "max_retry_delay": back_off},
    }.items():
        tasks.create(conn, key=prefix + key, title=f"Task {key}", **given)  # type: ignore[arg-type]
    dependencies.add_dependency(conn, task=prefix + "b", depends_on=prefix + "a")
    dependencies.add_dependency(conn, task=prefix + "a", depends_on=prefix + "c")
    with pytest.raises(CircularDependencyError):
        dependencies.add_dependency(conn, task=prefix + "c", depends_on=prefix + "b")
    for key in "cad":
        claim = claims.claim(conn, key=prefix + key, agent="ann")
        assert claim
        named: dict[str, Any] = {"task_id": claim.task_id, "token": claim.token}
        claims.heartbeat(conn, progress=5, note="half", **named)
        if key == "d":
            claims.fail(conn, error="no disk", **named)
        else:
            claims.complete(conn, **named)
    tasks.update(conn, prefix + "b", title="Bravo")


def kept(owner: Conn, prefix: str) -> list[tuple[Any, ...]]:
    rows = execute(
        owner,
        f"""
        select
            right(task.key, 1), task.title, task.status, task.effective_priority,
            task.open_dependencies, task.is_ready, task.is_due, task.failed_attempts,
            task.claim_token, task.status_seq, task.version, task.has_dependents,
            task.waits_for_slot, task.scheduled_at > now() + interval '20 hours',
            task.scheduled_at < now() + interval '49 hours',
            details.labels, details.metadata, details.retry_delay, details.max_retry_delay,
            words.document::text,
            (
                select array_agg(
                    (entry.seq, entry.old_status, entry.new_status, entry.outcome, entry.note,
                    entry.progress_pct, entry.automatic, entry.forced)::text order by entry.seq
                )
                from task_history as entry where entry.task_id = task.id
            )
        from tasks as task
        inner join task_details as details on details.task_id = task.id
        inner join task_search as words on words.task_id = task.id
        where starts_with(task.key, '{prefix}')
        order by 1
        """,
    )
    return [tuple(str(value).replace(prefix, "") for value in row) for row in rows]


@pytest.mark.parametrize("way", [*WAYS, "texts"])
def test_no_setting_of_a_session_changes_what_is_kept(owner: Conn, app: Conn, way: str) -> None:
    work(app, "before-")
    chosen = list(settings(app, way))
    for name, value in chosen:
        app.execute("select set_config($1, $2, false)", (name, value))

    work(app, "after-")

    assert len(chosen) > 4
    assert kept(owner, "after-") == kept(owner, "before-")
    assert doctor.run(owner) == []
