"""A breakage or more for each promise that `taskdb doctor` examines, in modules by subject."""

from __future__ import annotations

from tests.admin.breakages.claims import CLAIMS
from tests.admin.breakages.derived import DERIVED
from tests.admin.breakages.graph import GRAPH
from tests.admin.breakages.history import HISTORY
from tests.admin.breakages.specs import SPECS
from tests.admin.breakages.statuses import STATUSES
from tests.admin.breakages.times import TIMES
from tests.admin.breakages.triggers import TRIGGERS
from tests.admin.breakages.workflows import WORKFLOWS

BREAKAGES = {
    **GRAPH,
    **STATUSES,
    **CLAIMS,
    **HISTORY,
    **TIMES,
    **SPECS,
    **DERIVED,
    **TRIGGERS,
    **WORKFLOWS,
}
