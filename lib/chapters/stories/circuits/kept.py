"""What networks that keep a rule, or a part of it, say of its cost, and where half is lost."""

import numpy as np
import pandas as pd

from lib.analysis import efficiency
from lib.analysis.gather import Gathered
from lib.analysis.words import mean_words
from lib.chapters.stories.circuits import predictions

LEFT = 0.5
"""Validation accuracy at which half of a rule is left: there both circuits should weigh alike."""


def cost(found: Gathered) -> str:
    """How the norm of networks that keep their rule goes with D (P1), in words."""
    norms = predictions.norms(found)
    settled = norms.groupby("train_size")["norm"].agg(lambda own: own.notna().all())
    kept = norms[norms["train_size"].isin(settled.index[settled])]
    slopes = efficiency.elasticities(kept)
    if len(slopes) < 3:
        return "Too few networks keep their rule at three sizes to say what it costs."
    means = kept.groupby("train_size")["norm"].mean()
    return (
        "What a rule costs (P1) shows here, too. At the sizes at which all of these networks keep "
        f"theirs and settle, the norm at which they settle (P1's, not the table's last epoch) "
        f"is in the mean {means.min():.1f} to {means.max():.1f} from "
        f"{means.index[0]:,} to {means.index[-1]:,} points: the power of D in it is "
        f"{mean_words(slopes, '{:+.3f}')} ({len(slopes)} seeds). These runs were known when that "
        "was first asked, so P1's verdict does not rest on them."
    )


def half_lost(runs: pd.DataFrame) -> np.ndarray:
    """The size at which each seed's accuracy falls below `LEFT`, between the sizes tried (in ln D).

    Seeds that lack a size are left out, and those that do not cross it.
    """
    places = []
    table = runs.pivot_table("val_accuracy", "seed", "train_size").dropna()
    sizes = np.log(table.columns.to_numpy(float))
    for row in table.to_numpy():
        below = np.flatnonzero(row < LEFT)
        if len(below) and below[-1] < len(row) - 1:
            i = below[-1]
            places.append(np.exp(np.interp(LEFT, row[i : i + 2], sizes[i : i + 2])))
    return np.array(places)


def half_row(runs: pd.DataFrame) -> tuple[str, str]:
    """That place in a row of the table of places that should be one."""
    name = f"validation accuracy falls below {LEFT:g} (P3, continued)"
    return name, mean_words(half_lost(runs), "{:,.0f}")
