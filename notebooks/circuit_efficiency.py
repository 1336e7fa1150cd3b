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
# The theory that {cite:t}`huang2024unified` build on, tested.

# %% tags=["remove-cell"]
try:
    from lib.chapters.page import Page, show, told
except ImportError as error:  # not installed; on Linux `lib` may even be the folder /lib
    error._render_traceback_ = lambda: ["This chapter runs in the project that it comes from: "
        "get it (the book's front page says where) and start `make lab` in its folder."]  # fmt: skip
    raise

# %% tags=["parameters", "hide-input"]
d_model = 48  # the one width of this chapter
memorized_sizes = [300, 400, 600, 800, 1200, 1600, 2000, 2400, 2800]  # random labels (P1)
generalized_sizes = [4000, 5000, 6500, 8500, 11000]  # enough data to generalize early (P1)
calm_memorized = [300, 600, 1200, 2000, 2800]  # the same at a lower learning rate (P1)
calm_generalized = [5000, 7500, 11000]
calm_lr = 0.001
calm_epochs = 12000
decays = [1.0, 1.5, 2.0]  # weight decays (P2)
decay_sizes = [2000, 2400, 2600, 2800, 3000, 3200, 3400, 3600, 4000]  # training sizes for them (P2)
lost_sizes = [150, 200, 300, 400, 500, 600, 700, 800, 900, 1000, 1200, 1400]  # at every decay (P2)
kept_sizes = [2000, 2200, 2400, 2600, 3000]  # continued, too (P3); all of these also from scratch
semi_sizes = [2600, 2800, 3000, 3200]  # around D_crit (P4)
seeds = [0, 1, 2, 3, 4]  # one run each; P1 and the look inside have three
decay_seeds = [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10]  # P2's from scratch
more_seeds = [0, 1, 2, 3, 4, 5, 6, 7]  # P3's and P4's: whole runs are counted there
epochs = 20000  # full-batch steps; P4 trains five times as long
lr = 0.003  # learning rate
weight_decay = 1.5  # of AdamW, but for P2
train_missing = False  # true: train the runs that the store lacks

# %% tags=["hide-input"]
# %matplotlib inline
# %config InlineBackend.figure_formats = ["svg"]
import pandas as pd
from IPython.display import Markdown

from lib.analysis.dynamics import GENERALIZED
from lib.analysis.gather import gather
from lib.chapters.stories.circuits import kept, waves
from lib.chapters.stories.circuits import predictions as story
from lib.circuits.measures import gather_measures
from lib.circuits.simulation import RACES, TIMES, simulate
from lib.figures import circuits
from lib.figures.accuracy import success_by_size
from lib.paper.circuits import DYNAMICS_CELLS, LONG
from lib.paper.experiments import EXPERIMENTS
from lib.paper.predictions import PREDICTIONS
from lib.widgets.explorers import competition

page = Page("circuit_efficiency", train_missing, d_model=d_model, lr=lr, weight_decay=weight_decay)
few = seeds[:3]  # P1 and the look inside
subset_sizes = [*lost_sizes, *kept_sizes]


def at_decays(experiment, values, sizes, seeds, **fields):
    """Runs at some weight decays, each for the same number of decay times."""
    return [s for w in values for s in page.specs(
        experiment, weight_decay=w, epochs=round(epochs * weight_decay / w), train_size=sizes,
        seed=seeds, **fields)]  # fmt: skip


page.opening("P3: ungrokking", "P2: weight decay, continued", "P1: efficiency", "P4: semi-grokking")

