"""One row of a file: fields are taken out of it by name, and what is left goes to metadata."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime, tzinfo
from decimal import Decimal
from typing import Any, Final

from taskdb.exchange.jsonvalues import parse_json
from taskdb.exchange.report import Findings
from taskdb.exchange.times import NeverError, parse_time
from taskdb.exchange.words import HOLD, normalize_word, status_of
from taskdb.models.jsontypes import is_dict, is_list
from taskdb.models.types import TaskStatus

__all__ = [
    "LONGEST_NAME",
    "Row",
    "is_false",
    "is_text",
    "is_true",
    "key_fault",
    "storable",
]

CONTROL: Final = re.compile("[\x00-\x1f\x7f-\x9f]")
SURROGATE: Final = re.compile("[\ud800-\udfff]")
LONGEST_KEY: Final = 100
LONGEST_TITLE: Final = 500
LONGEST_NAME: Final = 200
DEEPEST: Final = 100
TRUE_WORDS: Final = ("true", "yes")
FALSE_WORDS: Final = ("", "false", "no", "0", "none")
# A field whose name means such a status, or a wait, is a flag, however it says that it is set.
ENDS: Final = (TaskStatus.CANCELLED, TaskStatus.ARCHIVED)
FLAG_STATUSES: Final = (HOLD, *ENDS)
# One of these in a name says that something holds the task back: is_blocked, dependsOnIds.
WAIT_WORDS: Final = """
    blocked blocker blockers waiting waits depends dependency dependencies predecessor
    predecessors prerequisite prerequisites requires blockedby blockedon dependson dependenton
    waitingfor waitingon waitsfor waitson
