"""A run that is killed goes on where it was, and ends with the same bits."""

import signal
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from processes import kill, launch, specs, wait_for

from lib.runs.checkpoints import Checkpoints
from lib.runs.store import Store
from lib.spec import RunSpec
from lib.sweeps.stacks import train_many
from lib.sweeps.sweep import sweep
from lib.sweeps.workers import Worker, _train
from lib.train import Training, train

resume = Training.resume
KERNEL = RunSpec(modulus=7, train_size=30, d_model=8, epochs=60_000, n_evals=200)
STACK = KERNEL.replace(epochs=300, norm="pre", n_layers=2)

TRAIN = """
import sys
from lib.runs.checkpoints import Checkpoints
from lib.spec import RunSpec
from lib.train import train
train(RunSpec(**{fields!r}), checkpoints=Checkpoints({cache!r}, every=0.05))
"""


class Dropped(Exception):
    pass


def interrupted(spec, states, evaluations):
    """Train a run up to an evaluation, saving at each, and leave it there."""
    seen = []

    def leave(progress):
        seen.append(progress.epoch)
        if len(seen) == evaluations:
            raise Dropped

    with pytest.raises(Dropped):
        train(spec, on_progress=leave, checkpoints=states)


def test_edited_code_begins_again(tmp_path, monkeypatch):
    """As when a reader changes `lib/model.py` between two trainings: the key stays the same."""
    spec = STACK.replace(epochs=40, n_evals=20)
    states = Checkpoints(tmp_path, every=0)
    interrupted(spec, states, 5)
    assert states.load(spec, "stacked") is not None
    monkeypatch.setattr("lib.runs.checkpoints.code", lambda: "edited")
    assert states.load(spec, "stacked") is None
    states.remove(spec)
    assert not list((tmp_path / "checkpoints").iterdir())


@pytest.mark.parametrize("spec", [KERNEL, STACK], ids=["kernel", "stack"])
def test_evaluations_that_lie_far_apart_are_not_waited_for(spec, tmp_path, monkeypatch):
    """Two in all, the first and the last: a kill in between costs what was since the last state."""
    spec, saved = spec.replace(epochs=300, n_evals=2), []
    monkeypatch.setattr("lib.train.HEARD", 0)  # an engine is left after each epoch
    states = Checkpoints(tmp_path, every=0)
    monkeypatch.setattr(states, "save", lambda *args: (Checkpoints.save(states, *args), left(args)))

    def left(args):
        saved.append(int(args[2]["epoch"]))
        if len(saved) == 20:
            raise Dropped

    with pytest.raises(Dropped):
        train(spec, checkpoints=states)
    assert 0 < saved[-1] < 300
    monkeypatch.setattr(states, "save", lambda *args: None)
    begun = []
    monkeypatch.setattr(Training, "resume", lambda self, s: begun.append(s) or resume(self, s))
    again = train(spec, checkpoints=states)
    assert begun and again.digest == train(spec).digest


@pytest.mark.parametrize("error", [OSError(24, "Too many open files"), MemoryError()])
def test_a_state_that_cannot_be_read_now_is_not_thrown_away(error, tmp_path, monkeypatch, capsys):
    states = Checkpoints(tmp_path, every=0)
    interrupted(KERNEL, states, 3)
    with monkeypatch.context() as patch:
        patch.setattr(Path, "read_bytes", lambda self: (_ for _ in ()).throw(error))
        assert states.load(KERNEL, "numba") is None
    assert "cannot be read, the run begins again: " in capsys.readouterr().err
    assert states.load(KERNEL, "numba") is not None


@pytest.mark.parametrize("spec", [KERNEL, STACK], ids=["kernel", "stack"])
def test_kill_9_and_the_same_bits(spec, tmp_path):
    """A real process, killed while it trains; the next one goes on."""
    code = TRAIN.format(fields=spec.to_dict(), cache=str(tmp_path))
    process = launch(sys.executable, "-c", code)
    folder = tmp_path / "checkpoints"
    wait_for(lambda: list(folder.glob("*.state")), process)
    kill(process)
    assert process.returncode == -signal.SIGKILL
    epochs = []
    run = train(
        spec, checkpoints=Checkpoints(tmp_path), on_progress=lambda p: epochs.append(p.epoch)
    )
    assert 0 < epochs[0] and len(epochs) < len(spec.eval_epochs()), "it began again"
    assert run.digest == train(spec).digest


