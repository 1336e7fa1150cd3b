"""How takeaway 3 is judged: whether the two curves tell the zones of figure 1 apart (§3).

From frames of runs to conditions (`lib.paper.criteria.rules`).
"""

import numpy as np
import pandas as pd

from lib.analysis import dynamics
from lib.analysis.words import number
from lib.analysis.zones import boundaries, capacity, critical
from lib.paper.criteria.rules import HALF, Finding, clustered, share

AGREE = 0.8
"""Share of cells in which a boundary has to tell what the runs do."""


def zones_agree(grid, dip_grid, random):
    """D_mem tells what comes first, and D_crit whether it ends well."""
    runs = pd.concat([grid, dip_grid]).drop_duplicates("key")
    runs = runs[runs["seed"].isin(set(grid["seed"]) & set(dip_grid["seed"]))]  # all sizes alike
    runs = runs.assign(zone=[dynamics.zone(curve) for curve in runs["curve"]])
    runs["facts"] = capacity.distinct_pairs(runs["train_size"])
    points = capacity.capacities(random).set_index("d_model")["estimate"]
    overfull = runs["facts"] > runs["d_model"].map(points)
    together = runs["zone"].isin(("progression", "unlearned"))
    placed = runs[~overfull].join(_place(runs, points), on=_CELL).dropna(subset="place")
    good, place = placed["val_accuracy"] >= dynamics.GENERALIZED, placed["place"]
    inside, first = place.abs() <= 1, _mostly(runs, together == overfull)
    return Finding((
        share("cells in which D_mem tells whether training is perfect before validation rises",
              first, 3, least=AGREE),
        share("cells outside the band around D_crit in which D_crit tells whether runs generalize",
              _mostly(placed[~inside], (good == (place > 0))[~inside]), 3, least=AGREE),
        clustered("runs with more facts to learn than D_mem that show progression",
                  runs["zone"][overfull] == "progression", _cells(runs[overfull]), "cells", 3,
                  least=HALF),
    ), "; ".join((_low_end(runs["zone"][overfull]), _neighbours(first),
                  _single_runs(runs, points, together, good[inside], place[inside]),
                  _straight(runs, together, placed[~inside], good[~inside]))),
    used=len(runs) + len(random))  # fmt: skip


def _low_end(zones: pd.Series) -> str:
    """The third number where what is unlearned counts as the low end of progression (§4.4)."""
    both = zones.isin(("progression", "unlearned"))
    return f"with the unlearned, perhaps progression's low end, {both.sum()} of {len(both)}"


def _neighbours(told: pd.Series) -> str:
    """Where D_mem tells wrong, and the share's interval if cells of a size may be alike.

    Said, and not judged: a fixed grid's rows are no draws, but its neighbours are alike.
    """
    sizes = told.index.get_level_values("train_size")
    whole, share_ = clustered("", told, sizes, "", 3, least=AGREE), share("", told, 3, least=AGREE)
    wrong = told[~told].index.to_frame(index=False).groupby("train_size")["d_model"]
    where = ", ".join(f"{size:,} (d {', '.join(map(str, own))})" for size, own in wrong)
    open_ = ", which does not settle it" * (whole.holds is None and share_.holds is not None)
    return (
        f"D_mem is wrong at {where or 'no cell'}; were cells of one training size taken to be as "
        f"alike as they look, the first share would be {whole.estimate}{open_}"
    )


def _single_runs(runs, points, together, good, place) -> str:
    """What is told of single runs, and decides nothing: zones, the band, another D_mem.

    The band lies where shares of these runs pass a tenth and nine tenths: that they lie between
    in it tests nothing.
    """
    counts = runs["zone"].value_counts()
    by_heart = (runs["zone"] == "ungrokking").groupby([runs["d_model"], runs["facts"]]).mean()
    by_heart = by_heart[by_heart > HALF].reset_index("facts")["facts"]
    held = by_heart.groupby(level=0).max().combine(points, np.fmax)
    inside, below, above, *known = (number(part.mean(), "{:.0%}") for part in (
        good, good[place < 0], good[place > 0],
        *((runs["facts"] > runs["d_model"].map(d_mem)) == together for d_mem in (points, held)),
    ))  # fmt: skip
    zones = ", ".join(f"{counts.get(zone, 0)} {zone}" for zone in dynamics.ZONES[:5])
    return (
        f"single runs: {zones}; in the band {inside} of {len(good)} generalize, {below} below "
        f"D_crit, {above} above it; D_mem as measured sorts {known[0]} of single runs rightly, and "
        f"{known[1]} where it counts as at least the largest training set that most runs knew by "
        "heart"
    )


def _straight(runs, together, placed, good) -> str:
    """What two straight lines would tell of the same cells, each chosen on them: told, too."""
    width, size = (
        max((_mostly(own, what == test(own[by], limit)) for limit in (0, *own[by].unique())),
            key=pd.Series.sum)
        for own, by, what, test in (
            (runs, "d_model", together, pd.Series.le), (placed, "train_size", good, pd.Series.gt),
        )
    )  # fmt: skip
    return (
        f"straight lines, each chosen on these cells: one width for all sizes tells "
        f"{width.sum()} of {len(width)}, one size for all widths {size.sum()} of {len(size)}"
    )


_CELL = ["d_model", "train_size"]


def _cells(runs) -> list[str]:
    """The cell of each run."""
    return [f"{d} {size}" for d, size in zip(runs["d_model"], runs["train_size"], strict=True)]


def _mostly(runs, agrees) -> pd.Series:
    """Whether most runs of a cell agree, cell by cell."""
    return agrees.groupby([runs[name] for name in _CELL]).mean() > HALF


def _place(runs, points) -> pd.Series:
    """Where each cell lies: (D − D_crit) over half the band; D_crit from the other cells."""
    runs, known = runs[[*_CELL, "val_accuracy"]], boundaries.fit_capacity(points.index, points)
    widths = {d: own for d, own in runs.groupby("d_model")}
    every = {d: critical.critical_point(own) for d, own in widths.items()}
    smallest, found = runs.groupby("d_model")["train_size"].min(), {}
    known_widths = pd.DataFrame(dict(d_model=list(every), bound=""))
    able = boundaries.usable(known_widths, known, smallest).to_numpy()  # as far as bounds let

    def fitted(points):
        return [d for d, ok in zip(points, able) if ok and not points[d][1]]

    for (d, size), _ in runs.groupby(_CELL):
        own = widths[d][widths[d]["train_size"] != size]
        others = every | {d: critical.critical_point(own)}
        used = fitted(others)
        curve = boundaries.fit_critical(used, [others[width][0] for width in used])
        found[d, size] = np.nan if curve is None else size - curve(d)
    spans = pd.Series([boundaries.span(widths[d]) for d in fitted(every)])
    return (pd.Series(found) / (spans.mean() / 2)).rename("place").rename_axis(_CELL)
