"""What was measured inside networks: whether waves or accuracy come first, and how they go."""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from lib.analysis import efficiency
from lib.analysis.dynamics import zone
from lib.analysis.gather import Gathered
from lib.analysis.words import number, span
from lib.circuits.fourier import Measures, logit_spectrum, measure
from lib.circuits.handbuilt import fourier_network
from lib.circuits.measures import gather_measures
from lib.data import build
from lib.spec import RunSpec

KEYS = [5, 17, 40]
"""Frequencies of the network that is built by hand."""


def built_by_hand() -> Measures:
    """A network whose answer is known, measured."""
    return measure(fourier_network(113, KEYS), build(RunSpec()))


def check_words(check: Measures) -> str:
    """What the measure sees in the network built by hand."""
    return (
        f"The hand-built network: share {check.trig_share:.4f}, key frequencies "
        f"{', '.join(map(str, sorted(check.frequencies)))}; loss with these waves alone "
        f"{check.restricted_loss:.2f}, without them {check.excluded_loss:.2f} "
        f"(chance: {np.log(113):.2f})."
    )


def listed_words(sizes: Sequence[int]) -> str:
    """The share of networks that would know a list of their sums and nothing else, in words."""
    shares = []
    for size in sizes:
        train = build(RunSpec(train_size=size)).train
        logits = np.zeros((113, 113, 113))
        logits[train.tokens[:, 0], train.tokens[:, 1], train.labels] = 1
        logits -= logits.mean(axis=-1, keepdims=True)
        shares.append(f"{logit_spectrum(logits).sum():.2f} for {size:,}")
    return f"A bare list of training sums, no rule: share {', '.join(shares)} of them."


def columns(measured: pd.DataFrame) -> list[str]:
    """What the table for download has: numbers, and whose they are."""
    hidden = {"logit_spectrum", "embedding_spectrum", "frequencies"}
    hidden |= {"ablated_val", "ablated_memorize", "spared_val", "spared_memorize"}
    hidden |= {"memorize_accuracy", "split_mlp"}
    hidden |= {"cpu", "git_commit", "timestamp", "numerics_version"}
    return [name for name in measured if name not in hidden]


def by_name(measured: pd.DataFrame, cells: Mapping[str, tuple[int, int]]) -> dict:
    """Name -> measures of its cell (d_model, train_size); an empty frame where there are none."""
    known = dict(list(measured.groupby(["d_model", "train_size"])))
    return {name: known.get(cell, measured.iloc[:0]) for name, cell in cells.items()}


def measured_words(measured: pd.DataFrame, asked: int) -> str:
    """How many runs were looked into, and how often."""
    times = measured.groupby("key").size()
    often = f", each at {span(times, '{:.0f}')} of its epochs" if len(times) else ""
    return f"Measured runs: {len(times)} of {asked}{often}."


def looks(check: Measures, inside: Mapping[str, pd.DataFrame]) -> dict:
    """What `lib.figures.circuits.spectra` draws: built by hand, and ends of our runs."""
    shown = {"built by hand": (check.logit_spectrum, check.embedding_spectrum)}
    for name in ("grokking", "ungrokking"):
        ends = inside[name][inside[name]["last"]].sort_values("seed")
        both = ends[["logit_spectrum", "embedding_spectrum"]].itertuples(index=False, name=None)
        shown[f"{name} (our run)"] = next(both, None)
    return shown


HELD_HEADER = ["circuit", "measured", "trigonometric share", "training accuracy",
               "validation accuracy"]  # fmt: skip


def held_row(kind: str, found: Gathered, val: bool) -> tuple:
    """What networks hold at their ends: waves, training and validation accuracy."""
    ends = gather_measures(found.specs)
    ends = ends[ends["last"]]
    accuracy = span(ends["val_accuracy"]) if val else "–"
    share, train = span(ends["trig_share"]), span(ends["train_accuracy"])
    return kind, f"{len(ends)} of {found.wanted}", share, train, accuracy


ORDER_HEADER = [
    *("the paper's name", "seed", "our run", "validation", "mirrored", "others", "waves"),
    *("held out", "key frequencies", "restricted loss", "excluded loss"),
    *("accuracy half way at", "waves half way at", "first"),
]


def order_row(name: str, seed: int, run: pd.DataFrame) -> tuple:
    """One run: what it holds at its end, and which of accuracy and waves rose first."""
    end = run.iloc[-1]
    half = [efficiency.half_way(run["epoch"], run[c]) for c in ("val_accuracy", "held_out_share")]
    return (
        name, seed, zone(run), f"{end['val_accuracy']:.2f}", number(end["mirrored_accuracy"]),
        number(end["unmirrored_accuracy"]), f"{end['trig_share']:.2f}",
        number(end["held_out_share"]), len(end["frequencies"]), number(end["restricted_loss"]),
        number(end["excluded_loss"]), *(number(v, "{:,.0f}") for v in half), _first(*half),
    )  # fmt: skip


def _first(accuracy: float, waves: float) -> str:
    """Which comes first, in a word; "–" where neither does (NaN)."""
    known = np.isfinite([accuracy, waves])
    if not known.any():
        return "–"
    if not known.all():
        return "waves alone" if known[1] else "accuracy alone"
    return "together" if accuracy == waves else "waves" if waves < accuracy else "accuracy"


def orders_words(rows: list[tuple]) -> str:
    """How often waves or accuracy come first, over the rows of `order_row`."""
    said = {
        "waves": "the waves rise first",
        "accuracy": "accuracy rises first",
        "together": "both rise at the same evaluation",
        "waves alone": "only the waves rise",
        "accuracy alone": "only accuracy rises",
        "–": "neither rises",
    }
    kinds = [row[-1] for row in rows]
    parts = [f"in {n} {words}" for kind, words in said.items() if (n := kinds.count(kind))]
    return f"Of {len(kinds)} runs, {', '.join(parts)}." if parts else ""
