"""Three readings of one critical size, where runs above it may fail for other reasons (§4.3).

`lib.analysis.zones.critical.critical_size` takes every run that ends low for one with too few data.
A run may also have fallen back by its last epoch, or be so slow that it has not even memorized.
"""

import numpy as np
import pandas as pd

from lib.analysis import dynamics
from lib.analysis.words import mean_words
from lib.analysis.zones import critical


def first_sizes(runs: pd.DataFrame) -> pd.DataFrame:
    """Halfway from the first train_size at which a run generalizes to the one before it.

    Seeds down, widths across; the smallest size itself where that is enough, NaN where none is.
    """
    found = {}
    for key, cell in runs.groupby(["seed", "d_model"]):
        sizes = np.sort(cell["train_size"].unique())
        enough = cell[cell["val_accuracy"] >= dynamics.GENERALIZED]["train_size"]
        at = np.searchsorted(sizes, enough.min()) if len(enough) else None
        found[key] = np.nan if at is None else (sizes[at] + sizes[max(at - 1, 0)]) / 2
    return pd.Series(found, dtype=float).unstack()


VERDICTS = "at the last epoch (the verdict's)"
"""The reading that takeaway 6 is judged by."""


READINGS = {
    VERDICTS: (False, critical.seed_thresholds),
    "by the best on the way": (True, critical.seed_thresholds),
    "the first size that is enough, whatever larger ones do": (False, first_sizes),
}
"""Name -> whether a run counts with its best accuracy, and D_crit from runs, seed by seed."""


def shifts(square: pd.DataFrame, add: pd.DataFrame) -> dict[str, pd.DataFrame]:
    """Reading -> D_crit of the one less that of the other: seeds down, widths across.

    Args:
        square, add: runs `with_best`, whole rows of sizes for each seed and width.
    """
    made = {}
    for name, (best, sizes) in READINGS.items():
        if square.empty or add.empty:
            made[name] = pd.DataFrame(dtype=float)
            continue
        pair = [r.assign(val_accuracy=r["best"]) if best else r for r in (square, add)]
        made[name] = sizes(pair[0]) - sizes(pair[1])
    return made


def shift_rows(found: dict[str, pd.DataFrame], widths: list[int]) -> list[tuple]:
    """A row for each reading of `shifts`: the mean at every width, with Student's 95% interval."""
    rows = []
    for name, shift in found.items():
        cells = []
        for d in widths:
            values = shift[d].dropna().to_numpy() if d in shift else np.array([])
            cells.append(mean_words(values, "{:+,.0f}"))
        rows.append((name, *cells))
    return rows


def failures(runs: pd.DataFrame, least: int) -> str:
    """How runs with at least so many training points that end low came to it, in words."""
    own = runs[runs["train_size"] >= least]
    low = own[own["val_accuracy"] < dynamics.GENERALIZED]
    many = f"{len(low)} of {len(own)} runs with {least:,} points or more"
    text = f"{many} end below {dynamics.GENERALIZED:g}"
    if low.empty:
        return text
    back = (low["best"] >= dynamics.GENERALIZED).sum()
    unlearned = (low["train_accuracy"] < dynamics.GENERALIZED).sum()
    return (
        f"{text}; {back} of these had been there on the way, and in {unlearned} training "
        f"accuracy ends below {dynamics.GENERALIZED:g}, too"
    )
