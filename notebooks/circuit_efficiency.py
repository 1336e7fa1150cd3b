# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # Circuit efficiency
#
# {cite:t}`huang2024unified` stand on {cite:t}`varma2023explaining`, who look for two *circuits*
# in one network: one that memorizes the training set, one that computes the rule. Both lower
# the training loss. Weight decay makes the network pay for the norm of its weights, so the
# circuit that buys more logit for its norm, the more *efficient* one, wins in the end. A rule
# costs the same whatever the number of examples; a list of examples costs more as it grows. So
# there is a training size, $D_{crit}$, from which on the rule is the cheaper one. Four
# predictions follow:
#
# 1. **P1.** The norm that memorizing needs rises with $D$; the norm that generalizing needs does
#    not depend on it.
# 2. **P2.** $D_{crit}$ does not move with the strength of weight decay: it taxes both alike.
# 3. **P3, ungrokking.** A network that has generalized loses its rule when it is trained on with
#    less data than $D_{crit}$.
# 4. **P4, semi-grokking.** Near $D_{crit}$ a network gets stuck at a moderate validation accuracy.
#
# The numbers are ours, not theirs. Varma et al. state the second of a network that had
# generalized and is trained on: what is left then does not depend on weight decay. We test that,
# and the same of networks from scratch, which they do not claim.
#
# :::{warning}
# *Ungrokking* has two meanings. In the rest of this book it is Huang et al.'s: a network that,
# trained from scratch, never generalizes. In this chapter it is Varma et al.'s: a network that
# had generalized and loses it.
# :::
#
# Varma et al. use a network of width 128. We use one width that two cores can carry, and our
# own recipe; everything here is "by epoch T".

# %% tags=["remove-cell"]
import sys
from pathlib import Path

from lib.analysis.dynamics import GENERALIZED, ZERO, first_epoch, zone
from lib.analysis.zones.critical import critical_size, critical_sizes
from lib.figures.accuracy import success_by_size
from lib.figures.style import TRAIN, VAL, use_style

# A notebook opened in Jupyter starts in its own folder; the library is a level up.
sys.path.insert(0, str(next(p for p in [Path.cwd(), *Path.cwd().parents] if (p / "lib").is_dir())))

# %% tags=["parameters"]
d_model = 48  # the one width of this chapter
memorized_sizes = [300, 400, 600, 800, 1200, 1600, 2000, 2400, 2800]  # random labels (P1)
generalized_sizes = [4000, 5000, 6500, 8500, 11000]  # enough data to generalize early (P1)
calm_memorized = [300, 600, 1200, 2000, 2800]  # the same at a lower learning rate (P1)
calm_generalized = [5000, 7500, 11000]
calm_lr = 0.001
calm_epochs = 12000
decays = [1.0, 1.5, 2.0]  # weight decays (P2)
decay_sizes = [2000, 2400, 2800, 3200, 3600, 4000]  # training sizes for them (P2)
lost_sizes = [150, 200, 300, 400, 500, 600, 700, 800, 1000, 1400]  # continued at every decay (P2)
kept_sizes = [2000, 2600, 3000]  # continued, too (P3); all of these also from scratch
semi_sizes = [2600, 2800, 3000, 3200]  # around D_crit (P4)
seeds = [0, 1, 2, 3, 4]  # one run each; P1 and the look inside have three
epochs = 20000  # full-batch steps; P4 trains five times as long
lr = 0.003  # learning rate
weight_decay = 1.5  # of AdamW, but for P2
train_missing = False  # true: train the runs that the store lacks

# %% tags=["hide-input"]
# %config InlineBackend.figure_formats = ["svg"]
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from IPython.display import Markdown

from lib.analysis import efficiency
from lib.analysis.gather import gather
from lib.analysis.words import bracket, mean_words, number, span
from lib.chapters.export import export
from lib.chapters.report import claims_table
from lib.chapters.tables import cost, table
from lib.circuits.fourier import measure
from lib.circuits.handbuilt import fourier_network
from lib.circuits.measures import gather_measures
from lib.circuits.simulation import Setting, simulate, times_of
from lib.data import build
from lib.figures import circuits
from lib.paper.circuits import DYNAMICS_CELLS, LONG
from lib.paper.claims import judge
from lib.paper.criteria.circuits import CLAIMS
from lib.paper.experiments import EXPERIMENTS
from lib.runs.store import Store
from lib.spec import RunSpec
from lib.widgets.explorers import RACE, competition

use_style()
few = seeds[:3]  # P1 and the look inside
subset_sizes = [*lost_sizes, *kept_sizes]


def specs_of(name, cells, chosen, **changes):
    """The specs of an experiment with this chapter's parameters: one for each cell and seed."""
    usual = dict(d_model=d_model, lr=lr, weight_decay=weight_decay, init_from=None)
    base = EXPERIMENTS[name].base.replace(**usual | changes)
    return [base.replace(**cell).with_seed(seed) for seed in chosen for cell in cells]


def sizes(values, **more):
    return [dict(train_size=size, **more) for size in values]


