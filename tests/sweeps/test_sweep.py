"""Sweeps and their cost: what is finished is never lost, whatever happens to the processes."""

import json
import multiprocessing
import os
import signal
import subprocess
import sys

import click
import fake_train
import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from fake_train import fake_run
from processes import Here, again, gone, launch, rate, tiny, wait_for

from lib.cli import options
from lib.data import build
from lib.engines import flops
from lib.errors import UserError
from lib.model import build_model
from lib.runs import shard
from lib.runs.checkpoints import Checkpoints
from lib.runs.locks import Locks
from lib.runs.machine import machine
from lib.runs.store import Store
from lib.spec import RunSpec
from lib.sweeps import plan
from lib.sweeps.plan import missing
from lib.sweeps.speed import PYTORCH, Speed, known_rate, machine_rate
from lib.sweeps.sweep import sweep
from lib.sweeps.weights import load_model

SCRIPT = """
import sys
import fake_train
from processes import rate, tiny
from lib.runs.store import Store
from lib.sweeps.sweep import sweep
folder, cache, train, count, patient = sys.argv[1:]
train = getattr(fake_train, train)
specs = tiny(*range(int(count)))
more = dict(jobs=2, rate=rate, train=train, nice=False, patient=patient == "True")
report = sweep(specs, Store(folder, cache), **more)
print(report.done, report.left, report.interrupted, flush=True)
"""


def start(store, train, count, marks="", patient=True):
    """A sweep in a process of its own."""
    words = [sys.executable, "-c", SCRIPT, store.folder, store.cache, train, count, patient]
    return launch(*words, log=subprocess.PIPE, FAKE_MARKS=str(marks))


def check(store, specs):
    """Every run is there, once, with the bits that an undisturbed sweep gives."""
    store = again(store)
    assert not store.broken
    assert store.keys() == {spec.key for spec in specs}
    for spec in specs:
        want = fake_run(spec).curve
        np.testing.assert_array_equal(store.curve(spec)["val_accuracy"], want["val_accuracy"])


# What it costs


def test_flops_follow_the_model():
    spec = RunSpec(d_model=32, train_size=3000, epochs=1000)
    assert flops.epoch_flops(spec) == 6 * (9 * 32**2 + 113 * 32) * 3000
    evaluations = len(spec.eval_epochs()) * 2 * (9 * 32**2 + 113 * 32) * 113**2
    assert flops.flops(spec) == 1000 * flops.epoch_flops(spec) + evaluations
    assert flops.flops(spec, 0.5) == flops.flops(spec) / 2
    split = RunSpec(task="multitask", d_model=32, memorize_size=1000, split_mlp=True)
    assert flops.epoch_flops(split) == 6 * (5 * 32**2 + 113 * 32) * 4000  # half of the MLP's 8 d²
    wide = spec.replace(d_model=8, d_head=32, d_mlp=512)
    assert flops.epoch_flops(wide) == 6 * 8 * (128 + 2 * 512 + 113) * 3000
    one, two, three = (flops.epoch_flops(spec.replace(batch=b)) for b in (3000, 1500, 1000))
    assert one == flops.epoch_flops(spec) and 0 < two - one == three - two < one


@pytest.mark.parametrize("engine", ["stacked", "reference"])
def test_memory_follows_the_widths(engine):
    spec = RunSpec(d_model=8, train_size=3000)
    said = spec.replace(d_head=2, d_mlp=32)  # what the model has anyway
    assert flops.bytes_of(said, engine) == flops.bytes_of(spec, engine)
    activations = 4 * (3000 if engine == "stacked" else 3 * (113**2 - 3000)) * 2 * 16_384
    assert flops.bytes_of(spec.replace(d_mlp=16_384), engine) > activations
    assert flops.bytes_of(spec.replace(d_head=512), engine) > activations / 4


def test_evaluations_cost_what_no_count_of_operations_tells():
    spec = RunSpec(modulus=5, train_size=10, d_model=4, epochs=20, n_evals=5)
    logits = len(spec.eval_epochs()) * 25 * 5
    plain, slow = Speed({4: 1e9}), Speed({4: 1e9}, per_logit=0.5)
    seconds = plan.estimate([spec], slow) - plan.estimate([spec], plain)
    np.testing.assert_allclose(seconds, 0.5 * logits)


