"""The paper's takeaways and sentences as claims, each with its criterion."""

from functools import partial

import numpy as np
import pandas as pd

from lib.analysis import dynamics, efficiency
from lib.paper.circuits import LOST_SIZES
from lib.paper.claims import Claim, Verdict, judge
from lib.paper.criteria import addition, circuits, mixtures
from lib.paper.criteria.circuits import FACTOR, FLAT, NEAR, SOME
from lib.paper.mixtures import ALONE_113
from lib.runs.store import Store


def judge_all(store: Store) -> list[Verdict]:
    """Every claim, takeaways first."""
    return judge_named(store, *BY_NAME)


def judge_named(store: Store, *names: str) -> list[Verdict]:
    """Some claims, in the given order.  Raises KeyError if there is no such claim."""
    runs = store.runs()
    return [judge(BY_NAME[name], store, runs) for name in names]


_all_6 = ("figure6", {}, 5)
_row_3000 = ("figure6", dict(train_size=(3000,)), 5)


def _three(d, *sizes):
    return ("figure3", dict(d_model=(d,), train_size=sizes), 5)


def _mixture(experiment, amount, split=None, widths=None):
    """The cells of one curve of a study on mixtures; amount 0: addition alone."""
    task = dict(task=("multitask" if amount else "add",), memorize_size=(amount,))
    cells = task | dict(split_mlp=(split,)) | (dict(d_model=widths) if widths else {})
    return (experiment, cells, 3)


_alone_113 = _mixture("emergent_113", 0, widths=tuple(d for d in ALONE_113 if d >= 16))

_emerges = (
    "emergent size (validation ≥ 0.9 in the best of 3 seeds, there and at every larger size) "
    "at least 3 times as many parameters as alone, and validation accuracy in between lower "
    "at 95% over seeds; open where it is lower and does not return by the largest size, or where "
    "the sizes tried leave open whether the factor is 3"
)

_P1 = (
    "elasticity against D of the norm at which runs settle with a training loss of "
    f"{efficiency.LEVEL:g} or less: memorizing (random labels) > 0 at 95%, Page's trend p < 0.05; "
    f"generalizing (validation ≥ {dynamics.GENERALIZED}) within ±{FLAT} at 95%, and below; open "
    "where a size does not settle so in two seeds"
)


def _costs(name: str, says: str, memorize: tuple, generalize: tuple) -> Claim:
    return Claim(name, says, _P1, (memorize, generalize), circuits.costs_differ, curves=True)


_memorize = ("circuits_memorize", {}, 3)

# fmt: off
PREDICTIONS = (
    _costs("P1: efficiency",
           "The norm that generalizing needs does not depend on D, the norm that memorizing needs "
           "rises with D (Varma et al. 2023)", _memorize, ("circuits_generalize", {}, 3)),
    # added when 6 of 15 generalizing runs had not settled by epoch 6,000
    _costs("P1: efficiency, equally long",
           "The same where networks that generalize train as long as those that memorize (ours)",
           _memorize, ("circuits_settle", {}, 3)),
    # added when 6 of 15 of these had not settled, either
    _costs("P1: efficiency, calmer", "The same at a third of the learning rate (ours)",
           ("circuits_calm", dict(task=("random",)), 3),
           ("circuits_calm", dict(task=("add",)), 3)),
    Claim("P2: weight decay", "D_crit does not move with weight decay (Varma et al. 2023)",
          f"from scratch: for every two of three weight decays D_crit differs, seed by seed, by "
          f"at most {NEAR} points at 95%; contradicted by a mean beyond {NEAR}; open where D_crit "
          "lies outside the sizes tried",
          (("circuits_decay", {}, 5),), circuits.decay_moves_little),
    Claim("P2: weight decay, continued",
          "After ungrokking the outcome does not depend on weight decay (Varma et al. 2023)",
          "networks that had generalized, trained on with a subset: for every two of three weight "
          "decays the size at which the rule is lost differs, seed by seed, by a factor of at "
          f"most {FACTOR} at 95% ({np.log(FACTOR):.2f} in ln D); contradicted by a mean beyond; "
          "open where it lies outside the sizes tried",
          (("circuits_ungrok", dict(train_size=LOST_SIZES), 5), ("circuits_ungrok_decay", {}, 5)),
          lambda usual, others: circuits.decay_keeps_the_rule(pd.concat([usual, others]))),
    Claim("P3: ungrokking",
          "A network that has generalized, trained on with less data than D_crit, loses it (Varma "
          "et al. 2023)",
          "Page's trend over the sizes p < 0.05, and a sharp transition: a factor of "
          f"{FACTOR} below the size at which the rule is lost at most a fifth of the networks keep "
          "it, a factor above at least four fifths; open where that is not within the sizes tried; "
          "the place itself is shown, not judged",
          tuple((f"circuits_{name}", {}, 5) for name in ("parents", "ungrok", "scratch")),
          circuits.rule_is_lost),
    Claim("P4: semi-grokking",
          "Near D_crit networks get stuck at moderate validation accuracy (Varma et al. 2023)",
          f"{SOME} of 20 runs or more keep validation accuracy in a band of {efficiency.BAND} for "
          f"{efficiency.LASTING:,} epochs after training is perfect, below {dynamics.GENERALIZED} "
          f"and at least {efficiency.MARGIN} above what symmetry alone gives (held-out pairs whose "
          "mirror was trained on right, the others by chance); contradicted by "
          f"{SOME - 1} or fewer where some runs generalize and some do not; open where all or none "
          "do",
          (("circuits_semi", {}, 5),), circuits.plateaus_exist, curves=True),
)
# fmt: on
"""P1–P4 of Varma et al. 2023, the theory that the paper builds on."""