# %% [markdown]
# ## P1: efficiency against data
#
# To see memorization alone, labels are random (the same for $(a, b)$ and $(b, a)$, as in
# {doc}`memorization_capacity`): there is nothing else to do. To see generalization alone, there is
# so much data that networks generalize within some thousand epochs. What is compared is the
# *norm needed*: the norm of all parameters at which a run settles with a training loss of at
# most 0.001 nats, the median over its last fifth. A generalizing run counts while its validation
# accuracy is at 0.95 or above.
#
# The generalizing networks train for 6,000 epochs. They are trained a second time, for as many
# epochs as the memorizing ones; this was added when the first runs were there and some of them
# had not settled. Nor had some of these: at this learning rate the loss of many runs keeps
# leaping up (the table's column "restless"). So both kinds were trained a third time at a third of
# the learning rate, at fewer sizes, after a trial with another seed. The figure shows the first
# and the third; the next table and the verdicts have all of them, under one criterion.

# %% tags=["hide-input"]
memorized = gather(
    specs_of("circuits_memorize", sizes(memorized_sizes), few, epochs=epochs), train_missing
)
generalized = gather(specs_of("circuits_generalize", sizes(generalized_sizes), few), train_missing)
settled = gather(
    specs_of("circuits_settle", sizes(generalized_sizes), few, epochs=epochs), train_missing
)
calm = {
    task: gather(
        specs_of("circuits_calm", sizes(own, task=task), few, lr=calm_lr, epochs=calm_epochs),
        train_missing,
    )
    for task, own in (("random", calm_memorized), ("add", calm_generalized))
}
decay_cells = [
    dict(weight_decay=w, epochs=round(epochs * weight_decay / w), train_size=size,
         stop_after=EXPERIMENTS["figure3"].base.stop_after)
    for w in decays for size in decay_sizes
]  # fmt: skip
decayed = gather(specs_of("circuits_decay", decay_cells, seeds), train_missing)
whole = gather(specs_of("figure3", sizes(range(2000, 4001, 200)), seeds, epochs=epochs)).runs
critical = critical_sizes(whole).iloc[0] if len(whole) else None
MEM, GEN = "memorizing (random labels)", "generalizing"
SETTLED = "generalizing, equally long"
MEM_CALM, GEN_CALM = (
    f"{kind}, learning rate {calm_lr:g}" for kind in ("memorizing", "generalizing")
)
found_of = {
    MEM: (memorized, 0.0),
    GEN: (generalized, GENERALIZED),
    SETTLED: (settled, GENERALIZED),
    MEM_CALM: (calm["random"], 0.0),
    GEN_CALM: (calm["add"], GENERALIZED),
}


def norms_of(kind, **how):
    found, val = found_of[kind]
    return efficiency.norms_needed(found.runs, found.curves, val=val, **how)


needed = {kind: norms_of(kind) for kind in found_of}
export(pd.concat([rows.assign(kind=kind) for kind, rows in needed.items()]), "circuit_norms")
crossing, side = efficiency.crossing(needed[MEM], needed[GEN])
calm_crossing, calm_side = efficiency.crossing(needed[MEM_CALM], needed[GEN_CALM])
Markdown(
    f"Random labels: {memorized.provenance()}\n\nAddition, much data: {generalized.provenance()}\n\n"
    f"The same, equally long: {settled.provenance()}\n\n"
    f"At learning rate {calm_lr:g}, random labels: {calm['random'].provenance()}\n\n"
    f"At learning rate {calm_lr:g}, addition: {calm['add'].provenance()}"
)

# %% tags=["hide-input"] mystnb={"image": {"alt": "Norm at which runs settle with a training loss of 0.001 or less against the number of training points, both axes logarithmic: a line for networks on random labels and one for networks that generalize, each at two learning rates; vertical lines where the two cross and at the measured critical size. Hatched sizes have no run."}, "figure": {"caption": "P1: the parameter norm at which runs settle with a training loss of at most 0.001, mean over seeds, dots for single runs; dashed: at the lower learning rate, which has fewer sizes; hatched: no run stored; a cross: stored, and none settles so. Vertical lines, at the usual learning rate: where memorizing costs what generalizing costs, and D_crit as measured from validation accuracy. [Data](data/circuit_norms.csv).", "name": "fig-efficiency"}}
memory, rule = dict(color=VAL, marker="s"), dict(color=circuits.WAVES, marker="o")
lower = dict(ls="--", mfc="white")
figure = circuits.norms_by_size(
    {
        MEM: (needed[MEM], memory),
        GEN: (needed[GEN], rule),
        MEM_CALM: (needed[MEM_CALM], memory | lower),
        GEN_CALM: (needed[GEN_CALM], rule | lower),
    },
    {
        f"crossing {side or '='}": crossing,
        "D_crit measured =": np.nan if critical is None else critical["estimate"],
    },
    [*memorized_sizes, *generalized_sizes, *calm_memorized, *calm_generalized],
)
plt.close(figure)
figure

# %% tags=["hide-input"]


