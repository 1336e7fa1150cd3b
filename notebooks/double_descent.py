# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # Double descent
#
# Sections 4.1 and 4.2 of {cite:t}`huang2024unified`, figure 6.
#
# Keep the data, make the network wider. One expects validation accuracy to rise. The paper
# reports that with 3,000 training points it rises, falls and rises again: *double
# descent* by model size {cite:p}`nakkiran2020deep,belkin2019reconciling`. With 2,600 points it
# falls to zero, and no network of its figure groks yet; with 4,000 or 5,000 it only rises.
#
# The paper's account: a narrow network cannot memorize its training set, so it has to
# generalize what it can (*progression*). A wider one can memorize everything, and with little
# data memorizing is the cheaper way (*ungrokking*): validation accuracy falls to zero. A wider
# one still needs less data to generalize, and does so after memorizing (*grokking*). With
# plenty of data the middle stage is missing, and so is the dip.

# %% tags=["remove-cell"]
import sys
from pathlib import Path

# A notebook opened in Jupyter starts in its own folder; the library is a level up.
sys.path.insert(0, str(next(p for p in [Path.cwd(), *Path.cwd().parents] if (p / "lib").is_dir())))

# %% tags=["parameters"]
d_models = [4, 8, 12, 16, 20, 24, 28, 32, 36, 40, 44, 48, 56, 64, 100]  # model sizes
train_sizes = [2600, 3000, 4000, 5000]  # training points, a panel each
seeds = [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10]  # one run each; the paper's number of seeds
epochs = 20000  # full-batch steps
long_seeds = [0, 1, 2]  # one run each of the narrow networks that are trained three times as long
lr = 0.003  # learning rate
weight_decay = 1.5  # of AdamW
train_missing = False  # true: train the runs that the store lacks

# %% tags=["hide-input"]
# %config InlineBackend.figure_formats = ["svg"]
import matplotlib.pyplot as plt
import pandas as pd
from IPython.display import Markdown

from lib.analysis import descent, statistics
from lib.analysis.dynamics import GENERALIZED, PERFECT, ZERO
from lib.analysis.gather import gather
from lib.analysis.words import bracket, number
from lib.analysis.zones import boundaries
from lib.chapters.export import export_runs
from lib.chapters.tables import check_table, cost, enough, holds, say, table
from lib.figures import accuracy, style
from lib.paper.experiments import EXPERIMENTS
from lib.widgets.explorers import accuracy_explorer

style.use_style()
base = EXPERIMENTS["figure6"].base.replace(epochs=epochs, lr=lr, weight_decay=weight_decay)

# %% [markdown]
# ## Our figure 6

# %% tags=["hide-input"]
asked = [
    base.replace(d_model=d, train_size=size, seed=seed)
    for seed in seeds
    for size in train_sizes
    for d in d_models
]
found = gather(asked, train_missing)
runs = found.runs
export_runs(runs, "figure6")
val = statistics.cell_means(runs)
train = statistics.cell_means(runs, "train_accuracy")


def curves(size):
    """What a panel shows: training and validation accuracy of one training size."""
    own = runs[runs["train_size"] == size]

    def at(cells):
        return cells[cells.index.get_level_values("train_size") == size]

    return {
        "training": (own, at(train), "train_accuracy", style.TRAIN, "--"),
        "validation": (own, at(val), "val_accuracy", style.VAL, "-"),
    }


Markdown(found.provenance(paper_seeds=EXPERIMENTS["figure6"].seeds))

# %% tags=["hide-input"] mystnb={"image": {"alt": "One panel for each training size: final training and validation accuracy against d_model on a logarithmic axis, mean over seeds with a band, and a dot for each run. Hatched widths have no run."}, "figure": {"caption": "Figure 6 from our runs: final accuracy against width, by epoch T. Lines: mean over seeds; bands: Student's 95% interval, from three seeds on; dots: single runs; hatched: no run stored. [Data](data/figure6.csv).", "name": "fig-double-descent"}}
figure = accuracy.accuracy_by_width(
    {f"D = {size:,}": curves(size) for size in train_sizes}, d_models
)
plt.close(figure)
figure