# %% [markdown]
# ## Two circuits and a price
#
# {cite:t}`huang2024unified` build on {cite:t}`varma2023explaining`, who look for two *circuits* in
# one network: one that memorizes the training set, one that computes the rule. Both lower the
# training loss. Weight decay makes the network pay for the norm of its weights, so the circuit that
# raises the right answer's score (its *logit*) more for the same norm, the more *efficient* one, is
# the stronger in the end. A rule costs the same
# whatever the number of examples; a list of examples costs more as it grows. So there is a training
# size, $D_\text{crit}$, from which the rule is the cheaper one. Four predictions follow:
#
# 1. **P1.** The norm that memorizing needs rises with $D$; the norm that generalizing needs does
#    not depend on it.
# 2. **P2.** $D_\text{crit}$ does not move with the strength of weight decay: it taxes both alike.
# 3. **P3, ungrokking.** A network that has generalized loses its rule when it is trained on with
#    less data than $D_\text{crit}$, in a sharp transition.
# 4. **P4, semi-grokking.** Near $D_\text{crit}$ a network gets stuck at a moderate validation accuracy.
#
# The order is ours: our P2 and P3 are their third and second. They say that $D_\text{crit}$ does not
# depend on weight decay, and test it on networks that have generalized and whose training goes on:
# what is left of the rule then does not, either. We test that and, as they do not, from where on
# networks find the rule from scratch.
#
# :::{warning}
# *Ungrokking* has two meanings. In the rest of this book it is Huang et al.'s: a network that,
# trained from scratch, never generalizes. In this chapter it is Varma et al.'s: a network that
# had generalized and loses it; but for "Inside the network", whose runs have Huang et al.'s names.
# :::

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
# $$L_\text{val} = \ln\left(1 + e^{\,o_M - o_G} + (q - 2)\, e^{-o_G}\right).$$
#
# The four weights follow $\dot w = -\partial L/\partial w$. They start at $u_G = u_M = 0$,
# $v_M = 1$ and a small $v_G$.

# %% tags=["hide-input"] mystnb={"image": {"alt": "Four columns of two panels: logits of the generalizing and the memorizing circuit against time above, training and validation loss below; for memorizing at twice, 1.2 and 0.7 times the cost of generalizing, and at 0.7 from a network that has generalized. Where memorizing costs more, the rule takes over, the later the closer the costs; where it costs less, memorizing stays or becomes the stronger."}, "figure": {"caption": "Four races by scipy: logits of the circuits (above), losses (below), against time. [Data](data/circuit_races.csv).", "name": "fig-races"}}
ran = {title: simulate(setting, TIMES) for title, setting in RACES.items()}
page.export(story.race_table(ran, RACES), "circuit_races", "races")
circuits.races(ran)

# %% [markdown]
# Move the sliders, or use the arrow keys on them: the race is worked out in this page, without a
# kernel. Lower the cost of memorizing below 1 and the end turns around; weight decay moves the
# *time* of the turn and not its place, which is P2 in small.
#
# At rest neither circuit takes all. The two share the logit as
# $o_G / o_M = (P_M / P_G)^{2\kappa/(2 - \kappa)}$, here the cube: a mixture, in which the cheaper circuit
# is the stronger. From scratch and from a network that has generalized the same costs end in the same
# mixture. So in this small model a rule fades as memorizing gets cheaper, and what is kept is also found.

# %% tags=["hide-input"]
competition(fallback=circuits.races(ran))

