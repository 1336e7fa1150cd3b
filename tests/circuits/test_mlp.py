"""Hidden units switched off: what each task of a mixture loses."""

import numpy as np
import pytest
import torch

from lib.circuits.fourier import algorithmic, logits_of, measure
from lib.circuits.mlp import STEPS, ablated
from lib.data import build
from lib.model import build_model
from lib.spec import RunSpec
from lib.train import train

SPEC = RunSpec(task="multitask", modulus=11, train_size=60, memorize_size=30, d_model=16,
               epochs=1500, lr=3e-3, weight_decay=0.5, split_mlp=True)  # fmt: skip


@pytest.fixture(scope="module")
def trained():
    model = build_model(SPEC, build(SPEC))
    parameters = train(SPEC).parameters
    model.load_state_dict({name: torch.tensor(value) for name, value in parameters.items()})
    return model


def test_a_split_mlp_keeps_its_tasks_apart(trained):
    """Its memorizing half can go without a trace in addition; the last units are addition's."""
    found = ablated(trained, build(SPEC))
    val, memorized = found["ablated_val"], found["ablated_memorize"]
    assert {len(values) for values in found.values()} == {STEPS} and len(found) == 4
    half = STEPS // 2 + 1
    assert len(set(val[:half])) == 1 and memorized[0] == 1.0
    assert memorized[half - 1] < 0.5 and len(set(memorized[half - 1 :])) == 1
    val, memorized = found["spared_val"], found["spared_memorize"]  # the other way round
    assert len(set(memorized[:half])) == 1 and len(set(val[half - 1 :])) == 1 and val[-1] < val[0]


def test_nothing_off_is_the_network_itself(trained):
    data = build(SPEC)
    with torch.no_grad():
        right = [
            (trained(torch.from_numpy(s.tokens).long())[:, -1].argmax(1).numpy() == s.labels).mean()
            for s in (data.val, data.memorize)
        ]
    found = ablated(trained, data)
    for how in ("ablated", "spared"):
        none, every = ([found[f"{how}_{on}"][i] for on in ("val", "memorize")] for i in (0, -1))
        assert none == pytest.approx(right)
        assert every == [found["ablated_val"][-1], found["ablated_memorize"][-1]]


def test_a_shared_mlp_has_units_off_one_by_one():
    spec = SPEC.replace(split_mlp=None)
    model, data = build_model(spec, build(spec)), build(spec)
    with torch.no_grad():
        model.blocks[0].mlp.W_out.zero_()  # no unit says anything: none can be missed
    assert all(len(set(values)) == 1 for values in ablated(model, data).values())


def test_a_mixture_is_measured_by_its_addition(trained):
    data = build(SPEC)
    plain = algorithmic(data)
    assert len(plain.train) == 60 and plain.length == 3 and not len(plain.memorize)
    np.testing.assert_array_equal(plain.val.labels, data.val.labels)
    a, b = plain.val.tokens[:, 0], plain.val.tokens[:, 1]
    np.testing.assert_array_equal((a + b) % 11, plain.val.labels)
    logits = logits_of(trained, 11)
    with torch.no_grad():
        own = trained(torch.from_numpy(data.val.tokens).long())[:, -1].double().numpy()
    own -= own.mean(axis=1, keepdims=True)
    np.testing.assert_allclose(logits[a, b], own, atol=1e-5)
    found = measure(trained, data)
    assert found.ablated_val == ablated(trained, data)["ablated_val"]
    alone = RunSpec(modulus=11, train_size=60, d_model=16)
    assert measure(build_model(alone, build(alone)), build(alone)).ablated_val is None
