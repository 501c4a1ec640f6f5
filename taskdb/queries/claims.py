"""Claims: `sql/queries/claims.sql`. Every write of a holder names the token of its claim."""

from datetime import datetime, timedelta
from uuid import UUID

from taskdb.errors import ClaimLostError
from taskdb.models.claims import Attempt, Claim, ClaimEnd
from taskdb.queries import query
from taskdb.queries.fields import Delay, Hours, Key, Lease, Limit, Name, Text, Token

DEFAULT_LEASE = timedelta(minutes=15)


@query
def claim_next(
    *, agent: Name, agent_type: Name | None = None, lease: Lease = DEFAULT_LEASE
) -> Claim | None:
    """Claim the most urgent task that is ready for *agent*, or return None if nothing is.

    With *agent_type* only tasks of that type or of none are taken; without, tasks of every
    type. The claim lapses after *lease* unless `heartbeat` renews it; then the task is
    handed out again and this claim's token is refused with `ClaimLostError`.
    """
    ...


@query
def claim_batch(
    *, agent: Name, limit: Limit, agent_type: Name | None = None, lease: Lease = DEFAULT_LEASE
) -> list[Claim]:
    """Claim up to *limit* tasks at once, in the order in which `claim_next` would."""
    ...


@query
def claim(*, key: Key, agent: Name, lease: Lease = DEFAULT_LEASE) -> Claim | None:
    """Claim the task with this key, or return None if it can't be claimed by *agent* now.

    `dependencies.why_not_ready` says why. Agent types are not looked at.
    """
    ...


@query(missing=ClaimLostError)
def heartbeat(*, task_id: UUID, token: Token, lease: Lease = DEFAULT_LEASE) -> datetime:
    """Renew a claim: it now lapses *lease* from now. Return when.

    Raises `ClaimLostError` if the claim has ended or another agent took the task over.
    """
    ...


@query(missing=ClaimLostError)
def complete(
    *, task_id: UUID, token: Token, note: str | None = None, actual_hours: Hours | None = None
) -> ClaimEnd:
    """Complete a task as the holder of its live claim.

    Raises `ClaimLostError`, and changes nothing, if the claim is no longer live.
    """
    ...


@query(missing=ClaimLostError)
def submit(*, task_id: UUID, token: Token, note: str | None = None) -> ClaimEnd:
    """Hand a task in for review as the holder of its live claim, which ends.

    Raises `ClaimLostError`, and changes nothing, if the claim is no longer live.
    """
    ...


@query(missing=ClaimLostError)
def fail(*, task_id: UUID, token: Token, error: Text, retry_in: Delay | None = None) -> ClaimEnd:
    """End the attempt as failed.

    With *retry_in* the task is handed out again after that time, unless this was the last
    of its `max_attempts`; without, it has failed for good. Raises `ClaimLostError`, and
    changes nothing, if the claim is no longer live.
    """
    ...


@query(missing=ClaimLostError)
def release(*, task_id: UUID, token: Token, note: str | None = None) -> ClaimEnd:
    """Give a task back undone.

    Raises `ClaimLostError`, and changes nothing, if the claim is no longer live.
    """
    ...


@query
def list_for_task(key: Key) -> list[Attempt]:
    """Return the attempts at a task, the first first."""
    ...


@query
def list_live(*, agent: Name | None = None, limit: Limit = 100) -> list[Attempt]:
    """Return the live claims, of one agent or of all, the next to lapse first."""
    ...
