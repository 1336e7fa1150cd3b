"""A chapter's tables, left for the reader to download."""

import os
from pathlib import Path

import pandas as pd


def export(frame: pd.DataFrame, name: str) -> Path:
    """Leave a table as CSV for the reader to download, as <name>.csv in the chapter's `data`.

    Where the book's build or `run` does not say which folder that is (`GROKKING_DATA`), it is
    `data` where the notebook runs: a trial in JupyterLab touches nothing of the book.
    """
    folder = Path(os.environ.get("GROKKING_DATA") or "data")
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{name}.csv"
    frame.to_csv(path, index=False, float_format="%.6g")
    return path


OF_A_RUN = (
    *("task", "d_model", "train_size", "seed", "status", "epoch"),
    *("train_accuracy", "val_accuracy", "train_loss", "val_loss", "param_norm", "key"),
)
"""What a table of runs for download says of each."""


def export_runs(runs: pd.DataFrame, name: str) -> Path:
    """Leave the final states of some runs (`Gathered.runs`) as <name>.csv, like `export`."""
    return export(runs[list(OF_A_RUN)], name)
