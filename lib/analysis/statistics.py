"""Intervals, means and tests over seeds."""

import numpy as np
import pandas as pd
from scipy import stats

RESAMPLES = 2000
"""Bootstrap resamples (of whole seeds)."""


def resample(n: int, resamples: int = RESAMPLES) -> np.ndarray:
    """Bootstrap draws of n seeds: indices (resamples, n), the same ones at every call.

    Widths of one seed share their split; the same draws for all widths keep them together.
    """
    return np.random.default_rng(0).integers(n, size=(resamples, n))


def interval(samples: np.ndarray) -> tuple[float, float]:
    """The central 95% of bootstrap samples."""
    low, high = np.quantile(samples, [0.025, 0.975])
    return float(low), float(high)


def student(
    values, confidence: float = 0.95, draws: int | None = None
) -> tuple[float, float, float]:
    """Mean and the ends of Student's interval; NaN for those of fewer than two values.

    draws: as many values as the interval is of, if they scattered like these; by default these.
    """
    values = np.asarray(values, float)
    n, mean = len(values), float(values.mean()) if len(values) else np.nan
    if n < 2:
        return mean, np.nan, np.nan
    draws = draws or n
    quantile = stats.t.ppf((1 + confidence) / 2, draws - 1)
    half = float(quantile * np.std(values, ddof=1) / np.sqrt(draws))
    return mean, mean - half, mean + half


def cell_means(runs: pd.DataFrame, value: str = "val_accuracy") -> pd.DataFrame:
    """Mean of a final accuracy in every cell, by (d_model, train_size): mean, low, high, seeds.

    The 95% interval over seeds is Student's, cut at 0 and 1; NaN for fewer than three seeds.
    """
    cells = runs.groupby(["d_model", "train_size"])[value]
    table = cells.agg(mean="mean", seeds="size", deviation="std")
    half = stats.t.ppf(0.975, (table["seeds"] - 1).clip(1)) * table.pop("deviation")
    half = (half / np.sqrt(table["seeds"])).where(table["seeds"] >= 3)
    return table.assign(
        low=(table["mean"] - half).clip(0), high=(table["mean"] + half).clip(None, 1)
    )


def by_width(runs: pd.DataFrame, value: str = "val_accuracy") -> pd.DataFrame:
    """Final values with seeds down and widths across (one train_size)."""
    return runs.pivot_table(index="seed", columns="d_model", values=value)


def steady(values: pd.Series, level: float) -> float:
    """The first index from which on every value is at `level`; NaN where there is none."""
    good = values.dropna()[::-1].cummin()[::-1] >= level
    return float(good.idxmax()) if good.any() else np.nan


def survival(found: pd.DataFrame) -> tuple[np.ndarray, np.ndarray]:
    """Times and the share of runs that have not generalized by then (Kaplan and Meier).

    Args:
        found: runs as `lib.analysis.dynamics.waits` gives them.  The first time is 0.
    """
    came = found["came"].to_numpy(bool)
    times = found["waited"].to_numpy(float)
    if not came.any():
        ends = np.append(0.0, times.max(initial=0.0))
        return ends, np.ones_like(ends)
    sample = stats.CensoredData(uncensored=times[came], right=times[~came])
    left = stats.ecdf(sample).sf
    return np.append(0.0, left.quantiles), np.append(1.0, left.probabilities)


def median_wait(found: pd.DataFrame) -> float:
    """Decay times by which half of the runs have generalized; infinite if fewer ever do."""
    times, left = survival(found)
    half = np.flatnonzero(left <= 0.5)
    return float(times[half[0]]) if len(half) else np.inf
