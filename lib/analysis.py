"""From curves to words and numbers: zones, D_crit, D_mem, dips, norms (§2–§4, appendix A).

All outcomes are "by epoch T": a plateau may end later.
"""

from collections.abc import Mapping

import numpy as np
import pandas as pd
from scipy import optimize, stats

from lib.spec import RunSpec

PERFECT = 0.99
"""Training accuracy from which a network has learned its training set."""

GENERALIZED = 0.95
"""Validation accuracy from which a network has generalized."""

ZERO = 0.10
"""Validation accuracy below which a network does not generalize (chance is 1/113)."""

TOGETHER = 0.50
"""Validation accuracy, when training becomes perfect, from which the two rose together."""

ZONES = ("progression", "ungrokking", "grokking", "semi-grokking", "unlearned", "diverged")


def first_epoch(epochs: np.ndarray, values: np.ndarray, level: float) -> float:
    """The first evaluated epoch at which `values` reach `level`; infinity if none does."""
    reached = np.flatnonzero(np.asarray(values) >= level)
    return float(np.asarray(epochs)[reached[0]]) if len(reached) else np.inf


def zone(curve: Mapping[str, np.ndarray], spec: RunSpec | None = None) -> str:
    """The training dynamics that one run's own curve shows, by its last epoch (§2.2, §3).

    * *ungrokking*: training is perfect, validation stays below `ZERO`.
    * *grokking*: training is perfect while validation is below `TOGETHER`; by the end
      validation is above `GENERALIZED`.
    * *semi-grokking*: the same start, and validation ends in between.
    * *progression*: validation rises above `ZERO` and training was not perfect before it
      was at `TOGETHER`: the two accuracies grow together.
    * *unlearned*: neither perfect training nor validation above `ZERO`.

    Args:
        curve: columns "epoch", "train_accuracy", "val_accuracy" and "train_loss" of a run.
        spec: unused; accepted so that rules may come to depend on it.
    """
    train, val = np.asarray(curve["train_accuracy"]), np.asarray(curve["val_accuracy"])
    if not np.isfinite(np.asarray(curve["train_loss"])[-1]):
        return "diverged"
    perfect = np.flatnonzero(train >= PERFECT)
    end = val[-1] if np.isfinite(val[-1]) else 0.0  # no validation set: nothing generalizes
    if not len(perfect):
        return "progression" if end >= ZERO else "unlearned"
    if end >= ZERO and val[perfect[0]] >= TOGETHER:
        return "progression"
    if end < ZERO:
        return "ungrokking"
    return "grokking" if end >= GENERALIZED else "semi-grokking"


# ---- numbers from many runs ------------------------------------------------------------

RESAMPLES = 2000
"""Bootstrap resamples (of whole seeds) behind every interval."""


def success_curve(runs: pd.DataFrame) -> pd.Series:
    """Share of runs that generalize against train_size, made non-decreasing (one width)."""
    share = runs.assign(good=runs["val_accuracy"] >= GENERALIZED).groupby("train_size")["good"]
    return pd.Series(_rising(share.mean(), share.size()), index=share.mean().index)


def _rising(share, weight) -> np.ndarray:
    share, weight = np.asarray(share, float), np.asarray(weight, float)
    return optimize.isotonic_regression(share, weights=weight).x


def critical_size(runs: pd.DataFrame) -> float:
    """D_crit of one width: the mean threshold by the Spearman–Kärber estimate.

    Outcomes near the boundary are all or nothing, so the share of seeds that generalize at
    each size is the distribution of their thresholds.  Mass below the smallest size or above
    the largest is put there: the estimate is then a bound.
    """
    share = success_curve(runs)
    return _mean_threshold(share.index.to_numpy(float), share.to_numpy())


def _mean_threshold(sizes: np.ndarray, share: np.ndarray) -> float:
    middle = (sizes[1:] + sizes[:-1]) / 2
    return float(share[0] * sizes[0] + np.diff(share) @ middle + (1 - share[-1]) * sizes[-1])


def resample(n: int, resamples: int = RESAMPLES) -> np.ndarray:
    """Bootstrap draws of n seeds: indices (resamples, n), the same ones at every call.

    Widths of one seed share their split; the same draws for all widths keep them together.
    """
    return np.random.default_rng(0).integers(n, size=(resamples, n))


def interval(samples: np.ndarray) -> tuple[float, float]:
    """The central 95% of bootstrap samples."""
    low, high = np.quantile(samples, [0.025, 0.975])
    return float(low), float(high)


def critical_samples(runs: pd.DataFrame, resamples: int = RESAMPLES) -> np.ndarray:
    """D_crit of one width in bootstrap resamples of whole seeds (resamples,)."""
    good = runs.assign(good=(runs["val_accuracy"] >= GENERALIZED).astype(float))
    table = good.pivot_table(index="seed", columns="train_size", values="good")
    sizes, values = table.columns.to_numpy(float), table.to_numpy()[resample(len(table), resamples)]
    counts, sums = np.isfinite(values).sum(axis=1), np.nansum(values, axis=1)
    # Few seeds give few different resamples: each is worked out once.
    rows, which = np.unique(np.stack([counts, sums], axis=1), axis=0, return_inverse=True)
    thresholds = []
    for count, total in rows:
        there = count > 0
        share = _rising(total[there] / count[there], count[there])
        thresholds.append(_mean_threshold(sizes[there], share))
    return np.array(thresholds)[which.ravel()]


