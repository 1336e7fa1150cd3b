"""What would settle an open claim: how many seeds, if more scattered like those that are known."""

import math
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy import stats

from lib.chapters.tables import table
from lib.paper.claims import OPEN, Verdict
from lib.paper.criteria.rules import CONFIDENCE, Condition
from lib.paper.search import SEEDS_OF_PAPER

FEWEST, MANY = 5, 1_000
"""Seeds from which on their scatter is known well enough, and those that nobody will train."""


@dataclass(frozen=True)
class Outlook:
    """What would settle an open claim.

    Attributes:
        condition: the number that has to come clear of an end of its range.
        seeds: how many there are, and how many give an even chance of that; infinite above `MANY`.
        speaks: for whom that would then be.
    """

    condition: Condition
    seeds: tuple[int, float]
    speaks: str


def outlook(verdict: Verdict) -> Outlook | None:
    """What would settle an open claim; None for a settled one, and where no seeds would.

    A number whose estimate lies in its range has to come clear with all others that do; one that
    lies outside settles the claim alone.
    """
    found = verdict.finding
    if found is None or found.holds is not None:
        return None
    stored = len({spec.seed for spec in verdict.claim.specs()})
    inside, outside = [], []
    for c in found.conditions:
        if c.holds is None:
            wanted = math.nan
            if FEWEST <= c.draws <= max(stored, SEEDS_OF_PAPER) and not c.by_steps:
                wanted = _until_clear(c, len(found.conditions))
            lies_in = c.least <= c.value <= c.most
            said = "for the paper" if lies_in else "against it"
            (inside if lies_in else outside).append(Outlook(c, (c.draws, wanted), said))
    sure = [one for one in outside if not math.isnan(one.seeds[1])]
    if sure:
        return min(sure, key=lambda one: one.seeds[1])
    if outside or not inside or any(math.isnan(one.seeds[1]) for one in inside):
        return None
    return max(inside, key=lambda one: one.seeds[1])


def _until_clear(c: Condition, conditions: int) -> float:
    """With how many seeds an interval no longer reaches across the near end of the range.

    It shrinks as Student's does, towards the estimate, on the side where that end is.  NaN
    where it is not known.
    """
    if math.isnan(c.low) or math.isnan(c.high):
        return math.nan

    def width(n):  # in standard deviations of a seed
        return stats.t.ppf(1 - (1 - CONFIDENCE) / conditions / 2, n - 1) / np.sqrt(n)

    shrinks = width(np.arange(c.draws, MANY + 1)) / width(c.draws)
    wanted = c.draws
    for end in (c.least, c.most):
        reach = c.value - c.low if end < c.value else c.high - c.value
        if c.low < end < c.high:
            enough = np.flatnonzero(shrinks * reach <= abs(c.value - end))
            wanted = max(wanted, c.draws + enough[0] if len(enough) else math.inf)
    return float(wanted)


def seeds_to_settle(verdict: Verdict) -> str:
    """What would settle one claim, in a sentence; "" where `outlook` has none."""
    if not (found := outlook(verdict)):
        return ""
    now, wanted = found.seeds
    seeds = f"some {wanted:.0f} seeds" if wanted < MANY else "more seeds than anyone will train"
    return (
        f"The verdict has {now} seeds; the paper has {SEEDS_OF_PAPER}. If more seeds of this "
        f"recipe scattered like these, it would take {seeds} for an even chance that this test "
        "settles it."
    )


def what_settles(verdicts: Iterable[Verdict], runs: pd.DataFrame) -> str:
    """A table of the open claims that more seeds would settle, and the others' names, in Markdown.

    Args:
        runs: stored runs (`Store.runs`), which say what a seed costs.
    """
    rows, others = [], []
    for v in verdicts:
        if v.verdict != OPEN:
            continue
        if (found := outlook(v)) is None:
            others.append(f"*{v.claim.name}*")
            continue
        now, wanted = found.seeds
        cost = _hours_a_seed(v, runs) * (wanted - now)
        rows.append((cost, (
            v.claim.name, found.condition.says, f"{found.condition.range}", now,
            f"{wanted:,.0f}" if wanted < MANY else f"over {MANY:,}",
            _hours(cost), found.speaks,
        )))  # fmt: skip
    heads = ["", "open is", "required", "seeds", "would take", "more core-hours", "would speak"]
    shown = table(heads, (row for _, row in sorted(rows)), left=(0, 1, 2, 6))
    if not others:
        return shown
    return (
        f"{shown}\n\nNot there: {', '.join(others)}. What is open of them lies between two sizes "
        f"tried, or beyond the largest, which more seeds do not change; or it rests on fewer than "
        f"{FEWEST} seeds, too few to say how seeds scatter."
    )


def _hours_a_seed(verdict: Verdict, runs: pd.DataFrame) -> float:
    """Hours of one core that a seed of all of a claim's cells took, by its runs on processors."""
    specs = verdict.claim.specs()
    a_seed = pd.Series([spec.seed for spec in specs]).value_counts().max()
    own = runs[runs["key"].isin({spec.key for spec in specs}) & (runs["device"] == "cpu")]
    return float((own["wall_seconds"] * own["threads"]).mean() * a_seed / 3600)


def _hours(cost: float) -> str:
    if not math.isfinite(cost):
        return "–"
    return f"{cost:,.0f}" if cost >= 10 else f"{cost:.1f}"
