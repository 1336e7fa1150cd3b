"""Pictures from tidy frames: nothing here trains, loads or decides anything.

Every function takes frames as `lib.runs.store` gives them and returns a matplotlib figure.
Colours are safe for the colour-blind; cells without runs are drawn as missing.
"""

from collections.abc import Sequence

import matplotlib as mpl
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from lib.figures.style import MISSING, TRAIN, VAL, _legend, _width_axis


def success_by_size(panels: dict[str, dict[str, tuple]], level: float) -> Figure:
    """Final validation accuracy against training size, tasks next to each other (takeaway 6).

    Args:
        panels: title -> label -> (runs of one width and task, D_crit estimate or NaN, colour,
            marker, sizes asked for).  A line breaks at a size without a run; a size at which no
            line has one is hatched.
        level: the accuracy from which a run counts as generalizing.
    """
    figure, axes = plt.subplots(
        1, len(panels), figsize=(3.1 * max(len(panels), 2), 3.2), sharey=True,
        layout="constrained", squeeze=False,
    )  # fmt: skip
    for ax, (title, tasks) in zip(axes.flat, panels.items()):
        wanted, there = set(), set()
        for label, (runs, critical, colour, marker, asked) in tasks.items():
            mean = runs.groupby("train_size")["val_accuracy"].mean().reindex(sorted(asked))
            wanted, there = wanted | set(asked), there | set(runs["train_size"])
            ax.plot(mean.index, mean, color=colour, marker=marker, ms=4.5, lw=1.5, label=label)
            single = dict(color=colour, ms=2.5, alpha=0.4)
            ax.plot(runs["train_size"], runs["val_accuracy"], marker, **single)
            if np.isfinite(critical):
                ax.axvline(critical, color=colour, ls=":", lw=1.4)
        for size in wanted - there:
            ax.axvspan(size * 0.985, size * 1.015, fc="white", ec=MISSING, hatch="////", lw=0)
        if not there:
            ax.text(0.5, 0.5, "no runs stored", ha="center", transform=ax.transAxes)
        ax.axhline(level, color="#999999", lw=0.7)
        ax.set(title=title, xlabel="training points D", ylim=(-0.04, 1.04))
    axes[0, 0].set_ylabel("final validation accuracy")
    handles, labels = axes[0, 0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside upper center", ncols=2, frameon=False)
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
    figure, ax = plt.subplots(figsize=(8.6, 0.62 * len(values) + 1.3), layout="constrained")
    for y, runs in enumerate(values.values()):
        for x, (d, size) in enumerate(cells):
            own = runs[(runs["d_model"] == d) & (runs["train_size"] == size)]["val_accuracy"]
            if own.empty:
                box = dict(facecolor="white", edgecolor=MISSING, hatch="///", lw=0)
                ax.add_patch(plt.Rectangle((x - 0.5, y - 0.5), 1, 1, **box))
                continue
            mean = own.mean()
            colour, ink = mpl.colormaps["cividis"](mean), "white" if mean < 0.55 else "black"
            ax.add_patch(plt.Rectangle((x - 0.5, y - 0.5), 1, 1, facecolor=colour, lw=0))
            sign = "✓" if within(mean, ranges[d, size]) else "✗"
            text = dict(ha="center", va="center", color=ink)
            ax.text(x, y - 0.12, f"{mean:.2f} {sign}", fontsize=9, **text)
            singles = " ".join(f"{v:.1f}".lstrip("0") if v < 0.95 else "1" for v in own)
            ax.text(x, y + 0.24, singles, fontsize=6, **text)
    ax.set(
        xlim=(-0.5, len(cells) - 0.5),
        ylim=(len(values) - 0.5, -0.5),
        xticks=range(len(cells)),
        yticks=range(len(values)),
        yticklabels=list(values),
    )
    ax.set_xticklabels([f"{d}\n{size:,}" for d, size in cells], fontsize=8)
    ax.set_xlabel("d_model, training points D")
    ax.grid(False)
    return figure


def within(mean: float, stated: tuple) -> bool:
    """Whether a mean lies in a stated range [low, high), [low, 1]."""
    low, high = stated[:2]
    return bool(low <= mean and (mean < high or high == 1.0))


def accuracy_by_train_size(runs: pd.DataFrame, d_models: Sequence[int]) -> Figure:
    """Final validation accuracy against training size, one line a width (§2.2, figure 3).

    Lines are means over seeds; each dot is one run.
    """
    figure, ax = plt.subplots(figsize=(8, 4), layout="constrained")
    colours = mpl.colormaps["viridis"](np.linspace(0, 0.92, len(d_models)))
    several = runs.groupby(["d_model", "train_size"]).size().max() > 1 if len(runs) else False
    for d_model, colour in zip(d_models, colours):
        cells = runs[runs["d_model"] == d_model].groupby("train_size")["val_accuracy"]
        mean = cells.mean()
        ax.plot(mean.index, mean, color=colour, label=str(d_model), marker="o", ms=4, lw=1.6)
        if several:
            dots = runs[runs["d_model"] == d_model]
            ax.plot(dots["train_size"], dots["val_accuracy"], ".", color=colour, ms=3, alpha=0.5)
    ax.set(
        xlabel="training points D",
        ylabel="final validation accuracy",
        ylim=(-0.03, 1.03),
    )
    ax.legend(title="d_model", ncols=1, frameon=False, loc="center left", bbox_to_anchor=(1, 0.5))
    return figure


def accuracy_grid(
    runs: pd.DataFrame, d_models: Sequence[int], train_sizes: Sequence[int]
) -> Figure:
    """Mean final validation accuracy of each cell, widths up and sizes across.

    The number in a cell is the mean, the small one how many runs it stands on; a hatched
    cell has none.
    """
    figure, ax = plt.subplots(figsize=(8, 0.42 * len(d_models) + 1.4), layout="constrained")
    cells = runs.groupby(["d_model", "train_size"])["val_accuracy"].agg(["mean", "size"])
    for y, d_model in enumerate(d_models):
        for x, train_size in enumerate(train_sizes):
            if (d_model, train_size) not in cells.index:
                box = dict(facecolor="white", edgecolor=MISSING, hatch="///", lw=0)
                ax.add_patch(plt.Rectangle((x - 0.5, y - 0.5), 1, 1, **box))
                continue
            mean, count = cells.loc[(d_model, train_size)]
            colour = mpl.colormaps["cividis"](mean)
            ax.add_patch(plt.Rectangle((x - 0.5, y - 0.5), 1, 1, facecolor=colour, lw=0))
            ink = "white" if mean < 0.55 else "black"
            ax.text(x, y + 0.08, f"{mean:.2f}", ha="center", va="center", color=ink, fontsize=9)
            ax.text(x, y - 0.3, f"{count:.0f}", ha="center", va="center", color=ink, fontsize=6)
    ax.set(
        xlim=(-0.5, len(train_sizes) - 0.5),
        ylim=(-0.5, len(d_models) - 0.5),
        xticks=range(len(train_sizes)),
        yticks=range(len(d_models)),
        xticklabels=train_sizes,
        yticklabels=d_models,
        xlabel="training points D",
        ylabel="d_model",
    )
    ax.grid(False)
    return figure


def _by_width(ax, runs: pd.DataFrame, cells: pd.DataFrame, value, colour, label, dash="-"):
    """One curve against width: mean, 95% band where there are seeds for one, seeds as dots."""
    cells = cells.reset_index().sort_values("d_model")
    band = cells.dropna(subset=["low", "high"])
    if len(band):
        ax.fill_between(band["d_model"], band["low"], band["high"], color=colour, alpha=0.16, lw=0)
    ax.plot(cells["d_model"], cells["mean"], dash, color=colour, lw=1.6, marker="o", ms=3.5)
    ax.plot([], [], dash, color=colour, lw=1.6, marker="o", ms=3.5, label=label)
    if len(cells) and cells["seeds"].max() > 1:
        ax.plot(runs["d_model"], runs[value], ".", color=colour, ms=3.5, alpha=0.45)


def accuracy_by_width(
    panels: dict[str, dict[str, tuple[pd.DataFrame, pd.DataFrame, str, str, str]]],
    d_models: Sequence[int],
) -> Figure:
    """Final accuracies against width, in panels (§4, figures 6 and 7).

    Args:
        panels: title -> label of a curve -> (runs, cells from `analysis.cell_means`, the
            column of the dots, a colour, a dash such as "-" or "--").
        d_models: all widths of the axis; one without runs leaves a gap that is hatched.
    """
    across = min(2, len(panels))
    rows = -(-len(panels) // across)
    figure, axes = plt.subplots(
        rows, across, figsize=(8.4 if across > 1 else 7, 2.9 * rows), sharey=True,
        layout="constrained", squeeze=False,
    )  # fmt: skip
    for ax, (title, curves) in zip(axes.flat, panels.items()):
        there = set()
        for label, (runs, cells, value, colour, dash) in curves.items():
            _by_width(ax, runs, cells, value, colour, label, dash)
            there |= set(runs["d_model"])
        _width_axis(ax, d_models, room=1.22 if across > 1 else 1.1)
        ax.set(title=title, ylim=(-0.04, 1.04))
        for width in set(d_models) - there:
            ax.axvspan(width * 0.97, width * 1.03, fc="white", ec=MISSING, hatch="////", lw=0)
        if not there:
            note = dict(ha="center", transform=ax.transAxes, backgroundcolor="white")
            ax.text(0.5, 0.5, "no runs stored", **note)
    for ax in axes[:, 0]:
        ax.set_ylabel("final accuracy")
    for ax in axes.flat[len(panels) :]:
        ax.remove()
    _legend(figure, axes)
    return figure


def capacity_by_width(
    points: pd.DataFrame, dots: pd.DataFrame, d_models: Sequence[int], pairs: tuple[int, int]
) -> Figure:
    """Memorization capacity against width, in both units (§2.3, figure 4).

    Args:
        points: from `analysis.capacities`.
        dots: one row a run: d_model, train_accuracy.
        d_models: all widths of the axis.
        pairs: how many unordered and ordered pairs there are.
    """
    unordered, ordered = pairs
    figure, ax = plt.subplots(figsize=(7, 3.8), layout="constrained")
    band = points.dropna(subset=["low", "high"])
    if len(band):
        ax.fill_between(band["d_model"], band["low"], band["high"], color=TRAIN, alpha=0.2, lw=0)
    ax.plot(points["d_model"], points["estimate"], "-o", color=TRAIN, lw=1.6, ms=4)
    ax.plot(dots["d_model"], dots["train_accuracy"] * unordered, ".", color=VAL, ms=4)
    _width_axis(ax, d_models)
    for width in set(d_models) - set(points["d_model"]):
        ax.axvspan(width * 0.97, width * 1.03, fc="white", ec=MISSING, hatch="////", lw=0)
    if points.empty:
        note = dict(ha="center", transform=ax.transAxes, backgroundcolor="white")
        ax.text(0.5, 0.5, "no runs stored", **note)
    ax.set(ylabel="capacity, unordered pairs", ylim=(0, unordered * 1.03))
    factor = ordered / unordered
    other = ax.secondary_yaxis("right", functions=(lambda v: v * factor, lambda v: v / factor))
    other.set_ylabel("the same, ordered pairs")
    return figure
