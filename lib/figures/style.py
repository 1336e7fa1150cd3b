"""Colours and style that all figures share, and the panels that they are drawn on."""

from collections.abc import Collection, Sequence

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

TRAIN, VAL = "#0072B2", "#D55E00"  # Okabe and Ito's blue and vermilion
WAVES, GREY, MISSING = "#009E73", "#666666", "#d0d0d0"
EMPTY = "no runs stored"

STYLE = {
    "figure.facecolor": "white",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "grid.color": "#e6e6e6",
    "font.size": 10,
    "svg.hashsalt": "grokking-companion",  # the same figure, the same bytes
}

SEED_STYLES = [
    dict(color="#0072B2", ls="-"),
    dict(color="#D55E00", ls="--"),
    dict(color="#009E73", ls="-."),
    dict(color="#CC79A7", ls=":"),
    dict(color="#000000", ls=(0, (5, 1))),
]
"""Okabe and Ito's colours, and a dash for each: seeds are told apart without colour too."""


def use_style() -> None:
    """Set matplotlib up for the book: vector output, quiet axes."""
    mpl.rcParams.update(STYLE)


def panels(rows: int, columns: int, size: tuple[float, float], **how) -> tuple[Figure, np.ndarray]:
    """A figure that pyplot does not know (a notebook shows it once), and its axes (rows, columns).

    Args:
        size: of the whole figure, in inches.
        how: `sharex`, `sharey`.
    """
    figure = Figure(figsize=size, layout="constrained")
    return figure, figure.subplots(rows, columns, squeeze=False, **how)


def grid_of(
    count: int, size: tuple[float, float], across: int = 2, ylabel: str = "", **how
) -> tuple[Figure, list[Axes]]:
    """A figure of `count` panels, `across` next to each other, and its axes.

    Args:
        size: width of the figure, height of a row of panels.
        ylabel: of the panels in the first column.
        how: `sharex`, `sharey`.
    """
    rows = max(1, -(-count // across))
    figure, axes = panels(rows, across, (size[0], size[1] * rows), **how)
    for ax in axes[:, 0]:
        ax.set_ylabel(ylabel)
    for ax in axes.flat[count:]:
        ax.remove()
    return figure, list(axes.flat[:count])


def note(ax: Axes, text: str = EMPTY) -> None:
    """Says in the middle of a panel why it is empty."""
    ax.text(0.5, 0.5, text, ha="center", transform=ax.transAxes, backgroundcolor="white")


def hatch(ax: Axes, wanted: Collection[float], there: Collection[float], part: float = 0.03):
    """Hatches the places on the x axis that lack runs; a note where all do."""
    for x in set(wanted) - set(there):
        span = x * (1 - part), x * (1 + part)
        ax.axvspan(*span, fc="white", ec=MISSING, hatch="////", lw=0)
    if not len(there):
        note(ax)


def width_axis(ax: Axes, d_models: Sequence[int], room: float = 1.1) -> None:
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


def epoch_axis(ax: Axes, ticks: int) -> None:
    """Epochs with separators, at so many places at most."""
    ax.set_xlabel("epoch")
    ax.xaxis.set_major_locator(mpl.ticker.MaxNLocator(ticks))
    ax.xaxis.set_major_formatter(mpl.ticker.StrMethodFormatter("{x:,.0f}"))


def legend(figure: Figure, ncols: int = 4) -> None:
    """One legend above all panels, each label once."""
    found = {}
    for ax in figure.axes:
        for handle, label in zip(*ax.get_legend_handles_labels()):
            found.setdefault(label, handle)
    if found:
        place = dict(loc="outside upper center", ncols=min(ncols, len(found)), frameon=False)
        figure.legend(found.values(), found.keys(), **place)