def test_early_stops_of_neighbours_shorten_the_estimate(store):
    spec = RunSpec(stop_after=100, epochs=1000)
    for seed, last in enumerate((200, 400, 1000)):
        store.add(fake_run(spec.replace(seed=seed), last=last, status="stopped"))
    part = store.runs()["epoch"].mean() / 1000
    assert 0.4 < part < 0.6
    new = spec.replace(seed=3)
    near, far = new.replace(d_model=36, train_size=3200), new.replace(d_model=64)
    others = [new, near, far, new.replace(stop_after=None), new.replace(lr=1e-3)]
    parts = plan.expected_parts(others, store.runs())
    np.testing.assert_allclose(parts, [part, part, 1, 1, 1])
    seconds, full = plan.estimate(others, rate, store.runs()), plan.estimate(others, rate)
    np.testing.assert_allclose(seconds, full * parts)


def test_the_nearest_runs_tell_most_of_an_early_stop(store):
    spec = RunSpec(stop_after=100, epochs=1000)
    store.add(fake_run(spec.replace(train_size=4000), last=100, status="stopped"))
    store.add(fake_run(spec.replace(train_size=2000), last=1000, status="finished"))
    sizes = [2000, 2800, 3000, 4000]
    parts = plan.expected_parts([spec.replace(train_size=n) for n in sizes], store.runs())
    assert parts == sorted(parts, reverse=True)
    assert parts[0] > 0.99 and parts[-1] < store.runs()["epoch"].min() / 1000 + 0.01


def test_runs_are_packed_on_cores():
    assert plan.makespan([3, 2, 2, 1], 2) == 4
    assert plan.makespan([], 2) == 0


@pytest.mark.parametrize(
    "text, seconds", [("90s", 90), ("45m", 2700), ("2h", 7200), ("1h30m", 5400), ("7", 7)]
)
def test_durations(text, seconds):
    assert options.duration(None, None, text) == seconds


@pytest.mark.parametrize("text", ["", "h", "-5m", "1.5h", "5x", "30m1h", "soon"])
def test_what_is_no_duration(text):
    with pytest.raises(click.BadParameter, match="not a duration"):
        options.duration(None, None, text)


def test_durations_are_readable():
    shown = [plan.format_duration(s) for s in (0.25, 42, 150, 7200)]
    assert shown == ["0.2 s", "42 s", "2 min", "2.0 h"]


def test_the_speed_is_measured_once_and_kept(tmp_path):
    said = []
    for widths in ((8, 16), (16,), (8, 4096)):
        speed = machine_rate(widths, tmp_path, jobs=1, train=fake_train.timed, say=said.append)
        # 20 ms an epoch, whatever the width
        for width in {8, 16} & {*widths}:
            expected = flops.epoch_flops(RunSpec(d_model=width)) * 50
            assert expected / 5 < speed(width) < 1.5 * expected, width
    assert ["8, 16" in line or "128" in line for line in said] == [True, True]
    kept = json.loads((tmp_path / "speed.json").read_text())
    assert [set(speed["rates"]) for speed in kept.values()] == [{"8", "16", "128"}]
    (tmp_path / "speed.json").write_text("damaged")
    machine_rate([8], tmp_path, jobs=1, train=fake_train.timed)


@pytest.mark.parametrize("rate", [0, -1, float("nan"), "fast", [1], None])
def test_a_kept_speed_that_cannot_be_one_counts_as_none(tmp_path, monkeypatch, rate):
    monkeypatch.setattr("lib.sweeps.speed.code", lambda: "code")
    name = f"{machine()['cpu']}, 1 at once, code"
    (tmp_path / "speed.json").write_text(json.dumps({name: {"rates": {"8": rate}}}))
    assert known_rate([8], tmp_path, Store(tmp_path).runs(), 1) is None


def test_a_measurement_whose_process_dies_ends_in_one_line(tmp_path):
    with pytest.raises(UserError, match="memory") as error:
        machine_rate([8], tmp_path, jobs=2, train=fake_train.dying)
    assert "\n" not in str(error.value) and not multiprocessing.active_children()


def test_no_more_processes_than_runs_beyond_the_cores(store, monkeypatch):
    """Of 1,024 that were asked for; below the cores, the speed that is kept counts."""
    asked, begun = [], []
    monkeypatch.setattr("lib.sweeps.plan.cores", lambda: 2)
    monkeypatch.setattr(
        "lib.sweeps.sweep.machine_rate", lambda *a, jobs, **k: asked.append(jobs) or rate
    )
    monkeypatch.setattr(
        "lib.sweeps.sweep.Crew",
        lambda jobs, settings: begun.append(jobs) or Here(store, fake_train.train),
    )
    for specs in (tiny(*range(3)), tiny(3)):
        sweep(specs, store, jobs=1024, train=fake_train.train)
    assert asked == [3, 2] and begun == [3, 1]
    assert plan.at_once(None, 9) == 2 and plan.at_once(1, 9) == 1


