"""Breakages of specifications."""

from __future__ import annotations

from tests.admin.breaking import Breakage

SPECS = {
    "specifications in a cycle": Breakage(
        (
            "insert into spec_dependencies (spec_id, depends_on_id)"
            " select a.id, b.id from technical_specs as a, technical_specs as b where a.id <> b.id",
        ),
        "spec_cycle",
        "SPEC-1",
        "SPEC-1 -> SPEC-2 -> SPEC-1, where each builds on the next",
        "no cycle",
    ),
    "a phase that its specification does not have": Breakage(
        (
            "insert into spec_phases (spec_id, name, number)"
            " select id, 'more', 2 from technical_specs where spec_number = 2",
        ),
        "phases",
        "SPEC-2",
        "spec_phases has all, more",
        "all",
    ),
    "a specification that search knows otherwise": Breakage(
        ("update technical_specs set title = 'Another' where spec_number = 2",),
        "spec_text",
        "SPEC-2",
        "spec_search has another text",
        "the words of its title and content",
    ),
}
