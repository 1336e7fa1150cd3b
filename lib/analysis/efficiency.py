"""Circuits seen in curves: norm for a loss, and plateaus (Varma et al. 2023).

Nothing here needs weights: a curve holds the norm of all parameters and the losses.
"""

from collections.abc import Callable, Mapping

import numpy as np
import pandas as pd

from lib.analysis import dynamics
from lib.tasks import TASKS

LEVEL = 1e-3
"""Training loss in nats at which norms are compared: low enough for perfect training accuracy
(chosen on seed 0 of figure 3's width 48, before any run on random labels)."""


BAND = 0.10
"""Width of the band in which validation accuracy stays on a plateau."""


LASTING = 10_000
"""Epochs that a plateau lasts at least: half of the usual training."""


LEVELS = (1e-2, LEVEL, 1e-5)
"""Other losses at which the comparison is made again, to see whether it hangs on `LEVEL`."""


SETTLED = 0.8
"""The part of a run after which it counts as settled: its last fifth is looked at."""


def norm_needed(curve: Mapping[str, np.ndarray], level: float = LEVEL, val: float = 0.0) -> float:
    """The norm of all parameters at which a run settles with a training loss of at most `level`.

    The median over the evaluations of the run's last fifth that have such a loss: weight decay
    lowers the norm until the loss pushes back, and single spikes do not count.  NaN where fewer
    than half of these evaluations have it.

    Args:
        curve: of one run.
        level: nats.
        val: only evaluations with at least this validation accuracy count.
    """
    own = _settled(curve)
    good = own["train_loss"] <= level
    if val:
        good &= own["val_accuracy"] >= val
    return float(np.median(own["param_norm"][good])) if 2 * good.sum() >= len(good) else np.nan


def lowest_norm(curve: Mapping[str, np.ndarray], level: float, val: float = 0.0) -> float:
    """The smallest norm at any evaluation with a training loss of at most `level`; or NaN.

    It meets a run on its way, where `norm_needed` waits for the end; the two need not agree.
    """
    good = np.asarray(curve["train_loss"]) <= level
    if val:
        good &= np.asarray(curve["val_accuracy"]) >= val
    return float(np.asarray(curve["param_norm"])[good].min()) if good.any() else np.nan


def restless(curve: Mapping[str, np.ndarray]) -> float:
    """The share of a run's last fifth in which its training loss is above `LEVEL`."""
    return float((_settled(curve)["train_loss"] > LEVEL).mean())


def norm_drift(curve: Mapping[str, np.ndarray]) -> float:
    """ln of the median norm in a run's last tenth over that in the tenth before; maybe NaN."""
    own = _settled(curve)
    late = own["epoch"] > (1 + SETTLED) / 2 * own["epoch"][-1]
    norm = own["param_norm"]
    if late.all() or not late.any():
        return np.nan  # too few evaluations to tell
    return float(np.log(np.median(norm[late]) / np.median(norm[~late])))


