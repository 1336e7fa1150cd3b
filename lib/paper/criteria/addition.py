"""How the claims on addition and the squared task are judged (§2–4, appendix A).

From frames of runs to conditions (`lib.paper.criteria.rules`); `lib.paper.takeaways` has the
words.  D_crit by seed is graded, in steps of the grid, and so are means over several widths.
"""

from dataclasses import replace

import numpy as np
import pandas as pd
from scipy import stats

from lib.analysis import descent, dynamics, efficiency, statistics
from lib.analysis.statistics import steady
from lib.analysis.words import number
from lib.analysis.zones import critical
from lib.paper.criteria import rules
from lib.paper.criteria.rules import FEW, HALF, MOST, Finding, decide, mean, share

DIP = 0.1
"""Validation accuracy by which a curve has to fall and to rise again for a dip."""


# ---- D_crit and D_mem (§2) ---------------------------------------------------------------


def _power(says: str, by_seed: pd.DataFrame, **range_) -> Finding:
    """With which power of width a size goes: one straight line in logarithms for each seed."""
    widths = np.log(by_seed.columns.to_numpy(float))
    powers = np.polyfit(widths, np.log(by_seed.to_numpy().T), 1)[0]
    local = np.diff(np.log(by_seed.mean().to_numpy())) / np.diff(widths)
    return Finding(
        (mean(f"exponent of width in {says}, mean of {len(by_seed)} seeds", powers, **range_),),
        f"between neighbouring widths {number(local.min())} to {number(local.max())}, so it is an "
        "average; the interval is of seeds, not of the bend",
    )


def critical_falls(grid):
    return _power("the critical size D_crit", critical.seed_thresholds(grid), most=0)


def capacity_rises(random):
    by_seed = statistics.by_width(random, "train_accuracy")
    room = by_seed.loc[:, by_seed.mean() < dynamics.PERFECT]  # the others hold all that there is
    if room.shape[1] < 2:
        return Finding((), "fewer than two widths cannot hold all pairs")
    found = _power(f"the capacity, d {room.columns[0]}–{room.columns[-1]}", room, least=0)
    return replace(found, used=int(random["d_model"].isin(room.columns).sum()))


def critical_64(grid):
    return Finding((mean("D_crit(64)", critical.seed_thresholds(grid)[64], least=2700, most=3300),))


def narrow(random):
    halves, widths = [], random["d_model"].nunique()
    for d, cell in random.groupby("d_model"):
        half = stats.t.ppf(0.975, len(cell) - 1) / np.sqrt(len(cell))  # of a deviation
        says = f"half of the 95% interval of accuracy at d = {d}"
        halves.append(rules.spread(says, cell["train_accuracy"], half, widths, most=0.05))
    note = f"within ±0.05 at {sum(h.value <= h.most for h in halves)} of {widths} widths"
    note += f"; with {len(cell)} seeds each interval is known only to within a wide factor"
    return Finding((max(halves, key=lambda half: half.value),), note)


def semi_interval(grid):
    by_seed, step = critical.seed_thresholds(grid), np.diff(np.unique(grid["train_size"])).min()
    band = stats.norm.ppf(0.95) - stats.norm.ppf(0.1)  # in deviations of the seeds' D_crit

    def of_variances(variances) -> float:
        """All widths' own variances, less what the grid's step adds (Sheppard)."""
        return band * np.sqrt(max(variances.mean() - step**2 / 12, 1.0))

    alone, shares = band * by_seed.std(), of_variances(critical.variances_of_shares(grid))
    each = ", ".join(f"{d}: {span:.0f}" for d, span in alone.items())
    note = f"not judged: by width {each}; by the shares of seeds at each size, in which a seed's "
    return Finding((rules.jackknifed(
        f"span over d {by_seed.columns[0]}–{by_seed.columns[-1]} together", by_seed,
        lambda values: of_variances(np.var(values, axis=0, ddof=1)), least=600, most=1400,
    ),), f"{note}ups and downs count, too, {shares:.0f}")  # fmt: skip


# ---- single cells ------------------------------------------------------------------------


def runs_generalize(runs: pd.DataFrame, conditions: int = 1, **range_) -> Finding:
    """The share of the runs of some cells, all together, that end at `GENERALIZED` or above."""
    hits = runs["val_accuracy"] >= dynamics.GENERALIZED
    says = f"with validation ≥ {dynamics.GENERALIZED:g}"
    return _in_cells(says, runs, hits, conditions, **range_)


