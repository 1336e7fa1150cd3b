"""Held-out pairs whose mirror image was trained on, and the others, told (ours; §4).

Addition commutes.  A network that has only learned to treat a and b alike answers the first kind
without a rule, so accuracy on the second says more.
"""

from collections.abc import Iterable

import pandas as pd

from lib.analysis.dynamics import ZERO
from lib.figures import style

KINDS = {
    "mirrored_accuracy": ("mirror image trained on", style.GREY, ":"),
    "unmirrored_accuracy": ("the others", style.VAL, "--"),
}
"""Column of `lib.circuits.measures` -> what the pairs are, and the line of their accuracy."""


def curves(ends: pd.DataFrame, train_sizes: Iterable[int]) -> dict[int, dict[str, tuple]]:
    """What `lib.figures.accuracy.accuracy_by_width` draws, a panel for each training size.

    Args:
        ends: measures of runs at their ends.
    """

    def panel(own):
        return {label: (own, value, *line) for value, (label, *line) in KINDS.items()}

    return {size: panel(ends[ends["train_size"] == size]) for size in train_sizes}


def words(ends: pd.DataFrame) -> str:
    """Where the two kinds lie furthest apart, and how many runs owe all they have to symmetry."""
    if ends.empty:
        return "*No network of this figure has been looked into.*"
    means = ends.groupby(["train_size", "d_model"])[list(KINDS)].mean()
    gap = means["mirrored_accuracy"] - means["unmirrored_accuracy"]
    widest = means.loc[gap.groupby(level="train_size").idxmax()]
    said = [
        f"with {size:,} points at width {d} ({mirrored:.2f} and {other:.2f})"
        for (size, d), mirrored, other in widest.itertuples()
    ]
    off_zero = ends[ends["val_accuracy"] >= ZERO]
    alone = (off_zero["unmirrored_accuracy"] < ZERO).sum()
    seeds, owe = ends["seed"].nunique(), "owes" if alone == 1 else "owe"
    return (
        f"Accuracy on pairs whose mirror image was trained on lies furthest above that on the "
        f"others {'; '.join(said)} (means over {seeds} seeds). Of the {len(off_zero)} runs that "
        f"end at {ZERO:g} or above, {alone} {owe} it to symmetry "
        f"alone: on the others they stay below {ZERO:g}."
    )
