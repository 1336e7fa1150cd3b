"""Sweeps on one device: what is trained and stored, what is said, the model of the time."""

import time
from types import SimpleNamespace

import pytest
import torch
from click.testing import CliRunner
from fake_train import fake_run

import lib.cli.main
import lib.cli.sweep
import lib.sweeps.device
from benchmarks.stacked import lines
from lib.engines.torch.engine import StackedEngine
from lib.paper.experiments import EXPERIMENTS
from lib.paper.grid import Grid
from lib.runs.checkpoints import Checkpoints
from lib.runs.locks import Locks
from lib.runs.store import Store
from lib.spec import RunSpec
from lib.sweeps import roofline, stacks
from lib.sweeps.device import sweep_stacked
from lib.sweeps.stacks import stacks_of, train_many

BASE = RunSpec(modulus=5, train_size=10, d_model=4, epochs=20, n_evals=5)
TINY = Grid("tiny", "A tiny experiment", BASE, axes={"train_size": (10, 12)}, seeds=3)


@pytest.fixture
def call(known, monkeypatch):
    """Run a command in this process, on folders of its own; a CPU stands in for the GPU."""
    known(tiny=TINY)
    device = roofline.Device("a device", 1e9, 1e9)
    monkeypatch.setattr(roofline, "measure_device", lambda *args: device)
    sweep = lib.sweeps.device.sweep_on_device

    def on_a_cpu(todo, store, device, dry_run, **how):
        assert device == "cuda"
        return sweep(todo, store, "cpu", dry_run, **how)

    monkeypatch.setattr("lib.sweeps.device.sweep_on_device", on_a_cpu)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    return lambda *args: CliRunner().invoke(lib.cli.main.main, args, prog_name="python -m lib")


def test_what_is_missing_is_trained_in_stacks(call):
    result = call("sweep", "tiny", "--device", "cuda", "--dry-run")
    assert result.exit_code == 0 and "6 of 6 runs are missing" in result.output
    assert "a device: 0.001 Tflop/s" in result.output and not Store().keys()
    assert "1 × 4: 6 runs in" in result.output and "beyond" not in result.output
    for budget, beyond in (("1h", False), ("0", True)):
        result = call("sweep", "tiny", "--device", "cuda", "--dry-run", "--budget", budget)
        assert ("beyond the budget" in result.output) == beyond, result.output
    result = call("sweep", "tiny", "--device", "cuda")
    assert result.exit_code == 0 and "6 runs trained and stored" in result.output, result.output
    frame = Store().runs()
    assert set(frame["key"]) == {spec.key for spec in TINY}
    assert set(frame["engine"]) == {"stacked"} and set(frame["device"]) == {"cpu"}
    assert len(Store().files()) == 1 and Store().load_weights(TINY.specs()[0])
    assert "0 of 6 runs are missing" in call("sweep", "tiny", "--device", "cuda").output


def test_what_is_not_for_a_stack_is_said_first_and_left(call, known):
    kinds = [{}, dict(loss="float32"), dict(batch=5), dict(init_from=BASE)]
    mixed, alone = Grid("tiny", "", BASE, cells=kinds), Grid("tiny", "", BASE, cells=kinds[1:])
    known(tiny=mixed)
    result = call("sweep", "tiny", "--device", "cuda", "--dry-run")
    assert "3 of the 4 are left out" in result.output
    result = call("sweep", "tiny", "--device", "cuda")
    assert result.exit_code == 0 and Store().keys() == {BASE.key}
    assert result.output.index("without --device") < result.output.index("[1/1]")
    assert "1 runs trained and stored" in result.output and "3 still missing" in result.output
    known(tiny=alone)
    result = call("sweep", "tiny", "--device", "cuda")
    assert result.exit_code == 2 and "one by one, without --device" in result.stderr


