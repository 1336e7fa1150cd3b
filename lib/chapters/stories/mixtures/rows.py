"""What the chapters on mixtures say of their curves, as rows and words (§5, appendix B)."""

from collections.abc import Callable, Mapping, Sequence

import pandas as pd

from lib.analysis import emergence
from lib.analysis.dynamics import with_best
from lib.analysis.emergence import EMERGED, Size, emergent_size, n_parameters, sizes
from lib.analysis.words import number
from lib.chapters.stories.mixtures.curves import Curve
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


EMERGENT_HEADER = ["data", "emergent size", "parameters", "times alone", "best", "mean",
                   "on the way"]  # fmt: skip


def emergent_rows(found: Sequence[Curve], curves: pd.DataFrame) -> list[tuple]:
    """A row for each curve that has a size with enough seeds (`EMERGENT_HEADER`).

    "Times alone" lies between two numbers, as each emergent size lies between two sizes tried.

    Args:
        curves: evaluations, as `lib.runs.store.Store.curves`, for the last column.
    """
    alone = next((c for c in found if not c.amount), None)
    rows = []
    for curve in found:
        size = emergent_size(curve.runs)
        if size is None:
            continue
        table, runs = sizes(curve.runs), with_best(curve.runs, curves)
        there = table[table["parameters"] == size.parameters].iloc[0]
        mixed = alone and curve.amount
        least = emergent_size(alone.runs) if mixed else None
        times = emergence.times_words(size, least) if least else "–"
        rows.append(
            (curve.label, size, f"{size.parameters:,}", times, number(there["best"]),
             number(there["mean"]), emergent_size(runs.assign(val_accuracy=runs["best"])))
        )  # fmt: skip
    return rows


AHEAD_HEADER = ["data", "sizes", "split MLP ahead", "mean gain", "at the largest size"]


def ahead_rows(found: Sequence[Curve]) -> list[tuple]:
    """Split against shared, size by size and seed by seed, by the last epoch (`AHEAD_HEADER`)."""
    rows, runs = [], {(c.amount, c.split): c.runs for c in found}
    for amount in sorted({c.amount for c in found if c.split}):
        if (amount, False) not in runs:
            continue  # a part of the runs, elsewhere trained
        pairs = emergence.paired(runs[amount, True], runs[amount, False])
        if pairs.empty:
            continue
        gain = pairs["one"] - pairs["other"]
        sizes_ = gain.groupby(level=["n_layers", "d_model"])
        last = sizes_.get_group(max(sizes_.groups, key=lambda s: n_parameters(s[1], s[0])))
        rows.append(
            (f"+ {amount:,}", len(sizes_), f"{(gain > 0).sum()} of {len(gain)} pairs",
             f"{gain.mean():+.2f}", f"{last.mean():+.2f}")
        )  # fmt: skip
    return rows


SUGGESTED_BY = range(3)
"""Seeds whose outcomes suggested takeaway 8's test."""


def gains(runs: pd.DataFrame, curves: pd.DataFrame) -> tuple[pd.Series, pd.Series]:
    """Seed by seed, how much higher the split MLP is, mean over sizes, in seeds with all sizes.

    Args:
        runs: mixtures with shared and with split MLPs, at the sizes that takeaway 8 is judged by.
        curves: their evaluations.

    Returns: by the highest accuracy on the way; by the last.
    """
    runs, found = with_best(runs, curves), []
    splits = runs["split_mlp"].fillna(False).astype(bool)
    for column in ("best", "val_accuracy"):
        pairs = emergence.paired(runs[splits], runs[~splits], column)
        gain = (pairs["one"] - pairs["other"]).groupby(level="seed").agg(["mean", "size"])
        found.append(gain[gain["size"] == gain["size"].max()]["mean"])
    return found[0], found[1]