def test_what_is_known_of_the_speed_without_measuring(store, tmp_path):
    """Stored runs tell it, the nearest width where a width has none; a measurement goes first."""
    assert known_rate([8], tmp_path, store.runs(), 1) is None
    for width, seconds in ((8, 2.0), (32, 4.0)):
        spec = RunSpec(d_model=width, epochs=1000, n_evals=2)
        store.add(fake_run(spec, wall_seconds=seconds, threads=1))
    speed, where = known_rate([8, 12, 32, 64], tmp_path, store.runs(), 1)
    assert "from stored runs" in where
    specs = [RunSpec(d_model=width, epochs=1000, n_evals=2) for width in (8, 32)]
    np.testing.assert_allclose(plan.estimate(specs, speed), [2.0, 4.0], rtol=1e-3)
    assert speed(12) == speed(8) and speed(64) == speed(32)


def test_what_is_known_is_of_the_way_in_which_it_will_be_trained(store, tmp_path):
    """Of the textbook's speed, of bf16's or a GPU's the kernel's runs tell nothing."""
    spec = RunSpec(d_model=8, epochs=1000, n_evals=2)
    store.add(fake_run(spec, wall_seconds=2.0))
    ways = [
        dict(engine="reference"),
        dict(engine=None, precision="bf16x3", device="cpu"),
        dict(engine="reference", precision="float32", device="cuda"),
    ]
    for how in ways:
        assert known_rate([8], tmp_path, store.runs(), 1, how) is None
    stored = ("reference", "cpu"), ("numba-bf16x3", "cpu"), ("reference", "an H100")
    for seed, (engine, device) in enumerate(stored, 1):
        made = dict(engine=engine, device=device, wall_seconds=10.0 * seed)
        store.add(fake_run(spec.replace(seed=seed), **made))
    for seconds, how in zip((2.0, 10.0, 20.0, 30.0), (None, *ways)):
        speed, _ = known_rate([8], tmp_path, store.runs(), 1, how)
        np.testing.assert_allclose(plan.estimate([spec], speed), [seconds], rtol=1e-3)


def test_what_ran_beside_a_run_is_not_held_against_the_machine(store, tmp_path):
    """Of eight runs three ran alone: their speed counts, not that of those that had company."""
    spec = RunSpec(d_model=8, epochs=1000, n_evals=2)
    for seed, seconds in enumerate([1.0, 1.0, 1.0, *5 * [30.0]]):
        store.add(fake_run(spec.replace(seed=seed), wall_seconds=seconds, threads=1))
    speed, _ = known_rate([8], tmp_path, store.runs(), 1)
    assert plan.estimate([spec], speed)[0] < 2.0


def test_deep_runs_tell_what_deep_runs_take(store):
    """The nearest size that stored runs of the PyTorch engine have, not the kernel's rate."""
    deep = RunSpec(n_layers=4, d_model=64, epochs=100, n_evals=2)
    for spec, seconds in ((deep, 40.0), (deep.replace(n_layers=1, norm="pre"), 10.0)):
        store.add(fake_run(spec, engine="stacked", wall_seconds=seconds, threads=1))
    longer = deep.replace(epochs=200, seed=1)
    (seconds,) = plan.estimate([longer], lambda width: 1.0, store.runs())
    assert seconds == pytest.approx(80.0, rel=0.05)


def test_runs_of_another_version_tell_nothing(store, tmp_path):
    """Merged from a checkout that knows a word more: they end neither `status` nor an estimate."""
    deep = RunSpec(n_layers=4, d_model=64, norm="pre", epochs=100, n_evals=2)
    table = shard.table([fake_run(deep, engine="stacked", wall_seconds=40.0)])
    at = table.column_names.index("norm")
    shard.write(store.runs_folder, table.set_column(at, "norm", pa.array(["post"])))
    (seconds,) = plan.estimate([deep], lambda width: 1.0, store.runs())
    (unknown,) = plan.estimate([deep], lambda width: 1.0)
    assert seconds == unknown
    shard.write(store.runs_folder, shard.table([fake_run(RunSpec(d_model=8, epochs=9, n_evals=2))]))
    assert known_rate([8], tmp_path, store.runs(), 1) is not None


