"""The three-valued rule: where an interval lies against the paper's range."""

import math

import numpy as np
import pytest
from scipy import stats

from lib.paper.criteria import rules
from lib.paper.criteria.rules import (
    FEW,
    MOST,
    Condition,
    clustered,
    decide,
    envelope,
    jackknifed,
    mean,
    share,
    spread,
)


@pytest.mark.parametrize(
    "low, high, least, most, holds",
    [
        (0.6, 0.9, 0.5, math.inf, True),
        (0.5, 0.9, 0.5, math.inf, True),
        (0.4, 0.9, 0.5, math.inf, None),
        (0.1, 0.4, 0.5, math.inf, False),
        (0.0, 0.05, -math.inf, 0.1, True),
        (0.05, 0.2, -math.inf, 0.1, None),
        (0.2, 0.3, -math.inf, 0.1, False),
        (2700, 3300, 2700, 3300, True),
        (2600, 3400, 2700, 3300, None),
        (math.nan, math.nan, 0, 1, None),
        (29.5, math.inf, 3, math.inf, True),  # known from one side only
        (0, math.inf, 3, math.inf, None),
    ],
)
def test_where_the_interval_lies(low, high, least, most, holds):
    assert Condition("", (low + high) / 2, low, high, least, most).holds is holds


def test_a_claim_needs_all_its_conditions():
    yes, no, open_ = (Condition("", v, v, v, 0.5) for v in (1.0, 0.0, math.nan))
    assert decide([yes, yes]) is True
    assert decide([yes, open_]) is None
    assert decide([open_, no]) is False
    assert decide([]) is None


def test_shares_are_exact_and_pay_for_their_number():
    one = share("grok", [True] * 11, least=0.5)
    assert (one.value, one.high) == (1, 1) and one.low == pytest.approx(0.025 ** (1 / 11))
    assert one.holds is True
    assert share("grok", [True] * 3, least=0.5).holds is None  # three seeds decide nothing
    five = share("zero", [False] * 11, conditions=5, most=0.5)
    assert five.high == pytest.approx(1 - 0.005 ** (1 / 11)) and five.holds is True
    assert share("none", [], least=0.5).holds is None
    for n, hits in ((2, 0), (1, 0), (1, 1)):  # what eleven seeds show as few, and as most
        few = share("", [i < hits for i in range(11)], n, most=FEW)
        most = share("", [i >= hits for i in range(11)], n, least=MOST)
        assert few.holds is most.holds is (None if hits else True)


def test_runs_of_one_cell_are_not_independent():
    """Ten cells of ten runs that all go one way are ten outcomes, not a hundred."""
    hits, cells = np.repeat([1, 0], 50), np.repeat(range(10), 10)
    whole = clustered("grok", hits, cells, "cells", least=0.45)
    alone, ten = share("", hits, least=0.45), share("", hits[::10], least=0.45)
    assert whole.value == 0.5 and "50 of 100, in 10 cells" in whole.says
    assert whole.high - whole.low > 2.5 * (alone.high - alone.low)
    assert whole.high - whole.low == pytest.approx(ten.high - ten.low, rel=0.2)
    alike = clustered("", np.tile([1, 0], 50), cells, "cells")  # no cell differs from another
    assert alike.low < alone.low and alone.high < alike.high
    assert clustered("none", [], [], "cells").holds is None
    assert clustered("one cell", [1, 1, 0], [0, 0, 0], "cells", least=0.5).holds is None


def test_a_few_runs_more_never_make_an_interval_jump():
    """From none of 35 in five cells on: ends rise with the count, and none is narrower by far."""
    found = [clustered("", np.arange(35) < n, np.arange(35) % 5, "seeds") for n in range(6)]
    assert [c.high for c in found] == sorted(c.high for c in found)
    assert [c.low for c in found] == sorted(c.low for c in found) and found[0].low == 0
    assert share("", [0] * 35).high < found[0].high < share("", [0] * 5).high


@pytest.mark.parametrize(
    "value, low, high, said",
    [
        (29.5, 29.5, math.inf, "≥ 29.5"),  # from a size beyond all that were tried
        (159, 9.1, math.inf, "≥ 9.1"),
        (1, 0, math.inf, "not known"),
        (0.5, 0.25, 0.75, "0.5 [0.25, 0.75]"),
        (0.5, math.nan, math.nan, "0.5"),
    ],
)
def test_a_bound_is_not_told_as_a_value(value, low, high, said):
    assert Condition("", value, low, high).estimate == said


def test_an_interval_of_sizes_tried_has_no_square_brackets():
    found = Condition("times", 2.32, 1.94, 3.62, least=3, by_steps=True)
    assert str(found) == "times: 2.32 (by the sizes tried 1.94 to 3.62), required: ≥ 3"
    assert envelope([found, found]).by_steps and found.holds is None


def test_the_interval_of_a_mean_covers_it_as_often_as_it_says():
    rng = np.random.default_rng(0)
    inside = [
        c.low <= 0.3 <= c.high for c in (mean("", rng.normal(0.3, 0.1, 5)) for _ in range(2_000))
    ]
    assert np.mean(inside) == pytest.approx(0.95, abs=0.015)
    assert mean("", [0.5], least=0.4).holds is None


def test_the_interval_of_a_spread_covers_it_as_often_as_it_says():
    rng = np.random.default_rng(0)
    for shape in ((5,), (5, 7)):  # one column, or seven with means of their own, pooled
        drawn = (spread("", rng.normal(range(shape[-1]) if shape[1:] else 0, 2, shape), 3)
                 for _ in range(2_000))  # fmt: skip
        assert np.mean([c.low <= 6 <= c.high for c in drawn]) == pytest.approx(0.95, abs=0.015)
    assert spread("", [0.5], least=0.4).holds is None


def test_an_envelope_holds_or_fails_only_by_every_reading():
    above, below, across = (Condition("x", v, v - 1, v + 1, least=5) for v in (9, 1, 5))
    assert envelope([above, above]).holds is True and envelope([below, below]).holds is False
    assert envelope([above, below]).holds is None and envelope([above, across]).holds is None
    whole = envelope([above, below])
    assert (whole.value, whole.low, whole.high) == (9, 0, 10)
    assert envelope([above, Condition("x", 9, math.nan, math.nan, 5)]).holds is None


def test_every_interval_pays_for_its_conditions():
    values = np.array([0.0, 1, 2, 4])
    half = stats.t.ppf(1 - 0.05 / 8, 3) * values.std(ddof=1) / 2
    found = rules.mean("", [0.0, 1, 2, np.nan, 4], 4)
    assert (found.low, found.high) == pytest.approx((values.mean() - half, values.mean() + half))
    for made in (
        lambda n: rules.spread("", values, 1, n),
        lambda n: rules.clustered("", [1, 0, 1, 1, 0, 0], [0, 0, 1, 1, 2, 2], "", n),
    ):
        one, four = made(1), made(4)
        assert four.low < one.low and one.high < four.high
    wider = rules.widened(rules.Condition("", 1, 0, 2), 0.5)
    assert (wider.low, wider.high) == (-0.5, 2.5)


def test_leaving_out_a_seed_at_a_time_covers_what_it_says():
    """Of normal values, whose deviation is 1; the interval is told by the seeds alone."""
    draw = np.random.default_rng(0)

    def deviation(values):
        return np.sqrt(np.var(values, axis=0, ddof=1).mean())

    found = [jackknifed("", draw.normal(size=(11, 7)), deviation, least=0) for _ in range(400)]
    assert 0.91 < np.mean([c.low <= 1 <= c.high for c in found]) < 0.98
    assert all(c.low < c.value < c.high for c in found)
