"""Relations that are no dependencies in their tracker, unless the caller says what they are."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from taskdb.errors import ValidationError
from taskdb.exchange.options import EDGE_KINDS
from taskdb.exchange.plan import RELATIONS, Plan, PlanEdge, PlanParent, PlanRelation, PlanTask
from taskdb.exchange.words import normalize_word
from taskdb.models.types import DependencyType

__all__ = ["check_edges", "note_relation", "take_relations"]

REVERSED: Final = "-reversed"
PARENT: Final = "parent"
# Relations that hold nothing back in any tracker. Of any other the report says so.
LOOSE_WORDS: Final = """
    related related_to relates relates_to discovered_from replies_to duplicates duplicate_of
    supersedes tracks until caused_by validates delegated_from authored_by assigned_to
    approved_by attests follows spawned_from references clones cloners split duplicate
    inward_relates inward_duplicate inward_cloners
"""
LOOSE: Final = frozenset(LOOSE_WORDS.split())
SHOWN_WORDS: Final = 10
# Words whose direction is the opposite one: the task of the row comes first.
OUTWARD: Final = ("blocks", "blocking", "precedes", "before", "unblocks", "required_by")
BELOW: Final = ("parent", "child", "subtask", "part_of", "epic")


def check_edges(edges: Mapping[str, str]) -> None:
    """Raise ValidationError if a word is to be taken as anything but `EDGE_KINDS`."""
    for word, kind in edges.items():
        if kind not in EDGE_KINDS:
            raise ValidationError(
                "edges",
                f"must be {', '.join(EDGE_KINDS)}, and not {kind!r}",
                where=f"{word}={kind}",
                hint="Say for example --edge depends-on=requires",
            )


def note_relation(task: PlanTask, relation: dict[str, object]) -> None:
    """Write a relation that is not a dependency into a task's ``metadata.relations``."""
    task.metadata.setdefault(RELATIONS, []).append(relation)


def take_relations(plan: Plan, edges: Mapping[str, str]) -> None:
    """Make edges and parents of the relations whose words are in *edges*; note the others.

    The words that might mean a dependency and were not taken are named in a remark, with their
    number, an example of their direction and the option that takes them.
    """
    tasks = plan.tasks_by_key()
    kinds = {normalize_word(word): kind for word, kind in edges.items()}
    unused = {normalize_word(word): word for word in edges}
    left: dict[str, list[PlanRelation]] = {}
    for relation in plan.relations:
        plain = normalize_word(relation.word)
        kind = kinds.get(plain)
        if kind is not None:
            unused.pop(plain, None)
            _take(plan, relation, kind)
        elif relation.task in tasks:
            note_relation(
                tasks[relation.task],
                {"type": relation.word, "key": relation.other, **relation.more},
            )
            if not relation.holds and plain not in LOOSE:
                left.setdefault(relation.word, []).append(relation)
    plan.relations.clear()
    plan.remarks += [f"no relation of the file is of type {word}" for word in unused.values()]
    if left:
        plan.remarks.append(_remark(left))


def _take(plan: Plan, relation: PlanRelation, kind: str) -> None:
    below, above = relation.task, relation.other
    if kind.endswith(REVERSED):
        below, above = above, below
        kind = kind.removesuffix(REVERSED)
    if kind == PARENT:
        plan.parents.append(PlanParent(below, above, relation.where))
        return
    plan.edges.append(PlanEdge(below, above, DependencyType(kind), relation.word, relation.where))


def _remark(left: Mapping[str, list[PlanRelation]]) -> str:
    total = sum(map(len, left.values()))
    # A file may have a word of its own for each edge.
    shown = dict(sorted(left.items(), key=lambda item: -len(item[1]))[:SHOWN_WORDS])
    more = len(left) - len(shown)
    (first, same), *others = shown.items()
    counts = [f"{len(same)} {'edge' if len(same) == 1 else 'edges'} of type {first}"]
    counts += [f"{len(same)} of {word}" for word, same in others]
    counts += [f"others of {more} more types"] if more else []
    listed = " and ".join(filter(None, (", ".join(counts[:-1]), counts[-1])))
    directions = "; ".join(
        f"{word}: {same[0].task} -> {same[0].other}" for word, same in shown.items()
    )
    options = " ".join(f"--edge {word}={_likely(word)}" for word in shown)
    verb = "holds" if total == 1 else "hold"
    return f"{listed} {verb} nothing back ({directions}); take them with {options}"


def _likely(word: str) -> str:
    plain = normalize_word(word)
    if any(part in plain for part in BELOW):
        return PARENT
    kind = DependencyType.REQUIRES.value
    return f"{kind}{REVERSED}" if plain in OUTWARD else kind
