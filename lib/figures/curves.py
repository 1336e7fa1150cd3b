"""Training curves (figures 2, 5 and 9)."""

from collections.abc import Sequence

import matplotlib as mpl
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from lib.figures.style import SEED_STYLES, TRAIN, VAL, _legend


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
