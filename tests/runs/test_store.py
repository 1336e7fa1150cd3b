"""The store: what is written comes back, what is damaged is named, nothing is lost."""

import io
import multiprocessing
import os
import re
import signal
import sys
import zipfile
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from made_up import fake_run
from processes import again, launch, write_some

from lib.runs import compaction, shard
from lib.runs.files import publish
from lib.runs.run import CURVE
from lib.runs.shard import BrokenFile
from lib.runs.store import Store, StoreError
from lib.spec import KNOBS, RunSpec

SPECS = [RunSpec(epochs=500, n_evals=20, seed=seed) for seed in range(6)]


def fill(store, specs=SPECS):
    return [store.add(fake_run(spec)) for spec in specs]


def test_a_run_comes_back(store):
    spec = RunSpec(
        task="multitask", memorize_size=7, epochs=500, n_evals=20, stop_after=50, split_mlp=True,
        norm="pre", warmup=9,
    )  # fmt: skip
    run = fake_run(spec, last=300, status="stopped", threads=2)
    path = store.add(run)
    store = again(store)
    row = store.runs().iloc[0]
    for name, value in spec.to_dict().items():
        assert pd.isna(row[name]) if value is None else row[name] == value
    assert row["key"] == spec.key and row["digest"] == run.digest
    assert row["status"] == "stopped" and row["threads"] == 2 and row["engine"] == "numba"
    assert row["epoch"] == run.curve["epoch"][-1] <= 300
    assert row["val_accuracy"] == run.curve["val_accuracy"][-1]  # to the bit: k / n
    assert row["timestamp"].tzinfo is not None and row["cpu"] and row["git_commit"]
    curve = store.curve(spec)
    assert list(curve) == list(run.curve)
    for name, values in run.curve.items():
        rtol = 0 if "accuracy" in name or name == "epoch" else 1e-7
        np.testing.assert_allclose(curve[name], values, rtol=rtol)
    assert path.suffix == ".parquet" and os.listdir(store.runs_folder) == [path.name]


def test_a_row_makes_its_spec_again(store):
    """Whole numbers and truths with gaps among them, too."""
    some = dict(stop_after=7, warmup=5, batch=4, loss="float32", init_scale=0.5)
    specs = {spec.key: spec for spec in (SPECS[0], SPECS[1].replace(**some))}
    fill(store, specs.values())
    for row in store.runs().to_dict("records"):
        values = {name: row[name] for name in KNOBS if not pd.isna(row[name])}
        assert RunSpec(**values) == specs[row["key"]]


def test_an_empty_store(store):
    assert store.keys() == set() and store.runs().empty and store.curves().empty
    assert "val_accuracy" in store.runs() and "val_accuracy" in store.curves()
    assert not store.runs_folder.exists()  # reading makes nothing
    with pytest.raises(KeyError, match="d=32"):
        store.curve(SPECS[0])


def test_many_runs_in_one_file(store):
    store.add_many([fake_run(spec) for spec in SPECS])
    assert len(os.listdir(store.runs_folder)) == 1
    assert again(store).keys() == {spec.key for spec in SPECS}


def test_curves_are_one_tidy_frame(store):
    store.add_many([fake_run(spec) for spec in SPECS[:4]])
    fill(store, SPECS[4:])
    curves = store.curves()
    assert set(curves["key"]) == store.keys()
    for spec in SPECS:
        mine = curves[curves["key"] == spec.key].drop(columns="key").reset_index(drop=True)
        pd.testing.assert_frame_equal(mine, store.curve(spec))
    some = store.curves([SPECS[1].key, SPECS[5].key, "no such run"])
    assert set(some["key"]) == {SPECS[1].key, SPECS[5].key}


def test_a_diverged_run_is_kept_as_such(store):
    run = fake_run(SPECS[0], status="diverged")
    run.curve["train_loss"][-1], run.curve["param_norm"][-1] = np.nan, np.inf
    store.add(run)
    row = store.runs().iloc[0]
    assert row["status"] == "diverged" and np.isnan(row["train_loss"])
    assert np.isinf(row["param_norm"])


