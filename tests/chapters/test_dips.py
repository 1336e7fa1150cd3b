"""Double descent in words: made-up curves and verdicts."""

import numpy as np
import pandas as pd
import pytest

from lib.analysis.descent import Dip, mean_dip
from lib.analysis.efficiency import MARGIN, by_symmetry, symmetry_share
from lib.chapters.stories.descent import dips
from lib.paper.claims import Verdict
from lib.paper.criteria.rules import Condition, Finding
from lib.paper.takeaways import BY_NAME

WIDTHS = [4, 12, 32, 100]
CURVES = {3000: [0.1, 0.75, 0.25, 1.0], 4000: [0.1, 0.9, 0.85, 1.0], 5000: [0.2, 0.9, 0.95, 1.0]}


def test_where_accuracy_falls_and_where_not():
    means = pd.concat({size: pd.Series(c, WIDTHS) for size, c in CURVES.items()})
    found = {size: mean_dip(pd.DataFrame([c] * 3, columns=WIDTHS)) for size, c in CURVES.items()}
    assert isinstance(found[3000], Dip)
    assert dips.seen(means, found) == (
        "mean accuracy over seeds: with 3,000 points 0.75 at width 12, 0.25 at width 32, up to "
        "1.00 beyond; with 4,000 and 5,000 its deepest dip is 0.05."
    )
    assert dips.seen(means, {}) == "no width is stored."


@pytest.mark.parametrize(
    "conditions, wanted",
    [
        ([(0.2, 0.0, 0.4)], "some 44 seeds"),  # half as wide again: four times the seeds
        ([(0.2, 0.0, 0.4), (0.5, 0.3, 0.7)], "some 44 seeds"),  # the other one holds
        ([(0.2, 0.0, 0.4), (0.05, -0.15, 0.25)], "some 176 seeds"),  # the other one would fail
        ([(0.1001, 0.0, 0.2)], "more seeds than anyone will train"),
    ],
)
def test_how_many_seeds_would_settle_it(conditions, wanted):
    claim = BY_NAME["takeaway 5"]
    runs = 11 * len({(s.d_model, s.train_size) for s in claim.specs()})
    found = Finding(tuple(Condition("a dip", *values, least=0.1) for values in conditions))
    said = dips.seeds_to_settle(Verdict(claim, "undecided", found, runs, []))
    assert "The verdict has 11 seeds" in said and f"it would take {wanted} " in said


def test_nothing_is_said_of_a_settled_claim():
    found = Finding((Condition("a dip", 0.3, 0.2, 0.4, least=0.1),))
    assert dips.seeds_to_settle(Verdict(BY_NAME["takeaway 5"], "reproduced", found, 660, [])) == ""
    lacking = Verdict(BY_NAME["takeaway 5"], "not enough runs", None, 0, [])
    assert dips.seeds_to_settle(lacking) == ""


def test_what_symmetry_gives():
    share = symmetry_share(3000)
    values = [0.05, share, share + 2 * MARGIN, np.nan]
    runs = pd.DataFrame(dict(val_accuracy=values, train_size=3000, modulus=113))
    assert by_symmetry(runs).tolist() == [False, True, False, False]