"""
WAITS: Final = frozenset(WAIT_WORDS.split())
# Not with these: they only count, or tell of earlier times.
NO_WAITS: Final = frozenset({"count", "counts", "total", "number", "summary", "at"})
# Words around one for a status: is_archived, deletedOn, Date cancelled.
AROUND: Final = frozenset({"is", "was", "date", "at", "on", "by", "reason", "until"})
CAMEL: Final = re.compile("(?<=[a-z0-9])(?=[A-Z])")
# The name of Jira's column of links in a language that is unknown here.
LINK: Final = re.compile(r".*\((blocks)\)", re.IGNORECASE)
SHOWN: Final = 60


class Row:
    """The fields of one row, and the place it stands in.

    What is empty (``""``, ``[]``, ``{}``, null) counts as absent. A value that can't be taken
    as it is is recorded as a finding, and its own words are in `odd`; `unread` are the names of
    those whose meaning is lost. `key` is the key under which findings about this row are filed,
    once it is known. `zone` is that of moments without one.
    """

    def __init__(
        self,
        values: Mapping[str, Any],
        where: str,
        what: str,
        findings: Findings,
        zone: tzinfo = UTC,
    ) -> None:
        self.where = where
        self.what = what
        self.findings = findings
        self.zone = zone
        self.key: str | None = None
        self.odd: dict[str, Any] = {}
        self.unread: set[str] = set()
        self._left: dict[str, Any] = dict(values)

    def raw(self, name: str) -> Any:
        """Take the value of a field as it stands in the file, NUL characters and all."""
        return self._left.pop(name, None)

    def peek(self, name: str) -> Any:
        """Return the value of a field as it stands in the file, and leave it there."""
        return self._left.get(name)

    def names(self) -> list[str]:
        """Return the names of the fields that are left."""
        return list(self._left)

    def put(self, name: str, value: Any) -> None:
        """Replace the value of a field by one that means the same."""
        self._left[name] = value

    def flags(self) -> list[str]:
        """Return the names of the fields that are left and set.

        These are true, which a table says in words; or their names are words for a task that
        nobody works on (``blocked``, ``archivedAt``, ``blockedBy``), and they are not false.
        """
        return [
            name
            for name, value in self._left.items()
            if is_true(value) or (not is_false(value) and _is_flag(name))
        ]

    def take(self, name: str) -> Any:
        """Take the value of a field, or None where it is empty."""
        return self._clean(name, self._left.pop(name, None))

    def rest(self) -> dict[str, Any]:
        """Take all that is left and not empty, in the order of the file."""
        left, self._left = self._left, {}
        cleaned = {name: self._clean(name, value) for name, value in left.items()}
        return {
            self._text(name, name): value for name, value in cleaned.items() if value is not None
        }

    def peek_text(self, name: str) -> str | None:
        """Return a text that goes to the metadata as well."""
        value = self.peek(name)
        return value if isinstance(value, str) and is_text(value) and value else None

    def id(self, name: str) -> int | str | None:
        """Take the number, or the text, by which rows refer to each other."""
        value = self.take(name)
        return value if isinstance(value, int | str) else None

    def text(self, name: str) -> str | None:
        """Take a text; a number becomes its digits, anything else stays in `odd`."""
        value = self.take(name)
        if value is None or isinstance(value, str):
            return value
        if isinstance(value, int | float) and not isinstance(value, bool):
            return str(value)
        self.refuse_value(name, value, "is not a text; left out")
        return None

    def name(self, name: str) -> str | None:
        """Take the name of an agent, or of a type of agents; a longer text stays in `odd`."""
        value = self.text(name)
        if value is None or len(value) <= LONGEST_NAME:
            return value
        self.refuse_value(name, value, f"has more than {LONGEST_NAME} characters; left out")
        return None

    def title(self, name: str, key: str) -> tuple[str, str | None]:
        """Take the title, and what of it must go to the description.

        A title of more than 500 characters is cut, and moves whole into the description; a
        row without one is named by its *key*.
        """
        value = self.text(name)
        if value is None or value.isspace():
            self.changed(f"has no {name}; its key is used instead")
            return key, None
        if len(value) <= LONGEST_TITLE:
            return value, None
        self.changed(
            f"its {name} has {len(value)} characters, {LONGEST_TITLE} are allowed; "
            "it is kept whole at the head of the description"
        )
        return value[: LONGEST_TITLE - 1] + "\u2026", value

    def time(self, name: str) -> datetime | None:
        """Take a moment; one that can't be read stays in `odd`."""
        value = self.take(name)
        if value is None:
            return None
        try:
            return parse_time(value if isinstance(value, str) else repr(value), self.zone)
        except ValueError as error:
            self.refuse_value(name, value, f"{error}; left out")
            if isinstance(error, NeverError):
                self.unread.discard(name)
            return None

    def integer(self, name: str, lowest: int, highest: int) -> int | None:
        """Take a whole number within bounds; any other value stays in `odd`."""
        value = self.take(name)
        if value is None:
            return None
        if isinstance(value, int) and not isinstance(value, bool) and lowest <= value <= highest:
            return value
        self.refuse_value(
            name, value, f"is not a whole number from {lowest} to {highest}; left out"
        )
        return None

    def hours(self, name: str) -> Decimal | None:
        """Take a number of minutes, as hours."""
        minutes = self.integer(name, 0, 59_999_999)
        return None if minutes is None else (Decimal(minutes) / 60).quantize(Decimal("0.01"))

    def objects(self, name: str) -> list[Mapping[str, Any]]:
        """Take a list of objects; what is not one stays in `odd`."""
        value = self.take(name)
        if is_list(value) and all(isinstance(item, Mapping) for item in value):
            return value
        if value is not None:
            self.refuse_value(name, value, "is not a list of objects; left out")
        return []

    def json(self, name: str, kind: type[Any], rule: str) -> Any:
        """Take JSON, which may stand in a text, of a *kind*; any other value stays in `odd`."""
        value = self.take(name)
        if isinstance(value, str):
            try:
                value = self._clean(name, parse_json(value, self.changed))
            except ValueError as error:
                self.refuse_value(name, value, f"is not JSON ({error}); left out")
                return None
        if value is None or isinstance(value, kind):
            return value
        self.refuse_value(name, value, f"{rule}; left out")
        return None

    def refuse_value(self, name: str, value: Any, reason: str) -> None:
        """Record that a field's value was not taken, and keep its own words."""
        self.odd[name] = self._clean(name, value)
        self.unread.add(name)
        self.changed(f"{name} {_shown(value)} {reason}")

    def changed(self, reason: str) -> None:
        """Record that this row was taken otherwise than it stands in the file."""
        self.findings.changed(self.what, self.where, self.key, reason)

    def refused(self, reason: str) -> None:
        """Record that this row was not taken."""
        self.findings.refused(self.what, self.where, self.key, reason)

    def _clean(self, name: str, value: Any) -> Any:
        if value is None or value in ("", [], {}):
            return None
        try:
            return self._storable(name, value, 0)
        except _TooDeepError:
            self.findings.refused(
                "field", self.where, self.key, f"{name} is nested more than {DEEPEST} deep"
            )
            return None

    def _storable(self, name: str, value: Any, depth: int) -> Any:
        if depth > DEEPEST:
            raise _TooDeepError
        if isinstance(value, str):
            return self._text(name, value)
        if is_list(value):
            return [self._storable(name, item, depth + 1) for item in value]
        if is_dict(value):
            return {
                self._text(name, key): self._storable(name, item, depth + 1)
                for key, item in value.items()
            }
        if isinstance(value, float):
            # A plain one: other code knows nothing of how the file writes it.
            return float(value)
        return value

    def _text(self, name: str, value: str) -> str:
        if count := value.count("\x00"):
            self.changed(f"{name} holds {count} NUL characters; each became U+FFFD")
        if count := len(SURROGATE.findall(value)):
            self.changed(f"{name} holds {count} halves of a surrogate pair; each became U+FFFD")
        return storable(value)