# %% [markdown]
# Read a panel from left to right. Where the dashed training curve is below 1, the network
# could not memorize its training set by epoch T. Where it is at 1 and the validation curve is
# at the bottom, the network memorized and did not generalize.
#
# Single runs are all or nothing near a boundary: a mean of 0.4 is rarely five runs at 0.4.
# The dots show it.
#
# ## How deep is the dip?
#
# The depth of a dip is the first peak of the mean curve less the valley after it, as far as
# the curve rises again. It is 0 for a curve that never falls. It cannot be negative, so
# noise alone makes it positive: compare the rows with each other. The interval is a bootstrap
# over whole seeds, those that have every width.

# %% tags=["hide-input"]
dips = {
    size: descent.mean_dip(statistics.by_width(runs[runs["train_size"] == size]).reindex(
        columns=sorted(d_models))) for size in train_sizes
}  # fmt: skip
Markdown(
    table(
        ["D", "depth", "95% interval", "first peak at d_model", "valley at d_model", "whole seeds"],
        [
            (
                f"{size:,}",
                number(dip.depth),
                bracket(dip.low, dip.high).strip() or "–",
                number(dip.peak, "{:.0f}"),
                number(dip.valley, "{:.0f}"),
                dip.seeds,
            )
            for size, dip in dips.items()
        ],
    )  # fmt: skip
)

# %% [markdown]
# ## Model-wise grokking
#
# The paper sees grokking along the axis of width, too: with little data, training accuracy is
# perfect at a certain width, and validation accuracy only at a far larger one. With 4,000 and
# 5,000 points the two widths coincide. Below: the smallest width from which on the mean
# accuracy stays at 0.99 (training) or 0.95 (validation).

# %% tags=["hide-input"]


def reach(cells, size, level):
    """The smallest width from which on every mean is at `level`; None if there is none."""
    smallest = None
    for d in sorted(d_models, reverse=True):
        if not enough(cells, [(d, size)]) or cells.loc[(d, size), "mean"] < level:
            break
        smallest = d
    return smallest


complete = {size: enough(val, [(d, size) for d in d_models]) for size in train_sizes}
reached = {
    size: (reach(train, size, PERFECT), reach(val, size, GENERALIZED))
    for size in train_sizes
    if complete[size]
}


def word(width):
    return f"{width}" if width else f"beyond {max(d_models)}"


def factor(size):
    """How many times wider a network has to be to generalize than to memorize."""
    return reached[size][1] / reached[size][0] if all(reached.get(size, [None])) else None


Markdown(
    table(
        ["D", "training perfect from d_model", "validation perfect from d_model"],
        [
            (f"{size:,}", *map(word, reached[size]))
            if size in reached
            else (f"{size:,}", "not enough runs", "not enough runs")
            for size in train_sizes
        ],
    )  # fmt: skip
)

# %% [markdown]
# ## Against the paper's sentences
#
# A row needs three seeds in every cell that it speaks of. [](verdicts.ipynb) asks for more,
# and for a test, before it gives a verdict.

# %% tags=["hide-input"]
wide = [d for d in (44, 48, 56, 64, 100) if d in d_models]
zero = [d for d in (24, 28, 32, 36, 40) if d in d_models]


def depth_of(size):
    """A dip in words, and the dip where every width has enough seeds."""
    dip = dips.get(size)
    if dip is None or not dip.seeds:
        return "no seed with every width", None
    text = f"depth {dip.depth:.2f}{bracket(dip.low, dip.high)}"
    if dip.depth > 0:
        text += f", valley at {dip.valley:.0f}"
    return (
        f"{text}; {dip.seeds} whole seed{'s' * (dip.seeds != 1)}",
        dip if dip.seeds >= 3 else None,
    )


