"""What can happen to a sweep, done to real sweeps: `make faults`.

Each fault is a function that disturbs sweeps of small real runs and audits what is left.
The table says what matters: finished runs lost, runs there twice, bits that differ from an
undisturbed sweep.  A message or an exit code that is not as it should be raises.
"""

import contextlib
import os
import random
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import click

if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

import numpy as np
from processes import Cluster, again, kill, specs, sweep, sweep_here, wait_for

from lib.runs import shard
from lib.runs.store import Store
from lib.train import train

COUNT, FEW, EPOCHS = 100, 40, 300  # about 5 ms a run, and 20 to keep it
LONG = 30_000  # epochs of a run that takes about half a second


@dataclass
class Row:
    """A fault and what it did, over all times that it was tried."""

    fault: str
    tried: int = 0
    lost: int = 0
    duplicated: int = 0
    differing: int = 0

    def audit(self, store, wanted, finished=frozenset()):
        """Count what is wrong with a store that should hold exactly these runs, once each.

        Args:
            wanted: specs of an experiment that a later sweep completed.
            finished: keys of runs that had been seen finished before.
        """
        frame = again(store).runs(every=True)
        keys = {spec.key for spec in wanted}
        self.lost += len((keys | set(finished)) - set(frame["key"]))
        self.duplicated += int(frame["key"].duplicated().sum())
        truth = undisturbed(wanted)
        curves = {key: curve for key, curve in again(store).curves().groupby("key")}
        for key, digest in zip(frame["key"], frame["digest"], strict=True):
            same = digest == truth[key][0] and len(curves[key]) == len(truth[key][1]["epoch"])
            for name, values in truth[key][1].items():
                same = same and np.array_equal(curves[key][name], values, equal_nan=True)
            self.differing += not same


_TRUTH: dict = {}


def undisturbed(wanted):
    """Key -> digest and stored curve of these runs, trained here without any sweep."""
    for spec in wanted:
        if spec.key not in _TRUTH:
            run = train(spec)
            row = shard.table([run]).to_pylist()[0]
            curve = {name: np.array(row[f"curve_{name}"]) for name in shard.CURVE}
            _TRUTH[spec.key] = run.digest, curve
    return _TRUTH


def ends(process, code, *words):
    """The process ends with this exit code and these words, without a traceback."""
    out, err = process.communicate()
    told = out + err
    assert process.returncode == code, f"exit code {process.returncode}, not {code}: {told}"
    assert "Traceback" not in told, told
    for word in words:
        assert word in told, f"no {word!r} in: {told}"
    return told


def running(group):
    """Whether a process of the group is left."""
    try:
        os.killpg(group, 0)
    except ProcessLookupError:
        return False
    return True


def complete(store, count=COUNT, epochs=EPOCHS, *words, code=0):
    """The same command once more, undisturbed: in this process, but on a cluster."""
    if words:
        return ends(sweep(store, count, epochs, *words), code)
    ended, told = sweep_here(again(store), count, epochs)
    assert ended == code and "Traceback" not in told, (ended, told)
    return told


def files(store):
    return list(store.runs_folder.glob("*.parquet"))


# The faults: each gets a folder, how often it shall happen, and its row


def killed(folder, times, row, group):
    """Kill -9 of the sweep (or of all its processes) at random moments while it writes."""
    rng, store = random.Random(times + group), None
    while row.tried < times:
        if store is None:
            store = Store(folder / f"{group}{row.tried}", folder / "cache")
        before = len(files(store))
        process = sweep(store, COUNT, EPOCHS)
        while len(files(store)) == before and process.poll() is None:
            time.sleep(0.01)
        time.sleep(rng.uniform(0, 0.5))
        kill(process) if group else process.kill()
        _, err = process.communicate()
        # Each line "[12/100] add d=8 D=20 seed=5: finished …" is a promise.
        said = {line.split("] ")[1].split(": ")[0] for line in err.splitlines() if "] add" in line}
        time.sleep(0.1)  # workers notice that their parent has gone
        stored = again(store)
        labels = {spec.label() for spec in specs(COUNT, EPOCHS) if spec.key in stored.keys()}
        row.lost += len(said - labels)
        row.tried += 1
        if len(labels) > 0.8 * COUNT or row.tried == times:
            complete(store)
            row.audit(store, specs(COUNT, EPOCHS), stored.keys())
            store = None


def kill_sweep(folder, times, row):
    killed(folder, times, row, group=False)


def kill_everything(folder, times, row):
    killed(folder, times, row, group=True)


