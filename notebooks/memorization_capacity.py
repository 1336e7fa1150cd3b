# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # Memorization capacity
#
# Section 2.3 of {cite:t}`huang2024unified`, figure 4.
#
# How much can a network of a given size learn by heart? The paper gives every pair $(a, b)$
# a random label, the same one for $(a, b)$ and $(b, a)$, and trains on all 12,769 pairs.
# There is no rule to find: whatever the network answers rightly, it has memorized. The
# accuracy it reaches is its capacity, and the paper finds that it grows with size and hardly
# differs between seeds.

# %% tags=["remove-cell"]
import sys
from pathlib import Path

from lib.figures.accuracy import capacity_by_width
from lib.figures.curves import curves_by_width

# A notebook opened in Jupyter starts in its own folder; the library is a level up.
sys.path.insert(0, str(next(p for p in [Path.cwd(), *Path.cwd().parents] if (p / "lib").is_dir())))

# %% tags=["parameters"]
d_models = [4, 8, 12, 16, 20, 24, 28, 32, 36, 40, 44, 48, 56, 64, 100]  # model sizes
seeds = [0, 1, 2]  # one run each; figure 4's number of seeds
epochs = 20000  # full-batch steps
lr = 0.003  # learning rate
weight_decay = 1.5  # of AdamW
train_missing = False  # true: train the runs that the store lacks

# %% tags=["hide-input"]
# %config InlineBackend.figure_formats = ["svg"]
import matplotlib.pyplot as plt
import numpy as np
from IPython.display import Markdown

from lib.analysis.emergence import n_parameters
from lib.analysis.gather import gather
from lib.analysis.words import bracket, number
from lib.analysis.zones import capacity
from lib.chapters.export import export, export_runs
from lib.chapters.tables import check_table, cost, table
from lib.data import all_pairs
from lib.figures import style
from lib.paper.experiments import EXPERIMENTS

style.use_style()
base = EXPERIMENTS["figure4"].base.replace(epochs=epochs, lr=lr, weight_decay=weight_decay)
a, b = all_pairs(base.modulus)
ordered, unordered = base.n_pairs, int((a <= b).sum())

# %% [markdown]
# ## One network, two units
#
# Mirrored pairs share their label, so the pairs hold fewer facts than their number says
# (footnote 3 of the paper).

# %% tags=["hide-input"]
asked = [base.replace(d_model=d, seed=seed) for seed in seeds for d in d_models]
found = gather(asked, train_missing)
runs = found.runs
points = capacity.capacities(runs)
shown = points.assign(
    estimate_ordered=points["accuracy"] * ordered,
    low_ordered=points["low"] / unordered * ordered,
    high_ordered=points["high"] / unordered * ordered,
)
export(shown, "figure4")
export_runs(runs, "figure4_runs")
Markdown(
    f"With modulus {base.modulus} there are {ordered:,} ordered pairs and {unordered:,} "
    "unordered ones. Capacity is accuracy times the one number or the other. The left axis "
    "counts unordered pairs, as all of this book does where capacity meets the size of a "
    "training set; the right axis counts ordered ones, the paper's reading.\n\n"
    + found.provenance(paper_seeds=EXPERIMENTS["figure4"].seeds)
)

# %% tags=["hide-input"] mystnb={"image": {"alt": "Memorization capacity against d_model on a logarithmic axis: mean with a band and a dot for each run; unordered pairs on the left axis, ordered pairs on the right."}, "figure": {"caption": "Figure 4 from our runs: pairs with random labels that a network has memorized by epoch T. Line: mean over seeds; band: Student's 95% interval; dots: single runs; hatched: no run stored. Data: [by width](data/figure4.csv), [by run](data/figure4_runs.csv).", "name": "fig-capacity"}}
figure = capacity_by_width(points, runs, d_models, (unordered, ordered))
plt.close(figure)
figure

# %% [markdown]
# The same in numbers. The last column divides by the number of parameters: how many facts a
# thousand parameters hold. Where accuracy nears 1 the task is too small to fill the network,
# and capacity is only bounded from below.

# %% tags=["hide-input"]


def parameters(d):
    """Parameters of the one-layer model of a width, in thousands."""
    return n_parameters(d, modulus=base.modulus) / 1000


Markdown(
    table(
        [
            "d_model",
            "accuracy",
            "unordered pairs",
            "95% interval",
            "ordered pairs",
            "seeds",
            "facts per 1,000 params",
        ],
        [
            (
                f"{row.d_model:.0f}",
                f"{row.accuracy:.3f}",
                f"{row.estimate:,.0f}",
                bracket(row.low, row.high, "{:,.0f}").strip() or "–",
                f"{row.estimate_ordered:,.0f}",
                row.seeds,
                ("≥ " if row.accuracy >= 0.99 else "")
                + f"{row.estimate / parameters(row.d_model):.0f}",
            )
            for row in shown.itertuples()
        ],
    )  # fmt: skip
)

# %% [markdown]
# ## Has it settled?
#
# A capacity is only one if longer training would not add to it. Below: accuracy over the
# epochs, for every width.

