"""A chapter's tables, left for the reader to download."""

import os
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
        elif (precision := precision_of(row["engine"])) != "float32":
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


MEANING = {
    # which run
    "key": ("", "the run's name: a hash of its spec"),
    "command": ("", "what trains the run again, on an equal machine to the same bits"),
    "task": ("", "add: a + b; square: (a + b)²; random: random labels; multitask: a mixture"),
    "modulus": ("", "of the task"),
    "d_model": ("", "width of the network"),
    "n_layers": ("", "depth of the network"),
    "train_size": ("ordered pairs", "training points D"),
    "memorize_size": ("ordered pairs", "training points with random labels, in a mixture"),
    "split_mlp": ("", "whether each task of a mixture has half of the MLP"),
    "seed": ("", "of data, labels and first weights"),
    "lr": ("", "learning rate"),
    "weight_decay": ("", "weight decay of AdamW"),
    "beta2": ("", "second beta of AdamW"),
    "loss": ("", "float32: its gradient rounds as in plain float32; else exact"),
    "init_scale": ("", "factor of all first weights; none is 1"),
    "batch": ("", "training points a step looks at; none: all"),
    "norm": ("", "where LayerNorm stands"),
    "d_head": ("", "width of a head; none: d_model over the heads"),
    "d_mlp": ("", "hidden units of the MLP; none: 4 d_model"),
    "tied": ("", "whether the numbers' embeddings unembed, too"),
    "decay": ("", "matrices: no weight decay of biases"),
    "residual": ("", "what the residual branches are scaled by at the start"),
    "warmup": ("epochs", "of the learning rate"),
    "recipe": ("", "the recipe's name"),
    "precision": ("", "of the products"),
    "trainer": ("", "the program that trained it"),
    "measure": ("", "what two trainers are compared by; epochs and norms as logarithms"),
    "p": ("0 to 1", "probability of a mean so far from 0 by chance"),
    "epochs": ("epochs", "how long the run was meant to train"),
    # when, and what was seen then
    "epoch": ("epochs", "of this evaluation; in a table of runs the last one"),
    "T": ("epochs", "training length at which a recipe is read"),
    "time": ("", "of a simulated race, in steps; of a commit, in UTC"),
    "last": ("", "whether this is the run's end"),
    "status": ("", "finished, stopped (it had generalized) or diverged"),
    "train_accuracy": ("0 to 1", "share of the training points answered correctly"),
    "val_accuracy": ("0 to 1", "share of the addition pairs that were not trained on"),
    "memorize_accuracy": ("0 to 1", "share of the random labels of a mixture"),
    "train_loss": ("nats", "cross-entropy on the training points"),
    "val_loss": ("nats", "cross-entropy on the pairs that were not trained on"),
    "val_probability": ("0 to 1", "of the right answer in a simulated race"),
    "param_norm": ("", "Euclidean norm of all parameters"),
    "waited": ("decay times", "until validation accuracy reached 0.95, or training ended"),
    "came": ("", "whether it reached it"),
    "zone": ("", "what the run's own curve shows"),
    "region": ("", "the zone that the two curves give its cell"),
    # what was measured of weights
    "trig_share": ("0 to 1", "waves' share of the logits"),
    "held_out_share": ("0 to 1", "the same on held-out pairs whose mirror was not trained on"),
    "restricted_loss": ("nats", "with nothing but the waves"),
    "excluded_loss": ("nats", "without the waves, on the training points"),
    "margin": ("logits", "right answer less the mean of all answers, training points"),
    "val_margin": ("logits", "the same on validation pairs"),
    "mirrored_accuracy": ("0 to 1", "on validation pairs whose mirror image was trained on"),
    "unmirrored_accuracy": ("0 to 1", "on those whose mirror image was not"),
    "unseen_accuracy": ("0 to 1", "on pairs of which neither order was trained on"),
    "digest": ("", "hash of the training that was measured"),
    "shown": ("", "whether that training is the one that the other figures show"),
    "units_off": ("0 to 1", "share of the hidden units that are switched off"),
    "first_off": ("", "which go first: those that memorize most, or least"),
    "start": ("", "from scratch, or continued from a network that had generalized"),
    "norm_needed": ("", "norm of all parameters at which a run settles"),
    "drift": ("", "relative change of the norm over the last fifth"),
    "restless": ("0 to 1", "share of the last fifth with a loss above the level"),
    "kind": ("", "memorizing or generalizing, and which of the trainings"),
    "generalizing": ("logits", "of the generalizing circuit"),
    "memorizing": ("logits", "of the memorizing circuit"),
    "cost": ("", "norm cost of memorizing, over that of generalizing"),
    "grokked": ("", "whether the race starts from a network that has generalized"),
    # what was worked out
    "seeds": ("runs", "behind a row"),
    "accuracy": ("0 to 1", "mean accuracy on random labels"),
    "capacity_unordered": ("unordered pairs", "memorization capacity D_mem, and its 95% ends"),
    "capacity_ordered": ("ordered pairs", "the same, mirrored pairs counted twice"),
    "d_crit_ordered": ("ordered pairs", "critical size D_crit, and its 95% ends"),
    "facts_unordered": ("unordered pairs", "all that is to be learned, random pairs included"),
    "width_above": ("d_model", "the widest width that is too narrow for the seed; 0: none is"),
    "width_up_to": ("d_model", "from which on it generalizes; inf: none that was tried"),
    "bound": ("", "≤ or ≥ where D_crit is only a bound"),
    "fitted": ("", "whether the curve is fitted to it"),
    "sentence": ("", "number of the paper's sentence"),
    "k": ("runs", "that show what the sentence asks"),
    "n": ("runs", "that answer the sentence"),
    "stored": ("runs", "of the sentence's cell; one that never rises has no norm then"),
    "probability": ("0 to 1", "that eleven new seeds would meet the sentence"),
    "val": ("0 to 1", "final validation accuracy in the other precision"),
    "val_float32": ("0 to 1", "the same in float32"),
    "train_accuracy_gpu": ("0 to 1", "train_accuracy of the GPU's run"),
    "val_accuracy_gpu": ("0 to 1", "val_accuracy of the GPU's run"),
    "log_norm": ("", "natural logarithm of param_norm"),
    "log_norm_gpu": ("", "log_norm of the GPU's run"),
    "parted": ("epochs", "first at which the training losses differ by 1%; infinite: none is"),
    "epoch_float32": ("epochs", "at which validation accuracy was 0.95 in float32"),
    # verdicts
    "claim": ("", "its name"),
    "says": ("", "what is claimed; in a table of conditions what is measured"),
    "criterion": ("", "when it counts as reproduced"),
    "verdict": ("", "reproduced, not reproduced, undecided or not enough runs"),
    "finding": ("", "the numbers, in words"),
    "runs": ("runs", "behind it"),
    "missing": ("runs", "that it lacks"),
    "commit": ("", "that changed a test"),
    "what": ("", "what was changed in a test"),
    "before": ("", "the verdict by the test as it was"),
    "after": ("", "the verdict by the changed test"),
    "found_before": ("", "the numbers behind the first"),
    "found_after": ("", "the numbers behind the second"),
    "value": ("of the number", "our estimate"),
    "low": ("of the number", "lower end of its interval"),
    "high": ("of the number", "upper end of its interval"),
    "least": ("of the number", "lower end of the range of the claim"),
    "most": ("of the number", "upper end of the range of the claim"),
    "holds": ("", "whether the interval lies in the range; empty where it reaches across an end"),
}
"""Column of a table for download -> its unit and its meaning.  `_low` and `_high` after a name are
the ends of its 95% interval."""
