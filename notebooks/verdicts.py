# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # Verdicts
#
# What {cite:t}`huang2024unified` conclude, and what our runs say of it: first the paper's
# takeaways, then single sentences. How a claim is decided stands below them.

# %% tags=["remove-cell"]
try:
    from lib.chapters.page import Page
except ImportError as error:  # not installed; on Linux `lib` may even be the folder /lib
    error._render_traceback_ = lambda: ["This chapter runs in the project that it comes from: "
        "get it (the book's front page says where) and start `make lab` in its folder."]  # fmt: skip
    raise

# %% tags=["parameters", "hide-input"]
train_missing = False  # true: train all the runs that a verdict lacks (hours)

# %% tags=["hide-input"]
import pandas as pd
from IPython.display import HTML, Markdown

from lib.chapters.stories.cards import cards
from lib.chapters.stories.settling import what_settles
from lib.chapters.stories.thresholds import hangs_on
from lib.chapters.tables import changes, changes_table, conditions, younger
from lib.paper.claims import VERDICTS
from lib.paper.predictions import PREDICTIONS
from lib.paper.takeaways import CLAIMS, judge_all

page = Page("verdicts", train_missing)
if train_missing:
    page.gather([spec for claim in CLAIMS for spec in claim.specs()])
verdicts = judge_all(page.store)
takeaways = [v for v in verdicts if v.claim.name.startswith("takeaway")]
predictions = [v for v in verdicts if v.claim in PREDICTIONS]
rest = [v for v in verdicts if v not in takeaways and v not in predictions]
readings = [v for v in rest + predictions if v.claim.ours]
sentences, predictions = ([v for v in which if v not in readings] for which in (rest, predictions))
page.export(
    pd.DataFrame(
        dict(claim=v.claim.name, says=v.claim.says, criterion=v.claim.criterion, verdict=v.verdict,
             finding=v.finding or "", runs=v.runs, missing=len(v.missing))
        for v in verdicts
    ),
    "verdicts", "all verdicts as a table",
)  # fmt: skip
page.export(conditions(verdicts), "conditions", "each number with its interval and its range")


def tally(chosen):
    words = [v.verdict for v in chosen]
    return ", ".join(f"{words.count(w)} {w}" for w in VERDICTS if w in words)


Markdown(
    f"Of {len(takeaways)} takeaways: {tally(takeaways)}.\n\n"
    f"Of {len(sentences)} sentences: {tally(sentences)}.\n\n"
    f"Of {len(predictions)} predictions of Varma et al.: {tally(predictions)}.\n\n"
    f"Of {len(readings)} readings of ours, which go beyond their words: {tally(readings)}."
)

# %% [markdown]
# ## Takeaways
#
# On each axis: straw, the range by which we read the paper; dot and bar, our estimate and its
# interval.

# %% tags=["hide-input"]
HTML(cards(takeaways))

# %% [markdown]
# ## Sentences

# %% tags=["hide-input"]
HTML(cards(sentences))

# %% [markdown]
# ## Predictions of Varma et al.
#
# Not of this paper, but of the theory that it builds on ([](circuit_efficiency.ipynb)).

# %% tags=["hide-input"]
HTML(cards(predictions, "Varma et al. say"))

# %% [markdown]
# ## Readings of ours
#
# The paper says less, or says it of other sizes or of its own recipe: it shows accuracy and no loss, "far exceeds" and no
# factor, and emergence from 1 layer × 64 to 8 × 1024 at modulus 113. Varma et al. have longer runs of
# other widths, and networks that go on with less data.

# %% tags=["hide-input"]
HTML(cards(readings, "Asked, after them"))

# %% [markdown]
# ## Without a test
#
# The paper says more than is judged above. Of these statements the chapters show what our runs do,
# and no verdict:
#
# * the four dynamics in four cells (figure 2); that semi-grokking is a plateau, and its interval about
#   1,000 points for *all* models (§2.2; judged over all widths together): [](grokking_grid.ipynb);
# * bumps in training accuracy, and a part that is memorized first, in progression (§3):
#   [](framework_zones.ipynb);
# * within progression itself accuracy falls towards zero again (§4.4): [](double_descent.ipynb);
# * double descent comes of three zones in turn, and appears well below the intersection (takeaway 5);
#   with 4,000 and 5,000 points accuracy rises over *all* widths (§4.2; judged from d 20 on): there, too;
# * a harder task leaves the capacity alone and moves the intersection (takeaway 6), and its dip at
#   3,000 points is deeper than addition's (figure 7): [](squared_task.ipynb);
# * accuracy on addition is about zero until it emerges, in a model "about 1570 times larger" (§5,
#   figure 8; takeaway 7 asks that at most half of the runs before it generalize):
#   [](multitask_emergence.ipynb);
# * with a split MLP it emerges at a *much smaller* size (appendix B, figure 10; takeaway 8 compares
#   networks of one size): [](split_ffn.ipynb);
# * that generalization is delayed in progression, too (takeaway 4), which with our recipe it is not:
#   [](parameter_norms.ipynb);
# * progression that comes late, once between epochs 30,000 and 40,000 (appendix A):
#   [](parameter_norms.ipynb);
# * training accuracy is perfect "within a few epochs" (§2.2): [](recipe.ipynb).
#
# ## What hangs on a threshold
#
# Most verdicts say "generalizes" or "zero" and mean a number of ours. Each is moved to both sides
# here, and all that reads it judged again. (The claims of mixtures are judged at four levels anyway.)

# %% tags=["hide-input"]
Markdown(hangs_on(verdicts, page.store))

