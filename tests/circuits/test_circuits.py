"""Circuits: a network built by hand has the known answer, a memorizing one has none."""

import math

import numpy as np
import pytest
import torch

from lib.circuits.fourier import (
    by_sum,
    excluded,
    held_out_share,
    key_frequencies,
    logit_spectrum,
    logits_of,
    loss_on,
    measure,
    mirrored,
    restricted,
    wave_part,
    waves,
)
from lib.circuits.handbuilt import KNOTS, fourier_network, parabola
from lib.data import all_pairs, build
from lib.model import build_model
from lib.spec import RunSpec
from lib.train import train

KEYS = [5, 17, 40]
SPEC = RunSpec()
RANDOM = RunSpec(task="random", modulus=31, train_size=400, d_model=32, epochs=1500, n_evals=10)


@pytest.fixture(scope="module")
def built():
    return fourier_network(113, KEYS)


@pytest.fixture(scope="module")
def memorized():
    """A network that knows its training set of random labels, and its data."""
    run, data = train(RANDOM), build(RANDOM)
    assert run.curve["train_accuracy"][-1] == 1
    model = build_model(RANDOM, data)
    model.load_state_dict({name: torch.tensor(v) for name, v in run.parameters.items()})
    return model, data


def test_the_hand_built_network_adds(built):
    a, b = all_pairs(113)
    logits = logits_of(built, 113).reshape(-1, 113)
    assert (logits.argmax(axis=1) == (a + b) % 113).all()


def test_the_hand_built_network_is_seen_through(built):
    found = measure(built, build(SPEC))
    assert found.trig_share >= 0.99 and found.held_out_share >= 0.99
    assert sorted(found.frequencies) == KEYS
    strongest = np.argsort(-found.embedding_spectrum)[:6] + 1
    # the embedding holds one and two times each frequency; 2 · 40 is P − 80 = 33
    assert set(strongest) == {5, 17, 40, 10, 34, 33}
    assert found.embedding_spectrum.sum() == pytest.approx(1)
    assert found.mirrored_accuracy == found.unmirrored_accuracy == 1
    assert found.margin == pytest.approx(found.val_margin, rel=0.02)


def test_its_losses_behave_as_defined(built):
    data, logits = build(SPEC), logits_of(built, 113)
    found = measure(built, data)
    whole = loss_on(logits, data.val.tokens, data.val.labels)
    assert found.restricted_loss == pytest.approx(whole, abs=0.02)  # the waves are all it has
    assert found.excluded_loss == pytest.approx(math.log(113), rel=0.05)  # without: chance
    one = measure(built, data, [5])
    assert one.restricted_loss > 2 * found.restricted_loss and one.frequencies == [5]
    assert one.excluded_loss < found.excluded_loss - 1  # two frequencies are left


def test_a_memorizing_network_has_no_waves(memorized):
    found = measure(*memorized)
    assert found.trig_share <= 0.2 and found.held_out_share <= 0.2


def test_its_losses_are_the_other_way_round(memorized):
    model, data = memorized
    assert len(measure(model, data).frequencies) <= 2  # nothing stands out
    found, logits = measure(model, data), logits_of(model, 31)
    own = loss_on(logits, data.train.tokens, data.train.labels)
    assert own < 0.1
    assert found.restricted_loss > 2.5  # a + b says nothing of random labels: chance is 3.4
    assert found.excluded_loss < own + 0.5  # what it knows does not lie in the waves


def test_parts_add_up(memorized):
    logits = logits_of(memorized[0], 31)
    keys = [1, 4, 15]
    mean = logits.mean(axis=(0, 1))
    whole = restricted(logits, keys) + excluded(logits, keys)
    assert np.allclose(whole, logits + mean)
    every = wave_part(logits, list(range(1, 16)))
    assert np.square(every).sum() == pytest.approx(
        logit_spectrum(logits).sum() * np.square(logits - mean).sum()
    )
    assert np.allclose(every.mean(axis=(0, 1)), 0)
    assert np.allclose(wave_part(logits, []), 0)


