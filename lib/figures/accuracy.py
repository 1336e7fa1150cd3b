"""Final accuracies against size: of the training set, of the model, of both.

Every function takes frames as `lib.runs.store` gives them and returns a matplotlib figure;
nothing here trains, loads or decides anything.  Colours are safe for the colour-blind; cells
without runs are drawn as missing.
"""

from collections.abc import Sequence

import matplotlib as mpl
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from lib.analysis.dynamics import GENERALIZED
from lib.figures import style
from lib.figures.stated import mark
from lib.figures.style import TRAIN, VAL, grid_of, hatch, jitter, legend, panels, shares, width_axis
from lib.paper.recipe import within

LIMITS = dict(ylim=(-0.04, 1.04))


def success_by_size(shown: dict[str, dict[str, tuple]], level: float) -> Figure:
    """Final validation accuracy against training size, tasks next to each other (takeaway 6).

    Thin lines: means over seeds; dots: seeds, moved apart; bars: share of seeds that generalize.

    Args:
        shown: title -> label -> (runs of one width and task, D_crit estimate or NaN, colour,
            marker, sizes asked for).  A line breaks at a size without a run; a size at which no
            line has one is hatched.
        level: the accuracy from which a run counts as generalizing.
    """
    figure, axes = panels(1, len(shown), (3.1 * max(len(shown), 2), 3.2), sharey=True)
    for ax, (title, tasks) in zip(axes.flat, shown.items()):
        wanted, there = set(), set()
        for i, (label, (runs, critical, colour, marker, asked)) in enumerate(tasks.items()):
            mean = runs.groupby("train_size")["val_accuracy"].mean().reindex(sorted(asked))
            wanted, there = wanted | set(asked), there | set(runs["train_size"])
            ax.plot(mean.index, mean, color=colour, lw=1.2, label=f"{label}, mean")
            single = dict(color=colour, ms=3, alpha=0.55, mew=0)
            x = jitter(runs["train_size"], runs["seed"], 0.012)
            ax.plot(x, runs["val_accuracy"], marker, **single)
            shares(ax, runs, "train_size", level, colour, shift=0.008 * i)
            if np.isfinite(critical):
                ax.axvline(critical, color=colour, ls=":", lw=1.4)
        hatch(ax, wanted, there, 0.015)
        ax.axhline(level, color="#999999", lw=0.7)
        ax.set(title=title, xlabel="training points D", **LIMITS)
    axes[0, 0].set_ylabel("final validation accuracy")
    legend(figure, ncols=3)
    return figure


def recipe_grid(
    values: dict[str, pd.DataFrame], cells: Sequence[tuple[int, int]], ranges: dict
) -> Figure:
    """Mean final validation accuracy of each recipe (down) and stated cell (across).

    The number is the mean over seeds, the dots below it the seeds; a tick marks a mean in
    the paper's range, a cross one outside it; hatched: no run.

    Args:
        values: recipe in words -> runs with d_model, train_size, val_accuracy.
        cells: (d_model, train_size), across.
        ranges: cell -> (lowest, highest, …) that the paper states.
    """
    figure, ((ax,),) = panels(1, 1, (8.6, 0.62 * len(values) + 1.3), stacks=False)
    for y, runs in enumerate(values.values()):
        for x, (d, size) in enumerate(cells):
            own = runs[(runs["d_model"] == d) & (runs["train_size"] == size)]["val_accuracy"]
            ink = _cell(ax, x, y, own.mean())
            if own.empty:
                continue
            sign = "✓" if within(own.mean(), ranges[d, size]) else "✗"
            ax.text(x, y - 0.12, f"{own.mean():.2f} {sign}", fontsize=9, **ink)
            singles = " ".join(f"{v:.1f}".lstrip("0") if v < 0.95 else "1" for v in own)
            ax.text(x, y + 0.26, singles, fontsize=7.5, **ink)
    _cells_axes(ax, [f"{d}\n{size:,}" for d, size in cells], list(values))
    ax.set(ylim=(len(values) - 0.5, -0.5), xlabel="d_model, training points D")
    ax.tick_params(axis="x", labelsize=8)
    return figure