def test_a_rate_measured_with_the_engine_asked_for_is_taken_as_it_is(store):
    deep = RunSpec(n_layers=4, d_model=64, epochs=100, n_evals=2)
    store.add(fake_run(deep, engine="stacked", wall_seconds=40.0))
    rate = Speed({64: 1e9}, engine="reference")
    (seconds,) = plan.estimate([deep.replace(seed=1)], rate, store.runs())
    assert seconds == pytest.approx(flops.flops(deep) / 1e9)
    (usual,) = plan.estimate([deep.replace(seed=1)], Speed({64: 1e9}), pd.DataFrame())
    assert usual == pytest.approx(flops.flops(deep) / 1e9 / PYTORCH)


# Sweeping


def here(store):
    """What makes `sweep` train in this process: for tests of its queue."""
    return dict(rate=rate, crew=lambda: Here(store, fake_train.train))


def test_a_sweep_trains_what_is_missing_and_only_that(store):
    specs = tiny(*range(7))
    store.add(fake_run(specs[3]))
    assert [s.seed for s in missing([*specs, *specs], store)] == [0, 1, 2, 4, 5, 6]
    report = sweep(specs, store, jobs=2, rate=rate, train=fake_train.train)
    assert (report.done, report.left, report.failed, report.fatal) == (6, 0, [], None)
    check(store, specs)
    assert len(store.files()) == 2  # its own files are merged, the other is not its own
    for spec in specs[:3]:
        assert store.load_weights(spec)
    before = {path.name: path.stat().st_mtime_ns for path in store.runs_folder.iterdir()}
    assert sweep(specs, again(store), rate=rate, train=fake_train.failing).done == 0
    assert before == {path.name: path.stat().st_mtime_ns for path in store.runs_folder.iterdir()}


def test_files_are_merged_on_the_way(store, monkeypatch):
    monkeypatch.setattr("lib.sweeps.sweep.COMPACT_EVERY", 3)
    specs = tiny(*range(8))
    sweep(specs, store, **here(store))
    check(store, specs)
    assert len(store.files()) == 1


def test_what_matters_most_comes_first():
    specs = [RunSpec(modulus=5, train_size=s, seed=n) for s in (10, 20) for n in range(4)]
    # Of the long cell two seeds are stored, of the short one none; one run is asked for.
    costs = {
        spec: float(spec.train_size)
        for spec in specs
        if (spec.train_size, spec.seed) > (20, 1) or spec.train_size == 10
    }
    order = [(s.train_size, s.seed) for s in plan.in_order(costs, specs, [specs[3:4]])]
    assert order == [(10, 3), (10, 0), (20, 2), (10, 1), (20, 3), (10, 2)]
    groups = [specs[3:4], specs[7:], specs[:4]]
    order = [(s.train_size, s.seed) for s in plan.in_order(costs, specs, groups)]
    assert order == [(10, 3), (20, 3), (10, 0), (10, 1), (10, 2), (20, 2)]
    # No cell has an advantage: seed by seed, the longest of a seed first.
    costs = {spec: float(spec.train_size) for spec in specs}
    order = [(s.seed, s.train_size) for s in plan.in_order(costs, specs)]
    assert order == [(n, size) for n in range(4) for size in (20, 10)]


def test_early_seeds_first_and_long_runs_first_among_them(store):
    specs = [RunSpec(modulus=5, train_size=10, epochs=e, seed=s) for s in (1, 0) for e in (5, 9)]
    sweep(specs, store, **here(store))
    runs = store.runs(every=True).sort_values("timestamp")
    assert list(zip(runs["seed"], runs["epochs"], strict=True)) == [(0, 9), (0, 5), (1, 9), (1, 5)]


def test_a_budget_starts_no_run_that_would_end_after_it(store):
    specs = tiny(0, epochs=10) + tiny(1, epochs=10**6)
    each = flops.flops(specs[1]) / 100
    # The long one is expected to take 100 s.
    report = sweep(specs, store, **here(store) | dict(budget_s=50, rate=lambda w: each))
    assert (report.done, report.left) == (1, 1)
    check(store, specs[:1])