def slope(norms):
    slopes = efficiency.elasticities(norms)
    return f"{mean_words(slopes, '{:+.3f}')} ({len(slopes)})"


rows = []
for kind in found_of:
    norms = needed[kind]
    rows.append((kind, f"{norms['norm'].notna().sum()} of {len(norms)}", slope(norms),
                 *(slope(norms_of(kind, norm=efficiency.lowest_norm, level=level))
                   for level in efficiency.LEVELS),
                 number(norms["drift"].abs().max(), "{:.1%}"),
                 number(norms["restless"].mean(), "{:.0%}")))  # fmt: skip
Markdown(
    table(
        ["circuit", "runs that settle so", "d ln(norm) / d ln(D)",
         *(f"lowest norm at {level:g}" for level in efficiency.LEVELS), "largest drift", "restless"],
        rows,
    )
)  # fmt: skip

# %% [markdown]
# In brackets 95% intervals over seeds; in parentheses how many seeds have the norm at three sizes
# or more, and so a slope. The columns on lowest norms ask whether the slope hangs on
# the choice: they take the smallest norm that a run had at *any* evaluation with so low a loss,
# on its way or at its end. Drift is the change of the norm from a run's last tenth but one to its
# last; restless is the share of the last fifth with a loss above 0.001. Do the two kinds of
# networks hold what they are meant to? Their trigonometric share (explained below) says so:

# %% tags=["hide-input"]
rows = []
for kind, name, cells, length in (
    (MEM, "circuits_memorize", sizes(memorized_sizes), dict(epochs=epochs)),
    (GEN, "circuits_generalize", sizes(generalized_sizes), {}),
):
    specs = specs_of(name, cells, few, **length)
    ends = gather_measures(specs)
    ends = ends[ends["last"]]
    rows.append((kind, f"{len(ends)} of {len(specs)}", span(ends["trig_share"]),
                 span(ends["train_accuracy"]), span(ends["val_accuracy"]) if kind == GEN else "–"))  # fmt: skip
Markdown(
    table(
        ["circuit", "measured", "trigonometric share", "training accuracy", "validation accuracy"],
        rows,
    )
)

# %% tags=["hide-input"]
by_seed = [
    efficiency.crossing(*(needed[kind][needed[kind]["seed"] == seed] for kind in (MEM, GEN)))
    for seed in few
]
by_seed = [size for size, bound in by_seed if np.isfinite(size) and not bound]
if not np.isfinite(crossing):
    text = "Too few runs are stored to say where the two norms cross."
elif side:
    what = "dearer" if side == "≤" else "cheaper"
    text = f"Memorizing is the {what} way at every size that was tried, from {memorized_sizes[0]:,} to {memorized_sizes[-1]:,}."
else:
    text = (
        f"By these norms memorizing costs as much as generalizing at D = {crossing:,.0f} (seed by "
        f"seed: {', '.join(f'{size:,.0f}' for size in sorted(by_seed)) or 'none'})."
    )
if np.isfinite(crossing) and critical is not None:
    text += (
        f" Validation accuracy, from scratch and by epoch T, puts $D_{{crit}}$ at {critical['bound']}"
        f"{critical['estimate']:,.0f}{bracket(critical['low'], critical['high'], '{:,.0f}')} (width "
        f"{d_model}, figure 3's grid). The theory has one number for both."
    )
    ratio = critical["estimate"] / crossing
    if ratio > 1.5 and side != "≥":
        text += (
            f" Here they are {'at least ' * (side == '≤')}{ratio:.1f}-fold apart: between them "
            "generalizing is the cheaper circuit by this measure, and networks that start from "
            "scratch do not find it by epoch T."
        )
Markdown(text)

# %% [markdown]
# The norm is that of the whole network. It holds what a circuit does not use, too, so it bounds
# the circuit's own norm from above; the same on both sides, but not equally tight.
#
# ## P2: the transition and weight decay
#
# Weight decay acts on a time scale of 1 / (learning rate · weight decay). To give each strength
# the same number of these, a run with half the weight decay is trained for twice as long.

# %% tags=["hide-input"]
export(
    decayed.runs[["weight_decay", "train_size", "seed", "epochs", "epoch", "train_accuracy",
                  "val_accuracy", "param_norm", "key"]], "circuit_decay",
)  # fmt: skip
Markdown(decayed.provenance())

# %% tags=["hide-input"] mystnb={"image": {"alt": "Final validation accuracy against the number of training points, one line for each weight decay: means over seeds, dots for runs, dotted vertical lines at the critical sizes."}, "figure": {"caption": "P2: final validation accuracy by training size at three weight decays, each for the same number of decay times. Lines: means over seeds; dots: single runs; dotted: D_crit; hatched: no run stored. [Data](data/circuit_decay.csv).", "name": "fig-decay"}}
kinds = dict(zip(decays, ((TRAIN, "o"), (VAL, "s"), (circuits.WAVES, "^"))))
panel = {}
for w, style in kinds.items():
    own = decayed.runs[decayed.runs["weight_decay"] == w]
    place = critical_size(own) if len(own) else np.nan
    panel[f"weight decay {w:g}"] = (own, place, *style, decay_sizes)
