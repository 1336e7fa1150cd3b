"""A step on everything, or one on each batch: how soon the training set is known by heart."""

import numpy as np
import pandas as pd

from lib.analysis.dynamics import PERFECT, first_epoch, with_curves
from lib.analysis.gather import Gathered
from lib.analysis.words import span
from lib.chapters.tables import table
from lib.paper.experiments import EXPERIMENTS
from lib.paper.recipe import DYNAMICS
from lib.spec import RunSpec

BY_HEART = [cell for name, cell in DYNAMICS.items() if name != "progression"]
"""Figure 2's cells whose training set the paper's networks know by heart."""


def compared() -> list[RunSpec]:
    """The runs with batches in these cells, and the same with one step an epoch."""
    parts = [
        spec for spec in EXPERIMENTS["search_batches"]
        if spec.task == "add" and (spec.d_model, spec.train_size) in BY_HEART
    ]  # fmt: skip
    whole = {spec.replace(batch=None) for spec in parts}
    return [*sorted(whole, key=lambda spec: spec.key), *parts]


def by_heart(found: Gathered) -> str:
    """When training is perfect, in epochs and in steps, by the points of a step: Markdown."""
    rows = []
    for batch, own in found.runs.groupby("batch", dropna=False):
        curves = with_curves(own, found.curves)["curve"]
        known = [first_epoch(c["epoch"], c["train_accuracy"], PERFECT) for c in curves]
        steps = 1 if pd.isna(batch) else np.ceil(own["train_size"].to_numpy() / batch)
        points = "all" if pd.isna(batch) else f"{batch:.0f}"
        at = [span(values, "{:,.0f}") for values in (known, known * steps)]
        rows.append((points, f"{np.isfinite(known).sum()} of {len(own)}", *at))
    return table(["points a step", "runs", "training perfect at epoch", "at step"], rows)
