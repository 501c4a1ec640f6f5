"""Rows of the catalogue for docs/schema.md and docs/lifecycle.md."""

from dataclasses import dataclass

from taskdb.models.base import Model

__all__ = ["ForeignKey", "TableColumn", "Transition", "Trigger", "TypeMeaning"]


@dataclass(slots=True)
class TableColumn(Model):
    """A column of a table or view, with the comments on both."""

    table_name: str
    is_view: bool
    table_comment: str
    column_name: str
    type: str
    nullable: bool
    column_comment: str
    in_primary_key: bool


@dataclass(slots=True)
class ForeignKey(Model):
    """A reference: `optional` if it may be null, `single` if no two rows name the same row."""

    table_name: str
    target_name: str
    column_names: str
    optional: bool
    single: bool


@dataclass(slots=True)
class TypeMeaning(Model):
    """An enumerated type with its values, or a domain with its base type."""

    name: str
    meaning: str
    comment: str


@dataclass(slots=True)
class Transition(Model):
    """An allowed change of status of the rows of a table."""

    table_name: str
    old_status: str
    new_status: str
    meaning: str


@dataclass(slots=True)
class Trigger(Model):
    """A trigger: *events* are comma-separated, *column_names* those that an update must name."""

    table_name: str
    trigger_name: str
    timing: str
    level: str
    events: str
    column_names: str
    condition: str
    function_name: str
    comment: str
