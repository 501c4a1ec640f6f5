"""What docs/schema.md shows of the catalogue."""

from dataclasses import dataclass

from taskdb.models.base import Model

__all__ = ["ForeignKey", "TableColumn", "TypeMeaning"]


@dataclass(slots=True)
class TableColumn(Model):
    """A column of a table or view, with what is said of both."""

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
