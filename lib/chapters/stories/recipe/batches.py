"""A step on everything, or one on each batch: who knows the training set by heart then."""

from collections import Counter

import numpy as np
import pandas as pd

from lib.analysis.dynamics import PERFECT, ZONES, with_curves, zone
from lib.analysis.gather import Gathered
from lib.analysis.words import span
from lib.chapters.tables import table
from lib.paper.experiments import EXPERIMENTS
from lib.paper.search import A_SIXTH
from lib.spec import RunSpec

FIELDS = ["task", "d_model", "train_size", "lr", "weight_decay", "seed"]


def compared() -> list[RunSpec]:
    """The search's runs with batches, and the same with one step an epoch."""
    parts = list(EXPERIMENTS["search_batches"])
    decay = [_beside(spec.weight_decay) for spec in parts]
    whole = (spec.replace(batch=None, weight_decay=w) for spec, w in zip(parts, decay))
    return [*dict.fromkeys(whole), *parts]


def _beside(weight_decay: float) -> float:
    """The weight decay of the run beside: the same a step, or of `A_SIXTH` as much an epoch."""
    return 1.0 if weight_decay == A_SIXTH else weight_decay


def pairs(found: Gathered) -> pd.DataFrame:
    """The runs that have both forms: a row for each with batches, both their curves.

    Columns: `FIELDS`, `batch`, `beside` (the other's weight decay), `curve`, `curve_whole`.
    """
    runs = with_curves(found.runs, found.curves)[[*FIELDS, "batch", "curve"]]
    runs = runs.assign(beside=runs["weight_decay"].map(_beside))
    whole = runs[runs["batch"].isna()].drop(columns=["batch", "weight_decay"])
    fields = [name for name in whole.columns if name != "curve"]
    return runs[runs["batch"].notna()].merge(whole, on=fields, suffixes=("", "_whole"))


def by_heart(found: Gathered) -> str:
    """Batches of each kind against one step an epoch: Markdown."""
    rows = []
    for (batch, decay, beside), own in pairs(found).groupby(["batch", "weight_decay", "beside"]):
        rows.append(_row(f"{batch:.0f}", decay, own["curve"]))
        rows.append(_row("all", beside, own["curve_whole"]))
    shown = [name for name in ZONES if any(row[-1][name] for row in rows)]
    rows = [(*row[:-1], *(row[-1][name] or "–" for name in shown)) for row in rows]
    known = f"training reaches {PERFECT:g}"
    head = ["points a step", "weight decay", known, "first at epoch", "training ends at", *shown]
    return table(head, rows)


def _row(points: str, decay: float, curves: pd.Series) -> tuple:
    """Who knows the training set at some time, from when; ends; how many runs in each zone."""
    known = [c["epoch"][c["train_accuracy"] >= PERFECT].min() for c in curves]
    ends = [c["train_accuracy"].iloc[-1] for c in curves]
    count = f"{np.isfinite(known).sum()} of {len(curves)}"
    kinds = Counter(map(zone, curves))
    return points, f"{decay:g}", count, span(known, "{:,.0f}"), span(ends), kinds


def in_words(found: Gathered) -> str:
    """What the pairs show."""
    both = pairs(found)
    less = both["weight_decay"] != both["beside"]
    if both[~less].empty:
        return "*No run with batches is stored beside the same with one step an epoch.*"
    known, rising, n = _counts(both[~less])
    text = (
        f"**With one step an epoch {known[0]} of {n} networks come to know their training set by "
        f"heart, with batches {known[1]} of the same; {rising[0]} show progression, and with "
        f"batches {rising[1]}.**"
    )
    if less.any():
        known, rising, n = _counts(both[less])
        text += (
            f" With so much less weight decay a step that it is as much an epoch, {known[1]} of "
            f"{n} know theirs (with one step {known[0]}), and {rising[1]} show progression "
            f"(with one step {rising[0]})."
        )
    return text


def _counts(both: pd.DataFrame) -> tuple[list[int], list[int], int]:
    """How many know their training set and how many progress, without and with batches."""
    forms = both["curve_whole"], both["curve"]
    known = [sum((c["train_accuracy"] >= PERFECT).any() for c in form) for form in forms]
    return known, [sum(zone(c) == "progression" for c in form) for form in forms], len(both)