def test_of_two_trainings_numba_is_preferred_then_the_earliest(store):
    store.add(fake_run(SPECS[0], engine="torch", digest="t"))
    store.add(fake_run(SPECS[0], digest="z, the first"))
    store.add(fake_run(SPECS[0], digest="a, the second"))
    assert list(store.runs()["digest"]) == ["z, the first"]
    assert set(store.runs(every=True)["digest"]) == {"t", "z, the first", "a, the second"}
    assert len(store.curve(SPECS[0])) == len(SPECS[0].eval_epochs())
    store.compact()
    assert len(again(store).runs(every=True)) == 3


def test_an_earlier_rounded_run_does_not_hide_a_float32_one(store):
    """Figures show float32 where there is one, whatever was trained first."""
    float32 = ["numba", "stacked", "reference"]
    coming = ["unknown", "stacked-bf16", "numba-bf16x3", "numba-bf16x6", *reversed(float32)]
    for engine in coming:
        store.add(fake_run(SPECS[0], engine=engine))
        assert list(store.runs()["engine"]) == [engine]
    assert list(store.runs(every=True)["engine"]) == coming[::-1]


def test_stale_runs_are_left_out_and_kept(store, monkeypatch):
    with monkeypatch.context() as older:
        older.setattr(shard, "NUMERICS_VERSION", 0)
        store.add(fake_run(SPECS[0]))
    store.add(fake_run(SPECS[1]))
    for _ in range(2):
        assert store.keys() == {SPECS[1].key} == set(store.runs()["key"])
        assert store.stale == 1 and set(store.curves()["key"]) == {SPECS[1].key}
        store.compact()
    assert len(store.files()) == 1


def test_a_file_of_an_older_library_lacks_columns(store):
    """A field added to RunSpec later is empty there, and the rest can be read."""
    table = shard.table([fake_run(SPECS[0])]).drop_columns(
        ["stop_after", "split_mlp", "norm", "residual", "warmup", "device"]
    )
    shard.write(store.runs_folder, table)
    store.add(fake_run(SPECS[1]))
    assert len(store.runs()) == 2
    store.compact()
    assert again(store).keys() == {SPECS[0].key, SPECS[1].key}


# Damage


def check_broken(store, name, capsys):
    """The file `name` is named in one line, and all the other runs load."""
    store = again(store)
    assert store.keys() == {spec.key for spec in SPECS[1:]}
    assert len(store.runs()) == len(SPECS) - 1 == store.curves()["key"].nunique()
    assert set(store.broken) == {name}
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 1 and name in lines[0]