figure = success_by_size({f"d_model {d_model}": panel}, GENERALIZED)
plt.close(figure)
figure

# %% [markdown]
# ## P3: ungrokking
#
# Networks that have generalized from 5,000 pairs are trained on with a part of these: the first
# $D$ pairs of the seed's permutation, the same that a run from scratch gets. AdamW's moments
# start at zero. (Varma et al. start from networks trained on all pairs; with nothing held out one
# cannot see that such a network generalizes.) Their final validation accuracy stands next to that
# of networks from scratch. Two controls: continued on all of their 5,000 pairs, so that neither
# the fresh moments nor the longer training is at work, and continued on 300 without weight decay,
# so that nothing makes a network pay for its norm.

# %% tags=["hide-input"]
(parent,) = specs_of("circuits_parents", [{}], [0])
continued = gather(
    [spec.replace(init_from=parent.with_seed(spec.seed)) for spec in
     specs_of("circuits_ungrok", sizes(subset_sizes), seeds, epochs=epochs)], train_missing,
)  # fmt: skip
scratch = gather(
    specs_of("circuits_scratch", sizes(subset_sizes), seeds, epochs=epochs), train_missing
)
parents = gather([parent.with_seed(seed) for seed in seeds], train_missing).runs
knew = int((parents["val_accuracy"] >= GENERALIZED).sum())
controls = gather(
    [spec.replace(init_from=parent.with_seed(spec.seed)) for spec in
     specs_of("circuits_controls", EXPERIMENTS["circuits_controls"].cells, seeds, epochs=epochs)],
    train_missing,
)  # fmt: skip
export(
    pd.concat([g.runs.assign(start=name) for name, g in
               (("continued", continued), ("scratch", scratch))])[
        ["start", "train_size", "seed", "epoch", "train_accuracy", "val_accuracy", "train_loss",
         "param_norm", "key"]], "circuit_ungrokking",
)  # fmt: skip
Markdown(
    f"Continued (from {parent.epochs:,} epochs on {parent.train_size:,} pairs; {knew} of "
    f"{len(parents)} of these networks had generalized, with validation accuracy at "
    f"{GENERALIZED:g} or above): "
    f"{continued.provenance()}\n\nFrom scratch: {scratch.provenance()}\n\n"
    f"Controls: {controls.provenance()}"
)

# %% tags=["hide-input"] mystnb={"image": {"alt": "Final validation accuracy against the number of training points, for networks that had generalized and were trained on with a subset, and for networks from scratch: means over seeds, dots for runs, dotted vertical lines at both thresholds."}, "figure": {"caption": "P3: final validation accuracy after training on with a subset, and from scratch. Lines: means over seeds; dots: single runs; dotted: the training size from which on runs end at 0.95 or more; hatched: no run stored. [Data](data/circuit_ungrokking.csv).", "name": "fig-ungrokking"}}
panel = {}
for label, found, style in (
    ("continued", continued, (TRAIN, "o")),
    ("from scratch", scratch, (VAL, "s")),
):
    place = critical_size(found.runs) if len(found.runs) else np.nan
    panel[label] = (found.runs, place, *style, subset_sizes)
figure = success_by_size({f"d_model {d_model}": panel}, GENERALIZED)
plt.close(figure)
figure

# %% tags=["hide-input"]
inside = gather_measures([
    spec.replace(init_from=parent.with_seed(spec.seed)) for spec in
    specs_of("circuits_ungrok", sizes(subset_sizes), seeds, epochs=epochs)])  # fmt: skip
ends = inside[inside["last"]]
rows = []
for words, size, decay in (("all 5,000", 5000, weight_decay), ("300, no weight decay", 300, 0.0)):
    own = controls.runs[
        (controls.runs["train_size"] == size) & (controls.runs["weight_decay"] == decay)
    ]
    rows.append((f"control: {words}", len(own), number(own["val_accuracy"].mean()), "–", "–", "–", "–",
                 number(own["param_norm"].mean(), "{:.1f}")))  # fmt: skip
for size in subset_sizes:
    own = continued.runs[continued.runs["train_size"] == size]
    seen = ends[ends["train_size"] == size]
    rows.append((
        f"{size:,}", len(own), number(own["val_accuracy"].mean()),
        number(seen["mirrored_accuracy"].mean()), number(seen["unmirrored_accuracy"].mean()),
        number(seen["unseen_accuracy"].mean()), number(seen["held_out_share"].mean()),
        number(own["param_norm"].mean(), "{:.1f}"),
    ))  # fmt: skip
Markdown(
    table(["D", "runs", "validation accuracy", "mirrored pairs", "other pairs", "never seen",
           "waves on held-out pairs", "norm"], rows)
)  # fmt: skip