def factor_words(*sizes):
    words = [
        f"{size:,}: {factor(size):.2g}×" if factor(size) else f"{size:,}: not within these widths"
        for size in sizes
        if size in reached
    ]
    return "width to generalize over width to memorize: " + (", ".join(words) or "not enough runs")


rows = []
if 2600 in train_sizes:
    rows += [
        ("at 2,600: zero validation accuracy for d 24–40", say(val, [(d, 2600) for d in zero]),
         holds(val, [(d, 2600) for d in zero], lambda v: v < ZERO)),
        ("at 2,600: no grokking yet in this range of sizes (footnote 2)",
         say(val, [(d, 2600) for d in wide]),
         holds(val, [(d, 2600) for d in wide], lambda v: v < 0.5)),
    ]  # fmt: skip
if 3000 in train_sizes:
    text, dip = depth_of(3000)
    beyond = [d for d in d_models if dip and dip.depth > 0 and d >= dip.peak]
    floor = say(val, [(d, 3000) for d in beyond])
    rows += [
        ("at 3,000: a dip around d 28–36", text,
         None if dip is None else bool(dip.depth >= 0.2 and 28 <= dip.valley <= 36)),
        ("at 3,000: no ungrokking stage any more", floor if beyond else text,
         (True if dip and not beyond else holds(val, [(d, 3000) for d in beyond], lambda v: v >= ZERO))),
    ]  # fmt: skip
for size in (4000, 5000):
    if size in train_sizes:
        text, dip = depth_of(size)
        rows.append((f"at {size:,}: monotone, no double descent", text,
                     None if dip is None else bool(dip.depth < 0.1)))  # fmt: skip
if {3000, 4000, 5000} <= set(train_sizes):
    known = [factor(size) for size in (3000, 4000, 5000)]
    rows.append(
        ("model-wise grokking with little data, here 3,000; it disappears at 4,000 and 5,000",
         factor_words(*train_sizes),
         None if None in known else bool(known[0] >= 2 and max(known[1:]) <= 1.5))
    )  # fmt: skip
Markdown(check_table(rows))

# %% [markdown]
# "No ungrokking stage" is read as: from the first peak on, no width has a mean below 0.1.
# "Disappears" is read as: at 3,000 the width that generalizes is at least twice the one that
# memorizes, at 4,000 and 5,000 at most 1.5 times. The paper sees no grokking with 2,600 points, so
# they are not asked.
#
# The paper says where double descent ends: with more data than at the intersection of the two
# curves of [](framework_zones.ipynb), progression passes straight into grokking.

# %% tags=["hide-input"]
recipe = dict(lr=lr, weight_decay=weight_decay, epochs=epochs)
known = [
    gather([spec.replace(**recipe) for spec in EXPERIMENTS[name]]).runs  # what is stored of it
    for name in ("figure3", "figure6", "figure4")
]
crossed = boundaries.measure(pd.concat(known[:2]).drop_duplicates("key"), known[2])
if crossed.star:
    _, ends = crossed.star_intervals()
    place = f"at {crossed.star[1]:,.0f} training points{bracket(*ends, '{:,.0f}')}"
    text = (
        f"Ours lies {place}. Depth of the dip below and above it: "
        + ", ".join(
            f"{size:,}: {number(dips[size].depth)}{bracket(dips[size].low, dips[size].high)}"
            for size in sorted(train_sizes)
        )
        + "."
    )
else:
    text = "The stored runs do not tell where the two curves cross."
Markdown(text)

# %% [markdown]
#
# ## Later, or never?
#
# Every outcome is "by epoch T": a network that sits on a plateau when the training ends may leave
# it later. `figure6_long` is runs of narrow networks taken on for
# three times as long. Where the curves differ, the shape of figure 6 is a matter of patience.