def emerged_so_far(studies: Mapping[str, Sequence[Curve]]) -> str:
    """From which size on addition is there alone, and with data to memorize (of many amounts the
    largest), in words."""
    said, later = [], True
    for name, own in studies.items():
        shared = [c for c in own if not c.split and emergent_size(c.runs) is not None]
        if len(shared) < 2 or shared[0].amount:
            continue
        alone, mixed = emergent_size(shared[0].runs), shared[-1:] if len(shared) > 3 else shared[1:]
        found = {f"{curve.amount:,}": emergent_size(curve.runs) for curve in mixed}
        listed = [f"with {n} points to memorize {size.since}" for n, size in found.items()]
        said.append(", ".join([f"alone {alone.since}", *listed]) + f" ({name})")
        later &= all(size.span[0] >= alone.span[1] for size in found.values())
    if not said:
        return "no study has addition alone and a mixture."
    first = "mixed with data to memorize, addition comes at larger sizes, if at all" * later
    return f"{first or 'where addition is there'}. At the last epoch: {'; '.join(said)}."


def new_seeds(runs: pd.DataFrame, curves: pd.DataFrame) -> str:
    """Takeaway 8's count by both readings, of all seeds and of the new alone; args as `gains`."""
    ahead = [gain > 0 for gain in gains(runs, curves)]
    new = [own[~own.index.isin(SUGGESTED_BY)] for own in ahead]
    every, alone = ([f"{own.sum()} of {len(own)}" for own in both] for both in (ahead, new))
    if ahead[1].empty:
        return "No seed has both kinds of MLP at these sizes."
    return (
        "Takeaway 8 compares, seed by seed, the means over both sizes. The split MLP is ahead in "
        f"{every[0]} seeds by the highest accuracy on the way, and in {every[1]} by the last. The "
        f"first three suggested the test; without them it is {alone[0]} and {alone[1]}. A first "
        "look, at eight seeds, did not settle it, neither at 95% nor at 97.5%. Eight more were "
        "then named, and each of the two looks is held to 97.5% ([](verdicts.ipynb) tells what was "
        "changed)."
    )


def passing(runs: pd.DataFrame) -> str:
    """At each size how many networks pass at the last epoch, with split and with shared MLPs.

    The paper's "earlier" is of the smallest such size; takeaway 8 compares networks of one size.
    """
    splits = runs["split_mlp"].fillna(False).astype(bool).map({True: "split", False: "shared"})
    there = (runs["val_accuracy"] >= EMERGED).groupby([runs["n_layers"], runs["d_model"], splits])
    there = there.agg(["sum", "size"])
    said, first = [], {}
    for (layers, d), own in there.groupby(level=[0, 1]):
        kinds = {kind: (k, n) for (*_, kind), k, n in own.itertuples()}
        if len(kinds) == 2:
            split, shared = (f"{k} of {n}" for k, n in (kinds["split"], kinds["shared"]))
            said.append(f"at {layers} × {d}, {split} networks with a split MLP and {shared} "
                        "with a shared one")  # fmt: skip
            for kind in (kind for kind, (k, _) in kinds.items() if k):
                first.setdefault(kind, f"{layers} × {d}")
    if not said:
        return "No size has both kinds of MLP."
    where = [first.get(kind, "none of these sizes") for kind in ("split", "shared")]
    alike = f"both get there from {where[0]} on"
    apart = f"the split one gets there from {where[0]} on, the shared one from {where[1]}"
    return (
        'In the paper "earlier" is of the smallest size at which a network passes. Of these sizes, '
        f"with all of these seeds, {alike if len(set(where)) == 1 else apart}; the table above has "
        f"more sizes and the best of three seeds. How many pass {EMERGED:g} at the last epoch: "
        f"{'; '.join(said)}."
    )


def fallen(runs: pd.DataFrame, curves: pd.DataFrame) -> str:
    """How many runs that had generalized do not at their last epoch, in words."""
    passed = with_best(runs, curves).query("best >= @EMERGED")
    back = passed[passed["val_accuracy"] < EMERGED]
    return f"{len(back)} of the {len(passed)} runs that passed {EMERGED:g} end below it"


