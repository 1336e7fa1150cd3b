"""Pictures from tidy frames: nothing here trains, loads or decides anything.

Every function takes frames as `lib.store` gives them and returns a matplotlib figure.
Colours are safe for the colour-blind; cells without runs are drawn as missing.
"""

from collections.abc import Sequence

import matplotlib as mpl
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.figure import Figure

TRAIN, VAL = "#0072B2", "#D55E00"  # Okabe and Ito's blue and vermilion
MISSING = "#d0d0d0"

STYLE = {
    "figure.facecolor": "white",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "grid.color": "#e6e6e6",
    "font.size": 10,
    "svg.hashsalt": "grokking-companion",  # the same figure, the same bytes
}


def use_style() -> None:
    """Set matplotlib up for the book: vector output, quiet axes."""
    mpl.rcParams.update(STYLE)


def seeds_phrase(seeds: Sequence[int]) -> str:
    """[0, 1, 2] -> "seeds 0–2", for captions."""
    seeds = sorted({int(seed) for seed in seeds})
    if not seeds:
        return "no seeds"
    if len(seeds) > 1 and seeds == list(range(seeds[0], seeds[-1] + 1)):
        return f"seeds {seeds[0]}–{seeds[-1]}"
    return ("seed " if len(seeds) == 1 else "seeds ") + ", ".join(map(str, seeds))