# %% [markdown]
# :::{note}
# Where this comes from: the appendix of Varma et al. with the exact form was not at hand as public
# text. Logits as products, the two losses, $q$, $\kappa$, the start (0 and 0.005, 0 and 1),
# $P_M = 2 P_G$, $\alpha = 0.005$ and a rate of 0.01 are taken second-hand, from a public
# formalization of that appendix as theorems. It leaves open whether the penalty has the factor
# 1/2 (its two appendices differ); we write it. Ours are: the continuous time (gradient descent
# with rate 0.01 takes 100 steps for a unit of time), the start from a network that has
# generalized ($u_G = v_G$ at rest, $u_M = 0$, $v_M = 1$), and the sliders. The simulation has no
# data; a larger training set is a larger $P_M$.
# :::
#
# ## P1: efficiency against data
#
# Varma et al. use a network of width 128. We use one width that two cores can carry, and our
# own recipe; everything here is "by epoch T".
#
# To see memorization alone, labels are random (the same for $(a, b)$ and $(b, a)$, as in
# {doc}`memorization_capacity`): there is nothing else to do. To see generalization alone, there is
# so much data that networks generalize within some thousand epochs. What is compared is the
# *norm needed*: the norm of all parameters at which a run settles with a training loss of at
# most 0.001 nats, at one weight decay: the median over those evaluations of its last fifth that have
# such a loss, and in a generalizing run a validation accuracy of 0.95 or above; a run in which fewer
# than half of them do has no such norm. 0.001 is only an upper limit: runs
# settle far below it, at losses that differ, so the two lines do not compare norms at the same loss.
#
# The generalizing networks were trained three times. First for 6,000 epochs: some had not settled.
# Then for as long as the memorizing ones: some still had not, as at this learning rate the loss of
# many runs keeps leaping up (the table's column "restless"). Last, both kinds at a third of the
# learning rate, at fewer sizes, after a trial with another seed. The second and the third round were
# added when the runs before were known. The figure shows the first and the third; the next table and
# the verdicts have all three, under one criterion.

# %% tags=["hide-input"]
found = story.both_kinds(page, few, epochs, memorized_sizes, generalized_sizes)
found |= story.both_kinds_calm(page, few, calm_lr, calm_epochs, calm_memorized, calm_generalized)
needed = {kind: story.norms(own) for kind, own in found.items()}
norms = pd.concat([rows.assign(kind=kind) for kind, rows in needed.items()])
page.export(norms.rename(columns={"norm": "norm_needed"}), "circuit_norms", "norms")
MEM, GEN, *_ = found
whole = page.specs("figure3", train_size=range(2000, 4001, 200), seed=seeds, epochs=epochs)
whole = gather(whole, store=page.store).runs
told(found)

# %% tags=["hide-input"] mystnb={"image": {"alt": "Norm at which runs settle with a training loss of 0.001 or less against the number of training points, both axes logarithmic: a line for networks on random labels and one for networks that generalize, each at two learning rates; vertical lines where the two cross and at the measured critical size. Hatched sizes have no run. Memorizing takes a larger norm with every point; whether generalizing does, the scatter hides. The two cross at far fewer points than it takes to find the rule."}, "figure": {"caption": "P1: the parameter norm at which runs settle with a training loss of at most 0.001, mean over seeds, dots for single runs; dashed: at the lower learning rate, which has fewer sizes; hatched: no run stored; a cross: stored, and none settles so. Vertical lines, at the usual learning rate: where memorizing costs what generalizing costs, and D_crit as measured from validation accuracy. [Data](data/circuit_norms.csv).", "name": "fig-efficiency"}}
tried = [*memorized_sizes, *generalized_sizes, *calm_memorized, *calm_generalized]
circuits.norms_by_size(story.norm_lines(needed), story.marks(needed, whole), tried)

# %% tags=["hide-input"]
show(story.NORM_HEADER, [story.norm_row(kind, own) for kind, own in found.items()])

# %% [markdown]
# The power says how the norm needed goes with $D$; 0: it does not change. In brackets 95% intervals
# over seeds; in parentheses how many seeds have the norm at three sizes
# or more, and so a slope. The columns on lowest norms ask whether the slope hangs on
# the choice: they take the smallest norm that a run had at *any* evaluation with so low a loss,
# on its way or at its end. Drift is the change of the norm from a run's last tenth but one to its
# last; restless is the share of the last fifth with a loss above 0.001. Do the two kinds of
# networks hold what they are meant to? The share of waves in their answers should tell a rule from
# what is learned by heart ("Inside the network", below), though with so many pairs a bare list of the
# sums has much of it, too: see there. Accuracies are of the last epoch, spikes of the loss included:

# %% tags=["hide-input"]
rows = [waves.held_row(kind, found[kind], kind == GEN) for kind in (MEM, GEN)]
show(waves.HELD_HEADER, rows)

# %% tags=["hide-input"]
Markdown(story.where_they_cross(needed[MEM], needed[GEN], whole))

# %% [markdown]
# The norm is that of the whole network. It holds what a circuit does not use, too, so it bounds
# the circuit's own norm from above; the same on both sides, but not equally tight.
#
# ## P2: the transition and weight decay
#
# Weight decay acts on a time scale of 1 / (learning rate · weight decay). To give each strength
# the same number of these, a run with half the weight decay is trained for twice as long.

# %% tags=["hide-input"]
stop_after = EXPERIMENTS["figure3"].base.stop_after
decayed = page.gather(at_decays(
    "circuits_decay", decays, decay_sizes, decay_seeds, stop_after=stop_after))  # fmt: skip
page.export(decayed.runs, "circuit_decay", "weight decay", story.COLUMNS)
told(decayed)

# %% tags=["hide-input"] mystnb={"image": {"alt": "Final validation accuracy against the number of training points, one line for each weight decay: means over seeds, dots for runs, dotted vertical lines at the critical sizes. The three rise at about the same size."}, "figure": {"caption": "P2: final validation accuracy by training size at three weight decays, each for the same number of decay times. Lines: means over seeds; dots: single runs; dotted: D_crit; hatched: no run stored. [Data](data/circuit_decay.csv).", "name": "fig-decay"}}
panel = story.lines(story.by_decay(decayed.runs, decays), decay_sizes)
success_by_size({f"d_model {d_model}": panel}, GENERALIZED)

# %% tags=["hide-input"]
Markdown(story.said(page.store, "P2: weight decay"))

# %% [markdown]
# ## P3: ungrokking
#
# The training of networks that have generalized from 5,000 pairs goes on with a part of these: the
# first $D$ pairs of the seed's permutation, the same that a run from scratch gets. AdamW's moments
# start at zero. (Varma et al. start from networks trained on all pairs; with nothing held out one
# cannot see that such a network generalizes.) Their final validation accuracy stands next to that
# of networks from scratch. Two controls: continued on all of their 5,000 pairs, so that neither the
# fresh moments nor the longer training is at work, and continued on 300 without weight decay, so
# that nothing makes a network pay for its norm.

# %% tags=["hide-input"]
(parent,) = page.specs("circuits_parents", train_size=5000, epochs=6000)
from_parent = dict(seed=more_seeds, epochs=epochs, init_from=parent)
wanted = page.specs("circuits_ungrok", train_size=subset_sizes, **from_parent)
continued = page.gather(wanted).whole()
scratch = page.runs("circuits_scratch", train_size=subset_sizes, seed=more_seeds, epochs=epochs)
parents = page.gather([parent.with_seed(seed) for seed in more_seeds]).runs
controls = page.gather([
    spec for cell in EXPERIMENTS["circuits_controls"].cells
    for spec in page.specs("circuits_controls", **from_parent | cell | dict(seed=seeds))
])  # fmt: skip
both = [g.runs.assign(start=s) for s, g in (("continued", continued), ("scratch", scratch))]
page.export(pd.concat(both), "circuit_ungrokking", "ungrokking", ("start", *story.COLUMNS))
knew = (parents["val_accuracy"] >= GENERALIZED).sum()
Markdown(
    f"Continued (from {parent.epochs:,} epochs on {parent.train_size:,} pairs; {knew} of "
    f"{len(parents)} of these networks had generalized, with validation accuracy at "
    f"{GENERALIZED:g} or above): {continued.provenance()}\n\n"
    + told({"From scratch": scratch, "Controls": controls}).data
)