def clustered(values: pd.Series, clusters: pd.Series) -> tuple[float, float]:
    """The 95% bootstrap interval of a mean, whole clusters drawn: runs of a cell share a fate."""
    table = values.groupby(clusters.to_numpy()).agg(["sum", "size"]).to_numpy(float)
    sums = table[resample(len(table))].sum(axis=1)
    return interval(sums[:, 0] / sums[:, 1])


CRITICAL = ["d_model", "estimate", "low", "high", "seeds", "bound"]


def bound_of(runs: pd.DataFrame) -> str:
    """Whether D_crit of one width is a bound: "", "≤", "≥".

    Some seeds generalize at the smallest size already (≤) or not even at the largest (≥).
    """
    share = success_curve(runs)
    return "≥" if share.iloc[-1] < 1 else "≤" if share.iloc[0] > 0 else ""


def critical_sizes(runs: pd.DataFrame, resamples: int = RESAMPLES) -> pd.DataFrame:
    """D_crit of every width: d_model, estimate, low, high, seeds, bound (`bound_of`)."""
    rows = []
    for d_model, cell in runs.groupby("d_model"):
        seeds = cell["seed"].nunique()
        several = seeds > 1
        low, high = interval(critical_samples(cell, resamples)) if several else (np.nan, np.nan)
        rows.append((d_model, critical_size(cell), low, high, seeds, bound_of(cell)))
    return pd.DataFrame(rows, columns=CRITICAL)


def seed_thresholds(runs: pd.DataFrame) -> pd.DataFrame:
    """D_crit of each seed by itself: seeds down, widths across."""
    values = {key: critical_size(cell) for key, cell in runs.groupby(["seed", "d_model"])}
    return pd.Series(values).unstack()


def distinct_pairs(train_size, modulus: int = 113):
    """Unordered pairs expected among `train_size` random ordered ones (PAPER: footnote 3).

    The task commutes, so (a, b) and (b, a) are one fact to memorize: 12,769 ordered pairs
    hold 6,441, and 3,000 random ones about 2,650.
    """
    share = np.asarray(train_size, float) / modulus**2
    return modulus * share + modulus * (modulus - 1) / 2 * (1 - (1 - share) ** 2)


CAPACITY = ["d_model", "accuracy", "estimate", "low", "high", "seeds"]


def capacities(runs: pd.DataFrame) -> pd.DataFrame:
    """D_mem of every width: d_model, accuracy, estimate, low, high (unordered pairs), seeds.

    The capacity is training accuracy on random labels times the unordered pairs; the 95%
    interval over seeds is Student's.
    """
    rows = []
    for d_model, cell in runs.groupby("d_model"):
        facts = distinct_pairs(cell["train_size"].iloc[0], cell["modulus"].iloc[0])
        values = cell["train_accuracy"].to_numpy() * facts
        half = student_half(values)
        mean = values.mean()
        rows.append((d_model, mean / facts, mean, mean - half, mean + half, len(values)))
    return pd.DataFrame(rows, columns=CAPACITY)


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


def student_half(values: np.ndarray) -> float:
    """Half the width of Student's 95% interval of a mean; NaN for fewer than two values."""
    n = len(values)
    if n < 2:
        return np.nan
    return float(stats.t.ppf(0.975, n - 1) * np.std(values, ddof=1) / np.sqrt(n))


def best_on_the_way(curves: pd.DataFrame) -> pd.Series:
    """The highest validation accuracy of each run at any evaluation, by key."""
    return curves.groupby("key")["val_accuracy"].max()


def by_width(runs: pd.DataFrame, value: str = "val_accuracy") -> pd.DataFrame:
    """Final values with seeds down and widths across (one train_size)."""
    return runs.pivot_table(index="seed", columns="d_model", values=value)


def norm_change(curve: Mapping[str, np.ndarray]) -> float:
    """log(norm after / norm before) over the epochs in which a run generalizes (figure 9).

    Before: the last evaluation with validation accuracy below `ZERO`; after: the first at
    nine tenths of its final value.  NaN if it does not generalize.
    """
    val, norm = np.asarray(curve["val_accuracy"]), np.asarray(curve["param_norm"])
    if not val[-1] >= ZERO:
        return np.nan
    after = int(np.argmax(val >= 0.9 * val[-1]))
    low = np.flatnonzero(val[: after + 1] < ZERO)
    return float(np.log(norm[after] / norm[low[-1]])) if len(low) else np.nan


def region(train_size: float, capacity: float, share: float, modulus: int = 113) -> str:
    """The zone that the two boundaries predict for a cell (figure 1).

    Args:
        train_size: D, in ordered pairs.
        capacity: D_mem of the width, in unordered pairs (`capacities`).
        share: share of runs that generalize at this width and size (`success_curve`): below
            a tenth is below D_crit, above nine tenths above it, in between at it.
    """
    if distinct_pairs(train_size, modulus) > capacity:
        return "progression"
    if share < 0.1:
        return "ungrokking"
    return "grokking" if share > 0.9 else "semi-grokking"
