"""Held-out pairs whose mirror image was trained on, and the others, told (ours; §4).

Addition commutes.  A network that has only learned to treat a and b alike answers the first kind
without a rule, so accuracy on the second says more.  What it says of those need not be right to
depend on a + b: that is asked of its logits.
"""

from collections.abc import Iterable

import numpy as np
import pandas as pd

from lib.analysis import dynamics
from lib.analysis.dynamics import GENERALIZED, PERFECT, ZERO
from lib.chapters.tables import table
from lib.circuits.measures import gather_measures, measures
from lib.figures import style
from lib.paper.criteria.rules import HALF
from lib.paper.experiments import EXPERIMENTS
from lib.runs.store import Store
from lib.spec import RunSpec

KINDS = {
    "mirrored_accuracy": ("mirror image trained on", style.GREY, ":"),
    "unmirrored_accuracy": ("the others", style.VAL, "--"),
}
"""Column of `lib.circuits.measures` -> what the pairs are, and the line of their accuracy."""


INSIDE = ("held_out_share", "restricted_loss")
"""Columns of `lib.circuits.measures` that say what is in a network: how much of the logits of the
second kind a + b explains, and the loss of its waves alone."""

COLUMNS = ["d_model", "train_size", "seed", "epoch", "val_accuracy", *KINDS, *INSIDE, "key"]
"""Of a table for download."""


def at_their_ends(specs: Iterable[RunSpec]) -> pd.DataFrame:
    """The kept measures of some runs, each at its end."""
    found = gather_measures(specs)
    return found[found["last"].astype(bool)]


def whole(ends: pd.DataFrame) -> pd.DataFrame:
    """Those of seeds with as many cells as any: others were looked into for how they end."""
    cells = ends.groupby("seed")["key"].transform("nunique")
    return ends[cells == cells.max()]


def words(ends: pd.DataFrame) -> str:
    """Where the two kinds lie furthest apart, and how many runs owe all they have to symmetry."""
    if ends.empty:
        return "*None of the runs chosen here has been looked into.*"
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
        f"end at {ZERO:g} or above, {alone} {owe} it to mirror images "
        f"alone: on the others they stay below {ZERO:g}."
    )


def half_way(runs: pd.DataFrame, ends: pd.DataFrame) -> pd.DataFrame:
    """The runs that know their training set and end half-way, with their measures where kept.

    Not those of another training of a run: near a boundary it may have ended elsewhere.
    """
    own = ends.loc[ends["shown"].astype(bool), ["key", *KINDS, *INSIDE]]
    stuck = runs[dynamics.half_way(runs)].merge(own, on="key", how="left")
    return stuck.sort_values("unmirrored_accuracy")


def near_zero(runs: pd.DataFrame, ends: pd.DataFrame) -> pd.DataFrame:
    """The measures of those that know their training set and end near zero."""
    near = (runs["train_accuracy"] >= PERFECT) & (runs["val_accuracy"] < ZERO)
    return ends[ends["shown"].astype(bool) & ends["key"].isin(runs[near]["key"])]


def half_way_words(stuck: pd.DataFrame, near: pd.DataFrame) -> str:
    """How many of them get little more than mirror images right, what is in them, run by run.

    Args:
        stuck, near: `half_way`, and `near_zero` of the same runs, to hold them against.
    """
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
    part = f" {len(seen)} of {len(stuck)} such runs were looked into." * (len(seen) < len(stuck))
    rows = [
        (f"{run.train_size:,}", run.d_model, run.seed, f"{run.val_accuracy:.3f}",
         f"{run.mirrored_accuracy:.3f}", f"{run.unmirrored_accuracy:.3f}",
         f"{run.held_out_share:.2f}", f"{run.restricted_loss:.2f}")
        for run in seen.itertuples()
    ]  # fmt: skip
    header = ["D", "d_model", "seed", "validation", "mirrored", "others", "a + b's share",
              "waves' loss"]  # fmt: skip
    share, guessing = seen["held_out_share"], np.log(seen["modulus"].iloc[0])
    beat, beside = (seen["restricted_loss"] < guessing).sum(), ("", "")
    if len(near):
        beside = (
            f"; in the {len(near)} runs looked into that know their training set and end below "
            f"{ZERO:g}: {near['held_out_share'].mean():.2f}",
            f"; so would {(near['restricted_loss'] < guessing).sum()} of those {len(near)}",
        )
    inside = (
        f"**On those others the sum a + b still explains {share.mean():.2f} of the variance of "
        "the logits, the scores that a network gives the possible answers** (mean over runs; "
        f"{share.min():.2f} to {share.max():.2f}{beside[0]}). If of the logits only the waves of "
        f"a + b that stand out were kept, {beat} of the {len(seen)} runs would do better than "
        f"guessing on the whole task (a loss below {guessing:.2f}){beside[1]}."
    )
    return (
        f"**{alone} of {len(seen)} runs that are half-way answer hardly more than mirror images**: "
        f"they get less than {ZERO:g} right of the pairs whose mirror image was not trained on. "
        f"All {len(seen)} {kind}.{part} On average they get {means.iloc[0]:.2f} of the mirror "
        f"images right, and {means.iloc[1]:.2f} of the others. {inside}\n\n"
        f":::{{dropdown}} Run by run\n{table(header, rows, left=())}\n:::"
    )


def memorable(store: Store) -> str:
    """A line on the runs of figures 3 and 6 that end half-way, if most answer little more than
    mirror images: how much of their answers a + b explains, beside those that end near zero."""
    keys = {spec.key for name in ("figure3", "figure6") for spec in EXPERIMENTS[name]}
    runs, ends = store.runs(), measures(store)
    ends = ends[ends["last"].astype(bool)]
    ends = ends.assign(shown=ends["digest"].isin(runs["digest"]))
    runs = runs[runs["key"].isin(keys)]
    seen = half_way(runs, ends).dropna(subset=[*KINDS])
    alone = seen[seen["unmirrored_accuracy"] < ZERO]
    if 2 * len(alone) <= len(seen):
        return ""
    (mirrored, others), share = alone[list(KINDS)].mean(), alone["held_out_share"].mean()
    head = "Half-way, $a + b$ is in the logits and hardly in the answers"
    if share < HALF:
        head = "Half a rule is mostly symmetry"
    line = (
        f"**{head}.** Of {len(seen)} networks that know their sums and get some of the others "
        f"right, {len(alone)} answer hardly more than mirror images, (b, a) for a trained (a, b): "
        f"{mirrored:.0%} of these, and {others:.0%} of the remaining sums. On the remaining sums "
        f"$a + b$ explains {share:.0%} of the variance of their logits, the scores of the possible "
        "answers"
    )
    near = near_zero(runs, ends)["held_out_share"]
    beside = f"; in networks that end below {ZERO:g}, {near.mean():.0%}" * bool(len(near))
    return f"{line}{beside}."
