"""Norms, thresholds and plateaus from curves; P1 to P4 on made-up runs."""

import numpy as np
import pandas as pd
import pytest
from scipy import stats
from worlds import BY_NAME, noise, settled, store_with, verdict

from lib.analysis import efficiency
from lib.paper.claims import judge
from lib.paper.criteria import circuits
from lib.paper.predictions import PREDICTIONS

NAMES = [claim.name for claim in PREDICTIONS]


def test_the_norm_needed_is_where_a_run_settles():
    epoch = np.arange(0, 101, 5)
    late = epoch >= 80  # five evaluations
    loss = np.where(late, 1e-4, 1e-5)
    norm = np.where(late, 30.0, 10.0)
    loss[-1], norm[-1] = 1.0, 99.0  # one spike
    val = np.where(epoch > 90, 1.0, 0.2)
    curve = dict(epoch=epoch, train_loss=loss, param_norm=norm, val_accuracy=val)
    assert efficiency.norm_needed(curve) == 30
    assert np.isnan(efficiency.norm_needed(curve, 1e-5))  # it was there before, and did not stay
    assert np.isnan(efficiency.norm_needed(curve, val=0.95))  # one of five has both
    assert efficiency.lowest_norm(curve, 1e-3) == 10
    assert efficiency.lowest_norm(curve, 1e-3, val=0.95) == 30
    assert np.isnan(efficiency.lowest_norm(curve, 1e-9))
    assert efficiency.norm_drift(curve | dict(param_norm=np.full(21, 7.0))) == 0
    half = np.where(np.arange(21) % 2, 1e-2, 1e-5)  # five evaluations in the last fifth
    assert efficiency.restless(curve | dict(train_loss=half)) == pytest.approx(2 / 5)
    assert efficiency.norm_drift(curve | dict(param_norm=2.0 ** (epoch > 90))) == pytest.approx(
        np.log(2)
    )


def norms(power, scale=10.0, sizes=(400, 800, 1600, 3200), seeds=3):
    rows = [(s, k, scale * (1 + 0.01 * k) * s**power) for s in sizes for k in range(seeds)]
    return pd.DataFrame(rows, columns=["train_size", "seed", "norm"])


def test_elasticities_and_the_crossing():
    assert efficiency.elasticities(norms(0.2)) == pytest.approx([0.2] * 3)
    assert efficiency.elasticities(norms(0.0)) == pytest.approx([0.0] * 3, abs=1e-12)
    assert len(efficiency.elasticities(norms(0.2, sizes=(400, 800)))) == 0
    flat = norms(0.0, scale=10 * 1200**0.2)
    at, bound = efficiency.crossing(norms(0.2), flat)
    assert at == pytest.approx(1200, rel=1e-6) and bound == ""
    assert efficiency.crossing(norms(0.2), norms(0.0, scale=1.0)) == (400, "≤")
    assert efficiency.crossing(norms(0.2), norms(0.0, scale=1e6)) == (3200, "≥")
    assert np.isnan(efficiency.crossing(norms(0.2).iloc[:0], flat)[0])
    assert np.isnan(efficiency.crossing(norms(0.2), flat.iloc[:0])[0])


def test_the_crossing_where_the_rule_s_norm_goes_on_as_measured():
    """10 D^0.2 against what goes with D^0.1 through the rule's mean, known at 3,200 alone."""
    rule = norms(0.0, scale=10 * 800**0.1 * 3200**0.1, sizes=(3200,))
    flat, bound = efficiency.crossing(norms(0.2), rule)
    assert flat == pytest.approx(1600, rel=1e-6) and bound == ""
    at, bound = efficiency.crossing(norms(0.2), rule, slope=0.1)
    assert at == pytest.approx(800, rel=1e-6) and bound == ""
    assert efficiency.crossing(norms(0.2), rule, slope=0.2) == (400, "≤")


def test_a_plateau_is_long_narrow_and_in_between():
    epoch = np.arange(0, 40_001, 1000)
    train = np.ones(len(epoch))

    def found(val, **options):
        return efficiency.plateau(
            dict(epoch=epoch, train_accuracy=train, val_accuracy=val), **options
        )

    half = np.where(epoch < 5000, 0.02, np.where(epoch < 25_000, 0.5, 1.0))
    assert found(half) == (5000, 24_000, "rises")
    assert found(half, floor=0.6) is None
    assert found(half, lasting=20_000) is None
    assert found(np.where(epoch < 25_000, half, 0.5))[-1] == "open"
    assert found(np.where(epoch < 25_000, half, 0.05))[-1] == "falls"
    assert found(np.where(epoch < 25_000, half, 0.8))[-1] == "moves on"
    assert found(np.linspace(0, 1, len(epoch))) is None  # a slope is no plateau
    assert found(np.zeros(len(epoch))) is None and found(np.ones(len(epoch))) is None
    assert found(np.full(len(epoch), np.nan)) is None
    train = np.where(epoch < 20_000, 0.9, 1.0)
    assert found(half) is None  # it counts from perfect training on


