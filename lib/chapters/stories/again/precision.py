"""What the precision of products does to real runs: the same specs trained in two."""

import numpy as np
import pandas as pd

from lib.analysis.dynamics import GENERALIZED
from lib.analysis.gather import Gathered
from lib.analysis.statistics import student
from lib.analysis.words import bracket, number
from lib.chapters.tables import table
from lib.engines.precision import precision_of
from lib.runs.store import Store

COLUMNS = ["precision", "d_model", "train_size", "seed", "val_float32", "val", "epoch_float32",
           "epoch", "key"]  # fmt: skip


def two_precisions(store: Store) -> pd.DataFrame:
    """One row for each run that is stored in float32 and again in another precision.

    Where two engines have it in float32, the one that figures show (`lib.runs.store.PREFERRED`).
    Columns: precision (the other), d_model, train_size, seed, key; val and val_float32, final
    validation accuracy; epoch and epoch_float32, the last (runs that generalize stop early).
    """
    runs = store.runs(every=True)  # of one key, those that are read first come first
    runs = runs.assign(precision=runs["engine"].map(precision_of), val=runs["val_accuracy"])
    runs = runs.drop_duplicates(["key", "precision"])
    plain = runs[runs["precision"] == "float32"][["key", "val", "epoch"]]
    others = runs[runs["precision"] != "float32"]
    both = others.merge(plain, on="key", suffixes=("", "_float32"))
    return both.sort_values(COLUMNS[:4], ignore_index=True)[COLUMNS]


def alike(both: pd.DataFrame) -> int:
    """How many runs of `two_precisions` generalize in both or in neither."""
    return int(((both["val"] >= GENERALIZED) == (both["val_float32"] >= GENERALIZED)).sum())


def lateness(both: pd.DataFrame) -> tuple[float, float, float]:
    """By which factor runs of `two_precisions` end later than in float32: mean, 95% interval.

    Geometric, over the runs that generalize in both; the interval is Student's over seeds of
    their mean logs, as runs of one seed share their data.  NaN where there is nothing to take
    it of.
    """
    ends = both[(both["val"] >= GENERALIZED) & (both["val_float32"] >= GENERALIZED)]
    logs = np.log(ends["epoch"] / ends["epoch_float32"]).groupby(ends["seed"]).mean()
    return tuple(float(np.exp(log)) for log in student(logs))


HEADER = ["precision", "d_model", "D", "seed", "validation, float32", "validation",
          "last epoch, float32", "last epoch"]  # fmt: skip


def told(store: Store, both: pd.DataFrame) -> str:
    """What the pairs of `two_precisions` come to, in Markdown: their runs, words, a table."""
    if both.empty:
        return "*No run is stored in two precisions.*"
    runs = store.runs()
    runs = runs[runs["key"].isin(both["key"])]
    where = Gathered(runs, runs.iloc[:0], len(runs)).provenance()
    cells = [
        (r.precision, r.d_model, f"{r.train_size:,}", r.seed, f"{r.val_float32:.3f}",
         f"{r.val:.3f}", f"{r.epoch_float32:,}", f"{r.epoch:,}")
        for r in both.itertuples()
    ]  # fmt: skip
    words = [in_words(own) for _, own in both.groupby("precision")]
    return "\n\n".join([f"In float32: {where}", *words, table(HEADER, cells)])


def in_words(both: pd.DataFrame) -> str:
    """The pairs of one precision against float32."""
    moved = both[both["epoch"] != both["epoch_float32"]]
    later = (moved["epoch"] > moved["epoch_float32"]).sum()
    factor, low, high = lateness(both)
    return (
        f"{both['precision'].iloc[0]}: {alike(both)} of {len(both)} runs generalize in both or in "
        f"neither; of {len(moved)} that end at different epochs, {later} end later than in "
        f"float32. Where both generalize, the last epoch is {number(factor)}{bracket(low, high)} "
        "times float32's (geometric mean; 95% over seeds)."
    )
