"""Dips of a validation curve by width: how deep, where, and whether noise would do (§4.1)."""

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from lib.analysis import statistics


def dip(curves: pd.DataFrame, valley: tuple[int, int]) -> pd.Series:
    """How deep each seed's validation curve dips in a fixed range of widths.

    The lower of the best accuracies on both sides, less the mean inside the range: up to 1,
    negative for a curve that only rises or falls.  As it compares the best with a mean, noise
    alone makes it positive: test it with `permuted_widths_p`.

    Args:
        curves: from `analysis.by_width`.
        valley: first and last width of the range.
    """
    return pd.Series(dip_of(curves.to_numpy(), curves.columns, valley), index=curves.index)


def dip_of(values: np.ndarray, widths: np.ndarray, valley: tuple[int, int]) -> np.ndarray:
    """`dip` of arrays (…, widths)."""
    first, last = valley
    before, after = values[..., widths < first], values[..., widths > last]
    inside = values[..., (widths >= first) & (widths <= last)]
    return np.minimum(np.nanmax(before, -1), np.nanmax(after, -1)) - np.nanmean(inside, -1)


def fall_of(values: np.ndarray, widths: np.ndarray, zone: tuple[int, int]) -> np.ndarray:
    """How far curves (…, widths) fall: the best before a range of widths less its mean."""
    first, last = zone
    inside = values[..., (widths >= first) & (widths <= last)]
    return np.nanmax(values[..., widths < first], -1) - np.nanmean(inside, -1)


def permuted_widths_p(
    curves: pd.DataFrame, statistic: Callable[..., np.ndarray], resamples: int = 9999
) -> float:
    """One-sided p-value of a statistic's mean over seeds if width made no difference.

    The widths are shuffled within each seed, so the statistic's own bias towards positive
    values is in both sides of the comparison.

    Args:
        curves: from `analysis.by_width`.
        statistic: of (values (…, widths), widths), like `dip_of`.
    """
    values, widths = curves.to_numpy(), curves.columns.to_numpy()
    shuffled = np.random.default_rng(0).permuted(np.tile(values, (resamples, 1, 1)), axis=2)
    seen = statistic(values, widths).mean()
    hits = (statistic(shuffled, widths).mean(axis=1) >= seen - 1e-12).sum()
    return float((hits + 1) / (resamples + 1))


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
    """`depth` of the mean over the seeds that have every width, from `analysis.by_width`.

    A depth cannot be negative, so noise alone makes it positive: compare it with that of a
    curve that has no dip.
    """
    curves = curves.dropna()
    if curves.empty:
        return Dip()
    found = Dip(*depth(curves.mean())[:1], np.nan, np.nan, *depth(curves.mean())[1:], len(curves))
    if len(curves) < 3:
        return found
    means = curves.to_numpy()[statistics.resample(len(curves), resamples)].mean(axis=1)
    before = np.maximum.accumulate(means, axis=1)[:, :-2]
    after = np.maximum.accumulate(means[:, ::-1], axis=1)[:, ::-1][:, 2:]
    depths = np.maximum(np.minimum(before, after) - means[:, 1:-1], 0).max(axis=1, initial=0)
    low, high = statistics.interval(depths)
    return replace(found, low=low, high=high)
