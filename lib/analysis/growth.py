"""How the width at which addition emerges grows with what there is to learn (§5): a law.

A seed's emergent width lies between two widths tried, or beyond the last.  Its logarithm is taken
as a straight line in the logarithm of all facts plus a normal deviation between seeds, fitted by
the likelihood of those intervals, so that a bound counts as a bound.
"""

import functools
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy import optimize, special, stats

from lib.analysis import statistics
from lib.analysis.dynamics import PERFECT
from lib.analysis.emergence import EMERGED
from lib.analysis.zones.capacity import capacities, distinct_pairs

NOMINAL = 0.98
"""Level of the profile interval that holds the true power in 95% of cases.  The seeds' deviation
comes out too small where widths are far apart: at a nominal 95% the interval held it in 324 of 360
simulated studies of 15 seeds (powers 1 and 5, deviations 0.1, 0.2, 0.4), at 98% in 342."""


AMOUNTS = 3
"""Least number of amounts of a law."""


MISFIT = 12.2
"""What `misfit` exceeds by chance in 5% of cases: in 20 of 400 simulated studies of a law (power
4.3, deviation 0.27, five amounts with the widths of ours, three seeds)."""


STEEPEST = 1_000
"""Largest power that is looked for: beyond it an interval has no end."""

LEAST_SPREAD = 0.02
"""Least deviation between seeds in ln(width): the likelihood knows no least one where all of
them turn between the same two widths."""


@dataclass(frozen=True)
class Power:
    """scale · x^power."""

    scale: float
    power: float

    def __call__(self, x):
        return self.scale * np.asarray(x, float) ** self.power

    def inverse(self, y):
        """The x of a value."""
        return (np.asarray(y, float) / self.scale) ** (1 / self.power)


def extended_capacity(random: pd.DataFrame) -> Power | None:
    """Capacity as a power of width, beyond the widths that can hold all pairs, too.

    Fitted to the narrower ones (figure 4); None for fewer than two of them.  Unordered pairs.
    """
    table = capacities(random)
    room = table[table["accuracy"] < PERFECT]
    if len(room) < 2:
        return None
    power, scale = np.polyfit(np.log(room["d_model"].to_numpy(float)), np.log(room["estimate"]), 1)
    return Power(float(np.exp(scale)), float(power))


def turns(runs: pd.DataFrame, column: str = "best", level: float = EMERGED) -> pd.DataFrame:
    """From which width on each seed generalizes, for each amount of memorization data.

    Args:
        runs: final states of one kind of MLP, addition alone among them (memorize_size 0).
        column: "best", the highest accuracy on the way, or "val_accuracy", the last.
        level: accuracy from which on it counts.

    Returns:
        memorize_size, seed, `facts` (unordered pairs of addition, and what is memorized), and
        between which widths the turn lies: above `low` (0 if the narrowest width generalizes),
        up to `high` (infinite if the widest does not).
    """
    rows = []
    for amount, own in runs.fillna({column: 0.0}).groupby("memorize_size"):
        table = statistics.by_width(own, column)
        facts = distinct_pairs(own["train_size"].iloc[0], own["modulus"].iloc[0]) + amount
        for seed, values in table.iterrows():
            tried = values.dropna()
            turn = statistics.steady(tried, level)
            below = tried.index[tried.index < (np.inf if np.isnan(turn) else turn)]
            high = np.inf if np.isnan(turn) else turn
            rows.append((int(amount), seed, float(facts), float(max(below, default=0)), high))
    table = pd.DataFrame(rows, columns=["memorize_size", "seed", "facts", "low", "high"])
    return table.astype({name: float for name in ("facts", "low", "high")})  # of no runs, too


@dataclass(frozen=True)
class Law:
    """width = scale · facts^power, seed by seed, with a deviation in the logarithm.

    Attributes:
        power: with its 95% interval (`low`, `high`: by the profile likelihood; maybe infinite).
        scale: ln(width) at `centre`, the mean of ln(facts).
    """

    power: float
    low: float
    high: float
    scale: float
    centre: float

    def __call__(self, facts) -> np.ndarray:
        """The emergent width of the middle seed."""
        return np.exp(self.scale + self.power * (np.log(np.asarray(facts, float)) - self.centre))