# %% tags=["hide-input"]
grid = EXPERIMENTS["figure6_long"]
longer = gather(
    [
        base.replace(**point, epochs=3 * epochs, seed=seed)
        for seed in long_seeds
        for point in grid.points()
        if point["train_size"] in train_sizes and point["d_model"] in d_models
    ]
)  # long runs: `python -m lib sweep figure6_long` trains them, this page never does
export_runs(longer.runs, "figure6_long")
Markdown(longer.provenance())

# %% tags=["hide-input"] mystnb={"image": {"alt": "A panel for each of two training sizes: final validation accuracy against d_model for the narrow networks, by epoch T dashed and after three times as many epochs solid, with a dot for each run."}, "figure": {"caption": "Final validation accuracy of the narrow networks by epoch T (dashed) and by 3 T (solid), same seeds. Lines: mean over seeds; bands: Student's 95% interval, from three seeds on; dots: single runs; hatched: no run stored. [Data](data/figure6_long.csv).", "name": "fig-double-descent-long"}}
narrow = [d for d in grid.axes["d_model"] if d in d_models]
same = runs[runs["seed"].isin(long_seeds) & runs["d_model"].isin(narrow)]


def by_length(size):
    """What a panel shows: validation accuracy by T and by 3 T."""
    parts = {"by T": (same, style.TRAIN, "--"), "by 3 T": (longer.runs, style.VAL, "-")}
    shown = {}
    for label, (frame, colour, dash) in parts.items():
        own = frame[frame["train_size"] == size]
        shown[label] = own, statistics.cell_means(own), "val_accuracy", colour, dash
    return shown


sizes = [size for size in grid.axes["train_size"] if size in train_sizes]
figure = None
if sizes and narrow:
    figure = accuracy.accuracy_by_width(
        {f"D = {size:,}": by_length(size) for size in sizes}, narrow
    )
    plt.close(figure)
figure

# %% tags=["hide-input"]
pair = ["d_model", "train_size", "seed"]
both = same.merge(longer.runs[[*pair, "val_accuracy"]], on=pair, suffixes=("", "_long"))
short = both[both["val_accuracy"] < GENERALIZED]
late = int((short["val_accuracy_long"] >= GENERALIZED).sum())
lost = int(
    ((both["val_accuracy"] >= GENERALIZED) & (both["val_accuracy_long"] < GENERALIZED)).sum()
)
Markdown(
    f"Of the {len(short)} runs that are below {GENERALIZED:g} by epoch {epochs:,}, {late} are at "
    f"or above it by epoch {3 * epochs:,}; of the {len(both) - len(short)} that are there by then, "
    f"{lost} fall back below it."
    if len(both)
    else "No run was trained on yet, so this is open."
)

# %% [markdown]
# ## One training size after the other
#
# Move the slider, or use the arrow keys on it. It works in this page without a kernel.

# %% tags=["hide-input"]
fallback = accuracy.accuracy_by_width(
    {f"D = {size:,}": curves(size) for size in train_sizes}, d_models
)
accuracy_explorer(runs, fallback=fallback)

# %% [markdown]
# ## Rerun it

# %% tags=["hide-input"]
Markdown(cost(runs, longer.runs))

# %% [markdown]
# ```bash
# python -m lib run double_descent -p train_sizes "[3000]" -p seeds "[0]" -o out.ipynb
# python -m lib run double_descent -p weight_decay 2.0 -p seeds "[0]" -p train_missing true
# python -m lib sweep figure6 figure6_long --seeds 0:3 --dry-run
# ```
#
# The first takes seconds: it shows what is stored. The second trains one run for each cell
# that the store lacks; it prints an estimate for your machine first and can be interrupted
# without loss. The third says what is missing of both figures and what that costs.
#
# Download {download}`this notebook, executed <double_descent.ipynb>`,
# {download}`its source <../../notebooks/double_descent.py>`, or
# {download}`the runs of figure 6 <data/figure6.csv>`,
# {download}`the longer runs <data/figure6_long.csv>`.
