"""How each claim is judged: from frames of runs to a statistic, an interval, and a yes or no.

The thresholds here were written down before the runs that decide them (`lib.claims` has the
words).  Near a boundary outcomes are all or nothing, so the tests are exact or permutations.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy import stats

from lib import analysis as an

ALPHA = 0.05


@dataclass(frozen=True)
class Finding:
    """What the runs give for one claim: a statistic with a 95% interval, and whether it holds."""

    text: str
    low: float
    high: float
    holds: bool | None  # None: the runs are there, but too few of them speak to the claim

    def __str__(self) -> str:
        if not (np.isfinite(self.low) and np.isfinite(self.high)):
            return self.text
        return f"{self.text} [{_number(self.low)}, {_number(self.high)}]"


def _number(value: float) -> str:
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"


def _mean(values) -> tuple[float, float, float]:
    values = np.asarray(values, float)
    half = an.student_half(values)
    return float(values.mean()), float(values.mean() - half), float(values.mean() + half)


def critical_falls(grid):
    by_seed = an.seed_thresholds(grid)
    order = np.argsort(np.argsort(-by_seed.columns.to_numpy())) + 1
    p = stats.page_trend_test(by_seed.to_numpy(), predicted_ranks=order).pvalue
    drop, low, high = _mean(by_seed[32] - by_seed[64])
    text = f"D_crit(32) − D_crit(64) = {drop:.0f} points (Page's trend p = {p:.2g})"
    return Finding(text, low, high, bool(p < ALPHA and low > 0))


def capacity_rises(grid):
    by_seed = an.by_width(grid, "train_accuracy")
    p = stats.page_trend_test(by_seed.to_numpy()).pvalue
    gain, low, high = _mean(by_seed[by_seed.columns[-1]] - by_seed[by_seed.columns[0]])
    text = f"accuracy on random labels rises by {gain:.2f} from d = 4 to 100 (Page's p = {p:.2g})"
    return Finding(text, low, high, bool(p < ALPHA and low > 0))


def zones_agree(grid, dip_grid, random):
    runs = pd.concat([grid, dip_grid]).drop_duplicates("key")
    hits, seen = [], set()
    facts = an.capacities(random).set_index("d_model")["estimate"]
    for seed in runs["seed"].unique():  # each seed against boundaries from the others
        others, own = runs[runs["seed"] != seed], runs[runs["seed"] == seed]
        shares = {d: an.success_curve(cell) for d, cell in others.groupby("d_model")}
        for run in own.itertuples():
            seen_zone = an.zone(run.curve)
            seen.add(seen_zone)
            share = np.interp(run.train_size, shares[run.d_model].index, shares[run.d_model])
            expected = an.region(run.train_size, facts[run.d_model], share)
            hits.append(seen_zone == expected)
    rate = float(np.mean(hits))
    ends = stats.binomtest(int(np.sum(hits)), len(hits)).proportion_ci(method="wilson")
    four = {"progression", "ungrokking", "grokking", "semi-grokking"} <= seen
    text = f"region and run agree in {rate:.0%} of {len(hits)} runs; {len(seen)} zones seen"
    return Finding(text, ends.low, ends.high, bool(four and ends.low >= 0.8))


def norms_differ(norms):
    change = norms.assign(change=[an.norm_change(c) for c in norms["curve"]])
    change = change.dropna(subset="change")
    small = change[change["d_model"] == 8]["change"].to_numpy()
    large = change[change["d_model"] == 64]["change"].to_numpy()
    text = f"{len(small)} progression and {len(large)} grokking runs generalize"
    if min(len(small), len(large)) < 4:
        return Finding(text, np.nan, np.nan, None)
    test = stats.permutation_test(
        (small, large), lambda a, b: a.mean() - b.mean(), alternative="greater", n_resamples=np.inf
    )
    _, low, _ = _mean(small)
    _, _, high = _mean(large)
    text += f"; log change of the norm {small.mean():+.2f} and {large.mean():+.2f}"
    text += f" (permutation p = {test.pvalue:.2g})"
    return Finding(text, low, high, bool(test.pvalue < ALPHA and low > 0 > high))


def _at(runs, train_size):
    return an.by_width(runs[runs["train_size"] == train_size])


def double_descent(grid):
    near = _at(grid, 3000)
    deep = an.dip(near, (28, 36))
    fall = _at(grid, 2600)
    fall = fall.loc[:, fall.columns < 24].max(axis=1) - fall.loc[:, 24:40].mean(axis=1)
    above = max(an.dip(_at(grid, size), (28, 36)).mean() for size in (4000, 5000))
    mean, low, high = _mean(deep)
    p = max(an.sign_flip_p(deep), an.sign_flip_p(fall))
    text = f"dip at 3,000: {mean:.2f}, fall at 2,600: {fall.mean():.2f} (sign flips p = {p:.2g}), "
    text += f"largest dip at 4,000 and 5,000: {above:.2f}"
    return Finding(text, low, high, bool(p < ALPHA and mean > 0.3 and above < 0.1))


def harder_is_deeper(add, square, add_sizes, square_sizes):
    common = sorted(set(add["seed"]) & set(square["seed"]))
    plain, hard = _at(add, 3000).loc[common], _at(square, 3000).loc[common]
    more = an.dip(hard, (24, 40)) - an.dip(plain, (24, 40))
    p = an.sign_flip_p(more)
    shift = an.seed_thresholds(square_sizes) - an.seed_thresholds(add_sizes)
    shift = shift.dropna()
    later = bool((shift.mean() > 0).all() and an.sign_flip_p(shift.mean(axis=1)) < ALPHA)
    mean, low, high = _mean(more)
    text = f"dip of (a + b)² less that of a + b: {mean:.2f} (p = {p:.2g}); D_crit later by "
    text += ", ".join(f"{v:.0f} (d = {d})" for d, v in shift.mean().items())
    return Finding(text, low, high, bool(p < ALPHA and later))


def cell(test: Callable[[float], bool], what: str = "mean validation accuracy"):
    """A judge of one or more cells: every cell's mean has to pass."""

    def judge_cells(*frames):
        runs = pd.concat(frames)
        means = runs.groupby(["d_model", "train_size"])["val_accuracy"].mean()
        shown = means if len(means) <= 5 else means[[means.idxmin(), means.idxmax()]]
        text = ", ".join(f"({d}, {size:,}): {v:.2f}" for (d, size), v in shown.items())
        if len(means) > 5:
            text = f"from {text}"
        low, high = (_mean(runs["val_accuracy"])[1:]) if len(means) == 1 else (np.nan, np.nan)
        return Finding(f"{what} {text}", low, high, bool(means.map(test).all()))

    return judge_cells