# %% tags=["hide-input"] mystnb={"image": {"alt": "Final validation accuracy against the number of training points, for networks that had generalized and were trained on with a subset, and for networks from scratch: means over seeds, dots for runs, dotted vertical lines at both thresholds. A rule that is there is kept on far fewer points than it takes to find one."}, "figure": {"caption": "P3: final validation accuracy after training on with a subset, and from scratch. Lines: means over seeds; dots: single runs; dotted: the training size from which on runs end at 0.95 or more; hatched: no run stored. [Data](data/circuit_ungrokking.csv).", "name": "fig-ungrokking"}}
panel = story.lines({"continued": continued.runs, "from scratch": scratch.runs}, subset_sizes)
success_by_size({f"d_model {d_model}": panel}, GENERALIZED)

# %% tags=["hide-input"]
show(story.KEPT_HEADER, [
    *story.control_rows(controls.runs, {"all 5,000": (5000, weight_decay),
                                        "300, no weight decay": (300, 0.0)}),
    *story.kept_rows(continued.runs, gather_measures(wanted), subset_sizes),
])  # fmt: skip

# %% [markdown]
# "Mirrored" are held-out pairs $(a, b)$ whose mirror $(b, a)$ is in the training set: a network
# that treats both places alike answers these without a rule. A continued network has once
# learned the rest of its 5,000 pairs, too, and may remember; "never seen" are held-out pairs
# outside of these, and outside of their mirrors. "Waves" is explained below. Means over seeds, at
# the end of the run; a dash where nothing was measured.

# %% tags=["hide-input"]
Markdown(f"{story.fading(continued.runs, continued.curves)}\n\n{kept.cost(continued)}")

# %% [markdown]
# And with other weight decays? Varma et al. expect the same outcome. The same networks, continued
# with less and with more of it, each for the same number of decay times:

# %% tags=["hide-input"]
other_decays = [w for w in decays if w != weight_decay]
others = page.gather(at_decays(
    "circuits_ungrok_decay", other_decays, lost_sizes, seeds, init_from=parent))  # fmt: skip
small = continued.runs[continued.runs["train_size"].isin(lost_sizes)
                       & continued.runs["seed"].isin(seeds)]  # fmt: skip
by_decay = pd.concat([small, others.runs]) if len(others.runs) else small
page.export(
    by_decay, "circuit_ungrokking_decay", "ungrokking at other weight decays", story.COLUMNS
)
told(others)

# %% tags=["hide-input"] mystnb={"image": {"alt": "Final validation accuracy of networks that had generalized, against the number of training points that they were continued on, one line for each weight decay, with dots for runs and dotted vertical lines where the rule is lost. The three fall at about the same size."}, "figure": {"caption": "P2 as Varma et al. state it: networks that had generalized, continued on a subset at three weight decays. Lines: means over seeds; dots: single runs; dotted: where the rule is lost; hatched: no run stored. [Data](data/circuit_ungrokking_decay.csv).", "name": "fig-ungrokking-decay"}}
panel = story.lines(story.by_decay(by_decay, decays), lost_sizes)
success_by_size({f"d_model {d_model}, continued": panel}, GENERALIZED)

# %% tags=["hide-input"]
Markdown(story.said(page.store, "P2: weight decay, continued"))

# %% [markdown]
#
# Three places should be one, if efficiency alone decides: where the two norms cross (P1), where
# a rule is lost (P3), where it is found from scratch. Where both circuits cost the same, half of the
# answers should be left, so it is the place of half the accuracy that the crossing is to be held
# against. In square brackets Student's intervals over seeds; [](framework_zones.ipynb) has this
# width's critical size from all seeds of figure 3.

# %% tags=["hide-input"]
places = {
    "the rule is kept whole from (P3, continued)": continued.runs,
    "the rule is found from (P3's sizes, from scratch, by epoch T)": scratch.runs,
    "the rule is found from (figure 3's finer grid, from scratch, by epoch T)": whole,
}
rows = story.place_rows(needed, places)
rows.insert(3, kept.half_row(continued.runs))
show(["", "training points D"], rows, after=story.kept_on_less(continued.runs, whole))

