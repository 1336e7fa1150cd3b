"""How a claim is decided: every verdict has three values, and an interval behind it.

A claim is one or more conditions, each a number with an interval (95%) and the range in which the
paper puts it.  A condition holds where its whole interval lies in the range, fails where the
whole interval lies outside, and is open between.  A claim is reproduced where all conditions
hold, not reproduced where one fails, and undecided otherwise.

Where a claim has several conditions, each interval is widened so that all of them together keep
their 95% (Bonferroni).  Outcomes that are all or nothing are counted, with exact intervals of
a share (of seeds: a sign test); Student's intervals are for graded outcomes alone.

These rules are older than the runs of the recipe that the search chooses, which they judge;
`changes.csv` has what was changed after other runs were known.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from scipy import stats

from lib.analysis.statistics import student

CONFIDENCE = 0.95
FEW, MOST = 1 / 3, 2 / 3
"""Shares of runs that count as few and as most: eleven seeds that all agree show either, also
where a claim has two conditions; ten of eleven do not."""


HALF = 0.5
"""Share of seeds that have to go one way in a sign test."""


@dataclass(frozen=True)
class Condition:
    """One number of a claim against the range in which the paper puts it.

    Attributes:
        says: what is measured, with its cell.
        value: our estimate.
        low, high: the ends of its interval.
        least, most: the paper's range; infinite where it has one end.
        by_steps: the interval has no probability: the number lies between two sizes tried.
        draws: independent values behind the interval.
        again: the ends of the interval if so many values were like these; None: not known.

    A number that is known from one side only has an infinite `low` or `high`; one without
    any interval has NaN for both.
    """

    says: str
    value: float
    low: float
    high: float
    least: float = -math.inf
    most: float = math.inf
    by_steps: bool = False
    draws: int = 0
    again: Callable[[int], tuple[float, float]] | None = field(
        default=None, compare=False, repr=False
    )

    @property
    def holds(self) -> bool | None:
        """True, False, or None where the interval reaches across an end of the range."""
        if math.isnan(self.low) or math.isnan(self.high):
            return None
        if self.least <= self.low and self.high <= self.most:
            return True
        return False if self.high < self.least or self.low > self.most else None

    def __str__(self) -> str:
        return f"{self.says}: {self.estimate}, required: {self.range}"

    @property
    def estimate(self) -> str:
        """The number in words: with its interval, or as the bound that alone is known."""
        if math.isnan(self.low):
            return word(self.value)
        if math.isinf(self.high):
            return f"≥ {word(self.low)}" if 0 < self.low < math.inf else "not known"
        if self.by_steps:
            return f"{word(self.value)} (by the sizes tried {word(self.low)} to {word(self.high)})"
        return f"{word(self.value)} [{word(self.low)}, {word(self.high)}]"

    @property
    def range(self) -> str:
        """The paper's range in words: "≥ 0.5", "≤ 0.1", "0.1 to 0.9"."""
        if math.isinf(self.most):
            return f"≥ {word(self.least)}"
        if math.isinf(self.least):
            return f"≤ {word(self.most)}"
        return f"{word(self.least)} to {word(self.most)}"


def word(value: float) -> str:
    if math.isnan(value):
        return "–"
    return f"{value:,.0f}" if 100 <= abs(value) < math.inf else f"{value:.3g}".replace("inf", "∞")


@dataclass(frozen=True)
class Finding:
    """What the runs give for one claim.

    Attributes:
        conditions: each number that the claim asks for; none where the runs cannot speak to it.
        note: what else is to be said of them; it decides nothing.
        also: numbers in the note, in words, by name: for who tells them elsewhere.
        used: the runs that it rests on, where it leaves some of the claim's out.
    """

    conditions: tuple[Condition, ...] = ()
    note: str = ""
    also: dict[str, str] = field(default_factory=dict)
    used: int | None = None

    @property
    def holds(self) -> bool | None:
        """Whether the claim is reproduced (True), is not (False), or is undecided (None)."""
        return decide(self.conditions)

    def __str__(self) -> str:
        return "; ".join(filter(None, (*map(str, self.conditions), self.note)))


def decide(conditions: Sequence[Condition]) -> bool | None:
    """Whether all conditions hold (True), one fails (False), or neither (None)."""
    answers = [condition.holds for condition in conditions]
    if not answers or None in answers and False not in answers:
        return None
    return False not in answers


def share(says: str, hits: Sequence[bool], conditions: int = 1, **range_) -> Condition:
    """The share of independent answers that show something: Clopper and Pearson's interval, exact.

    Args:
        hits: one answer for each run, or seed, or cell.
        conditions: how many the claim has (each interval is widened for it).
        range_: `least` or `most` of `Condition`.
    """
    k, n = int(np.sum(hits)), len(hits)
    if not n:
        return Condition(says, math.nan, math.nan, math.nan, **range_)

    def again(draws: int) -> tuple[float, float]:
        return _exact(k * draws / n, draws, conditions)

    says = f"{says} ({k} of {n})"
    return Condition(says, k / n, *again(n), **range_, draws=n, again=again)