def test_half_way():
    epochs = [0, 10, 20, 30]
    assert efficiency.half_way(epochs, [0.1, 0.2, 0.6, 1.0]) == 20
    assert np.isnan(efficiency.half_way(epochs, [0.1, 0.5, 0.5, 0.15]))
    assert np.isnan(efficiency.half_way(epochs, [np.nan] * 4))


def test_the_mirror_share_is_that_of_real_splits():
    from lib.circuits.fourier import mirrored
    from lib.data import build
    from lib.spec import RunSpec

    for size in (600, 3000):
        share = mirrored(build(RunSpec(train_size=size))).mean()
        assert share == pytest.approx(float(efficiency.mirror_share(size)), abs=0.02)


# ---- the predictions, in made-up worlds ------------------------------------------------


def world(tmp_path, name, outcome, seeds=5):
    return judge(BY_NAME[name], store_with(tmp_path, [name], outcome, settled, seeds))


def p1(power_mem, power_gen, loss=1e-5, gen=1.0):
    def outcome(s):
        power = power_mem if s.task == "random" else power_gen
        return dict(val=gen, norm=10 * noise(s) * s.train_size**power, loss=loss)

    return outcome


@pytest.mark.parametrize(
    ("outcome", "word"),
    [
        (p1(0.25, 0.0), "reproduced"),
        (p1(0.25, 0.25), "not reproduced"),  # both rise
        (p1(0.0, 0.0), "not reproduced"),  # neither
        (p1(0.25, 0.0, loss=0.1), "undecided"),  # nobody gets there
        (p1(0.25, 0.0, gen=0.3), "undecided"),  # they do not generalize
    ],
)
def test_p1(tmp_path, outcome, word):
    assert world(tmp_path, NAMES[0], outcome).verdict == word


def test_p1_shows_what_it_has_where_it_is_open(tmp_path):
    """One size does not settle: no verdict, but the slopes of the others and an interval."""

    def outcome(s):
        loud = s.task == "add" and s.train_size == 11_000
        return p1(0.25, 0.0, loss=0.1 if loud else 1e-5)(s)

    found = world(tmp_path, NAMES[0], outcome)
    assert found.verdict == "undecided" and not found.finding.conditions
    assert "27 of 27 memorizing and 12 of 15 generalizing runs settle" in found.finding.note
    assert "memorizing (3 seeds): 0.2" in found.finding.note


def test_p1_is_open_where_one_seed_alone_has_a_slope(tmp_path):
    """Every size settles in two of three seeds, but only one seed at all three sizes."""
    loud = {(5000, 1), (11_000, 2)}

    def outcome(s):
        bad = s.task == "add" and (s.train_size, s.seed) in loud
        return p1(0.25, 0.0, loss=0.1 if bad else 1e-5)(s)

    assert world(tmp_path, NAMES[2], outcome).verdict == "undecided"


@pytest.mark.parametrize(
    ("shift", "spread", "word"),
    [(0, 0, "reproduced"), (800, 0, "not reproduced"), (300, 900, "undecided")],
)
def test_p2(tmp_path, shift, spread, word):
    def outcome(s):
        steps = {1.0: 1, 1.5: 0, 2.0: -1}[s.weight_decay]
        critical = 2900 + steps * (shift + spread * (s.seed - 2) / 2)
        return dict(val=float(s.train_size >= critical))

    found = world(tmp_path, NAMES[3], outcome)
    assert found.verdict == word
    assert "(weight decay 1.5)" in str(found.finding)


@pytest.mark.parametrize("critical", [0, 9999])
def test_p2_is_open_outside_the_sizes_tried(tmp_path, critical):
    """All runs generalize, or none does: no critical size, and so no drift of it."""
    found = world(tmp_path, NAMES[3], lambda s: dict(val=float(s.train_size >= critical)))
    assert found.verdict == "undecided" and "outside the sizes tried" in str(found.finding)


@pytest.mark.parametrize(
    ("factor", "word"), [(1, "reproduced"), (2, "not reproduced"), (99, "undecided")]
)
def test_p2_of_continued_networks(tmp_path, factor, word):
    def outcome(s):
        return dict(val=float(s.train_size >= (450 * factor if s.weight_decay > 1.5 else 450)))

    assert world(tmp_path, NAMES[4], outcome).verdict == word


@pytest.mark.parametrize(
    ("kept", "word"),
    [
        ((700, 700), "reproduced"),
        ((0, 9999), "not reproduced"),  # most keep it on next to nothing, one loses it on all
        ((0, 0), "undecided"),
        ((9999, 9999), "undecided"),
    ],
)
def test_p3(tmp_path, kept, word):
    def outcome(s):
        if s.init_from is None:
            return dict(val=float(s.train_size >= 2600))
        return dict(val=float(s.train_size >= kept[s.seed % 8 == 0]))

    found = world(tmp_path, NAMES[5], outcome, seeds=8)
    assert found.verdict == word and "the rule is found from 2,500 on" in str(found.finding)
    assert world(tmp_path / "five", NAMES[5], outcome).verdict == "undecided"  # seeds, not runs