def _cell(ax: Axes, x: int, y: int, mean: float) -> dict:
    """One box of a table of cells, coloured by a mean; hatched where there is none.

    Returns:
        How to write on it.
    """
    missing = dict(facecolor="white", edgecolor=style.MISSING, hatch="///")
    look = missing if np.isnan(mean) else dict(facecolor=mpl.colormaps["cividis"](mean))
    ax.add_patch(Rectangle((x - 0.5, y - 0.5), 1, 1, lw=0, **look))
    return dict(ha="center", va="center", color="#fefefe" if mean < 0.55 else "#010101")


def _cells_axes(ax: Axes, across: Sequence, up: Sequence) -> None:
    """The axes of a table of cells, with a label for each column and row."""
    ax.set(xlim=(-0.5, len(across) - 0.5), ylim=(-0.5, len(up) - 0.5))
    ax.set_xticks(range(len(across)), across)
    ax.set_yticks(range(len(up)), up)
    ax.grid(False)


def accuracy_by_train_size(runs: pd.DataFrame, d_models: Sequence[int]) -> Figure:
    """Final validation accuracy against training size, one line a width (§2.2, figure 3).

    Lines are means over seeds, as the paper draws them; the seeds are in `accuracy_grid`.
    """
    figure, ((ax,),) = panels(1, 1, (8, 4))
    colours = mpl.colormaps["viridis"](np.linspace(0, 0.92, len(d_models)))
    for d_model, colour in zip(d_models, colours):
        mean = runs[runs["d_model"] == d_model].groupby("train_size")["val_accuracy"].mean()
        mean = mean.reindex(sorted(runs["train_size"].unique()))  # a gap where no run is
        ax.plot(mean.index, mean, color=colour, label=f"d = {d_model}", marker="o", ms=4, lw=1.6)
        mark(ax, 3, d_model)
    sizes = sorted(runs["train_size"].unique())
    ax.set(xlabel="training points D", ylabel="final validation accuracy", ylim=(-0.03, 1.06))
    ax.set_xticks(sizes, [f"{size:,}" for size in sizes], rotation=45, fontsize=8)
    legend(figure)
    return figure


def accuracy_grid(
    runs: pd.DataFrame, d_models: Sequence[int], train_sizes: Sequence[int]
) -> Figure:
    """How many seeds of each cell generalize, widths up and sizes across.

    Coloured by that share; below it the mean final validation accuracy.  A hatched cell has no
    run.
    """
    figure, ((ax,),) = panels(1, 1, (8, 0.44 * len(d_models) + 1.4), stacks=False)
    cells = runs.groupby(["d_model", "train_size"])["val_accuracy"]
    cells = cells.agg(mean="mean", good=lambda own: (own >= GENERALIZED).sum(), seeds="size")
    for y, d_model in enumerate(d_models):
        for x, train_size in enumerate(train_sizes):
            there = (d_model, train_size) in cells.index
            mean, good, seeds = cells.loc[(d_model, train_size)] if there else (np.nan, np.nan, 1)
            ink = _cell(ax, x, y, good / seeds)
            if there:
                ax.text(x, y + 0.16, f"{good:.0f} of {seeds:.0f}", fontsize=8, **ink)
                ax.text(x, y - 0.24, f"{mean:.2f}", fontsize=7.5, **ink)
    _cells_axes(ax, [f"{size:,}" for size in train_sizes], d_models)
    ax.set(xlabel="training points D", ylabel="d_model")
    return figure


def _by_width(ax, runs: pd.DataFrame, value, colour, label, dash="-", shift=0.0):
    """One curve against width: the mean, the seeds as dots, and how many of them generalize."""
    mean = runs.groupby("d_model")[value].mean()
    ax.plot(mean.index, mean, dash, color=colour, lw=1.5, label=label)
    x = jitter(runs["d_model"], runs["seed"], 0.018)
    ax.plot(x, runs[value], "o", color=colour, ms=2.6, alpha=0.5, mew=0)
    if value == "val_accuracy":
        shares(ax, runs, "d_model", GENERALIZED, colour, shift)


def by_size(
    shown: dict[str, tuple[pd.DataFrame, str, str, str]], train_sizes: Sequence[int]
) -> dict[int, dict[str, tuple]]:
    """What `accuracy_by_width` draws, a panel for each training size.

    Args:
        shown: label of a curve -> (runs of all sizes, the column, a colour, a dash).
    """
    return {
        size: {k: (runs[runs["train_size"] == size], *look) for k, (runs, *look) in shown.items()}
        for size in train_sizes
    }


