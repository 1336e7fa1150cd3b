"""Colours and style that all figures share."""

from collections.abc import Sequence

import matplotlib as mpl
import numpy as np
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


def _legend(figure: Figure, axes: np.ndarray, ncols: int = 4) -> None:
    """One legend above all panels, each label once."""
    found = {}
    for ax in axes.flat:
        for handle, label in zip(*ax.get_legend_handles_labels()):
            found.setdefault(label, handle)
    if found:
        place = dict(loc="outside upper center", ncols=min(ncols, len(found)), frameon=False)
        figure.legend(found.values(), found.keys(), **place)


SEED_STYLES = [
    dict(color="#0072B2", ls="-"),
    dict(color="#D55E00", ls="--"),
    dict(color="#009E73", ls="-."),
    dict(color="#CC79A7", ls=":"),
    dict(color="#000000", ls=(0, (5, 1))),
]
"""Okabe and Ito's colours, and a dash for each: seeds are told apart without colour too."""
