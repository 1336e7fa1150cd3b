"""Runs that a GPU trained in stacks, beside the same runs by the book's own trainer."""

import numpy as np
import pandas as pd

from lib.analysis.dynamics import GENERALIZED
from lib.analysis.gather import Gathered
from lib.analysis.statistics import student
from lib.analysis.words import bracket, number
from lib.chapters.stories.again.trainers import OWN, parting, until_words
from lib.chapters.tables import table
from lib.runs.store import Store

CELL = ["task", "d_model", "train_size", "memorize_size", "split_mlp"]
ENDS = {"train_accuracy": "training", "val_accuracy": "validation", "log_norm": "log norm"}
"""Last values that are compared, and their names."""


def twins(store: Store) -> pd.DataFrame:
    """One row for each run that a GPU and the native trainer both trained in float32.

    Columns: key, seed, `CELL`; of each of `ENDS` the processor's value and, with the suffix _gpu,
    the GPU's; device; parted, the first epoch at which their training losses differ by `PARTED`
    (infinite if none is).
    """
    runs = store.runs(every=True)
    runs = runs.assign(log_norm=np.log(runs["param_norm"])).drop_duplicates(["key", "engine"])
    ours, theirs = runs[runs["engine"] == OWN], on_gpus(runs)
    columns = ["key", "device", *ENDS]
    both = ours[["key", "seed", *CELL, *ENDS]].merge(
        theirs[columns], on="key", suffixes=("", "_gpu")
    )
    losses = [
        store.curves(both["key"], engine).set_index(["key", "epoch"])["train_loss"]
        for engine in (OWN, "stacked")
    ]
    both["parted"] = [parting(*(own[key] for own in losses)) for key in both["key"]]
    return both.sort_values([*CELL, "seed"], ignore_index=True)


def on_gpus(runs: pd.DataFrame) -> pd.DataFrame:
    """Those of some runs that a GPU trained in float32."""
    return runs[(runs["engine"] == "stacked") & (runs["device"] != "cpu")]


def differences(both: pd.DataFrame) -> dict[str, tuple[float, float, float]]:
    """GPU less processor: mean over seeds of each seed's mean, with Student's 95% interval.

    Runs of one seed share their data, so a seed counts once.
    """
    less = {name: both[f"{name}_gpu"] - both[name] for name in ENDS}
    return {name: student(own.groupby(both["seed"]).mean()) for name, own in less.items()}


def told(store: Store, both: pd.DataFrame) -> str:
    """What a GPU trained, and how its runs compare with their twins, in Markdown."""
    runs = on_gpus(store.runs(every=True))
    if runs.empty:
        return "*No run of a GPU is stored.*"
    devices = ", ".join(sorted(runs["device"].unique()))
    text = f"{len(runs):,} stored runs were trained on a GPU ({devices})."
    if both.empty:
        return f"{text} None of them has been trained again by the book's own trainer."
    less = ", ".join(
        f"{ENDS[name]} {number(value, '{:+.3f}')}{bracket(low, high, '{:+.3f}')}"
        for name, (value, low, high) in differences(both).items()
    )
    came, came_gpu = ((both[c] >= GENERALIZED) for c in ("val_accuracy", "val_accuracy_gpu"))
    text += (
        f" {len(both)} of them, {len(both.groupby(CELL, dropna=False))} cells with "
        f"{both['seed'].nunique()} seeds in all, have a twin by the native trainer on a processor: "
        f"{came_gpu.sum()} end with the rule on the GPU and {came.sum()} on the processor; in "
        f"{(came == came_gpu).sum()} pairs both do, or neither. GPU less processor, over seeds: "
        f"{less}. "
        + until_words(both["parted"], "from there on they are two runs")
    )
    ours = store.runs()
    where = Gathered(ours[ours["key"].isin(both["key"])], ours.iloc[:0], len(both)).provenance()
    return "\n\n".join([text, where, _rows(both)])


def _rows(both: pd.DataFrame) -> str:
    cells = []
    for (task, d, size, amount, split), own in both.groupby(CELL, dropna=False):
        name = f"{task} ({d}, {size:,}{f' + {amount:,}' if amount else ''})"
        columns = own["val_accuracy_gpu"], own["val_accuracy"]
        counts, means = zip(*(((c >= GENERALIZED).sum(), f"{c.mean():.2f}") for c in columns))
        cells.append((name + " split" * (split is True), len(own), *counts, *means))
    header = ["cell", "runs", "with the rule: GPU", "processor", "validation: GPU", "processor"]
    return table(header, cells, left=(0,))