def until_then(found: Sequence[Curve]) -> str:
    """How low the best seed of a mixture stays at sizes where addition alone generalizes: at each
    of them, fewest parameters first, amount by amount."""
    alone = next((c for c in found if not c.amount), None)
    start, said = emergent_size(alone.runs) if alone else None, []
    for curve in found if start and start.bound != ">" else ():
        end = emergent_size(curve.runs) if curve.amount and not curve.split else None
        if end is not None:
            cells = sizes(emergence.at_sizes(curve.runs, emergence.whole_sizes(curve.runs)))
            inside = cells["parameters"].between(start.parameters, end.span[0])
            values = ", ".join(f"{best:.2f}" for best in cells[inside]["best"])
            said += [f"with {curve.amount:,}: {values}"] if values else []
    return "; ".join(said) or "no such size tried with three seeds"


DEPTH_HEADER = ["layers × width", "parameters", "seeds", "there on the way", "best on the way",
                "best at the end", "mean at the end"]  # fmt: skip


def depth_rows(runs: pd.DataFrame, curves: pd.DataFrame) -> list[tuple]:
    """A row for each size of one mixture, fewest parameters first (`DEPTH_HEADER`)."""
    return [
        (f"{row.n_layers:.0f} × {row.d_model:.0f}", f"{row.parameters:,}", row.seeds,
         f"{row.there} of {row.seeds}", number(row.way), number(row.best), number(row.mean))
        for row in _with_way(runs, curves).itertuples()
    ]  # fmt: skip


def _with_way(runs: pd.DataFrame, curves: pd.DataFrame) -> pd.DataFrame:
    """`sizes`, and by the highest at any evaluation: `way`, the best, `there`, how many pass."""
    best = with_best(runs, curves)
    passed = (best["best"] >= EMERGED).groupby([best["n_layers"], best["d_model"]]).sum()
    table = sizes(runs).assign(way=sizes(best.assign(val_accuracy=best["best"]))["best"])
    return table.join(passed.rename("there"), on=["n_layers", "d_model"])


def depth_words(runs: pd.DataFrame, curves: pd.DataFrame) -> str:
    """Whether one layer gets as far as more of them with no more parameters, in words."""
    table = _with_way(runs, curves)
    one = table[table["n_layers"] == 1].tail(1)
    more = table[(table["n_layers"] > 1) & (table["way"] >= EMERGED)].head(1)
    if one.empty or more.empty:
        return "*No mixture is stored both in one layer and, generalizing, in more.*"
    (one,), (more,) = one.itertuples(), more.itertuples()
    known = (
        f"with one layer × {one.d_model:.0f}, {one.parameters:,} parameters, {one.there} of "
        f"{one.seeds} seeds pass {EMERGED:g} on the way (the best has {one.way:.2f}); with "
        f"{more.n_layers:.0f} × {more.d_model:.0f}, {more.parameters:,} parameters, {more.there} "
        f"of {more.seeds} {'does' if more.there == 1 else 'do'}"
    )
    if not one.there and more.parameters < one.parameters:
        return f"**More layers got there with fewer parameters than one that did not**: {known}."
    return f"**That depth does it is not shown**: {known}."


def _fine(*values: float) -> list[str]:
    """To three places, as some lie within a hundredth of `EMERGED`."""
    return [number(value, "{:.3f}") for value in values]


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
        if own.empty:
            continue
        long = sizes(own).iloc[0]
        # A best only rises with more seeds, so "later" needs no more; "not" needs them all.
        whole, late = long["seeds"] >= len(specs), long["best"] >= EMERGED
        part = "" if whole else f"{int(long['seeds'])} of {len(specs)} seeds trained"
        never = "not by then either" if whole else ""
        lost = "on the way only" if own["best"].max() >= EMERGED else never
        verdict = ", ".join(filter(None, ("later" if late else lost, part)))
        rows.append(
            (curve.label, size, f"{curve.specs[0].epochs:,}", *_fine(short["best"], short["mean"]),
             f"{specs[0].epochs:,}", *_fine(long["best"], long["mean"], own["best"].max()), verdict)
        )  # fmt: skip
    return rows