@pytest.mark.parametrize("spec", [KERNEL, STACK], ids=["kernel", "stack"])
def test_a_damaged_checkpoint_is_one_line_and_not_used(spec, tmp_path, capsys):
    spec = spec.replace(epochs=60, n_evals=20)
    states = Checkpoints(tmp_path, every=0)
    interrupted(spec, states, 12)
    (path,) = (tmp_path / "checkpoints").glob("*.state")
    whole = path.read_bytes()
    truth = train(spec).digest
    for damage in (whole[:-7], b"", whole[:100] + bytes([whole[100] ^ 1]) + whole[101:]):
        path.write_bytes(damage)
        assert train(spec, checkpoints=Checkpoints(tmp_path)).digest == truth
        told = capsys.readouterr().err.splitlines()
        assert len(told) == 1 and path.name in told[0] and "begins again" in told[0]
    path.write_bytes(whole)
    assert train(spec, checkpoints=Checkpoints(tmp_path)).digest == truth
    assert capsys.readouterr().err == ""


IMPOSSIBLE = {
    "later than the end": lambda state: state.update(epoch=np.array(10**6)),
    "an epoch before its curve's end": lambda state: state.update(epoch=state["epoch"] - 1),
    "an evaluation that its curve lacks": lambda state: state.update(epoch=state["epoch"] + 40),
    "accuracies above 1": lambda state: state["rows"][:, 3:5].fill(7.0),
    "negative losses": lambda state: state["rows"][:, 1].fill(-1.0),
    "a curve of other columns": lambda state: state.update(rows=state["rows"][:, :4]),
    "no time": lambda state: state.update(seconds=np.array(np.nan)),
    "weights of other vectors than here": lambda state: state.update(lanes=np.array(5)),
    "weights that are no numbers": lambda state: state["flat"].fill(np.nan),
}


@pytest.mark.parametrize("what", IMPOSSIBLE)
def test_an_impossible_checkpoint_is_thrown_away(tmp_path, capsys, what):
    """Its own checksum is right: whoever wrote it, it is not followed."""
    spec = KERNEL.replace(epochs=200, n_evals=20)
    states = Checkpoints(tmp_path, every=0)
    interrupted(spec, states, 12)
    state = states.load(spec, "numba")
    IMPOSSIBLE[what](state)
    rows, seconds = state.pop("rows"), state.pop("seconds")
    states.save(spec, "numba", state, rows, seconds)
    assert train(spec, checkpoints=Checkpoints(tmp_path)).digest == train(spec).digest
    assert "begins again" in capsys.readouterr().err
    assert not list((tmp_path / "checkpoints").iterdir())


def test_a_state_of_another_network_is_not_used(tmp_path, capsys):
    spec = KERNEL.replace(epochs=100, n_evals=10)
    states = Checkpoints(tmp_path, every=0)
    states.save(spec, "numba", {"flat": np.zeros(3)}, [], 0.0)
    assert train(spec, checkpoints=states).digest == train(spec).digest
    assert "begins again" in capsys.readouterr().err


def test_short_runs_save_nothing_and_stored_ones_leave_nothing(store):
    spec = KERNEL.replace(epochs=200, n_evals=20)
    train(spec, checkpoints=Checkpoints(store.own, every=3600))  # compiling may take minutes
    assert not (store.own / "checkpoints").exists()
    interrupted(spec, Checkpoints(store.own, every=0), 5)
    assert list((store.own / "checkpoints").iterdir())
    assert _train(spec, store, 1, None, lambda message: None)[0] == "done"
    assert store.keys() == {spec.key} and not list((store.own / "checkpoints").iterdir())


def test_a_run_that_went_on_counts_with_all_its_time(store):
    """A sweep compares it with what the whole run was expected to take."""
    spec, states = KERNEL.replace(epochs=200, n_evals=20), Checkpoints(store.own, every=0)
    interrupted(spec, states, 5)
    state = states.load(spec, "numba")
    rows, _ = state.pop("rows"), state.pop("seconds")
    states.save(spec, "numba", state, rows, 1000.0)
    kind, (_, seconds, *_) = _train(spec, store, 1, None, lambda message: None)
    assert kind == "done" and seconds > 1000


def test_states_that_take_long_to_save_are_saved_less_often(tmp_path, monkeypatch):
    """Those of 8 layers x 1024 have 1.2 GB."""
    states, clock = Checkpoints(tmp_path), iter([0.0, 10.0, 100.0, 105.0, 200.0, 200.5])
    monkeypatch.setattr("lib.runs.checkpoints.time", SimpleNamespace(monotonic=clock.__next__))
    for every in (200, 100, 60):
        states.save(STACK, "stacked", dict(flat=np.zeros(3)), [], 0.0)
        assert states.every == every


