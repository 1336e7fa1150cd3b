"""How long runs take to find the rule: survival curves over training (Kaplan and Meier).

Time is counted in decay times, 1 / (learning rate · weight decay) epochs: in so many the weights
that no gradient holds up shrink to a third.  A run that has not generalized when its training
ends says only that it takes longer.
"""

import numpy as np
import pandas as pd
from scipy import stats

from lib.analysis.dynamics import GENERALIZED, first_epoch


def waits(runs: pd.DataFrame, curves: pd.DataFrame) -> pd.DataFrame:
    """The runs with two columns more; without those that have no weight decay, and so no such time.

    `waited`: decay times until validation accuracy first reached `GENERALIZED`, or until training
    ended; `came`: whether it reached it.
    """
    runs = runs[runs["weight_decay"] > 0]
    reached = {
        key: first_epoch(own["epoch"], own["val_accuracy"], GENERALIZED)
        for key, own in curves.groupby("key", sort=False)
    }
    epochs = runs["key"].map(reached).astype(float)
    rate = runs["lr"] * runs["weight_decay"]
    came = np.isfinite(epochs)
    return runs.assign(waited=epochs.where(came, runs["epoch"]) * rate, came=came)


def survival(found: pd.DataFrame) -> tuple[np.ndarray, np.ndarray]:
    """Times and the share of runs that have not generalized by then; the first time is 0.

    Args:
        found: runs as `waits` gives them.
    """
    came = found["came"].to_numpy(bool)
    times = found["waited"].to_numpy(float)
    if not came.any():
        ends = np.append(0.0, times.max(initial=0.0))
        return ends, np.ones_like(ends)
    sample = stats.CensoredData(uncensored=times[came], right=times[~came])
    left = stats.ecdf(sample).sf
    return np.append(0.0, left.quantiles), np.append(1.0, left.probabilities)


def median(found: pd.DataFrame) -> float:
    """Decay times by which half of the runs have generalized; infinite if fewer ever do."""
    times, left = survival(found)
    half = np.flatnonzero(left <= 0.5)
    return float(times[half[0]]) if len(half) else np.inf
