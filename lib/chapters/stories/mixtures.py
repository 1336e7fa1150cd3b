"""What the chapters on mixtures say of their runs, as rows and words (§5, appendix B)."""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass

import pandas as pd

from lib.analysis.dynamics import with_best
from lib.analysis.emergence import (
    EMERGED,
    Size,
    below,
    emergent_size,
    longer,
    n_parameters,
    over_common,
    paired,
    pick,
    ratio,
    size_words,
    sizes,
    whole_sizes,
)
from lib.analysis.gather import Gathered, gather
from lib.analysis.words import number
from lib.engines.flops import flops
from lib.figures.mixtures import ALONE, SHARED, SPLIT
from lib.paper.experiments import EXPERIMENTS
from lib.runs.store import Store
from lib.spec import RunSpec


@dataclass(frozen=True, eq=False)
class Curve:
    """One curve of a study: addition with some memorization data, in one kind of MLP.

    Attributes:
        label: for legends and tables.
        amount: memorization points; 0: addition alone.
        split: whether the MLP is split.
        runs: the stored ones.
        specs: all that were asked for.
        main: (n_layers, d_model) of the study itself, without what was only filled in.
    """

    label: str
    amount: int
    split: bool
    runs: pd.DataFrame
    specs: tuple[RunSpec, ...]
    main: frozenset[tuple[int, int]]

    @property
    def cells(self) -> list[tuple[int, int]]:
        """(n_layers, d_model) that were asked for."""
        return sorted({(s.n_layers, s.d_model) for s in self.specs})

    @property
    def kind(self) -> str:
        """The label where the amount is said elsewhere."""
        return "mixed, split MLP" if self.split else "mixed" if self.amount else "alone"

    @property
    def drawn(self) -> tuple[pd.DataFrame, dict, list[tuple[int, int]]]:
        """What `lib.figures.mixtures.accuracy_by_size` wants to know of it."""
        style = SPLIT if self.split else SHARED if self.amount else ALONE
        return self.runs, style, self.cells


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
    specs = list(specs)
    for spec in (*specs, *more):
        groups.setdefault((spec.memorize_size, bool(spec.split_mlp)), []).append(spec)
    found = []
    for (amount, split), own in sorted(groups.items()):
        label = f"+ {amount:,}{' split' if split else ''}" if amount else "alone"
        keys = {spec.key for spec in own}
        chosen = pick(runs[runs["key"].isin(keys)], amount, split)
        main = frozenset((s.n_layers, s.d_model) for s in set(specs).intersection(own))
        found.append(Curve(label, amount, split, chosen, tuple(own), main))
    return found


def panels(found: Sequence[Curve], split: bool = True) -> dict[str, dict[str, tuple]]:
    """A panel for each amount: alone, shared and (if asked for) split."""
    alone = [c for c in found if not c.amount]
    made = {}
    for amount in sorted({c.amount for c in found if c.amount}):
        own = alone + [c for c in found if c.amount == amount and (split or not c.split)]
        made[f"{amount:,} points to memorize"] = {c.kind: c.drawn for c in own}
    return made or {"addition alone": {c.kind: c.drawn for c in alone}}


EMERGENT_HEADER = ["data", "emergent size", "parameters", "times alone", "best there",
                   "mean there", "worst there", "sizes with 3 seeds"]  # fmt: skip


def emergent_rows(found: Sequence[Curve]) -> list[tuple]:
    """A row for each curve that has a size with enough seeds (`EMERGENT_HEADER`).

    "Times alone" compares with addition alone at the sizes that both have (`over_common`).
    """
    alone = next((c for c in found if not c.amount), None)
    rows = []
    for curve in found:
        size = emergent_size(curve.runs)
        if size is None:
            rows.append((curve.label, *["–"] * 6, f"0 of {len(curve.cells)}"))
            continue
        table, whole = sizes(curve.runs), whole_sizes(curve.runs)
        there = table[table["parameters"] == size.parameters].iloc[0]
        times = None
        if alone and curve.amount:
            times = ratio(*over_common(curve.runs, alone.runs)[:2])
        rows.append(
            (curve.label, size, f"{size.parameters:,}", times or "–",
             number(there["best"]), number(there["mean"]), number(there["worst"]),
             f"{len(whole)} of {len(curve.cells)}")
        )  # fmt: skip
    return rows


