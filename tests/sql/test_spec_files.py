"""Specifications from Markdown files and back, to the byte; what a phase is, what is refused."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path
from typing import Any

import psycopg
import pytest
from hypothesis import given
from hypothesis import strategies as st

from taskdb.cli import main
from taskdb.errors import IntegrityError, ValidationError
from taskdb.exchange.markdown import headings, read_markdown
from taskdb.exchange.phases import divide
from taskdb.exchange.specfile import import_spec, render_phase, render_spec
from taskdb.models.types import SpecType
from taskdb.queries import implementation_tasks, specs
from tests.command_line import Caller, command, environment, run, run_on_terminal
from tests.exchange_files import DATA, needs_data
from tests.sql.test_specs import AUTHENTICATION

Connection = psycopg.Connection[Any]

REAL = sorted((DATA / "specs").rglob("*.md"))
# The division of real documents: the numbers of their phases, and where the first begins.
DIVIDED = {
    "agent-distribution-plan.md": ([1, 2, 3, 4], "Milestone 1: Agent Metadata"),
    "GSD-SECURITY-SYSTEM-SPEC.md": ([1, 2, 3, 4, 5], "Phase 1: State Infrastructure"),
    "0001-multi-remote-approach.md": ([1, 2], "Phase 1 \u2014 Tracer Bullet (Approach C)"),
    "dolt-concurrency.md": ([1, 2, 3], "Phase 1: Add Transaction Discipline"),
}
LINE_ENDS = ["\n", "\r\n", "\r"]
HIDDEN = """\
```
## Phase 1
```
   ~~~~~ text
## Phase 2
~~~
## Phase 3
   ~~~~~~
<!--
## Phase 4
-->
> ## Phase 5

- ```
  ## Phase 6
  ```

    ## Phase 7

Text \\
## Phase 8 of it
    ```
"""


def names(text: str, level: int | None = None) -> list[str]:
    return [part.name for part in divide(text, level)[1]]


def numbers(text: str) -> list[int]:
    return [part.number for part in divide(text)[1]]


# Phases


@pytest.mark.parametrize("end", LINE_ENDS)
def test_headings_in_code_comments_quotations_and_lists_are_no_phases(end: str) -> None:
    text = HIDDEN.replace("\n", end)

    before, parts = divide(text)

    assert [part.name for part in parts] == ["Phase 8 of it"]
    assert before == text[: text.index("## Phase 8")]


@pytest.mark.parametrize("end", LINE_ENDS)
def test_phases_begin_at_each_form_of_heading(end: str) -> None:
    text = "# Plan\n\n   ## Phase 1 ##\nStage 2\n---\n## **Milestone** `3`: &lt;x>\n".replace(
        "\n", end
    )

    before, parts = divide(text)

    assert before == f"# Plan{end}{end}"
    assert [(part.number, part.name) for part in parts] == [
        (1, "Phase 1"),
        (2, "Stage 2"),
        (3, "Milestone 3: <x>"),
    ]
    assert parts[1].content == f"Stage 2{end}---{end}"


def test_the_outermost_level_wins_unless_another_is_named() -> None:
    text = "## Milestone 1\n### Phase 1\n#### Stage 1\n### Phase 2\n## Milestone 2\n### Phase 3\n"

    assert names(text) == ["Milestone 1", "Milestone 2"]
    assert names(text, 3) == ["Phase 1", "Phase 2", "Phase 3"]
    assert names(text, 4) == ["Stage 1"]
    assert names("# Phase 1\n##### Phase 2\n") == []


def test_numbered_headings_go_before_others_of_which_one_is_a_subject() -> None:
    assert names("## Stage prompts\n### Phases\n") == []
    assert names("## Phase overview\n### Phase 1\n### Phase B\n") == ["Phase 1", "Phase B"]
    assert names("## Phase Setup\n## Phase Build\n") == ["Phase Setup", "Phase Build"]
    assert names("## Stage prompts\n", 2) == ["Stage prompts"]


def test_numbers_are_the_headings_own_or_else_all_are_places() -> None:
    assert numbers("## Phase 3\n## Phase 0: x\n") == [3, 0]
    assert numbers("## Phase 1\n## Phase 1\n") == [1, 2]
    assert numbers("## Phase 2\n## Phase 2.1\n## Phase 2b\n") == [1, 2, 3]
    assert numbers(f"## Phase {'9' * 5000}\n## Phase II\n") == [1, 2]


def test_names_are_made_unique_and_short() -> None:
    long = "Phase 1 " + "x" * 300

    made = names(f"## {long}\n## {long}\n## Phase 2\n## Phase 2\n## Phase 2 (2)\n")

    assert len(set(made)) == 5
    assert made[2:4] == ["Phase 2", "Phase 2 (2)"]
    assert max(map(len, made)) == 200


def test_fields_before_the_document_have_no_headings() -> None:
    assert names("\ufeff## Phase 1\n") == ["Phase 1"]
    assert names("\ufeff---\ntitle: x\n## Phase 1: comment\n---\n## Phase 2\n") == ["Phase 2"]
    assert [heading.text for heading in headings("---\na: b\n---\n# T\n")] == ["T"]


LINES = st.sampled_from(
    [
        "## Phase 1",
        "### Stage 2",
        "```",
        "~~~~",
        "    x",
        "- a",
        "> b",
        "---",
        "<!--",
        "-->",
        "é\u2028\f",
    ]
)


