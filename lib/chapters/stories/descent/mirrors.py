"""Held-out pairs whose mirror image was trained on, and the others, told (ours; §4).

Addition commutes.  A network that has only learned to treat a and b alike answers the first kind
without a rule, so accuracy on the second says more.
"""

from collections.abc import Iterable

import pandas as pd

from lib.analysis import dynamics
from lib.analysis.dynamics import GENERALIZED, PERFECT, ZERO
from lib.chapters.tables import table
from lib.circuits.measures import gather_measures, measures
from lib.figures import style
from lib.paper.experiments import EXPERIMENTS
from lib.runs.store import Store
from lib.spec import RunSpec

KINDS = {
    "mirrored_accuracy": ("mirror image trained on", style.GREY, ":"),
    "unmirrored_accuracy": ("the others", style.VAL, "--"),
}
"""Column of `lib.circuits.measures` -> what the pairs are, and the line of their accuracy."""


COLUMNS = ["d_model", "train_size", "seed", "epoch", "val_accuracy", *KINDS, "key"]
"""Of a table for download."""


def at_their_ends(specs: Iterable[RunSpec]) -> pd.DataFrame:
    """The kept measures of some runs, each at its end."""
    found = gather_measures(specs)
    return found[found["last"].astype(bool)]


def whole(ends: pd.DataFrame) -> pd.DataFrame:
    """Those of seeds with as many cells as any: others were looked into for how they end."""
    cells = ends.groupby("seed")["key"].transform("nunique")
    return ends[cells == cells.max()]


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


def half_way(runs: pd.DataFrame, ends: pd.DataFrame) -> pd.DataFrame:
    """The runs that know their training set and end half-way, with their measures where kept.

    Not those of another training of a run: near a boundary it may have ended elsewhere.
    """
    own = ends.loc[ends["shown"].astype(bool), ["key", *KINDS]]
    stuck = runs[dynamics.half_way(runs)].merge(own, on="key", how="left")
    return stuck.sort_values("unmirrored_accuracy")


def half_way_words(stuck: pd.DataFrame) -> str:
    """How many of them owe all they have to symmetry, and run by run."""
    if stuck.empty:
        return "No run of this figure knows its training set and ends half-way."
    seen = stuck.dropna(subset=[*KINDS])
    kind = (
        f"know their training set and end half-way (training {PERFECT:g} or above, validation "
        f"from {ZERO:g} to below {GENERALIZED:g}, by epoch {stuck['epoch'].max():,})"
    )
    if seen.empty:
        return f"{len(stuck)} runs of this figure {kind}; none of them was looked into."
    alone, means = (seen["unmirrored_accuracy"] < ZERO).sum(), seen[list(KINDS)].mean()
    part = f" (of {len(stuck)} such runs, {len(seen)} were looked into)" * (len(seen) < len(stuck))
    rows = [
        (f"{run.train_size:,}", run.d_model, run.seed, f"{run.val_accuracy:.2f}",
         f"{run.mirrored_accuracy:.2f}", f"{run.unmirrored_accuracy:.2f}")
        for run in seen.itertuples()
    ]  # fmt: skip
    header = ["D", "d_model", "seed", "validation", *(label for label, *_ in KINDS.values())]
    return (
        f"**{alone} of {len(seen)} runs that are half-way have symmetry, not the rule**: they get "
        f"less than {ZERO:g} right of the pairs whose mirror image was not trained on. All "
        f"{len(seen)} {kind}{part}; on average they get {means.iloc[0]:.2f} of the mirror images "
        f"right, and {means.iloc[1]:.2f} of the others.\n\n"
        f":::{{dropdown}} Run by run\n{table(header, rows, left=())}\n:::"
    )


def memorable(store: Store) -> str:
    """A line on the runs of figures 3 and 6 that end half-way, if most owe it to symmetry."""
    keys = {spec.key for name in ("figure3", "figure6") for spec in EXPERIMENTS[name]}
    runs, ends = store.runs(), measures(store)
    ends = ends[ends["last"].astype(bool)]
    ends = ends.assign(shown=ends["digest"].isin(runs["digest"]))
    seen = half_way(runs[runs["key"].isin(keys)], ends).dropna(subset=[*KINDS])
    alone = seen[seen["unmirrored_accuracy"] < ZERO]
    if 2 * len(alone) <= len(seen):
        return ""
    mirrored, others = alone[list(KINDS)].mean()
    return (
        f"**Half a rule is mostly symmetry.** Of {len(seen)} networks that know their sums and get "
        f"some of the others right, {len(alone)} have learned hardly more than that $a$ and $b$ "
        f"may be swapped: they get {mirrored:.0%} of the mirror images of their training sums "
        f"right, and {others:.0%} of all else."
    )
