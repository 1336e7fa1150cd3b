"""What the chapters on mixtures say of their curves, as rows and words (§5, appendix B)."""

from collections.abc import Callable, Mapping, Sequence

import pandas as pd

from lib.analysis.dynamics import with_best
from lib.analysis.emergence import (
    EMERGED,
    Size,
    at_sizes,
    emergent_size,
    n_parameters,
    over_common,
    paired,
    ratio,
    size_words,
    sizes,
    whole_sizes,
)
from lib.analysis.words import number
from lib.chapters.stories.mixtures import Curve
from lib.engines.flops import flops
from lib.spec import RunSpec


def of_studies(
    studies: Mapping[str, Sequence[Curve]], rows_of: Callable[..., list[tuple]], *rest
) -> list[tuple]:
    """The rows of several studies, each label after its study's name."""
    return [
        (f"{name}: {label}" if name else label, *cells)
        for name, found in studies.items()
        for label, *cells in rows_of(found, *rest)
    ]


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


def until_then(found: Sequence[Curve]) -> str:
    """How low the best seed of a mixture stays at sizes where addition alone generalizes."""
    alone = next((c for c in found if not c.amount), None)
    start, values = emergent_size(alone.runs) if alone else None, []
    for curve in found if start and start.bound != ">" else ():
        end = emergent_size(curve.runs) if curve.amount and not curve.split else None
        if end is not None:
            cells = sizes(at_sizes(curve.runs, whole_sizes(curve.runs)))
            inside = cells["parameters"].between(start.parameters, end.span[0])
            values += cells[inside]["best"].tolist()
    if not values:
        return "no such size tried with three seeds"
    return f"best seed from {min(values):.2f} to {max(values):.2f} in {len(values)} cells"


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


def shared_and_split(
    studies: Mapping[str, Sequence[Curve]],
) -> tuple[list[tuple], list[pd.Series], list[float]]:
    """Size by size, the accuracies of the shared and of the split MLP.

    Returns:
        A row for each study, amount and size; where the shared MLP fits less than 0.99 of its
        training points, the mean training accuracies of both ("other": shared, "one": split);
        and at the largest size of each amount every seed's gain in validation accuracy.
    """
    rows, tight, largest = [], [], []
    for name, found in studies.items():
        for amount in sorted({c.amount for c in found if c.amount}):
            fitted = gains(found, amount, "train_accuracy")
            by_size = dict(list(gains(found, amount).groupby(level=["n_layers", "d_model"])))
            largest += by_size[max(by_size)]["gain"].tolist() if by_size else []
            for size, own in by_size.items():
                fit = fitted.loc[own.index, ["other", "one"]].mean()
                tight += [fit] if fit["other"] < 0.99 else []
                ends = (_spread(own["other"]), _spread(own["one"]))
                fits = (number(fit["other"]), number(fit["one"]))
                rows.append((name, f"{amount:,}", size_words(*size), *ends, *fits, len(own)))
    return rows, tight, largest


def _spread(values: pd.Series) -> str:
    """Mean, worst and best of some seeds."""
    return f"{number(values.mean())} ({number(values.min())}–{number(values.max())})"
