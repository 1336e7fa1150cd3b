"""How long the rule takes, told: the table and the sentences of the grid chapter."""

import numpy as np
import pandas as pd

from lib.analysis.statistics import median_wait
from lib.chapters.tables import table
from lib.paper.recipe import BASE


def _time(waited: float, end: float) -> str:
    return _short(waited) if np.isfinite(waited) else f"> {_short(end)}"


def _short(waited: float) -> str:
    return f"{waited:.0f}" if waited >= 10 else f"{waited:.2g}"


def rows(found: pd.DataFrame) -> str:
    """Training size by training size, in Markdown: how many generalize, and how long it takes.

    Args:
        found: runs of one recipe, as `lib.analysis.dynamics.waits` gives them.
    """
    cells, rate = [], found["lr"] * found["weight_decay"]
    end = (found["epochs"] * rate).max()
    for size, own in found.groupby("train_size"):
        by_half = own["came"] & (own["waited"] <= end / 2)
        seeds = [median_wait(one) for _, one in own.groupby("seed")]
        cells.append((
            f"{size:,}", len(own), by_half.sum(), own["came"].sum(), _time(median_wait(own), end),
            f"{_time(min(seeds), end)} to {_time(max(seeds), end)}",
        ))  # fmt: skip
    header = ["D", "networks", f"have the rule by {_short(end / 2)}", f"by {_short(end)}",
              "half have it by", "seed by seed"]  # fmt: skip
    return table(header, cells, left=())


def words(found: pd.DataFrame) -> str:
    """How the wait goes with the training set's size."""
    every = found.groupby("train_size")[["waited", "came"]].apply(median_wait)
    middle = every[np.isfinite(every)]
    if len(middle) < 2:
        return "The runs that are stored do not tell how the wait goes with the training size."
    (few, long), (many, short) = middle.iloc[[0, -1]].items()
    text = (
        f"half of the networks have the rule after {_short(short)} decay times with {many:,} "
        f"points, after {_short(long)} with {few:,}"
    )
    if every.loc[few:].is_monotonic_decreasing:  # with no size between that never came
        text = f"**The fewer the points, the longer the wait**: {text}"
    below = found[found["train_size"] < few]["train_size"]
    less = f"; with {below.max():,} fewer than half have it when training ends"
    return text[0].upper() + text[1:] + (less if len(below) else "") + "."


def longer_words(found: pd.DataFrame) -> str:
    """What more training changes.

    Args:
        found: runs of one width, in the book's recipe but for several times its epochs.
    """
    if found.empty:
        return "No run near the critical size is stored that was trained for longer."
    usual = BASE.epochs
    times, before = found["epochs"].max() / usual, usual * found["lr"] * found["weight_decay"]
    in_time = found["came"] & (found["waited"] <= before)
    said = [
        f"{own['came'].sum()} of {len(own)} with {size:,} points "
        f"({in_time[own.index].sum()} by epoch {usual:,})"
        for size, own in found.groupby("train_size")
    ]
    return (
        "So D_crit *by epoch T* is a size at which the wait has become as long as the training. "
        f"How far does more training move it? With the book's recipe networks of width "
        f"{found['d_model'].iloc[0]} that were trained {times:.0f} times as long "
        f"([](circuit_efficiency.ipynb), P4) come to the rule before they end: {', '.join(said)}."
    )
