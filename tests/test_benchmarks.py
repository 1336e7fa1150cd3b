"""The bench: what it prints is named, repeated, and next to what the hardware does."""

import numpy as np
import pytest
import torch
from click.testing import CliRunner

from benchmarks import clock, start
from benchmarks.speed import command
from lib.data import build
from lib.engines.kernel.engine import Engine
from lib.model import exact_cross_entropy
from lib.spec import RunSpec


@pytest.fixture
def work(monkeypatch):
    """A clock that moves by what calls cost, and the order in which they were made."""
    now, order = [0.0], []
    monkeypatch.setattr(clock.time, "process_time", lambda: now[0])

    def call(name, *costs):
        def times(count):
            order.append(name)
            now[0] += count * costs[min(order.count(name), len(costs)) - 1]

        return times

    return call, order


def test_opponents_come_in_turn_and_the_median_counts(work):
    call, order = work
    slow = call("slow", *[0.5] * 2, 0.5, 0.6, 0.5, 0.5, 5.0)  # a disturbed repeat at the end
    found = clock.in_turn({"fast": call("fast", 0.01), "slow": slow}, 0.5)
    assert order[-10:] == ["fast", "slow"] * 5
    assert found["fast"].median == pytest.approx(0.01) and found["fast"].spread < 1e-9
    assert found["slow"].median == pytest.approx(0.5)
    assert found["slow"].spread == pytest.approx(9)


def test_tables_that_exclude_each_other_are_refused():
    result = CliRunner().invoke(command, ["--start", "--parts"])
    assert result.exit_code == 2 and "exclude each other" in result.stderr


@pytest.mark.parametrize("taken, said", [(50, True), (1, False)])
def test_a_busy_machine_is_said(monkeypatch, taken, said):
    monkeypatch.setattr(clock.psutil, "cpu_percent", lambda interval: taken)
    monkeypatch.setattr(clock.os, "cpu_count", lambda: 2)
    assert bool(clock.busy()) is said


@pytest.mark.parametrize(
    "words, heads",
    [
        (["--no-stacked"], ["ours", "textbook PyTorch", "ratio", "multiply-adds alone", "share"]),
        (["--no-stacked", "--batch", "700"], ["ours", "textbook PyTorch", "ratio", "share"]),
        (["--norm"], ["ours", "textbook PyTorch", "ratio", "share"]),
        (["--parts"], ["epoch, ms", "spread", "products", "attention", "softmax", "AdamW"]),
    ],
    ids=["opponents", "batches", "LayerNorm", "parts"],
)
def test_tables(monkeypatch, words, heads):
    monkeypatch.setattr("benchmarks.speed.in_turn", quickly)
    monkeypatch.setattr("benchmarks.roofline.in_turn", quickly)
    monkeypatch.setattr("benchmarks.roofline.SIZE", 32)
    result = CliRunner().invoke(command, ["--widths", "8", *words])
    assert result.exit_code == 0, result.output
    head, _, row = [line for line in result.stdout.splitlines() if line.startswith("|")]
    assert row.startswith("| 8 |") and row.count("|") == head.count("|")
    assert not [name for name in heads if f" {name} |" not in head]
    assert "lanes" in result.stdout and "nan" not in row and "inf" not in row


def test_a_first_and_a_second_run(monkeypatch):
    """Each first run has an empty folder, the second one what the first left there."""
    seen = {}

    def seconds(words, folder):
        seen.setdefault(folder, []).append(words[0])
        return float(len(seen[folder]))

    monkeypatch.setattr("benchmarks.start.seconds", seconds)
    result = CliRunner().invoke(command, ["--start"])
    assert list(seen.values()) == [["train", "train", "--help"]] * start.REPEATS
    assert "| the first time | 1.0 | 1.0 | 1.0 |" in result.stdout
    assert "| from then on | 2.0 |" in result.stdout


def test_the_jax_trainer_is_the_same_trainer():
    """Where JAX is installed; a few steps, as sums in another order part ways later."""
    pytest.importorskip("jax")
    from benchmarks import jax_trainer

    spec = RunSpec(modulus=31, train_size=300, d_model=16)
    own, other = Engine(spec, build(spec)), jax_trainer.Engine(spec, build(spec))
    for engine in (own, other):
        engine.advance(9)
    for name, value in own.parameters.items():
        np.testing.assert_allclose(other.parameters[name], value, atol=2e-5, err_msg=name)
    exact = jax_trainer.Engine(spec, build(spec), exact=True)
    exact.advance(9)
    assert (own.epoch, own.param_norm) == (exact.epoch, pytest.approx(exact.param_norm, rel=1e-5))
    for split in ("train", "val", "memorize"):
        values = exact.evaluate(split)
        assert values == pytest.approx(own.evaluate(split), rel=1e-4, nan_ok=True)


def test_the_exact_loss_in_jax_is_exact():
    """Where the right answer leads by 60, float32's softmax says 0, loss and gradient."""
    jax = pytest.importorskip("jax")
    from benchmarks.jax_trainer import exact_loss, textbook_loss

    logits = np.random.default_rng(0).normal(size=(20, 31)).astype(np.float32)
    labels = np.arange(20)
    logits[np.arange(10), labels[:10]] += 60
    ours = torch.from_numpy(logits).requires_grad_()
    exact_cross_entropy(ours[:10], torch.from_numpy(labels[:10])).backward()
    found = jax.grad(exact_loss)(logits[:10], labels[:10])
    np.testing.assert_allclose(found, ours.grad[:10], rtol=1e-5)
    assert (
        float(textbook_loss(logits[:10], labels[:10]))
        == 0
        < float(exact_loss(logits[:10], labels[:10]))
    )


def test_no_jax_is_one_line(monkeypatch):
    monkeypatch.setattr("benchmarks.speed.find_spec", lambda name: None)
    result = CliRunner().invoke(command, ["--jax"])
    assert result.exit_code == 2 and "pip install jax" in result.stderr


def quickly(calls, seconds):
    """`in_turn`, once for a moment."""
    return clock.in_turn(calls, 0.002, 1)
