"""The command line: what it prints, and that a mistake is one line and exit code 2."""

import os
import sys
from contextlib import nullcontext
from types import SimpleNamespace

import click
import fake_train
import pyarrow as pa
import pytest
from click.testing import CliRunner
from fake_train import fake_run

import lib.cli.main
import lib.paper.recipe
import lib.runs.files
import lib.runs.shard
import lib.runs.store
import lib.sweeps.speed
import lib.train
from lib.cli import options
from lib.paper.grid import Grid
from lib.paths import ROOT
from lib.runs.locks import Locks
from lib.runs.store import Store
from lib.spec import RunSpec
from lib.sweeps.sweep import Report
from lib.tasks import TASKS

BASE = RunSpec(modulus=5, train_size=10, d_model=4, epochs=20, n_evals=5)
TINY = Grid("tiny", "A tiny experiment", BASE, axes={"train_size": (10, 12)}, seeds=3)
SMALL = "--modulus 5 --train-size 10 --d-model 4 --epochs 20 --n-evals 5".split()


@pytest.fixture
def call(known):
    """Run a command in this process, on folders of its own."""
    known(tiny=TINY)
    return lambda *args: CliRunner().invoke(lib.cli.main.main, args, prog_name="python -m lib")


@pytest.fixture
def store(call):
    return Store()


def fails(result, *words, code=2):
    """One clear line on stderr, nothing of a traceback, nothing on stdout."""
    assert result.exit_code == code, result.output
    lines = result.stderr.splitlines()
    assert len(lines) == 1 and lines[0].startswith("error: "), result.stderr
    for word in words:
        assert word in lines[0]


MISTAKES = {
    "train --d-model 30": "multiple of n_heads",
    "train --train-size 20000": "12769",
    "train --lr nan": "finite",
    "train --lr fast": "--lr",
    "train --task foo": "unknown task 'foo'",
    "train --epochs 1.5": "--epochs",
    "train --threads 0": "--threads",
    "train --threads 100000000000000000000": "--threads",
    "train --nosuch 1": "--nosuch",
    "train --d-model 4096 --modulus 1000 --train-size 999999 --threads 64": "GB of memory",
    "train extra": "extra",
    "nosuch": "nosuch",
    "sweep": "NAME",
    "sweep figure99": "unknown experiment 'figure99'; known: tiny",
    "sweep tiny --seeds x": "x",
    "sweep tiny --seeds 3:3": "3:3",
    "sweep tiny --seeds 0:10000000000000": "seeds",
    "sweep tiny --seeds -1": "seed",
    "sweep tiny --seeds 0:" + 23 * "9": "too many seeds: 1,000 at most",
    "sweep tiny --budget soon": "soon",
    "sweep tiny --budget " + 400 * "9": "is not a duration",
    "sweep tiny --jobs 0": "--jobs",
    "sweep tiny --dask host:8786": "tcp://host:8786",
    "sweep tiny --dask tcp://host:8786 --jobs 2": "--jobs",
    "status --results {file}": "not a folder",
    "status --results no-such-folder": "does not exist",
    "claims --results no-such-folder": "does not exist",
    "compact --results no-such-folder": "does not exist",
    "status --results " + 300 * "x": "too long",
    "train --results {file}": "not a folder",
    "compact --results {file}": "not a folder",
    "train --results {file}/inside": "inside",
    "train --results {loop}": "loop",
    "train --precision bf16": "no precision 'bf16' on the engine numba",
    "sweep tiny --precision bf16": "no precision 'bf16' on the engine numba",
    "sweep tiny --precision int8": "int8",
    "sweep tiny --engine stacked --precision bf16x3": "no precision",
    "sweep tiny --engine reference --precision bf16x3": "no precision",
    "sweep tiny --engine magic": "magic",
    "sweep tiny --device tpu": "tpu",
    "sweep tiny --device cuda --dask tcp://host:8786": "--device",
    "sweep tiny --device cuda --engine reference --jobs 2": "no --jobs",
    "sweep tiny --device cuda --measure": "--measure",
    "status --no-estimate --measure": "--measure",
    "claims --no-cost --measure": "--measure",
    "circuits": "NAME",
    "circuits nosuch": "unknown experiment 'nosuch'; known: tiny",
    "circuits tiny --checkpoints 0": "--checkpoints",
    "circuits tiny --seeds x": "names no seeds",
    "search --places 0": "--places",
    "search --budget soon": "is not a duration",
    "search --budget 1h30": "is not a duration",
    "search more": "more",
    "run grokking_grid --list -p lr 1": "--list only lists",
}