def test_a_budget_counts_what_a_checkpoint_has_done(store):
    """Else a run that is longer than every budget would never end."""
    (spec,) = tiny(0, epochs=200)
    half = Checkpoints(store.own, every=0)
    state = {"epoch": np.array(190), "flat": np.zeros(3)}
    half.save(spec, "numba", state, [], 1.0)
    assert half.epochs() == {spec.key: 190}
    each = dict(rate=lambda width: flops.flops(spec) / 100)  # 100 s
    assert sweep([spec], store, **here(store) | each | dict(budget_s=4)).done == 0
    assert sweep([spec], store, **here(store) | each | dict(budget_s=50)).done == 1
    assert half.epochs() == {}


def test_whatever_befalls_the_cache_a_stored_run_is_done(store, monkeypatch):
    def broken(self, run):
        raise MemoryError

    monkeypatch.setattr(Store, "save_weights", broken)
    report = sweep(tiny(0, 1), store, **here(store))
    assert (report.done, report.failed) == (2, [])


def test_failures_and_deaths_do_not_end_a_sweep(store, capfd):
    report = sweep(tiny(*range(5)), store, jobs=2, rate=rate, train=fake_train.failing)
    assert (report.done, report.left, report.fatal) == (3, 2, None)
    first, second = sorted(report.failed)
    assert "seed=1: RuntimeError: no luck" in first and "\n" not in first
    assert "seed=2" in second and "exit code 7" in second
    check(store, [spec for spec in tiny(*range(5)) if spec.seed not in (1, 2)])
    assert "Traceback" not in capfd.readouterr().err


def test_workers_that_keep_dying_end_a_sweep(store):
    report = sweep(tiny(*range(9)), store, jobs=1, rate=rate, train=fake_train.dying)
    assert "3 workers died" in report.fatal and report.left == 9


def test_a_full_disk_ends_a_sweep_and_keeps_what_was_finished(store):
    report = sweep(tiny(*range(6)), store, jobs=1, rate=rate, train=fake_train.full_disk)
    assert report.done == 1 and report.left == 5
    assert str(store.folder) in report.fatal and "\n" not in report.fatal
    check(store, tiny(0))
    assert not list(store.runs_folder.glob(".*"))


