"""When an ability emerges: sizes, the emergent size, what the cells below it do (§5).

The *emergent size* is the smallest size from which every larger size tried generalizes in
its best seed.  "First above" would not do: progression lets small models pass for a while,
and wider ones fail again (§4.1).  All of it is "by epoch T".
"""

import math
from collections.abc import Callable, Collection
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from lib.spec import RunSpec

EMERGED = 0.9
"""Validation accuracy on the algorithmic task from which the ability is there."""


SEEDS = 3
"""Runs of a size of which the best counts, as in the paper."""


LONGER = 5
"""How many times longer the cells just below the emergent size are trained again."""


def n_parameters(d_model, n_layers=1, modulus=113, mixed=False):
    """How many parameters a model has; a split MLP has as many (`lib.model`)."""
    vectors = 2 * modulus + (7 if mixed else 4)  # of tokens and operators, places, classes
    return n_layers * (12 * d_model**2 + 5 * d_model) + vectors * d_model


def sizes(runs: pd.DataFrame) -> pd.DataFrame:
    """One row a size, rising: n_layers, d_model, parameters, best, mean, seeds.

    The accuracies are final ones on the algorithmic task's validation set; 0 for a run that
    diverged.  The parameters are those of the mixed model, so that sizes alone and mixed are
    comparable.
    """
    cells = runs.fillna({"val_accuracy": 0.0}).groupby(["n_layers", "d_model"])["val_accuracy"]
    table = cells.agg(best="max", mean="mean", seeds="size").reset_index()
    modulus = int(runs["modulus"].iloc[0]) if len(runs) else 113
    layers, width = table["n_layers"].astype(int), table["d_model"].astype(int)
    table["parameters"] = n_parameters(width, layers, modulus, mixed=True)
    return table.sort_values("parameters", ignore_index=True)


@dataclass(frozen=True)
class Size:
    """An emergent size, or a bound of it.

    Attributes:
        n_layers: layers of the model.
        d_model: its width.
        parameters: their number.
        bound: "" if it is the emergent size; ">" if even this, the largest size tried, does
            not generalize; "≤" if the smallest size tried does already.
        after: parameters of the largest size tried that is known to be too small; 0: none is.
        after_width: its width.
    """

    n_layers: int
    d_model: int
    parameters: int
    bound: str = ""
    after: int = 0
    after_width: int = 0

    @property
    def span(self) -> tuple[float, float]:
        """Numbers of parameters between which it lies: above the first, up to the second."""
        return self.after, np.inf if self.bound == ">" else self.parameters

    @property
    def widths(self) -> tuple[float, float]:
        """The least and the largest width that it may have."""
        return self.after_width + 1, np.inf if self.bound == ">" else self.d_model

    @property
    def words(self) -> str:
        """For a sentence: "d = 64", "d > 256", "2 layers × 48"."""
        if self.n_layers > 1:
            return f"{self.bound} {self.n_layers} layers × {self.d_model}".strip()
        return f"d {self}" if self.bound else f"d = {self}"

    @property
    def since(self) -> str:
        """For a sentence, too: "from 2 layers × 48 on", "at no size up to d = 256", "from the
        smallest tried, d = 8, on"."""
        named = replace(self, bound="").words
        if self.bound == ">":
            return f"at no size up to {named}"
        return f"from the smallest tried, {named}, on" if self.bound else f"from {named} on"

    def __str__(self) -> str:
        """For tables: "256", "4 × 128", "> 256"."""
        words = f"{self.n_layers} × {self.d_model}" if self.n_layers > 1 else f"{self.d_model}"
        return f"{self.bound} {words}" if self.bound else words


def emergent_size(runs: pd.DataFrame, level: float = EMERGED, seeds: int = SEEDS) -> Size | None:
    """The smallest size from which on every size has its best seed at `level`.

    Sizes with fewer than `seeds` runs do not count.  None where no size counts.
    """
    table = sizes(runs)
    table = table[table["seeds"] >= seeds].reset_index(drop=True)
    if table.empty:
        return None
    fails = np.flatnonzero(table["best"] < level)
    at = fails[-1] + 1 if len(fails) else 0
    bound = ">" if at == len(table) else "≤" if at == 0 else ""
    row = table.iloc[min(at, len(table) - 1)]
    after = map(int, table[["parameters", "d_model"]].iloc[at - 1]) if at else (0, 0)
    return Size(int(row["n_layers"]), int(row["d_model"]), int(row["parameters"]), bound, *after)


def times(large: Size, small: Size) -> tuple[float, float]:
    """Between which factors the one has more parameters than the other: steps are wide."""
    (low, high), (least, most) = large.span, small.span
    return low / most, high / least if least else np.inf


def times_words(large: Size, small: Size) -> str:
    """The same for tables: "2.6 to 4.8", "≥ 13", "≤ 4.8"; a dash where nothing is known."""
    low, high = times(large, small)
    if np.isinf(high):
        return f"≥ {_rounded(low, math.floor)}" if low else "–"
    top = _rounded(high, math.ceil)
    return f"{_rounded(low, math.floor)} to {top}" if low else f"≤ {top}"


def _rounded(factor: float, way: Callable[[float], int]) -> str:
    """Two digits, away from what lies between, and no power of ten: "2.6", "150"."""
    step = 10.0 ** (math.floor(math.log10(factor)) - 1)
    return f"{way(round(factor / step, 6)) * step:,g}"


def below(runs: pd.DataFrame) -> Size | None:
    """The size just below the emergent one: the largest whose best seed fails; None if none."""
    table = sizes(runs)
    failing = table[(table["seeds"] >= SEEDS) & (table["best"] < EMERGED)]
    if failing.empty:
        return None
    row = failing.iloc[-1]
    return Size(int(row["n_layers"]), int(row["d_model"]), int(row["parameters"]))


def longer(base: RunSpec, size: Size) -> list[RunSpec]:
    """The runs of one size at `LONGER` times the epochs: is it later, or never?"""
    spec = base.replace(d_model=size.d_model, n_layers=size.n_layers, epochs=LONGER * base.epochs)
    return [spec.replace(seed=seed) for seed in range(SEEDS)]


def paired(one: pd.DataFrame, other: pd.DataFrame, column: str = "val_accuracy") -> pd.DataFrame:
    """An accuracy in two settings, size by size and seed by seed: one, other.

    Index: n_layers, d_model, seed; only where both have a run.  0 for one that diverged.
    """
    names = ["n_layers", "d_model", "seed"]
    values = {
        label: runs.set_index(names)[column].fillna(0.0).groupby(level=names).first()
        for label, runs in (("one", one), ("other", other))
    }
    return pd.DataFrame(values).dropna()


def at_sizes(runs: pd.DataFrame, cells: Collection[tuple[int, int]]) -> pd.DataFrame:
    """Of some runs those at the given (n_layers, d_model)."""
    return runs[np.array([c in cells for c in zip(runs["n_layers"], runs["d_model"])], bool)]


def whole_sizes(runs: pd.DataFrame) -> set[tuple[int, int]]:
    """The (n_layers, d_model) that have enough seeds to count."""
    table = sizes(runs)
    table = table[table["seeds"] >= SEEDS]
    return set(zip(table["n_layers"], table["d_model"]))