def _with_cluster(folder, disturb, row):
    """A sweep of a dozen runs of about half a second on a Dask cluster, disturbed after three."""
    store, wanted = Store(folder / "results", folder / "cache"), specs(12, LONG)
    cluster = Cluster(folder / "dask")
    try:
        process = sweep(store, 12, LONG, "--dask", cluster.address)
        wait_for(lambda: len(again(store).keys()) >= 3, process)
        time.sleep(random.Random(row.tried).uniform(0, 0.5))
        finished = again(store).keys()
        disturb(cluster, process, store)
        row.tried += 1
        row.audit(store, wanted, finished)
    finally:
        cluster.stop()


def kill_dask_worker(folder, times, row):
    def disturb(cluster, process, store):
        kill(cluster.workers[0])
        ends(process, 0, "12 runs trained and stored")

    for n in range(times):
        _with_cluster(folder / str(n), disturb, row)


def kill_dask_scheduler(folder, times, row):
    def disturb(cluster, process, store):
        kill(cluster.scheduler)
        ends(process, 1, "error: the Dask scheduler is gone")
        cluster.stop()
        cluster.begin(2)
        complete(store, 12, LONG, "--dask", cluster.address)

    for n in range(times):
        _with_cluster(folder / str(n), disturb, row)


def kill_dask_sweep(folder, times, row):
    def disturb(cluster, process, store):
        kill(process)
        complete(store, 12, LONG, "--dask", cluster.address)

    for n in range(times):
        _with_cluster(folder / str(n), disturb, row)


@contextlib.contextmanager
def small_disk(folder, size):
    """A file system of its own, or None where this user may not mount one."""
    folder.mkdir(parents=True)
    command = ["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(folder)]
    try:
        made = subprocess.run(command, capture_output=True).returncode == 0
    except FileNotFoundError:
        made = False

    def remount(how):
        subprocess.run(["mount", "-o", f"remount,{how}", folder], check=True)

    try:
        yield remount if made else None
    finally:
        if made:
            subprocess.run(["umount", "-l", str(folder)], check=True)


def full_disk(folder, times, row):
    """A disk of some 100 KB; where none can be mounted, a limit on the size of files."""
    for n in range(times):
        with small_disk(folder / str(n), f"{80 + 20 * n}k") as remount:
            store = Store(folder / str(n) / "results", folder / "cache")

            def limit(size=9_000 + 500 * n):  # what a run takes, and not what 50 runs take
                resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))

            process = sweep(store, COUNT, EPOCHS, before=None if remount else limit)
            if remount:
                ends(process, 1, "cannot write to", "No space left on device")
            else:
                process.communicate()
            finished = again(store).keys()
            row.tried += 1
            if remount:
                assert 0 < len(finished) < COUNT, len(finished)
                remount("size=100m")
            complete(store)
            row.audit(store, specs(COUNT, EPOCHS), finished)


def file_size_limit(folder, times, row):
    """No file may be larger than a probe: RLIMIT_FSIZE, the full disk of a quota."""
    for n in range(times):
        store = Store(folder / str(n) / "results", folder / "cache")
        complete(store, 20)
        finished = again(store).keys()

        def limit(size=10 * (n + 1)):
            resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))

        process = sweep(store, FEW, EPOCHS, before=limit)
        ends(process, 1, "File too large")
        row.tried += 1
        complete(store, FEW)
        row.audit(store, specs(FEW, EPOCHS), finished)


def read_only(folder, times, row):
    for n in range(times):
        with small_disk(folder / str(n), "100m") as remount:
            store = Store(folder / str(n) / "results", folder / "cache")
            complete(store, 20)
            finished = again(store).keys()
            if remount:
                remount("ro")
                ends(sweep(store, FEW, EPOCHS), 1, "error: Read-only file system")
                remount("rw")
            elif os.getuid():
                store.runs_folder.chmod(0o555)
                ends(sweep(store, FEW, EPOCHS), 2, "error: Permission denied")
                store.runs_folder.chmod(0o755)
            else:  # modes do not bind root
                return
            row.tried += 1
            complete(store, FEW)
            row.audit(store, specs(FEW, EPOCHS), finished)


def damaged(folder, times, row, damage):
    """A damaged file is named, costs exit code 2 and its runs, which are trained again."""
    rng = random.Random(times)
    store = Store(folder / "results", folder / "cache")
    complete(store, FEW)
    for _ in range(times):
        path = rng.choice(files(store))
        path.write_bytes(damage(bytearray(path.read_bytes()), rng))
        told = complete(store, FEW, code=2)
        assert path.name in told and "broken" in told, told
        row.tried += 1
        path.unlink()
        complete(store, FEW)
        row.audit(store, specs(FEW, EPOCHS))


