"""The verbs as tools of the Model Context Protocol, for agents without a shell.

Made from the same functions as the command line's: name, parameters and their help follow from the
signature. It needs the extra `taskdb[mcp]`.
"""

from __future__ import annotations

import dataclasses
import functools
import inspect
from collections.abc import Callable
from contextlib import AbstractContextManager
from datetime import datetime, timedelta
from typing import Annotated, Any, Final, get_args, get_origin

import psycopg

from taskdb import verbs
from taskdb.errors import TaskdbError, needing, translate
from taskdb.models.base import Model
from taskdb.query._annotations import members, unwrapped
from taskdb.verbs.parameters import Help

with needing("mcp"):
    from mcp.server.mcpserver import MCPServer
    from mcp.server.mcpserver.exceptions import ToolError
    from mcp.server.mcpserver.tools import Tool
    from pydantic import Field, create_model

__all__ = ["TOOLS", "server"]

Connect = Callable[[], AbstractContextManager[psycopg.Connection[Any]]]

TOOLS: Final = (
    verbs.claim,
    verbs.brief,
    verbs.heartbeat,
    verbs.complete,
    verbs.submit,
    verbs.fail,
    verbs.release,
    verbs.ask,
    verbs.add,
    verbs.depend,
)
INSTRUCTIONS: Final = (
    "Claim a task, read its brief, work, send a heartbeat before half of the lease is over, and "
    "complete, submit, fail, release or ask. Keep the key and the token of the claim: every later "
    "call names them. If a call says that the claim is lost, drop the work and claim again."
)


def server(connect: Connect, *, agent: str | None = None) -> MCPServer[Any]:
    """Return a server of `TOOLS`; each call opens a connection of *connect*, and commits.

    With *agent* the tools need no agent of their own.
    """
    tools = [_strict(Tool.from_function(_call(verb, connect, agent))) for verb in TOOLS]
    return MCPServer("taskdb", instructions=INSTRUCTIONS, tools=tools)


def _strict(tool: Tool) -> Tool:
    """Let a tool refuse an argument that it does not have, as the command line does."""
    known = tool.fn_metadata.arg_model
    strict = create_model(known.__name__, __base__=known, __cls_kwargs__={"extra": "forbid"})
    tool.fn_metadata.arg_model = strict
    tool.parameters = strict.model_json_schema(by_alias=True)
    return tool


def _call(verb: Callable[..., Any], connect: Connect, agent: str | None) -> Callable[..., Any]:
    def call(**fields: Any) -> dict[str, Any]:
        try:
            with connect() as conn:
                return _plain(verb(conn, **fields))
        except TaskdbError as error:
            raise ToolError(str(error)) from error
        except psycopg.Error as error:
            raise ToolError(str(translate(error))) from error

    signature = inspect.signature(verb, eval_str=True)
    parameters = [
        each.replace(
            kind=inspect.Parameter.KEYWORD_ONLY,
            annotation=_described(each.annotation),
            default=agent if agent and each.name == "agent" else each.default,
        )
        for each in list(signature.parameters.values())[1:]
    ]
    call.__name__, call.__doc__ = verb.__name__, inspect.getdoc(verb)
    call.__annotations__ = {each.name: each.annotation for each in parameters}
    call.__annotations__["return"] = dict[str, Any]
    call.__signature__ = signature.replace(  # type: ignore[attr-defined]
        parameters=parameters, return_annotation=dict[str, Any]
    )
    return call


def _either(one: Any, other: Any) -> Any:
    return one | other


def _described(annotation: Any) -> Any:
    """Return the type with its help as the protocol's libraries have it."""
    if get_origin(annotation) is not Annotated:
        return annotation
    kinds = [unwrapped(each)[0] for each in members(annotation)]
    text = next((each.text for each in get_args(annotation) if isinstance(each, Help)), "")
    if timedelta in kinds:
        text += " In seconds, or as PT15M."
    return Annotated[functools.reduce(_either, kinds), Field(description=text)]


def _plain(result: object) -> dict[str, Any]:
    match result:
        case None:
            return {"claimed": False, "why": "nothing can be claimed now"}
        case datetime():
            return {"lease_expires_at": result.isoformat()}
        case Model():
            return result.to_dict()
        case verbs.Briefing():
            return dataclasses.asdict(result)
        case _:
            raise TypeError(f"no tool returns {type(result).__name__}")