def needs_4000(grid):
    means = grid.groupby("train_size")["val_accuracy"].mean()
    good = means[means.iloc[::-1].cummin().iloc[::-1] >= an.GENERALIZED]
    first = good.index.min() if len(good) else np.inf
    text = "mean ≥ 0.95 from " + (f"{first:,} points on" if len(good) else "no size on")
    return Finding(text, np.nan, np.nan, bool(first in (3800, 4000)))


def semi_interval(grid):
    spans = {}
    for d, cell in grid.groupby("d_model"):
        means = cell.groupby("train_size")["val_accuracy"].mean()
        begin, end = means.index[means >= an.ZERO], means.index[means < an.GENERALIZED]
        spans[d] = (end.max() - begin.min()) if len(begin) and len(end) else np.nan
    values = pd.Series(spans)
    text = "spans of moderate accuracy: " + ", ".join(f"{d}: {v:.0f}" for d, v in spans.items())
    return Finding(text, np.nan, np.nan, bool(values.between(600, 1400).all()))


def critical_64(grid):
    row = an.critical_sizes(grid).iloc[0]
    text = f"D_crit(64) {row.bound or '='} {row.estimate:.0f}"
    return Finding(text, row.low, row.high, bool(abs(row.estimate - 3000) <= 300))


def valley_place(grid):
    mean = _at(grid, 3000).mean()
    depth, peak, valley = an.depth(mean)
    text = f"depth {depth:.2f}, peak at d = {peak:.0f}, valley at d = {valley:.0f}"
    return Finding(text, np.nan, np.nan, bool(depth >= 0.2 and 28 <= valley <= 36))


def no_dip(grid):
    depths = {size: an.depth(_at(grid, size).mean())[0] for size in (4000, 5000)}
    text = ", ".join(f"depth at {size:,}: {v:.2f}" for size, v in depths.items())
    return Finding(text, np.nan, np.nan, bool(max(depths.values()) < 0.1))


def _norm(sign: int):
    def judge_norm(norms):
        change = np.array([an.norm_change(c) for c in norms["curve"]])
        change = change[np.isfinite(change)]
        text = f"{len(change)} of {len(norms)} runs generalize"
        if len(change) < 4:
            return Finding(text, np.nan, np.nan, None)
        mean, low, high = _mean(change)
        text += f"; log change of the norm {mean:+.2f}"
        return Finding(text, low, high, bool(sign * low > 0 and sign * high > 0))

    return judge_norm


def seeds_differ(runs):
    values = runs["val_accuracy"]
    text = f"final validation accuracy from {values.min():.2f} to {values.max():.2f}"
    return Finding(text, np.nan, np.nan, bool(values.max() - values.min() >= 0.2))


def narrow(grid):
    table = an.capacities(grid)
    half = ((table["high"] - table["estimate"]) / an.distinct_pairs(113**2)).max()
    text = f"widest 95% interval: ±{half:.3f} in accuracy"
    return Finding(text, np.nan, np.nan, bool(half <= 0.05))


norm_rises, norm_falls = _norm(+1), _norm(-1)
NEED_CURVES = (zones_agree, norms_differ, norm_rises, norm_falls)
