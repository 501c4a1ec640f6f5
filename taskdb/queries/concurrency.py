"""Concurrency keys: `sql/queries/concurrency.sql`.

Tasks of one `concurrency_key` are in progress one at a time, or as many as `set_limit` allows.
"""

from taskdb.models.concurrency import ConcurrencyKey
from taskdb.queries import query
from taskdb.queries.fields import ConcurrencyKeyName, Limit, Slots


@query
def set_limit(*, key: ConcurrencyKeyName, at_most: Slots) -> ConcurrencyKey:
    """Set how many tasks of a concurrency key can be in progress at a time; without it one.

    Lowering it revokes no claim: as long as more are in progress than it allows, none begins.
    """
    ...


@query
def list_keys(*, limit: Limit = 50) -> list[ConcurrencyKey]:
    """Return the concurrency keys that have been used or given a limit, in their order."""
    ...