# %% tags=["hide-input"]
curves = found.curves
export(curves[["d_model", "seed", "epoch", "train_accuracy", "train_loss"]], "figure4_curves")
rows, worst = [], 0.0
for d in d_models:
    own = curves[curves["d_model"] == d]
    if own.empty:
        continue
    ends, changes, drifts = [], [], []
    for _, curve in own.groupby("seed"):
        epoch, accuracy = curve["epoch"], curve["train_accuracy"]
        ends.append(accuracy.iloc[-1])
        changes.append(ends[-1] - np.interp(0.9 * epochs, epoch, accuracy))
        last, before = (np.interp(np.linspace(a, a + 0.1, 100) * epochs, epoch, accuracy).mean()
                        for a in (0.9, 0.8))  # fmt: skip
        drifts.append(last - before)
    change, drift = max(changes, key=abs), max(drifts, key=abs)
    worst = max(worst, abs(drift))
    rows.append((d, len(ends), f"{np.mean(ends):.3f}", f"{change:+.4f}", f"{drift:+.4f}",
                 "settled" if abs(drift) < 0.01 else "**still moving**"))  # fmt: skip

# %% tags=["hide-input"] mystnb={"image": {"alt": "Training accuracy on random labels against epoch, one colour for each width from narrow to wide, a thin line for each seed."}, "figure": {"caption": "Training accuracy on random labels over the epochs, one line a run. The shaded part is the last tenth of the training. [Data](data/figure4_curves.csv).", "name": "fig-capacity-curves"}}
figure = curves_by_width(curves, d_models, "train_accuracy", "training accuracy", epochs)
plt.close(figure)
figure

# %% [markdown]
# Two measures, each of the seed where it is largest. The *change* is that of the last evaluation
# since nine tenths of the training; a single evaluation may fall into one of the brief drops that
# the figure shows. The *drift* compares the mean over the last tenth of the training with that
# over the tenth before it. "Settled" means a drift of less than 0.01. (The drift was added when
# the runs were there: by their last evaluation alone two widths would count as unsettled.)

# %% tags=["hide-input"]
Markdown(
    table(["d_model", "seeds", "accuracy by epoch T", "largest change", "largest drift", ""], rows)
)

# %% [markdown]
# ## Against the paper's sentences

# %% tags=["hide-input"]
enough = len(points) == len(d_models) and bool((points["seeds"] >= 3).all())
falls = [
    f"{p.d_model:.0f} to {n.d_model:.0f}"
    for p, n in zip(points.itertuples(), list(points.itertuples())[1:])
    if n.estimate < p.estimate
]
half = ((points["high"] - points["estimate"]) / unordered).max()
gain = "no run" if points.empty else (
    f"accuracy from {points['accuracy'].iloc[0]:.2f} (d = {points['d_model'].iloc[0]}) "
    f"to {points['accuracy'].iloc[-1]:.2f} (d = {points['d_model'].iloc[-1]}); "
    + (f"falls from {', '.join(falls)}" if falls else "no step down")
)  # fmt: skip
Markdown(
    check_table(
        [
            ("capacity rises with model size", gain, not falls if enough else None),
            (
                "the 95% interval is narrow (ours: ±0.05 in accuracy at most)",
                f"widest: ±{number(half, '{:.3f}')}",
                bool(half <= 0.05) if enough else None,
            ),
            (
                "(ours) the runs have settled by epoch T",
                f"largest drift: {worst:.3f}" if rows else "no run",
                bool(worst < 0.01) if enough else None,
            ),
        ]
    )  # fmt: skip
)

# %% [markdown]
# Capacity here is capacity *under this recipe*. Weight decay charges for every fact that a
# network holds, so a stronger one should lower the curve; we have not measured it at another
# weight decay. [](recipe.ipynb) shows how the rest moves.
#
# Why it rises at all: a random label follows from nothing, so each one has to be kept in the
# parameters, and a wider network has more of them.
#
# Why it matters: in [](framework_zones.ipynb) this curve is one of the two boundaries. A
# network whose capacity is below the size of its training set cannot memorize it.
#
# ## Rerun it

# %% tags=["hide-input"]
Markdown(cost(runs))

# %% [markdown]
# ```bash
# python -m lib run memorization_capacity -p d_models "[8, 16, 32]" -p seeds "[0]" -o out.ipynb
# python -m lib run memorization_capacity -p d_models "[4]" -p epochs 5000 -p train_missing true
# python -m lib sweep figure4 --dry-run
# ```
#
# The first shows what is stored. The second trains the narrowest width anew, for a shorter
# time, after an estimate. The third says what is missing of figure 4 and what that costs.
#
# Download {download}`this notebook, executed <memorization_capacity.ipynb>`,
# {download}`its source <../../notebooks/memorization_capacity.py>`, or its data:
# {download}`by width <data/figure4.csv>`, {download}`by run <data/figure4_runs.csv>`,
# {download}`the curves <data/figure4_curves.csv>`.