def price(spec: RunSpec, found: Sequence[Curve]) -> tuple[float, int] | None:
    """Seconds of one core that a run takes, if it goes as fast as the widest stored ones.

    By operations (`lib.engines.flops.flops`), without an early stop.

    Returns:
        The seconds and the width that the speed is of; None where nothing is stored.
    """
    specs = {s.key: s for curve in found for s in curve.specs}
    runs = pd.concat([curve.runs for curve in found]) if found else pd.DataFrame()
    runs = runs[runs["device"].fillna("cpu") == "cpu"] if len(runs) else runs
    if runs.empty:
        return None
    widest = runs[runs["d_model"] == runs["d_model"].max()]
    done = sum(flops(specs[r.key], r.epoch / r.epochs) for r in widest.itertuples())
    spent = (widest["wall_seconds"] * widest["threads"]).sum()
    return flops(spec) * spent / done, int(widest["d_model"].iloc[0])


def steps(found: Sequence[Curve]) -> str:
    """How far apart neighbouring sizes of the mixtures are, in words: what a size is known to."""
    factors = [1.0]
    for curve in found:
        cells = sorted(whole_sizes(curve.runs) or curve.main) if curve.amount else []
        modulus = curve.specs[0].modulus
        numbers = [n_parameters(d, layers, modulus, mixed=True) for layers, d in cells]
        numbers.sort()
        factors += [big / small for small, big in zip(numbers, numbers[1:])]
    return f"a factor of up to {max(factors):.2g} in parameters"


def just_below(found: Sequence[Curve]) -> list[tuple[Curve, Size, list[RunSpec]]]:
    """For each curve the size just below the emergent one, and its runs at more epochs."""
    rows = []
    for curve in found:
        size = below(curve.runs)
        if size is not None:
            rows.append((curve, size, longer(curve.specs[0], size)))
    return rows


LONGER_HEADER = ["data", "size", "by epoch", "best", "mean", "by epoch", "best", "mean",
                 "on the way", "so"]  # fmt: skip


def longer_rows(
    wanted: Sequence[tuple[Curve, Size, list[RunSpec]]], runs: pd.DataFrame, curves: pd.DataFrame
) -> list[tuple]:
    """The cells just below at the usual epochs and at more: is it later, or never?

    Args:
        wanted: what `just_below` found.
        runs: the stored ones of its runs.
        curves: their evaluations; "on the way" is the highest of a cell.
    """
    rows, runs = [], with_best(runs, curves)
    for curve, size, specs in wanted:
        cell = sizes(curve.runs)
        short = cell[cell["parameters"] == size.parameters].iloc[0]
        own = runs[runs["key"].isin({spec.key for spec in specs})]
        long = sizes(own).iloc[0] if len(own) else None
        verdict = "not trained yet"
        if long is not None:
            # A best only rises with more seeds, so "later" needs no more; "not" needs them all.
            whole, late = long["seeds"] >= len(specs), long["best"] >= EMERGED
            part = "" if whole else f"{int(long['seeds'])} of {len(specs)} runs"
            never = "not by then either" if whole else ""
            lost = "on the way only" if own["best"].max() >= EMERGED else never
            verdict = "later" if late else lost
            verdict = ", ".join(filter(None, (verdict, part)))
        rows.append(
            (curve.label, size, f"{curve.specs[0].epochs:,}", number(short["best"]),
             number(short["mean"]), f"{specs[0].epochs:,}",
             *(("–",) * 3 if long is None else
               (number(long["best"]), number(long["mean"]), number(own["best"].max()))),
             verdict)
        )  # fmt: skip
    return rows


def gains(found: Sequence[Curve], amount: int, column: str = "val_accuracy") -> pd.DataFrame:
    """Split less shared, size by size and seed by seed, at one amount: one, other, gain.

    column: the accuracy that is compared.
    """
    own = {c.split: c.runs for c in found if c.amount == amount}
    none = next(iter(own.values())).iloc[:0]
    pairs = paired(own.get(True, none), own.get(False, none), column)
    return pairs.assign(gain=pairs["one"] - pairs["other"])


