"""Making text from elsewhere fit to be shown on one line."""

from __future__ import annotations

import codecs
import io
import re
from typing import Final

__all__ = ["clean", "encode_all", "escaped_json", "shorten"]

# A title from another tracker may hold anything, and a terminal must not obey it: control
# characters, those that turn the direction of writing, and those that are not seen. The joiners
# U+200C and U+200D stay, for some languages and emoji are not written without them.
UNPRINTABLE: Final = re.compile(
    "[\x00-\x1f\x7f-\x9f\xad\u061c\u180e\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f"
    "\ufeff\ufff9-\ufffb\U000e0000-\U000e007f]"
)


def clean(text: object) -> str:
    """Return *text* fit for one line of a terminal: what could steer it is shown as its code.

    None becomes the empty text.
    """
    if text is None:
        return ""
    return UNPRINTABLE.sub(lambda found: ascii(found[0])[1:-1], str(text))


def escaped_json(text: str) -> str:
    """Return JSON that is the same value, with what could steer a terminal in escapes of JSON.

    What lies between its tokens, as line breaks, stays.
    """
    return _UNPRINTABLE_IN_JSON.sub(_escape, text)


# JSON itself has the controls below U+0020 in escapes.
_UNPRINTABLE_IN_JSON: Final = re.compile(UNPRINTABLE.pattern.replace("\x00-\x1f", ""))


def encode_all(stream: object) -> None:
    """Let a text stream of any encoding take any text: what it has no letter for comes escaped.

    The escapes are those of JSON, which stays the same value.
    """
    if isinstance(stream, io.TextIOWrapper):
        stream.reconfigure(errors=_ESCAPED)


_ESCAPED: Final = "taskdb.escaped"


def _escape_unencodable(error: UnicodeError) -> tuple[str, int]:
    if not isinstance(error, UnicodeEncodeError):
        raise error
    return _units(error.object[error.start : error.end]), error.end


codecs.register_error(_ESCAPED, _escape_unencodable)


def _escape(found: re.Match[str]) -> str:
    return _units(found[0])


def _units(text: str) -> str:
    units = text.encode("utf-16-be", "surrogatepass")
    return "".join(f"\\u{units[at : at + 2].hex()}" for at in range(0, len(units), 2))


def shorten(text: str, length: int) -> str:
    """Return *text*, cut to *length* characters with an ellipsis if it is longer."""
    return text if len(text) <= length else text[: length - 1].rstrip() + "…"
