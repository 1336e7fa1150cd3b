"""Double descent in the loss, told: the table and the sentence of the double descent chapter."""

from collections.abc import Iterable

import numpy as np
import pandas as pd

from lib.analysis import descent, statistics
from lib.analysis.descent import Dip
from lib.analysis.dynamics import PERFECT
from lib.analysis.statistics import student
from lib.analysis.words import bracket, number
from lib.chapters.tables import table


def climbs(runs: pd.DataFrame, train_sizes: Iterable[int], d_models: list[int]) -> dict[int, Dip]:
    """How far the mean validation loss climbs between two descents, by training size, in nats.

    A `Dip` of the loss turned upside down: `peak` is the width of the first low, `valley` that of
    the summit after it.
    """
    return {
        size: descent.mean_dip(-own.reindex(columns=sorted(d_models)))
        for size in train_sizes
        for own in [statistics.by_width(runs[runs["train_size"] == size], "val_loss")]
    }


def rows(found: dict[int, Dip], runs: pd.DataFrame) -> str:
    """Training size by training size, in Markdown."""
    mean = runs.groupby(["train_size", "d_model"])["val_loss"].mean()
    cells = []
    for size, dip in found.items():
        ends = bracket(dip.low, dip.high, "{:.1f}").strip() or "–"
        there = np.isfinite(dip.peak)
        low, summit = (mean[size, d] if there else np.nan for d in (dip.peak, dip.valley))
        cells.append((
            f"{size:,}", number(dip.depth, "{:.1f}"), ends, number(low), number(dip.peak, "{:.0f}"),
            number(summit, "{:.1f}"), number(dip.valley, "{:.0f}"), dip.seeds,
        ))  # fmt: skip
    header = ["D", "climb, nats", "bootstrap interval", "lowest before", "at d_model", "summit",
              "at d_model", "whole seeds"]  # fmt: skip
    return table(header, cells, left=())


def words(found: dict[int, Dip], runs: pd.DataFrame, modulus: int) -> str:
    """Where the loss climbs far, whether it had fallen before, and who the summit is."""
    guess = float(np.log(modulus))
    known = {size: dip for size, dip in found.items() if np.isfinite(dip.low)}
    far = [size for size, dip in known.items() if dip.low > guess]
    hardly = [size for size, dip in known.items() if dip.high < guess]
    said = [_far(size, known[size], runs, guess) for size in far]
    if hardly:
        climbs = ", ".join(f"{known[size].depth:.1f} nats" for size in hardly)
        sizes = " and ".join(f"{size:,}" for size in hardly)
        said.append(f"With {sizes} points it hardly climbs ({climbs}; guessing costs {guess:.2f}).")
    if far and all(_perfect_from(runs, size) <= known[size].valley for size in far):
        said.append(
            "At the summit stand networks that know their list by heart: they answer the rest "
            "with confidence, and wrongly."
        )
    return " ".join(said) or "The stored runs do not tell how far the loss climbs."


def _far(size: int, dip: Dip, runs: pd.DataFrame, guess: float) -> str:
    """One training size with which the loss climbs by more than guessing costs."""
    by_seed = statistics.by_width(runs[runs["train_size"] == size], "val_loss")
    mean = by_seed.mean()
    fell = student(by_seed[by_seed.columns[0]] - by_seed[dip.peak])
    text = (
        f"**With {size:,} points the loss climbs from {mean[dip.peak]:.1f} nats at width "
        f"{dip.peak:.0f} to {mean[dip.valley]:.1f} at width {dip.valley:.0f}**, "
        f"{mean[dip.valley] / guess:.1f} times what guessing costs, and comes down again; "
    )
    if fell[1] > 0:
        first = mean.index[0]
        said = f"before, it had come down from {mean[first]:.1f} at width {first}"
        return (
            f"{text}{said}. In these seeds that is a double descent, with the low picked where the "
            "curve has it; a test over fixed widths is below."
        )
    return text + "these seeds do not show whether it falls before it climbs."


def _perfect_from(runs: pd.DataFrame, size: int) -> float:
    """The width from which on mean training accuracy is perfect; NaN if it never is."""
    own = runs[runs["train_size"] == size].groupby("d_model")["train_accuracy"].mean()
    return statistics.steady(own, PERFECT)
