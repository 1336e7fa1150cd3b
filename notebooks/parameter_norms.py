# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # Parameter norms
#
# Appendix A of {cite:t}`huang2024unified`, figure 9.
#
# Progression and grokking look alike in one respect: validation accuracy comes late. The paper
# tells them apart by the norm of all parameters. In grokking the network first memorizes, at
# a high norm, and then finds a rule that gives the same answers at a lower norm: the norm
# *falls* as it generalizes. In progression the network was too small to memorize; learning the
# rule lets it fit more of the data, and the norm *rises*.
#
# Both kinds are trained twice as long as the large grids: the paper's text on this
# figure speaks of epochs 30,000 to 40,000.

# %% tags=["remove-cell"]
import sys
from pathlib import Path

from lib.figures.curves import seed_curves

# A notebook opened in Jupyter starts in its own folder; the library is a level up.
sys.path.insert(0, str(next(p for p in [Path.cwd(), *Path.cwd().parents] if (p / "lib").is_dir())))

# %% tags=["parameters"]
progression = [8, 3000]  # d_model and training points of the paper's progression cell
grokking = [64, 3000]  # the same of its grokking cell
seeds = [0, 1, 2, 3, 4]  # one run each (the paper does not say how many it has)
epochs = 40000  # full-batch steps
lr = 0.003  # learning rate
weight_decay = 1.5  # of AdamW
train_missing = False  # true: train the runs that the store lacks

# %% tags=["hide-input"]
# %config InlineBackend.figure_formats = ["svg"]
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from IPython.display import Markdown

from lib.analysis import dynamics
from lib.analysis.dynamics import ZERO, zone
from lib.analysis.gather import gather
from lib.analysis.words import number
from lib.chapters.export import export
from lib.chapters.tables import ENOUGH, check_table, cost, table
from lib.figures import style
from lib.paper.experiments import EXPERIMENTS

style.use_style()
base = EXPERIMENTS["figure9"].base.replace(epochs=epochs, lr=lr, weight_decay=weight_decay)
cells = {"progression": tuple(progression), "grokking": tuple(grokking)}

# %% [markdown]
# ## Our figure 9

# %% tags=["hide-input"]
asked = [
    base.replace(d_model=d, train_size=size, seed=seed)
    for seed in seeds
    for d, size in cells.values()
]
found = gather(asked, train_missing)
export(found.curves, "figure9")
panels, rows, marks = {}, [], []
for name, (d, size) in cells.items():
    curves = found.curves
    curves = curves[(curves["d_model"] == d) & (curves["train_size"] == size)]
    title = f"{name}: d_model {d}, D = {size:,}"
    panels[title] = curves
    for seed, curve in curves.groupby("seed"):
        change, last = dynamics.norm_change(curve), curve.iloc[-1]
        before = after = None
        if np.isfinite(change):
            generalized = curve["val_accuracy"] >= 0.9 * last["val_accuracy"]
            after = curve.loc[generalized.idxmax()]
            before = curve[(curve["val_accuracy"] < ZERO) & (curve["epoch"] < after["epoch"])].iloc[
                -1
            ]
            marks += [dict(point, title=title) for point in (before, after)]
        rows.append(dict(name=name, seed=seed, zone=zone(curve), change=change, before=before,
                         after=after, val=last["val_accuracy"], norm=last["param_norm"]))  # fmt: skip
Markdown(found.provenance())

# %% tags=["hide-input"] mystnb={"image": {"alt": "Four panels: validation accuracy above and parameter norm below, against epoch; progression on the left, grokking on the right; one colour and dash for each seed, rings where generalization begins and where it is done."}, "figure": {"caption": "Figure 9 from our runs: validation accuracy and the norm of all parameters. Rings: the last evaluation before a run generalizes (validation accuracy below 0.1) and the first at nine tenths of its final value. [Data](data/figure9.csv).", "name": "fig-norms"}}
figure = seed_curves(
    panels,
    {"val_accuracy": "validation accuracy", "param_norm": "parameter norm"},
    pd.DataFrame(marks),
)
plt.close(figure)
figure

# %% [markdown]
# ## How much the norm changes while a run generalizes
#
# From ring to ring, as a logarithm: +0.1 is a rise by about a tenth. A run that does not
# generalize by epoch T has no such number, and neither has one without a time at which
# validation accuracy was below 0.1.

# %% tags=["hide-input"]


def at(point, column, form):
    return "–" if point is None else form.format(point[column])


Markdown(
    table(
        [
            "the paper's name",
            "our run",
            "seed",
            "validation by T",
            "from epoch",
            "to epoch",
            "norm before",
            "after",
            "log change",
            "at the end",
        ],
        [
            (
                r["name"],
                r["zone"],
                r["seed"],
                f"{r['val']:.3f}",
                at(r["before"], "epoch", "{:,.0f}"),
                at(r["after"], "epoch", "{:,.0f}"),
                at(r["before"], "param_norm", "{:.1f}"),
                at(r["after"], "param_norm", "{:.1f}"),
                number(r["change"], "{:+.2f}"),
                f"{r['norm']:.1f}",
            )
            for r in rows
        ],
        left=(0, 1),
    )  # fmt: skip
)

# %% [markdown]
# ## Against the paper's sentences
#
# A row needs three runs that generalize; [](verdicts.ipynb) asks for four, and for an interval.

# %% tags=["hide-input"]


def trend(name, sign):
    """The paper's sentence on one cell: our numbers, and whether every run has that sign."""
    own = [r["change"] for r in rows if r["name"] == name]
    known = [change for change in own if np.isfinite(change)]
    if not own:
        return "no run", None
    text = f"{len(known)} of {len(own)} runs generalize"
    if known:
        right = sum(sign * change > 0 for change in known)
        kind = "rises" if sign > 0 else "falls"
        text += f"; the norm {kind} in {right} of them; mean log change {np.mean(known):+.2f}"
    good = bool(np.all(sign * np.array(known) > 0))
    return text, good if len(known) >= ENOUGH else None


Markdown(
    check_table(
        [
            ("in progression the norm rises when generalization comes", *trend("progression", +1)),
            ("in grokking the norm falls", *trend("grokking", -1)),
        ]
    )
)

# %% [markdown]
# What happens inside, in the paper's account: weight decay pulls the norm down at all times,
# the loss pushes it up for as long as more of the data can be fitted. A network that knows its
# training set already has nothing left to push, and the cheaper rule wins by costing less.
# {cite:t}`varma2023explaining` call this efficiency: logit bought for a given norm.
#
# ## Rerun it

# %% tags=["hide-input"]
Markdown(cost(found.runs))

# %% [markdown]
# ```bash
# python -m lib run parameter_norms -p seeds "[0]" -o out.ipynb
# python -m lib run parameter_norms -p progression "[12, 3000]" -p seeds "[0]" -p train_missing true
# python -m lib sweep figure9 --dry-run
# ```
#
# The first shows what is stored. The second takes another width for progression and trains
# what that lacks, after an estimate. The third says what is missing of figure 9.
#
# Download {download}`this notebook, executed <parameter_norms.ipynb>`,
# {download}`its source <../../notebooks/parameter_norms.py>`, or
# {download}`the curves of figure 9 <data/figure9.csv>`.