# %% [markdown]
# Between accuracies of 0.1 and 0.2 lies much of a small network's slow rise: where it counts as begun
# decides what of its norm's growth comes before.
#
# ## More time
#
# Figure 9's epochs say that the paper trains longer than our 20,000, if not how long. More time
# brings networks near D_crit to the rule ([](grokking_grid.ipynb)), narrow ones seldom
# ([](double_descent.ipynb)): it would speak for "(64, 3000)", and against "2,600: no grokking".
#
# ## What would settle the open ones
#
# Undecided can mean that a few more seeds would tell, or that the truth lies so near the limit that
# hardly any number would. If more seeds scattered like those that are known, the table says how many
# in all would give the test an even chance of settling, what the further ones cost, and for whom it
# would then speak.

# %% tags=["hide-input"]
Markdown(what_settles(verdicts, page.store.runs()))

# %% [markdown]
# An hour is the median of a cell's stored runs on processors. Seeds end at the paper's eleven, so that
# nobody adds them until an answer pleases. Two claims go on beyond that: takeaway 8 took eight seeds
# more after a first look, and pays for both looks with 97.5% each; what takeaway 6 leaves open is
# asked anew of twenty new seeds, and of these alone. If you train more, say beforehand how many, and
# raise the number of seeds of the experiment (`lib/paper/experiments.py`) or of the claim
# (`lib/paper/takeaways.py`): the verdicts read no others.

# %% [markdown]
# ## How a claim is decided
#
# A claim is one or more numbers, each with an interval (95%, in square brackets; of emergent sizes
# the step between two sizes tried, in round ones) and a range by which we read the paper's
# words, which seldom name one (`lib/paper/takeaways.py` has the words, `lib/paper/criteria` the
# code). There are four verdicts.
#
# * **reproduced**: every interval lies in its range, whole.
# * **not reproduced**: one interval lies outside its range, whole. That speaks of the claim *under
#   our recipe, by epoch T, by this criterion*: the paper leaves its recipe open, and
#   [](recipe.ipynb) shows what changes with another one.
# * **undecided**: an interval reaches across an end of its range, or too few runs do what the claim
#   is about (a claim on networks that generalize needs some that do). Where three seeds cannot settle
#   a claim, whatever they show, its criterion says so.
# * **not enough runs**: a run that the criterion needs is missing. It says nothing for or against
#   the claim.
#
# * Several numbers of one claim hold together in 95% of cases (Bonferroni): with two numbers, each
#   interval is one of 97.5%. The eight readings of an emergent size need no such care, as all eight
#   have to agree.
# * Near a boundary a run is mostly all or nothing. There runs are counted, with exact intervals. Below
#   a third is few, above two thirds most; eleven seeds show either only if they all agree.
# * Graded outcomes, such as a seed's critical size or its mean over widths, get Student's intervals.
#   Where nearly all seeds are alike and one is not, as in "4,000 and 5,000", such an interval is
#   narrower than it should be: it knows nothing of seeds that fail now and then.
# * A threshold between two sizes tried could lie anywhere between them. The intervals of P2 are
#   wider by that step. What is given of an emergent size is that step alone, over all readings: no
#   probability, and nothing of how seeds scatter, in the claims on amounts either. That it lies
#   within the sizes tried can be met or stay open, and not fail.
# * Runs of one seed share first weights and data. Where runs of several cells are counted together,
#   the interval therefore also reflects how the seeds differ, and in takeaway 3, whose cells stand
#   for others not tried, how the cells do. Cells count one by one there, though neighbours can be
#   alike; the interval of the first share if those of one training size are stands beside it.
# * Where every run shows what is counted, or none (P3, P4, the first half of (64, 2000–2800)), nothing
#   tells how alike a seed's runs are. They count as independent; were they all alike, P3 and P4 would
#   be undecided.
# * "Runs" are those of the claim's cells that were read; a number can rest on some of them.
#
# Seeds come in one by one, up to the paper's eleven, and a claim is judged again with each, at 95%
# every time. Where the truth lies just at a limit, one look calls the claim reproduced by chance in
# 2.5% of cases; seven looks, from five seeds to eleven, do so at least once in 7%, as a simulation
# of Student's intervals says. So a verdict on fewer than eleven seeds may still turn. Only takeaway
# 8 and P2 from scratch, with two looks at set numbers of seeds, pay for both.

# %% [markdown]
# ## Tests that were changed
#
# A test should be older than the runs that it judges. Here that holds in part. Of some claims, which
# the end of this section names, some or all runs are younger than the test's first form; every change
# since is listed here, and the project's own tests compare the dates. Each row has both verdicts on the runs stored at the time (for November 23: at the end of
# that day). Where the new test asked for runs that were not there, it says "not enough runs". Where
# three seeds became five, the first verdict is that of the first three.

# %% tags=["hide-input"]
changed = changes()
page.export(
    changed, "changes", "the tests that were changed, with the numbers behind both verdicts"
)
Markdown("\n\n".join(
    f"<details><summary>{time[:10]}, {time[11:16]} UTC, commit {commit}: {len(rows)} test{'s' * (len(rows) > 1)} changed</summary>"
    f"\n\n{changes_table(rows)}\n\n</details>"
    for (time, commit), rows in changed.groupby(["time", "commit"])
) + f"\n\n{younger(CLAIMS, changed)}")  # fmt: skip

# %% [markdown]
# ## Rerun it
#
# ```bash
# python -m lib claims                 # every claim, with what its missing runs cost here
# python -m lib status                 # what is stored of each experiment
# python -m lib sweep figure9 --budget 45m
# ```

# %% tags=["hide-input"]
page.end()
