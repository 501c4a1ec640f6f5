"""Keys in rows that callers hand over as dataclasses: checked before anything looks them up."""

from collections.abc import Sequence
from operator import attrgetter
from typing import Any

from taskdb.errors import ValidationError
from taskdb.query import checker

__all__ = ["check_keys"]


def check_keys(field: str, rows: Sequence[Any], **annotations: Any) -> None:
    """Check attributes of rows against annotations, such as ``parent=Key | None``.

    Raises `ValidationError` naming *field*, the row's index and the attribute.
    """
    # Edges name the same few keys again and again.
    checked: dict[Any, set[str]] = {annotation: set() for annotation in annotations.values()}
    for name, annotation in annotations.items():
        check, passed = checker("", annotation), checked[annotation]
        for index, value in enumerate(map(attrgetter(name), rows)):
            if type(value) is str and value in passed:
                continue
            try:
                check(value)
            except ValidationError as exc:
                at = f"{field}[{index}].{name}{exc.field or ''}"
                raise ValidationError(at, exc.rule) from None
            if type(value) is str:
                passed.add(value)
