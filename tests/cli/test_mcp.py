"""`taskdb mcp`, tried with the protocol's own client library over standard input and output."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from mcp import ClientSession, StdioServerParameters
from mcp.client.stdio import stdio_client

from taskdb.database import connect
from taskdb.queries import claims, tasks
from taskdb.verbs.tools import TOOLS
from tests.command_line import command, environment


def parameters(url: str, *more: str) -> StdioServerParameters:
    program, *arguments = command("--url", url, "mcp", *more)
    return StdioServerParameters(command=program, args=arguments, env=environment())


async def test_an_agent_works_a_plan_off_with_the_tools(database_url: str) -> None:
    async with (
        stdio_client(parameters(database_url, "--agent", "dev-1")) as (read, write),
        ClientSession(read, write) as session,
    ):
        await session.initialize()

        async def call(name: str, **fields: Any) -> dict[str, Any]:
            result = await session.call_tool(name, fields)
            assert not result.is_error, result.content
            assert result.structured_content is not None
            return dict(result.structured_content)

        await call("add", title="Write the parser", key="T-1", label=["api"])
        await call("add", title="Write the printer", key="T-2", after=["T-1"])
        claim = await call("claim", lease="PT30M")
        held = {"key": claim["key"], "token": claim["token"]}
        brief = await call("brief", key="T-1", words=100)
        await call("heartbeat", **held, progress=50, note="half")
        done = await call("complete", **held, note="merged")
        second = await call("claim")
        asked = await call("ask", key="T-2", token=second["token"], question="Which?")
        nothing = await call("claim")
        lost = await session.call_tool("complete", {**held, "token": 99})
        bad = await session.call_tool("add", {"title": "A task", "priority": 11})
        unknown = await session.call_tool("add", {"title": "A task", "depends_on": ["T-1"]})

    assert (claim["key"], claim["agent"]) == ("T-1", "dev-1")
    assert "# T-1 Write the parser" in brief["text"]
    assert (done["status"], second["key"]) == ("completed", "T-2")
    assert asked["blocked_reason"] == "question: Which?"
    assert nothing == {"claimed": False, "why": "nothing can be claimed now"}
    assert lost.is_error
    assert "drop the work, and claim again" in str(lost.content)
    assert bad.is_error
    assert "priority must be" in str(bad.content)
    assert unknown.is_error
    assert "depends_on" in str(unknown.content)
    with connect(database_url) as conn:
        [attempt] = claims.list_for_task(conn, "T-1")
        assert (attempt.outcome, attempt.progress_pct) == ("completed", 50)
        assert tasks.get_by_key(conn, "T-1").labels == ["api"]


@pytest.mark.slow
async def test_the_tools_are_described(shared_database_url: str) -> None:
    async with (
        stdio_client(parameters(shared_database_url)) as (read, write),
        ClientSession(read, write) as session,
    ):
        await session.initialize()
        listed = {tool.name: tool for tool in (await session.list_tools()).tools}

    assert set(listed) == {verb.__name__ for verb in TOOLS}
    complete = listed["complete"]
    assert complete.description == "Complete a task under a live claim, which ends."
    assert sorted(complete.input_schema["required"]) == ["key", "token"]
    for tool in listed.values():
        assert tool.input_schema["additionalProperties"] is False
        for name, schema in tool.input_schema["properties"].items():
            assert schema.get("description"), (tool.name, name)
    assert "agent" in listed["claim"].input_schema["required"]


def test_page_names_every_tool() -> None:
    page = (Path(__file__).parents[2] / "docs" / "agents.md").read_text()
    section = page.partition("## Agents without a shell")[2].partition("## ")[0]

    assert all(verb.__name__ in section for verb in TOOLS)
