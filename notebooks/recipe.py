# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # The recipe
#
# What {cite:t}`huang2024unified` leave open, what we chose, and what would change with another
# choice.
#
# The paper states the task, the model's form and the optimizer. It does not state the learning
# rate, the weight decay, the number of epochs, the batch size or the initial weights, and it
# publishes no code. [](../method.md) lists what is whose. These values are not details: which
# of the four dynamics a network shows *by epoch T* depends on them.
#
# So we tried some. **The recipe of this book was chosen on cells such as those below**: pairs of
# model size and training size of which the paper says what happens, with seeds from 1,000 on,
# which no other figure of the book uses. Those first trials were few and are not stored; the
# runs below make the comparison again, in the open. A recipe that was picked because it fits
# these cells is no evidence for the paper when it fits them. The other cells and the other seeds
# are.

# %% tags=["remove-cell"]
import sys
from pathlib import Path

# A notebook opened in Jupyter starts in its own folder; the library is a level up.
sys.path.insert(0, str(next(p for p in [Path.cwd(), *Path.cwd().parents] if (p / "lib").is_dir())))

# %% tags=["parameters"]
recipes = [
    "recipe-3e-3-1.0",
    "recipe-3e-3-1.5",
    "recipe-3e-3-2.0",
    "recipe-1e-3-1.5",
]  # of lib.paper.experiments
seeds = [1000, 1001, 1002]  # one run each
checkpoints = [5000, 10000, 20000]  # epochs at which the runs are looked at
deep_seeds = [1000, 1001]  # of the trials with depth
train_missing = False  # true: train the runs that the store lacks

# %% tags=["hide-input"]
# %config InlineBackend.figure_formats = ["svg"]
import matplotlib.pyplot as plt
import pandas as pd
from IPython.display import Markdown

from lib.analysis.dynamics import GENERALIZED, best_on_the_way, zone
from lib.analysis.gather import Gathered, gather
from lib.analysis.words import bracket, number, span
from lib.chapters.export import export
from lib.chapters.stories import depth
from lib.chapters.stories.precision import alike, lateness, two_precisions
from lib.chapters.tables import cost, table
from lib.figures import accuracy, style
from lib.figures.accuracy import within
from lib.paper.experiments import EXPERIMENTS
from lib.paper.mixtures import DEPTHS, RECIPES_DEEP
from lib.paper.recipe import RECIPE, STATED
from lib.runs.store import Store

style.use_style()
names = {name: EXPERIMENTS[name].base for name in recipes}
names = {name: f"lr\xa0{base.lr:g}, wd\xa0{base.weight_decay:g}" for name, base in names.items()}
cells = list(STATED)

# %% [markdown]
# ## What the paper says of twelve cells
#
# The ranges are our reading of its words.

# %% tags=["hide-input"]


def stated(cell):
    low, high, _ = STATED[cell]
    if high == 1.0:
        return f"at least {low:g}"
    return f"below {high:g}" if low == 0 else f"from {low:g} to below {high:g}"


Markdown(
    table(
        ["d_model", "D", "the paper", "mean final validation accuracy"],
        [(d, f"{size:,}", words, stated((d, size))) for (d, size), (*_, words) in STATED.items()],
        left=(2, 3),
    )
)

# %% [markdown]
# ## Recipes against cells

# %% tags=["hide-input"]
found = {name: gather(EXPERIMENTS[name].specs(seeds), train_missing) for name in recipes}
shown = {key: zone(c) for g in found.values() for key, c in g.curves.groupby("key")}
every = pd.concat([g.runs.assign(recipe=name) for name, g in found.items()])
export(
    every[["recipe", "lr", "weight_decay", "d_model", "train_size", "seed", "epoch", "train_accuracy",
           "val_accuracy", "param_norm", "key"]].assign(zone=[shown[k] for k in every["key"]]),
    "recipes",
)  # fmt: skip
Markdown("\n".join(f"* {names[name]}: {g.provenance()}" for name, g in found.items()))

# %% tags=["hide-input"] mystnb={"image": {"alt": "A table of recipes down and twelve stated cells across, coloured and labelled by mean final validation accuracy, with the single seeds below and a tick or a cross for inside or outside the range that the paper states. Hatched: no run."}, "figure": {"caption": "Mean final validation accuracy by recipe (lr: learning rate; wd: weight decay) and cell; below it the single seeds. A tick: in the range that the paper states; a cross: outside; hatched: no run stored. [Data](data/recipes.csv).", "name": "fig-recipes"}}
figure = accuracy.recipe_grid({names[n]: g.runs for n, g in found.items()}, cells, STATED)
plt.close(figure)
figure