def clustered(says: str, hits, clusters, kind: str, conditions: int = 1, **range_) -> Condition:
    """The share of runs that show something, where runs of one cluster are not independent.

    Say cells of a grid, or seeds, whose runs share first weights and nested data.  Korn and
    Graubard's interval (Survey Methodology 24, 1998): exact, for as many independent runs as have
    the variance that is seen between clusters.  Where no run shows it, or every one, nothing tells
    how alike a cluster's runs are, and they count as independent.  Args as `share`; clusters: of
    each run; kind: what they are, in words.
    """
    hits = np.asarray(hits, float)
    _, own = np.unique(np.asarray(clusters), return_inverse=True)
    shown, counts = np.bincount(own, hits), np.bincount(own)
    n, k = len(hits), len(counts)
    if k < 2:
        return Condition(says, hits.mean() if n else math.nan, math.nan, math.nan, **range_)
    p = hits.mean()
    between = k / (k - 1) * np.square(shown - p * counts).sum() / n**2
    worth = min(n, p * (1 - p) / between) if between else n
    end = (1 + _level(conditions)) / 2

    def again(draws: int) -> tuple[float, float]:
        ratio = stats.t.ppf(end, n * draws / k - 1) / stats.t.ppf(end, draws - 1)
        same = worth * draws / k * ratio**2
        return _exact(p * same, same, conditions)

    says = f"{says} ({int(hits.sum())} of {n}, in {k} {kind})"
    return Condition(says, float(p), *again(k), **range_, draws=k, again=again)


def _exact(k: float, n: float, conditions: int) -> tuple[float, float]:
    """Clopper and Pearson's interval of a share, k of n; both may be fractions."""
    tail = (1 - _level(conditions)) / 2
    low = stats.beta.ppf(tail, k, n - k + 1) if k > 0 else 0.0
    high = stats.beta.ppf(1 - tail, k + 1, n - k) if k < n else 1.0
    return float(low), float(high)


def mean(says: str, values: Sequence[float], conditions: int = 1, **range_) -> Condition:
    """The mean over seeds of a graded outcome, with Student's interval; args as `share`."""
    values = np.asarray(values, float)
    values = values[np.isfinite(values)]

    def again(draws: int) -> tuple[float, float]:
        return student(values, _level(conditions), draws)[1:]

    found = student(values, _level(conditions))
    return Condition(says, *found, **range_, draws=len(values), again=again)


def spread(says: str, values, scale: float = 1, conditions: int = 1, **range_) -> Condition:
    """`scale` times the standard deviation over seeds, with its interval by chi squared.

    Args:
        values: one a seed, or a table with seeds down, whose columns are pooled.
    """
    values = np.asarray(values, float).reshape(len(values), -1)
    free = values.size - values.shape[1]
    if free < 1:
        return Condition(says, math.nan, math.nan, math.nan, **range_)
    centre = scale * math.sqrt(np.square(values - values.mean(axis=0)).sum() / free)
    tail = (1 - _level(conditions)) / 2
    low, high = centre * np.sqrt(free / stats.chi2.ppf([1 - tail, tail], free))
    return Condition(says, centre, float(low), float(high), **range_, draws=len(values))


def jackknifed(says: str, values, statistic, conditions: int = 1, **range_) -> Condition:
    """A positive number of all seeds together: in logarithms, leaving out one seed at a time.

    Student's interval of Tukey's pseudo-values, which asks neither for equal variances nor for
    normal ones.  Args as `share`; values: a table with seeds down; statistic: of such a table.
    """
    values, n = np.asarray(values, float), len(values)
    whole = math.log(statistic(values))
    left = np.log([statistic(np.delete(values, i, axis=0)) for i in range(n)])
    pseudo = n * whole - (n - 1) * left

    def again(draws: int) -> tuple[float, float]:
        _, low, high = student(pseudo, _level(conditions), draws)
        return math.exp(low), math.exp(high)

    return Condition(says, math.exp(whole), *again(n), **range_, draws=n, again=again)


def envelope(readings: Sequence[Condition]) -> Condition:
    """One number read in several ways: it lies right, or wrong, only if every reading does.

    The estimate and the words are those of the first reading.
    """

    def outer(ends) -> tuple[float, float]:
        low, high = np.transpose(ends)
        return float(low.min()), float(high.max())

    def again(draws: int) -> tuple[float, float]:
        return outer([r.again(draws) for r in readings])

    low, high = outer([(r.low, r.high) for r in readings])
    known = again if all(r.again for r in readings) else None
    return replace(readings[0], low=low, high=high, again=known)


def widened(condition: Condition, by: float) -> Condition:
    """A number that is besides known no better than to ± `by`, as sizes tried lie apart."""

    def again(draws: int) -> tuple[float, float]:
        low, high = condition.again(draws)
        return low - by, high + by

    return replace(condition, low=condition.low - by, high=condition.high + by, again=again)


def _level(conditions: int) -> float:
    return 1 - (1 - CONFIDENCE) / conditions