# %% [markdown]
# "Mirrored" are held-out pairs $(a, b)$ whose mirror $(b, a)$ is in the training set: a network
# that treats both places alike answers these without a rule. A continued network has once
# learned the rest of its 5,000 pairs, too, and may remember; "never seen" are held-out pairs
# outside of these, and outside of their mirrors. "Waves" is explained below. Means over seeds, at
# the end of the run; a dash where nothing was measured.
#
# And with other weight decays? Varma et al. expect the same outcome. The same networks, continued
# with less and with more of it, each for the same number of decay times:

# %% tags=["hide-input"]
other_cells = [
    dict(weight_decay=w, epochs=round(epochs * weight_decay / w), train_size=size)
    for w in decays if w != weight_decay for size in lost_sizes
]  # fmt: skip
others = gather(
    [spec.replace(init_from=parent.with_seed(spec.seed)) for spec in
     specs_of("circuits_ungrok_decay", other_cells, seeds)], train_missing,
)  # fmt: skip
small = continued.runs[continued.runs["train_size"].isin(lost_sizes)]
by_decay = pd.concat([small, others.runs]) if len(others.runs) else small
export(by_decay[["weight_decay", "train_size", "seed", "epochs", "train_accuracy", "val_accuracy",
                 "param_norm", "key"]], "circuit_ungrokking_decay")  # fmt: skip
Markdown(others.provenance())

# %% tags=["hide-input"] mystnb={"image": {"alt": "Final validation accuracy of networks that had generalized, against the number of training points that they were continued on, one line for each weight decay, with dots for runs and dotted vertical lines where the rule is lost."}, "figure": {"caption": "P2 as Varma et al. state it: networks that had generalized, continued on a subset at three weight decays. Lines: means over seeds; dots: single runs; dotted: where the rule is lost; hatched: no run stored. [Data](data/circuit_ungrokking_decay.csv).", "name": "fig-ungrokking-decay"}}
panel = {}
for w, style in kinds.items():
    own = by_decay[by_decay["weight_decay"] == w]
    place = critical_size(own) if len(own) else np.nan
    panel[f"weight decay {w:g}"] = (own, place, *style, lost_sizes)
figure = success_by_size({f"d_model {d_model}, continued": panel}, GENERALIZED)
plt.close(figure)
figure

# %% [markdown]
#
# Three places should be one, if efficiency alone decides: where the two norms cross (P1), where
# a rule is lost (P3), where it is found from scratch.

# %% tags=["hide-input"]


def size_of(runs):
    """A critical size in words, with its bound or its interval; and as a number."""
    if runs.empty:
        return "–", np.nan
    row = critical_sizes(runs).iloc[0]
    if row["bound"]:
        return f"{row['bound']} {row['estimate']:,.0f}", row["estimate"]
    return f"{row['estimate']:,.0f}{bracket(row['low'], row['high'], '{:,.0f}')}", row["estimate"]


(kept_words, kept), (found_words, founded) = size_of(continued.runs), size_of(whole)
Markdown(
    table(
        ["", "training points D"],
        [("norms of memorizing and generalizing cross (P1)",
          f"{side} {number(crossing, '{:,.0f}')}".strip()),
         (f"the same at learning rate {calm_lr:g}",
          f"{calm_side} {number(calm_crossing, '{:,.0f}')}".strip()),
         ("the rule is lost below (P3, continued)", kept_words),
         ("the rule is found from (figure 3's grid, from scratch, by epoch T)", found_words)],
    )
    + ("\n\nA rule that is there survives on less data than it takes to find it by epoch T. So the "
       "place where networks from scratch begin to generalize is not the place where the cheaper "
       "circuit changes; whether more time closes the gap is seen under P4."
       if np.isfinite(kept) and founded > 1.5 * kept else "")
)  # fmt: skip

# %% [markdown]
# ## P4: semi-grokking
#
# Near $D_{crit}$ Varma et al. see networks that stop half way; they add that this does not follow
# strictly from the theory, only that the two circuits cost nearly the same there. Ours are
# trained for five times 20,000 epochs; all seeds are shown. A *plateau* is a stretch of 10,000
# epochs or more in which validation accuracy stays within a band of 0.1. Its level has to lie at
# least 0.03 above what symmetry alone gives: of the held-out pairs the mirrored ones, $D/P^2$ of
# them, and of the others one in $P$.

# %% tags=["hide-input"]
long = gather(
    specs_of("circuits_semi", sizes(semi_sizes), seeds, epochs=LONG * epochs), train_missing
)
export(long.curves, "circuit_semi")
Markdown(long.provenance())

# %% tags=["hide-input"] mystnb={"image": {"alt": "One panel for each training size: validation accuracy of every seed against epoch, a dot where a run ends, a dotted line at the share of mirrored pairs, a vertical line where the book's other runs end."}, "figure": {"caption": "P4: every seed near D_crit, for five times the usual training (vertical line); a dot is where a run ends, early ones because they generalized. Dotted: what mirrored pairs give by symmetry. [Data](data/circuit_semi.csv).", "name": "fig-semi"}}
figure = circuits.long_runs(long.curves, semi_sizes, LONG * epochs, epochs)
plt.close(figure)
figure

