"""Making text from elsewhere fit to be shown on one line."""

from __future__ import annotations

import re
from typing import Final

__all__ = ["clean", "shorten"]

# A title from another tracker may hold anything, and a terminal must not obey it: control
# characters, and those that turn the direction of writing.
UNPRINTABLE: Final = re.compile(
    "[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff]"
)


def clean(text: object) -> str:
    """Return *text* fit for one line of a terminal: what could steer it is shown as its code.

    None becomes the empty text.
    """
    if text is None:
        return ""
    return UNPRINTABLE.sub(lambda found: ascii(found[0])[1:-1], str(text))


def shorten(text: str, length: int) -> str:
    """Return *text*, cut to *length* characters with an ellipsis if it is longer."""
    return text if len(text) <= length else text[: length - 1].rstrip() + "…"
