"""The examples of docs/integration.md, run as they stand there."""

from __future__ import annotations

import inspect
import io
import json
import re
import sys
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from functools import partial
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any, get_args, get_type_hints

import psycopg
import pytest

from taskdb import AsyncDatabase, Database, connect
from taskdb.errors import QueryMismatchError
from taskdb.models import ExecutionStep, NewStep, NewWorkflow
from taskdb.models.types import TaskStatus
from taskdb.queries import claims, dependencies, executions, tasks, workflows
from tests.plans import take

PAGE = Path(__file__).parents[2] / "docs" / "integration.md"


def example(name: str) -> dict[str, Any]:
    """The names that the example beginning with ``# name`` defines, once it has run."""
    blocks = re.findall(r"```python\n(# .+?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    (source,) = (block for block in blocks if block.startswith(f"# {name}"))
    module = ModuleType(name.removesuffix(".py"))
    sys.modules[module.__name__] = module
    exec(compile(source, f"{PAGE}:{name}", "exec"), vars(module))
    return vars(module)


def test_every_example_of_the_page_is_run_here() -> None:
    page = PAGE.read_text(encoding="utf-8")
    named = re.findall(r"```python\n# (\w+\.py)", page)

    assert len(named) == page.count("```python")
    for name in named:
        assert f'example("{name}")' in Path(__file__).read_text(encoding="utf-8")


def test_wsgi_service_serves_and_refuses(
    database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DATABASE_URL", database_url)
    names = example("wsgi_service.py")

    def request(method: str, path: str, body: str = "") -> tuple[str, Any]:
        answer: list[str] = []
        environ = {
            "REQUEST_METHOD": method,
            "PATH_INFO": path,
            "wsgi.input": io.BytesIO(body.encode()),
        }
        content = names["application"](environ, lambda status, headers: answer.append(status))
        return answer[0], json.loads(b"".join(content))

    assert request("POST", "/tasks/T-1", "Write the manual")[0] == "200 OK"
    status, task = request("GET", "/tasks/T-1")
    assert (status, task["title"], task["status"]) == ("200 OK", "Write the manual", "pending")
    assert request("POST", "/tasks/T-1", "Again") == (
        "409 Conflict",
        {"error": "key 'T-1' must be unique in tasks"},
    )
    assert request("POST", "/tasks/T-2", "")[0] == "422 Unprocessable Content"
    assert request("GET", "/tasks/T-3")[0] == "404 Not Found"
    names["database"].close()


def test_a_task_is_tried_again_as_it_says(conn: psycopg.Connection[Any]) -> None:
    names = example("retries.py")
    task = names["plan"](conn)

    names["try_later"](conn, take(conn), "busy")

    assert tasks.get(conn, task.id).status == "pending"
    conn.execute(b"update tasks set scheduled_at = now()")
    names["give_up"](conn, take(conn), "gone")
    assert tasks.get(conn, task.id).status == "failed"


def test_a_failed_deployment_is_rolled_back_and_not_announced(
    conn: psycopg.Connection[Any],
) -> None:
    names = example("deployment.py")
    names["plan"](conn)

    tasks.update_status(conn, "build", status=TaskStatus.COMPLETED, force=True)
    tasks.update_status(conn, "deploy", status=TaskStatus.FAILED, force=True)

    assert tasks.get_by_key(conn, "announce").status == "cancelled"
    assert take(conn).key == "roll-back"
    assert names["stuck"](conn) == []


def test_tasks_of_a_key_wait_for_its_slots(conn: psycopg.Connection[Any]) -> None:
    names = example("limits.py")
    names["plan"](conn)

    claimed = claims.claim_batch(conn, agent="ada", limit=3)

    assert [claim.key for claim in claimed] == ["refund", "charge"]
    assert names["why"](conn, "report") == ["charge", "refund"]


@pytest.mark.slow
def test_runner_works_a_workflow_off_and_stops_at_a_failure(database_url: str) -> None:
    names = example("runner.py")
    steps = [
        NewStep(key="build", step_type="job"),
        NewStep(key="test", step_type="job", needs=["build"]),
        NewStep(key="lint", step_type="job", needs=["build"]),
        NewStep(key="deploy", step_type="job", needs=["test"], condition='$.branch == "main"'),
    ]

    def broken(step: ExecutionStep) -> dict[str, Any]:
        if step.key == "test":
            raise RuntimeError("one test failed")
        return {}

    with Database(database_url) as database:
        with database.transaction() as conn:
            made = workflows.create(conn, NewWorkflow(name="CI"), steps)
            workflows.activate(conn, made.id)
        good = names["run"](database, made.id, lambda step: {"key": step.key})
        bad = names["run"](database, made.id, broken, context={"branch": "main"})
        with database.connection() as conn:
            ends = [
                {step.key: step.status.value for step in executions.list_steps(conn, run.id)}
                for run in (good, bad)
            ]

    assert (good.status, bad.status) == ("completed", "failed")
    assert bad.error_message == "step test: one test failed"
    assert ends[0]["deploy"] == "skipped"
    assert ends[1] == {
        "build": "completed",
        "test": "failed",
        "lint": "cancelled",
        "deploy": "cancelled",
    }


class Depends:
    """FastAPI's marker for what it injects."""

    def __init__(self, make: Callable[..., Any]) -> None:
        self.make = make


class JSONResponse:
    """FastAPI's response."""

    def __init__(self, *, status_code: int, content: Any) -> None:
        self.status_code = status_code
        self.content = content


class Request:
    """FastAPI's request, as far as the example looks at it."""

    def __init__(self, app: FastAPI) -> None:
        self.app = app


class FastAPI:
    """Parts of FastAPI that the example uses: routes, injection, handlers, a lifespan.

    A dependency ends after the response is made, as FastAPI's does.
    """

    def __init__(self, *, lifespan: Callable[[FastAPI], Any]) -> None:
        self.lifespan = lifespan
        self.state = SimpleNamespace()
        self.routes: list[tuple[str, str, Callable[..., Awaitable[Any]]]] = []
        self.handlers: dict[type[Exception], Callable[..., Awaitable[JSONResponse]]] = {}

    def get(self, path: str) -> Callable[[Any], Any]:
        return partial(self._add, "GET", path)

    def post(self, path: str) -> Callable[[Any], Any]:
        return partial(self._add, "POST", path)

    def _add(self, method: str, path: str, function: Any) -> Any:
        self.routes.append((method, path, function))
        return function

    def exception_handler(self, kind: type[Exception]) -> Callable[[Any], Any]:
        return lambda function: self.handlers.setdefault(kind, function)

    async def request(self, method: str, path: str) -> tuple[int, Any]:
        for known, pattern, function in self.routes:
            match = re.fullmatch(re.sub(r"\{(\w+)\}", r"(?P<\1>[^/]+)", pattern), path)
            if known == method and match:
                return await self._answer(function, match.groupdict())
        return 404, None

    async def _answer(self, function: Callable[..., Any], given: dict[str, str]) -> tuple[int, Any]:
        try:
            async with AsyncExitStack() as stack:
                return 200, await function(**given, **await self._injected(function, stack))
        except Exception as error:
            for kind, handler in self.handlers.items():
                if isinstance(error, kind):
                    response = await handler(Request(self), error)
                    return response.status_code, response.content
            raise

    async def _injected(
        self, function: Callable[..., Any], stack: AsyncExitStack
    ) -> dict[str, Any]:
        injected: dict[str, Any] = {}
        for name, hint in get_type_hints(function, include_extras=True).items():
            marker = next((a for a in get_args(hint)[1:] if isinstance(a, Depends)), None)
            if marker:
                injected[name] = await self._made(marker.make, stack)
            elif hint is Request:
                injected[name] = Request(self)
        return injected

    async def _made(self, make: Callable[..., Any], stack: AsyncExitStack) -> Any:
        arguments = await self._injected(make, stack)
        if inspect.isasyncgenfunction(make):
            return await stack.enter_async_context(asynccontextmanager(make)(**arguments))
        return await make(**arguments)


@pytest.fixture
async def app(database_url: str, monkeypatch: pytest.MonkeyPatch) -> AsyncGenerator[FastAPI]:
    framework, responses = ModuleType("fastapi"), ModuleType("fastapi.responses")
    vars(framework).update(Depends=Depends, FastAPI=FastAPI, Request=Request)
    vars(responses).update(JSONResponse=JSONResponse)
    monkeypatch.setitem(sys.modules, "fastapi", framework)
    monkeypatch.setitem(sys.modules, "fastapi.responses", responses)
    monkeypatch.setenv("DATABASE_URL", database_url)
    app: FastAPI = example("fastapi_service.py")["app"]
    async with app.lifespan(app):
        yield app


async def test_fastapi_service_reads_claims_and_refuses(app: FastAPI) -> None:
    database: AsyncDatabase = app.state.database
    async with database.transaction() as conn:
        await tasks.create(conn, key="T-1", title="Write the manual")

    status, task = await app.request("GET", "/tasks/T-1")
    assert (status, task["title"]) == (200, "Write the manual")
    assert json.loads(json.dumps(task)) == task

    assert (await app.request("POST", "/claims/dev-1"))[1]["key"] == "T-1"
    assert await app.request("POST", "/claims/dev-1") == (200, None)
    assert (await app.request("GET", "/tasks/T-1"))[1]["status"] == "in_progress"
    assert (await app.request("GET", "/tasks/T-2"))[0] == 404
    assert await app.request("GET", "/tasks/" + "x" * 101) == (
        422,
        {"error": "key must have at most 100 characters", "field": "key"},
    )
    assert (await app.request("GET", "/health"))[1]["waiting"] == 0
    assert database.pool_figures().in_use == 0


def test_planner_works_on_the_connection_it_is_given(conn: psycopg.Connection) -> None:
    planner = example("planner.py")["Planner"](conn)

    first = planner.add_release("R1", ["Freeze", "Test", "Publish"])

    assert first.status is TaskStatus.PENDING
    assert [d.key for d in dependencies.dependents_of(conn, key="R1-1")] == ["R1-2"]


def test_handing_over_is_all_or_nothing(database_url: str) -> None:
    hand_over = example("retrying.py")["hand_over"]
    with Database(database_url) as database:
        with database.transaction() as conn:
            tasks.create(conn, key="T-1", title="Write the manual")

        assert hand_over(database, "T-1", "dev-1") == 1

        with database.connection() as conn:
            assert tasks.get_by_key(conn, key="T-1").context == {"handed_to": "dev-1"}
            assert [a.agent for a in claims.list_live(conn)] == ["dev-1"]
        with pytest.raises(LookupError):
            hand_over(database, "T-1", "dev-2")


@pytest.mark.slow
def test_roles_are_let_in_to_write_and_to_read(
    database_url: str, make_role: Callable[[], tuple[str, str]]
) -> None:
    (service, service_url), (report, report_url) = make_role(), make_role()

    example("roles.py")["let_in"](database_url, service, report)

    with connect(service_url) as conn:
        tasks.create(conn, key="T-1", title="Write the manual")
    with connect(report_url) as conn:
        assert tasks.get_by_key(conn, key="T-1").title == "Write the manual"
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            tasks.delete(conn, key="T-1")


def test_service_starts_only_on_a_database_that_its_queries_fit(
    database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DATABASE_URL", database_url)
    names = example("checked_start.py")
    names["open_database"]().close()
    with psycopg.connect(database_url) as conn:
        conn.execute("alter table taskdb.task_claims rename column note to remark")

    with pytest.raises(QueryMismatchError, match=r"claims\.list_for_task"):
        names["open_database"]()
