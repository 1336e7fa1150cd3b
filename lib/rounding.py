"""What the precision of products does to real runs: the same specs trained in both."""

import pandas as pd

from lib.analysis import GENERALIZED
from lib.store import Store

NAMES = {"numba": "float32", "numba-bf16x3": "bf16x3"}
"""Engine -> precision."""

_SHOWN = dict(val_accuracy="val", epoch="epoch")


def both_precisions(store: Store) -> pd.DataFrame:
    """One row for each run that is stored in both precisions.

    Columns: key, d_model, train_size, seed; val_float32, val_bf16x3 (final validation
    accuracy); epoch_float32, epoch_bf16x3 (the last one: runs that generalize stop early).
    """
    runs = store.runs(every=True)
    runs = runs.assign(precision=runs["engine"].map(NAMES)).dropna(subset="precision")
    runs = runs.drop_duplicates(["key", "precision"])
    index = ["key", "d_model", "train_size", "seed"]
    wide = runs.pivot(index=index, columns="precision", values=list(_SHOWN))
    wide = wide.reindex(columns=pd.MultiIndex.from_product([_SHOWN, NAMES.values()]))
    wide.columns = [f"{_SHOWN[value]}_{precision}" for value, precision in wide.columns]
    return wide.dropna().reset_index()


def agreement(both: pd.DataFrame) -> tuple[int, int]:
    """Runs of `both_precisions` that generalize in both or in neither, of how many."""
    ends = [both[f"val_{name}"] >= GENERALIZED for name in NAMES.values()]
    return int((ends[0] == ends[1]).sum()), len(both)
