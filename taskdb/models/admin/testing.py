"""Rights of the role that makes a test run's databases."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(slots=True)
class OwnRights:
    """The current role, and whether it may do everything, or make databases."""

    name: str
    is_superuser: bool
    may_create_databases: bool