def accuracy_by_width(
    shown: dict[object, dict[str, tuple[pd.DataFrame, str, str, str]]],
    d_models: Sequence[int],
    figure: int | None = None,
) -> Figure:
    """Final accuracies against width, in panels (§4, figures 6 and 7).

    Args:
        shown: title of a panel, or the training size that it is about -> label of a curve ->
            (runs, the column that is drawn, a colour, a dash).
        d_models: all widths of the axis; one without runs leaves a gap that is hatched.
        figure: of the paper, whose statements on these panels are drawn in.
    """
    across = min(2, len(shown))
    size, room = ((8.4, 2.9), 1.22) if across > 1 else ((7, 2.9), 1.1)
    drawn, axes = grid_of(len(shown), size, across, ylabel="final accuracy", sharey=True)
    for ax, (panel, curves) in zip(axes, shown.items()):
        there = set()
        several = sum(value == "val_accuracy" for _, value, *_ in curves.values()) > 1
        for i, (label, (runs, value, colour, dash)) in enumerate(curves.items()):
            shift = (0.03 * i - 0.015) * several  # bars of two curves stand beside each other
            _by_width(ax, runs, value, colour, label, dash, shift)
            there |= set(runs["d_model"])
        width_axis(ax, d_models, room=room)
        ax.set(title=f"D = {panel:,}" if isinstance(panel, int) else panel, **LIMITS)
        hatch(ax, d_models, there)
        if figure:
            mark(ax, figure, panel)
    legend(drawn, ncols=2)
    return drawn


def loss_by_width(
    runs: pd.DataFrame, train_sizes: Sequence[int], d_models: Sequence[int], guess: float
) -> Figure:
    """Final losses against width, a panel for each training size (ours; §4 has accuracies).

    Args:
        runs: d_model, train_size, seed, train_loss, val_loss.
        train_sizes: the panels.
        d_models: all widths of the axis; one without runs is hatched.
        guess: what guessing costs, in nats.
    """
    how = dict(across=min(2, len(train_sizes)), ylabel="final loss, nats", sharey=True)
    drawn, axes = grid_of(len(train_sizes), (8.4, 2.7), **how)
    for ax, size in zip(axes, train_sizes):
        own = runs[runs["train_size"] == size]
        for value, colour, dash in (("train_loss", TRAIN, "-"), ("val_loss", VAL, "--")):
            label = {"train_loss": "training", "val_loss": "validation"}[value]
            _by_width(ax, own, value, colour, label, dash)
        ax.axhline(guess, color="#999999", lw=0.9, label="guessing")
        width_axis(ax, d_models, room=1.22)
        hatch(ax, d_models, own["d_model"])
        ax.set(title=f"D = {size:,}")
    legend(drawn, ncols=3)
    return drawn


def capacity_by_width(
    points: pd.DataFrame, dots: pd.DataFrame, d_models: Sequence[int], pairs: tuple[int, int]
) -> Figure:
    """Memorization capacity against width, in both units (§2.3, figure 4).

    Args:
        points: from `capacity.capacities`.
        dots: one row a run: d_model, train_accuracy.
        d_models: all widths of the axis.
        pairs: how many unordered and ordered pairs there are.
    """
    unordered, ordered = pairs
    figure, ((ax,),) = panels(1, 1, (7, 3.8))
    band = points.dropna(subset=["low", "high"])
    if len(band):
        ax.fill_between(band["d_model"], band["low"], band["high"], color=TRAIN, alpha=0.2, lw=0)
    ax.plot(points["d_model"], points["estimate"], "-o", color=TRAIN, lw=1.6, ms=4)
    ax.plot(dots["d_model"], dots["train_accuracy"] * unordered, ".", color=VAL, ms=4)
    width_axis(ax, d_models)
    hatch(ax, d_models, points["d_model"])
    ax.set(ylabel="capacity, unordered pairs", ylim=(0, unordered * 1.03))
    factor = ordered / unordered
    other = ax.secondary_yaxis("right", functions=(lambda v: v * factor, lambda v: v / factor))
    other.set_ylabel("the same, ordered pairs")
    return figure
