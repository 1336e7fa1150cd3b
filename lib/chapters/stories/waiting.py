"""How long the rule takes, told: the table and the sentences of the grid chapter."""

import numpy as np
import pandas as pd

from lib.analysis.waiting import median
from lib.chapters.tables import table
from lib.paper.recipe import BASE


def _time(waited: float, end: float) -> str:
    return f"{waited:.0f}" if np.isfinite(waited) else f"> {end:.0f}"


def rows(found: pd.DataFrame) -> str:
    """Training size by training size, in Markdown: how many generalize, and how long it takes.

    Args:
        found: runs of one recipe, as `lib.analysis.waiting.waits` gives them.
    """
    cells, rate = [], found["lr"] * found["weight_decay"]
    end = (found["epochs"] * rate).max()
    for size, own in found.groupby("train_size"):
        by_half = own["came"] & (own["waited"] <= end / 2)
        seeds = [median(one) for _, one in own.groupby("seed")]
        cells.append((
            f"{size:,}", len(own), by_half.sum(), own["came"].sum(), _time(median(own), end),
            f"{_time(min(seeds), end)} to {_time(max(seeds), end)}",
        ))  # fmt: skip
    header = ["D", "networks", f"have the rule by {end / 2:.0f}", f"by {end:.0f}",
              "half have it by", "seed by seed"]  # fmt: skip
    return table(header, cells, left=())


def words(found: pd.DataFrame) -> str:
    """How the wait grows as the training set shrinks."""
    middle = found.groupby("train_size")[["waited", "came"]].apply(median)
    middle = middle[np.isfinite(middle)]
    if len(middle) < 2:
        return "The runs that are stored do not tell how the wait goes with the training size."
    (few, long), (many, short) = middle.iloc[[0, -1]].items()
    below = found[found["train_size"] < few]["train_size"]
    text = (
        f"**The fewer the points, the longer the wait: half of the networks have the rule after "
        f"{short:.0f} decay times with {many:,} points, after {long:.0f} with {few:,}**"
    )
    if below.empty:
        return text + "."
    return text + f", and with {below.max():,} fewer than half have it when training ends."


def longer_words(found: pd.DataFrame) -> str:
    """What more training changes.

    Args:
        found: runs of one width that were trained for several times the book's epochs.
    """
    if found.empty:
        return "No run near the critical size is stored that was trained for longer."
    rate, usual = found["lr"] * found["weight_decay"], BASE.epochs
    times = found["epochs"].max() / usual
    said = []
    for size, own in found.groupby("train_size"):
        before = (own["came"] & (own["waited"] <= usual * rate[own.index])).sum()
        said.append(
            f"{own['came'].sum()} of {len(own)} with {size:,} points ({before} by epoch {usual:,})"
        )
    return (
        f"So D_crit is the size at which the wait has become as long as the training. How far does "
        f"more training move it? Networks of width {found['d_model'].iloc[0]} that were trained "
        f"{times:.0f} times as long ([](circuit_efficiency.ipynb), P4) have the rule in the end: "
        f"{', '.join(said)}."
    )
