"""Recipes against the cells of which the paper speaks: scores, zones, times."""

from collections.abc import Collection, Mapping, Sequence

import pandas as pd

from lib.analysis import efficiency
from lib.analysis.dynamics import GENERALIZED, zone
from lib.analysis.gather import Gathered
from lib.analysis.words import number, span
from lib.paper.experiments import EXPERIMENTS
from lib.paper.recipe import RECIPE, STATED, within
from lib.paper.search import ARMS, BATCHES, NARROW, NORMED, RECIPES, SHAPES, WIDE

CELL = ["d_model", "train_size", "seed"]
Score = tuple[int, int]  # cells in range, cells with all seeds


def label(name: str) -> str:
    """A recipe in a figure: its learning rate and weight decay."""
    base = EXPERIMENTS[name].base
    return f"lr\xa0{base.lr:g}, wd\xa0{base.weight_decay:g}"


def stated(cell: tuple[int, int]) -> str:
    """The range in which the paper puts a cell, in words."""
    low, high, _ = STATED[cell]
    if high == 1.0:
        return f"at least {low:g}"
    return f"below {high:g}" if low == 0 else f"from {low:g} to below {high:g}"


def at_epoch(curves: pd.DataFrame, epoch: int) -> pd.Series:
    """Validation accuracy of every run by an epoch; a run that ended before counts as it ended."""
    known = curves[curves["epoch"] <= epoch].sort_values("epoch")
    return known.groupby(CELL)["val_accuracy"].last()


def score(values: pd.Series, seeds: int) -> Score:
    """In how many stated cells the mean of all seeds is in range, and how many have them all."""
    whole = values.groupby(level=CELL[:2]).agg(["mean", "size"])
    whole = whole[whole["size"] >= seeds]["mean"]
    hits = [within(mean, STATED[cell]) for cell, mean in whole.items() if cell in STATED]
    return sum(hits), len(hits)


def score_row(name: str, scores: Sequence[Score]) -> tuple:
    """A recipe and its scores."""
    base, rest = EXPERIMENTS[name].base, []
    for hits, of in scores:
        lacking = f", {len(STATED) - of} missing" if of < len(STATED) else ""
        rest.append(f"{hits} of {of}{lacking}" if of else "missing")
    return f"{base.lr:g}", f"{base.weight_decay:g}", *rest


def ours(compared: int) -> str:
    """The chapter's first words: the book's recipe, and where it comes from."""
    tried = len((*RECIPES, *ARMS, *BATCHES, *NORMED, *SHAPES))
    return (
        f"**This book uses learning rate {RECIPE['lr']:g}, weight decay "
        f"{RECIPE['weight_decay']:g}, {RECIPE['epochs']:,} epochs, all data in one step.** The "
        f"paper states none of these. They come from a first comparison, which the second half of "
        f"this page repeats: {compared} recipes, {len(STATED)} cells. The first half is a later "
        f"search, {tried} recipes in {len((*NARROW, *WIDE))} cells; it is ranked by a product of "
        "chances, not by how many sentences are met."
    )


def best(scores: Mapping[str, Score], epoch: int) -> str:
    """Which recipe scores best by an epoch, and how the book's own does, in words."""
    whole = {name: hits for name, (hits, of) in scores.items() if of == len(STATED)}
    if not whole:
        return "No recipe has all its runs yet, so there is no score to compare."
    most = max(whole.values())
    leading = [name for name, hits in whole.items() if hits == most]
    text = (
        f"Of the {len(whole)} recipes with all their runs, the best score by epoch "
        f"{epoch:,} is {most} of {len(STATED)}: {'; '.join(map(label, leading))}."
    )
    mine = [n for n in whole if all(getattr(EXPERIMENTS[n].base, f) == RECIPE[f]
                                    for f in ("lr", "weight_decay"))]  # fmt: skip
    if mine and mine[0] not in leading:
        text += f" The book's own reaches {whole[mine[0]]}."
    return text