def dynamics(panels: dict[str, pd.DataFrame]) -> Figure:
    """Training curves in panels, one a kind of dynamics (§2.2, figure 2).

    Args:
        panels: title -> curves with columns seed, epoch, train_accuracy, val_accuracy; the
            lowest seed is drawn in full, the others thin.  An empty frame is drawn as missing.
    """
    rows = -(-len(panels) // 2)
    figure, axes = plt.subplots(
        rows, 2, figsize=(8, 2.7 * rows), sharey=True, layout="constrained", squeeze=False
    )
    for ax, (title, curves) in zip(axes.flat, panels.items()):
        ax.set(title=title, xscale="symlog", xlabel="epoch", ylim=(-0.03, 1.03))
        if curves.empty:
            ax.text(0.5, 0.5, "no runs stored", ha="center", transform=ax.transAxes)
        for i, (_, curve) in enumerate(curves.groupby("seed")):
            weight = dict(lw=1.8) if i == 0 else dict(lw=0.8, alpha=0.55)
            for column, colour, name in (
                ("train_accuracy", TRAIN, "training"),
                ("val_accuracy", VAL, "validation"),
            ):
                label = name if i == 0 else None
                ax.plot(curve["epoch"], curve[column], color=colour, label=label, **weight)
    for ax in axes[:, 0]:
        ax.set_ylabel("accuracy")
    handles, labels = axes[0, 0].get_legend_handles_labels()
    if handles:
        figure.legend(handles, labels, loc="outside upper center", ncols=2, frameon=False)
    for ax in axes.flat[len(panels) :]:
        ax.remove()
    return figure


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


# ---- by width (figures 4, 6 and 7) -----------------------------------------------------


def _width_axis(ax, d_models: Sequence[int], room: float = 1.1) -> None:
    """Widths on a logarithmic axis; a label only where it is `room` times the one before."""
    widths = sorted(d_models) or [4, 100]
    # Factors of 0.93 and 1.08 leave room for markers at the ends.
    ax.set(xscale="log", xlabel="d_model", xlim=(widths[0] * 0.93, widths[-1] * 1.08))
    shown, last = [], 0.0
    for width in widths:
        if width >= last * room:
            shown, last = [*shown, width], width
    ax.set_xticks(shown, [str(width) for width in shown], fontsize=8)
    ax.set_xticks([], minor=True)


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


def _legend(figure: Figure, axes: np.ndarray, ncols: int = 4) -> None:
    """One legend above all panels, each label once."""
    found = {}
    for ax in axes.flat:
        for handle, label in zip(*ax.get_legend_handles_labels()):
            found.setdefault(label, handle)
    if found:
        place = dict(loc="outside upper center", ncols=min(ncols, len(found)), frameon=False)
        figure.legend(found.values(), found.keys(), **place)


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


def seed_curves(
    columns: dict[str, pd.DataFrame], rows: dict[str, str], marks: pd.DataFrame | None = None
) -> Figure:
    """Curves against epoch, a colour for each seed (figures 5 and 9).

    Args:
        columns: title of a column of panels -> curves with seed, epoch and the values.
        rows: name of a value's column -> its label; one row of panels each.
        marks: points to ring: title, seed, epoch, and the values' columns.
    """
    figure, axes = plt.subplots(
        len(rows), len(columns), figsize=(4.2 * max(len(columns), 1.7), 2.3 * len(rows)),
        sharex="col", sharey="row", layout="constrained", squeeze=False,
    )  # fmt: skip
    for i, (value, label) in enumerate(rows.items()):
        axes[i, 0].set_ylabel(label)
        for ax, (title, curves) in zip(axes[i], columns.items()):
            if i == 0:
                ax.set_title(title)
            if curves.empty:
                ax.text(0.5, 0.5, "no runs stored", ha="center", transform=ax.transAxes)
            for seed, curve in curves.groupby("seed"):
                style = SEED_STYLES[int(seed) % len(SEED_STYLES)]
                ax.plot(curve["epoch"], curve[value], lw=1.3, label=f"seed {seed}", **style)
                if marks is not None and len(marks):
                    own = marks[(marks["title"] == title) & (marks["seed"] == seed)]
                    ax.plot(own["epoch"], own[value], "o", mfc="white", ms=5, color=style["color"])
    for ax in axes[-1]:
        ax.set_xlabel("epoch")
        ax.xaxis.set_major_locator(mpl.ticker.MaxNLocator(4))
        ax.xaxis.set_major_formatter(mpl.ticker.StrMethodFormatter("{x:,.0f}"))
    _legend(figure, axes, ncols=6)
    return figure


SEED_STYLES = [
    dict(color="#0072B2", ls="-"),
    dict(color="#D55E00", ls="--"),
    dict(color="#009E73", ls="-."),
    dict(color="#CC79A7", ls=":"),
    dict(color="#000000", ls=(0, (5, 1))),
]
"""Okabe and Ito's colours, and a dash for each: seeds are told apart without colour too."""


def curves_by_width(
    curves: pd.DataFrame, d_models: Sequence[int], value: str, label: str, epochs: int
) -> Figure:
    """One value of every run against epoch, coloured by width; the last tenth is shaded.

    Widths are named at the right end of their highest curve, where there is room.
    """
    figure, ax = plt.subplots(figsize=(7, 4), layout="constrained")
    ax.axvspan(0.9 * epochs, epochs, color="#f0f0f0", lw=0, zorder=0)
    colours = mpl.colormaps["viridis"](np.linspace(0, 0.92, len(d_models)))
    ends = []
    for d_model, colour in zip(d_models, colours):
        own = curves[curves["d_model"] == d_model]
        for _, curve in own.groupby("seed"):
            ax.plot(curve["epoch"], curve[value], color=colour, lw=1)
        if len(own):
            ends.append((own.groupby("seed")[value].last().mean(), d_model, colour))
    last = -1.0
    for height, d_model, colour in sorted(ends, key=lambda end: end[:2]):
        if height >= last + 0.032:
            at = dict(xytext=(4, 0), textcoords="offset points", va="center", fontsize=8)
            ax.annotate(f"d = {d_model}", (epochs, height), color=colour, **at)
            last = height
    if curves.empty:
        ax.text(0.5, 0.5, "no runs stored", ha="center", transform=ax.transAxes)
    ax.set(xlabel="epoch", ylabel=label, ylim=(-0.03, 1.03), xlim=(0, epochs))
    return figure