def _loss(ends: np.ndarray, middle: np.ndarray, spread: float) -> float:
    """Minus the log likelihood that ln(width) lies between `ends` (2, rows), around `middle` with
    a deviation whose logarithm is `spread`."""
    low, high = (ends - middle) / max(np.exp(spread), LEAST_SPREAD)
    far = low > 0  # of the tails the nearer loses no digits: Φ(b) − Φ(a) = Φ(−a) − Φ(−b)
    low, high = np.where(far, -high, low), np.where(far, -low, high)
    return -np.log(np.maximum(special.ndtr(high) - special.ndtr(low), 1e-300)).sum()


def misfit(found: pd.DataFrame, law: Law) -> float:
    """By how much a width of each amount's own fits better than the law: twice the difference of
    the log likelihoods (compare `MISFIT`)."""
    with np.errstate(divide="ignore"):
        ends = np.log(found[["low", "high"]].to_numpy(float)).T
    on_law = law.scale + law.power * (np.log(found["facts"].to_numpy()) - law.centre)
    amounts, own = np.unique(found["memorize_size"], return_inverse=True)
    near = np.where(np.isfinite(ends[1]), ends[1], ends[0])
    start = [near[own == k].mean() for k in range(len(amounts))]

    def least(loss, at) -> float:
        often = dict(maxiter=20_000, maxfev=20_000)
        starts = ([*at, spread] for spread in (-1.0, -2.5))
        return min(
            optimize.minimize(loss, one, method="Nelder-Mead", options=often).fun for one in starts
        )

    whole = least(lambda p: _loss(ends, on_law, p[-1]), [])
    return 2 * (whole - min(whole, least(lambda p: _loss(ends, p[:-1][own], p[-1]), start)))


def fit_law(found: pd.DataFrame) -> Law | None:
    """The law through the rows of `turns`.

    A row with one end alone, below the narrowest width tried or beyond the widest, is fitted and
    does not count: it would add a degree of freedom, and may say nothing.

    None for fewer than `AMOUNTS` amounts with a turn between two widths, as any two points lie on
    a power; and for no more such turns than the law has parameters.
    """
    return _law_of(tuple(found[_TURNS].itertuples(index=False)))


_TURNS = ["memorize_size", "facts", "low", "high"]


@functools.cache  # several readings of the same runs turn at the same widths
def _law_of(rows: tuple) -> Law | None:
    found = pd.DataFrame(rows, columns=_TURNS, dtype=float)
    turned = found[(found["low"] > 0) & np.isfinite(found["high"])]
    if turned["memorize_size"].nunique() < AMOUNTS or len(turned) < 4:
        return None
    facts = np.log(found["facts"].to_numpy())
    centre = float(facts.mean())
    with np.errstate(divide="ignore"):
        ends = np.log(found[["low", "high"]].to_numpy(float)).T

    def loss(parameters) -> float:
        power, scale, spread = parameters
        return _loss(ends, scale + power * (facts - centre), spread)

    widths = np.log(np.sqrt(turned["low"] * turned["high"]))
    power, scale = np.polyfit(np.log(turned["facts"]) - centre, widths, 1)
    fit = optimize.minimize(loss, [power, scale, np.log(0.3)], method="Nelder-Mead", tol=1e-6)
    power, scale, spread = map(float, fit.x)
    limit = fit.fun + stats.t.ppf((1 + NOMINAL) / 2, len(turned) - 3) ** 2 / 2

    def above_limit(power: float) -> float:
        rest = optimize.minimize(lambda p: loss((power, *p)), [scale, spread], method="Nelder-Mead")
        return rest.fun - limit

    def end(step: float) -> float:
        while above_limit(power + step) < 0:
            if abs(step := 2 * step) > STEEPEST:
                return np.sign(step) * np.inf
        return float(optimize.brentq(above_limit, power, power + step, xtol=1e-3))

    return Law(power, end(-0.5), end(0.5), scale, centre)