# fmt: off
CLAIMS = (
    Claim("takeaway 1",
          "Critical dataset size for generalization decreases with model size (§2.2)",
          "Page's trend test over 7 widths p < 0.05, and D_crit(32) − D_crit(64) > 0 at 95%",
          (("figure3", {}, 5),), addition.critical_falls),
    Claim("takeaway 2", "Memorization capacity increases with model size (§2.3)",
          "Page's trend test over 15 widths p < 0.05, and the gain from 4 to 100 > 0 at 95%",
          (("figure4", {}, 3),), addition.capacity_rises),
    Claim("takeaway 3", "Training dynamics fall into four types, delimited by the two curves (§3)",
          "each run's zone is its region's (D_crit from the other seeds) in ≥ 80% at 95% over "
          "cells; all four seen", (("figure3", {}, 5), _all_6, ("figure4", {}, 3)),
          addition.zones_agree, curves=True),
    Claim("takeaway 4",
          "Progression and grokking differ in the parameter norm's trend (appendix A)",
          "norm change while generalizing > 0 in progression, < 0 in grokking at 95%; "
          "permutation p < 0.05", (("figure9", {}, 5),), addition.norms_differ, curves=True),
    Claim("takeaway 5",
          "Double descent comes from progression, ungrokking and grokking in turn; "
          "it vanishes above the intersection (§4.1–4.2)",
          "at 3,000 a dip over d 28–36 of > 0.3, at 2,600 a fall from below d = 24 to 24–40, both "
          "p < 0.05 when widths are shuffled within seeds; at 4,000 and 5,000 a dip < 0.1; the "
          "zones and where the curves intersect are not judged", (_all_6,),
          addition.double_descent),
    Claim("takeaway 6",
          "A harder task raises D_crit and makes double descent more prominent (§4.3)",
          "the dip over d 24–40 at 3,000 deeper than addition's, and D_crit larger at d = 32, "
          "48, 64; sign flips p < 0.05; the capacity is not judged",
          (_row_3000, ("figure7", {}, 5), ("figure3", dict(d_model=(32, 48, 64)), 5),
           ("squared_critical", {}, 5)), addition.harder_is_deeper),
    Claim("takeaway 7",
          "Mixing in a pure memorization task makes addition an emergent ability (§5)",
          f"3,000 + 3,000 points, one layer, d 32–256: {_emerges}",
          (_alone_113, _mixture("emergent_113", 3000)), mixtures.suppressed_then_emerges),
    Claim("takeaway 8",
          "Separating memorization and generalization in parameter space makes it emerge earlier "
          "(§5, appendix B)",
          "3,000 + 3,000 points, one layer, d 32–256: the split MLP's emergent size is smaller, "
          "and its validation accuracy, mean over sizes, higher at 95% over seeds; open where both "
          "sizes lie beyond those tried",
          (_mixture("emergent_113", 3000), _mixture("emergent_113", 3000, True)),
          mixtures.split_is_earlier),
    Claim("(64, 3000)", "d = 64 is near-perfect with just 3,000 points (§2.2)", "mean ≥ 0.95",
          (_three(64, 3000),), addition.cell(least=dynamics.GENERALIZED)),
    Claim("d = 32", "d = 32 needs 4,000 points (§2.2)",
          "the mean stays ≥ 0.95 from 3,800 or 4,000 on, not earlier",
          (("figure3", dict(d_model=(32,)), 5),), addition.needs_4000),
    Claim("(64, 2000–2800)", "d = 64 is semi-grokking from 2,000 to below 3,000 points (§2.2)",
          "mean ≥ 0.1 and < 0.95 at every size", (_three(64, 2000, 2200, 2400, 2600, 2800),),
          addition.cell(least=dynamics.ZERO, below=dynamics.GENERALIZED)),
    Claim("semi-grokking interval", "It spans about 1,000 points for all models (§2.2)",
          "from a mean ≥ 0.1 to a mean ≥ 0.95 takes 600 to 1,400 points at every width",
          (("figure3", {}, 5),), addition.semi_interval),
    Claim("D_crit(64)", "D_crit of d = 64 is about 3,000 (§2.2)", "estimate within 300 of 3,000",
          (("figure3", dict(d_model=(64,)), 5),), addition.critical_64),
    Claim("2,600: ungrokking", "Zero validation accuracy for d 24–40 at 2,600 (§4.1)",
          "mean < 0.1 at each of these widths",
          (("figure6", dict(train_size=(2600,), d_model=(24, 28, 32, 36, 40)), 5),),
          addition.cell(below=dynamics.ZERO)),
    Claim("2,600: no grokking", "No grokking in this range of sizes at 2,600 (§4.1, footnote 2)",
          "mean < 0.5 at every width from 44 to 100",
          (("figure6", dict(train_size=(2600,), d_model=(44, 48, 56, 64, 100)), 5),),
          addition.cell(below=0.5)),
    Claim("3,000: dip", "A dip around d 28–36 at 3,000 (§4.1)",
          "deepest dip of the mean curve ≥ 0.2, its valley at 28, 32 or 36", (_row_3000,),
          addition.valley_place),
    Claim("3,000: no ungrokking", "3,000 points eliminate the ungrokking stage (§4.1)",
          "from the first peak of the mean curve on, mean ≥ 0.1 at every width", (_row_3000,),
          addition.no_ungrokking),
    Claim("4,000 and 5,000", "No double descent at 4,000 and 5,000 (§4.2)",
          "deepest dip of the mean curve < 0.1 at both",
          (("figure6", dict(train_size=(4000, 5000)), 5),), addition.no_dip),
    Claim("model-wise grokking",
          "With little data validation becomes perfect at sizes far beyond those where training "
          "is; not so at 4,000 and 5,000 (§4.2)",
          "width from which on means of validation are ≥ 0.95, over that of training (≥ 0.99): ≥ 2 "
          "at 3,000, ≤ 1.5 at 4,000 and 5,000; open where one is not within the widths",
          (("figure6", dict(train_size=(3000, 4000, 5000)), 5),), addition.grokking_by_width),
    Claim("squared at 24", "The squared task has zero validation accuracy at d = 24 (§4.3)",
          "mean < 0.1", (("figure7", dict(d_model=(24,)), 5),),
          addition.cell(below=dynamics.ZERO)),
    Claim("addition at 24", "… which addition at 3,000 does not show (§4.3)", "mean ≥ 0.1",
          (("figure6", dict(train_size=(3000,), d_model=(24,)), 5),),
          addition.cell(least=dynamics.ZERO)),
    Claim("progression varies", "Progression is not consistent across runs (§3, figure 5)",
          "final validation accuracy differs by ≥ 0.2 between 5 seeds", (("figure5", {}, 5),),
          addition.seeds_differ),
    Claim("capacity is sharp", "Capacity has a narrow 95% interval (§2.3, figure 4)",
          "±0.05 or less in accuracy at every width", (("figure4", {}, 3),), addition.narrow),
    Claim("norm, progression",
          "The norm rises in progression when generalization comes (appendix A)",
          "mean log change > 0 at 95%, 4 runs or more that generalize",
          (("figure9", dict(d_model=(8,)), 5),), partial(addition.norm_moves, +1), curves=True),
    Claim("norm, grokking", "The norm falls in grokking (appendix A)",
          "mean log change < 0 at 95%, 4 runs or more that generalize",
          (("figure9", dict(d_model=(64,)), 5),), partial(addition.norm_moves, -1), curves=True),
    Claim("emergence at modulus 59", "The same as takeaway 7, where more sizes fit (§5)",
          f"1,200 + 300 points, one layer, d 32–256: {_emerges}",
          (_mixture("emergent_59", 0), _mixture("emergent_59", 300)),
          mixtures.suppressed_then_emerges),
    Claim("split at modulus 59", "The same as takeaway 8, where more sizes fit (appendix B)",
          "1,200 + 300 points, one layer, d 32–256: as takeaway 8",
          (_mixture("emergent_59", 300), _mixture("emergent_59", 300, True)),
          mixtures.split_is_earlier),
    Claim("amount of memorization data", "It hardly moves the emergent size (§5, figure 8)",
          "the emergent sizes with 1,000, 3,000 and 6,000 points lie within a factor of two in "
          "width; open where it is not known for one of them",
          tuple(_mixture("emergent_113", amount) for amount in (1000, 3000, 6000)),
          mixtures.amount_hardly_matters),
    *PREDICTIONS,
)
# fmt: on
"""Takeaways 1–8, sentences of the paper, then P1–P4 of Varma et al. 2023."""


BY_NAME = {claim.name: claim for claim in CLAIMS}