@pytest.mark.parametrize("line", MISTAKES)
def test_a_mistake_is_one_line_and_exit_code_2(call, tmp_path, line):
    file, loop = tmp_path / "file", tmp_path / "loop"
    file.write_text("")
    loop.symlink_to(loop)
    before = sorted(tmp_path.rglob("*"))
    result = call(*line.format(file=file, loop=loop).split())
    fails(result, MISTAKES[line])
    assert sorted(tmp_path.rglob("*")) in (before, [file, loop, tmp_path / "results"])


def test_a_missing_folder_of_the_environment_is_told(call, tmp_path, monkeypatch):
    """It may come with the first run, so it is no error."""
    monkeypatch.setenv("GROKKING_RESULTS", str(tmp_path / "resluts"))
    last = call("status", "--no-estimate").stdout.splitlines()[-1]
    assert last == f"0 runs in {tmp_path}/resluts, which does not exist"
    assert "no run is stored there" in call("claims", "--no-cost").stdout
    (tmp_path / "resluts").mkdir()
    assert "not exist" not in call("status", "--no-estimate").stdout


def test_an_empty_name_of_the_results_is_none(call, store, tmp_path, monkeypatch):
    """As a shell has it where a variable is not set."""
    monkeypatch.chdir(tmp_path)
    assert call("train", *SMALL, "--results", "").exit_code == 0
    assert BASE.key in store.keys() and not (tmp_path / "runs").exists()
    assert call("train", *SMALL, "--results", ".").exit_code == 0
    assert (tmp_path / "runs").is_dir()


def test_a_stored_run_does_not_hide_what_cannot_be(call, store):
    store.add(fake_run(BASE))
    fails(call("train", *SMALL, "--precision", "bf16"), "no precision 'bf16'")


def test_a_run_that_a_sweep_trains_is_left_to_it(call, store):
    """Two of them shared a checkpoint, which the first to end removed."""
    sweeps = Locks(store)
    assert sweeps.take(BASE.key)
    fails(call("train", *SMALL), "is being trained by another process", code=1)
    sweeps.close()
    assert call("train", *SMALL).exit_code == 0
    assert Locks(store).take(BASE.key)


@pytest.mark.parametrize(
    "how, refused",
    [(dict(engine="reference"), True), (dict(), False),
     (dict(engine="reference", device="cuda"), False)],
)  # fmt: skip
def test_memory_is_that_of_the_engine_and_the_device(monkeypatch, how, refused):
    monkeypatch.setattr("lib.cli.options.memory", lambda: 2e9)
    specs = [RunSpec(d_model=1024, train_size=12_769)]
    expected = pytest.raises(click.UsageError, match="3 GB") if refused else nullcontext()
    with expected:
        options.check_memory(specs, **how)


@pytest.mark.parametrize(
    "args", [[], ["--help"], ["train", "--help"], ["sweep", "-h"], ["run", "-h"]]
)
def test_help(call, args):
    result = call(*args)
    assert result.exit_code == 0 and "Usage: python -m lib" in result.output
    assert result.stderr == ""


def test_the_defaults_of_train_are_the_recipe(call):
    text = " ".join(call("train", "--help").output.split())
    assert f"--lr FLOAT Learning rate. [default: {lib.paper.recipe.BASE.lr}]" in text
    assert f"[default: {lib.paper.recipe.BASE.epochs}]" in text


def test_train_stores_its_run_and_says_so(call, store):
    """With the real trainer, and twice: the second time it was stored already."""
    first = call("train", *SMALL)
    assert first.exit_code == 0, first.output
    row = store.runs().iloc[0]
    assert row["train_size"] == 10 and row["key"] == BASE.key
    assert row["digest"] in first.output and "stored in" in first.output
    assert f"training accuracy      {row['train_accuracy']:.4f}" in first.output
    assert "zone " in first.output and "by epoch 20" in first.output
    assert "\r" not in first.output  # a bar is for terminals, not for logs
    assert store.load_weights(BASE)
    second = call("train", *SMALL)
    title, already, *rest = second.stdout.splitlines()
    assert second.exit_code == 0 and already.startswith("stored already, trained by numba")
    *expected, _, key = first.stdout.splitlines()
    assert [title, *rest] == [*expected, key] and key.endswith(BASE.key)
    third = call("train", *SMALL, "--force", "--threads", "1")
    assert row["digest"] in third.output and "stored in" in third.output
    assert len(store.runs(every=True)) == 2