# %% tags=["hide-input"]
words = {
    "rises": "it generalizes",
    "falls": "it fails",
    "moves on": "another level",
    "open": "still on it",
}
rows = []
for (size, seed), curve in long.curves.groupby(["train_size", "seed"]):
    floor = max(ZERO, float(efficiency.symmetry_share(size)) + efficiency.MARGIN)
    found = efficiency.plateau(curve, floor)
    low = found or efficiency.plateau(curve)
    last = curve.iloc[-1]
    rows.append((
        f"{size:,}", seed, f"{last['val_accuracy']:.2f}", f"{last['epoch']:,.0f}",
        "yes" if found else "not above symmetry" if low else "no",
        f"{low.level:.2f}" if low else "–", f"{low.first:,}–{low.last:,}" if low else "–",
        words[low.then] if low else "–",
    ))  # fmt: skip
Markdown(
    table(["D", "seed", "validation at the end", "last epoch", "plateau", "level", "epochs",
           "after it"], rows, left=(4, 7))
)  # fmt: skip

# %% [markdown]
# Does more time close the gap between what is kept and what is found? The same runs, by size: how
# many had generalized (validation accuracy at 0.95 or above) by the epoch at which the book's
# other runs end, and how many by the end.

# %% tags=["hide-input"]
rows, soon, late = [], 0, 0
for size, own in long.curves.groupby("train_size"):
    first = pd.Series([
        first_epoch(run["epoch"], run["val_accuracy"], GENERALIZED)
        for _, run in own.groupby("key")
    ])  # fmt: skip
    there = first[np.isfinite(first)]
    rows.append((f"{size:,}", len(first), (there <= epochs).sum(), len(there),
                 number(there.max(), "{:,.0f}")))  # fmt: skip
    soon, late = soon + rows[-1][2], late + rows[-1][3]
text = f"Together {soon} runs by epoch {epochs:,} and {late} by epoch {LONG * epochs:,}. "
if late > soon:
    text += "So a part of the gap is patience: with more time the rule is found on less data."
elif late:
    text += "More time finds the rule no more often."
Markdown(
    table(
        ["D", "runs", f"by epoch {epochs:,}", f"by epoch {LONG * epochs:,}", "the last of them at"],
        rows,
    )
    + f"\n\n{text * bool(rows)}"
)

# %% [markdown]
# ## Inside the network: waves
#
# How does a network add? {cite:t}`nanda2023progress` found that its logits become sums of
# $\cos(2\pi k(a + b - c)/P)$ over a few *key frequencies* $k$. So we ask which share of the
# logits (squared norm, on all pairs) lies in the space of cosines and sines of
# $2\pi k(a + b)/P$. It is near 1 for a network that adds by waves and near $1/P$ for one that
# has learned random labels. A memorized training set of *sums* lifts it a little, because its
# labels are functions of $a + b$, and so are those of their mirrors; measured on held-out pairs
# that are not mirrored it has no such flaw.
#
# As a check, below on the left a network whose weights were written down by hand to add with
# three frequencies (`lib.circuits.handbuilt`): the measure must find these, and a share near 1.

# %% tags=["hide-input"]
names = dict(DYNAMICS_CELLS)
dynamics_specs = {
    name: [EXPERIMENTS["circuits_dynamics"].base.replace(
        d_model=d, train_size=size, seed=seed, lr=lr, weight_decay=weight_decay, epochs=epochs)
        for seed in few] for name, (d, size) in names.items()
}  # fmt: skip
dynamics = [spec for specs in dynamics_specs.values() for spec in specs]
every = gather_measures(dynamics, train_missing)
export(
    every.drop(columns=["logit_spectrum", "embedding_spectrum", "frequencies", "cpu", "git_commit",
                        "timestamp", "numerics_version"]), "circuit_course",
)  # fmt: skip
built, known = fourier_network(113, [5, 17, 40]), RunSpec()
check = measure(built, build(known))
looks = {"built by hand": (check.logit_spectrum, check.embedding_spectrum)}
for name in ("grokking", "ungrokking"):
    d, size = names[name]
    own = every[every["last"] & (every["d_model"] == d) & (every["train_size"] == size)]
    own = own.sort_values("seed")
    looks[f"{name} (our run)"] = (
        tuple(own.iloc[0][["logit_spectrum", "embedding_spectrum"]]) if len(own) else None
    )
Markdown(
    f"The hand-built network: share {check.trig_share:.4f}, key frequencies "
    f"{', '.join(map(str, sorted(check.frequencies)))}; loss with these waves alone "
    f"{check.restricted_loss:.2f}, without them {check.excluded_loss:.2f} "
    f"(chance: {np.log(113):.2f}). Measured runs: {every['key'].nunique()} of "
    f"{len(dynamics)}, at {every.groupby('key').size().max() if len(every) else 0} epochs each.\n\n"
    f"The runs: {gather(dynamics).provenance()}"
)

