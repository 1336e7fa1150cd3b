"""Zones on synthetic curves whose name is beyond doubt, numbers with known answers."""

import numpy as np
import pandas as pd
import pytest

from lib.analysis import descent, dynamics, statistics
from lib.analysis.dynamics import first_epoch, zone
from lib.analysis.zones import boundaries, capacity, critical
from lib.paper.criteria.rules import mean

EPOCHS = np.arange(0, 1001, 10)


def rise(start, height=1.0, width=50):
    return height / (1 + np.exp(-(EPOCHS - start) / width))


def curve(train, val):
    loss = np.full(len(EPOCHS), 0.5)
    return dict(epoch=EPOCHS, train_accuracy=train, val_accuracy=val, train_loss=loss)


@pytest.mark.parametrize(
    "train, val, name",
    [
        (rise(100, width=10), 0 * EPOCHS + 0.01, "ungrokking"),
        (rise(100, width=10), rise(700, width=30), "grokking"),
        (rise(100, width=10), rise(700, 0.4, 30), "semi-grokking"),
        (rise(500, 0.6), rise(520, 0.5), "progression"),
        (rise(500, width=20), rise(505, width=20), "progression"),
        (rise(100, 0.2), 0 * EPOCHS + 0.01, "unlearned"),
    ],
)
def test_zone(train, val, name):
    assert zone(curve(train, val)) == name


def test_no_validation_set_and_divergence():
    nothing = np.full(len(EPOCHS), np.nan)
    assert zone(curve(rise(100, width=10), nothing)) == "none: it has no validation set"
    diverged = curve(rise(100), rise(100)) | dict(train_loss=nothing)
    assert zone(diverged) == "diverged"


def test_first_epoch():
    assert first_epoch(EPOCHS, rise(500), 0.5) == 500
    assert first_epoch(EPOCHS, rise(500, 0.4), 0.5) == np.inf


SIZES = range(2000, 4001, 200)


def grid(thresholds):
    """Runs of one width that generalize from each seed's threshold on."""
    return pd.DataFrame(
        dict(d_model=32, seed=seed, train_size=size, val_accuracy=float(size >= threshold))
        for seed, threshold in enumerate(thresholds)
        for size in SIZES
    )


def test_critical_size_is_the_mean_threshold():
    """A threshold at 3,000 lies between 2,800 and 3,000: 2,900."""
    assert critical.critical_size(grid([3000])) == 2900
    assert critical.critical_size(grid([2400, 3000, 3600])) == pytest.approx(
        (2300 + 2900 + 3500) / 3
    )


def test_critical_sizes_say_when_they_are_bounds():
    row = critical.critical_sizes(grid([3000, 3200, 3000, 3400, 3000])).iloc[0]
    assert row.bound == "" and row.seeds == 5
    assert critical.critical_sizes(grid([9999, 3000])).iloc[0].bound == "≥"
    assert critical.critical_sizes(grid([0, 3000])).iloc[0].bound == "≤"


def test_the_interval_of_a_critical_size_is_student_s():
    row = critical.critical_sizes(grid([3000, 3200, 3000, 3400, 3000])).iloc[0]
    mean, low, high = statistics.student([2900, 3100, 2900, 3300, 2900])
    assert (row.estimate, row.low, row.high) == pytest.approx((mean, low, high))
    assert np.isnan(critical.critical_sizes(grid([3000, 3200])).iloc[0].low)  # of two seeds none


def test_a_run_out_of_order_does_not_break_the_curve():
    runs = grid([3000])
    runs.loc[runs["train_size"] == 2200, "val_accuracy"] = 1.0
    share = critical.success_curve(runs)
    assert (share.diff().dropna() >= 0).all() and share.iloc[-1] == 1


def test_shares_tell_of_ups_and_downs_that_a_seeds_own_size_does_not():
    at = [2600, 3000, 3200, 3400, 3000]
    steady = grid(at)
    (found,) = critical.variances_of_shares(steady)
    assert found == pytest.approx(np.var(at, ddof=1))
    restless = steady.copy()
    for seed in restless["seed"].unique():  # a fall and a rise about the size that it has
        own = (restless["seed"] == seed) & (restless["train_size"].isin([2200, 3800]))
        low = own & (restless["train_size"] == 2200)
        restless.loc[own, "val_accuracy"] = np.where(low[own], 1.0, 0.0)
    assert critical.variances_of_shares(restless).item() > 2 * found