# %% [markdown]
# ## P4: semi-grokking
#
# Near $D_\text{crit}$ Varma et al. see networks that stop half way; they add that this does not
# follow strictly from the theory, only that the two circuits cost nearly the same there. The one run
# that they show in detail stays at about 0.55 for ten million epochs and then reaches 1. Ours are
# trained five times as long as usual, which is far less, and near the size from which networks from
# scratch find the rule, not where the norms cross; how many networks stay half-way that go on with so
# few points stands above. All seeds are shown. A *plateau* is a stretch of 10,000
# epochs or more in which validation accuracy stays within a band of 0.1; the share of runs that the
# verdict asks for is ours, as Varma et al. state none. A plateau has to lie at least
# 0.03 above what symmetry alone gives: all mirrored pairs right, a share of $D/P^2$ of the held-out
# pairs, and one in $P$ of the others by chance. Where all soon find the rule no run has the time for
# one; so the verdict's last number leaves such sizes out, and is no part of it.

# %% tags=["hide-input"]
long = page.runs("circuits_semi", train_size=semi_sizes, seed=more_seeds, epochs=LONG * epochs)
page.export(long.curves, "circuit_semi", "semi-grokking")
told(long)

# %% tags=["hide-input"] mystnb={"image": {"alt": "One panel for each training size: validation accuracy of every seed against epoch, a dot where a run ends, a dotted line at the share of mirrored pairs, a vertical line where the book's other runs end. Seeds find the rule at very different epochs, some after that line; none stays half-way for long."}, "figure": {"caption": "P4: every seed near D_crit, for five times the usual training (vertical line); a dot is where a run ends, early ones because they generalized. Dotted: what mirrored pairs give by symmetry. [Data](data/circuit_semi.csv).", "name": "fig-semi"}}
circuits.long_runs(long.curves, semi_sizes, LONG * epochs, epochs)

# %% [markdown]
# Does more time close the gap between what is kept and what is found? The same runs, by size: how
# many had generalized (validation accuracy at 0.95 or above) by the epoch at which the book's
# other runs end, and how many by the end.

# %% tags=["hide-input"]
rows, text = story.patience(long.curves, epochs, LONG * epochs)
header = ["D", "runs", f"by epoch {epochs:,}", f"by epoch {LONG * epochs:,}", "the last of them at"]
show(header, rows, after=text)

# %% [markdown]
# ## Inside the network: waves
#
# How does a network add? {cite:t}`nanda2023progress` found that its logits become sums of
# $\cos(2\pi k(a + b - c)/P)$ over a few *key frequencies* $k$. So we ask which share of the logits
# (squared norm, on all pairs) lies in the space of cosines and sines of $2\pi k(a + b)/P$: its
# *trigonometric share*, or the waves' share. It is near 1 for a network that adds by waves and near
# $1/P$ for one that has learned random labels. It is lower for another way to add, the "pizza" of
# {cite:t}`zhong2023clock`. A memorized training set of *sums* lifts it, because its labels are functions
# of $a + b$, and so are those of their mirrors; measured on held-out pairs that are not mirrored it
# has no such flaw. But it asks only whether logits depend on $a + b$, not whether rightly.
#
# As a check, below, first, a network whose weights were written down by hand to add with
# three frequencies (`lib.circuits.handbuilt`): the measure must find these, and a share near 1.

# %% tags=["hide-input"]
looked = [spec for d, size in DYNAMICS_CELLS.values() for spec in page.specs(
    "circuits_dynamics", d_model=d, train_size=size, seed=few, epochs=epochs)]  # fmt: skip
every = gather_measures(looked, train_missing)
page.export(every, "circuit_course", "waves", waves.columns(every))
inside = waves.by_name(every, DYNAMICS_CELLS)
check = waves.built_by_hand()
Markdown(
    f"{waves.check_words(check)} {waves.listed_words((3000, 5000, 11_000))} "
    f"{waves.measured_words(every, len(looked))}\n\n"
    f"The runs: {gather(looked, store=page.store).provenance()}"
)

