"""A chapter's tables, left for the reader to download."""

import csv
import os
from importlib.resources import files
from pathlib import Path

import pandas as pd

from lib.engines.precision import precision_of
from lib.paper.recipe import BASE
from lib.spec import KNOBS


def export(frame: pd.DataFrame, name: str) -> Path:
    """Leave a table as CSV for the reader to download, as <name>.csv in the chapter's `data`.

    Where the book's build or `run` does not say which folder that is (`GROKKING_DATA`), it is
    `data` where the notebook runs: a trial in JupyterLab touches nothing of the book.
    """
    folder = Path(os.environ.get("GROKKING_DATA") or "data")
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{name}.csv"
    if len(frame):
        frame = frame.dropna(axis="columns", how="all")  # no column that says nothing
    frame.to_csv(path, index=False, float_format="%.6g")
    return path


def commands(runs: pd.DataFrame) -> dict[str, str]:
    """Key -> the command that trains the run again as it was trained, even where it is stored.

    None where it began from another's weights, or was trained by another project's program.

    Args:
        runs: as `lib.runs.store.Store.runs` gives them.
    """
    found = {}
    ours = runs["init_from"].isna() & (runs["engine"] != "jax")
    for row in runs[ours].to_dict("records"):
        words = [
            f"--{name.replace('_', '-')} {row[name]}"
            for name in KNOBS
            if name != "init_from" and not pd.isna(row[name]) and row[name] != getattr(BASE, name)
        ]
        if row["engine"] == "reference":
            words.append("--engine reference")
        elif row["device"] != "cpu":
            words.append("--engine stacked --device cuda")
        if (precision := precision_of(row["engine"])) != "float32":
            words.append(f"--precision {precision}")
        found[row["key"]] = " ".join(["python -m lib train", *words, "--force"])
    return found


OF_A_RUN = (
    *("task", "d_model", "train_size", "seed", "status", "epoch"),
    *("train_accuracy", "val_accuracy", "train_loss", "val_loss", "param_norm", "key"),
)
"""What a table of runs for download says of each."""


CAPACITY = {"estimate": "capacity_unordered", "low": "capacity_unordered_low",
            "high": "capacity_unordered_high"}  # fmt: skip
CRITICAL = {"estimate": "d_crit_ordered", "low": "d_crit_ordered_low",
            "high": "d_crit_ordered_high", "used": "fitted"}  # fmt: skip
"""Columns of `capacities` and of `critical_sizes` -> what they are called for download."""


with (files("lib.chapters") / "columns.csv").open(encoding="utf-8", newline="") as rows:
    MEANING = {row["column"]: (row["unit"], row["meaning"]) for row in csv.DictReader(rows)}
"""Column of a table for download -> its unit and its meaning.  `_low` and `_high` after a name are
the ends of its 95% interval."""
