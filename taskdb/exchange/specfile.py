"""Specifications from Markdown files, and as Markdown again.

::

    made = import_spec(conn, "docs/rollout.md")
    assert render_spec(specs.get_by_key(conn, key=made.key)) == read_markdown("docs/rollout.md")
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated, Any, Final

import psycopg

from taskdb.errors import ValidationError
from taskdb.exchange.files import Files
from taskdb.exchange.markdown import headings, read_markdown
from taskdb.exchange.options import LARGEST, PlanPath
from taskdb.exchange.phases import LEVELS, Part, divide
from taskdb.exchange.rows import is_text
from taskdb.models.specs import Phase, Spec
from taskdb.models.types import SpecType
from taskdb.queries import exchange, specs
from taskdb.queries.fields import AnyText, Name, Title
from taskdb.query import Range, checked
from taskdb.text import shorten

__all__ = ["ImportedSpec", "SpecText", "import_spec", "render_phase", "render_spec", "spec_text"]

Connection = psycopg.Connection[Any]

LONGEST_TITLE: Final = 500
LONGEST_PATH: Final = 1000
Level = Annotated[int, Range(LEVELS.start, LEVELS.stop - 1)]
KEYED_TITLE: Final = re.compile(
    r"SPEC-(?P<number>[1-9][0-9]{0,8})\s*[:\u2013\u2014-]\s*(?P<title>\S.*)"
)
# An ATX heading of level 1 or 2: a phase's content that begins so has its own heading.
OWN_HEADING: Final = re.compile(r"\s*(?P<heading> {0,3}##?[ \t][^\r\n]*)(?:\r\n|\r|\n|\Z)")
# Fields with a place of their own in a rendering; the rest follows as it is.
SPEC_FIELDS: Final = ("verbatim", "overview", "architecture", "technology_stack", "phases")
PHASE_FIELDS: Final = ("number", "name", "description", "hours", "content", "files")


@dataclass(slots=True, frozen=True)
class SpecText:
    """Content of a Markdown document for `specs.create`; `number` only if it names one.

    A document with phases is hierarchical, and its structure ``verbatim``: `overview` and the
    contents of its phases, put together, are the document.
    """

    title: str
    number: int | None
    overview: str
    parts: list[Part]

    @property
    def spec_type(self) -> SpecType:
        """Type of the specification: phased if it has phases."""
        return SpecType.HIERARCHICAL if self.parts else SpecType.MONOLITHIC

    @property
    def content(self) -> str | None:
        """The document, if it is whole."""
        return None if self.parts else self.overview

    @property
    def structure(self) -> dict[str, Any] | None:
        """The document, if it has phases."""
        if not self.parts:
            return None
        phases = [asdict(part) for part in self.parts]
        return {"verbatim": True, "overview": self.overview, "phases": phases}


@dataclass(slots=True, frozen=True)
class PhaseSize:
    """A phase of a file, and its bytes of UTF-8."""

    number: int
    name: str
    bytes: int


@dataclass(slots=True, frozen=True)
class ImportedSpec:
    """Result for a file: `state` is ``created``, ``replaced`` or ``unchanged``."""

    key: str
    title: str
    state: str
    file_path: str
    phases: list[PhaseSize]


@checked
def spec_text(
    text: AnyText, *, name: AnyText, level: Level | None = None, whole: bool = False
) -> SpecText:
    """Return what the document *text* says, divided into phases as `markdown.divide` does.

    Its title is its first heading of level 1, or else *name*; of ``SPEC-116: Login`` the number
    is 116. *level* names the level of the phases' headings; *whole* keeps the document whole.
    """
    first = next((heading.text for heading in headings(text) if heading.level == 1), "")
    keyed = KEYED_TITLE.fullmatch(first)
    overview, parts = (text, []) if whole else divide(text, level)
    return SpecText(
        title=shorten((keyed["title"] if keyed else first) or name, LONGEST_TITLE),
        number=int(keyed["number"]) if keyed else None,
        overview=overview,
        parts=parts,
    )


@checked
def import_spec(
    conn: Connection,
    path: PlanPath,
    *,
    title: Title | None = None,
    spec_number: specs.SpecNumber | None = None,
    roadmap_item_id: Name | None = None,
    level: Level | None = None,
    whole: bool = False,
    replace: bool = False,
    created_by: Name = "architect",
) -> ImportedSpec:
    """Make a specification of the Markdown file at *path*, to be rendered again to the byte.

    It is divided into phases, or kept whole; see `spec_text`. Title and number are the
    document's, unless given. A file that was imported before and has not changed changes
    nothing; of one that has, *replace* puts the new text in the place of the old.

    Raises ValidationError, naming the file, if it can't be read, is not UTF-8, holds a NUL
    character, or has changed since an earlier import without *replace*; `IntegrityError` if the
    number is taken, or if a phase that has tasks would go.
    """
    place = Path(path)
    if is_text(str(place)):
        place = place.resolve()
    file_path = str(place)
    if not is_text(file_path) or len(file_path) > LONGEST_PATH:
        raise ValidationError(
            "path", "must be UTF-8 and have at most 1,000 characters", where=repr(file_path)
        )
    text = read_markdown(place, Files(place, LARGEST))
    raw = spec_text(text, name=place.stem, level=level, whole=whole)
    with conn.transaction():
        earlier = exchange.specs_by_file(conn, paths=[file_path])
        if not earlier:
            made = specs.create(
                conn,
                title=title or raw.title,
                spec_number=spec_number or raw.number,
                spec_type=raw.spec_type,
                content=raw.content,
                structure=raw.structure,
                roadmap_item_id=roadmap_item_id,
                created_by=created_by,
                file_path=file_path,
            )
            return _imported(made.key, made.title, "created", file_path, raw)
        there = specs.get_by_key(conn, key=earlier[0].key)
        if (there.content, there.structure) == (raw.content, raw.structure):
            return _imported(there.key, there.title, "unchanged", file_path, raw)
        if not replace:
            raise ValidationError(
                "file",
                f"was imported before, as {there.key}, and its text differs now",
                where=file_path,
                hint="Import it with --replace to put the new text in the place of the old",
            )
        changed = specs.update(
            conn,
            key=there.key,
            title=title or raw.title,
            spec_type=raw.spec_type,
            content=raw.content,
            structure=raw.structure,
            updated_by=created_by,
        )
        return _imported(changed.key, changed.title, "replaced", file_path, raw)


@checked
def render_spec(spec: Spec) -> str:
    """Return a specification as Markdown: an imported one as its file had it, to the byte.

    One that was made otherwise begins with its key and title; then come overview, architecture,
    technology stack and the phases, and last what else its structure holds, as JSON.
    """
    if spec.structure is None:
        return spec.content or ""
    structure = spec.structure
    phases: list[dict[str, Any]] = structure["phases"]
    if structure.get("verbatim") is True:
        contents = (phase.get("content") or "" for phase in phases)
        return "".join([structure.get("overview") or "", *contents])
    sections = [
        f"# {spec.key}: {_line(spec.title)}",
        structure.get("overview"),
        *_titled("## Architecture", structure.get("architecture")),
        *_titled("## Technology stack", structure.get("technology_stack")),
    ]
    for phase in phases:
        sections += _phase_sections(phase)
    sections += _others("## ", structure, SPEC_FIELDS)
    return _document(sections)


@checked
def render_phase(phase: Phase) -> str:
    """Return one phase as Markdown: of an imported specification as its file had it."""
    if phase.verbatim:
        return phase.content or ""
    fields = {
        "number": phase.number,
        "name": phase.name,
        "description": phase.description,
        "hours": phase.hours,
        "content": phase.content,
    }
    return _document(list(_phase_sections(fields)))


def _imported(key: str, title: str, state: str, file_path: str, raw: SpecText) -> ImportedSpec:
    phases = [PhaseSize(part.number, part.name, len(part.content.encode())) for part in raw.parts]
    return ImportedSpec(key, title, state, file_path, phases)


def _phase_sections(phase: dict[str, Any]) -> Iterator[str | None]:
    content = phase.get("content") or ""
    own = OWN_HEADING.match(content)
    if own is None:
        yield f"## Phase {phase['number']}: {_line(phase['name'])}"
    else:
        yield own["heading"].strip()
        content = content[own.end() :]
    yield phase.get("description")
    if phase.get("hours") is not None:
        yield f"Estimated hours: {phase['hours']}"
    if phase.get("files"):
        yield "\n".join(["Files:", "", *(f"- `{_line(file)}`" for file in phase["files"])])
    yield content
    yield from _others("### ", phase, PHASE_FIELDS)


def _titled(heading: str, text: str | None) -> list[str | None]:
    return [heading, text] if text else []


def _others(marks: str, holder: dict[str, Any], known: tuple[str, ...]) -> Iterator[str]:
    """Yield the fields of an object that have no place of their own: texts so, others as JSON."""
    for name, value in holder.items():
        if name in known or value is None:
            continue
        yield marks + _line(name)
        if isinstance(value, str):
            yield value
        else:
            raw = json.dumps(value, indent=2, ensure_ascii=False)
            fence = "`" * max(3, 1 + max(map(len, re.findall("`+", raw)), default=0))
            yield f"{fence}json\n{raw}\n{fence}"


def _line(text: str) -> str:
    return " ".join(text.split())


def _document(sections: list[str | None]) -> str:
    """Return the sections with an empty line between them."""
    raw = (section.strip("\r\n") for section in sections if section)
    return "\n\n".join(section for section in raw if section) + "\n"