@pytest.mark.parametrize(
    "more", ["--n-layers 2 --batch 4", "--engine stacked", "--n-layers 2 --loss float32"]
)
def test_only_the_kernel_is_said_to_be_compiled(call, store, monkeypatch, more):
    monkeypatch.setattr("lib.engines.kernel.engine.compiles", lambda threads: True)
    monkeypatch.setattr("lib.cli.train.cores", lambda: 2)
    assert "compiling" in call("train", *SMALL).stderr
    result = call("train", *SMALL, *more.split(), "--force")
    assert result.exit_code == 0 and "compiling" not in result.stderr, result.stderr
    assert "threads: 2" in result.output  # one is for short runs of the kernel


def test_train_without_a_validation_set(call):
    result = call("train", *SMALL, "--train-size", "25")
    assert result.exit_code == 0, result.output
    assert "validation accuracy" not in result.output and "training accuracy" in result.output
    assert "no validation set" in result.output and "ungrokking" not in result.output


def test_an_interrupted_train_stores_nothing(call, store, monkeypatch):
    def train(*args, **kwargs):
        raise KeyboardInterrupt

    monkeypatch.setattr("lib.train.train", train)
    result = call("train", *SMALL)
    assert result.exit_code == 130 and "interrupted" in result.stderr
    assert "Traceback" not in result.stderr and not store.files()


def refuse(monkeypatch, *folders):
    """The disk of some folders is full: nothing can be written there."""
    real = lib.runs.files.publish

    def publish(path, data):
        if any(folder in path.parts for folder in folders):
            raise OSError(28, "No space left on device", str(path))
        return real(path, data)

    for module in (lib.runs.files, lib.runs.shard, lib.runs.store):
        monkeypatch.setattr(module, "publish", publish)


def test_a_full_disk_is_one_line(call, monkeypatch):
    monkeypatch.setattr("lib.train.train", fake_train.train)
    refuse(monkeypatch, "results")
    result = call("train", *SMALL)
    assert result.exit_code == 1 and "error: No space left on device" in result.stderr
    assert "Traceback" not in result.stderr


@pytest.mark.parametrize("command", [["train", *SMALL], ["status", "--measure"]])
def test_a_cache_that_cannot_be_written_loses_no_outcome(call, store, monkeypatch, command):
    """One warning, and all that was asked for."""
    monkeypatch.setattr("lib.cli.options.machine_rate", lib.sweeps.speed.machine_rate)
    speeds = lambda jobs, widths, *how: [[1e9] * len(widths) + [1e-9]] * jobs  # noqa: E731
    monkeypatch.setattr("lib.sweeps.speed._at_once", speeds)
    monkeypatch.setattr("lib.runs.files._warned", set())
    refuse(monkeypatch, "cache")
    result = call(*command)
    assert result.exit_code == 0, result.output
    warnings = [line for line in result.stderr.splitlines() if line.startswith("warning")]
    assert len(warnings) == 1 and "GROKKING_CACHE" in warnings[0] and "No space" in warnings[0]
    if command[0] == "train":
        assert store.keys() == {BASE.key} and "SHA-256" in result.output
    else:
        assert "as measured on this machine" in result.output


def test_nothing_is_measured_before_the_store_can_be_written(call, store, monkeypatch):
    measured = []
    monkeypatch.setattr("lib.cli.options.machine_rate", lambda *a, **k: measured.append(a))
    refuse(monkeypatch, "results")
    assert call("sweep", "tiny").exit_code == 1 and not measured


def test_no_more_processes_measure_than_will_train(call, store, monkeypatch):
    asked = []
    monkeypatch.setattr("lib.sweeps.plan.cores", lambda: 2)
    monkeypatch.setattr(
        "lib.cli.options.machine_rate",
        lambda *a, jobs, **k: asked.append(jobs) or (lambda width: 1e9),
    )
    call("sweep", "tiny", "--jobs", "1024", "--dry-run", "--measure")
    assert asked == [6]


