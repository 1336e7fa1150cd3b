"""The recipe: the values that the paper does not state, and those that were tried."""

from lib.spec import RunSpec

RECIPE = dict(lr=3e-3, weight_decay=1.5, beta1=0.9, beta2=0.98, eps=1e-8, epochs=20_000)
"""The values that the paper does not state and that every figure here shares."""


STOP_AFTER = 1_000
"""Runs of the large grids stop once validation accuracy has been >= 0.999 for so many epochs."""


BASE = RunSpec(**RECIPE)

DYNAMICS = {
    "progression": (8, 3000),
    "ungrokking": (32, 2600),
    "grokking": (64, 3000),
    "semi-grokking": (32, 3000),
}
"""Figure 2's four panels: the dynamics' name -> (d_model, train_size)."""


STATED = {
    (64, 3000): (0.95, 1.0, "near-perfect with just 3,000 (§2.2)"),
    (64, 2600): (0.0, 0.5, "no grokking in this range at 2,600 (§4.1, footnote 2)"),
    (48, 3000): (0.5, 1.0, "beyond the dip at 3,000 (§4.1, figure 6)"),
    (36, 3000): (0.1, 0.95, "in the dip at 3,000, not at zero (§4.1)"),
    (32, 4000): (0.95, 1.0, "d = 32 has it with 4,000 (§2.2)"),
    (32, 3000): (0.1, 0.95, "moderate in the mean: semi-grokking (§2.2, figure 2)"),
    (28, 3000): (0.1, 0.95, "in the dip at 3,000, not at zero (§4.1)"),
    (40, 2600): (0.0, 0.1, "zero for d 24–40 at 2,600 (§4.1)"),
    (32, 2600): (0.0, 0.1, "ungrokking (§2.2, figure 2)"),
    (24, 2600): (0.0, 0.1, "zero for d 24–40 at 2,600 (§4.1)"),
    (16, 2600): (0.1, 1.0, "progression, before the fall (§4.1)"),
    (8, 3000): (0.1, 1.0, "progression (§2.2, figure 2)"),
}
"""(d_model, train_size) -> the range in which the paper puts the mean final validation
accuracy, and where.  The numbers are our reading of its words.  Recipes are scored on these."""


def within(mean: float, stated: tuple) -> bool:
    """Whether a mean lies in a stated range [low, high), [low, 1]."""
    low, high = stated[:2]
    return bool(low <= mean and (mean < high or high == 1.0))


RECIPES = {
    "recipe-3e-3-1.0": dict(lr=3e-3, weight_decay=1.0, epochs=20_000),
    "recipe-3e-3-1.5": dict(lr=3e-3, weight_decay=1.5, epochs=20_000),
    "recipe-3e-3-2.0": dict(lr=3e-3, weight_decay=2.0, epochs=20_000),
    "recipe-1e-3-1.5": dict(lr=1e-3, weight_decay=1.5, epochs=20_000),
}
"""Recipes that were tried on the stated cells: experiment -> what it changes in `RECIPE`."""


CALIBRATION_SEED = 1_000
"""The lowest seed of runs that a recipe is chosen on; only the recipe chapter shows them."""
