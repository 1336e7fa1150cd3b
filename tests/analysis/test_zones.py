"""Figure 1 on made-up runs whose boundaries, intersection and zones are known."""

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from lib.analysis import descent, dynamics, statistics
from lib.analysis.zones import boundaries, capacity, critical

WIDTHS = (8, 16, 24, 32, 40, 48, 64)
SIZES = tuple(range(1000, 6001, 100))


def addition(critical, seeds=5, spread=0, widths=WIDTHS):
    """Runs that generalize from critical(d) on; seeds differ by `spread` points."""
    return pd.DataFrame(
        dict(
            d_model=d,
            seed=seed,
            train_size=size,
            val_accuracy=float(size >= critical(d) + spread * (seed - (seeds - 1) / 2)),
        )
        for d in widths
        for seed in range(seeds)
        for size in SIZES
    )


def labels(facts, seeds=3, noise=0.0, widths=WIDTHS):
    """Random-label runs that memorize facts(d) unordered pairs."""
    rng = np.random.default_rng(1)
    every = capacity.distinct_pairs(113**2)
    return pd.DataFrame(
        dict(
            d_model=d,
            seed=seed,
            train_size=113**2,
            modulus=113,
            train_accuracy=(facts(d) + noise * rng.standard_normal()) / every,
        )
        for d in widths
        for seed in range(seeds)
    )


def falling(d):
    return 3000 * (32 / d) ** 0.5


def rising(d):
    return 80 * d


def test_ordered_pairs_undo_distinct_pairs():
    sizes = np.array([1, 500, 3000, 9000, 113**2])
    assert capacity.ordered_pairs(capacity.distinct_pairs(sizes)) == pytest.approx(sizes)
    assert capacity.ordered_pairs(1e9) == pytest.approx(113**2)
    assert capacity.ordered_pairs(-1) == 0


def test_the_star_is_where_the_boundaries_cross():
    found = boundaries.measure(addition(falling), labels(rising), resamples=100)
    d = np.linspace(8, 64, 100_000)
    true = d[np.argmin(np.abs(capacity.distinct_pairs(falling(d)) - rising(d)))]
    assert found.star[0] == pytest.approx(true, rel=0.03)
    assert found.star[1] == pytest.approx(falling(true), rel=0.03)
    assert found.critical.power == pytest.approx(-0.5, abs=0.05)


def test_the_interval_holds_the_star_and_widens_with_the_spread():
    widths = []
    for spread in (100, 400):
        runs, random = addition(falling, spread=spread), labels(rising, noise=20)
        found = boundaries.measure(runs, random, resamples=200)
        low, high = statistics.interval(found.star_samples[:, 0])
        assert low <= found.star[0] <= high
        widths.append(high - low)
    assert widths[1] > widths[0] > 0


def test_no_star_where_the_curves_do_not_cross():
    found = boundaries.measure(addition(falling), labels(lambda d: 6000 + d), resamples=50)
    assert found.star is None and not len(found.star_samples)
    found = boundaries.measure(addition(falling), labels(lambda d: 10 * d), resamples=50)
    assert found.star is None  # no width can memorize: there is no D_crit to speak of
    assert not found.critical_points["used"].any()


def test_bounds_are_not_fitted():
    runs = addition(lambda d: 9999 if d == 64 else 0 if d == 48 else falling(d))
    found = boundaries.measure(runs, labels(rising), resamples=50)
    points = found.critical_points.set_index("d_model")
    assert points.loc[64, "bound"] == "≥" and not points.loc[64, "used"]
    assert points.loc[48, "bound"] == "≤" and not points.loc[48, "used"]
    assert found.critical.high == 40


def test_zones_of_cells():
    found = boundaries.measure(addition(falling, spread=100), labels(rising), resamples=50)
    assert found.zone(16, 3000) == "progression"
    assert found.zone(48, 1200) == "ungrokking"
    assert found.zone(48, 5000 / 2) == "semi-grokking"
    assert found.zone(64, 4500) == "grokking"
    assert found.zone(100, 3000) is None  # wider than anything measured


@pytest.mark.parametrize("seeds", [0, 1, 2])
def test_few_runs_give_less_and_no_error(seeds):
    runs = addition(falling, seeds=1).iloc[: 0 if not seeds else None]
    random = labels(rising, seeds=1).iloc[: 0 if seeds < 2 else None]
    empty = pd.DataFrame(columns=["d_model", "seed", "train_size", "val_accuracy"])
    blank = pd.DataFrame(columns=["d_model", "seed", "train_size", "modulus", "train_accuracy"])
    found = boundaries.measure(
        runs if len(runs) else empty, random if len(random) else blank, resamples=50
    )
    assert (found.critical is None) == (seeds == 0)
    assert (found.capacity is None) == (seeds < 2)
    assert (found.star is None) == (seeds < 2)
    assert not len(found.star_samples)  # one seed has no interval
    assert found.zone(32, 3000) in (None, *dynamics.ZONES)


