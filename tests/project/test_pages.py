"""The pages lead from one to the next, and the glossary has the words that they use."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.project.references import absent

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
GLOSSARY = DOCS / "glossary.md"
ENTRY = re.compile(r"^- \*\*([^*]+)\*\*: ", re.MULTILINE)
GENERATED = {"schema.md", "lifecycle.md"}
WRITTEN = [
    *(ROOT / name for name in ("README.md", "CONTRIBUTING.md", "CHANGELOG.md", "SECURITY.md")),
    *(page for page in sorted(DOCS.rglob("*.md")) if page.name not in GENERATED),
]
LINK = re.compile(r"\]\(([^)#:]+)(?:#[^)]*)?\)")
# Words that a reader of a table's comments meets first.
NEEDED = [
    "abandoned",
    "attempt",
    "blocked",
    "blocker",
    "checker",
    "claim",
    "cycle",
    "dependency",
    "dependent",
    "effective priority",
    "execution",
    "external dependency",
    "fencing token",
    "file lock",
    "forced",
    "history",
    "holder",
    "implementation task",
    "lane",
    "lapse",
    "lease",
    "migration track",
    "normalize",
    "on hold",
    "outcome",
    "overdue",
    "pause",
    "phase",
    "place",
    "planner",
    "priority inheritance",
    "rank",
    "ready",
    "revoked",
    "runner",
    "satisfied",
    "session",
    "skewed",
    "slack",
    "specification",
    "stay",
    "step",
    "tracker",
    "transition",
    "wave",
    "workflow",
    "workspace",
]
# Words in names of tables and types that comments use as anybody does.
ORDINARY = {
    *("by", "change", "claimed", "complexity", "environment", "error", "figure", "health", "hour"),
    *("imported", "need", "pull", "ran", "reason", "recovery", "request", "role"),
    *("search", "spec", "state", "statistic", "tech", "technical", "trigger"),
}
NAMES = re.compile(r"^create (?:table|view|type) (?:shared\.)?(\w+)", re.MULTILINE)
LABELS = re.compile(r"^create type shared\.\w+ as enum \((.*?)\)", re.MULTILINE | re.DOTALL)
COMMENT = re.compile(r"^comment on [^;']+? is\s+((?:'(?:[^']|'')*'\s*)+);", re.MULTILINE)


def entries() -> list[str]:
    return ENTRY.findall(GLOSSARY.read_text())


def links(page: Path) -> set[Path]:
    return {(page.parent / link).resolve() for link in LINK.findall(page.read_text())}


def words(text: str) -> str:
    """*text* in lower case, with one space where names have an underscore or a line ends."""
    return re.sub(r"[\s_-]+", " ", text.lower())


@pytest.fixture(scope="module")
def used() -> str:
    pages = [page for page in DOCS.rglob("*.md") if page != GLOSSARY]
    return words("\n".join(path.read_text() for path in [*pages, *(ROOT / "sql").rglob("*.sql")]))


def test_glossary_is_in_alphabetical_order_and_defines_each_term_once() -> None:
    terms = entries()

    assert len(terms) > len(NEEDED)
    assert terms == sorted(set(terms))


@pytest.mark.parametrize("term", NEEDED)
def test_glossary_defines_what_a_reader_meets_first(term: str) -> None:
    assert term in entries()


def singular(word: str) -> str:
    for end, instead in (("ies", "y"), ("sses", "ss"), ("us", "us"), ("ss", "ss"), ("s", "")):
        if word.endswith(end):
            return word.removesuffix(end) + instead
    return word


def test_glossary_defines_every_word_of_a_comment_that_names_a_table_or_a_status() -> None:
    folders = ("shared", "tables", "views")
    sql = "\n".join(
        path.read_text() for each in folders for path in (ROOT / "sql" / each).iterdir()
    )
    names = [*NAMES.findall(sql), *re.findall(r"'(\w+)'", " ".join(LABELS.findall(sql)))]
    domain = {singular(word) for name in names for word in name.split("_")}
    # A name of several words is a column's or a table's: its page is docs/schema.md.
    comments = re.sub(r"\w+_\w+", " ", " ".join(COMMENT.findall(sql)).lower())
    used = domain & {singular(word) for word in re.findall(r"[a-z]+", comments)}
    defined = {singular(word) for term in entries() for word in words(term).split()}

    assert len(used) > 60
    assert used - defined == ORDINARY


@pytest.mark.parametrize("term", entries())
def test_glossary_defines_only_words_that_are_used(term: str, used: str) -> None:
    assert re.search(rf"\b{words(term)}(?:s|es)?\b", used)


def test_index_leads_to_every_page() -> None:
    pages = {page.resolve() for page in DOCS.glob("*.md")} - {(DOCS / "index.md").resolve()}

    assert links(ROOT / "README.md") >= {(DOCS / "index.md").resolve()}
    assert links(DOCS / "index.md") >= pages


def test_trigger_that_blocks_a_task_is_three_clicks_from_the_readme() -> None:
    index, change = DOCS / "index.md", DOCS / "status-change.md"
    triggers = ROOT / "sql" / "triggers"

    assert index in links(ROOT / "README.md")
    assert change in links(index)
    assert links(change) >= {
        triggers / "task_dependencies_90_add_edges.sql",
        triggers / "tasks_50_apply_change.sql",
    }


@pytest.mark.parametrize("page", sorted(DOCS.glob("*.md")), ids=lambda page: page.name)
def test_every_anchor_is_a_heading_of_its_page(page: Path) -> None:
    for name, anchor in re.findall(r"\]\(([\w./-]*\.md)?#([^)]+)\)", page.read_text()):
        target = (page.parent / name) if name else page
        headings = re.findall(r"^#+ (.+)$", target.read_text(), re.MULTILINE)
        slugs = {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}
        assert anchor in slugs, f"{name}#{anchor}"


@pytest.mark.parametrize("page", WRITTEN, ids=lambda page: page.name)
def test_prose_wraps_at_120_columns(page: Path) -> None:
    prose = re.sub(r"^```.*?^```", "", page.read_text(), flags=re.MULTILINE | re.DOTALL)
    lines = [line for line in prose.splitlines() if not line.startswith(("|", "    "))]

    assert [line for line in lines if len(line) > 120] == []


@pytest.mark.parametrize("page", WRITTEN, ids=lambda page: page.name)
def test_pages_name_only_files_and_tests_that_exist(page: Path) -> None:
    assert absent(page.read_text()) == []


def test_comments_in_sql_name_only_files_that_exist() -> None:
    assert absent("\n".join(path.read_text() for path in (ROOT / "sql").rglob("*.sql"))) == []


def test_a_reference_that_leads_nowhere_is_missed() -> None:
    text = "`tests/project/test_pages.py::test_gone`, `sql/tables/gone.sql`, `taskdb/errors.py`"

    assert absent(text) == ["tests/project/test_pages.py::test_gone", "sql/tables/gone.sql"]
