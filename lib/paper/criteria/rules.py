"""How a claim is decided: every verdict has three values, and an interval behind it.

A claim is one or more conditions, each a number with a 95% interval and the range in which the
paper puts it.  A condition holds where its whole interval lies in the range, fails where the
whole interval lies outside, and is open between.  A claim is reproduced where all conditions
hold, not reproduced where one fails, and undecided otherwise.

Where a claim has several conditions, each interval is widened so that all of them together keep
their 95% (Bonferroni).  Outcomes that are all or nothing are counted, with exact intervals of
a share; Student's intervals are for graded outcomes alone.

These rules are older than the runs of the recipe that the search chooses, which they judge.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy import stats

CONFIDENCE = 0.95
ALPHA = 1 - CONFIDENCE


@dataclass(frozen=True)
class Condition:
    """One number of a claim against the range in which the paper puts it.

    Attributes:
        says: what is measured, with its cell.
        value: our estimate.
        low, high: the ends of its interval.
        least, most: the paper's range; infinite where it has one end.

    A number that is known from one side only has an infinite `low` or `high`; one without
    any interval has NaN for both.
    """

    says: str
    value: float
    low: float
    high: float
    least: float = -math.inf
    most: float = math.inf

    @property
    def holds(self) -> bool | None:
        """True, False, or None where the interval reaches across an end of the range."""
        if math.isnan(self.low) or math.isnan(self.high):
            return None
        if self.least <= self.low and self.high <= self.most:
            return True
        return False if self.high < self.least or self.low > self.most else None

    def __str__(self) -> str:
        interval = "" if math.isnan(self.low) else f" [{_word(self.low)}, {_word(self.high)}]"
        return f"{self.says} {_word(self.value)}{interval}, {self.range}"

    @property
    def range(self) -> str:
        """The paper's range in words: "≥ 0.5", "≤ 0.1", "0.1 to 0.9"."""
        if math.isinf(self.most):
            return f"≥ {_word(self.least)}"
        if math.isinf(self.least):
            return f"≤ {_word(self.most)}"
        return f"{_word(self.least)} to {_word(self.most)}"


def _word(value: float) -> str:
    return f"{value:,.0f}" if 100 <= abs(value) < math.inf else f"{value:.3g}".replace("inf", "∞")


@dataclass(frozen=True)
class Finding:
    """What the runs give for one claim.

    Attributes:
        conditions: each number that the claim asks for, with its interval and the paper's range
            for a card to draw.
    """

    text: str
    low: float
    high: float
    holds: bool | None  # None: the runs are there, but too few of them speak to the claim
    conditions: tuple[Condition, ...] = ()

    def __str__(self) -> str:
        if not (math.isfinite(self.low) and math.isfinite(self.high)):
            return self.text
        return f"{self.text} [{_word(self.low)}, {_word(self.high)}]"


def unsettled(text: str) -> Finding:
    """A finding that decides nothing and has no interval."""
    return Finding(text, math.nan, math.nan, None)


def decide(conditions: Sequence[Condition]) -> bool | None:
    """Whether a claim is reproduced (True), is not (False), or is undecided (None)."""
    answers = [condition.holds for condition in conditions]
    if not answers or None in answers and False not in answers:
        return None
    return False not in answers


def share(says: str, hits: Sequence[bool], conditions: int = 1, **range_) -> Condition:
    """The share of runs that show something, with Clopper and Pearson's exact interval.

    Args:
        hits: one answer for each run.
        conditions: how many the claim has (each interval is widened for it).
        range_: `least` or `most` of `Condition`.
    """
    k, n = int(np.sum(hits)), len(hits)
    if not n:
        return Condition(says, math.nan, math.nan, math.nan, **range_)
    level = 1 - (1 - CONFIDENCE) / conditions
    low, high = stats.binomtest(k, n).proportion_ci(level, method="exact")
    return Condition(f"{says}: {k} of {n}", k / n, float(low), float(high), **range_)


def mean(says: str, values: Sequence[float], conditions: int = 1, **range_) -> Condition:
    """The mean over seeds of a graded outcome, with Student's interval; args as `share`."""
    values = np.asarray(values, float)
    values = values[np.isfinite(values)]
    if len(values) < 2:
        return Condition(says, float(values.mean()) if len(values) else math.nan,
                         math.nan, math.nan, **range_)  # fmt: skip
    level = 1 - (1 - CONFIDENCE) / conditions
    half = stats.t.ppf((1 + level) / 2, len(values) - 1) * stats.sem(values)
    centre = float(values.mean())
    return Condition(says, centre, centre - half, centre + half, **range_)
