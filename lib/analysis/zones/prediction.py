"""From figure 1's two curves to an accuracy: what the framework predicts for a cell (§4).

The paper draws the zones and explains double descent with them; it gives no formula.  This
one is ours, the plainest that we found, and it is tested on cells that it was not fitted to.
"""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy import optimize
from scipy.special import expit

from lib.analysis.statistics import cell_means
from lib.analysis.zones import boundaries
from lib.analysis.zones.boundaries import Capacity, Critical
from lib.analysis.zones.capacity import distinct_pairs


@dataclass(frozen=True)
class Prediction:
    """Mean final validation accuracy of a cell, from D_mem(d) and D_crit(d).

    accuracy = a (s + (1 − s) g), where

    * a = 1 − exp(−D_mem / rule): whether there is room for the rule at all;
    * s = σ(ln(facts / D_mem) / force): too many facts to memorize force generalization
      (progression); `facts` are the training set's unordered pairs;
    * g = σ((D − difficulty · D_crit) / step): otherwise it takes enough data (grokking).

    σ is the logistic function.  A harder task moves D_crit and leaves D_mem alone.
    """

    capacity: Capacity
    critical: Critical
    rule: float  # unordered pairs
    force: float
    step: float  # ordered pairs

    def __call__(self, d_model, train_size, difficulty: float = 1.0):
        """Predicted accuracies; NaN outside the widths with a measured capacity."""
        room, size = self.capacity(d_model), np.asarray(train_size, float)
        with np.errstate(divide="ignore"):
            forced = expit(np.log(distinct_pairs(size) / room) / self.force)
        enough = expit((size - difficulty * self.critical(d_model)) / self.step)
        return (1 - np.exp(-room / self.rule)) * (forced + (1 - forced) * enough)


@dataclass(frozen=True)
class Errors:
    """Root mean square errors over cells: of the fit, of cells left out, and of plainer guesses."""

    fitted: float
    left_out: float
    neighbours: float  # the mean of the nearest fitted cells of the grid, on the cells left out
    constant: float  # the fitted cells' mean, on the cells left out
    n_fitted: int
    n_left_out: int


def halves(cells: pd.MultiIndex) -> np.ndarray:
    """Which cells are fitted: every other one of the grid, like a chequerboard (a mask)."""
    return _ranks(cells).sum(axis=1) % 2 == 0


def _ranks(cells: pd.MultiIndex) -> np.ndarray:
    """The column and the row of each cell in the grid: (cells, 2)."""
    levels = (cells.get_level_values(i) for i in (0, 1))
    return np.stack([pd.factorize(level, sort=True)[0] for level in levels], axis=1)


def from_neighbours(cells: pd.Series, mask: np.ndarray) -> np.ndarray:
    """Each cell outside the mask as the mean of those in it that are nearest in the grid."""
    ranks = _ranks(cells.index)
    steps = np.abs(ranks[~mask][:, None] - ranks[mask]).sum(axis=-1)
    near = steps == steps.min(axis=1, keepdims=True)
    return near @ cells[mask].to_numpy() / near.sum(axis=1)


def fit(runs: pd.DataFrame, random: pd.DataFrame) -> tuple[Prediction, Errors] | None:
    """Fit the formula to half of the cells; None where the two curves cannot be drawn.

    Args:
        runs: final states on addition over widths and training sizes.
        random: final states on random labels over widths.
    """
    if runs.empty or random.empty:
        return None
    cells = cell_means(runs)["mean"]
    cells = cells[cells.index.get_level_values("d_model").isin(random["d_model"])]
    mask = halves(cells.index)
    places = pd.MultiIndex.from_frame(runs[["d_model", "train_size"]])
    # D_crit, too, is measured on these cells alone.
    found = boundaries.measure(runs[places.isin(cells.index[mask])], random, resamples=2)
    if found.capacity is None or found.critical is None or mask.sum() < 6 or mask.all():
        return None

    def of(parameters):
        return Prediction(found.capacity, found.critical, *np.exp(parameters))

    def errors(prediction, part):
        own = cells[part]
        widths, sizes = (own.index.get_level_values(i).to_numpy(float) for i in (0, 1))
        return prediction(widths, sizes) - own.to_numpy()

    start = np.log([500.0, 0.2, max(found.critical.margin, 50.0) / np.log(9)])
    bounds = np.log([[10, 0.01, 10], [1e4, 3, 3000]])
    best = optimize.least_squares(
        lambda p: errors(of(p), mask), np.clip(start, *bounds), bounds=bounds
    )
    prediction = of(best.x)

    def rms(values):
        return float(np.sqrt(np.mean(np.square(values))))

    other = cells[~mask].to_numpy()
    plain = rms(from_neighbours(cells, mask) - other), rms(cells[mask].mean() - other)
    parts = rms(errors(prediction, mask)), rms(errors(prediction, ~mask))
    return prediction, Errors(*parts, *plain, int(mask.sum()), int((~mask).sum()))
