"""The parameters that verbs share: a type each, with its help."""

from dataclasses import dataclass
from datetime import timedelta
from typing import Annotated

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


Key = Annotated[str, Help("The task.")]
Agent = Annotated[str, Help("Who claims.")]
Holder = Annotated[str | None, Help("Who does it; the history names them.")]
Token = Annotated[int, Help("The token that the claim printed.")]
Lease = Annotated[timedelta, Help("How long the claim lasts without a heartbeat.")]
Priority = Annotated[int | None, Help("1 (most urgent) to 10.")]
LongText = Annotated[str | None, Help("Why, or what became of it.", long=True)]
