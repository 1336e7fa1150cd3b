"""Dips of a validation curve by width: how deep, and where (§4.1)."""

from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from lib.analysis import statistics

BEFORE, INSIDE, BEYOND = (8, 20), (28, 36), (48, 100)
"""First and last width of the first peak at 3,000 points, of the dip, and of the way up again.  The
dip's are the paper's (around 28–36, §4.1, figure 6), the others ours."""


RISEN = (20, 20)
"""Where progression has done all that it does, with data enough for it (4,000 and 5,000 points)."""


NARROWEST, LOW = (4, 4), (12, 16)
"""Where validation loss is before its first descent at 3,000 points, and where it is low after it;
seeds 0–4 suggested these."""


def hill(losses: pd.DataFrame) -> tuple[pd.Series, pd.Series, pd.Series]:
    """How far each seed's loss falls first, climbs, and comes down again, in nats.

    Means over fixed widths, as in `dip`.

    Args:
        losses: from `statistics.by_width`.
    """
    first, low, top, after = (_over(losses, where) for where in (NARROWEST, LOW, INSIDE, BEYOND))
    return first - low, top - low, top - after


def fall(curves: pd.DataFrame, inside: tuple[int, int] = INSIDE) -> pd.Series:
    """How far each seed's curve falls: its mean over the widths before less that inside.

    Means over fixed widths, so that noise alone is as often negative as positive.

    Args:
        curves: from `statistics.by_width`.
        inside: first and last width.
    """
    return _over(curves, BEFORE) - _over(curves, inside)


def dip(curves: pd.DataFrame, before: tuple[int, int] = BEFORE) -> pd.Series:
    """How deep each seed's curve dips: its fall, or its rise after it where that is less.

    before: the first and last width that it falls from.
    """
    return np.minimum(_over(curves, before), _over(curves, BEYOND)) - _over(curves, INSIDE)


def _over(curves: pd.DataFrame, widths: tuple[int, int]) -> pd.Series:
    return curves.loc[:, widths[0] : widths[1]].mean(axis=1)


def depth(curve: pd.Series) -> tuple[float, float, float]:
    """The deepest dip of one curve by width: depth, width of the first peak, of the valley.

    depth = first peak − valley, where the curve rises again after the valley; 0 if it never
    does.
    """
    values, best = curve.to_numpy(), (0.0, np.nan, np.nan)
    for j in range(1, len(values) - 1):
        peak = int(np.argmax(values[:j]))
        low = min(values[peak], values[j + 1 :].max()) - values[j]
        if low > best[0]:
            best = (float(low), float(curve.index[peak]), float(curve.index[j]))
    return best


@dataclass(frozen=True)
class Dip:
    """The deepest dip of a mean curve by width, with a bootstrap interval over seeds."""

    depth: float = np.nan
    low: float = np.nan
    high: float = np.nan
    peak: float = np.nan  # width of the first peak
    valley: float = np.nan  # width of the valley
    seeds: int = 0


def mean_dip(curves: pd.DataFrame, resamples: int = statistics.RESAMPLES) -> Dip:
    """`depth` of the mean over the seeds that have every width, from `statistics.by_width`.

    A depth cannot be negative, so noise alone makes it positive: compare it with that of a
    curve that has no dip.  For the same reason the interval, reflected as it is, covers less than
    it is drawn for.
    """
    curves = curves.dropna()
    if curves.empty:
        return Dip()
    deep, peak, valley = depth(curves.mean())
    found = Dip(deep, peak=peak, valley=valley, seeds=len(curves))
    if len(curves) < 3:
        return found
    means = curves.to_numpy()[statistics.resample(len(curves), resamples)].mean(axis=1)
    before = np.maximum.accumulate(means, axis=1)[:, :-2]
    after = np.maximum.accumulate(means[:, ::-1], axis=1)[:, ::-1][:, 2:]
    depths = np.maximum(np.minimum(before, after) - means[:, 1:-1], 0).max(axis=1, initial=0)
    low, high = statistics.interval(depths)
    # Reflected: a resampled maximum lies too high by as much again as the maximum itself.
    return replace(found, low=max(2 * deep - high, 0.0), high=max(2 * deep - low, 0.0))
