"""Section 5 and appendix B as data: the paper's grids, our scaled study, the deep recipe.

The paper gives the ends of figure 8's ranges, 1 layer × 64 to 8 layers × 1024 and 3,000 to
6,000 memorization points; what lies between is ours.  Two cores carry its question at smaller
sizes: at modulus 113 with one layer, and at modulus 59 with more depth and width.
"""

from lib.paper.grid import Grid
from lib.paper.recipe import BASE, CALIBRATION_SEED, STOP_AFTER
from lib.spec import RunSpec

SIZES_8 = ((1, 64), (1, 128), (2, 128), (2, 256), (4, 256), (4, 512), (8, 512), (8, 1024))
"""(n_layers, d_model) of our figures 8 and 10: the ends are those of the paper's figure 8."""


AMOUNTS_8 = (3000, 4000, 5000, 6000)
"""Memorization points of figure 8; what lies between the ends is ours."""


FOR_A_GPU = ("figure8", "figure10")
"""Experiments that two cores would train for a year."""


def decisive(spec: RunSpec) -> bool:
    """Whether a run of these is among those that come first: alone, and figure 10's amount."""
    return spec.memorize_size in (0, AMOUNTS_8[0])


DEEP = dict(norm="pre", residual="scaled", lr=1e-3)
"""What the book's deep models get; the recipe page compares it (`deep_recipe`) with others."""


ALONE_113 = (8, 12, 16, 20, 24, 28, 32, 36, 40, 44, 48, 56, 64, 100, 128, 256)
"""Widths for addition alone; up to 100 these are figure 6's runs at 3,000 points."""


WIDTHS_113 = (32, 64, 128, 256)
AMOUNTS_113 = (3000, 1000, 6000)
FILL_113 = (48, 96, 192)
LAW_WIDTHS, LAW_AMOUNTS = (16, 24, 32, 48, 64, 96, 128, 192), (125, 250, 500)
"""Where the emergent size is followed as there is more to memorize: from next to nothing up to the
1,000 points of `AMOUNTS_113`, whose widths go on to 256."""


SMALL = dict(modulus=59, train_size=1200)
"""The smaller modulus: 3,481 pairs, a third of them for addition."""


ALONE_59 = (8, 16, 24, 32, 48, 64, 128, 256)
WIDTHS_59 = (32, 64, 128, 256)
AMOUNTS_59 = (1200, 300)
WIDER_59 = (512,)
SIZES_DEPTH = ((1, 16), (1, 32), (2, 32), (2, 64), (4, 64), (4, 128))
"""(n_layers, d_model) of the study with depth."""


BETWEEN_ALONE, BETWEEN_MIXED = ((1, 24), (1, 28)), ((2, 40), (2, 44), (2, 48))
"""What lies between two of these, where one or the other begins to generalize: from one to the
next of `SIZES_DEPTH` is up to 3.7 times the parameters, too much to tell 3 times."""


TWO_LAYERS = tuple((2, d) for d in (8, 12, 16, 20, 24, 28))
"""Addition alone at the mixture's depth: one layer × 32 alone against two × 44 mixed differ in more
than size."""


TWICE, WIDE = tuple((2, d) for d in (36, 44, 52, 72)), (2, 96)
"""The same depth with twice as much to memorize, as at the far end of figure 8.  Width 52 has just
over three times the parameters of 28, from which on addition alone is there; 36 has hardly over
twice those of 24, where it is not; 96 is twice as wide as 48, where it comes with half as much."""


ONE_LAYER = ((1, 32), (1, 64), (1, 96))
"""The mixture in one layer, with all else as in deeper models: is it depth that brings addition
back?  Seed 1000 of these was known."""


EPOCHS_DEPTH = 6_000
"""Deep models with LayerNorm train in fewer epochs, and an epoch of theirs is dear."""


RECIPES_DEEP = {
    "plain": {},
    "warm-up": dict(warmup=200),
    "scaled residuals": dict(residual="scaled"),
    "scaled residuals, warm-up": dict(residual="scaled", warmup=200),
    "pre-LayerNorm": dict(norm="pre"),
    "pre-LayerNorm, warm-up": dict(norm="pre", warmup=200),
    "pre-LayerNorm, scaled residuals": dict(norm="pre", residual="scaled"),
    "pre-LayerNorm, scaled residuals, learning rate 0.001, 6,000 epochs": dict(
        **DEEP, epochs=EPOCHS_DEPTH
    ),
}
"""What was tried to make depth train: name -> fields."""


DEPTHS = (1, 4, 8)
TRIAL = dict(modulus=31, train_size=500, d_model=24, epochs=2_000)
"""Where recipes for depth were tried: small enough to take minutes."""


def _cells(sizes, *amounts: int, split: bool = False) -> tuple[dict, ...]:
    """A cell for each size and amount of memorization data, 0: addition alone.

    Sizes are widths, or (n_layers, d_model).
    """
    made = []
    for amount in amounts:
        mixed = dict(task="multitask", memorize_size=amount, split_mlp=split or None)
        for size in sizes:
            n_layers, d_model = (1, size) if isinstance(size, int) else size
            made.append(dict(n_layers=n_layers, d_model=d_model) | (mixed if amount else {}))
    return tuple(made)