def test_a_folder_that_cannot_be_written_is_seen_before_training(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(OSError):
        sweep(tiny(0), Store(tmp_path / "file" / "results", tmp_path), rate=rate)


def test_a_run_that_is_alone_gets_all_threads(store):
    sweep(tiny(0), store, jobs=2, rate=rate, train=fake_train.train)
    assert store.runs()["threads"].tolist() == [2]


def test_a_thread_may_sweep_too(store):
    from concurrent.futures import ThreadPoolExecutor

    with ThreadPoolExecutor(1) as pool:
        report = pool.submit(sweep, tiny(0, 1), store, **here(store)).result()
    assert report.done == 2


# Real processes that are interrupted and killed


def workers(marks):
    return {int(mark.name.split("-")[1]) for mark in marks.iterdir()}


def test_kill_9_loses_the_runs_in_flight_and_nothing_else(store, marks):
    specs, finished = tiny(*range(8)), 1
    process = start(store, "slow", 8, marks)
    wait_for(lambda: len(list(marks.iterdir())) > finished, process)
    wait_for(lambda: len(again(store).keys()) >= finished, process)
    process.kill()
    process.communicate()
    wait_for(lambda: all(gone(pid) for pid in workers(marks)))  # they die with their parent
    stored = again(store).keys()
    assert finished <= len(stored) < 8
    sweep(specs, again(store), jobs=2, rate=rate, train=fake_train.train)
    check(store, specs)
    begun = [int(mark.name.split("-")[0]) for mark in marks.iterdir()]
    assert len(begun) - len(stored) <= 2


def test_the_first_ctrl_c_keeps_the_runs_in_flight(store, marks):
    process = start(store, "slow", 50, marks)
    wait_for(lambda: len(list(marks.iterdir())) >= 3, process)
    os.killpg(process.pid, signal.SIGINT)
    out, err = process.communicate()
    assert process.returncode == 0, err
    begun = {int(mark.name.split("-")[0]) for mark in marks.iterdir()}
    assert set(again(store).runs()["seed"]) == begun and 3 <= len(begun) < 50, out + err
    assert out.split() == [str(len(begun)), str(50 - len(begun)), "True"]
    assert "Ctrl-C again" in err and "Traceback" not in err


def test_the_second_ctrl_c_drops_them(store, marks):
    process = start(store, "endless", 50, marks)
    wait_for(lambda: len(list(marks.iterdir())) == 2, process)
    os.killpg(process.pid, signal.SIGINT)
    for line in process.stderr:
        if "Ctrl-C again" in line:
            break
    os.killpg(process.pid, signal.SIGINT)
    _, err = process.communicate()
    assert process.returncode != 0 and err.splitlines()[-1] == "KeyboardInterrupt"
    wait_for(lambda: all(gone(pid) for pid in workers(marks)))
    check(store, tiny(0))


def test_without_patience_the_first_ctrl_c_drops_them(store, marks):
    process = start(store, "endless", 50, marks, patient=False)
    wait_for(lambda: len(list(marks.iterdir())) == 2, process)
    os.killpg(process.pid, signal.SIGINT)
    _, err = process.communicate()
    assert process.returncode != 0 and err.splitlines()[-1] == "KeyboardInterrupt"
    assert "2 runs in flight go on from their last state" in err and "failed" not in err
    wait_for(lambda: all(gone(pid) for pid in workers(marks)))
    check(store, tiny(0))


def test_two_sweeps_at_once(store, marks):
    for process in [start(store, "slow", 12, marks) for _ in range(2)]:
        _, err = process.communicate()
        assert process.returncode == 0, err
    check(store, tiny(*range(12)))
    assert len(list(marks.iterdir())) == 12  # together they train each run once
    store.compact()
    check(store, tiny(*range(12)))


def test_a_script_without_a_main_guard(store, tmp_path):
    (tmp_path / "script.py").write_text(SCRIPT)
    words = [tmp_path / "script.py", store.folder, store.cache, "train", 2, True]
    out, err = launch(sys.executable, *words, log=subprocess.PIPE).communicate()
    assert out.split() == ["2", "0", "False"], err


def test_a_run_is_locked_until_its_sweep_ends(store):
    other = Locks(store)
    code = (
        "import sys, time; from lib.runs.locks import Locks; from lib.runs.store import Store\n"
        "locks = Locks(Store(*sys.argv[1:]))\n"
        "print(locks.take(f'{1:020x}'), locks.take(f'{2:020x}' + 'f'), flush=True)\n"
        "time.sleep(60)"
    )
    words = [sys.executable, "-c", code, store.folder, store.cache]
    with launch(*words, log=subprocess.PIPE) as process:
        assert process.stdout.readline().split() == ["True", "True"]
        key, free = f"{1:020x}", "f" * 20
        assert not other.take(key) and other.take(free)
        process.kill()
        process.wait()
        assert other.take(key)
    other.close()


def test_beyond_its_last_lock_a_process_still_sees_others(store, monkeypatch):
    monkeypatch.setattr("lib.runs.locks.MOST", 1)
    ours, theirs = Locks(store), Locks(store)
    assert theirs.take("e" * 20) and ours.take("f" * 20)
    assert not ours.take("e" * 20) and ours.take("a" * 20) and theirs.take("a" * 20)
    ours.close()
    theirs.close()


def test_without_locks_every_run_is_free(store):
    store.cache.write_text("in the way")
    locks = Locks(store)
    assert locks.take("f" * 20)
    locks.release("f" * 20)
    locks.close()


# Models


def test_a_model_comes_from_the_cache_or_is_trained_again(store):
    spec = tiny(3)[0]
    calls = []

    def train(spec, threads):
        calls.append(spec)
        values = build_model(spec, build(spec)).state_dict()
        run = fake_run(spec)
        run.parameters.clear()
        run.parameters.update({name: value.numpy() + 1 for name, value in values.items()})
        return run

    models = [load_model(spec, again(store), train=train) for _ in range(2)]
    assert len(calls) == 1
    for one, two in zip(*(model.parameters() for model in models), strict=True):
        assert (one == two).all() and one.requires_grad
    assert store.keys() == set()  # asking for a model stores no run


def test_a_real_run_through_a_sweep(store):
    """The real trainer in a real worker, against the same training here."""
    from lib.train import train

    spec = tiny(0, d_model=8)[0]
    sweep([spec], store, jobs=1, rate=rate)
    run = train(spec)
    row = store.runs().iloc[0]
    assert row["digest"] == run.digest and row["engine"] == run.engine
    pd.testing.assert_frame_equal(store.curve(spec), pd.DataFrame(run.curve), rtol=1e-6)
    for name, values in store.load_weights(spec).items():
        np.testing.assert_array_equal(values, run.parameters[name])