def test_the_share_is_a_projection():
    """Against the definition, written out: cos and sin of every 2πk(a + b)/P, by regression."""
    rng = np.random.default_rng(0)
    modulus = 7
    logits = rng.standard_normal((modulus,) * 3)
    a, b = all_pairs(modulus)
    angle = 2 * np.pi * np.arange(1, 4)[:, None] * (a + b) / modulus
    columns = np.concatenate([np.cos(angle), np.sin(angle)]).T
    centred = (logits - logits.mean(axis=(0, 1))).reshape(-1, modulus)
    fitted = columns @ np.linalg.lstsq(columns, centred, rcond=None)[0]
    expected = np.square(fitted).sum() / np.square(centred).sum()
    assert logit_spectrum(logits).sum() == pytest.approx(expected)
    assert np.allclose(wave_part(logits, [1, 2, 3]).reshape(-1, modulus), fitted)
    everywhere = np.stack([a, b], axis=1)
    assert held_out_share(logits, everywhere) == pytest.approx(expected)


def test_one_wave_is_one_frequency():
    modulus, k = 11, 3
    a, b = np.divmod(np.arange(modulus**2), modulus)
    c = np.arange(modulus)
    logits = np.cos(2 * np.pi * k * ((a + b)[:, None] - c) / modulus).reshape((modulus,) * 3)
    spectrum = logit_spectrum(logits)
    assert spectrum[k - 1] == pytest.approx(1) and key_frequencies(spectrum) == [k]
    assert by_sum(logits).shape == (modulus, modulus)
    basis = waves(modulus).reshape(-1, modulus)
    assert np.allclose(basis @ basis.T, np.eye(modulus - 1))


def test_mirrored_pairs():
    data = build(RunSpec(modulus=11, train_size=60))
    seen = {tuple(row) for row in data.train.tokens[:, :2].tolist()}
    expected = [(b, a) in seen for a, b in data.val.tokens[:, :2].tolist()]
    assert mirrored(data).tolist() == expected and any(expected) and not all(expected)


def test_what_an_earlier_run_has_seen_is_not_unseen():
    data, earlier = (build(RunSpec(modulus=11, train_size=size)) for size in (30, 60))
    known = {tuple(row) for row in earlier.train.tokens[:, :2].tolist()}
    known |= {(b, a) for a, b in known}
    expected = [pair in known for pair in map(tuple, data.val.tokens[:, :2].tolist())]
    assert mirrored(data, earlier).tolist() == expected
    assert mirrored(data).sum() < sum(expected) < len(expected)


def test_symmetry_alone_has_no_waves_on_unmirrored_pairs():
    """A network that answers mirrors of its training set and knows nothing else."""
    data, rng = build(SPEC.replace(train_size=3000)), np.random.default_rng(0)
    logits = rng.standard_normal((113, 113, 113)) * 0.1
    a, b = data.train.tokens[:, :2].T
    for x, y in ((a, b), (b, a)):
        logits[x, y, data.train.labels] += 10
    pairs, mask = data.val.tokens[:, :2], mirrored(data)
    assert held_out_share(logits, pairs[~mask]) < 0.05 < held_out_share(logits, pairs)


def test_without_validation_there_is_nothing_to_say_of_it():
    spec = RunSpec(modulus=11, train_size=121, d_model=8)
    found = measure(build_model(spec, build(spec)), build(spec))
    assert np.isnan([found.held_out_share, found.val_margin, found.mirrored_accuracy]).all()
    assert np.isfinite([found.restricted_loss, found.excluded_loss, found.margin]).all()


def test_what_cannot_be_measured_is_refused():
    spec = RunSpec(modulus=12, train_size=60, d_model=8)
    with pytest.raises(ValueError, match="odd"):
        measure(build_model(spec, build(spec)), build(spec))
    for frequencies in ([], [0], [57], [3, 3]):
        with pytest.raises(ValueError, match="from 1 to 56"):
            fourier_network(113, frequencies)


def test_the_parabola_is_exact_at_its_knots():
    knots, slopes, level = parabola(2.0)
    u = np.append(knots, 2.0)
    drawn = level + np.maximum(u[:, None] - knots, 0) @ slopes
    assert len(knots) == KNOTS and np.allclose(drawn, u**2)
