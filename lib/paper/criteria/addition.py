"""How the claims on addition and the squared task are judged (§2–4, appendix A).

From frames of runs to a statistic, an interval, and a yes or no.  The thresholds were written
down before the runs that decide them (`lib.paper.takeaways` has the words).  Near a boundary
outcomes are all or nothing, so tests are exact or permutations where a claim compares sizes,
Student's intervals over seeds where it is of a mean; takeaway 3's interval draws whole cells.
"""

from functools import partial

import numpy as np
import pandas as pd
from scipy import stats

from lib.analysis import descent, dynamics, statistics
from lib.analysis.statistics import steady
from lib.analysis.zones import boundaries, capacity, critical
from lib.paper.criteria.rules import ALPHA, Finding, unsettled


def _trend(by_seed: pd.DataFrame, ends: pd.Series, words: str, rising: bool = True) -> Finding:
    """Page's test along the columns, and the interval of the difference of two of them."""
    ranks = np.argsort(np.argsort(by_seed.columns.to_numpy() * (1 if rising else -1))) + 1
    p = stats.page_trend_test(by_seed.to_numpy(), predicted_ranks=ranks).pvalue
    mean, low, high = statistics.student(ends)
    return Finding(words.format(mean, p), low, high, bool(p < ALPHA and low > 0))


def critical_falls(grid):
    by_seed = critical.seed_thresholds(grid)
    words = "D_crit(32) − D_crit(64) = {:.0f} points (Page's trend p = {:.2g})"
    return _trend(by_seed, by_seed[32] - by_seed[64], words, rising=False)


def capacity_rises(grid):
    by_seed = statistics.by_width(grid, "train_accuracy")
    words = "accuracy on random labels rises by {:.2f} from d = 4 to 100 (Page's p = {:.2g})"
    return _trend(by_seed, by_seed[by_seed.columns[-1]] - by_seed[by_seed.columns[0]], words)


def zones_agree(grid, dip_grid, random):
    runs = pd.concat([grid, dip_grid]).drop_duplicates("key")
    hits, seen = [], set()
    facts = capacity.capacities(random).set_index("d_model")["estimate"]
    for seed in runs["seed"].unique():  # each seed against boundaries from the others
        others, own = runs[runs["seed"] != seed], runs[runs["seed"] == seed]
        shares = {d: critical.success_curve(cell) for d, cell in others.groupby("d_model")}
        for run in own.itertuples():
            seen_zone = dynamics.zone(run.curve)
            seen.add(seen_zone)
            share = np.interp(run.train_size, shares[run.d_model].index, shares[run.d_model])
            side = boundaries.side_of(share)
            expected = boundaries.region(run.train_size, facts[run.d_model], side)
            hits.append(((run.d_model, run.train_size), seen_zone == expected))
    hits = pd.DataFrame(hits, columns=["cell", "agrees"])
    low, high = statistics.clustered(hits["agrees"], hits["cell"])
    four = len({"progression", "ungrokking", "grokking", "semi-grokking"} & seen)
    text = f"{four} of the four types seen; region and run agree in "
    text += f"{hits['agrees'].mean():.0%} of {len(hits)} runs"
    return Finding(text, low, high, bool(four == 4 and low >= 0.8))


def norms_differ(norms):
    change = norms.assign(change=[dynamics.norm_change(c) for c in norms["curve"]])
    change = change.dropna(subset="change")
    small, large = (change[change["d_model"] == d]["change"].to_numpy() for d in (8, 64))
    text = f"{len(small)} progression and {len(large)} grokking runs generalize"
    if min(len(small), len(large)) < 4:
        return unsettled(text)
    test = stats.permutation_test(
        (small, large), lambda a, b: a.mean() - b.mean(), alternative="greater", n_resamples=np.inf
    )
    (rise, least, _), (fall, _, most) = statistics.student(small), statistics.student(large)
    welch = stats.ttest_ind(small, large, equal_var=False).confidence_interval()
    text += f"; log change of the norm {rise:+.2f} (at 95% over {least:.2f}) and {fall:+.2f} "
    text += f"(under {most:.2f}), permutation p = {test.pvalue:.2g}; difference {rise - fall:.2f}"
    holds = bool(test.pvalue < ALPHA and least > 0 > most)
    return Finding(text, *welch, holds)