def test_p3_needs_networks_that_had_generalized(tmp_path):
    def outcome(s):
        return dict(val=float(s.init_from is not None and s.train_size >= 700))

    found = world(tmp_path, NAMES[5], outcome)
    assert found.verdict == "undecided" and "0 of 5 networks" in str(found.finding)


def test_a_diverged_run_has_lost_the_rule(tmp_path):
    """It counts among the runs, with an accuracy of 0."""

    def outcome(s):
        bad = s.init_from is not None and s.train_size == lost and s.seed == 1
        val = s.train_size >= 2600 if s.init_from is None else s.train_size >= 700
        return dict(val=float(val), status="diverged" if bad else "finished")

    for lost, kept in ((500, "40 of 40"), (3000, "34 of 35")):
        found = world(tmp_path / str(lost), NAMES[5], outcome)
        assert kept in str(found.finding.conditions[1])


@pytest.mark.parametrize(
    ("seeds", "level", "failing", "word"),
    [
        (6, 0.5, 1, "reproduced"),
        (3, 0.5, 1, "undecided"),  # 12 of 32 runs, but 3 of 8 seeds
        (0, 0.5, 1, "not reproduced"),
        (8, 0.22, 1, "not reproduced"),
        (0, 0.5, 0, "undecided"),
    ],
)
def test_p4(tmp_path, seeds, level, failing, word):
    """Of eight seeds at each of four sizes; what symmetry gives does not count."""

    def outcome(s):
        return dict(val=float(s.seed >= failing), level=level if s.seed < seeds else 0.0)

    assert world(tmp_path, NAMES[6], outcome, seeds=8).verdict == word


def test_all_four_are_there_and_need_runs(tmp_path):
    assert [name[:2] for name in NAMES] == ["P1", "P1", "P1", "P2", "P2", "P3", "P4"]
    store = store_with(tmp_path, [], lambda spec: {})
    assert {verdict(store, name) for name in NAMES} == {"not enough runs"}
    parents = {s.init_from.key for s in BY_NAME[NAMES[5]].specs() if s.init_from}
    assert len(parents) == 5


def test_p2_is_wider_by_the_gaps_of_both():
    rows = [
        dict(weight_decay=decay, seed=seed, train_size=size, val_accuracy=float(size >= 2900))
        for decay in (1.0, 2.0) for seed in range(3) for size in range(2000, 4001, 200)
    ]  # fmt: skip
    (found,) = circuits.decay_moves_little(pd.DataFrame(rows)).conditions
    assert (found.low, found.high) == (-200, 200)


def test_p2_asked_twice_of_more_seeds_is_asked_at_half_the_risk():
    rows = [
        dict(weight_decay=decay, seed=seed, train_size=size,
             val_accuracy=float(size >= 2900 + 200 * (decay > 1) * (seed % 2)))
        for decay in (1.0, 2.0) for seed in range(4) for size in range(2000, 4001, 200)
    ]  # fmt: skip
    frames = [own for _, own in pd.DataFrame(rows).groupby("seed")]
    (once,), (again,) = (
        circuits.decay_moves_little(*frames, looks=looks).conditions for looks in (1, 2)
    )
    assert again.value == once.value == 100
    half = stats.t.ppf([1 - 0.05 / 2, 1 - 0.05 / 4], 3) * np.std([0, 200, 0, 200], ddof=1) / 2
    assert (once.high, again.high) == pytest.approx((300 + half[0], 300 + half[1]))


def settled_at(power, seeds):
    """Runs whose norm is as a power of D, a thousandth more with each seed."""
    epochs = np.arange(11)
    made = dict(epoch=epochs, train_loss=np.zeros(11), val_accuracy=np.ones(11))
    return pd.DataFrame([
        dict(train_size=size, seed=seed,
             curve=made | dict(param_norm=np.full(11, (1 + 0.001 * seed) * float(size) ** power)))
        for size in (1000, 2000, 4000) for seed in range(seeds)
    ])  # fmt: skip


def test_p1_by_hand():
    rising = settled_at(0.25, 3)
    assert circuits.costs_differ(rising, settled_at(0.0, 3)).holds is True
    assert circuits.costs_differ(rising, settled_at(-0.3, 3)).holds is False  # falls: not flat
    assert circuits.costs_differ(settled_at(0.25, 2), settled_at(0.0, 2)).conditions == ()


def test_symmetry_and_half_way():
    assert efficiency.symmetry_share(0) == pytest.approx(1 / 113)
    assert efficiency.half_way([0, 10, 20], [0.4, 0.6, 1.0]) == 20
