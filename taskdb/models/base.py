"""Methods of every model."""

import dataclasses
from datetime import date, timedelta
from decimal import Decimal
from enum import StrEnum
from typing import Any
from uuid import UUID


class Model:
    """A row as a dataclass; `to_dict` makes it JSON-ready."""

    __slots__ = ()

    def to_dict(self) -> dict[str, Any]:
        """Return the fields as what `json.dumps` takes.

        Enums become their values, UUIDs and decimals text, days and moments ISO 8601 (these
        with their offset), durations seconds, bytes hexadecimal text. None stays None.
        """
        return {
            field.name: _plain(getattr(self, field.name))
            for field in dataclasses.fields(self)  # type: ignore[arg-type]
        }


def _plain(value: Any) -> Any:
    match value:
        case StrEnum():
            return value.value
        case UUID() | Decimal():
            return str(value)
        case date():  # and datetime
            return value.isoformat()
        case timedelta():
            return value.total_seconds()
        case bytes():
            return value.hex()
        case Model():
            return value.to_dict()
        case list():
            items: list[Any] = value  # pyright: ignore[reportUnknownVariableType]
            return [_plain(item) for item in items]
        case dict():
            members: dict[str, Any] = value  # pyright: ignore[reportUnknownVariableType]
            return {key: _plain(item) for key, item in members.items()}
        case _:
            return value
