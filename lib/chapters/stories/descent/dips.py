"""Double descent in words: what the mean curves do, and how many seeds would settle the claim."""

from collections.abc import Mapping

import numpy as np
import pandas as pd
from scipy import stats

from lib.analysis.descent import Dip
from lib.analysis.dynamics import PERFECT
from lib.paper.claims import Verdict
from lib.paper.criteria.addition import DIP
from lib.paper.criteria.rules import CONFIDENCE, Condition
from lib.paper.search import SEEDS_OF_PAPER

MANY = 1_000
"""Seeds that nobody will train."""


def seen(means: Mapping[int, pd.Series], dips: Mapping[int, Dip]) -> str:
    """Where mean accuracy falls and returns with width, and where it hardly falls.

    Args:
        means: of each training size, by width.
        dips: the deepest of each training size.
    """
    deep = {size: dip for size, dip in sorted(dips.items()) if dip.depth >= DIP}
    flat = {size: dip for size, dip in sorted(dips.items()) if dip.depth < DIP}
    said = []
    if deep:
        *rest, last = (f"{n:,} points ({_course(means[n], dip)})" for n, dip in deep.items())
        courses = " and with ".join(filter(None, (", with ".join(rest), last)))
        said.append(f"falls and returns with {courses}")
    if flat:
        most = max(dip.depth for dip in flat.values())
        said.append(f"dips by {most:.2f} at most with {' and '.join(f'{n:,}' for n in flat)}")
    return f"mean accuracy over seeds {'; it '.join(said)}." if said else "no width is stored."


def _course(mean: pd.Series, dip: Dip) -> str:
    top, valley, beyond = mean[dip.peak], mean[dip.valley], mean[mean.index > dip.valley].max()
    return (
        f"{top:.2f} at width {dip.peak:.0f}, {valley:.2f} at {dip.valley:.0f}, up to "
        f"{beyond:.2f} beyond"
    )


def in_progression(size: int, train: pd.Series, val: pd.Series) -> str:
    """How mean accuracy goes with width as long as networks do not hold their training set (§4.4).

    Args:
        train, val: mean accuracies at a training size, by width.
    """
    partly = val[train < PERFECT]
    if len(partly) < 3:
        return f"{size:,} points: fewer than three widths are known that do not hold them."
    top, fall = partly.idxmax(), partly.max() - partly.iloc[-1]
    course = ", ".join(f"{mean:.2f} at {d}" for d, mean in partly.items())
    falls = f"falls by {fall:.2f} from width {top} on" if fall >= DIP else "hardly falls"
    return f"{size:,} points: **{falls}** ({course})."


def seeds_to_settle(verdict: Verdict) -> str:
    """About how many seeds would settle an open claim on one grid, if more scattered like these.

    Its intervals, Student's over seeds, have to come clear of the ends of the ranges that they
    reach across.  "" for a settled claim, and where an interval is not known.
    """
    found = verdict.finding
    if found is None or found.holds is not None:
        return ""
    ((_, _, least),) = verdict.claim.needs
    seeds = verdict.runs * least // len(verdict.claim.specs())
    confidence = 1 - (1 - CONFIDENCE) / len(found.conditions)
    inside, outside = [], []
    for c in found.conditions:
        if c.holds is None:
            where = inside if c.least <= c.value <= c.most else outside
            where.append(_seeds_until_clear(c, seeds, confidence))
    most = np.min(outside) if outside else np.max(inside)
    if np.isnan(most):
        return ""
    wanted = f"some {most:.0f} seeds" if most < MANY else "more seeds than anyone will train"
    return (
        f"The verdict has {seeds} seeds; the paper has {SEEDS_OF_PAPER}. If more seeds of this "
        f"recipe scattered like these, it would take {wanted} for an even chance that this test "
        "settles it."
    )


def _seeds_until_clear(c: Condition, seeds: int, confidence: float) -> float:
    """With how many seeds an interval is as wide as its middle is far from the range's end."""

    def width(n):  # in standard deviations of a seed
        return stats.t.ppf((1 + confidence) / 2, n - 1) / np.sqrt(n)

    gap = min(abs(c.value - end) for end in (c.least, c.most))
    shrinks = width(np.arange(seeds, MANY + 1)) / width(seeds) * (c.high - c.low) / 2
    if np.isnan(shrinks[0]):
        return np.nan
    enough = np.flatnonzero(shrinks <= gap)
    return float(seeds + enough[0]) if len(enough) else np.inf