def test_nothing_is_measured_unasked(call, store, monkeypatch):
    """A first estimate comes from what is stored."""
    asked = []
    monkeypatch.setattr(
        "lib.cli.options.machine_rate", lambda *a, **k: asked.append(a) or (lambda width: 1e9)
    )
    for command in ("status", "claims", "sweep tiny --dry-run", "circuits tiny --dry-run"):
        assert "about" not in call(*command.split()).output or command == "claims"
    store.add(fake_run(BASE))
    for command in ("status", "sweep tiny --dry-run", "circuits tiny --dry-run"):
        assert "from stored runs" in call(*command.split()).output
    assert not asked
    for command in ("status --measure", "circuits tiny --dry-run --measure"):
        assert "as measured on this machine" in call(*command.split()).output and asked


def test_sweep_says_first_what_it_costs(call, store):
    store.add(fake_run(BASE))
    result = call("sweep", "tiny", "--dry-run")
    assert result.exit_code == 0
    assert "tiny: 5 of 6 runs are missing" in result.output
    assert "expected time" in result.output and len(store.keys()) == 1
    assert "from stored runs" in result.output


def test_sweep_and_sweep_again(call, store):
    result = call("sweep", "tiny", "--seeds", "0:2", "--jobs", "2", "--no-nice")
    assert result.exit_code == 0, result.output
    assert "4 runs trained and stored" in result.output and "predicted" in result.output
    assert store.keys() == {spec.key for spec in TINY.specs([0, 1])}
    again = call("sweep", "tiny", "tiny", "--seeds", "0,1")
    assert again.exit_code == 0
    assert again.output == "tiny, tiny: 0 of 4 runs are missing\n"


@pytest.mark.parametrize(
    "report, code, word",
    [
        (Report(done=2, left=4, interrupted=True), 130, "interrupted"),
        (Report(done=2, left=4, fatal="cannot write: No space left"), 1, "No space left"),
        (Report(done=5, left=1, failed=["add d=4: no luck"]), 1, "no luck"),
        (Report(done=2, left=4), 0, ""),
    ],
)
def test_how_a_sweep_ends_is_its_exit_code(call, monkeypatch, report, code, word):
    monkeypatch.setattr("lib.cli.sweep.train_missing", lambda *args, **kwargs: report)
    result = call("sweep", "tiny")
    assert result.exit_code == code and word in result.stderr
    assert f"{report.done} runs trained" in result.output
    assert f"{report.left} still missing" in result.output


def test_a_budget_and_seeds_reach_the_sweep(call, monkeypatch):
    seen = {}

    def sweep(specs, store, **options):
        seen.update(options, seeds=sorted({spec.seed for spec in specs}))
        return Report()

    monkeypatch.setattr("lib.cli.sweep.train_missing", sweep)
    urgent = TINY.specs([4])[1]
    claims = {"takeaway 9": [urgent], "a sentence": [urgent, BASE]}
    claims = [SimpleNamespace(name=n, specs=lambda own=own: own) for n, own in claims.items()]
    monkeypatch.setattr("lib.paper.takeaways.CLAIMS", claims)
    call("sweep", "tiny", "--seeds", "4", "--budget", "1h30m", "--jobs", "1")
    assert seen["first"][:2] == ({urgent}, {urgent, BASE})
    assert (seen["seeds"], seen["budget_s"], seen["jobs"], seen["nice"]) == ([4], 5400, 1, True)


def test_a_run_of_a_task_that_is_not_registered_here_is_no_obstacle(call, store, monkeypatch):
    """As the docs invite: a task registered in a script of one's own."""
    monkeypatch.setitem(TASKS, "multiply", TASKS["add"])
    store.add(fake_run(BASE.replace(task="multiply")))
    monkeypatch.delitem(TASKS, "multiply")
    for line in ("status", "claims", "sweep tiny --dry-run"):
        assert call(*line.split()).exit_code == 0


def test_too_little_memory_is_one_line(call, monkeypatch):
    errors = iter((MemoryError("Unable to allocate 9 GiB"), RuntimeError("CUDA out of memory.\nx")))

    def train(*_, **__):
        raise next(errors)

    monkeypatch.setattr(lib.train, "train", train)
    for words in ("9 GiB", "CUDA out of memory"):
        fails(call("train", "--epochs", "20", "--d-model", "4"), "not enough memory", words, code=1)
    errors = iter([RuntimeError("CUDA error: an illegal memory access was encountered")])
    result = call("train", "--epochs", "20", "--d-model", "4")
    assert isinstance(result.exception, RuntimeError)  # of the code: not a lack of memory


