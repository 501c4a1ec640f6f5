"""Health of a workspace: figures for `taskdb stats --health` and for Prometheus.

::

    from prometheus_client import REGISTRY
    from taskdb.health.exposition import Exposition

    REGISTRY.register(Exposition(database))     # a service that has an endpoint of its own

docs/operations.md says what each figure means and when to be alarmed.
"""

from taskdb.health.figures import MOST, HealthFigures, collect

__all__ = ["MOST", "HealthFigures", "collect"]
