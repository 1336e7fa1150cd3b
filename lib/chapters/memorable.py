"""What stays with a reader: one line a result, each from the numbers of a verdict."""

import re
from collections.abc import Callable

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
    return f"**Twice the width finds the rule from fewer sums**: from {part} of them."


def _more(found: Finding) -> str:
    times = _between(found.conditions[0], lambda power: f"{2**power:.1f}")
    return f"**Twice the width learns more by heart**: {times} times as many random answers."


def _dip(found: Finding) -> str:
    lower = _between(found.conditions[0], lambda dip: f"{dip:.2f}")
    return (
        "**Wider can be worse.** Trained on 3,000 sums, networks of width 28 to 36 get fewer of "
        f"the others right than narrower and wider ones: accuracy is {lower} lower."
    )


def _kept(found: Finding) -> str:
    found_from, kept_from = PLACES.search(found.note).groups()
    return (
        "**What has been found is kept where it could not have been found.** Trained on with ever "
        f"fewer sums, networks keep the rule down to {kept_from}; from scratch they find it from "
        f"{found_from} on."
    )


def _moved(found: Finding) -> str:
    moved = _between(found.conditions[1], lambda points: f"{points:,.0f}")
    return f"**Twice the weight decay hardly moves the data that the rule needs**: by {moved} sums."


def _halfway(found: Finding) -> str:
    seen = found.conditions[0].says.split("(")[-1].rstrip(")")
    return f"**Networks do not stay half-way**: {seen} near the critical size of data do."


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
    """The lines as a Markdown list, for a page in `book/`; none for a claim that lacks runs."""
    lines = []
    for verdict in judge_named(store, *LINES):
        chapter, line = LINES[verdict.claim.name]
        if verdict.finding and verdict.finding.conditions:
            lines.append(f"* {line(verdict.finding)} [How](chapters/{chapter}.ipynb)")
    return "\n".join(lines) or "*No run is stored.*"
