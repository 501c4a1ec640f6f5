"""Races by subject."""

from __future__ import annotations

from tests.races.tables.claims import CLAIMS
from tests.races.tables.deletions import DELETIONS
from tests.races.tables.edges import EDGES
from tests.races.tables.parents import PARENTS
from tests.races.tables.pauses import PAUSES
from tests.races.tables.priorities import PRIORITIES

RACES = [*EDGES, *PARENTS, *DELETIONS, *CLAIMS, *PAUSES, *PRIORITIES]