_stops = BASE.replace(stop_after=STOP_AFTER)
_deep = _stops.replace(**DEEP)
_small = _stops.replace(**SMALL)
_depth = _small.replace(**DEEP, epochs=EPOCHS_DEPTH)
_longer = _depth.replace(epochs=5 * EPOCHS_DEPTH)
_trials = tuple(
    dict(n_layers=layers, **fields) for fields in RECIPES_DEEP.values() for layers in DEPTHS
)

# fmt: off
GRIDS = (
    Grid("figure8", "Emergence at the paper's sizes (§5, figure 8)", _deep,
         cells=_cells(SIZES_8, 0, *AMOUNTS_8), seeds=3),
    Grid("figure10", "Split MLP at the paper's sizes (appendix B, figure 10)", _deep,
         cells=_cells(SIZES_8, 3000, split=True), seeds=3),
    Grid("emergent_113", "Emergence, scaled to one layer (§5; ours)", _stops,
         cells=_cells(ALONE_113, 0) + _cells(WIDTHS_113, *AMOUNTS_113)
         + _cells(WIDTHS_113, 3000, split=True), seeds=3),
    Grid("emergent_113_fill",
         "The same between its widths, and split with other amounts (ours)", _stops,
         cells=_cells(FILL_113, *AMOUNTS_113) + _cells(FILL_113, 3000, split=True)
         + _cells(WIDTHS_113, 1000, 6000, split=True), seeds=3),
    Grid("emergent_law", "The emergent size with little to memorize, shared and split (ours)",
         _stops, cells=_cells(LAW_WIDTHS, *LAW_AMOUNTS)
         + _cells(LAW_WIDTHS, *LAW_AMOUNTS, split=True), seeds=3),
    Grid("emergent_59", "Emergence at modulus 59, one layer (§5; ours)", _small,
         cells=_cells(ALONE_59, 0) + _cells(WIDTHS_59, *AMOUNTS_59)
         + _cells(WIDTHS_59, *AMOUNTS_59, split=True), seeds=3),
    Grid("emergent_59_wider", "The same, wider, with 300 points to memorize (ours)", _small,
         cells=_cells(WIDER_59, 0, 300) + _cells(WIDER_59, 300, split=True), seeds=3),
    Grid("emergent_59_long",
         "With 300 points to memorize, trained five times as long (takeaway 8; ours)",
         _small.replace(epochs=5 * BASE.epochs),
         cells=_cells(WIDTHS_59[:3], 300) + _cells(WIDTHS_59[:3], 300, split=True), seeds=3),
    Grid("mixture_inside", "A shared and a split MLP, looked into (appendix B; ours)", _small,
         cells=_cells((128,), 300) + _cells((128,), 300, split=True), seeds=3),
    Grid("emergent_depth", "Emergence at modulus 59 with depth (§5; ours)", _depth,
         cells=_cells(SIZES_DEPTH, 0, 1200) + _cells(SIZES_DEPTH, 1200, split=True), seeds=3),
    Grid("emergent_depth_long", "The same, trained five times as long (takeaway 7; ours)", _longer,
         cells=_cells(SIZES_DEPTH[:4], 0) + _cells(SIZES_DEPTH[2:5], 1200), seeds=3),
    Grid("emergent_depth_wide", "The same at its largest size (takeaway 7; ours)", _longer,
         cells=_cells(SIZES_DEPTH[5:], 1200), first_seed=2),
    Grid("emergent_depth_between", "The same between its sizes (takeaway 7; ours)", _longer,
         cells=_cells(BETWEEN_ALONE, 0) + _cells(BETWEEN_MIXED, 1200), seeds=3),
    Grid("emergent_two_layers", "Addition alone in two layers, down to narrow (takeaway 7; ours)",
         _longer, cells=_cells(TWO_LAYERS, 0), seeds=3),
    Grid("emergent_twice", "The mixture in two layers with twice as much to memorize (§5; ours)",
         _longer, cells=_cells(TWICE, 2400), seeds=3),
    Grid("emergent_twice_wide", "The same in a wider network (§5; ours)",
         _longer, cells=_cells((WIDE,), 2400), seeds=3),
    Grid("emergent_one_layer", "The mixture in one layer, trained as the deep ones (§5; ours)",
         _longer, cells=_cells(ONE_LAYER, 1200), seeds=3),
    Grid("split_depth", "Split and shared MLP with depth, more seeds (takeaway 8; ours)", _depth,
         cells=_cells(SIZES_DEPTH[3:5], 1200) + _cells(SIZES_DEPTH[3:5], 1200, split=True),
         seeds=5, first_seed=3),
    Grid("split_depth_more", "The same, for a second look (takeaway 8; ours)", _depth,
         cells=_cells(SIZES_DEPTH[3:5], 1200) + _cells(SIZES_DEPTH[3:5], 1200, split=True),
         seeds=8, first_seed=8),
    Grid("deep_recipe", "Calibration: what makes depth train (ours)", BASE.replace(**TRIAL),
         cells=_trials, seeds=2, first_seed=CALIBRATION_SEED),
)
# fmt: on
"""The experiments on mixtures, under the book's recipe."""
