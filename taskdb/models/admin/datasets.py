"""Databases with generated data."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["Dataset"]


@dataclass(slots=True)
class Dataset:
    """A database with generated data."""

    name: str
    in_use: bool