def _settled(curve: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """The evaluations of a run's last fifth."""
    epoch = np.asarray(curve["epoch"])
    names = ("epoch", "train_loss", "val_accuracy", "param_norm")
    return {name: np.asarray(curve[name])[epoch >= SETTLED * epoch[-1]] for name in names}


def norms_needed(
    runs: pd.DataFrame, norm: Callable[..., float] = norm_needed, **how
) -> pd.DataFrame:
    """A norm of every run: train_size, seed, norm; at its end the norm's drift, `restless`.

    Args:
        runs: one row a run, `lib.analysis.dynamics.with_curves`.
        norm: `norm_needed` or `lowest_norm`, which `how` is given to.
    """
    curves = runs["curve"]
    return runs[["train_size", "seed"]].assign(
        norm=[norm(curve, **how) for curve in curves],
        drift=[norm_drift(curve) for curve in curves],
        restless=[restless(curve) for curve in curves],
    ).reset_index(drop=True)  # fmt: skip


def elasticities(norms: pd.DataFrame) -> np.ndarray:
    """d ln(norm) / d ln(D) of each seed, by least squares: 0 is flat, 0.1 is +7% a doubling.

    Args:
        norms: from `norms_needed`; rows without a norm are left out, and seeds with fewer
            than three sizes.
    """
    norms = norms.dropna(subset="norm")
    found = []
    for _, own in norms.groupby("seed"):
        if own["train_size"].nunique() >= 3:
            found.append(np.polyfit(np.log(own["train_size"]), np.log(own["norm"]), 1)[0])
    return np.array(found)


def crossing(
    memorizing: pd.DataFrame, generalizing: pd.DataFrame, slope: float = 0.0
) -> tuple[float, str]:
    """The training size at which memorizing needs the norm that generalizing needs.

    Means over seeds; memorizing is interpolated in logarithms, generalizing is its mean over
    all sizes (the theory says that it is flat).

    Args:
        slope: d ln(norm) / d ln(D) of generalizing, from the middle of its sizes on.

    Returns:
        (size, bound): "≤" where memorizing is dearer at its smallest size already, "≥" where
        it is cheaper at its largest still; NaN where one of the two has no norm.
    """
    mem = memorizing.dropna(subset="norm").groupby("train_size")["norm"].mean()
    level = generalizing["norm"].mean()
    if not len(mem) or np.isnan(level):
        return np.nan, ""
    x, y = np.log(mem.index.to_numpy(float)), np.log(mem.to_numpy())
    measured = np.log(generalizing.dropna(subset="norm")["train_size"])
    dearer = y - np.log(level) - slope * (x - measured.mean())
    above = dearer > 0
    if not above.any():
        return float(mem.index[-1]), "≥"
    i = int(np.argmax(above))  # the first size at which memorizing costs more
    if i == 0:
        return float(mem.index[0]), "≤"
    at = x[i - 1] - dearer[i - 1] / (dearer[i] - dearer[i - 1]) * (x[i] - x[i - 1])
    return float(np.exp(at)), ""


def mirror_share(train_size, modulus: int = 113):
    """Share of held-out pairs (a, b) whose mirror (b, a) is expected in the training set.

    A network that treats both places alike answers these without the rule, so a validation
    accuracy up to this share need not be generalization.
    """
    return np.asarray(train_size, float) / modulus**2


MARGIN = 0.03
"""How far above `symmetry_share` a plateau has to lie: measured accuracies scatter by less."""


def symmetry_share(train_size, modulus: int = 113):
    """Validation accuracy by symmetry alone: mirrored pairs right, the others by chance."""
    share = mirror_share(train_size, modulus)
    return share + (1 - share) / modulus


def floors(runs: pd.DataFrame) -> pd.Series:
    """Validation accuracy of each run that is off zero, and more than symmetry alone gives."""
    commutes = runs["task"].map(lambda name: TASKS[name].commutes)
    share = pd.Series(symmetry_share(runs["train_size"], runs["modulus"]), runs.index)
    return share.add(MARGIN).where(commutes, 0.0).clip(lower=dynamics.ZERO)


def by_symmetry(runs: pd.DataFrame) -> pd.Series:
    """Which runs are off zero at their end and yet get no more right than symmetry gives."""
    val = runs["val_accuracy"]
    return (val >= dynamics.ZERO) & (val < floors(runs))


def plateau(
    curve: Mapping[str, np.ndarray], floor: float = dynamics.ZERO, lasting: int = LASTING
) -> tuple[int, int, str] | None:
    """The longest plateau of a run after its training is perfect; None if none lasts.

    On a plateau validation accuracy stays within `BAND`, from `floor` on and below
    `GENERALIZED`: semi-grokking in Varma et al.'s sense.

    Args:
        curve: of one run.
        floor: `ZERO`, or more: `symmetry_share` and `MARGIN`.
        lasting: epochs.

    Returns:
        Its first and last epoch, and what then: "rises" (the run ends at or above
        `GENERALIZED`), "falls" (below `ZERO`), "moves on" (in between, and after the stretch) or
        "open" (the stretch reaches the run's end).
    """
    epoch, val = np.asarray(curve["epoch"]), np.asarray(curve["val_accuracy"], float)
    perfect = np.flatnonzero(np.asarray(curve["train_accuracy"]) >= dynamics.PERFECT)
    best, i = None, int(perfect[0]) if len(perfect) else len(val)
    for j in range(i, len(val)):
        if not floor <= val[j] < dynamics.GENERALIZED:
            i = j + 1
            continue
        while np.ptp(val[i : j + 1]) > BAND:
            i += 1
        if epoch[j] - epoch[i] >= lasting:
            best, lasting = (i, j), epoch[j] - epoch[i] + 1  # a longer one counts, in whole epochs
    if best is None:
        return None
    i, j = best
    then = "falls" if val[-1] < dynamics.ZERO else "moves on"
    then = "rises" if val[-1] >= dynamics.GENERALIZED else then
    return int(epoch[i]), int(epoch[j]), "open" if j == len(val) - 1 else then


def plateaus(runs: pd.DataFrame) -> list[tuple[int, int, str] | None]:
    """`plateau` of each run, above what symmetry gives; runs: as `dynamics.with_curves`."""
    return [plateau(curve, floor) for curve, floor in zip(runs["curve"], floors(runs))]


def half_way(epochs: np.ndarray, values: np.ndarray) -> float:
    """The first epoch at which a curve is half way from its start to its end; NaN if flat.

    Flat: it ends less than `ZERO` above its start.
    """
    values = np.asarray(values, float)
    if not values[-1] - values[0] >= dynamics.ZERO:
        return np.nan
    return dynamics.first_epoch(epochs, values, (values[0] + values[-1]) / 2)