def test_status(call, store):
    for spec in [*TINY.specs([0]), *TINY.specs([2])[:1], BASE.replace(seed=99)]:
        store.add(fake_run(spec))
    result = call("status")
    assert result.exit_code == 0, result.output
    line = next(line for line in result.output.splitlines() if line.startswith("tiny"))
    assert " ".join(line.split()).startswith("tiny 3 of 6 1 of 3 0 of 2 ")
    assert line.endswith(" 2 0 1")
    assert "4 runs in" in result.output
    plain = call("status", "--no-estimate")
    assert plain.exit_code == 0 and " s " not in plain.output


def test_a_run_that_is_alone_is_expected_on_all_threads(call, store, monkeypatch):
    monkeypatch.setattr("lib.sweeps.plan.cores", lambda: 2)
    words = "sweep", "tiny", "--seeds", "0", "--jobs", "2", "--dry-run", "--measure"
    assert ", 2 at once: " in call(*words).output
    store.add(fake_run(TINY.specs([0])[0]))
    assert ", on 2 threads: " in call(*words).output


def test_columns_that_do_not_go_together_are_not_merged(call, store):
    for seed, value in enumerate(("a word", 7)):
        table = lib.runs.shard.table([fake_run(BASE.replace(seed=seed))])
        lib.runs.shard.write(store.runs_folder, table.append_column("later", pa.array([value])))
    fails(call("compact"), "cannot merge", "later", "nothing is lost")
    assert len(store.files()) == 2


@pytest.mark.skipif(sys.platform == "win32", reason="its names are Unicode")
def test_claims_of_a_folder_whose_name_is_no_text(call, tmp_path):
    folder = os.fsdecode(os.fsencode(tmp_path) + b"/\xff")
    os.mkdir(folder)
    result = call("claims", "--no-cost", "--results", folder)
    assert result.exit_code == 0 and "takeaway 1: not enough runs" in result.output


def test_compact(call, store):
    for spec in TINY:
        store.add(fake_run(spec))
    result = call("compact")
    assert result.exit_code == 0 and "6 files before, 1 now" in result.output
    assert store.keys() == {spec.key for spec in TINY}


@pytest.mark.parametrize("command", ["status", "compact", "sweep tiny --dry-run", "train"])
def test_a_broken_file_is_named_and_the_rest_still_loads(call, store, command):
    paths = [store.add(fake_run(spec)) for spec in TINY]
    paths[1].write_bytes(paths[1].read_bytes()[:-9])
    result = call(*command.split(), *(SMALL if command == "train" else []))
    assert result.exit_code == 2
    lines = result.stderr.splitlines()
    assert len(lines) == 1 and paths[1].name in lines[0] and "broken" in lines[0]
    expected = {"status": "5 runs in", "compact": "2 now", "train": "stored already"}
    assert expected.get(command, "1 of 6 runs are missing") in result.output


def test_claims_write_nothing_from_a_store_that_is_not_whole(call, store):
    """A folder that was misspelt, or one with a damaged file, must not reach the README."""
    readme = ROOT / "README.md"
    before = readme.read_bytes()
    assert call("claims", "--write").exit_code == 2
    paths = [store.add(fake_run(spec)) for spec in TINY]
    paths[1].write_bytes(paths[1].read_bytes()[:-9])
    result = call("claims", "--write")
    assert result.exit_code == 2 and "--write needs a whole store" in result.stderr
    assert readme.read_bytes() == before


def test_claims_are_judged_once(call, store, monkeypatch, tmp_path):
    """The answer is kept; a new run, a damaged file and changed code each ask for another."""
    judged = []
    monkeypatch.setattr("lib.paper.takeaways.judge_all", lambda store: judged.append(1) or [])
    for expected in (1, 1):
        assert call("claims").exit_code == 0 and len(judged) == expected
    store.add(fake_run(BASE))
    for expected in (2, 2):
        assert call("claims").exit_code == 0 and len(judged) == expected
    assert call("claims", "--no-cost").exit_code == 0 and len(judged) == 3
    names = []
    for code in ("x = 1", "x = 2"):
        (tmp_path / "code.py").write_text(code)
        names.append(lib.cli.claims._kept(store, True, tmp_path))
    (file,) = store.runs_folder.glob("*.parquet")
    file.write_bytes(file.read_bytes()[:-9])
    names.append(lib.cli.claims._kept(store, True, tmp_path))
    assert len(set(names)) == 3