def by_size_rows(found: Sequence[Curve]) -> list[tuple]:
    """Every size of every curve: best, mean, worst, memorized, seeds."""
    rows = []
    for curve in found:
        for cell in sizes(curve.runs).itertuples():
            rows.append(
                (curve.label, size_words(cell.n_layers, cell.d_model), f"{cell.parameters:,}",
                 number(cell.best), number(cell.mean), number(cell.worst),
                 number(cell.memorized), cell.seeds)
            )  # fmt: skip
    return rows


READINGS_HEADER = ["data", "emergent size", "best there", "by the best on the way", "best there"]


def reading_rows(found: Sequence[Curve], curves: pd.DataFrame) -> list[tuple]:
    """Emergent sizes by the last epoch and by the best on the way (`READINGS_HEADER`).

    Args:
        found: the study's curves; one without a size of enough seeds is left out.
        curves: evaluations, as `lib.runs.store.Store.curves`.
    """
    rows = []
    for curve in found:
        runs = with_best(curve.runs, curves)
        row = [curve.label]
        for reading in (runs, runs.assign(val_accuracy=runs["best"])):
            size = emergent_size(reading)
            if size is not None:
                cells = sizes(reading).set_index("parameters")
                row += [size, number(cells.loc[size.parameters, "best"])]
        rows += [tuple(row)] if len(row) > 1 else []
    return rows


SPIKES_HEADER = ["study", "of evaluations", "runs that end on one"]


def spikes(curves: pd.DataFrame) -> tuple[str, str]:
    """Where training data that a run has fitted (0.99) are not (0.9) (`SPIKES_HEADER`'s numbers).

    A run's part is what comes after its first evaluation with training accuracy of 0.99; a run
    without one is not counted.

    Args:
        curves: evaluations in the order of their epochs, as `lib.runs.store.Store.curves`.
    """
    fitted = (curves["train_accuracy"] >= 0.99).groupby(curves["key"]).cummax()
    lost = curves.loc[fitted, "train_accuracy"] < 0.9
    ends = lost.groupby(curves["key"]).last()
    return number(lost.mean(), "{:.2%}"), f"{ends.sum()} of {len(ends)}"


FALLEN_HEADER = ["data", "size", "seed", "highest", "at epoch", "last epoch", "validation then",
                 "training then"]  # fmt: skip


def fallen_rows(found: Sequence[Curve], curves: pd.DataFrame) -> list[tuple]:
    """The runs that generalize on the way but do not at their last epoch (`FALLEN_HEADER`).

    Where training accuracy is low there, too, the last epoch lies on a spike of the loss.

    Args:
        found: the study's curves.
        curves: evaluations, as `lib.runs.store.Store.curves`.
    """
    falling = curves.sort_values("val_accuracy", ascending=False, kind="stable")
    top = falling.drop_duplicates("key").set_index("key")
    rows = []
    for curve in found:
        lost = curve.runs[curve.runs["val_accuracy"] < EMERGED]
        for run in lost.sort_values(["n_layers", "d_model", "seed"]).itertuples():
            highest = top.loc[run.key]
            if highest["val_accuracy"] >= EMERGED:
                size, epoch = size_words(run.n_layers, run.d_model), int(highest["epoch"])
                rows.append(
                    (curve.label, size, run.seed, number(highest["val_accuracy"]), f"{epoch:,}",
                     f"{run.epoch:,}", number(run.val_accuracy), number(run.train_accuracy))
                )  # fmt: skip
    return rows


def study(
    *names: str,
    seeds: list[int],
    more: tuple[str, ...] = (),
    amounts: Collection[int] | None = None,
    train: bool = False,
    **changes,
) -> tuple[Gathered, list[Curve]]:
    """The runs of some experiments, and their curves.

    Args:
        names: experiments of `lib.paper.mixtures`, of which every cell is shown.
        seeds: one run each.
        more: experiments of which only stored cells are shown.
        amounts: memorization points that are asked for; all by default.
        train: train what is missing.
        changes: fields of the specs that a chapter's parameters change.
    """

    def specs(names):
        every = (s for name in names for s in EXPERIMENTS[name].specs(seeds))
        asked = (s for s in every if amounts is None or s.memorize_size in amounts)
        return [s.replace(**changes) for s in asked]

    stored = set(Store().runs()["key"]) if more else ()
    filled = [spec for spec in specs(more) if spec.key in stored]
    found = gather([*specs(names), *filled], train)
    return found, curves(found.runs, specs(names), filled)