def test_a_stack_goes_on_where_it_was(tmp_path):
    base = STACK.replace(epochs=120, n_evals=12, eps=0.1)
    wanted = [base, base.replace(seed=1), base.replace(seed=2)]
    states, count = Checkpoints(tmp_path, every=0), []

    def leave(spec, progress):
        count.append(progress.epoch)
        if len(count) == 20:
            raise Dropped

    with pytest.raises(Dropped):
        list(train_many(wanted, device="cpu", on_progress=leave, checkpoints=states))
    again = []
    runs = {
        run.spec: run
        for run in train_many(
            wanted, device="cpu", checkpoints=states, on_progress=lambda s, p: again.append(p.epoch)
        )
    }
    assert min(again) > 0
    for run in train_many(wanted, device="cpu"):
        assert runs[run.spec].digest == run.digest


def test_a_stack_goes_on_where_only_some_of_its_runs_were_evaluated(tmp_path, capsys):
    """Runs of other lengths are evaluated at other epochs, and saved with those that are due."""
    wanted = [STACK.replace(epochs=epochs, n_evals=5, eps=0.1) for epochs in (40, 100)]
    states, seen = Checkpoints(tmp_path, every=0), []

    def leave(spec, progress):
        seen.append((spec.epochs, progress.epoch))
        if seen[-1] == (100, 33):
            raise Dropped

    with pytest.raises(Dropped):
        list(train_many(wanted, device="cpu", on_progress=leave, checkpoints=states))
    assert {int(states.load(spec, "stacked")["epoch"]) for spec in wanted} == {27}
    assert (100, 27) not in seen
    runs = list(train_many(wanted, device="cpu", checkpoints=states))
    assert {r.digest for r in runs} == {r.digest for r in train_many(wanted, device="cpu")}
    assert capsys.readouterr().err == ""


def test_a_stack_that_was_killed_between_its_savings_goes_on(tmp_path):
    """Before the second evaluation; one has its state and goes on, the other begins."""
    wanted = [STACK.replace(epochs=20, n_evals=5, eps=0.1, seed=seed) for seed in (0, 1)]
    states = Checkpoints(tmp_path, every=0)
    interrupted(wanted[0], states, 2)
    assert int(states.load(wanted[0], "stacked")["epoch"]) < wanted[0].eval_epochs()[1]
    told = []
    runs = train_many(
        wanted, device="cpu", checkpoints=states, on_progress=lambda s, p: told.append((s, p.epoch))
    )
    assert {run.spec for run in runs} == set(wanted)
    assert (wanted[1], 0) in told and (wanted[0], 0) not in told


def test_states_that_fit_no_network_begin_a_stack_again(tmp_path, capsys):
    wanted = [STACK.replace(epochs=20, n_evals=5, eps=0.1, seed=seed) for seed in (0, 1)]
    states = Checkpoints(tmp_path, every=0)
    for spec in wanted:
        interrupted(spec, states, 3)
    state = states.load(wanted[1], "stacked")
    rows, seconds = state.pop("rows"), state.pop("seconds")
    state["flat"] = state["flat"][:-1]
    states.save(wanted[1], "stacked", state, rows, seconds)
    runs = list(train_many(wanted, device="cpu", checkpoints=states))
    assert {r.digest for r in runs} == {r.digest for r in train_many(wanted, device="cpu")}
    assert capsys.readouterr().err.count("begins again: it is of another network") == 2


def test_a_killed_sweep_goes_on_with_its_long_run(store, monkeypatch):
    """The whole way: sweep, worker, kill -9, sweep again; the store gets the same bits."""
    spec = specs(2, 100)[0].replace(epochs=60_000, n_evals=300)
    code = f"""
from lib.runs import checkpoints
from lib.spec import RunSpec
from lib.runs.store import Store
from lib.sweeps.workers import _train
checkpoints.EVERY = 0.1
_train(RunSpec(**{spec.to_dict()!r}), Store({str(store.folder)!r}, {str(store.cache)!r}), 1, None,
       lambda message: None)
"""
    process = launch(sys.executable, "-c", code)
    wait_for(lambda: list((store.own / "checkpoints").glob("*.state")), process)
    kill(process)
    assert not store.keys()
    told, receive = [], Worker.receive
    monkeypatch.setattr(Worker, "receive", lambda own: told.append(receive(own)) or told[-1])
    report = sweep([spec], store, jobs=1, rate=lambda width: 1e9, progress=False)
    assert report.done == 1
    assert told[0][0] == "progress" and told[0][1] > 0, "it began again"
    assert Store(store.folder).runs()["digest"][0] == train(spec).digest
    assert not list((store.own / "checkpoints").iterdir())