def runs_generalize_by_width(runs: pd.DataFrame, **range_) -> Finding:
    """The same of all widths together, and each width that is surely off: none is outvoted."""
    widths = [runs[runs["d_model"] == d] for d in sorted(runs["d_model"].unique())]
    every = [runs_generalize(own, conditions=len(widths) + 1, **range_) for own in (runs, *widths)]
    found = _all_of(every[0], *(own for own in every[1:] if own.holds is False))
    return replace(found, note=every[0].note)


def runs_know_more(runs: pd.DataFrame, conditions: int = 1, **range_) -> Finding:
    """The share of the runs of some cells that end above zero, and above what symmetry gives."""
    hits = runs["val_accuracy"] >= efficiency.floors(runs)
    says = f"with validation ≥ {dynamics.ZERO:g} and {efficiency.MARGIN:g} above symmetry alone"
    return _in_cells(says, runs, hits, conditions, **range_)


def _in_cells(says: str, runs: pd.DataFrame, hits: pd.Series, conditions: int, **range_) -> Finding:
    widths, sizes = (sorted(runs[name].unique()) for name in ("d_model", "train_size"))
    where = ", ".join(f"{a:,}" if a == b else f"{a:,}–{b:,}"
                      for a, b in ((w[0], w[-1]) for w in (widths, sizes)))  # fmt: skip
    says = f"runs at ({where}) {says}"
    if len(widths) == len(sizes) == 1:
        return Finding((share(says, hits, conditions, **range_),))
    whole = rules.clustered(says, hits, runs["seed"], "seeds", conditions, **range_)
    return Finding((whole,), f"by width {_counts(hits, runs['d_model'])}")


def _counts(hits: pd.Series, widths: pd.Series) -> str:
    """At each width in how many runs: "44: 2 of 11, 48: 3 of 11"."""
    found = hits.groupby(widths.to_numpy()).agg(["sum", "size"])
    return ", ".join(f"{d}: {k} of {n}" for d, k, n in found.itertuples())


def _all_of(*findings: Finding) -> Finding:
    return Finding(tuple(c for finding in findings for c in finding.conditions))


def needs_4000(grid):
    """Most runs generalize at 4,000, and not yet at 3,600."""
    last, before = (grid[grid["train_size"] == size] for size in (4000, 3600))
    return _all_of(runs_generalize(last, conditions=2, least=MOST),
                   runs_generalize(before, conditions=2, most=MOST))  # fmt: skip


def moderate(grid):
    """Off zero on the left of the band, and not yet all at one on its right."""
    left, right = grid[grid["train_size"] <= 2400], grid[grid["train_size"] > 2400]
    return _all_of(runs_know_more(left, conditions=2, least=FEW),
                   runs_generalize(right, conditions=2, most=MOST))  # fmt: skip


def seeds_differ(runs):
    says = "deviation of final validation accuracy between seeds"
    return Finding((rules.spread(says, runs["val_accuracy"], least=0.1),))


# ---- norms (appendix A) ------------------------------------------------------------------


def norms_differ(norms, controls):
    """Up at d = 8, down at d = 64, more than of the same cells on labels without a rule."""
    found = []
    for d, range_ in ((8, dict(least=0)), (64, dict(most=0))):
        own = norms[norms["d_model"] == d]
        excess = _excess(own, controls[controls["d_model"] == d])
        says = (f"log change of the norm while generalizing at d = {d}, less the control's, mean "
                f"of {len(excess)} of {len(own)} runs")  # fmt: skip
        found.append(mean(says, excess, 2, **range_))
    return Finding(tuple(found))


def _excess(runs, controls) -> list[float]:
    """Each run's change of the norm's logarithm less its control's, the run of the same seed."""
    others = dict(zip(controls["seed"], controls["curve"]))
    found = [
        dynamics.norm_change(curve) - dynamics.norm_change(curve, others[seed])
        for seed, curve in zip(runs["seed"], runs["curve"])
        if seed in others
    ]
    return [change for change in found if np.isfinite(change)]


def norm_moves(norms, **range_):
    change = [dynamics.norm_change(curve) for curve in norms["curve"]]
    says = f"log change of the norm, mean of {np.isfinite(change).sum()} of {len(change)} runs"
    return Finding((mean(says, change, **range_),))


# ---- double descent (§4) -----------------------------------------------------------------


def _at(runs, train_size):
    return statistics.by_width(runs[runs["train_size"] == train_size])