# %% tags=["hide-input"] mystnb={"image": {"alt": "Three panels: share of the embedding (bars up) and of the logits (bars down) at each frequency, for a network built by hand, a network that grokked and one that memorized. The first two stand on a few frequencies, the third on none in particular."}, "figure": {"caption": "Spectra: the embedding's share at each frequency (up), the logits' share along the waves of a + b at each frequency (down); left: a network whose weights were written by hand; the others: seed 0, at the end of the run. The book's words ungrokking and grokking are here those of Huang et al. [Data](data/circuit_course.csv).", "name": "fig-spectra"}}
circuits.spectra(waves.looks(check, inside))

# %% [markdown]
# ### Which moves first?
#
# The four dynamics of figure 2, and a cell in double descent's valley, measured at some forty
# epochs of each run.

# %% tags=["hide-input"] mystnb={"image": {"alt": "Five panels, one for each dynamics: training accuracy, validation accuracy, the waves' share of the logits on all pairs and on held-out pairs, against epoch on a logarithmic axis. Where a network finds the rule, the waves rise with validation accuracy, mostly a little before it; where it does not, accuracy stays low, though in some runs the waves pass a third."}, "figure": {"caption": "Accuracy and waves over training, in the four dynamics of figure 2 and in double descent's valley; the first seed in full, others thin. [Data](data/circuit_course.csv).", "name": "fig-course"}}
titles = {name: f"{name}: d_model {d}, D = {size:,}" for name, (d, size) in DYNAMICS_CELLS.items()}
circuits.course({titles[name]: own for name, own in inside.items()})

# %% tags=["hide-input"]
rows = [waves.order_row(name, seed, run) for name, own in inside.items()
        for seed, run in own.groupby("seed")]  # fmt: skip
show(waves.ORDER_HEADER, rows, left=(0, 2, 13), after=waves.orders_words(rows))

# %% [markdown]
# "Half way" is the first measured epoch at which the value is half way from its start to its end; a
# value that rises by less than 0.1 has none, and then the other moves "alone". "Held out" is the
# waves' share on held-out pairs that are not mirrored; where it grows and accuracy does not, a rule
# is under way that cannot be seen from outside. *Restricted loss* keeps nothing but the waves of
# the key frequencies (on all pairs), *excluded loss* takes them away (on the training set). Which
# comes first hangs on these two yardsticks, and in some runs on one measured epoch. Key
# frequencies are those of the run's end that stand out: at least a thousandth of the waves, and ten
# times the median frequency.

# %% [markdown]
# ## Against the predictions
#
# They are judged on the chapter's default parameters. [](verdicts.ipynb) has the full wording, and
# what of it was changed after the runs, with the verdicts before and after.

# %% tags=["hide-input"]
page.verdicts(*(claim.name for claim in PREDICTIONS), who="Varma et al. say")

# %% [markdown]
# ## Rerun it
#
# ```bash
# python -m lib run circuit_efficiency -p seeds "[0]" -o out.ipynb
# python -m lib sweep circuits_memorize circuits_generalize circuits_settle circuits_calm --dry-run
# python -m lib sweep circuits_parents
# python -m lib sweep circuits_ungrok circuits_ungrok_decay circuits_controls circuits_scratch
# python -m lib circuits circuits_dynamics              # trains again and looks inside
# python -m lib circuits circuits_ungrok circuits_memorize circuits_generalize --checkpoints 1
# ```
#
# The first shows what is stored. The sweeps train what the predictions need. The last two (the very
# last from weights that the sweeps have kept) measure circuits and keep the numbers in
# `results/circuits/`: weights are not kept in the repository, so what this page says of them comes
# from there.

# %% tags=["hide-input"]
page.end()
