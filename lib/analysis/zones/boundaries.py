"""Figure 1, computed: the two boundaries as curves, where they cross, the zone of every cell.

Sizes of training sets are in ordered pairs, capacities in unordered ones (footnote 3 of the
paper); `lib.analysis.zones.capacity.distinct_pairs` and `ordered_pairs` lead from one to the other.
"""

import functools
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy import interpolate, optimize

from lib.analysis import dynamics, statistics
from lib.analysis.zones.capacity import capacities, distinct_pairs
from lib.analysis.zones.critical import critical_samples, critical_sizes, success_curve

SMALL, LARGE = 0.1, 0.9
"""Shares of seeds that generalize between which a training size counts as near D_crit."""


# ---- the two curves --------------------------------------------------------------------


@dataclass(frozen=True)
class Capacity:
    """D_mem(d): through the measured widths, rising, smooth (PCHIP in log d)."""

    widths: np.ndarray
    facts: np.ndarray  # unordered pairs, made non-decreasing

    def __call__(self, d_model):
        """Unordered pairs; NaN outside the measured widths."""
        return self._curve(np.log(np.asarray(d_model, float)))

    @functools.cached_property  # a root is looked for on it, thousands of times over
    def _curve(self):
        return interpolate.PchipInterpolator(np.log(self.widths), self.facts, extrapolate=False)


@dataclass(frozen=True)
class Critical:
    """D_crit(d) = scale · d^power, a straight line in logarithms, fitted by least squares."""

    scale: float
    power: float
    low: float  # the widths that it was fitted to
    high: float
    margin: float = 0.0  # half the span, in ordered pairs, that counts as near D_crit

    def __call__(self, d_model):
        """Ordered pairs."""
        return self.scale * np.asarray(d_model, float) ** self.power


def fit_capacity(widths: Sequence[float], facts: Sequence[float]) -> Capacity | None:
    """The curve through D_mem points; None for fewer than two widths."""
    if len(widths) < 2:
        return None
    rising = optimize.isotonic_regression(np.asarray(facts, float)).x
    return Capacity(np.asarray(widths, float), rising)


def fit_critical(
    widths: Sequence[float], sizes: Sequence[float], margin: float = 0.0
) -> Critical | None:
    """The curve through D_crit points; None for fewer than two widths.

    The power is at most 0, so that the curve never rises: the paper's claim is tested on
    the points (`lib.paper.criteria.addition`), not on this line.
    """
    if len(widths) < 2:
        return None
    x, y = np.log(np.asarray(widths, float)), np.log(np.asarray(sizes, float))
    power = min(0.0, np.polyfit(x, y, 1)[0])
    return Critical(float(np.exp((y - power * x).mean())), power, min(widths), max(widths), margin)


def usable(critical: pd.DataFrame, capacity: Capacity | None, smallest: pd.Series) -> pd.Series:
    """Which D_crit points the curve is fitted to (`critical_sizes`; a mask).

    Not bounds; and not widths that cannot even memorize their smallest training set (`smallest`,
    by width): there every cell is progression, and nothing is delayed that D_crit could delimit.
    """
    mask = critical["bound"] == ""
    if capacity is not None:
        facts = capacity(critical["d_model"].to_numpy(float))
        least = distinct_pairs(critical["d_model"].map(smallest).to_numpy(float))
        mask &= ~(facts < least)  # an unmeasured width passes
    return mask


def span(runs: pd.DataFrame) -> float:
    """How many training points the step from few to most seeds takes, at one width.

    From the share of seeds that generalize: the size where it reaches 0.9 less that where it
    reaches 0.1, between grid points along straight lines.
    """
    share = success_curve(runs)
    sizes, values = share.index.to_numpy(float), share.to_numpy()
    ends = []
    for level in (SMALL, LARGE):
        above = np.flatnonzero(values >= level)
        if not len(above) or above[0] == 0:
            return np.nan
        i = above[0]
        part = (level - values[i - 1]) / (values[i] - values[i - 1])
        ends.append(sizes[i - 1] + part * (sizes[i] - sizes[i - 1]))
    return float(ends[1] - ends[0])


def star(capacity: Capacity, critical: Critical) -> tuple[float, float] | None:
    """Where the curves cross: (d_model, training size in ordered pairs).

    None if they do not cross between the narrowest and the widest width that both were
    fitted to: nothing is extrapolated.
    """
    low = max(critical.low, capacity.widths[0])
    high = min(critical.high, capacity.widths[-1])
    if low >= high:
        return None

    def gap(log_d):
        return float(capacity(np.exp(log_d)) - distinct_pairs(critical(np.exp(log_d))))

    ends = np.log(low) + 1e-9, np.log(high) - 1e-9
    if gap(ends[0]) > 0 or gap(ends[1]) < 0:  # capacity rises, D_crit falls: one crossing at most
        return None
    d_model = float(np.exp(optimize.brentq(gap, *ends)))
    return d_model, float(critical(d_model))