def test_span():
    runs = addition(lambda d: 3000, seeds=11, spread=100, widths=(32,))
    assert boundaries.span(runs) == pytest.approx(880, abs=20)
    assert np.isnan(boundaries.span(addition(lambda d: 9999, widths=(32,))))
    assert np.isnan(boundaries.span(addition(lambda d: 0, widths=(32,))))


def test_agreement_counts_runs():
    placed = pd.DataFrame(
        dict(
            region=["grokking", "grokking", "ungrokking", None],
            zone=["grokking", "unlearned", "ungrokking", "grokking"],
        )
    )
    table = boundaries.agreement(placed)
    assert table.to_numpy().sum() == 3
    assert table.loc["grokking", "unlearned"] == table.loc["ungrokking", "ungrokking"] == 1
    assert boundaries.agreement(placed.iloc[:0]).empty


def test_bumps():
    assert dynamics.bumps([0, 0.5, 1.0]) == 0
    assert dynamics.bumps([0, 0.5, 0.4, 0.5, 0.8, 0.7, 0.8]) == 2
    assert dynamics.bumps([0.5, 0.48, 0.5]) == 0  # a ripple
    assert dynamics.bumps([0.5, 0.1]) == 0  # a fall that lasts
    assert dynamics.bumps([]) == 0


def test_a_smooth_dip_and_its_interval():
    widths = [8, 16, 24, 32, 48, 64]
    curve = np.array([0, 0.8, 0.1, 0.0, 0.9, 1.0])
    curves = pd.DataFrame([curve, curve * 0.9, curve * 1.0, curve * 0.8], columns=widths)
    found = descent.mean_dip(curves, resamples=200)
    assert (found.peak, found.valley, found.seeds) == (16, 32, 4)
    assert found.depth == pytest.approx(0.8 * 0.925)
    assert 0.6 < found.low <= found.depth <= found.high <= 0.81
    assert np.isnan(descent.mean_dip(curves.iloc[:2]).low)
    assert descent.mean_dip(curves.iloc[:0]).seeds == 0
    assert descent.mean_dip(pd.DataFrame([np.sort(curve)] * 3, columns=widths)).depth == 0


def test_cell_means():
    runs = pd.DataFrame(dict(d_model=8, train_size=3000, val_accuracy=[0.0, 0.5, 1.0]))
    row = statistics.cell_means(runs).loc[(8, 3000)]
    assert (row["mean"], row["low"], row["high"], row["seeds"]) == (0.5, 0, 1, 3)
    two = statistics.cell_means(runs.iloc[:2]).loc[(8, 3000)]
    assert np.isnan(two["low"]) and two["seeds"] == 2
    assert statistics.cell_means(runs.iloc[:0]).empty


def test_shares_are_weighted_by_their_runs_and_gaps_are_none():
    rows = [(0, 1000, 1.0), (0, 2000, 0.0), (1, 2000, 0.0), (2, 2000, 0.0), (0, 3000, 1.0)]
    frame = pd.DataFrame(rows, columns=["seed", "train_size", "val_accuracy"])
    assert critical.success_curve(frame).tolist() == pytest.approx([0.25, 0.25, 1])
    assert np.isfinite(critical.critical_samples(frame, 200)).all()


def test_figure_1s_curves_only_fall_and_only_rise():
    assert boundaries.fit_critical([8, 16, 32], [1000, 2000, 3000]).power == 0
    rising = boundaries.fit_capacity([8, 16, 32], [100, 90, 200])
    assert rising([8, 16]).tolist() == pytest.approx([95, 95])


def test_a_width_without_a_capacity_can_be_used():
    points = pd.DataFrame(dict(d_model=[8, 200], bound=["", ""]))
    known = boundaries.fit_capacity([8, 16], [1e4, 2e4])
    used = boundaries.usable(points, known, pd.Series({8: 1000, 200: 1000}))
    assert used.tolist() == [True, True]


def test_a_rule_that_is_lost_again_is_ungrokking():
    epochs = np.arange(3)
    lost = dict(epoch=epochs, train_loss=0.0 * epochs, train_accuracy=[0, 1, 1])
    assert dynamics.zone(lost | dict(val_accuracy=[0, 0.9, 0.05])) == "ungrokking"


def test_a_dip_is_no_deeper_than_the_rise_after_it():
    found = descent.dip(pd.DataFrame([[0.9, 0.1, 0.3]], columns=[8, 32, 48]))
    assert found.tolist() == pytest.approx([0.2])


def test_intervals_are_of_95_percent():
    assert statistics.interval(np.arange(1001.0)) == (25, 975)
    frame = pd.DataFrame(dict(d_model=8, train_size=1, val_accuracy=[0.4, 0.5, 0.6]))
    high = statistics.cell_means(frame).iloc[0]["high"]
    assert high == pytest.approx(0.5 + stats.t.ppf(0.975, 2) * 0.1 / 3**0.5)
