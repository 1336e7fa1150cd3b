"""The curves of a study on mixtures: addition alone, shared and split MLPs (§5, appendix B)."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import pandas as pd

from lib.analysis.emergence import Size, below, longer, n_parameters, whole_sizes
from lib.analysis.gather import Gathered
from lib.chapters.page import Page
from lib.figures.mixtures import ALONE, SHARED, SPLIT, Sizes
from lib.paper.mixtures import FOR_A_GPU
from lib.spec import RunSpec

COLUMNS = (
    *("task", "modulus", "train_size", "memorize_size", "split_mlp", "n_layers", "d_model"),
    *("seed", "status", "epoch", "epochs", "train_accuracy", "memorize_accuracy", "val_accuracy"),
    *("param_norm", "key"),
)
"""What a table for download says of each run."""


@dataclass(frozen=True, eq=False)
class Curve:
    """One curve of a study: addition with some memorization data, in one kind of MLP.

    Attributes:
        label: for legends and tables.
        amount: memorization points; 0: addition alone.
        split: whether the MLP is split.
        runs: the stored ones.
        specs: all that were asked for.
    """

    label: str
    amount: int
    split: bool
    runs: pd.DataFrame
    specs: tuple[RunSpec, ...]

    @property
    def cells(self) -> list[tuple[int, int]]:
        """(n_layers, d_model) that were asked for."""
        return sorted({(s.n_layers, s.d_model) for s in self.specs})

    @property
    def kind(self) -> str:
        """The label where the amount is said elsewhere."""
        return "mixed, split MLP" if self.split else "mixed" if self.amount else "alone"

    @property
    def drawn(self) -> tuple[pd.DataFrame, dict, Sizes]:
        """What `lib.figures.mixtures.accuracy_by_size` wants to know of it."""
        style = SPLIT if self.split else SHARED if self.amount else ALONE
        modulus = self.specs[0].modulus
        parameters = {(n, d): float(n_parameters(d, n, modulus, mixed=True)) for n, d in self.cells}
        return self.runs, style, parameters


def curves(
    runs: pd.DataFrame, specs: Iterable[RunSpec], more: Iterable[RunSpec] = ()
) -> list[Curve]:
    """The curves of a study: alone first, then by amount, shared before split.

    Args:
        runs: the stored runs.
        specs: the study's own cells; one without runs is missing.
        more: stored cells between them.
    """
    groups: dict[tuple[int, bool], list[RunSpec]] = {}
    for spec in (*specs, *more):
        groups.setdefault((spec.memorize_size, bool(spec.split_mlp)), []).append(spec)
    found = []
    for (amount, split), own in sorted(groups.items()):
        label = f"+ {amount:,}{' split' if split else ''}" if amount else "alone"
        chosen = runs[runs["key"].isin({spec.key for spec in own})]
        found.append(Curve(label, amount, split, chosen, tuple(own)))
    return found


def panel(found: Sequence[Curve], amount: int, split: bool = True) -> dict[str, tuple]:
    """What a panel for one amount shows: alone, shared and (if asked for) split."""
    own = [c for c in found if c.amount in (0, amount) and (split or not c.split)]
    return {c.kind: c.drawn for c in own}


def just_below(found: Sequence[Curve]) -> list[tuple[Curve, Size, list[RunSpec]]]:
    """For each curve the size just below the emergent one, and its runs at more epochs."""
    sizes = ((curve, below(curve.runs)) for curve in found)
    return [(curve, size, longer(curve.specs[0], size)) for curve, size in sizes if size]


def study(
    page: Page,
    *names: str,
    seeds: list[int],
    more: tuple = (),
    train: bool = False,
    layers: int | None = None,
    **changes,
) -> tuple[Gathered, list[Curve]]:
    """The runs of some experiments, and their curves.

    Args:
        page: of the chapter that shows them.
        names: experiments of `lib.paper.mixtures`, of which every cell is shown.
        seeds: one run each.
        more: experiments of which only stored cells are shown.
        train: train what is missing.
        layers: of these networks only.
        changes: fields of the specs that a chapter's parameters change.
    """
    own, others = (
        [s for s in page.cells(*some, seeds=seeds, **changes) if layers in (None, s.n_layers)]
        for some in (names, more)
    )
    stored = page.store.keys() if more else ()
    filled = [spec for spec in others if spec.key in stored]
    found = page.gather([*own, *filled], train)
    return found, curves(found.runs, own, filled)


LONG = "P = 59, two layers, 30,000 epochs"
PAPERS = "P = 113, the paper's sizes"
SCALED = {
    "P = 113": (3000,), "P = 59": (300,), "P = 59, depth": (1200,), LONG: (1200, 2400),
    PAPERS: (3000,),
}  # fmt: skip
"""Our studies of section 5 -> the memorization points of their panels."""


def scaled(
    page: Page, seeds: list[int], epochs: int, deep_lr: float, train: bool, split: bool = False
) -> tuple[dict[str, Gathered], dict[str, list[Curve]]]:
    """Our studies of section 5 by name: their runs, their curves.

    The long one, which has no split MLP, only where a size of its mixture has all seeds; the
    paper's sizes, which need a GPU, only where a mixture of theirs is stored.

    Args:
        epochs, train: of the one-layer runs.
        deep_lr: learning rate of the others.
        split: only those that have a split MLP.
    """
    one_layer = dict(seeds=seeds, train=train, epochs=epochs)
    deep = dict(seeds=seeds, lr=deep_lr)
    each = {
        "P = 113": study(
            page, "emergent_113", more=("emergent_113_fill", "emergent_law"), **one_layer
        ),
        "P = 59": study(page, "emergent_59", more=("emergent_59_wider",), **one_layer),
        "P = 59, depth": study(page, "emergent_depth", **deep),
    }
    if not split:
        names = "emergent_depth_long", "emergent_two_layers"
        more = "emergent_depth_between", "emergent_twice", "emergent_twice_wide"
        long = study(page, *names, more=more, layers=2, **deep)
        if any(whole_sizes(curve.runs) for curve in long[1] if curve.amount):
            each[LONG] = long
    papers = study(page, more=FOR_A_GPU, **deep)
    if any(c.amount in SCALED[PAPERS] and (split or not c.split) for c in papers[1]):
        each[PAPERS] = papers
    return tuple({name: part[i] for name, part in each.items()} for i in (0, 1))


LONGEST = (
    *("emergent_one_layer", "emergent_depth_long", "emergent_depth_between"),
    "emergent_depth_wide",
)
"""Experiments whose mixtures differ in nothing but their size, trained for as long."""


def of_all_depths(page: Page, seeds: list[int], deep_lr: float) -> Gathered:
    """The mixtures of `LONGEST`: one layer to four."""
    specs = page.cells(*LONGEST, seeds=seeds, lr=deep_lr)
    return page.gather((spec for spec in specs if spec.memorize_size), train=False)


def panels(studies: Mapping[str, Sequence[Curve]], split: bool = True) -> dict[str, dict]:
    """A panel for each of `scaled`'s studies and amounts, where it has curves (`panel`)."""
    return {
        f"{name.removesuffix(', 30,000 epochs')}, + {amount:,}": panel(found, amount, split)
        for name, found in studies.items()
        for amount in SCALED[name]
        if amount == SCALED[name][0] or any(curve.amount == amount for curve in found)
    }