def hangs_on_it(runs: Mapping[str, pd.DataFrame], seeds: int) -> str:
    """In words: how many stated cells are in range under all recipes, some or none, and the widest.

    Args:
        runs: each recipe's; it counts where it has all its seeds.
    """
    cells = {name: own.groupby(CELL[:2])["val_accuracy"] for name, own in runs.items()}
    means = pd.DataFrame({name: own.mean() for name, own in cells.items()})
    whole = pd.DataFrame({name: own.size() >= seeds for name, own in cells.items()})
    means = means.where(whole.eq(True)).dropna(axis=1, how="all").dropna()
    means = means[means.index.isin(STATED)]
    if means.empty or means.shape[1] < 2:
        return ""
    held = [sum(within(mean, STATED[cell]) for mean in own) for cell, own in means.iterrows()]
    every, no = held.count(means.shape[1]), held.count(0)
    (d, size), own = max(means.iterrows(), key=lambda row: row[1].max() - row[1].min())
    return (
        f"**Much hangs on it.** {means.shape[1]} recipes are compared below on {len(means)} "
        f"cells. In {every} of these mean validation accuracy lies in the range that we read "
        f"from the paper under all recipes, in {len(held) - every - no} under some"
        f"{f', in {no} under none' * bool(no)}; at ({d}, {size:,}) it goes from {own.min():.2f} to "
        f"{own.max():.2f}."
    )


def cell_row(cell: tuple[int, int], runs: Mapping[str, pd.DataFrame], seeds: int) -> tuple:
    """A cell over the recipes that have all its seeds: in how many of them it is in range."""
    means = []
    for own in runs.values():
        own = own[(own["d_model"] == cell[0]) & (own["train_size"] == cell[1])]["val_accuracy"]
        means += [own.mean()] if len(own) >= seeds else []
    held = sum(within(mean, STATED[cell]) for mean in means)
    word = "missing"
    if means:
        word = "in all" if held == len(means) else "in some" if held else "in none"
    share = f"{held} of {len(means)}" if means else "–"
    return cell[0], f"{cell[1]:,}", STATED[cell][2], share, word, span(means)


def halfway_words(runs: pd.DataFrame) -> str:
    """How few runs are themselves where the means of some cells are, in words."""
    moderate = [cell for cell, (low, high, _) in STATED.items() if low and high < 1]
    own = runs[pd.MultiIndex.from_frame(runs[CELL[:2]]).isin(moderate)]
    if own.empty:
        return ""
    val = own["val_accuracy"]
    between = (val >= efficiency.floors(own)) & (val < GENERALIZED)
    return (
        "A mean inside a range may come from runs outside it, of which some have the rule and some "
        f"do not: in the {len(moderate)} cells whose range we read as moderate, {between.sum()} of "
        f"{len(own)} runs are themselves half-way, below {GENERALIZED:g} and above what symmetry "
        "gives."
    )


def zone_rows(
    curves: Mapping[str, pd.DataFrame], checkpoints: Collection[int]
) -> tuple[list[str], list[tuple]]:
    """How many runs of each recipe are in which zone by some epochs.

    Returns:
        The zones that occur, and a row for each recipe and epoch with their counts.
    """
    seen = {}
    for name, own in curves.items():
        for epoch in checkpoints if len(own) else []:
            kinds = [zone(curve) for _, curve in own[own["epoch"] <= epoch].groupby("key")]
            seen[name, f"{epoch:,}"] = kinds
    order = ["progression", "ungrokking", "semi-grokking", "grokking", "unlearned", "diverged"]
    there = [kind for kind in order if any(kind in kinds for kinds in seen.values())]
    return there, [(*key, *(kinds.count(k) for k in there)) for key, kinds in seen.items()]


def time_rows(found: Mapping[str, Gathered]) -> list[tuple]:
    """When runs first generalize, against the book's recipe over the runs that both have."""
    times = {}
    for name, own in found.items():
        good = own.curves[own.curves["val_accuracy"] >= GENERALIZED]
        times[name] = good.groupby(CELL)["epoch"].min()
    book = EXPERIMENTS["figure3"].base
    usual = next((name for name in found if EXPERIMENTS[name].base == book), None)
    rows = []
    for name, own in found.items():
        base = EXPERIMENTS[name].base
        ratio = (times[name] / times[usual]).dropna() if usual else pd.Series(dtype=float)
        expected = book.lr * book.weight_decay / (base.lr * base.weight_decay)
        rows.append((label(name), f"{len(times[name])} of {len(own.runs)}", len(ratio),
                     number(ratio.median()), number(expected)))  # fmt: skip
    return rows
