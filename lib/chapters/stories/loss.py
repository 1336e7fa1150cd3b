"""Double descent in the loss, told: the table and the sentence of the double descent chapter."""

from collections.abc import Iterable

import numpy as np
import pandas as pd

from lib.analysis import descent, statistics
from lib.analysis.descent import Dip
from lib.analysis.dynamics import PERFECT
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
    header = ["D", "climb, nats", "95% interval", "lowest before", "at d_model", "summit",
              "at d_model", "whole seeds"]  # fmt: skip
    return table(header, cells, left=())


def words(found: dict[int, Dip], runs: pd.DataFrame, modulus: int) -> str:
    """Where the loss has two descents beyond doubt, and how far above guessing it climbs."""
    guess = float(np.log(modulus))
    clear = {size: dip for size, dip in found.items() if dip.low > guess}
    if not clear:
        return "In the loss the stored runs do not tell whether descent is double."
    size, dip = max(clear.items(), key=lambda pair: pair[1].depth)
    others = [f"{dip.depth:.1f} with {size:,}" for size, dip in found.items() if size not in clear]
    own = runs[runs["train_size"] == size]
    means = own.groupby("d_model")[["val_loss", "train_accuracy"]].mean()
    top, perfect = (
        means["val_loss"][dip.valley],
        statistics.steady(means["train_accuracy"], PERFECT),
    )
    text = (
        f"**In the loss the descent is double beyond doubt with "
        f"{' and '.join(f'{size:,}' for size in clear)} points.** With {size:,} it climbs from "
        f"{means['val_loss'][dip.peak]:.1f} nats at width {dip.peak:.0f} to {top:.1f} at width "
        f"{dip.valley:.0f}, {top / guess:.1f} times what guessing costs ({guess:.2f}), and comes "
        f"down again{'; it climbs by ' * bool(others)}{', '.join(others)}."
    )
    if perfect <= dip.valley <= 1.5 * perfect:
        text += (
            f" The summit stands where training has just become perfect (from width {perfect:.0f} "
            "on): a network that can just hold its list answers the rest with confidence, and "
            "wrongly."
        )
    return text