# %% [markdown]
# The score of a recipe: in how many of the cells that have all their seeds the mean lies in the
# stated range. A cell that lacks a seed counts as missing, not as a failure.

# %% tags=["hide-input"]


def score(values):
    """(cells in range, cells with all seeds) from a Series by (d_model, train_size, seed)."""
    whole = values.groupby(level=["d_model", "train_size"]).agg(["mean", "size"])
    whole = whole[whole["size"] >= len(set(seeds))]
    hits = [within(row["mean"], STATED[cell]) for cell, row in whole.iterrows() if cell in STATED]
    return sum(hits), len(hits)


def at_epoch(gathered, epoch):
    """Validation accuracy of every run by an epoch; a run that ended before counts as it ended."""
    known = gathered.curves[gathered.curves["epoch"] <= epoch].sort_values("epoch")
    return known.groupby(["d_model", "train_size", "seed"])["val_accuracy"].last()


def words(hits, of):
    if not of:
        return "missing"
    return f"{hits} of {of}" + (f", {len(cells) - of} missing" if of < len(cells) else "")


scores = {
    (name, epoch): score(at_epoch(found[name], epoch)) for name in recipes for epoch in checkpoints
}
Markdown(
    table(
        ["learning rate", "weight decay", *(f"by epoch {e:,}" for e in checkpoints)],
        [
            (
                f"{EXPERIMENTS[n].base.lr:g}",
                f"{EXPERIMENTS[n].base.weight_decay:g}",
                *(words(*scores[n, e]) for e in checkpoints),
            )
            for n in recipes
        ],
        left=(),
    )  # fmt: skip
)

# %% tags=["hide-input"]
ours = f"learning rate {RECIPE['lr']:g}, weight decay {RECIPE['weight_decay']:g}"
complete = {n: scores[n, max(checkpoints)] for n in recipes}
complete = {n: hits for n, (hits, of) in complete.items() if of == len(cells)}
text = f"This book uses {ours}, {RECIPE['epochs']:,} epochs."
if complete:
    most = max(complete.values())
    best = [names[n] for n, hits in complete.items() if hits == most]
    text += (
        f" Of the {len(complete)} recipes with all their runs, the best score by epoch "
        f"{max(checkpoints):,} is {most} of {len(cells)}: {'; '.join(best)}."
    )
    mine = [n for n in complete if EXPERIMENTS[n].base.lr == RECIPE["lr"]
            and EXPERIMENTS[n].base.weight_decay == RECIPE["weight_decay"]]  # fmt: skip
    if mine and names[mine[0]] not in best:
        text += f" The book's own reaches {complete[mine[0]]}."
else:
    text += " No recipe has all its runs yet, so there is no score to compare."
Markdown(text)

# %% [markdown]
# ## Which statements survive a change of recipe?
#
# Each cell, over the recipes that have all its seeds.

# %% tags=["hide-input"]
rows = []
for d, size in cells:
    means = {}
    for name in recipes:
        own = found[name].runs
        own = own[(own["d_model"] == d) & (own["train_size"] == size)]["val_accuracy"]
        if len(own) >= len(set(seeds)):
            means[name] = own.mean()
    held = sum(within(mean, STATED[d, size]) for mean in means.values())
    verdict = (
        "missing"
        if not means
        else "in all"
        if held == len(means)
        else "in none"
        if not held
        else "in some"
    )
    rows.append((d, f"{size:,}", STATED[d, size][2], f"{held} of {len(means)}" if means else "–",
                 verdict, span(means.values())))  # fmt: skip
Markdown(
    table(["d_model", "D", "the paper", "recipes in range", "it holds", "means"], rows, left=(2, 4))
)

# %% [markdown]
# ## How the zones move
#
# The same runs by what their own curves show: how many runs of each recipe are in which zone
# by three epochs T. (The rules are in [](framework_zones.ipynb).)

