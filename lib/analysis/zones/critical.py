"""D_crit: the training size from which on runs generalize (§2.2).

All outcomes are "by epoch T": a plateau may end later.
"""

import numpy as np
import pandas as pd
from scipy import optimize

from lib.analysis import dynamics
from lib.analysis.statistics import RESAMPLES, resample, student


def success_curve(runs: pd.DataFrame) -> pd.Series:
    """Share of runs that generalize against train_size, made non-decreasing (one width)."""
    good = (runs["val_accuracy"] >= dynamics.GENERALIZED).to_numpy(float)
    sizes, own = np.unique(runs["train_size"].to_numpy(), return_inverse=True)
    count = np.bincount(own)  # by hand: a verdict on the zones asks for hundreds of curves
    share = _rising(np.bincount(own, good) / count, count)
    return pd.Series(share, index=pd.Index(sizes, name="train_size"))


def _rising(share, weight) -> np.ndarray:
    share, weight = np.asarray(share, float), np.asarray(weight, float)
    return optimize.isotonic_regression(share, weights=weight).x


def critical_size(runs: pd.DataFrame) -> float:
    """D_crit of one width: the mean threshold by the Spearman–Kärber estimate.

    Outcomes near the boundary are all or nothing, so the share of seeds that generalize at
    each size is the distribution of their thresholds.  Mass below the smallest size or above
    the largest is put there.
    """
    return critical_point(runs)[0]


def critical_point(runs: pd.DataFrame) -> tuple[float, str]:
    """`critical_size` of one width, and its `bound`."""
    share = success_curve(runs)
    size = _mean_threshold(share.index.to_numpy(float), share.to_numpy())
    return size, _bound(share.to_numpy())


def bound(runs: pd.DataFrame) -> str:
    """Whether D_crit lies inside the sizes that were tried: "", or "≤" or "≥" where it does not.

    Inside: fewer than half of the runs generalize at the smallest size, more at the largest.
    A few seeds beyond an end do not make a bound: else every seed more would make it likelier.
    """
    return critical_point(runs)[1]


def _bound(share: np.ndarray) -> str:
    return "≤" if share[0] >= 0.5 else "≥" if share[-1] <= 0.5 else ""


def _mean_threshold(sizes: np.ndarray, share: np.ndarray) -> float:
    middle = (sizes[1:] + sizes[:-1]) / 2
    return float(share[0] * sizes[0] + np.diff(share) @ middle + (1 - share[-1]) * sizes[-1])


def critical_samples(runs: pd.DataFrame, resamples: int = RESAMPLES) -> np.ndarray:
    """D_crit of one width in bootstrap resamples of whole seeds (resamples,)."""
    good = runs.assign(good=(runs["val_accuracy"] >= dynamics.GENERALIZED).astype(float))
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


CRITICAL = ["d_model", "estimate", "low", "high", "seeds", "bound"]


def critical_sizes(runs: pd.DataFrame) -> pd.DataFrame:
    """D_crit of every width: d_model, estimate, low, high, seeds, bound (as `bound`).

    The 95% interval is Student's of the seeds' own, moved to the estimate, which takes all seeds
    together and is not quite their mean; NaN for fewer than three.
    """
    rows = []
    for d_model, cell in runs.groupby("d_model"):
        own = [critical_size(one) for _, one in cell.groupby("seed")]
        mean, low, high = student(own) if len(own) > 2 else (np.nan,) * 3
        estimate, side = critical_point(cell)
        shift = estimate - mean
        rows.append((d_model, estimate, low + shift, high + shift, len(own), side))
    return pd.DataFrame(rows, columns=CRITICAL)


def seed_thresholds(runs: pd.DataFrame, column: str = "d_model") -> pd.DataFrame:
    """D_crit of each seed by itself: seeds down, the values of a column across."""
    values = {key: critical_size(cell) for key, cell in runs.groupby(["seed", column])}
    return pd.Series(values, dtype=float).unstack() if values else pd.DataFrame()


def variances_of_shares(runs: pd.DataFrame) -> pd.Series:
    """By width: the variance of the size at which a seed generalizes, from the shares that do.

    Where a seed goes up and down with size, its own D_crit lies in the middle of that, and seeds
    differ less by it than the shares tell, which are taken as they are, rising or not.
    """
    good = (runs["val_accuracy"] >= dynamics.GENERALIZED).astype(float)
    shares = good.groupby([runs["d_model"], runs["train_size"]]).mean().unstack()
    sizes, seeds = shares.columns.to_numpy(float), runs["seed"].nunique()
    places = np.concatenate([sizes[:1], (sizes[1:] + sizes[:-1]) / 2, sizes[-1:]])
    mass = np.diff(np.pad(shares.to_numpy(), ((0, 0), (1, 1)), constant_values=(0, 1)), axis=1)
    centred = places - (mass @ places)[:, None]
    return pd.Series((mass * centred**2).sum(axis=1) * seeds / (seeds - 1), shares.index)