# %% tags=["hide-input"] mystnb={"image": {"alt": "Three panels: share of the embedding (bars up) and of the logits (bars down) at each frequency, for a network built by hand, a network that grokked and one that memorized."}, "figure": {"caption": "Spectra: the embedding's share at each frequency (up), the logits' share along the waves of a + b at each frequency (down); seed 0, at the end of the run. The book's words ungrokking and grokking are here those of Huang et al. [Data](data/circuit_course.csv).", "name": "fig-spectra"}}
figure = circuits.spectra(looks)
plt.close(figure)
figure

# %% [markdown]
# ### Which moves first?
#
# The four dynamics of figure 2, and a cell in double descent's valley, measured at some forty
# epochs of each run.

# %% tags=["hide-input"] mystnb={"image": {"alt": "Five panels, one for each dynamics: training accuracy, validation accuracy, the waves' share of the logits on all pairs and on held-out pairs, against epoch on a logarithmic axis."}, "figure": {"caption": "Accuracy and waves over training, in the four dynamics of figure 2 and in double descent's valley; the first seed in full, others thin. [Data](data/circuit_course.csv).", "name": "fig-course"}}
panels = {}
for name, (d, size) in names.items():
    own = every[(every["d_model"] == d) & (every["train_size"] == size)]
    panels[f"{name}: d_model {d}, D = {size:,}"] = own
figure = circuits.course(panels)
plt.close(figure)
figure

# %% tags=["hide-input"]
rows, orders = [], []
for name, (d, size) in names.items():
    own = every[(every["d_model"] == d) & (every["train_size"] == size)]
    for seed, run in own.groupby("seed"):
        end = run.iloc[-1]
        half = [
            efficiency.half_way(run["epoch"], run[c]) for c in ("val_accuracy", "held_out_share")
        ]
        accuracy, waves = (v if np.isfinite(v) else np.inf for v in half)
        order = (
            "–"
            if accuracy == waves == np.inf
            else ("together" if accuracy == waves else "waves" if waves < accuracy else "accuracy")
        )
        if order in ("waves", "accuracy") and not np.isfinite(half).all():
            order += " alone"
        orders.append(order)
        rows.append((
            name, seed, zone(run), f"{end['val_accuracy']:.2f}", number(end["mirrored_accuracy"]),
            number(end["unmirrored_accuracy"]), f"{end['trig_share']:.2f}", number(end["held_out_share"]),
            len(end["frequencies"]), number(end["restricted_loss"]), number(end["excluded_loss"]),
            *(f"{v:,.0f}" if np.isfinite(v) else "–" for v in half), order,
        ))  # fmt: skip
Markdown(
    table(
        ["the paper's name", "seed", "our run", "validation", "mirrored", "others", "waves", "held out",
         "key frequencies", "restricted loss", "excluded loss", "accuracy half way at",
         "waves half way at", "first"],
        rows, left=(0, 2, 13),
    )  # fmt: skip
    + (f"\n\nIn {sum(o != '–' for o in orders)} of {len(orders)} runs something rises: first the waves "
       f"in {orders.count('waves')}, first accuracy in {orders.count('accuracy')}, both together in "
       f"{orders.count('together')}, only the waves in {orders.count('waves alone')}, only accuracy in "
       f"{orders.count('accuracy alone')}." if orders else "")
)  # fmt: skip

# %% [markdown]
# "Half way" is the first measured epoch at which the value is half way from its start to its
# end; a value that rises by less than 0.1 has none, and then the other moves "alone". Measured
# epochs lie apart, so "together" means between the same two. "Held out" is the waves' share on
# held-out pairs that are not mirrored; where it grows and accuracy does not, a rule is under way
# that cannot be seen from outside. *Restricted loss* keeps the waves of the key frequencies alone
# (on all pairs), *excluded loss* takes them away (on the training set). Key frequencies are those of the
# run's end that stand out: at least a thousandth of the waves, and ten times the median frequency.

# %% tags=["hide-input"]


def agreement(own):
    """Spearman's correlation of validation accuracy and waves over the measured epochs."""
    pair = own[["val_accuracy", "held_out_share"]].dropna()
    flat = len(pair) < 3 or pair.nunique().min() < 2
    return np.nan if flat else float(pair.corr(method="spearman").iloc[0, 1])


Markdown(
    table(
        ["dynamics", "runs", "rank correlation of accuracy and waves (mean over seeds)"],
        [
            (
                name,
                own["seed"].nunique(),
                number(
                    pd.Series(
                        [agreement(run) for _, run in own.groupby("seed")], dtype=float
                    ).mean()
                ),
            )
            for name, own in (
                (name, every[(every["d_model"] == d) & (every["train_size"] == size)])
                for name, (d, size) in names.items()
            )
        ],
    )  # fmt: skip
)