# %% tags=["hide-input"]
order = ["progression", "ungrokking", "semi-grokking", "grokking", "unlearned", "diverged"]
rows = []
for name in recipes:
    curves = found[name].curves
    for T in checkpoints if len(curves) else []:
        kinds = [zone(own) for _, own in curves[curves["epoch"] <= T].groupby("key")]
        rows.append((names[name], f"{T:,}", *(kinds.count(kind) for kind in order)))
there = [kind for kind, *counts in zip(order, *(row[2:] for row in rows)) if any(counts)]
rows = [(*row[:2], *(n for kind, n in zip(order, row[2:]) if kind in there)) for row in rows]
Markdown(table(["recipe", "by epoch", *there], rows))

# %% [markdown]
# And when: the epoch at which a run first reaches a validation accuracy of 0.95. Recipes are
# compared with the book's, over the cells and seeds that get there under both: how many times as
# many epochs they take, in the middle of these. If time went as one over learning rate times
# weight decay, the last two columns would be the same.

# %% tags=["hide-input"]
cell = ["d_model", "train_size", "seed"]
times = {}
for name in recipes:
    own = found[name].curves
    times[name] = own[own["val_accuracy"] >= GENERALIZED].groupby(cell)["epoch"].min()
usual = next((n for n in recipes if EXPERIMENTS[n].base == EXPERIMENTS["figure3"].base), None)
rows = []
for name in recipes:
    base, own = EXPERIMENTS[name].base, found[name].runs
    ratio = (times[name] / times[usual]).dropna() if usual else pd.Series(dtype=float)
    expected = RECIPE["lr"] * RECIPE["weight_decay"] / (base.lr * base.weight_decay)
    rows.append((names[name], f"{len(times[name])} of {len(own)}", len(ratio),
                 number(ratio.median()), number(expected)))  # fmt: skip
Markdown(
    table(
        ["recipe", "runs that generalize", "in common", "times as long", "as 1 / (lr × wd)"], rows
    )
)

# %% [markdown]
# In the paper's terms, weight decay is the price of a large norm. Where it is low, nothing
# presses a network to give up what it has memorized. Where it is high, memorizing is dear, and
# one expects generalizing to pay with less data; the two tables above say how far our runs bear
# that out. One expects $D_{\mathrm{mem}}$ to sink, too; that we have not measured, as no other
# recipe has runs on random labels. "By epoch T" cuts through all of it: a cell that has not
# generalized may only be slow.
#
# ## What makes depth train
#
# [](multitask_emergence.ipynb) has models of several layers. The book's model has no LayerNorm,
# and weight decay is strong; does that train, stacked four or eight deep? To try are the plain
# model and
#
# * a warm-up: the learning rate rises linearly over the first 200 epochs;
# * scaled residuals: $W_O$ and $W_{\mathrm{out}}$ start smaller by $\sqrt{2 \cdot \text{layers}}$, as
#   in GPT-2;
# * pre-LayerNorm: a LayerNorm before every sublayer and before the unembedding, without gain and
#   bias (the matrix behind it has them, and weight decay would pull a gain to 0).
#
# One layer stands beside them: what helps depth should not change what one layer does. A small
# modulus, and seeds that no figure uses. The best accuracy on the way is shown, too, as a run may
# happen to end where it has just fallen back. The last line was tried after the others, because
# of such falls: a third of the learning rate, for three times the epochs.

# %% tags=["hide-input"]
trial = EXPERIMENTS["deep_recipe"].base
deep = gather(EXPERIMENTS["deep_recipe"].specs(deep_seeds), train_missing)
export(
    deep.runs[["modulus", "train_size", "d_model", "n_layers", "norm", "residual", "warmup", "seed",
               "status", "epoch", "train_accuracy", "val_accuracy", "param_norm", "key"]],
    "deep_recipe",
)  # fmt: skip


def reached(name, layers):
    """Training and validation accuracy of one choice and depth, seed by seed, by the last epoch."""
    keys = depth.keys_of(name, layers, deep_seeds).values()
    own = deep.runs[deep.runs["key"].isin(keys)].sort_values("seed")
    best = best_on_the_way(deep.curves)
    lines = [
        f"{r.train_accuracy:.2f} / {r.val_accuracy:.2f} ({best[r.key]:.2f})"
        for r in own.itertuples()
    ]
    return "<br>".join(lines) or "–"


