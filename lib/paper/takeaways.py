"""The paper's takeaways and sentences as claims, each with its criterion."""

from functools import partial

from lib.analysis.efficiency import MARGIN
from lib.paper.claims import Claim, Verdict, judge
from lib.paper.criteria import addition, mixtures, zones
from lib.paper.criteria.rules import FEW, MOST
from lib.paper.mixtures import ALONE_113, LAW_AMOUNTS
from lib.paper.predictions import PREDICTIONS
from lib.paper.search import FRESH
from lib.runs.store import Store


def judge_all(store: Store) -> list[Verdict]:
    """Every claim, takeaways first."""
    return judge_named(store, *BY_NAME)


def judge_named(store: Store, *names: str) -> list[Verdict]:
    """Some claims, in the given order.  Raises KeyError if there is no such claim."""
    runs = store.runs()
    return [judge(BY_NAME[name], store, runs) for name in names]


_fresh = range(5, 11)  # seeds 0–4 suggested takeaway 6's tests


def _three(d, *sizes, seeds=5):
    return ("figure3", dict(d_model=d) | (dict(train_size=sizes) if sizes else {}), seeds)


def _six(*sizes, seeds=5, d=()):
    return ("figure6", dict(train_size=sizes) | (dict(d_model=d) if d else {}), seeds)


# Takeaway 6 spells them out: its entry is older than its runs, which a test of dates holds.
_both_tasks = (_six(3000, seeds=_fresh), ("figure7", {}, _fresh),
               _three((32, 48, 64), seeds=_fresh), ("squared_critical", {}, _fresh),
               ("beyond_3000", {}, _fresh))  # fmt: skip


def _mixture(experiment, amount, split=None, widths=(), seeds=3, layers=()):
    """The cells of one curve of a study on mixtures; amount 0: addition alone."""
    task = dict(task=("multitask" if amount else "add",), memorize_size=(amount,))
    cells = task | dict(split_mlp=(split,)) | (dict(d_model=widths) if widths else {})
    cells |= dict(n_layers=layers) if layers else {}
    return (experiment, cells, seeds)


def _at_depth(split=None):
    """2 × 64 and 4 × 64 at modulus 59: seeds 0–2 suggested takeaway 8's test, 3–7 were new to its
    first look, 8–15 are to its second."""
    return (
        _mixture("emergent_depth", 1200, split, (64,)),
        _mixture("split_depth", 1200, split, seeds=range(3, 8)),
        _mixture("split_depth_more", 1200, split, seeds=range(8, 16)),
    )


_MORE = f"end at 0.1 or above, and at least {MARGIN} above what symmetry alone gives"
_ZONE = (24, 28, 32, 36, 40)  # where the paper sees ungrokking at 2,600
_alone_deep = (_mixture("emergent_depth_long", 0, layers=(2,)), _mixture("emergent_two_layers", 0))
_mixed_deep = (_mixture("emergent_depth_long", 1200, layers=(2,)),
               _mixture("emergent_depth_between", 1200))  # fmt: skip
_twice = ("emergent_twice", {}, 3), ("emergent_twice_wide", {}, 3)
_alone_113 = _mixture("emergent_113", 0, widths=tuple(d for d in ALONE_113 if d >= 16))

_emerges = (
    "the emergent size (from there on every size has a run that generalizes) has at least 3 times "
    "as many parameters as alone and lies within the sizes tried, and at most half of the runs in "
    "between generalize; by the highest accuracy on the way and by the last, at 0.5, 0.8, 0.9, "
    "0.95. The interval covers the step between two sizes that were tried, not the scatter of "
    "seeds"
)
_split = (
    "validation accuracy, mean over sizes, is higher with the split MLP in most seeds (sign test), "
    "by the highest on the way and by the last"
)

