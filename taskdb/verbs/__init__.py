"""Verbs: what people and agents do with tasks, by their keys.

`VERBS` is the one table that the command line (`taskdb claim`) and the tools of `taskdb mcp` are
made from: a function each, whose signature says its parameters. They are thin calls of the typed
functions in `taskdb.queries`, and commit nothing: the caller owns the transaction.
"""

from collections.abc import Callable
from typing import Any, Final

from taskdb.verbs.briefing import Briefing, brief
from taskdb.verbs.planning import (
    add,
    answer,
    ask,
    cancel,
    depend,
    edit,
    hold,
    reopen,
    resume,
)
from taskdb.verbs.work import claim, complete, fail, heartbeat, release, submit

__all__ = [
    "VERBS",
    "Briefing",
    "add",
    "answer",
    "ask",
    "brief",
    "cancel",
    "claim",
    "complete",
    "depend",
    "edit",
    "fail",
    "heartbeat",
    "hold",
    "release",
    "reopen",
    "resume",
    "submit",
]

VERBS: Final[dict[str, Callable[..., Any]]] = {
    verb.__name__: verb
    for verb in (
        add,
        edit,
        depend,
        claim,
        brief,
        heartbeat,
        complete,
        submit,
        fail,
        release,
        hold,
        resume,
        cancel,
        reopen,
        ask,
        answer,
    )
}