def test_a_truncated_file(store, capsys):
    path = fill(store)[0]
    data = path.read_bytes()
    for length in (0, 1, 4, len(data) // 2, len(data) - 1):
        path.write_bytes(data[:length])
        check_broken(store, path.name, capsys)


def test_every_flipped_bit_is_noticed(store, capsys):
    path = fill(store)[0]
    data = path.read_bytes()
    rng = np.random.default_rng(0)
    for bit in rng.integers(0, 8 * len(data), 60):
        flipped = bytearray(data)
        flipped[bit // 8] ^= 1 << bit % 8
        path.write_bytes(flipped)
        check_broken(store, path.name, capsys)


def test_page_checksums_are_there_and_verified(store):
    """Even where the name is made to fit the damaged content."""
    path = fill(store)[0]
    data = bytearray(path.read_bytes())
    group = pq.read_metadata(path).row_group(0)
    columns = {c.path_in_schema: c for c in map(group.column, range(group.num_columns))}
    column = columns["curve_val_loss.list.element"]
    start = column.dictionary_page_offset or column.data_page_offset
    data[start + column.total_compressed_size - 5] ^= 1
    forged = store.runs_folder / shard._file_name(bytes(data))
    forged.write_bytes(data)
    with pytest.raises(BrokenFile, match="(?i)crc|checksum|corrupt"):
        shard.read(forged)


def forge(store, change):
    """A file of run 0 with another table inside, under the name that its content asks for."""
    return shard.write(store.runs_folder, change(shard.table([fake_run(SPECS[0])])))


def put(name, values):
    """The table with other values in one column."""
    return lambda table: table.set_column(table.column_names.index(name), name, values)


WRONG = {
    "a column twice": (lambda t: t.append_column("key", t["key"]), "key is there 2 times"),
    "a number as text": (put("d_model", pa.array(["32"])), "d_model holds string, not int64"),
    "a rounded loss": (put("train_loss", pa.array([0.5])), "train_loss holds double, not float"),
    "no loss": (lambda t: t.drop_columns("val_loss"), "no column val_loss"),
    "no curve": (lambda t: t.drop_columns("curve_val_loss"), "no column curve_val_loss"),
    "no key": (put("key", pa.array([None], pa.string())), "key has empty places"),
    "no width": (put("d_model", pa.array([None], pa.int64())), "d_model has empty places"),
    "a scalar curve": (put("curve_epoch", pa.array([1])), "curve_epoch holds int64"),
    "a null curve": (
        put("curve_val_loss", pa.array([None], pa.list_(pa.float32()))),
        "curves differ in length",
    ),
    "a short curve": (
        put("curve_val_accuracy", pa.array([[0.1, 0.2]], pa.list_(pa.float64()))),
        "curves differ in length",
    ),
}


@pytest.mark.parametrize("what", WRONG)
def test_a_file_with_a_right_name_and_a_wrong_schema(store, capsys, what):
    change, why = WRONG[what]
    path = forge(store, change)
    fill(store, SPECS[1:])
    check_broken(store, path.name, capsys)
    store = again(store)
    store.compact()
    assert path.exists() and why in store.broken[path.name]


def test_curves_of_two_runs_that_are_short_and_long(store, capsys):
    """The metadata tell sums; each run's own length is looked at where curves are read."""

    def swap(table):
        both = pa.concat_tables([table, table])
        lists = both["curve_val_loss"].to_pylist()
        lists = [lists[0][:-1], [*lists[1], 0.5]]
        return put("curve_val_loss", pa.array(lists, pa.list_(pa.float32())))(both)

    path = forge(store, swap)
    fill(store, SPECS[1:])
    store = again(store)
    assert store.curves()["key"].nunique() == len(SPECS) - 1
    assert "not as long as" in store.broken[path.name] and len(store.runs()) == len(SPECS) - 1


def test_a_hole_in_a_curve(store):
    """Seen where curves are read, as their lengths are."""

    def hole(table):
        curve = [None, *table["curve_val_loss"].to_pylist()[0][1:]]
        return put("curve_val_loss", pa.array([curve], pa.list_(pa.float32())))(table)

    path = forge(store, hole)
    fill(store, SPECS[1:])
    store = again(store)
    assert store.curves()["key"].nunique() == len(SPECS) - 1
    assert "curve_val_loss has empty places" in store.broken[path.name]


def test_a_file_that_was_still_being_copied_is_read_once_it_is_whole(store, capsys):
    path = fill(store, SPECS[:1])[0]
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    assert not store.keys() and store.broken and not store.runs().size
    assert len(capsys.readouterr().err.splitlines()) == 1
    path.write_bytes(whole)
    assert store.keys() == {SPECS[0].key} and not store.broken


def test_names_that_begin_with_a_dot_are_no_runs(store, capsys):
    path = fill(store)[0]
    path.with_name(".hidden.parquet").write_bytes(b"what an editor or a copy left")
    assert len(again(store).runs()) == len(SPECS) and not capsys.readouterr().err


def test_files_in_the_results_folder_itself_are_read(store):
    """Older versions wrote them there."""
    path = fill(store)[0]
    path.rename(store.folder / path.name)
    store = again(store)
    assert len(store.runs()) == len(SPECS) == store.curves()["key"].nunique()
    store.compact()
    assert [p.parent for p in store.folder.rglob("*.parquet")] == [store.runs_folder]
    assert len(again(store).runs()) == len(SPECS)


def test_every_column_is_explained_beside_the_files():
    text = (Path(__file__).resolve().parents[2] / "results" / "README.md").read_text("utf-8")
    named = set(re.findall(r"`(\w+)`", text))
    lacking = {name for name in shard.SCHEMA.names if name not in named}
    assert lacking == {f"curve_{name}" for name in CURVE if name not in ("epoch", "train_loss")}


@pytest.mark.parametrize("page", ["results/README.md", "book/data.md"])
def test_three_lines_read_every_run_once(store, page, monkeypatch):
    """Those of the page, on the project's own runs; no file's columns are lost."""
    root = Path(__file__).resolve().parents[2]
    monkeypatch.chdir(root)
    lines = (root / page).read_text().splitlines()
    (at,) = (i for i, line in enumerate(lines) if "read_parquet" in line)
    values = {"pd": pd, "Path": Path}
    exec("\n".join(line.strip() for line in lines[at : at + 3]), values)
    runs, ours = values["runs"], Store(root / "results", store.cache).runs()
    assert set(ours.dropna(axis="columns", how="all")) <= set(runs)
    assert len(runs) == len(ours) > 1000
    digests = runs.set_index("key")["digest"]
    assert digests[ours["key"]].tolist() == ours["digest"].tolist()
    there = {path.name for path in (root / "results").iterdir()}
    assert there == {"README.md", "LICENSE", "circuits", "runs"}, "runs belong into results/runs"


def test_files_that_are_none_of_ours(store, capsys):
    fill(store, SPECS[1:])
    good = next(iter(store.files()))
    other = pa.table({"x": [1, 2]})
    pq.write_table(other, store.runs_folder / "a.parquet")
    (store.runs_folder / "b.parquet").write_bytes((store.runs_folder / good).read_bytes())
    (store.runs_folder / "c.parquet").mkdir()
    (store.runs_folder / "d.parquet").write_bytes(os.urandom(1000))
    foreign = shard.write(store.runs_folder, other)
    (store.runs_folder / "README.md").write_text("not data")
    store = again(store)
    assert len(store.runs()) == len(SPECS) - 1
    assert set(store.broken) == {f"{x}.parquet" for x in "abcd"} | {foreign.name}
    assert len(capsys.readouterr().err.splitlines()) == 5


@pytest.mark.skipif(os.name != "posix", reason="no pipes and links of this kind")
def test_what_is_no_file_is_named_and_not_waited_for(store):
    fill(store)
    os.mkfifo(store.runs_folder / "pipe.parquet")
    (store.runs_folder / "link.parquet").symlink_to("not-fetched")
    store = again(store)
    assert len(store.runs()) == len(SPECS)
    assert store.broken == {
        "pipe.parquet": "it is no file",
        "link.parquet": "it is a link to nothing: not fetched?",
    }


def test_a_broken_file_is_left_alone_by_compact(store, capsys):
    path = fill(store)[0]
    path.write_bytes(path.read_bytes()[:-10])
    damaged = path.read_bytes()
    store.compact()
    assert path.read_bytes() == damaged and len(store.files()) == 2
    assert again(store).keys() == {spec.key for spec in SPECS[1:]}


def test_a_file_that_breaks_while_it_is_in_use(store, capsys):
    path = fill(store)[0]
    assert len(store.runs()) == len(SPECS)
    path.write_bytes(b"gone bad")
    assert store.curves()["key"].nunique() == len(SPECS) - 1
    assert path.name in store.broken and len(store.runs()) == len(SPECS) - 1


def test_a_results_folder_that_is_a_file(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreError, match="not a folder"):
        Store(tmp_path / "file")


def test_a_write_that_fails_leaves_nothing(store, monkeypatch):
    fill(store)
    before = set(os.listdir(store.runs_folder))
    with monkeypatch.context() as broken:
        broken.setattr(os, "replace", lambda *_: (_ for _ in ()).throw(OSError(28, "disk full")))
        with pytest.raises(OSError, match="disk full"):
            store.add(fake_run(SPECS[0], digest="x"))
    assert set(os.listdir(store.runs_folder)) == before
    assert again(store).keys() == {spec.key for spec in SPECS}


# Compaction


def test_compact_loses_nothing_and_is_idempotent(store):
    fill(store)
    runs, curves = store.runs(), store.curves()
    store.compact()
    files = store.files()
    assert len(files) == 1
    for _ in range(2):
        pd.testing.assert_frame_equal(again(store).runs(), runs)
        pd.testing.assert_frame_equal(
            again(store).curves().sort_values(["key", "epoch"], ignore_index=True),
            curves.sort_values(["key", "epoch"], ignore_index=True),
        )
        store.compact()
        assert again(store).files() == files


def test_compact_that_was_cut_off_is_mended(store):
    paths = fill(store)
    old = {path: path.read_bytes() for path in paths}
    store.compact()
    merged = store.files()
    for path, data in old.items():  # as if it had been killed before it removed them
        path.write_bytes(data)
    store = again(store)
    assert len(store.runs(every=True)) == len(SPECS)
    store.compact()
    assert again(store).files() == merged


def test_compact_leaves_large_files_alone(store, monkeypatch):
    monkeypatch.setattr("lib.runs.compaction.SHARD", 4)
    fill(store)
    store.compact()
    assert len(store.files()) == 2  # four runs, which is large, and two
    large = {name for name, table in store.tables().items() if table.num_rows >= 4}
    old = {name: (store.runs_folder / name).read_bytes() for name in store.files()}
    fill(store, [spec.replace(seed=spec.seed + 100) for spec in SPECS])
    store.compact()
    assert large <= store.files() and len(again(store).runs()) == 2 * len(SPECS)
    for name, data in old.items():
        (store.runs_folder / name).write_bytes(data)
    store.compact()  # small runs that a large file holds are dropped, not merged again
    assert len(again(store).runs(every=True)) == 2 * len(SPECS)
    assert len(store.files()) <= 4


def test_compact_of_some_files_leaves_the_others(store):
    paths = fill(store)
    mine, others = paths[:3], {path.name for path in paths[3:]}
    merged = store.compact([path.name for path in mine])
    assert store.files() == others | set(merged) and len(merged) == 1
    assert store.compact([*merged, "gone.parquet"]) == merged


def test_what_killed_writers_left_is_swept_up(store):
    fill(store)
    old, new = store.runs_folder / ".old.tmp", store.runs_folder / ".new.tmp"
    for path in (old, new):
        path.write_bytes(b"half a f")
    os.utime(old, (0, 0))
    store.compact()
    assert not old.exists() and new.exists()


def test_a_file_that_a_writer_renames_meanwhile_is_no_error(store, monkeypatch):
    fill(store)
    glob = Path.rglob
    monkeypatch.setattr(Path, "rglob", lambda self, p: [self / ".gone.tmp", *glob(self, p)])
    assert len(store.compact()) == 1


def test_a_cache_of_someone_else_s_is_passed_over(store, monkeypatch):
    fill(store)
    stat = os.stat

    def closed(path, **how):
        if str(path).startswith(str(store.own)):
            raise PermissionError(13, "Permission denied", str(path))
        return stat(path, **how)

    monkeypatch.setattr("os.stat", closed)
    assert len(store.compact()) == 1


# Several processes


def test_two_versions_that_merge_at_once_keep_one_file(store, monkeypatch):
    """Their bytes differ, as another pyarrow's do; each is about to remove the other's file."""
    fill(store, SPECS[:3])
    encode, identities = shard.encode, compaction.identities

    def other(table):
        buffer = io.BytesIO()
        pq.write_table(table, buffer, compression="none", write_page_checksum=True)
        return buffer.getvalue()

    whole = shard.write(store.runs_folder, shard.table(map(fake_run, SPECS[:3])))
    whole.unlink()
    ours = store.compact()
    monkeypatch.setattr(shard, "encode", other)
    theirs = shard.write(store.runs_folder, shard.read(store.path(*ours)))
    assert len(again(store).files()) == 2
    looks = []

    def meanwhile(table, *names):
        looks.append(table)
        if len(looks) == 2:  # we have read both files
            monkeypatch.setattr(compaction, "identities", identities)
            again(store).compact()
        return identities(table, *names)

    monkeypatch.setattr(compaction, "identities", meanwhile)
    monkeypatch.setattr(shard, "encode", encode)
    kept = again(store).compact()
    assert kept == [min(*ours, theirs.name)] and again(store).files() == set(kept)
    assert again(store).keys() == {spec.key for spec in SPECS[:3]}


def test_writers_compacters_and_readers_at_once(store):
    context = multiprocessing.get_context("spawn")
    writers = [
        context.Process(target=write_some, args=(store.folder, 100 * i, 20)) for i in range(3)
    ]
    for writer in writers:
        writer.start()
    seen = set()
    while any(writer.is_alive() for writer in writers):
        now = Store(store.folder).keys()
        assert seen <= now  # a run that was there stays there, at every moment
        seen = now
    for writer in writers:
        writer.join()
        assert writer.exitcode == 0
    specs = [RunSpec(epochs=50, n_evals=5, seed=100 * i + k) for i in range(3) for k in range(20)]
    store = again(store)
    assert store.keys() == {spec.key for spec in specs} and not store.broken
    assert not list(store.runs_folder.glob(".*"))
    for spec in specs:
        np.testing.assert_array_equal(
            store.curve(spec)["val_accuracy"], fake_run(spec).curve["val_accuracy"]
        )


KILLED = """
import os, signal, sys, threading, time
from processes import write_some
after, folder = sys.argv[1:]
def kill():
    while not [n for n in os.listdir(folder + "/runs") if n.endswith(".parquet")]:
        time.sleep(0.001)
    time.sleep(float(after))
    os.kill(os.getpid(), signal.SIGKILL)
os.makedirs(folder + "/runs", exist_ok=True)
threading.Thread(target=kill).start()
while True:
    write_some(folder, 0, 400)
"""


@pytest.mark.parametrize("after", [0.01, 0.1, 0.3])
def test_kill_9_while_writing_and_compacting(store, after):
    process = launch(sys.executable, "-c", KILLED, after, store.folder)
    assert process.wait() == -signal.SIGKILL
    seeds = sorted(store.runs()["seed"])
    assert seeds and seeds == list(range(len(seeds))) and not store.broken


# Weights


def test_weights_come_back(store):
    run = fake_run(SPECS[0])
    assert store.load_weights(SPECS[0]) is None
    store.save_weights(run)
    weights = again(store).load_weights(SPECS[0])
    assert weights.keys() == run.parameters.keys()
    for name, values in run.parameters.items():
        np.testing.assert_array_equal(weights[name], values)
        assert weights[name].dtype == np.float32


def test_weights_of_two_engines_are_two(store):
    run = fake_run(SPECS[0])
    other = {name: values + 1 for name, values in run.parameters.items()}
    store.save_weights(replace(run, parameters=other, engine="reference"))
    assert store.load_weights(SPECS[0], run.engine) is None
    store.save_weights(run)
    for engine, values in ((None, run), (run.engine, run), ("reference", None)):
        found = store.load_weights(SPECS[0], engine)
        expected = other if values is None else run.parameters
        assert all(np.array_equal(found[name], expected[name]) for name in expected)


def test_weights_of_a_gpu_are_not_a_processor_s(store):
    """A run that starts from either could not be repeated with the other."""
    run = replace(fake_run(SPECS[0]), device="an H100")
    store.save_weights(run)
    assert store.load_weights(SPECS[0], run.engine) is None
    assert store.load_weights(SPECS[0], run.engine, "an H100") is not None
    assert store.load_weights(SPECS[0], run.engine, "cuda") is not None
    assert store.load_weights(SPECS[0]) is not None  # whose it may be, nobody asks


def test_damaged_weights_are_none(store):
    path = store.save_weights(fake_run(SPECS[0]))
    data = path.read_bytes()
    for content in (b"", data[:100], data[:-30], data.replace(b"NUMPY", b"NUMPX")):
        path.write_bytes(content)
        assert store.load_weights(SPECS[0]) is None


def test_nothing_is_unpickled(store, tmp_path):
    path = store.save_weights(fake_run(SPECS[0]))
    np.save(tmp_path / "evil.npy", np.array([{"a": 1}], dtype=object), allow_pickle=True)
    with zipfile.ZipFile(path, "w") as archive:
        archive.write(tmp_path / "evil.npy", "W_E.npy")
    assert store.load_weights(SPECS[0]) is None


def test_a_folder_is_opened_only_where_that_can_be_done(tmp_path, monkeypatch):
    """On Windows it cannot, and each writing ended in a PermissionError."""
    system, opened = SimpleNamespace(**vars(os)), []
    system.name, system.open = "nt", lambda *args: opened.append(args)
    monkeypatch.setattr("lib.runs.files.os", system)
    publish(tmp_path / "new" / "file", b"whole")
    assert (tmp_path / "new" / "file").read_bytes() == b"whole" and not opened


def test_two_folders_of_runs_share_no_weights(tmp_path):
    """Runs of an edited model go into a folder of their own, with the keys of the others."""
    run = fake_run(RunSpec(modulus=5, d_model=4, train_size=10))
    ours, theirs = (Store(tmp_path / name, tmp_path / "cache") for name in ("results", "my-gelu"))
    theirs.save_weights(run)
    assert ours.load_weights(run.spec) is None and theirs.load_weights(run.spec)
    assert Store(tmp_path / "my-gelu", tmp_path / "cache").load_weights(run.spec) is not None
