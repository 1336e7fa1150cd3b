"""What would settle an open claim: how many seeds, if more were like those that are known."""

import math
from collections.abc import Iterable
from dataclasses import dataclass, replace

import pandas as pd

from lib.chapters.tables import table
from lib.paper.claims import OPEN, Claim, Verdict
from lib.paper.criteria.rules import Condition
from lib.paper.experiments import EXPERIMENTS
from lib.paper.search import SEEDS_OF_PAPER

FEWEST, MANY = 5, 1_000
"""Seeds from which on their scatter is known well enough, and those that nobody will train."""


CHOSEN = ("takeaway 6",)
"""Claims that show the best of several sets of conditions: one that fails leaves the others."""


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
    """What would settle an open claim; None for a settled one, and where that is not known.

    A number whose estimate lies in its range has to come clear with all others that do; one that
    lies outside settles the claim alone.
    """
    found = verdict.finding
    if found is None or found.holds is not None:
        return None
    most, inside, outside = _seeds(verdict.claim), [], []
    for c in found.conditions:
        if c.holds is None:
            known = c.again is not None and FEWEST <= c.draws <= most
            wanted = _until_clear(c) if known else math.nan
            lies_in = c.least <= c.value <= c.most
            said = "for the claim" if lies_in else "against it"
            (inside if lies_in else outside).append(Outlook(c, (c.draws, wanted), said))
    sure = [one for one in outside if not math.isnan(one.seeds[1])]
    if sure and verdict.claim.name not in CHOSEN:
        return min(sure, key=lambda one: one.seeds[1])
    if outside or not inside or any(math.isnan(one.seeds[1]) for one in inside):
        return None
    return max(inside, key=lambda one: one.seeds[1])


def _seeds(claim: Claim) -> int:
    """How many seeds of a claim can be stored: what is more is runs or cells."""
    found: set[int] = set()
    for experiment, _, seeds in claim.needs:
        counted = isinstance(seeds, int)
        found |= set(range(max(seeds, EXPERIMENTS[experiment].seeds)) if counted else seeds)
    return len(found)


def _until_clear(c: Condition) -> float:
    """With how many values like these an interval no longer reaches across an end of its range."""
    if math.isnan(c.low) or math.isnan(c.high):
        return math.nan
    for draws in range(c.draws, MANY + 1):
        low, high = c.again(draws)
        if replace(c, low=low, high=high).holds is not None:
            return draws
    return math.inf


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
        cost = hours_a_seed(v.claim, runs) * (wanted - now)
        order = math.inf if math.isnan(cost) else cost, v.claim.name
        rows.append((order, (
            v.claim.name, found.condition.says, found.condition.range, now,
            f"{wanted:,.0f}" if wanted < MANY else f"over {MANY:,}",
            _hours(cost), found.speaks,
        )))  # fmt: skip
    heads = ["", "open is", "required", "seeds", "would take", "more core-hours", "would speak"]
    shown = table(heads, (row for _, row in sorted(rows)), left=(0, 1, 2, 6))
    if not others:
        return shown
    return (
        f"{shown}\n\nNot estimated: {'; '.join(others)}. Open there is an emergent size, which is "
        "read from the best seed and lies between two sizes tried or beyond the largest; or too "
        f"few runs do what is asked about; or fewer than {FEWEST} seeds stand behind a number."
    )


def hours_a_seed(claim: Claim, runs: pd.DataFrame) -> float:
    """Hours of one core that one seed of all of a claim's cells takes.

    The median of each cell's stored runs on processors, of its task's cells where it has none; NaN
    where these have none, either.
    """
    specs = claim.specs()
    own = runs[runs["device"].fillna("cpu") == "cpu"].set_index("key")
    took = own["wall_seconds"] * own["threads"]
    stored = [(s.with_seed(0).key, s.task, took[s.key]) for s in specs if s.key in took.index]
    known = pd.DataFrame(stored, columns=["cell", "task", "seconds"])
    cells, tasks = (known.groupby(by)["seconds"].median() for by in ("cell", "task"))
    every = {s.with_seed(0).key: s.task for s in specs}
    each = (cells.get(cell, tasks.get(task, math.nan)) for cell, task in every.items())
    return sum(each) / 3600


def _hours(cost: float) -> str:
    if not math.isfinite(cost):
        return "–"
    return f"{cost:,.0f}" if cost >= 10 else f"{cost:.1f}"