# fmt: off
CLAIMS = (
    Claim("takeaway 1",
          "Critical dataset size for generalization decreases with model size (§2.2)",
          "the exponent of width in a seed's D_crit is < 0",
          (("figure3", {}, 5),), addition.critical_falls),
    Claim("takeaway 2", "Memorization capacity increases with model size (§2.3)",
          "the exponent of width in the capacity is > 0, over the widths that cannot hold all "
          "pairs", (("figure4", {}, 3),), addition.capacity_rises),
    Claim("takeaway 3", "Training dynamics fall into four types, delimited by the two curves (§3)",
          "in ≥ 80% of cells D_mem tells whether most runs are perfect in training before "
          "validation rises; beyond the band around D_crit it tells in ≥ 80% whether most "
          "generalize (the fitted curve, from the other cells); of the runs with more facts than "
          "D_mem at least half show progression; only seeds that have all of both grids count",
          (("figure3", {}, 5), ("figure6", {}, 5), ("figure4", {}, 3)), zones.zones_agree,
          curves=True),
    Claim("takeaway 4",
          "Progression and grokking differ in the parameter norm's trend, although both show "
          "delayed generalization (appendix A)",
          "the norm's change while a run generalizes, less that of the same cell and seed on "
          "random labels over the same epochs, is > 0 in progression and < 0 in grokking",
          (("figure9", {}, 5), ("figure9_controls", {}, 5)), addition.norms_differ, curves=True,
          later=("figure9_controls",)),
    Claim("takeaway 5",
          "Double descent comes from moving from progression to ungrokking, then to grokking; it "
          "appears well below the intersection and vanishes above it (§4.1–4.2)",
          "a dip of ≥ 0.1 at 3,000, a fall of ≥ 0.1 from d 8–20 to 24–40 at 2,600, a dip of "
          "≤ 0.1 at 4,000 and 5,000. Dip: mean over d 8–20 (at 4,000 and 5,000: at d 20) or over "
          "48–100, the lower, less that over 28–36. The zones and where the curves intersect are "
          "not judged",
          (("figure6", {}, 5),), addition.double_descent),
    Claim("takeaway 6",
          "A harder task raises D_crit and makes double descent more prominent (§4.3)",
          "a shift to the upper right: D_crit larger, mean over d 32, 48, 64; validation at 3,000 "
          "lower, mean over d 24–56; at 3,400 or at 3,600 a dip (takeaway 5's) of ≥ 0.1 for the "
          "square and of ≤ 0.1 for addition. Seeds 5–10 only; the capacity is not judged",
          (_six(3000, seeds=_fresh), ("figure7", {}, _fresh), _three((32, 48, 64), seeds=_fresh),
           ("squared_critical", {}, _fresh), ("beyond_3000", {}, _fresh)),
          addition.harder_is_further,
          later=("figure6", "figure7", "figure3", "squared_critical", "beyond_3000")),
    Claim("takeaway 7",
          "Mixing in a pure memorization task makes addition an emergent ability (§5)",
          "at modulus 59 with two layers, 1,200 + 1,200 points, 30,000 epochs, alone from 2 × 8 "
          f"and mixed from 2 × 32 to 2 × 64: {_emerges}",
          (*(_mixture("emergent_depth_long", amount, layers=(2,)) for amount in (0, 1200)),
           _mixture("emergent_depth_between", 1200), _mixture("emergent_two_layers", 0)),
          mixtures.emerges, curves=True, later=("emergent_two_layers",)),
    Claim("takeaway 8",
          "Separating memorization and generalization in parameter space makes it emerge earlier "
          "(§5, appendix B)",
          f"at modulus 59 with depth, 1,200 + 1,200 points, 2 × 64 and 4 × 64: {_split}; sixteen "
          "seeds, looked at for the second time (the first eight did not settle it), so with 97.5% "
          "each time", _at_depth() + _at_depth(True), partial(mixtures.split_is_earlier, looks=2),
          curves=True, later=("split_depth_more",)),
    Claim("(64, 3000)", "d = 64 is near-perfect with just 3,000 points (§2.2)",
          "at least two thirds of the runs generalize", (_three((64,), 3000),),
          partial(addition.runs_generalize, least=MOST)),
    Claim("d = 32", "d = 32 needs 4,000 points (§2.2)",
          "at least two thirds of the runs generalize at 4,000, at most two thirds at 3,600",
          (_three((32,), 3600, 4000),), addition.needs_4000),
    Claim("(64, 2000–2800)", "d = 64 is semi-grokking from 2,000 to 3,000 points (§2.2; 3,000 "
          "itself, which is called near-perfect, too, is asked apart)",
          f"at least a third of the runs {_MORE}, at 2,000–2,400, and at most two thirds "
          "generalize at 2,600 and 2,800",
          (_three((64,), 2000, 2200, 2400, 2600, 2800),), addition.moderate),
    Claim("semi-grokking interval", "It spans about 1,000 points for all models (§2.2)",
          "from where a tenth of the seeds generalizes to where 95% do it takes 600 to 1,400 "
          "points, by the deviation of the seeds' D_crit, all widths together, leaving out a seed "
          "at a time; the grid's step taken off",
          (("figure3", {}, 5),), addition.semi_interval),
    Claim("D_crit(64)", "D_crit of d = 64 is about 3,000 (§2.2)",
          "the mean of the seeds' D_crit is 2,700 to 3,300 (the paper's 3,000 ends the range in "
          "which it semi-groks; a mean lies within that range)", (_three((64,)),),
          addition.critical_64),
    Claim("2,600: ungrokking", "Zero validation accuracy for d 24–40 at 2,600 (§4.1)",
          f"at most a third of the runs {_MORE}",
          (_six(2600, d=_ZONE),), partial(addition.runs_know_more, most=FEW)),
    Claim("2,600: no grokking",
          "No grokking yet in this range of sizes, which we take to be all of figure 6's, at 2,600 "
          "(§4.1, footnote 2)",
          "at most a third of the runs over d 44–100 generalize, and at none of these widths "
          "surely more",
          (_six(2600, d=(44, 48, 56, 64, 100)),),
          partial(addition.runs_generalize_by_width, most=FEW)),
    Claim("3,000: dip", "A dip around d 28–36 at 3,000 (§4.1)", "takeaway 5's dip is ≥ 0.1",
          (_six(3000),), addition.a_dip),
    Claim("3,000: loss", "The dip at 3,000, asked of validation loss (ours; §4.1 has accuracy)",
          "the loss falls from d 4 to 12–16, climbs from there to 28–36 and falls from there to "
          "48–100, climb and second fall by at least what guessing costs (ln 113). Seeds 5–10 only",
          (_six(3000, seeds=_fresh, d=(4, 12, 16, 28, 32, 36, 48, 56, 64, 100)),),
          addition.loss_descends_twice, later=("figure6",)),
    Claim("3,000: no ungrokking", "3,000 points eliminate the ungrokking stage (§4.1)",
          f"at least a third of the runs over d 24–40 {_MORE}", (_six(3000, d=_ZONE),),
          partial(addition.runs_know_more, least=FEW)),
    Claim("4,000 and 5,000", "No double descent at 4,000 and 5,000 (§4.2)",
          "takeaway 5's dip, from d = 20 on, is ≤ 0.1 at both", (_six(4000, 5000),),
          addition.no_dip),
    Claim("double descent, tied", "Takeaway 5 in the recipe that leads the search (§4; ours)",
          "takeaway 5's test, with tied embeddings, learning rate 0.001, weight decay 1, by epoch "
          f"35,000, on {len(FRESH) - 1} seeds; seed {FRESH[0]:,} was known and is left out",
          (("figure6_tied", {}, FRESH[1:]),), addition.double_descent, later=("figure6_tied",)),
    Claim("model-wise grokking",
          "With little data validation becomes perfect at sizes far beyond those where training "
          "is; not so at 4,000 and 5,000 (§4.2)",
          "width from which on a seed's validation is ≥ 0.95, over that of training (≥ 0.99): ≥ 2 "
          "in most seeds at 3,000, ≤ 1.5 in most at 4,000 and 5,000 (sign tests; a seed that never "
          "generalizes meets neither)",
          (_six(3000, 4000, 5000),), addition.grokking_by_width),
    Claim("a harder task, new seeds",
          "A harder task raises D_crit and makes double descent more prominent (§4.3; ours: "
          "takeaway 6, its dips on new seeds)",
          "takeaway 6's first two numbers; then, at 3,600 points, on twenty seeds that it has not "
          "seen: a dip of ≥ 0.1 for the square, and in at most a third of addition's seeds. Dip: "
          "at d 20 or over 48–64, the lower, less that over 28–36. Seeds 5–10 suggested size and "
          "widths. Once these runs are there this test takes takeaway 6's place, whatever it says",
          (*_both_tasks, ("beyond_3600", {}, range(11, 31))),
          addition.harder_on_new_seeds, later=("beyond_3600",)),
    Claim("squared at 24", "The squared task has zero validation accuracy at d = 24 (§4.3)",
          f"at most a third of the runs {_MORE}",
          (("figure7", dict(d_model=(24,)), 5),), partial(addition.runs_know_more, most=FEW)),
    Claim("addition at 24", "Addition at 3,000 points is not at zero at d = 24 (§4.3)",
          f"at least a third of the runs {_MORE}",
          (_six(3000, d=(24,)),), partial(addition.runs_know_more, least=FEW)),
    Claim("progression varies", "Progression is not consistent across runs (§3, figure 5)",
          "the deviation of final validation accuracy between seeds is ≥ 0.1",
          (("figure5", {}, 5),), addition.seeds_differ),
    Claim("capacity is sharp", "Capacity has a narrow 95% interval (§2.3, figure 4)",
          "±0.05 or less in accuracy at every width; three seeds cannot show it",
          (("figure4", {}, 3),), addition.narrow),
    Claim("norm, progression",
          "The norm rises in progression when generalization comes (appendix A)",
          "mean log change > 0", (("figure9", dict(d_model=(8,)), 5),),
          partial(addition.norm_moves, least=0), curves=True),
    Claim("norm, grokking", "The norm falls in grokking (appendix A)", "mean log change < 0",
          (("figure9", dict(d_model=(64,)), 5),), partial(addition.norm_moves, most=0),
          curves=True),
    Claim("emergence at modulus 113",
          "Mixing makes addition an emergent ability (§5; ours: the paper's modulus, one layer)",
          f"3,000 + 3,000 points, one layer, d 32–256: {_emerges}",
          (_alone_113, _mixture("emergent_113", 3000)), mixtures.emerges, curves=True),
    Claim("emergence at modulus 59",
          "Mixing makes addition an emergent ability (§5; ours: modulus 59, one layer)",
          f"1,200 + 300 points, one layer, d 32–256: {_emerges}",
          (_mixture("emergent_59", 0), _mixture("emergent_59", 300)), mixtures.emerges,
          curves=True),
    Claim("emergence with depth",
          "Mixing makes addition an emergent ability (§5; ours: modulus 59, one layer to four)",
          "at modulus 59 with depth, 1,200 + 1,200 points, 30,000 epochs, 2 × 32 to 4 × 128 (of "
          f"which one seed, that was there, is enough): {_emerges}",
          (_mixture("emergent_depth_long", 0), _mixture("emergent_depth_long", 1200),
           _mixture("emergent_depth_between", 0), _mixture("emergent_depth_between", 1200),
           _mixture("emergent_depth_wide", 1200, seeds=range(2, 3))), mixtures.emerges,
          curves=True),
    Claim("emergence, twice to memorize",
          "Mixing makes addition an emergent ability (§5; ours: takeaway 7 with 2,400 points)",
          "takeaway 7's test with 1,200 + 2,400 points, mixed at 2 × 36, 2 × 44, 2 × 52, 2 × 72, "
          "2 × 96. Addition alone, from 2 × 28 on and not at 2 × 24, was known: three times as "
          "many parameters need failure at 2 × 52, and what passes at 2 × 36 has fewer. That seven "
          "of eight readings fail to 2 × 72 was known when 2 × 96 was added: addition can but come "
          "back there, or leave this undecided",
          (*_alone_deep, *_twice), mixtures.emerges, curves=True, later=("emergent_twice_wide",)),
    Claim("split at modulus 59",
          "A split MLP makes it emerge earlier (appendix B; ours: modulus 59, one layer)",
          f"1,200 + 300 points, one layer, d 32–256: {_split}; three seeds cannot settle it",
          (_mixture("emergent_59", 300), _mixture("emergent_59", 300, True)),
          mixtures.split_is_earlier, curves=True),
    Claim("amount of memorization data", "It hardly moves the emergent size (§5, figure 8)",
          "the emergent sizes (0.9) with 3,000 and 6,000 points lie within a factor of two in "
          "width, by the highest accuracy on the way and by the last",
          tuple(_mixture("emergent_113", amount) for amount in (3000, 6000)),
          mixtures.amount_hardly_matters, curves=True),
    Claim("amount, in two layers", "It hardly moves the emergent size (§5; ours: modulus 59)",
          "the emergent sizes (0.9) with 1,200 and 2,400 points beside 1,200 of addition, two "
          "layers, 30,000 epochs, lie within a factor of two in width, by the highest accuracy on "
          "the way and by the last. The sizes with 1,200, 2 × 44 and 2 × 48, were known; with "
          "2,400 it is asked from 2 × 36, at which it must fail to be told, to 2 × 96",
          (*_mixed_deep, *_twice), mixtures.amount_hardly_matters, curves=True,
          later=("emergent_twice", "emergent_twice_wide")),
    Claim("capacity is a fixed factor",
          "Addition emerges once capacity far exceeds all data (§5); ours: by a fixed factor",
          "at modulus 113, one layer, 3,000 points of addition with 0, 125, 250, 500, 1,000 to "
          "memorize: the power of all facts with which capacity at a seed's emergent width grows "
          "(by a fixed factor: 1) is {:g} to {:g}; by the highest accuracy on the way and by the "
          "last, at 0.5, 0.8, 0.9, 0.95. Capacity goes with width as in figure 4, continued"
          .format(*mixtures.PROPORTIONAL),
          (_alone_113, *(_mixture("emergent_law", amount) for amount in LAW_AMOUNTS),
           _mixture("emergent_113", 1000), ("figure4", {}, 3)),
          mixtures.capacity_is_a_fixed_factor, curves=True, later=("emergent_law",)),
    *PREDICTIONS,
)
# fmt: on
"""Takeaways 1–8, sentences of the paper, then P1–P4 of Varma et al. 2023."""


BY_NAME = {claim.name: claim for claim in CLAIMS}