def region(train_size: float, facts: float, side: int | None) -> str | None:
    """The zone that the two boundaries predict for a cell; None where one that decides is unknown.

    Args:
        train_size: D, in ordered pairs.
        facts: D_mem of the width, in unordered pairs (`capacities`); maybe NaN.
        side: where D lies: below D_crit (−1), at it (0), above it (1); None: not known.
    """
    if np.isnan(facts):
        return None
    if distinct_pairs(train_size) > facts:
        return "progression"
    return None if side is None else ("semi-grokking", "grokking", "ungrokking")[int(side)]


# ---- all of figure 1 -------------------------------------------------------------------


@dataclass(frozen=True)
class Map:
    """What figure 1 shows.

    Attributes:
        critical_points: as `critical_sizes`, with `used`: fitted or not.
        capacity_points: as `capacities`.
        critical, capacity: the curves, None where too few points are there.
        star: (d_model, ordered pairs) of the intersection, None if it lies outside the data.
        star_samples: the same in bootstrap resamples (n, 2); only those that have one.
        resamples: how many resamples were drawn.
    """

    critical_points: pd.DataFrame
    capacity_points: pd.DataFrame
    critical: Critical | None
    capacity: Capacity | None
    star: tuple[float, float] | None
    star_samples: np.ndarray
    resamples: int

    def star_intervals(self) -> tuple[tuple[float, float], tuple[float, float]]:
        """95% intervals of the star's width and training size; NaN without resamples."""
        if not len(self.star_samples):
            return (np.nan, np.nan), (np.nan, np.nan)
        d_model, train_size = (statistics.interval(column) for column in self.star_samples.T)
        return d_model, train_size

    def zone(self, d_model: float, train_size: float) -> str | None:
        """The zone in which a cell lies; None where a curve that decides it is missing."""
        facts = np.nan if self.capacity is None else float(self.capacity(d_model))
        if self.critical is None:
            return region(train_size, facts, None)
        distance = train_size - float(self.critical(d_model))
        return region(train_size, facts, np.sign(distance) * (abs(distance) > self.critical.margin))


def measure(runs: pd.DataFrame, random: pd.DataFrame, resamples: int = statistics.RESAMPLES) -> Map:
    """Figure 1 from the final states of runs.

    Args:
        runs: addition over widths and training sizes (figures 3 and 6).
        random: random labels over widths (figure 4).
        resamples: bootstrap resamples of whole seeds behind the crossing's interval.
    """
    facts = capacities(random)
    capacity = fit_capacity(facts["d_model"], facts["estimate"])
    points = critical_sizes(runs)
    mask = usable(points, capacity, runs.groupby("d_model")["train_size"].min())
    points = points.assign(used=mask.to_numpy(bool))
    used = points[points["used"]]
    widths = used["d_model"].to_numpy(float)
    cells = {d: runs[runs["d_model"] == d] for d in used["d_model"]}
    spans = np.array([span(cell) for cell in cells.values()])
    spans = spans[np.isfinite(spans)]
    margin = float(spans.mean() / 2) if len(spans) else 0.0
    critical = fit_critical(widths, used["estimate"].to_numpy(float), margin)
    found, fits, samples = None, [], []
    if critical is not None and used["seeds"].min() >= 3:
        sizes = [critical_samples(cell, resamples) for cell in cells.values()]
        fits = [fit_critical(widths, row) for row in np.stack(sizes, axis=1)]
    if critical is not None and capacity is not None:
        found = star(capacity, critical)
        if fits and facts["seeds"].min() >= 3:
            rows = _capacity_samples(random, resamples)
            known = (fit_capacity(facts["d_model"], row) for row in rows)
            samples = [place for k, fit in zip(known, fits) if (place := star(k, fit))]
    samples = np.array(samples).reshape(-1, 2)
    return Map(points, facts, critical, capacity, found, samples, resamples)


def _capacity_samples(random: pd.DataFrame, resamples: int) -> np.ndarray:
    """Capacities that the seeds allow for: (resamples, widths), unordered pairs.

    Drawn from Student's distribution of each width's mean: of three seeds a bootstrap knows
    too little.
    """
    columns, random_state = [], np.random.default_rng(0)
    for _, cell in random.groupby("d_model"):
        facts = distinct_pairs(cell["train_size"].iloc[0], cell["modulus"].iloc[0])
        values, n = cell["train_accuracy"].to_numpy() * facts, len(cell)
        error = values.std(ddof=1) / np.sqrt(n)
        columns.append(values.mean() + error * random_state.standard_t(n - 1, resamples))
    return np.stack(columns, axis=1)


def agreement(placed: pd.DataFrame) -> pd.DataFrame:
    """How often region and run agree: regions down, zones of the runs across, counts.

    Args:
        placed: one row a run, columns `region` (None where there is none) and `zone`.
    """
    placed = placed.dropna(subset="region")
    table = pd.crosstab(placed["region"], placed["zone"])
    rows = [z for z in dynamics.ZONES if z in table.index]
    columns = [z for z in dynamics.ZONES if z in table.columns]
    return table.reindex(index=rows, columns=columns)