def norm_moves(sign: int, norms):
    """The norm rises (+1) or falls (−1) while runs generalize."""
    change = np.array([dynamics.norm_change(c) for c in norms["curve"]])
    change = change[np.isfinite(change)]
    text = f"{len(change)} of {len(norms)} runs generalize"
    if len(change) < 4:
        return unsettled(text)
    mean, low, high = statistics.student(change)
    text += f"; log change of the norm {mean:+.2f}"
    return Finding(text, low, high, bool(sign * low > 0 and sign * high > 0))


def _at(runs, train_size):
    return statistics.by_width(runs[runs["train_size"] == train_size])


def double_descent(grid):
    near, short = _at(grid, 3000), _at(grid, 2600).loc[:, :40]  # wider ones rise again: not a fall
    valley, low_zone = (28, 36), (24, 40)
    mean, low, high = statistics.student(descent.dip(near, valley))
    fall = descent.fall_of(short.to_numpy(), short.columns, low_zone).mean()
    above = max(descent.dip(_at(grid, size), valley).mean() for size in (4000, 5000))
    p = max(
        descent.permuted_widths_p(near, partial(descent.dip_of, valley=valley)),
        descent.permuted_widths_p(short, partial(descent.fall_of, zone=low_zone)),
    )
    text = f"largest dip at 4,000 and 5,000: {above:.2f}, fall at 2,600: {fall:.2f} "
    text += f"(permutations p = {p:.2g}), dip at 3,000: {mean:.2f}"
    return Finding(text, low, high, bool(p < ALPHA and mean > 0.3 and above < 0.1))


def harder_is_deeper(add, square, add_sizes, square_sizes):
    common = sorted(set(add["seed"]) & set(square["seed"]))
    plain, hard = _at(add, 3000).loc[common], _at(square, 3000).loc[common]
    more = descent.dip(hard, (24, 40)) - descent.dip(plain, (24, 40))
    p = statistics.sign_flip_p(more)
    shift = critical.seed_thresholds(square_sizes) - critical.seed_thresholds(add_sizes)
    shift = shift.dropna()
    flips = statistics.sign_flip_p(shift.mean(axis=1))
    later = bool((shift.mean() > 0).all() and flips < ALPHA)
    mean, low, high = statistics.student(more)
    bounds = {d: critical.bound_of(own) for d, own in square_sizes.groupby("d_model")}
    text = "D_crit later by " + ", ".join(
        f"{bounds[d]} {v:.0f} (d = {d})".strip() for d, v in shift.mean().items()
    )
    text += f"; dip of (a + b)² less that of a + b: {mean:.2f} (p = {p:.2g})"
    return Finding(text, low, high, bool(p < ALPHA and later))


def cell(least: float = 0.0, below: float = np.inf):
    """A judge of one or more cells: the mean of each is at least `least`, and below `below`.

    The interval is that of the cell nearest to the limit.
    """

    def judge_cells(*frames):
        cells = statistics.cell_means(pd.concat(frames))
        means = cells["mean"]
        room = np.minimum(means - least, below - means)
        shown = means if len(means) <= 5 else means[[means.idxmin(), means.idxmax()]]
        text = ", ".join(f"({d}, {size:,}): {v:.2f}" for (d, size), v in shown.items())
        low, high = cells.loc[room.idxmin(), ["low", "high"]]
        if len(cells) > 1:
            d, size = room.idxmin()
            text += f"; nearest to the limit: ({d}, {size:,})"
        if low < least <= high or low < below <= high:
            text += "; the limit lies in the interval"
        holds = means.between(least, below, inclusive="left").all()
        return Finding(f"mean validation accuracy {text}", low, high, bool(holds))

    return judge_cells


def _draws(grid: pd.DataFrame, value: str = "val_accuracy") -> pd.DataFrame:
    """Means by cell (across) in 500 bootstrap draws of whole seeds (down)."""
    table = grid.pivot_table(index="seed", columns=["d_model", "train_size"], values=value)
    draws = table.to_numpy()[statistics.resample(len(table), 500)].mean(axis=1)
    return pd.DataFrame(draws, columns=table.columns)


def _means(grid: pd.DataFrame, value: str = "val_accuracy") -> pd.DataFrame:
    """Means by cell as one row of such draws."""
    return statistics.cell_means(grid, value)["mean"].to_frame().T


def needs_4000(grid):
    def first(means):
        return steady(means.droplevel("d_model", axis=1), dynamics.GENERALIZED)

    (size,), sizes = first(_means(grid)), first(_draws(grid))
    sizes[np.isnan(sizes)] = grid["train_size"].max()
    text = f"mean ≥ 0.95 from {size:,.0f} points on" if np.isfinite(size) else "mean ≥ 0.95 nowhere"
    return Finding(text, *statistics.interval(sizes), bool(size in (3800, 4000)))


