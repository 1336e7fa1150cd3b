"""One thread or all: a run takes what is faster, whatever else the machine does."""

import os

import numpy as np
import pytest

from lib.data import build
from lib.engines.kernel import epochs, pace
from lib.engines.kernel.engine import Engine
from lib.spec import RunSpec

pytestmark = pytest.mark.xdist_group("kernel")  # one worker compiles the parallel code


@pytest.fixture
def clock(monkeypatch):
    """A clock that stands still but for what a test adds."""
    now = [0.0]
    monkeypatch.setattr(pace.time, "perf_counter", lambda: now[0])
    return now


def spend(chosen, clock, epochs, cost):
    """Seconds by threads of some epochs, each of which takes cost[threads]."""
    spent = dict.fromkeys(cost, 0.0)
    for threads, count in chosen.blocks(epochs):
        clock[0] += cost[threads] * count
        spent[threads] += cost[threads] * count
    return spent


@pytest.mark.parametrize("each", [1, 7, 1000])
@pytest.mark.parametrize("slow", [2e-3, 40e-3])
def test_the_faster_choice_has_nearly_all_the_time(clock, slow, each):
    """Spinning threads were twenty times slower; a run may lose a tenth to trials."""
    for cost in ({1: 2.5e-3, 4: slow}, {1: slow, 4: 1e-3}):
        chosen, spent = pace.Pace(4), dict.fromkeys(cost, 0.0)
        spend(chosen, clock, 5, cost)
        for _ in range(10_000 // each):
            for threads, seconds in spend(chosen, clock, each, cost).items():
                spent[threads] += seconds
        fast = min(cost, key=cost.get)
        assert chosen.threads == fast
        assert sum(spent.values()) < 1.1 * 10_000 * cost[fast]


def test_long_epochs_are_not_spent_on_trials(clock):
    """Those above a second once made every epoch a trial of the slower choice."""
    cost = {1: 11.0, 2: 6.0}
    assert sum(spend(pace.Pace(2), clock, 400, cost).values()) < 1.1 * 400 * 6


def test_it_follows_the_machine(clock):
    chosen = pace.Pace(2)
    spend(chosen, clock, 2000, {1: 2e-3, 2: 1e-3})
    assert chosen.threads == 2
    spend(chosen, clock, 2000, {1: 2e-3, 2: 40e-3})
    assert chosen.threads == 1
    spend(chosen, clock, 2000, {1: 2e-3, 2: 1e-3})
    assert chosen.threads == 2


def test_the_first_epoch_compiles_and_tells_no_speed(clock):
    chosen = pace.Pace(2)
    for i, (threads, count) in enumerate(chosen.blocks(1000)):
        clock[0] += 20.0 if i == 0 else {1: 2e-3, 2: 1e-3}[threads] * count
    assert chosen.threads == 2


def test_bits_do_not_depend_on_the_choice(monkeypatch):
    spec = RunSpec(modulus=29, train_size=600, d_model=8, epochs=50)
    one, two = Engine(spec, build(spec)), Engine(spec, build(spec), threads=2)
    turns = lambda self, epochs: ((1 + i % 2, 1) for i in range(epochs))  # noqa: E731
    monkeypatch.setattr(pace.Pace, "blocks", turns)
    for network in (one, two):
        network.advance(20)
    for name, values in one.parameters.items():
        np.testing.assert_array_equal(values, two.parameters[name])
    assert one.evaluate("val") == two.evaluate("val")


def test_waiting_threads_sleep():
    assert os.environ["OMP_WAIT_POLICY"].lower() == "passive"


@pytest.mark.parametrize("threads", [1, 2])
def test_it_compiles_when_it_is_made(threads):
    """So that a run's seconds are of training: nothing is left to compile at the first epoch."""
    spec = RunSpec(modulus=29, train_size=600, d_model=8, epochs=50)
    network = Engine(spec, build(spec), threads)
    kernels = [getattr(epochs, f"{what}_{how}") for what in ("train", "evaluate")
               for how in ("serial", "parallel")]  # fmt: skip
    before = [len(kernel.signatures) for kernel in kernels]
    network.advance(2)
    network.evaluate("val")
    assert [len(kernel.signatures) for kernel in kernels] == before and sum(before) >= 2
