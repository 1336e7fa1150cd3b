"""What a run's curves show: its zone, and when it memorizes and generalizes."""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

PERFECT = 0.99
"""Training accuracy from which a network has learned its training set."""


GENERALIZED = 0.95
"""Validation accuracy from which a network has generalized."""


ZERO = 0.10
"""Validation accuracy below which a network does not generalize (chance is 1/113)."""


TOGETHER = 0.50
"""Validation accuracy, when training becomes perfect, from which the two rose together."""


ZONES = ("progression", "ungrokking", "grokking", "semi-grokking", "unlearned", "diverged")
NO_ZONE = "none: it has no validation set"


def first_epoch(epochs: np.ndarray, values: np.ndarray, level: float) -> float:
    """The first evaluated epoch at which `values` reach `level`; infinity if none does."""
    reached = np.flatnonzero(np.asarray(values) >= level)
    return float(np.asarray(epochs)[reached[0]]) if len(reached) else np.inf


def zone(curve: Mapping[str, np.ndarray]) -> str:
    """The training dynamics that one run's own curve shows, by its last epoch (§2.2, §3).

    * *ungrokking*: training is perfect, validation ends below `ZERO`.
    * *grokking*: training is perfect while validation is below `TOGETHER`; by the end
      validation is above `GENERALIZED`.
    * *semi-grokking*: the same start, and validation ends in between.
    * *progression*: validation ends at `ZERO` or above and training was not perfect before
      it was at `TOGETHER`: the two accuracies grow together.
    * *unlearned*: neither perfect training nor, at the end, validation at `ZERO`.

    A run without a validation set has none of these: `NO_ZONE`.

    Args:
        curve: columns "epoch", "train_accuracy", "val_accuracy" and "train_loss" of a run.
    """
    train, val = np.asarray(curve["train_accuracy"]), np.asarray(curve["val_accuracy"])
    if not np.isfinite(np.asarray(curve["train_loss"])[-1]):
        return "diverged"
    if np.isnan(val).all():
        return NO_ZONE
    perfect, end = np.flatnonzero(train >= PERFECT), val[-1]
    if not len(perfect):
        return "progression" if end >= ZERO else "unlearned"
    if end >= ZERO and val[perfect[0]] >= TOGETHER:
        return "progression"
    if end < ZERO:
        return "ungrokking"
    return "grokking" if end >= GENERALIZED else "semi-grokking"


def half_way(runs: pd.DataFrame) -> pd.Series:
    """Which runs know their training set at their end, and some of the others: a mask."""
    knows = runs["train_accuracy"] >= PERFECT
    return knows & runs["val_accuracy"].between(ZERO, GENERALIZED, inclusive="left")


def best_on_the_way(curves: pd.DataFrame) -> pd.Series:
    """The highest validation accuracy of each run at any evaluation, by key."""
    return curves.groupby("key")["val_accuracy"].max()


def with_best(runs: pd.DataFrame, curves: pd.DataFrame) -> pd.DataFrame:
    """The runs with a column `best`: their highest validation accuracy at any evaluation."""
    best = runs["key"].map(best_on_the_way(curves))
    return runs.assign(best=best.astype(float))  # of no runs, too


def with_curves(runs: pd.DataFrame, curves: pd.DataFrame) -> pd.DataFrame:
    """The runs with a column `curve`: the evaluations of each, a frame."""
    by_key = dict(iter(curves.groupby("key")))
    return runs.assign(curve=[by_key[key] for key in runs["key"]])


def waits(runs: pd.DataFrame, curves: pd.DataFrame) -> pd.DataFrame:
    """The runs with two columns more: how long each took to find the rule.

    `waited`: until validation accuracy first reached `GENERALIZED`, or until training ended, in
    decay times, 1 / (learning rate · weight decay) epochs: in so many the weights that no gradient
    holds up shrink to a third.  `came`: whether it reached it; one that did not says only that it
    takes longer.  Runs without weight decay have no such time and are left out.
    """
    runs = runs[runs["weight_decay"] > 0]
    first = curves[curves["val_accuracy"] >= GENERALIZED].groupby("key")["epoch"].min()
    epochs = runs["key"].map(first).astype(float)
    rate = runs["lr"] * runs["weight_decay"]
    came = np.isfinite(epochs)
    return runs.assign(waited=epochs.where(came, runs["epoch"]) * rate, came=came)


def norm_ends(curve: Mapping[str, np.ndarray]) -> tuple[int, ...]:
    """The evaluations between which a run generalizes, as positions: before, after; or none.

    Before: the last with validation accuracy below `ZERO`; after: the first at nine tenths of
    its final value.  Nothing if it does not generalize, or was not below `ZERO` before.
    """
    val = np.asarray(curve["val_accuracy"])
    if not val[-1] >= ZERO:
        return ()
    after = int(np.argmax(val >= 0.9 * val[-1]))
    low = np.flatnonzero(val[:after] < ZERO)
    return (int(low[-1]), after) if len(low) else ()


def norm_change(
    curve: Mapping[str, np.ndarray], control: Mapping[str, np.ndarray] | None = None
) -> float:
    """log(norm after / norm before) over the epochs in which a run generalizes (figure 9).

    Of the run, or of a control over the same epochs; NaN where `norm_ends` knows none.
    """
    if not (ends := list(norm_ends(curve))):
        return np.nan
    of = curve if control is None else control
    before, after = np.interp(np.asarray(curve["epoch"])[ends], of["epoch"], of["param_norm"])
    return float(np.log(after / before))


DROP = 0.05
"""By how much accuracy has to fall in a bump."""


def bumps(values: Sequence[float]) -> int:
    """How often a curve falls by `DROP` or more and comes back (figure 5).

    Coming back is to regain half of the fall.
    """
    count, top, bottom = 0, -np.inf, np.inf
    for value in np.asarray(values, float):
        bottom = min(bottom, value)
        if top - bottom >= DROP and value >= (top + bottom) / 2:
            count, top, bottom = count + 1, value, value
        elif value > top:
            top = bottom = value
    return count
