"""Colours and style that all figures share, and the panels that they are drawn on.

A colour and a dash mean one thing in every figure and widget: blue and solid is training,
vermilion and dashed validation; grey is addition alone, purple its square.
"""

import base64
import io
from collections.abc import Collection, Sequence

import matplotlib as mpl
import numpy as np
from IPython import get_ipython
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, NullFormatter

from lib.paper.criteria import rules

TRAIN, VAL = "#0072B2", "#D55E00"  # Okabe and Ito's blue and vermilion
WAVES, GREY, MISSING = "#009E73", "#666666", "#d0d0d0"
ADD, SQUARE = GREY, "#882E9C"
DASHES = {"train_accuracy": "-", "val_accuracy": "--"}
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

_SEEDS = {TRAIN: "-", VAL: "--", WAVES: "-.", "#CC79A7": ":", "#000000": (0, (5, 1))}
SEED_STYLES = [dict(color=colour, ls=dash) for colour, dash in _SEEDS.items()]
"""Okabe and Ito's colours, and a dash for each: seeds are told apart without colour too."""


def seed_style(seed: int) -> dict:
    """Colour and dash of a seed's line; of 25 seeds no two have both alike."""
    count = len(SEED_STYLES)
    return SEED_STYLES[seed % count] | {"ls": SEED_STYLES[(seed + seed // count) % count]["ls"]}


PHONE = 4.0
"""Inches: a figure so wide has letters of 9 pixels or more on a phone."""

CARRIED = '<metadata id="phone">'
"""Before the narrow form of a figure (base64), which its SVG carries for phones; the book's build
takes it out (`book/_ext/pictures.py`)."""


def use_style() -> None:
    """Set matplotlib up for the book: quiet axes; in a notebook, vector output for all screens."""
    mpl.rcParams.update(STYLE)
    if shell := get_ipython():
        shell.display_formatter.formatters["image/svg+xml"].for_type(Figure, for_all_screens)


def for_all_screens(figure: Figure, ground: bool = False) -> str:
    """A figure as SVG which carries its form for phones.

    That is the figure that `figure.phone` makes, where there is one.  Panels of a figure that says
    `figure.stacks` (`panels` does) go below each other; another one keeps its form and scrolls.

    Args:
        ground: whether it has a white ground of its own, for pages that are not the book's.
    """
    wide, narrow = _svg(figure, ground), figure
    if hasattr(figure, "phone"):
        narrow = figure.phone()
    elif getattr(figure, "stacks", False):
        _stack(figure)
    else:
        return wide
    carried = base64.b64encode(_svg(narrow, ground).encode()).decode()
    return wide.replace("</svg>", f"{CARRIED}{carried}</metadata>\n</svg>")


def _svg(figure: Figure, ground: bool) -> str:
    buffer = io.StringIO()
    how = dict(format="svg", transparent=not ground, bbox_inches="tight", metadata={"Date": None})
    figure.savefig(buffer, **how)
    return buffer.getvalue()


def _stack(figure: Figure) -> None:
    """Puts the panels of a figure below each other, as wide as a phone."""
    axes = [ax for ax in figure.axes if ax.get_subplotspec() is not None]
    old = axes[0].get_gridspec()
    height = figure.get_figheight() / old.nrows
    grid = figure.add_gridspec(len(axes), 1)
    for i, ax in enumerate(axes):
        ax.set_title(ax.get_title() or axes[i % old.ncols].get_title(), fontsize=9)
        ax.set_xlabel(ax.get_xlabel() or axes[-1].get_xlabel())
        ax.set_ylabel(ax.get_ylabel() or axes[i - i % old.ncols].get_ylabel())
        ax.set_subplotspec(grid[i])
        ax.tick_params(labelleft=True, labelbottom=True)
        _thin(ax)
    tall = max(height, 2.6) * len(axes)
    if figure.legends:
        labels = [text.get_text() for text in figure.legends[0].get_texts()]
        figure.legends[0].remove()
        columns = 1 if max(map(len, labels)) > 23 else 2
        legend(figure, ncols=columns)
        tall += 0.2 * -(-len(labels) // columns)
    figure.set_size_inches(PHONE, tall)


def _thin(ax: Axes) -> None:
    """Takes away labels of a logarithmic x axis that would touch where it is as wide as a phone."""
    if ax.get_xscale() != "log" or not isinstance(ax.xaxis.get_major_locator(), FixedLocator):
        return
    low, high = np.log(ax.get_xlim())
    points = 72 * (PHONE - 0.9) / (high - low)
    labels = dict(sorted(zip(ax.get_xticks().tolist(), ax.get_xticklabels())))
    kept, ends = {}, -np.inf
    for place, label in labels.items():
        letters = 2 if label.get_rotation() else len(label.get_text())
        half, at = 0.3 * label.get_fontsize() * letters + 2, points * (np.log(place) - low)
        if at - half >= ends:
            kept[place], ends = label, at + half
    if kept:
        how = {name: getattr(label, f"get_{name}")() for name in ("fontsize", "rotation")}
        minor = {*ax.get_xticks(minor=True), *labels} - set(kept)
        ax.xaxis.set_minor_formatter(NullFormatter())
        ax.set_xticks(list(kept), [label.get_text() for label in kept.values()], **how)
        ax.set_xticks(sorted(minor), minor=True)


def panels(
    rows: int, columns: int, size: tuple[float, float], stacks: bool = True, **how
) -> tuple[Figure, np.ndarray]:
    """A figure that pyplot does not know (a notebook shows it once), and its axes (rows, columns).

    Args:
        size: of the whole figure, in inches.
        stacks: whether its panels may go below each other on a phone.
        how: `sharex`, `sharey`.
    """
    figure = Figure(figsize=size, layout="constrained")
    figure.stacks = stacks
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
        ax.axvspan(x * (1 - part), x * (1 + part), fc="white", ec=MISSING, hatch="////", lw=0)
    if not len(there):
        note(ax)


def width_axis(ax: Axes, d_models: Sequence[int], room: float = 1.1) -> None:
    """Widths on a logarithmic axis: a tick for each, a label where there is `room` for it."""
    widths = sorted(d_models) or [4, 100]
    # Factors of 0.93 and 1.08 leave room for markers at the ends.
    ax.set(xscale="log", xlabel="d_model", xlim=(widths[0] * 0.93, widths[-1] * 1.08))
    shown, last = [], 0.0
    for width in widths:
        if width >= last * room:
            shown, last = [*shown, width], width
    ax.set_xticks(shown, [str(width) for width in shown], fontsize=8)
    ax.set_xticks(sorted(set(widths) - set(shown)), minor=True)
    ax.tick_params(axis="x", which="minor", length=3.5, labelbottom=False)


def jitter(x: np.ndarray, seeds: np.ndarray, part: float) -> np.ndarray:
    """Places x, moved apart by seed within ±`part` of themselves: equal outcomes stay visible."""
    known, rank = np.unique(np.asarray(seeds, int), return_inverse=True)
    most = len(known) - 1
    return np.asarray(x, float) * (1 + 2 * part * (rank - most / 2) / max(most, 1))


def shares(ax: Axes, runs, by: str, level: float, colour: str, shift: float = 0.0) -> None:
    """The share of seeds that end at `level` or above, with exact 95% intervals, by a column.

    Args:
        runs: final states with val_accuracy.
        by: the column of the x axis.
        shift: moves the bars, as a part of x, beside another curve's.
    """
    said = f"share of seeds ≥ {level:g}, exact 95%"
    for x, cell in runs.groupby(by):
        if len(cell) < 3:
            continue
        found = rules.share("", cell["val_accuracy"] >= level)
        at = x * (1 + shift)
        ax.plot([at, at], [found.low, found.high], color=colour, lw=4, alpha=0.2, zorder=1,
                solid_capstyle="butt")  # fmt: skip
        ax.plot(at, found.value, "D", ms=4, mfc="#fefefe", mec=colour, mew=1.1, zorder=3)
    ax.plot([], [], "D", ms=4, mfc="#fefefe", mec=GREY, label=said)


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