# %% [markdown]
# ## The smallest simulation
#
# Varma et al. show the race of two circuits in four numbers. Each circuit's logit is the product
# of two weights, which makes it slow to start from a small value:
#
# $$o_G = u_G v_G, \qquad o_M = u_M v_M.$$
#
# On a training point both raise the right class's logit; with $q = 113$ classes and weight decay
# $\alpha$ the loss is
#
# $$L = \ln\left(1 + (q - 1)\, e^{-(o_G + o_M)}\right)
#   + \frac{\alpha}{2} \left(P_G^2\, o_G^{2/\kappa} + P_M^2\, o_M^{2/\kappa}\right),$$
#
# where a logit of $o$ takes a norm of $P o^{1/\kappa}$, with $\kappa = 1.2$; the cost of
# generalizing is $P_G = 1$. On a held-out point generalizing raises the right class and
# memorizing a wrong one:
#
# $$L_{val} = \ln\left(1 + e^{\,o_M - o_G} + (q - 2)\, e^{-o_G}\right).$$
#
# The four weights follow $\dot w = -\partial L/\partial w$. They start at $u_G = u_M = 0$,
# $v_M = 1$ and a small $v_G$.
#
# :::{note}
# Where this comes from: the appendix of the paper that has the exact form was not at hand as
# public text. Logits as products, the two losses, $q$, $\kappa$, the start (0 and 0.005, 0 and 1),
# $P_M = 2 P_G$, $\alpha = 0.005$ and a rate of 0.01 are taken second-hand, from a public
# formalization of that appendix as theorems. It leaves open whether the penalty has the factor
# 1/2 (its two appendices differ); we write it. Ours are: the continuous time (gradient descent
# with rate 0.01 takes 100 steps for a unit of time), the start from a network that has
# generalized ($u_G = v_G$ at rest, $u_M = 0$, $v_M = 1$), and the sliders. The simulation has no
# data; a larger training set is a larger $P_M$.
# :::

# %% tags=["hide-input"] mystnb={"image": {"alt": "Four columns of two panels: logits of the generalizing and the memorizing circuit against time above, training and validation loss below; for memorizing at twice, 1.2 and 0.7 times the cost of generalizing, and at 0.7 from a network that has generalized."}, "figure": {"caption": "Four races by scipy: logits of the circuits (above), losses (below), against time. [Data](data/circuit_races.csv).", "name": "fig-races"}}
settings = {
    "grokking: $P_M$ = 2": Setting(),
    "semi-grokking: $P_M$ = 1.2": Setting(cost=1.2),
    "never: $P_M$ = 0.7": Setting(cost=0.7),
    "ungrokking: $P_M$ = 0.7": Setting(cost=0.7, grokked=True),
}
ran = {title: simulate(setting, times_of(RACE)) for title, setting in settings.items()}
export(pd.concat([pd.DataFrame(run).assign(cost=settings[title].cost, grokked=settings[title].grokked)
                  for title, run in ran.items()]), "circuit_races")  # fmt: skip
figure = circuits.races(ran)
plt.close(figure)
figure

# %% [markdown]
# Move the sliders, or use the arrow keys on them: the race is worked out in this page, without a
# kernel. Lower the cost of memorizing below 1 and the end turns around; weight decay moves the
# *time* of the turn and hardly its place, which is P2 in small.

# %% tags=["hide-input"]
competition(fallback=circuits.races(ran))

# %% [markdown]
# ## Against the predictions
#
# The criteria were written down before the runs. They are judged on the chapter's default
# parameters; [](verdicts.ipynb) has their full wording.

# %% tags=["hide-input"]
store = Store()
found = claims_table([judge(claim, store) for claim in CLAIMS])
Markdown(found.replace("The paper says", "Varma et al. say"))

# %% [markdown]
# ## Rerun it

# %% tags=["hide-input"]
Markdown(
    cost(memorized.runs, generalized.runs, settled.runs, calm["random"].runs,
         calm["add"].runs, decayed.runs, parents, continued.runs, others.runs,
         controls.runs, scratch.runs, long.runs)
)  # fmt: skip

# %% [markdown]
# ```bash
# python -m lib run circuit_efficiency -p seeds "[0]" -o out.ipynb
# python -m lib sweep circuits_memorize circuits_generalize circuits_settle circuits_calm --dry-run
# python -m lib sweep circuits_parents
# python -m lib sweep circuits_ungrok circuits_ungrok_decay circuits_controls circuits_scratch
# python -m lib circuits circuits_dynamics              # trains again and looks inside
# python -m lib circuits circuits_ungrok circuits_memorize circuits_generalize --checkpoints 1
# ```
#
# The first shows what is stored. The sweeps train what the predictions need. The last two (the
# very last from weights that the sweeps have kept) measure circuits and keep the numbers in `results/circuits/`: weights are not kept in the
# repository, so what this page says of them comes from there.
#
# Download {download}`this notebook, executed <circuit_efficiency.ipynb>`,
# {download}`its source <../../notebooks/circuit_efficiency.py>`, or its tables:
# {download}`norms <data/circuit_norms.csv>`, {download}`weight decay <data/circuit_decay.csv>`,
# {download}`ungrokking <data/circuit_ungrokking.csv>`,
# {download}`ungrokking at other weight decays <data/circuit_ungrokking_decay.csv>`,
# {download}`semi-grokking <data/circuit_semi.csv>`, {download}`waves <data/circuit_course.csv>`,
# {download}`races <data/circuit_races.csv>`.