class _TooDeepError(Exception):
    pass


def is_true(value: object) -> bool:
    """Return whether *value* is true, or a word for it."""
    return value is True or (isinstance(value, str) and value.strip().casefold() in TRUE_WORDS)


def is_false(value: object) -> bool:
    """Return whether *value* is empty, zero or false, or a word for it."""
    return not value or (isinstance(value, str) and value.strip().casefold() in FALSE_WORDS)


def is_text(value: str) -> bool:
    """Return whether *value* can be stored: it has no half of a surrogate pair, and no NUL."""
    return "\x00" not in value and SURROGATE.search(value) is None


def storable(value: str) -> str:
    """Return a text with U+FFFD for what PostgreSQL cannot store."""
    return SURROGATE.sub("\ufffd", value.replace("\x00", "\ufffd"))


def key_fault(key: object) -> str | None:
    """Return why *key* can't be a key, or None if it can."""
    if key is None or key == "" or (isinstance(key, str) and not key.strip()):
        return "has no key"
    if not isinstance(key, str):
        return f"its key {_shown(key)} is not a text"
    if len(key) > LONGEST_KEY:
        return f"its key has {len(key)} characters; {LONGEST_KEY} are allowed"
    if CONTROL.search(key):
        return "its key holds control characters"
    if SURROGATE.search(key):
        return "its key is not Unicode text"
    return None


def _is_flag(name: str) -> bool:
    words = normalize_word(CAMEL.sub("_", name)).split("_")
    if status_of("_".join(words)) in FLAG_STATUSES or LINK.fullmatch(name):
        return True
    bare = status_of("_".join(word for word in words if word not in AROUND))
    if not NO_WAITS.isdisjoint(words):
        return bare in ENDS
    return bare in FLAG_STATUSES or not WAITS.isdisjoint((*words, "".join(words)))


def _shown(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= SHOWN else f"{text[: SHOWN - 3]}..."