def semi_interval(grid):
    def spans(means):
        """Points between the first mean off zero and the first from which all are good."""
        found = {}
        for d in means.columns.unique("d_model"):
            own = means[d]
            off_zero = own >= dynamics.ZERO
            begin = off_zero.idxmax(axis=1).where(off_zero.any(axis=1))
            found[d] = steady(own, dynamics.GENERALIZED) - begin
        return pd.DataFrame(found)

    ours = spans(_means(grid)).iloc[0]
    words = (f"{d}: {'no end' if np.isnan(v) else f'{v:.0f}'}" for d, v in ours.items())
    text = "spans of moderate accuracy: " + ", ".join(words)
    if ours.notna().any():
        text += f"; their mean {ours.mean():.0f}"
    ends = statistics.interval(spans(_draws(grid)).mean(axis=1))
    return Finding(text, *ends, bool(ours.between(600, 1400).all()))


def critical_64(grid):
    row = critical.critical_sizes(grid).iloc[0]
    text = f"D_crit(64) {row.bound or '='} {row.estimate:.0f}"
    return Finding(text, row.low, row.high, bool(abs(row.estimate - 3000) <= 300))


def valley_place(grid):
    dip = descent.mean_dip(_at(grid, 3000))
    text = f"depth {dip.depth:.2f}"
    if dip.depth > 0:
        text = f"peak at d = {dip.peak:.0f}, valley at d = {dip.valley:.0f}, {text}"
    return Finding(text, dip.low, dip.high, bool(dip.depth >= 0.2 and 28 <= dip.valley <= 36))


def no_ungrokking(grid):
    dip = descent.mean_dip(_at(grid, 3000))  # without one there is no stage to speak of: all count
    return cell(least=dynamics.ZERO)(grid[~(grid["d_model"] < dip.peak)])


def no_dip(grid):
    dips = {size: descent.mean_dip(_at(grid, size)) for size in (4000, 5000)}
    deepest = max(dips.values(), key=lambda dip: dip.depth)
    text = ", ".join(f"depth at {size:,}: {dip.depth:.2f}" for size, dip in dips.items())
    return Finding(f"{text}; the deeper", deepest.low, deepest.high, bool(deepest.depth < 0.1))


def grokking_by_width(grid):
    def wider(train, val, size):
        """How many times wider a network has to be to generalize than to memorize."""
        known, good = (means.xs(size, level="train_size", axis=1) for means in (train, val))
        return steady(good, dynamics.GENERALIZED) / steady(known, dynamics.PERFECT)

    names = ("train_accuracy", "val_accuracy")
    means, draws = ([of(grid, name) for name in names] for of in (_means, _draws))
    ours = {size: wider(*means, size)[0] for size in (3000, 4000, 5000)}
    words = (f"{n:,}: {'not within' if np.isnan(v) else f'{v:.2g} times'}" for n, v in ours.items())
    text = f"width to generalize over width to memorize: {', '.join(words)}; at 3,000"
    ends = statistics.interval(wider(*draws, 3000))
    little, *much = ours.values()
    return Finding(text, *ends, None if np.isnan(sum(much, little)) else
                   bool(little >= 2 and max(much) <= 1.5))  # fmt: skip


def seeds_differ(runs):
    values = np.sort(runs["val_accuracy"])
    spread = values[-1] - values[0]
    least = min(values[-1] - values[1], values[-2] - values[0])
    text = f"final validation accuracy from {values[0]:.2f} to {values[-1]:.2f}, so it differs by "
    text += f"{spread:.2f}; in brackets without any one of the runs"
    return Finding(text, least, spread, bool(spread >= 0.2))


def narrow(grid):
    table = capacity.capacities(grid)
    halves = (table["high"] - table["estimate"]) / capacity.distinct_pairs(113**2)
    half, free = halves.max(), table.loc[halves.idxmax(), "seeds"] - 1
    ends = half * np.sqrt(free / stats.chi2.ppf([0.975, 0.025], free))  # of a deviation
    text = f"widest 95% interval, at d = {table.loc[halves.idxmax(), 'd_model']}: "
    text += f"±{half:.3f} in accuracy"
    return Finding(text, *ends, bool(half <= 0.05))