@pytest.mark.slow
@given(st.lists(st.tuples(LINES | st.text(), st.sampled_from(["", *LINE_ENDS]))), st.booleans())
def test_what_comes_before_and_the_phases_are_the_document(
    lines: list[tuple[str, str]], mark: bool
) -> None:
    text = "\ufeff" * mark + "".join(line + end for line, end in lines)

    before, parts = divide(text)

    assert before + "".join(part.content for part in parts) == text
    assert len({part.name for part in parts}) == len({part.number for part in parts}) == len(parts)


# Files


@pytest.mark.slow
@needs_data
def test_real_specifications_come_back_to_the_byte(conn: Connection) -> None:
    assert len(REAL) == 12
    for path in REAL:
        made = import_spec(conn, path)
        spec = specs.get_by_key(conn, key=made.key)
        phases = [specs.get_phase(conn, key=made.key, number=part.number) for part in made.phases]

        assert render_spec(spec).encode() == path.read_bytes(), path
        if spec.structure is not None:
            contents = "".join(map(render_phase, phases))
            assert (spec.structure["overview"] + contents).encode() == path.read_bytes(), path
        wanted, first = DIVIDED.get(path.name, ([], ""))
        assert [part.number for part in made.phases] == wanted, path
        assert not wanted or made.phases[0].name.startswith(first)


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"no newline at the end",
        b"\xef\xbb\xbf# With a mark\r\n\r\n## Phase 1\r\nx\r\n## Phase 2",
        b"# Mac\r## Phase 1\rx\r\r## Phase 2\r",
        b"mixed\n\r\n\r## Phase 1\n\n\n\x0b\x0c\xc2\x85\xe2\x80\xa8\x1b[1m\xf4\x8f\xbf\xbf",
    ],
)
def test_show_prints_the_very_bytes_of_the_file(
    tmp_path: Path, database_url: str, capfdbinary: pytest.CaptureFixture[bytes], content: bytes
) -> None:
    file = tmp_path / "spec.md"
    file.write_bytes(content)
    assert main(["--url", database_url, "spec", "import", str(file)]) == 0
    capfdbinary.readouterr()

    assert main(["--url", database_url, "spec", "show", "SPEC-1"]) == 0

    assert capfdbinary.readouterr().out == content


@pytest.mark.slow
def test_no_setting_of_the_shell_changes_the_bytes(tmp_path: Path, database_url: str) -> None:
    content = "# Caf\u00e9 \U0001f680\r\n## Phase 1\rx".encode()
    (tmp_path / "spec.md").write_bytes(content)
    imported = run("--url", database_url, "spec", "import", "spec.md", folder=tmp_path)
    more = {"PYTHONIOENCODING": "ascii", "PYTHONUTF8": "0", "LC_ALL": "C"}

    shown = subprocess.run(
        command("--url", database_url, "spec", "show", "SPEC-1"),
        env=environment(more),
        capture_output=True,
        check=True,
    )

    assert imported.status == 0
    assert shown.stdout == content


