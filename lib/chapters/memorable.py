"""What stays with a reader: one line a result, each from the numbers of a verdict."""

import re
from collections.abc import Callable

from lib.analysis.efficiency import LASTING
from lib.chapters.scoreboard import PREDICTED
from lib.paper.claims import OPEN
from lib.paper.criteria.rules import Condition, Finding
from lib.paper.takeaways import judge_named
from lib.runs.store import Store

PLACES = re.compile(r"from scratch from (.+?) on, kept from (.+)$")
"""In the note of P3's finding."""


def _between(condition: Condition, shown: Callable[[float], str]) -> str:
    """A number and the ends of its interval."""
    low, high = map(shown, sorted((condition.low, condition.high)))
    return f"{shown(condition.value)} (95%: {low} to {high})".replace("-", "−")


def _fewer(found: Finding) -> str:
    part = _between(found.conditions[0], lambda power: f"{2**power:.0%}")
    return f"**A network twice as wide finds the rule from fewer sums**: from {part} of them."


def _more(found: Finding) -> str:
    times = _between(found.conditions[0], lambda power: f"{2**power:.1f}")
    return (
        f"**A network twice as wide learns more by heart**: {times} times as many random answers."
    )


def _dip(found: Finding) -> str:
    lower = _between(found.conditions[0], lambda dip: f"{dip:.2f}")
    return (
        "**Wider can be worse.** Trained on 3,000 sums, networks of width 28 to 36 get fewer of "
        f"the others right than narrower and wider ones: accuracy is {lower} lower."
    )


def _kept(found: Finding) -> str:
    found_from, kept_from = PLACES.search(found.note).groups()
    return (
        "**A rule, once found, lives on less than it takes to find it.** A network that has it "
        f"keeps it on as few as {kept_from} training sums; a new one needs {found_from}."
    )


def _moved(found: Finding) -> str:
    moved = _between(found.conditions[1], lambda points: f"{points:,.0f}")
    return (
        "**Weight decay does not set how much data the rule needs.** Twice as much of it moves "
        f"that number by {moved} sums."
    )


def _halfway(found: Finding) -> str:
    stay, of = re.search(r"\((\d+) of (\d+)\)", found.conditions[0].says).groups()
    return (
        f"**Half-way is a passage, not a place**: of {of} networks near the critical size, {stay} "
        f"stay at moderate accuracy for {LASTING:,} epochs."
    )


LINES = {
    "takeaway 1": ("grokking_grid", _fewer),
    "takeaway 2": ("memorization_capacity", _more),
    "3,000: dip": ("double_descent", _dip),
    "P3: ungrokking": ("circuit_efficiency", _kept),
    "P2: weight decay": ("circuit_efficiency", _moved),
    "P4: semi-grokking": ("circuit_efficiency", _halfway),
}
"""Claim -> its chapter, and the line that its finding makes where its runs are there."""


def memorable(store: Store) -> str:
    """The lines as a Markdown list, for a page in `book/`.

    None for a claim that lacks runs, nor for one of the paper's that is undecided; of an
    undecided prediction the numbers are told all the same.
    """
    lines = []
    for verdict in judge_named(store, *LINES):
        chapter, line = LINES[verdict.claim.name]
        told = verdict.verdict != OPEN or verdict.claim.name in PREDICTED
        if told and verdict.finding and verdict.finding.conditions:
            lines.append(f"* {line(verdict.finding)} [How](chapters/{chapter}.ipynb)")
    return "\n".join(lines) or "*No run is stored.*"
