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

# %% tags=["remove-cell"]
try:
    from lib.chapters.page import Page, show
except ImportError as error:  # not installed; on Linux `lib` may even be the folder /lib
    error._render_traceback_ = lambda: ["This chapter runs in the project that it comes from: "
        "get it (the book's front page says where) and start `make lab` in its folder."]  # fmt: skip
    raise

# %% tags=["parameters", "hide-input"]
d_models = [4, 8, 12, 16, 20, 24, 28, 32, 36, 40, 44, 48, 56, 64, 100]  # model sizes
seeds = [0, 1, 2]  # one run each; figure 4's number of seeds
epochs = 20000  # full-batch steps
lr = 0.003  # learning rate
weight_decay = 1.5  # of AdamW
train_missing = False  # true: train the runs that the store lacks

# %% tags=["hide-input"]
# %matplotlib inline
# %config InlineBackend.figure_formats = ["svg"]
import numpy as np
from IPython.display import Markdown

from lib.analysis.emergence import n_parameters
from lib.analysis.words import bracket
from lib.analysis.zones.capacity import capacities
from lib.chapters.export import CAPACITY
from lib.data import all_pairs
from lib.figures.accuracy import capacity_by_width
from lib.figures.curves import curves_by_width
from lib.paper.experiments import EXPERIMENTS

page = Page("memorization_capacity", train_missing, epochs=epochs, lr=lr, weight_decay=weight_decay)
base = EXPERIMENTS["figure4"].base
a, b = all_pairs(base.modulus)
ordered, unordered = base.n_pairs, int((a <= b).sum())

page.opening("takeaway 2")

# %% [markdown]
# How much can a network of a given size learn by heart? The paper gives every pair $(a, b)$ a
# random label, the same one for $(a, b)$ and $(b, a)$, and trains on all 12,769 pairs. There is no
# rule to find: whatever the network answers correctly, it has memorized, but for the one pair in
# 113 that guessing gets right. The accuracy that it
# reaches stands for its capacity. We multiply it by the number of pairs, which the paper does not, to
# count what is known. The paper finds that it grows with size and hardly differs between seeds.
#
# ## One network, two units
#
# Mirrored pairs share their label, so the pairs hold fewer facts than their number says
# (footnote 3 of the paper).

# %% tags=["hide-input"]
found = page.runs("figure4", d_model=d_models, seed=seeds)
runs, points = found.runs, capacities(found.runs)
twice = ordered / unordered  # mirrored pairs counted twice
shown = points.rename(columns=CAPACITY).assign(
    **{new.replace("unordered", "ordered"): points[old] * twice for old, new in CAPACITY.items()}
)
page.export(shown, "figure4", "by width")
page.export_runs(runs, "figure4_runs", "by run")
Markdown(
    f"With modulus {base.modulus} there are {ordered:,} ordered pairs and {unordered:,} "
    "unordered ones. Capacity is accuracy times the one number or the other. The left axis "
    "counts unordered pairs, as all of this book does where capacity meets the size of a "
    "training set; the right axis counts ordered ones, the unit of the paper's training sizes."
)

# %% tags=["hide-input"] mystnb={"image": {"alt": "Memorization capacity against d_model on a logarithmic axis: mean with a band and a dot for each run; unordered pairs on the left axis, ordered pairs on the right. It rises with width until it holds all pairs, and seeds lie close together, least so just below the width that holds all."}, "figure": {"caption": "Pairs with random labels that a network has memorized by epoch T. Line: mean over seeds; band: Student's 95% interval; dots: single runs. Data: [by width](data/figure4.csv), [by run](data/figure4_runs.csv).", "name": "fig-capacity"}}
capacity_by_width(points, runs, d_models, (unordered, ordered))

# %% tags=["hide-input"]
page.beside(4, found, paper_seeds=EXPERIMENTS["figure4"].seeds)

# %% [markdown]
# The same in numbers. The last column divides by the number of parameters: how many facts a
# thousand parameters hold. Where accuracy nears 1 the task is too small to fill the network,
# and capacity is only bounded from below.

# %% tags=["hide-input"]
header = ["d_model", "accuracy", "unordered pairs", "95% interval", "ordered pairs", "seeds",
          "facts per 1,000 params"]  # fmt: skip
