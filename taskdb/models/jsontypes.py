"""Values of JSON by their kinds, told in a way that type checkers follow."""

from __future__ import annotations

from typing import Any, TypeGuard

__all__ = ["is_dict", "is_list"]


def is_dict(value: object) -> TypeGuard[dict[str, Any]]:
    """Return whether *value* is an object of JSON."""
    return isinstance(value, dict)


def is_list(value: object) -> TypeGuard[list[Any]]:
    """Return whether *value* is a list."""
    return isinstance(value, list)