def test_a_machine_without_a_gpu_is_one_line(call, monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    result = call("sweep", "tiny", "--device", "cuda")
    assert result.exit_code == 2 and "no CUDA device" in result.stderr
    assert result.stderr.startswith("error: ") and result.stderr.count("\n") == 1


@pytest.mark.parametrize(
    "said, code, told",
    [
        ("CUDA out of memory. Tried to allocate 2 GiB", 1, "not enough memory"),
        ("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate`", 1, "not enough"),
        ("CUDA error: no kernel image is available for execution on the device\nmore", 2, "image"),
        ("CUDA error: CUDA-capable device(s) is/are busy or unavailable\nmore", 2, "busy"),
    ],
)
def test_a_gpu_that_fails_is_one_line(call, monkeypatch, said, code, told):
    def fail(*args):
        raise RuntimeError(said)

    monkeypatch.setattr(roofline, "measure_device", fail)
    result = call("sweep", "tiny", "--device", "cuda")
    assert result.exit_code == code and told in result.stderr
    assert result.stderr.startswith("error: ") and result.stderr.count("\n") == 1


def test_what_no_memory_holds_is_refused(call, known):
    huge = BASE.replace(modulus=113, train_size=9000, d_model=4096, n_layers=64)
    known(huge=Grid("huge", "", huge))
    result = call("sweep", "huge")
    assert result.exit_code == 2 and "GB of memory" in result.stderr
    assert result.stderr.count("\n") == 1 and "--device cuda" in result.stderr
    assert call("sweep", "huge", "--dry-run").exit_code == 0


def test_what_another_sweep_has_is_left_to_it(store, monkeypatch):
    """Asked stack by stack: what it has finished by then, and what it has in flight."""
    specs, finished = [BASE.replace(seed=n) for n in range(6)], []
    train_many = lib.sweeps.device.train_many

    def beside(part, **how):
        for run in train_many(part, at_once=2, **how):
            if not finished:
                finished.extend(spec for spec in specs if spec != run.spec)
                finished[:] = [s for s in finished if Locks(store).take(s.key)][:1]
                store.add(fake_run(*finished))
            yield run

    monkeypatch.setattr(lib.sweeps.device, "train_many", beside)
    held = Locks(store)
    assert held.take(specs[5].key)
    report = sweep_stacked(specs, store, device="cpu", progress=False)
    held.close()
    assert (report.done, report.left) == (4, 1) and len(store.runs(every=True)) == 5
    assert specs[5].key not in store.keys()


def test_the_time_of_a_run_is_its_own(monkeypatch):
    """Not that in which somebody stores its neighbours."""
    spec = RunSpec(modulus=5, train_size=10, d_model=4, epochs=20, n_evals=2)
    seconds = []
    clock = SimpleNamespace(monotonic=time.monotonic, perf_counter=lambda: sum(seconds))
    monkeypatch.setattr("lib.sweeps.stacks.time", clock)
    for run in train_many([spec.replace(epochs=n) for n in (20, 30, 40)], device="cpu"):
        assert run.wall_seconds == 0.0
        seconds.append(1000.0)


def test_a_stack_that_finds_the_memory_full_waits_for_the_others(tmp_path, monkeypatch):
    """It is trained by itself, after them; where that fails, too, it is an error."""
    wide, advance, failures = BASE.replace(d_model=8), StackedEngine.advance, [2]

    def full(stack, count):
        if stack.specs[0].d_model == 4 and stack.epoch and failures:
            failures.pop()
            raise torch.OutOfMemoryError("CUDA out of memory")
        advance(stack, count)

    monkeypatch.setattr(StackedEngine, "advance", full)
    small = [BASE, BASE.replace(seed=1, epochs=5)]
    done = [run.spec for run in train_many([*small, wide], device="cpu")]
    assert done[0] == wide and set(done[1:]) == set(small) and len(done) == 3
    failures += [1, 2]
    with pytest.raises(torch.OutOfMemoryError):
        list(train_many([*small, wide], device="cpu"))


def test_a_budget_ends_it(store):
    report = sweep_stacked(TINY, store, device="cpu", budget_s=0.0)
    assert report.done == 0 and report.left == 6 and not store.keys()
    assert sweep_stacked(TINY, store, device="cpu").done == 6


@pytest.fixture
def late(monkeypatch):
    """A clock that says 0 until a stack has come to its epoch 20."""
    epochs, advance = [0], StackedEngine.advance

    def seen(stack, count):
        advance(stack, count)
        epochs.append(stack.epoch)

    monkeypatch.setattr(StackedEngine, "advance", seen)
    clock = SimpleNamespace(
        monotonic=lambda: 1e6 if max(epochs) >= 20 else 0.0, perf_counter=time.perf_counter
    )
    for module in ("device", "stacks"):
        monkeypatch.setattr(f"lib.sweeps.{module}.time", clock)
    return epochs


def test_a_budget_loses_nothing(store, late, capfd):
    """It ends when two runs do: they are stored, and a longer one beside them is saved."""
    long = BASE.replace(epochs=40)
    specs = [BASE, BASE.replace(seed=1), long]
    report = sweep_stacked(specs, store, device="cpu", budget_s=10.0)
    assert (report.done, report.left) == (2, 1)
    assert store.keys() == {spec.key for spec in specs[:2]}
    assert int(Checkpoints(store.own).load(long, "stacked")["epoch"]) == 20
    assert "the budget of 10 s is spent" in capfd.readouterr().err
    late.clear()
    late.append(0)
    assert sweep_stacked(specs, store, device="cpu").done == 1
    assert late[1] > 20 and not list((store.own / "checkpoints").iterdir())


class Bar:
    """In the place of a tqdm bar: what it was told, in order."""

    disable = False

    def __init__(self, total):
        self.total, self.done, self.told = total, [], []

    def update(self, done):
        self.done.append(done)

    def set_description_str(self, text, refresh):
        self.told.append(text)

    def set_postfix_str(self, text, refresh):
        self.told.append(text)

    def close(self):
        self.told.append("closed")


def test_a_bar_goes_on_while_a_stack_is_trained(store, monkeypatch, capfd):
    """By what runs are expected to take, and says what is left as far as that is known."""
    bars = []
    monkeypatch.setattr(
        lib.sweeps.device, "bar_over", lambda total, progress: bars.append(Bar(total)) or bars[0]
    )
    expected = {spec: 10.0 * spec.train_size for spec in TINY}
    sweep_stacked(TINY, store, device="cpu", expected=expected)
    (bar,) = bars
    assert bar.total == sum(expected.values()) == pytest.approx(sum(bar.done))
    begun = bar.told[: bar.told.index("1/6 runs")]
    assert any("left" in text for text in begun), "nothing is known until a run ends"
    assert bar.told[-3:-1] == ["6/6 runs", "about 0.0 s left"] and bar.told[-1] == "closed"
    assert capfd.readouterr().err == ""  # no lines beside a bar


def test_first_comes_first(store):
    chosen, then, seen = TINY.specs()[3], TINY.specs()[5], []
    store.add = lambda run: seen.append(run.spec) or Store.add(store, run)
    sweep_stacked(TINY, store, device="cpu", first=[[chosen], [chosen, then]])
    assert seen[:2] == [chosen, then] and len(seen) == 6


def test_the_model_of_the_time_grows_as_it_should():
    device = roofline.Device("x", 1e12, 1e11)
    one = roofline.epoch_seconds(RunSpec(), device)
    assert roofline.epoch_seconds(RunSpec(d_model=64), device) > one
    assert roofline.epoch_seconds(RunSpec(n_layers=4), device) > 2 * one
    assert roofline.epoch_seconds(RunSpec(), roofline.Device("y", 2e12, 2e11)) == one / 2
    for spec in EXPERIMENTS["figure2"]:
        whole = roofline.seconds(spec, device)
        assert whole > spec.epochs * roofline.epoch_seconds(spec, device)
        assert roofline.seconds(spec, device, 0.25) == pytest.approx(whole / 4)


def test_hours_add_up_in_the_order_of_the_sweep():
    some = [RunSpec(d_model=d, seed=seed) for d in (8, 64) for seed in (0, 1)]
    costs = {spec: 3600.0 * spec.d_model for spec in some}
    rows = roofline.hours({"a": some[2:3], "b": some[:2] + some[3:]}, costs)
    assert rows == [
        ("a", 1, 64, 1, 64, 64),
        ("b", 1, 8, 2, 16, 80),
        ("b", 1, 64, 1, 64, 144),
    ]


def test_hours_are_in_the_order_of_the_stacks():
    """Many runs of a small size cost more together than one large one, and yet come first."""
    some = [RunSpec(d_model=16, seed=seed) for seed in range(100)] + [RunSpec(d_model=32)]
    costs = {spec: float(spec.d_model) for spec in some}
    order = [stack[0].d_model for stack in stacks_of(some, at_once=100)]
    assert [width for _, _, width, *_ in roofline.hours({"": some}, costs)] == order == [16, 32]


def test_the_model_expects_the_early_stops_of_neighbours(call, known, monkeypatch):
    """Six runs of which three are stored and stopped half way: the others cost half, too."""
    stops = Grid("tiny", "", BASE.replace(stop_after=4), axes=TINY.axes, seeds=3)
    known(tiny=stops)
    seen = {}
    monkeypatch.setattr(
        roofline, "seconds", lambda spec, device, part=1.0: seen.update({spec: part}) or 60.0
    )
    result = call("sweep", "tiny", "--device", "cuda", "--dry-run")
    assert "about 6 min by the model" in result.output and set(seen.values()) == {1.0}
    half = [spec for spec in stops if spec.train_size == 10]
    Store().add_many(fake_run(spec, last=10, status="stopped") for spec in half)
    seen.clear()
    result = call("sweep", "tiny", "--device", "cuda", "--dry-run")
    assert len(seen) == 3 and all(part < 0.6 for part in seen.values())


def test_what_is_predicted_is_of_the_runs_that_are_done(store, monkeypatch):
    """Runs differ in cost, so a part of a sweep is no like part of its time."""
    specs = TINY.specs()
    expected = {spec: 10.0**i for i, spec in enumerate(specs)}
    late = SimpleNamespace(
        monotonic=lambda: 1e6 if len(store.keys()) == 4 else 0.0, perf_counter=time.perf_counter
    )
    for module in ("device", "stacks"):
        monkeypatch.setattr(f"lib.sweeps.{module}.time", late)
    how = dict(device="cpu", at_once=1, expected=expected, budget_s=10.0)
    report = sweep_stacked(specs, store, **how)
    assert (report.done, report.left) == (4, 2)
    assert report.predicted == sum(expected[s] for s in specs if s.key in store.keys())


def test_of_the_paper_s_sizes_figure_10_comes_first():
    """Alone, mixed and split at one amount answer both figures' question; the rest is later."""
    todo = [s for name in ("figure8", "figure10") for s in EXPERIMENTS[name]]
    *claims, chosen = lib.cli.sweep._needed()
    assert not any(set(todo) & needed for needed in claims)
    assert {(s.memorize_size, s.split_mlp) for s in chosen} == {
        (0, None),
        (3000, None),
        (3000, True),
    }
    assert len(chosen) == 3 * 8 * 3 and chosen < set(todo)


def test_a_device_is_measured(monkeypatch):
    monkeypatch.setitem(roofline.WORK, "cpu", roofline.Work(64, 1 << 20, 3))
    found = roofline.measure_device("cpu")
    assert found.name == "cpu" and found.rate > 0 and found.bandwidth > 0


def test_the_speed_table_has_a_row_for_each_setting(monkeypatch):
    monkeypatch.setitem(roofline.WORK, "cpu", roofline.Work(64, 1 << 20, 1))
    settings = BASE, BASE.replace(n_layers=2, norm="pre")
    text = list(lines("cpu", runs=2, aim=0.01, settings=settings))
    assert len(text) == 5 and all(line.count("|") == 11 for line in text[:4])
    cells = [[cell.strip() for cell in line.split("|")[5:8]] for line in text[2:4]]
    assert cells[0][0] == cells[1][0] == "–"  # too short to be compiled
    assert cells[1][1] == "–" != cells[0][1]  # the kernel has one layer only
    assert "–" not in (cells[0][2], cells[1][2])
    assert "Gflop/s in products of 64³" in text[4] and "copies of 1 MiB" in text[4]


def turns(count, room=float("inf")):
    made = stacks._Turns("cpu")
    made._free, made._room = [None] * count, room  # as on a GPU, where there is a stream for each
    return made


def test_stacks_take_turns_and_a_new_one_comes_where_one_ends():
    said = []

    def stack(name, steps, ends):
        for step in range(steps):
            said.append((name, step))
            yield None
        yield from ends

    some = [("a", 3, ["a"]), ("b", 1, ["b", "b again"]), ("c", 1, ["c"])]
    order = list(turns(2).take((1, stack(*own)) for own in some))
    assert order == ["b", "b again", "a", "c"]  # what ends together is handed out together
    assert said == [("a", 0), ("b", 0), ("a", 1), ("a", 2), ("c", 0)]


def test_no_more_stacks_than_the_memory_has_room_for():
    active, most = set(), []

    def stack(name):
        active.add(name)
        for _ in range(3):
            most.append(len(active))
            yield None
        active.remove(name)

    sizes = (3, 3, 9, 1, 1)  # the third is too large, and trains when it is alone
    assert not list(turns(4, room=7).take((size, stack(i)) for i, size in enumerate(sizes)))
    assert max(most) == 2 and len(most) == 15


def test_stacks_are_charged_the_time_once_and_only_for_training(monkeypatch):
    clock = [0.0]
    monkeypatch.setattr("time.perf_counter", lambda: clock[0])
    ours, charged = turns(2), {}

    def stack(name, seconds):
        with ours.aside():
            clock[0] += 100
        before = ours.now
        for _ in range(4):
            clock[0] += seconds
            yield None
        charged[name] = ours.now - before
        yield name

    for _ in ours.take((1, stack(*own)) for own in (("a", 1), ("b", 3))):
        clock[0] += 1000  # who stores it
    assert sum(charged.values()) == pytest.approx(16, abs=2)
