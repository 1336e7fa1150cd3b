"""The law of the emergent width: what it finds in made-up seeds, and what it leaves open."""

import numpy as np
import pandas as pd
import pytest

from lib.analysis.growth import MISFIT, Power, extended_capacity, fit_law, misfit, turns
from lib.analysis.zones.capacity import distinct_pairs
from lib.paper.criteria.mixtures import _factors, capacity_is_a_fixed_factor

WIDTHS = (16, 24, 32, 48, 64, 96, 128, 192)
AMOUNTS = (0, 125, 250, 500, 1000)


def seeds(power, noise=0.1, amounts=AMOUNTS, n=3, d=40):
    """Runs that generalize from a width on that goes with a power of all facts."""
    rng, rows = np.random.default_rng(0), []
    facts = distinct_pairs(3000)
    for amount in amounts:
        for seed in range(n):
            turn = d * (1 + amount / facts) ** power * np.exp(noise * rng.normal())
            rows += [(amount, seed, width, float(width >= turn)) for width in WIDTHS]
    frame = pd.DataFrame(rows, columns=["memorize_size", "seed", "d_model", "best"])
    return frame.assign(train_size=3000, modulus=113, val_accuracy=frame["best"])


def random_labels(power=1.5):
    rows = [(d, seed, min(1, 5 * d**power / 6441)) for d in (8, 16, 32, 64, 128) for seed in (0, 1)]
    frame = pd.DataFrame(rows, columns=["d_model", "seed", "train_accuracy"])
    return frame.assign(train_size=113**2, modulus=113)


def test_a_turn_lies_between_two_widths_tried():
    values = {16: 0.95, 24: 0.1, 32: 0.95, 48: np.nan, 64: 1.0}  # progression passes for a while
    frame = pd.DataFrame(values.items(), columns=["d_model", "best"])
    frame = frame.assign(memorize_size=0, seed=0, train_size=3000, modulus=113)
    (row,) = turns(frame).itertuples()
    assert (row.low, row.high) == (48, 64)  # a run that diverged does not generalize
    assert row.facts == pytest.approx(distinct_pairs(3000))
    never = turns(frame.assign(best=0.1)).iloc[0]
    always = turns(frame.assign(best=1.0)).iloc[0]
    assert (never["low"], never["high"]) == (64, np.inf)
    assert (always["low"], always["high"]) == (0, 16)


@pytest.mark.parametrize("power", [0, 1, 5])
def test_the_law_finds_the_power(power):
    law = fit_law(turns(seeds(power)))
    assert law.low < power < law.high
    assert law(distinct_pairs(3000)) == pytest.approx(40, rel=0.3)


def test_amounts_off_the_law_are_told_from_amounts_on_it():
    on = turns(seeds(5))
    assert 0 <= misfit(on, fit_law(on)) < MISFIT
    off = on.assign(high=on["high"].where(on["memorize_size"] != 250, 1e4))
    off["low"] = off["low"].where(on["memorize_size"] != 250, 5e3)
    assert misfit(off, fit_law(off)) > MISFIT


def test_bounds_count_as_bounds():
    """With 1,000 points no width tried is enough: that makes the law steeper, not flatter."""
    whole = fit_law(turns(seeds(12, noise=0.05)))
    without = fit_law(turns(seeds(12, noise=0.05, amounts=AMOUNTS[:3])))
    found = turns(seeds(12, noise=0.05))
    assert not np.isfinite(found.loc[found["memorize_size"] == 1000, "high"]).any()
    assert 10 < whole.power < 15 and 10 < without.power < 15
    assert whole.high - whole.low <= without.high - without.low


def test_there_is_no_law_of_one_amount():
    assert fit_law(turns(seeds(5, amounts=(0,), n=5))) is None
    assert fit_law(turns(seeds(5).iloc[:0])) is None  # nothing is stored
    assert fit_law(turns(seeds(500))) is None  # only alone does anything turn
    assert fit_law(turns(seeds(5, amounts=(0, 125), n=1))) is None
    assert fit_law(turns(seeds(1, amounts=AMOUNTS[:3], n=1))) is None  # three rows: no scatter left


def rows(*ends):
    """Rows of `turns` as (amount, seed, low, high)."""
    frame = pd.DataFrame(ends, columns=["memorize_size", "seed", "low", "high"])
    return frame.assign(facts=distinct_pairs(3000) + frame["memorize_size"].astype(float))


TWO = [(0, 0, 32.0, 40.0), (0, 1, 40.0, 48.0), (0, 2, 40.0, 48.0),
       (1000, 0, 128.0, 256.0), (1000, 1, 128.0, 256.0), (1000, 2, 256.0, np.inf)]  # fmt: skip


def test_what_has_one_end_makes_no_law_and_no_interval_narrower():
    """The first run of an amount, at its widest, turns somewhere below: that says nothing."""
    assert fit_law(rows(*TWO)) is None
    assert fit_law(rows(*TWO, (125, 0, 0.0, 192.0))) is None
    three = [*TWO, *((500, seed, 64.0, 96.0) for seed in range(3))]
    law = fit_law(rows(*three))
    again = fit_law(rows(*three, *((125, seed, 0.0, 1e6) for seed in range(8))))
    assert (again.low, again.high) == pytest.approx((law.low, law.high), rel=0.01)


def test_the_factor_of_capacity_is_between_two_widths_or_a_bound():
    found = rows((0, 0, 32.0, 48.0), (125, 0, 0.0, 16.0), (250, 0, 128.0, np.inf))
    said = list(_factors(found, lambda width: 100 * np.asarray(width)))
    facts = found["facts"]
    assert said[0].endswith(f"all facts {3200 / facts[0]:.2g} to {4800 / facts[0]:.2g}")
    assert said[1].endswith(f"all facts at most {1600 / facts[1]:.2g}")
    assert said[2].endswith(f"all facts more than {12800 / facts[2]:.2g}")


def test_capacity_is_continued_beyond_the_widths_that_hold_all():
    found = extended_capacity(random_labels())
    assert found.power == pytest.approx(1.5) and found(256) == pytest.approx(5 * 256**1.5)
    assert found.inverse(found(77.0)) == pytest.approx(77)
    assert extended_capacity(random_labels().query("d_model > 64")) is None
    assert Power(2, 3)(2) == 16


@pytest.mark.parametrize("power, says", [(1 / 1.5, None), (6, False)])
def test_a_fixed_factor_is_told_from_steep_growth(power, says):
    curve = [pd.DataFrame({"val_accuracy": [value]}) for value in seeds(power)["best"]]
    runs = seeds(power).assign(curve=curve)
    alone, mixed = (runs[(runs["memorize_size"] > 0) == kind] for kind in (False, True))
    finding = capacity_is_a_fixed_factor(alone, mixed, random_labels())
    assert finding.holds is says and "alone: capacity over all facts" in finding.note
    many = seeds(power, noise=0.02, n=40)
    many["curve"] = [pd.DataFrame({"val_accuracy": [value]}) for value in many["best"]]
    assert capacity_is_a_fixed_factor(many, random_labels()).holds is (says is None)
    assert capacity_is_a_fixed_factor(alone.assign(curve=curve[:1] * len(alone)),
                                      random_labels()).holds is None  # fmt: skip