@pytest.mark.slow
def test_on_a_terminal_nothing_steers_it(tmp_path: Path, database_url: str) -> None:
    (tmp_path / "spec.md").write_bytes(b"a\tb\r\n\x1b[31mred")
    run("--url", database_url, "spec", "import", "spec.md", folder=tmp_path)

    screen = run_on_terminal("--url", database_url, "spec", "show", "SPEC-1", folder=tmp_path)

    assert screen.sent == "a   b\r\n\\x1b[31mred\r\n"


@pytest.mark.parametrize(
    ("content", "rule"),
    [
        (b"a\r\nb\xff\n", "must be UTF-8: byte 0xff at offset 4 is not (at {}:2:2)"),
        (b"a\rb\n\xed\xa0\x80", "must be UTF-8: byte 0xed at offset 4 is not (at {}:3:1)"),
        (b"a\n\nb\0", "must hold no NUL character: there is one at offset 4 (at {}:3:2)"),
        (b"\xff\xfeh\0i\0", "must be UTF-8: byte 0xff at offset 0 is not (at {}:1:1)"),
    ],
)
def test_what_cannot_be_stored_is_refused_with_its_place(
    tmp_path: Path, conn: Connection, content: bytes, rule: str
) -> None:
    file = tmp_path / "spec.md"
    file.write_bytes(content)

    with pytest.raises(ValidationError) as refused:
        import_spec(conn, file)

    assert rule.format(file.resolve()) in str(refused.value)
    assert specs.list_specs(conn) == []


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    with pytest.raises(ValidationError, match="file cannot be read: Is a directory"):
        read_markdown(tmp_path)


def test_the_first_heading_gives_title_and_number(tmp_path: Path, conn: Connection) -> None:
    (tmp_path / "a.md").write_text("# SPEC-116: *User* login\n\n## Phase 1: tables\n")
    (tmp_path / "b.md").write_text("No heading.\n")

    first = import_spec(conn, tmp_path / "a.md", roadmap_item_id="US-116")
    second = import_spec(conn, tmp_path / "b.md", spec_number=7, title="B")
    third = import_spec(conn, shutil.copy(tmp_path / "b.md", tmp_path / "c.md"))

    assert (first.key, first.title) == ("SPEC-116", "User login")
    assert specs.get_by_roadmap_item(conn, roadmap_item_id="US-116").key == "SPEC-116"
    assert (second.key, second.title) == ("SPEC-7", "B")
    assert third.title == "c"


def test_a_file_is_imported_once_and_replaced_on_request(tmp_path: Path, conn: Connection) -> None:
    file = tmp_path / "a.md"
    file.write_text("# A\n## Phase 1\n")
    key = import_spec(conn, file).key
    again = import_spec(conn, file)
    file.write_text("# B\n")

    with pytest.raises(
        ValidationError, match=f"was imported before, as {key}, and its text differs now"
    ):
        import_spec(conn, file)
    replaced = import_spec(conn, file, replace=True)

    assert (again.state, again.key) == ("unchanged", key)
    assert (replaced.state, replaced.key, replaced.title) == ("replaced", key, "B")
    assert render_spec(specs.get_by_key(conn, key=key)) == "# B\n"


def test_a_phase_with_tasks_is_not_replaced_away(tmp_path: Path, conn: Connection) -> None:
    file = tmp_path / "a.md"
    file.write_text("## Phase 1\n## Phase 2\n")
    key = import_spec(conn, file).key
    implementation_tasks.split_into_tasks(conn, spec=key)
    file.write_text("## Phase 1\n")

    with pytest.raises(IntegrityError, match="a phase with tasks stays"):
        import_spec(conn, file, replace=True)

    assert len(specs.list_phases(conn, key=key)) == 2