Markdown(
    table(
        ["", *(f"{layers} layer{'s' * (layers > 1)}" for layers in DEPTHS)],
        [(name, *(reached(name, layers) for layers in DEPTHS)) for name in RECIPES_DEEP],
    )
    + f"\n\nTraining / validation accuracy (the best on the way), a line for each seed; modulus {trial.modulus}, "
    f"{trial.train_size} training points, d_model {trial.d_model}. {deep.provenance()}"
)

# %% tags=["hide-input"]
Markdown("\n".join(f"* {says}" for says in [*depth.which_train(deep.runs, deep_seeds),
                                            depth.falls(deep.curves, deep.runs)]))  # fmt: skip

# %% [markdown]
# What was chosen, against the plain model:

# %% tags=["hide-input"]
Markdown(
    table(depth.PLAIN_HEADER, depth.against_plain(deep.runs, deep_seeds))
    + f"\n\nThe deep models of this book use **{depth.CHOSEN}**, at every size of a figure, one layer "
    "included: nothing but the size changes along its axis (the paper's sizes train for "
    f"{EXPERIMENTS['figure8'].base.epochs:,} epochs). " + depth.verdict(deep.runs, deep_seeds)
)

# %% [markdown]
# ## Does rounding matter?
#
# The paper does not state its precision. Ours is float32. On some servers the products can be
# made of bfloat16 instead ([](../method.md)): six of them are as exact as float32 (bf16x6); three
# round to 17 significant bits instead of 24 (bf16x3), still finer than the TF32 of a GPU. The
# engine for GPUs can make each product one of bfloat16 (bf16), whose operands and results have 8.
# Training is chaotic, so after some hundred epochs two precisions are two different runs, as two seeds
# are. The question is whether one of them generalizes later. Below are the runs that are stored in
# float32 and in another precision; a run that generalizes stops, so its last epoch says when.

# %% tags=["hide-input"]
store = Store()
both = two_precisions(store)
again = store.runs()
again = again[again["key"].isin(both["key"])]
export(both, "rounding")
rows = [
    (r.precision, r.d_model, f"{r.train_size:,}", r.seed, f"{r.val_float32:.3f}", f"{r.val:.3f}",
     f"{r.epoch_float32:,}", f"{r.epoch:,}")
    for r in both.itertuples()
]  # fmt: skip
header = ["precision", "d_model", "D", "seed", "validation, float32", "validation", "last epoch, float32",
          "last epoch"]  # fmt: skip
words = [f"In float32: {Gathered(again, again.iloc[:0], len(again)).provenance()}"]
for precision, own in both.groupby("precision"):
    later = own[own["epoch"] != own["epoch_float32"]]
    factor, low, high = lateness(own)
    words.append(
        f"{precision}: {alike(own)} of {len(own)} runs generalize in both or in neither; of "
        f"{len(later)} that end at different epochs, {(later['epoch'] > later['epoch_float32']).sum()} "
        "end later than in float32. Where both generalize, the last epoch is "
        f"{number(factor)}{bracket(low, high)} times float32's (geometric mean; 95% over seeds)."
    )
Markdown("\n\n".join([*words, table(header, rows)]) if rows else
         "*No run is stored in two precisions.*")  # fmt: skip

# %% [markdown]
# ## Rerun it

# %% tags=["hide-input"]
Markdown(cost(every, deep.runs))

# %% [markdown]
# ```bash
# python -m lib run recipe -p recipes "['recipe-3e-3-1.5']" -p seeds "[1000]" -o out.ipynb
# python -m lib sweep recipe-3e-3-1.0 recipe-3e-3-1.5 recipe-3e-3-2.0 recipe-1e-3-1.5 --dry-run
# python -m benchmarks.rounding figure3 --precision bf16x3 --seeds 0:1 --widths 64
# python -m benchmarks.rounding figure3 --precision bf16 --device cuda --seeds 0:1
# ```
#
# The first shows what is stored of one recipe and one seed. The second says what is missing and
# what it costs. The third trains stored runs again with rounded products, where the processor
# can; the fourth does so in bf16, on a GPU. A recipe of your own is a line in `RECIPES` in `lib/paper/experiments.py`.
#
# Download {download}`this notebook, executed <recipe.ipynb>`,
# {download}`its source <../../notebooks/recipe.py>`, or
# {download}`the runs <data/recipes.csv>`,
# {download}`those in two precisions <data/rounding.csv>`.
