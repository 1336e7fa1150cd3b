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

BY_HEART = ("ungrokking", "semi-grokking", "grokking")
"""Zones of runs that are perfect in training before they generalize."""


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

    Columns: `FIELDS`, `batch`, `beside` (the other's weight decay), and `key` and `curve` of the
    one, `key_plain` and `curve_plain` of the other.
    """
    runs = with_curves(found.runs, found.curves)[[*FIELDS, "batch", "key", "curve"]]
    runs = runs.assign(beside=runs["weight_decay"].map(_beside))
    whole = runs[runs["batch"].isna()].drop(columns=["batch", "weight_decay"])
    fields = [name for name in whole.columns if name not in ("key", "curve")]
    return runs[runs["batch"].notna()].merge(whole, on=fields, suffixes=("", "_plain"))


def by_heart(both: pd.DataFrame) -> str:
    """Batches of each kind against one step an epoch: Markdown."""
    rows = []
    for (batch, decay), own in _kinds(both):
        rows.append((f"{batch:.0f}", f"{decay:g}", *_row(own["curve"])))
        rows.append(("all", f"{own['beside'].iloc[0]:g}", *_row(own["curve_plain"])))
    shown = [name for name in ZONES if any(row[-1][name] for row in rows)]
    rows = [(*row[:-1], *(row[-1][name] or "–" for name in shown)) for row in rows]
    return table(["points a step", "weight decay", "by heart from epoch", *shown], rows)


def _kinds(both: pd.DataFrame) -> list[tuple[tuple[float, float], pd.DataFrame]]:
    """((batch, weight decay), its pairs), those with as much decay a step first."""
    same = {name: own for name, own in both.groupby(["batch", "weight_decay"])}
    return sorted(same.items(), key=lambda kind: (kind[0][1] == A_SIXTH, -kind[0][0], kind[0][1]))


def _row(curves: pd.Series) -> tuple:
    """From when training is perfect by heart, and how many runs show which zone."""
    kinds = [zone(c) for c in curves]
    known = [
        c["epoch"][c["train_accuracy"] >= PERFECT].min()
        for c, kind in zip(curves, kinds)
        if kind in BY_HEART
    ]
    return span(known, "{:,.0f}"), Counter(kinds)


def in_words(both: pd.DataFrame) -> str:
    """What the pairs show, a sentence for each kind of batches."""
    told = []
    for (batch, decay), own in _kinds(both):
        steps = np.ceil(own["train_size"] / batch)
        heart, rising = (
            [sum(zone(c) in zones for c in own[form]) for form in ("curve", "curve_plain")]
            for zones in (BY_HEART, ("progression",))
        )
        pull = span(steps * decay / own["beside"], "{:.1f}")
        told.append(
            f"Batches of {batch:.0f}, weight decay {decay:g}, {pull} times as much of it an epoch "
            f"as in the same runs with one step: **{heart[0]} of {len(own)} know their training "
            f"set by heart before they have the rule** (with one step {heart[1]}); progression is "
            f"shown by {rising[0]} (with one step {rising[1]})."
        )
    return "\n\n".join(told) or "*No run with batches is stored beside one with one step an epoch.*"