def truncated_file(folder, times, row):
    damaged(folder, times, row, lambda data, rng: data[: rng.randrange(len(data))])


def flipped_bit(folder, times, row):
    def flip(data, rng):
        data[rng.randrange(len(data))] ^= 1 << rng.randrange(8)
        return data

    damaged(folder, times, row, flip)


def two_sweeps(folder, times, row):
    """Together they train each run once."""
    for n in range(times):
        store = Store(folder / str(n), folder / "cache")
        processes = [sweep(store, COUNT, EPOCHS, "--jobs", "1") for _ in range(2)]
        for process in processes:
            ends(process, 0)
        row.tried += 1
        row.audit(store, specs(COUNT, EPOCHS))


def clock_jumps_back(folder, times, row):
    """The wall clock goes back by an hour each time that it is read."""
    for n in range(times):
        store = Store(folder / str(n), folder / "cache")
        told = ends(sweep(store, 60, EPOCHS, trainer="in_the_past"), 0, "60 runs trained")
        assert "-" not in told.split("stored in ")[1].split("(")[0], told  # no negative duration
        stamps = again(store).runs()["timestamp"]
        assert (stamps.max() - stamps.min()).total_seconds() > 3600, "the clock did not jump"
        row.tried += 1
        row.audit(store, specs(60, EPOCHS))


def ctrl_c(folder, times, row, count):
    rng = random.Random(times)
    for n in range(times):
        store = Store(folder / str(n), folder / "cache")
        process = sweep(store, 6, LONG)
        while len(files(store)) < 2 and process.poll() is None:
            time.sleep(0.01)
        time.sleep(rng.uniform(0, 0.3))
        finished = again(store).keys()
        os.killpg(process.pid, signal.SIGINT)
        if count == 2:
            assert any("Ctrl-C again" in line for line in process.stderr)
            os.killpg(process.pid, signal.SIGINT)
        told = ends(process, 130, "error: interrupted")
        while running(process.pid):
            time.sleep(0.01)
        if count == 1:  # what it says that it stored is there
            assert f"{len(again(store).keys())} runs trained" in told, told
        row.tried += 1
        complete(store, 6, LONG)
        row.audit(store, specs(6, LONG), finished)


def ctrl_c_once(folder, times, row):
    ctrl_c(folder, times, row, 1)


def ctrl_c_twice(folder, times, row):
    ctrl_c(folder, times, row, 2)


FAULTS = {  # what it is called: function, times by default, times in the tests (0: others do it)
    "kill -9 of the sweep": (kill_sweep, 30, 0),
    "kill -9 of the sweep and its workers": (kill_everything, 30, 1),
    "kill -9 of a Dask worker": (kill_dask_worker, 3, 0),
    "kill -9 of the Dask scheduler": (kill_dask_scheduler, 3, 0),
    "kill -9 of the sweep on Dask": (kill_dask_sweep, 2, 0),
    "full disk": (full_disk, 4, 1),
    "limit on the size of a file": (file_size_limit, 2, 1),
    "read-only results folder": (read_only, 2, 1),
    "truncated file": (truncated_file, 5, 1),
    "flipped bit": (flipped_bit, 5, 1),
    "two sweeps at once": (two_sweeps, 5, 0),
    "clock that jumps back": (clock_jumps_back, 3, 1),
    "Ctrl-C once": (ctrl_c_once, 3, 1),
    "Ctrl-C twice": (ctrl_c_twice, 3, 1),
}


def try_fault(name, times, folder):
    """The row of one fault.  Its folder is removed at the end."""
    row = Row(name)
    try:
        FAULTS[name][0](folder, times, row)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    return row


@click.command()
@click.option("--only", help="Faults whose name holds this text.")
@click.option("--times", type=int, help="Times that each is tried.")
def main(only, times):
    """Try every fault; exit code 1 if anything was lost, doubled or changed."""
    line = "| {:<37} | {:>5} | {:>18} | {:>10} | {:>14} |".format
    click.echo(line("Fault", "Tried", "Finished runs lost", "Duplicated", "Differing bits"))
    click.echo(line(":" + "-" * 36, *("-" * (n - 1) + ":" for n in (5, 18, 10, 14))))
    bad = 0
    for name, (_, usual, _) in FAULTS.items():
        if not only or only in name:
            folder = Path(tempfile.mkdtemp(prefix="faults-"))
            row = try_fault(name, times or usual, folder)
            click.echo(line(row.fault, row.tried, row.lost, row.duplicated, row.differing))
            bad += row.lost + row.duplicated + row.differing
    sys.exit(1 if bad else 0)


if __name__ == "__main__":
    main()
