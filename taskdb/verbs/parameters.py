"""The parameters that verbs share: a type each, with its rules and its help."""

from dataclasses import dataclass
from typing import Annotated

from taskdb.queries import fields

__all__ = [
    "Agent",
    "Help",
    "Holder",
    "Key",
    "Lease",
    "LongText",
    "Priority",
    "Token",
]


@dataclass(frozen=True, slots=True)
class Help:
    """Help for a parameter; a *long* text can come from standard input."""

    text: str
    long: bool = False


Key = Annotated[fields.Key, Help("The task.")]
Agent = Annotated[fields.Name, Help("Who claims.")]
Holder = Annotated[fields.Name | None, Help("Who does it; the history names them.")]
Token = Annotated[fields.Token, Help("The token that the claim printed.")]
Lease = Annotated[fields.Lease, Help("How long the claim lasts without a heartbeat.")]
Priority = Annotated[fields.Priority | None, Help("1 (most urgent) to 10.")]
LongText = Annotated[fields.AnyText | None, Help("Why, or what became of it.", long=True)]
