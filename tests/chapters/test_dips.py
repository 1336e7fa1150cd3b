"""Double descent in words: made-up curves."""

import numpy as np
import pandas as pd

from lib.analysis.descent import Dip, mean_dip
from lib.analysis.efficiency import MARGIN, by_symmetry, symmetry_share
from lib.chapters.stories.descent import dips

WIDTHS = [4, 12, 32, 100]
CURVES = {3000: [0.1, 0.75, 0.25, 1.0], 4000: [0.1, 0.9, 0.85, 1.0], 5000: [0.2, 0.9, 0.95, 1.0]}


def test_where_accuracy_falls_and_where_not():
    means = {size: pd.Series(c, WIDTHS) for size, c in CURVES.items()}
    found = {size: mean_dip(pd.DataFrame([c] * 3, columns=WIDTHS)) for size, c in CURVES.items()}
    assert isinstance(found[3000], Dip)
    assert dips.seen(means, found) == (
        "mean accuracy over seeds falls and returns with 3,000 points (0.75 at width 12, 0.25 at "
        "32, up to 1.00 beyond); it dips by 0.05 at most with 4,000 and 5,000."
    )
    assert dips.seen(means, {}) == "no width is stored."


def test_a_fall_within_progression_ends_where_training_is_perfect():
    train = pd.Series([0.3, 0.8, 0.9, 0.995], WIDTHS)
    falls, hardly = (pd.Series(c, WIDTHS) for c in ([0.1, 0.5, 0.2, 0.0], [0.1, 0.5, 0.45, 0.0]))
    told = "2,600 points: **falls by 0.30 from width 12 on** (0.10 at 4, 0.50 at 12, 0.20 at 32)."
    assert dips.in_progression(2600, train, falls) == told
    assert "**hardly falls** (" in dips.in_progression(2600, train, hardly)
    assert "fewer than three" in dips.in_progression(2600, train + 0.15, falls)


def test_the_zones_in_turn():
    kinds = {4: "progression", 12: "ungrokking", 32: "ungrokking", 100: "grokking"}
    rows = [(2600, d, seed, kinds[d]) for d in kinds for seed in range(3)]
    rows[0] = (2600, 4, 0, "unlearned")  # outvoted
    rows += [(4000, d, 0, "grokking") for d in kinds]
    told = dips.in_turn(pd.DataFrame(rows, columns=["train_size", "d_model", "seed", "zone"]))
    assert told == (
        "* 2,600 points: progression at 4, ungrokking at 12 to 32, grokking at 100; "
        "6 of 12 ungrokking\n* 4,000 points: grokking at 4 to 100; 0 of 4 ungrokking"
    )


def test_where_sizes_lie_beside_the_crossing():
    said = dips.beside_crossing(3320.4, "3,320 [3,200, 3,440]", [4000, 3000, 2600])
    assert "at 3,320 [3,200, 3,440] training points: 2,600 is 22% below, 3,000 is 10%" in said
    assert "4,000 is 20% above that." in said and "With 3,000 points, so near" in said
    assert dips.beside_crossing(5000, "5,000", [2600]).endswith(": 2,600 is 48% below that.")


def test_what_symmetry_gives():
    share = symmetry_share(3000)
    values = [0.05, share, share + 2 * MARGIN, np.nan]
    runs = pd.DataFrame(dict(val_accuracy=values, train_size=3000, modulus=113, task="add"))
    assert by_symmetry(runs).tolist() == [False, True, False, False]
    assert not by_symmetry(runs.assign(task="subtract")).any()  # a mirror has another answer