rows = []
for row in shown.itertuples():
    held = row.capacity_unordered / n_parameters(row.d_model, modulus=base.modulus) * 1000
    rows.append((row.d_model, f"{row.accuracy:.3f}", f"{row.capacity_unordered:,.0f}",
                 bracket(row.capacity_unordered_low, row.capacity_unordered_high, "{:,.0f}").strip() or "–",
                 f"{row.capacity_ordered:,.0f}", row.seeds,
                 f"{'≥ ' * (row.accuracy >= 0.99)}{held:.0f}"))  # fmt: skip
show(header, rows)

# %% [markdown]
# ## Has it settled?
#
# This is a capacity only if longer training would not add to it. Below: accuracy over the
# epochs, for every width.

# %% tags=["hide-input"]
curves = found.curves
columns = ["d_model", "seed", "epoch", "train_accuracy", "train_loss"]
page.export(curves, "figure4_curves", "the curves", columns)


def part(curve, start):
    """Mean training accuracy over a tenth of the training."""
    at = np.linspace(start, start + 0.1, 100) * epochs
    return np.interp(at, curve["epoch"], curve["train_accuracy"]).mean()


drift = {
    d: max((part(curve, 0.9) - part(curve, 0.8) for _, curve in own.groupby("seed")), key=abs)
    for d, own in curves.groupby("d_model")
}

# %% tags=["hide-input"] mystnb={"image": {"alt": "Training accuracy on random labels against epoch, one colour for each width from narrow to wide, a thin line for each seed. Wider networks learn more of them, and sooner."}, "figure": {"caption": "Training accuracy on random labels over the epochs, one line a run. The shaded part is the last tenth of the training. [Data](data/figure4_curves.csv).", "name": "fig-capacity-curves"}}
curves_by_width(curves, d_models, "train_accuracy", "training accuracy", epochs)

# %% [markdown]
# The *drift* of a width compares mean accuracy over the last tenth of the training with that over
# the tenth before it, for the seed where it is largest. A width has settled where it is below 0.01.
# (The drift was added after the runs were known. Judged by its last evaluation alone, which may
# fall into one of the brief drops of the figure, two widths would count as unsettled.)

# %% tags=["hide-input"]
settled = sum(abs(value) < 0.01 for value in drift.values())
Markdown(
    f"{settled} of {len(drift)} widths have settled; the largest drift is "
    f"{max(map(abs, drift.values())):.3f}."
    if drift
    else "No run is stored."
)

# %% [markdown]
# ## Against the paper's sentences

# %% tags=["hide-input"]
page.verdicts("takeaway 2", "capacity is sharp")

# %% tags=["hide-input"]
steps = zip(points.itertuples(), points.iloc[1:].itertuples())
falls = [f"{p.d_model} to {n.d_model}" for p, n in steps if n.estimate < p.estimate]
Markdown(
    f"From width to width the mean capacity falls: {', '.join(falls)}."
    if falls
    else "From width to width the mean capacity never falls."
)

# %% [markdown]
# Capacity here is capacity *under this recipe*. Weight decay charges for every fact that a
# network holds, so a stronger one should lower the curve; we have not measured it at another
# weight decay. [](recipe.ipynb) shows how the rest moves.
#
# Why it rises at all: a random label follows from nothing, so each one has to be kept in the
# parameters, and a wider network has more of them.
#
# Why it matters: in [](framework_zones.ipynb) this curve is one of the two boundaries. A network
# whose capacity is below the size of its training set seldom memorizes it. It is no hard limit:
# capacity is what a network keeps, under weight decay, when it is offered more facts than fit; a
# training set somewhat larger than that may still be learned whole ([](verdicts.ipynb), takeaway
# 3).
#
# ## Rerun it

# %% [markdown]
# ```bash
# python -m lib run memorization_capacity -p d_models "[8, 16, 32]" -p seeds "[0]" -o out.ipynb
# python -m lib run memorization_capacity -p d_models "[4]" -p epochs 5000 -p train_missing true \
#     -o out.ipynb
# python -m lib sweep figure4 --dry-run
# ```
#
# The first shows what is stored. The second trains the narrowest width anew, for a shorter
# time, after an estimate. The third says what is missing of figure 4 and what that costs.

# %% tags=["hide-input"]
page.end()
