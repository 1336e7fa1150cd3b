"""A step on everything, or one on each batch: who knows the training set by heart then."""

from collections import Counter

import numpy as np
import pandas as pd

from lib.analysis.dynamics import PERFECT, ZONES, with_curves, zone
from lib.analysis.gather import Gathered
from lib.analysis.words import span
from lib.chapters.tables import table
from lib.paper.experiments import EXPERIMENTS
from lib.spec import RunSpec

FIELDS = ["task", "d_model", "train_size", "lr", "weight_decay", "seed"]


def compared() -> list[RunSpec]:
    """The search's runs with batches, and the same with one step an epoch."""
    parts = list(EXPERIMENTS["search_batches"])
    whole = dict.fromkeys(spec.replace(batch=None) for spec in parts)
    return [*whole, *parts]


def pairs(found: Gathered) -> pd.DataFrame:
    """The runs that have both forms: a row for each with batches, both their curves.

    Columns: `FIELDS`, `batch`, `curve` and `curve_whole`.
    """
    runs = with_curves(found.runs, found.curves)[[*FIELDS, "batch", "curve"]]
    whole = runs[runs["batch"].isna()].drop(columns="batch")
    return runs[runs["batch"].notna()].merge(whole, on=FIELDS, suffixes=("", "_whole"))


def by_heart(found: Gathered) -> str:
    """Of each batch size against one step an epoch: Markdown."""
    rows = []
    for batch, own in pairs(found).groupby("batch"):
        rows += [_row(f"{batch:.0f}", own["curve"]), _row("all", own["curve_whole"])]
    known = f"training reaches {PERFECT:g}"
    shown = [name for name in ZONES if any(row[-1][name] for row in rows)]
    rows = [(*row[:-1], *(row[-1][name] or "–" for name in shown)) for row in rows]
    return table(["points a step", known, "first at epoch", "training ends at", *shown], rows)


def _row(points: str, curves: pd.Series) -> tuple:
    """Who knows the training set at some time, from when; ends; how many runs in each zone."""
    known = [c["epoch"][c["train_accuracy"] >= PERFECT].min() for c in curves]
    ends = [c["train_accuracy"].iloc[-1] for c in curves]
    count = f"{np.isfinite(known).sum()} of {len(curves)}"
    return points, count, span(known, "{:,.0f}"), span(ends), Counter(map(zone, curves))


def in_words(found: Gathered) -> str:
    """What the pairs show."""
    both = pairs(found)
    if both.empty:
        return "*No run with batches is stored beside the same with one step an epoch.*"
    names = "curve_whole", "curve"
    known = [sum((c["train_accuracy"] >= PERFECT).any() for c in both[name]) for name in names]
    rising = [sum(zone(c) == "progression" for c in both[name]) for name in names]
    return (
        f"**With one step an epoch {known[0]} of {len(both)} networks come to know their training "
        f"set by heart, with batches {known[1]} of the same; {rising[0]} show progression, and "
        f"with batches {rising[1]}.**"
    )
