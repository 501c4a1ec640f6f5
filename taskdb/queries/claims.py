"""Claims: `sql/queries/claims.sql`. Every write of a holder names the token of its claim.

An ending that is repeated with its own token, as after a lost answer, returns the same result.
"""

from datetime import datetime, timedelta
from uuid import UUID

from taskdb.errors import ClaimLostError
from taskdb.models.claims import (
    Attempt,
    Claim,
    ClaimEnd,
    CompletedAndClaimed,
    EndedClaim,
    RenewedClaim,
)
from taskdb.queries import query
from taskdb.queries.fields import (
    AnyText,
    Complexity,
    Delay,
    Hours,
    Key,
    Lease,
    Limit,
    Name,
    Text,
    Token,
)
from taskdb.query import UNSET, Unset

DEFAULT_LEASE = timedelta(minutes=15)


@query
def claim_next(
    *,
    agent: Name,
    agent_type: Name | None = None,
    lease: Lease = DEFAULT_LEASE,
    after: UUID | None = None,
    request_id: UUID | None = None,
) -> Claim | None:
    """Claim the most urgent task that is ready for *agent*, or return None if nothing is.

    With *agent_type* only tasks of that type or of none are taken; without, tasks of every
    type. The claim lapses after *lease* unless `heartbeat` renews it; then the task is
    handed out again and this claim's token is refused with `ClaimLostError`.

    *after* is the `task_id` of a claim that the same agent and type made a moment ago: the
    search begins behind it, and at the head if nothing is there. It keeps claims fast while a
    long transaction holds a snapshot; a more urgent task that came since waits for a claim
    without it. Give it for a second at most.

    While the claim that a *request_id* made is live, the same request returns it again.
    """
    ...


@query
def claim_batch(
    *,
    agent: Name,
    limit: Limit,
    agent_type: Name | None = None,
    lease: Lease = DEFAULT_LEASE,
    after: UUID | None = None,
) -> list[Claim]:
    """Claim up to *limit* tasks at once, in the order in which `claim_next` would."""
    ...


@query
def claim(
    *, key: Key, agent: Name, lease: Lease = DEFAULT_LEASE, request_id: UUID | None = None
) -> Claim | None:
    """Claim the task with this key, or return None if it can't be claimed by *agent* now.

    `dependencies.why_not_ready` says why. Agent types are not looked at.
    """
    ...


@query(not_found=ClaimLostError)
def complete_and_claim_next(
    *,
    task_id: UUID,
    token: Token,
    agent: Name,
    agent_type: Name | None = None,
    lease: Lease = DEFAULT_LEASE,
    note: AnyText | None = None,
    after: UUID | None = None,
    request_id: UUID | None = None,
) -> CompletedAndClaimed:
    """Complete a task and claim the next one, in one round trip and one commit.

    The next can be one that this completion unblocked. Raises `ClaimLostError`, and claims
    nothing, if the claim is no longer live. *after* and *request_id* are those of `claim_next`.
    """
    ...


@query(not_found=ClaimLostError)
def heartbeat(
    *,
    task_id: UUID,
    token: Token,
    lease: Lease = DEFAULT_LEASE,
    progress: Complexity | None = None,
    note: AnyText | None = None,
) -> datetime:
    """Renew a claim: it now lapses *lease* from now. Return when.

    *progress* (0 to 100) and *note* are kept with the attempt, the last ones for good. Raises
    `ClaimLostError` if the claim has ended or another agent took the task over.
    """
    ...


@query
def heartbeat_many(
    *, task_ids: list[UUID], tokens: list[int], lease: Lease = DEFAULT_LEASE
) -> list[RenewedClaim]:
    """Renew many claims at once; return one row for each pair, in the order given."""
    ...


@query(not_found=ClaimLostError)
def complete(
    *, task_id: UUID, token: Token, note: AnyText | None = None, actual_hours: Hours | None = None
) -> ClaimEnd:
    """Complete a task as the holder of its live claim.

    Raises `ClaimLostError`, and changes nothing, if the claim is no longer live.
    """
    ...


@query(not_found=ClaimLostError)
def submit(*, task_id: UUID, token: Token, note: AnyText | None = None) -> ClaimEnd:
    """Submit a task for review as the holder of its live claim, which ends.

    Raises `ClaimLostError`, and changes nothing, if the claim is no longer live.
    """
    ...


@query(not_found=ClaimLostError)
def fail(
    *,
    task_id: UUID,
    token: Token,
    error: Text,
    retry_in: Delay | None | Unset = UNSET,
    default_retry_in: Delay | None = None,
) -> ClaimEnd:
    """End the attempt as failed.

    The task is handed out again after *retry_in*, unless this was the last of its
    `max_attempts`. Without *retry_in* its own back-off (`retry_delay`) says when, and for a task
    that has none *default_retry_in*. None in the end: it has failed for good. Raises
    `ClaimLostError`, and changes nothing, if the claim is no longer live.
    """
    ...


@query(not_found=ClaimLostError)
def release(
    *, task_id: UUID, token: Token, note: AnyText | None = None, retry_in: Delay | None = None
) -> ClaimEnd:
    """Release a task undone, which costs no attempt; with *retry_in* not before that time.

    Raises `ClaimLostError`, and changes nothing, if the claim is no longer live.
    """
    ...


@query
def complete_many(*, task_ids: list[UUID], tokens: list[int]) -> list[EndedClaim]:
    """Complete many tasks at once; return one row for each pair, in the order given.

    A pair whose claim is no longer live changes nothing, and has `was_held` false.
    """
    ...


@query
def fail_many(
    *, task_ids: list[UUID], tokens: list[int], error: Text, retry_in: Delay | None | Unset = UNSET
) -> list[EndedClaim]:
    """End many attempts as failed at once, as `fail` does; return one row for each pair."""
    ...


@query
def release_many(
    *,
    task_ids: list[UUID],
    tokens: list[int],
    note: AnyText | None = None,
    retry_in: Delay | None = None,
) -> list[EndedClaim]:
    """Release many tasks undone at once, as `release` does; return one row for each pair."""
    ...


@query
def list_for_task(key: Key) -> list[Attempt]:
    """Return the attempts at a task, the oldest first."""
    ...


@query
def list_live(*, agent: Name | None = None, limit: Limit = 100) -> list[Attempt]:
    """Return the live claims, of one agent or of all, the next to lapse first."""
    ...