def test_distinct_pairs():
    assert capacity.distinct_pairs(113**2) == pytest.approx(6441)
    assert capacity.distinct_pairs(3000) == pytest.approx(2650, abs=5)
    rng = np.random.default_rng(0)
    a, b = np.divmod(rng.permutation(113**2)[:3000], 113)
    seen = len(set(zip(np.minimum(a, b), np.maximum(a, b))))
    assert capacity.distinct_pairs(3000) == pytest.approx(seen, rel=0.02)


def test_capacities_interval():
    runs = pd.DataFrame(
        dict(d_model=8, seed=s, train_accuracy=v, train_size=113**2, modulus=113)
        for s, v in enumerate([0.4, 0.5, 0.6])
    )
    row = capacity.capacities(runs).iloc[0]
    assert row.estimate == pytest.approx(0.5 * 6441)
    assert row.high - row.estimate == pytest.approx(4.303 * 0.1 / 3**0.5 * 6441, rel=1e-3)


def test_nobody_knows_more_pairs_than_there_are():
    runs = pd.DataFrame(
        dict(d_model=64, seed=s, train_accuracy=v, train_size=113**2, modulus=113)
        for s, v in enumerate([1.0, 1.0, 0.99])
    )
    row = capacity.capacities(runs).iloc[0]
    assert row.estimate < row.high == capacity.distinct_pairs(113**2) < 6441.5


def test_dips():
    curve = pd.Series([0, 0.8, 0.1, 0.0, 0.9, 1.0], index=[8, 16, 24, 32, 48, 64])
    assert descent.depth(curve) == (0.8, 16, 32)
    assert descent.depth(curve.sort_values().set_axis(curve.index))[0] == 0
    rows = pd.DataFrame([curve, curve * 0 + 1, pd.Series(curve.index / 64, curve.index)])
    assert descent.dip(rows).tolist() == pytest.approx([0.4, 0, 12 / 64 - 0.5])
    assert descent.fall(rows, (24, 40)).tolist() == pytest.approx([0.35, 0, (12 - 28) / 64])


def test_norm_change():
    val = rise(500, 0.8, 20)
    rising = dict(epoch=np.arange(len(val)), val_accuracy=val, param_norm=10 + val)
    assert dynamics.norm_change(rising) == pytest.approx(np.log(10.72 / 10.1), abs=0.01)
    assert dynamics.norm_change(rising | dict(param_norm=10 - val)) < 0
    assert np.isnan(dynamics.norm_change(rising | dict(val_accuracy=0 * val)))
    low = dict(epoch=[0, 1, 2], val_accuracy=[0.02, 0.095, 0.105], param_norm=[10.0, 20.0, 30.0])
    assert dynamics.norm_ends(low) == (0, 1)  # nine tenths of so little is itself below zero


def test_noise_is_a_dip_as_seldom_as_the_interval_says():
    """Means over fixed widths: noise has none, where the best against a mean always has one."""
    rng = np.random.default_rng(0)
    frames = [pd.DataFrame(rng.random((11, 15)), columns=range(4, 64, 4)) for _ in range(400)]
    fooled = [mean("", descent.dip(frame), least=0).holds is True for frame in frames]
    assert np.mean(fooled) < 0.04


def test_regions():
    assert boundaries.region(3000, 1000, -1) == "progression"
    assert boundaries.region(2600, 6000, -1) == "ungrokking"
    assert boundaries.region(3000, 6000, 0) == "semi-grokking"
    assert boundaries.region(4000, 6000, 1) == "grokking"
    assert boundaries.region(4000, 6000, None) is boundaries.region(4000, np.nan, 1) is None


def test_steady_is_where_it_stays():
    values = pd.Series([0.96, 0.2, 0.95, 1.0], [8, 16, 24, 32])
    assert statistics.steady(values, 0.95) == 24
    assert np.isnan(statistics.steady(values, 1.1)) and np.isnan(statistics.steady(values[:0], 0))