def _dip(runs, train_size, conditions=1, what="", **range_):
    says = f"dip of {what}validation at {train_size:,}"
    return mean(says, descent.dip(_at(runs, train_size)), conditions, **range_)


def _no_dip(runs, conditions):
    """At 4,000 and 5,000, from where the narrow networks end: their mean lies below any plateau."""
    (width, _), sizes = descent.RISEN, (4000, 5000)
    return tuple(
        mean(f"dip of validation at {size:,} beyond d {width}",
             descent.dip(_at(runs, size), descent.RISEN), conditions, most=DIP)
        for size in sizes
    )  # fmt: skip


def double_descent(grid):
    fall = descent.fall(_at(grid, 2600), (24, 40))
    return Finding((
        _dip(grid, 3000, 4, least=DIP),
        mean("fall of validation at 2,600", fall, 4, least=DIP),
        *_no_dip(grid, 4),
    ))  # fmt: skip


def a_dip(grid):
    return Finding((_dip(grid, 3000, least=DIP),))


def loss_descends_twice(grid):
    """The loss falls, climbs by more than guessing costs, and comes down by as much."""
    losses = statistics.by_width(grid[grid["train_size"] == 3000], "val_loss")
    fell, climbed, back = descent.hill(losses)
    guess = float(np.log(grid["modulus"].iloc[0]))
    return Finding((
        mean("first fall of validation loss at 3,000, nats", fell, 3, least=0),
        mean("its climb to d 28–36", climbed, 3, least=guess),
        mean("its fall from there to d 48–100", back, 3, least=guess),
    ))  # fmt: skip


def no_dip(grid):
    return Finding(_no_dip(grid, 2))


def harder_is_further(add, square, add_sizes, square_sizes, between):
    shift = critical.seed_thresholds(square_sizes) - critical.seed_thresholds(add_sizes)
    hard, plain = _at(square, 3000).loc[:, 24:56], _at(add, 3000).loc[:, 24:56]
    pairs = [  # two sizes are looked at, so four conditions are paid for
        tuple(
            _dip(between[between["task"] == task], size, 6, what, **range_)
            for task, what, range_ in (
                ("square", "the square's ", dict(least=DIP)),
                ("add", "addition's ", dict(most=DIP)),
            )
        )
        for size in (3400, 3600)
    ]
    return Finding((
        mean("D_crit of the square less addition's, mean over d 32, 48, 64",
             shift.mean(axis=1), 6, least=0),
        mean("validation at 3,000, mean over d 24–56, the square's less addition's",
             (hard - plain).mean(axis=1), 6, most=0),
        *max(pairs, key=lambda pair: {True: 2, None: 1, False: 0}[decide(pair)]),
    ))  # fmt: skip


def harder_on_new_seeds(*frames):
    """Takeaway 6 with its dips at 3,600 points alone, on seeds of their own (§4.3).

    A dip is counted from where progression is done: over the widths before it a mean would also
    take in networks that are still on their way up, and hide a fall beside them.

    Args:
        frames: those of `harder_is_further`, whose first two numbers stay; then both tasks' runs
            at 3,600.
    """
    *known, new = frames
    further, lower, *_ = harder_is_further(*known).conditions
    square, add = (
        descent.dip(statistics.by_width(new[new["task"] == task]), descent.RISEN)
        for task in ("square", "add")
    )
    where = f"at 3,600 beyond d {descent.RISEN[0]}"
    return Finding((
        further, lower, mean(f"dip of the square's validation {where}", square, 6, least=DIP),
        share(f"seeds of addition that dip by {DIP} or more {where}", add >= DIP, 6, most=FEW),
    ))  # fmt: skip


def grokking_by_width(grid):
    """How many times wider a network has to be to generalize than to memorize, seed by seed."""

    def wider(size):
        own = grid[grid["train_size"] == size]
        levels = {"train_accuracy": dynamics.PERFECT, "val_accuracy": dynamics.GENERALIZED}
        known, good = (statistics.by_width(own, name).apply(steady, axis=1, args=(level,))
                       for name, level in levels.items())  # fmt: skip
        return good / known  # NaN, and so no hit, where it never generalizes

    words = "seeds at {:,} that generalize from {} the width on at which they memorize"
    return Finding((
        share(words.format(3000, "twice or more"), wider(3000) >= 2, 3, least=HALF),
        *(share(words.format(size, "at most 1.5 times"), wider(size) <= 1.5, 3, least=HALF)
          for size in (4000, 5000)),
    ))  # fmt: skip
