"""From curves to words and numbers: zones, D_crit, D_mem, dips, norms (§2–§4, appendix A).

All outcomes are "by epoch T": a plateau may end later.
"""

import itertools
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

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


def critical_sizes(runs: pd.DataFrame, resamples: int = RESAMPLES) -> pd.DataFrame:
    """D_crit of every width: d_model, estimate, low, high, seeds, bound ("", "≤", "≥").

    `bound` says that some seeds generalize at the smallest size already (≤) or not even at
    the largest (≥).
    """
    rows = []
    for d_model, cell in runs.groupby("d_model"):
        share, seeds = success_curve(cell), cell["seed"].nunique()
        bound = "≥" if share.iloc[-1] < 1 else "≤" if share.iloc[0] > 0 else ""
        several = seeds > 1
        low, high = interval(critical_samples(cell, resamples)) if several else (np.nan, np.nan)
        rows.append((d_model, critical_size(cell), low, high, seeds, bound))
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


def by_width(runs: pd.DataFrame, value: str = "val_accuracy") -> pd.DataFrame:
    """Final values with seeds down and widths across (one train_size)."""
    return runs.pivot_table(index="seed", columns="d_model", values=value)


def dip(curves: pd.DataFrame, valley: tuple[int, int]) -> pd.Series:
    """How deep each seed's validation curve dips in a fixed range of widths.

    The lower of the best accuracies on both sides, less the mean inside the range: up to 1,
    negative for a curve that only rises or falls.  As it compares the best with a mean, noise
    alone makes it positive: test it with `permuted_widths_p`.

    Args:
        curves: from `by_width`.
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
        curves: from `by_width`.
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


def mean_dip(curves: pd.DataFrame, resamples: int = RESAMPLES) -> Dip:
    """`depth` of the mean over seeds, from `by_width`; seeds that lack a width are left out.

    A depth cannot be negative, so noise alone makes it positive: compare it with that of a
    curve that has no dip.
    """
    curves = curves.dropna()
    if curves.empty:
        return Dip()
    found = Dip(*depth(curves.mean())[:1], np.nan, np.nan, *depth(curves.mean())[1:], len(curves))
    if len(curves) < 3:
        return found
    means = curves.to_numpy()[resample(len(curves), resamples)].mean(axis=1)
    before = np.maximum.accumulate(means, axis=1)[:, :-2]
    after = np.maximum.accumulate(means[:, ::-1], axis=1)[:, ::-1][:, 2:]
    depths = np.maximum(np.minimum(before, after) - means[:, 1:-1], 0).max(axis=1, initial=0)
    low, high = interval(depths)
    return replace(found, low=low, high=high)


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


def sign_flip_p(values: np.ndarray) -> float:
    """One-sided exact p-value of "the mean is positive": all flips of the signs."""
    values = np.asarray(values, float)
    flips = np.array(list(itertools.product((1, -1), repeat=len(values))))
    return float(np.mean((flips * values).mean(axis=1) >= values.mean() - 1e-12))