def test_a_number_that_is_taken_leaves_nothing(tmp_path: Path, conn: Connection) -> None:
    specs.create(conn, spec_number=116, title="There", content="")
    (tmp_path / "a.md").write_text("# SPEC-116: Login\n")

    with pytest.raises(IntegrityError, match="spec_number"):
        import_spec(conn, tmp_path / "a.md")

    assert len(specs.list_specs(conn)) == 1


# As Markdown


RENDERED = """\
# SPEC-116: User Authentication

High-level system description...

## Architecture

Overall architecture decisions...

## Technology stack

Python, FastAPI, PostgreSQL...

## Phase 1: Database Layer

Create database models and migrations

Estimated hours: 2.0

### Models
...

## Phase 2: API Layer

Implement REST API endpoints

Estimated hours: 3.0

### Endpoints
...
"""


def test_a_specification_that_was_made_is_rendered_with_all_it_holds(conn: Connection) -> None:
    made = {**AUTHENTICATION, "risks": {"high": ["``` in a fence"]}, "owner": "a team"}
    made["phases"] = [
        *AUTHENTICATION["phases"],
        {"name": "clean\nup", "files": ["a.py"], "done when": "all is gone"},
    ]
    specs.create(
        conn,
        spec_number=116,
        title="User Authentication",
        spec_type=SpecType.HIERARCHICAL,
        structure=made,
    )

    text = render_spec(specs.get_by_key(conn, key="SPEC-116"))
    phase = render_phase(specs.get_phase(conn, key="SPEC-116", number=3))

    assert text.startswith(RENDERED)
    assert "## Phase 3: clean up\n\nFiles:\n\n- `a.py`\n\n### done when\n\nall is gone\n" in text
    assert "## owner\n\na team\n" in text
    assert '````json\n{\n  "high": [\n    "``` in a fence"\n  ]\n}\n````\n' in text
    assert phase == "## Phase 3: clean up\n"


# The command line


@pytest.fixture
def taskdb(capsys: pytest.CaptureFixture[str], database_url: str) -> Caller:
    return Caller(capsys, database_url)


def test_import_lists_the_phases_and_show_prints_one(taskdb: Caller, tmp_path: Path) -> None:
    file = tmp_path / "plan.md"
    file.write_text("# Plan\n\n## Phase 1: one\nA\n## Phase 2: two\nB\n")

    made = taskdb("spec", "import", file)
    again = taskdb("spec", "import", file, "--json").data

    assert made.out.splitlines()[0] == "SPEC-1  Plan  created, 2 phases"
    assert again["state"] == "unchanged"
    assert again["phases"][1] == {"number": 2, "name": "Phase 2: two", "bytes": 18}
    for name in ("2", "Phase 2: two"):
        assert taskdb("spec", "show", "SPEC-1", "--phase", name).out == "## Phase 2: two\nB\n"
    assert taskdb("spec", "show", "SPEC-1", "--phase", "1", "--json").data["verbatim"] is True
    assert taskdb("spec", "show", "SPEC-1", "--json").data["structure"]["verbatim"] is True


def test_what_is_not_there_is_named(taskdb: Caller, tmp_path: Path) -> None:
    (tmp_path / "a.md").write_text("## Phase 1: one\n")
    (tmp_path / "b.md").write_text("Whole\n")
    taskdb("spec", "import", tmp_path / "a.md")
    taskdb("spec", "import", tmp_path / "b.md", "--whole")

    assert taskdb("spec", "show", "SPEC-1", "--phase", "9").err == (
        "taskdb: SPEC-1 has no phase 9, but 1 (Phase 1: one)\n"
    )
    assert "SPEC-2 has no phases" in taskdb("spec", "show", "SPEC-2", "--phase", "1").err
    assert taskdb("spec", "show", "SPEC-3").status == 1
    assert taskdb("spec", "show", "SPEC-3", "--phase", "1").status == 1
    assert taskdb("spec", "import", tmp_path / "a.md", "--level", "5").status == 2
