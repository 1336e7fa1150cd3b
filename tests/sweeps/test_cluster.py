"""Sweeps on a Dask cluster: a scheduler and two workers, as processes of their own."""

import os
import signal

import processes
import pytest
from processes import Cluster, again, specs, wait_for

from lib.runs.store import Store


@pytest.fixture
def cluster(tmp_path, marks):
    cluster = Cluster(tmp_path / "dask", FAKE_MARKS=str(marks))
    yield cluster
    cluster.stop()


def bits(store):
    """Key -> digest; no run is there twice."""
    frame = again(store).runs(every=True)
    assert not frame["key"].duplicated().any()
    return dict(zip(frame["key"], frame["digest"], strict=True))


def test_the_same_bits_as_a_local_sweep(cluster, store, tmp_path):
    local = Store(tmp_path / "local", tmp_path / "cache")
    process = processes.sweep(store, 8, 60, "--dask", cluster.address)
    out, err = process.communicate()
    assert process.returncode == 0 and "8 runs trained and stored" in out, out + err
    assert ", 2 at once" in out and "Traceback" not in err
    process = processes.sweep(local, 8, 60)
    out, err = process.communicate()
    assert process.returncode == 0, err
    assert bits(store) == bits(local) and len(bits(store)) == 8


def test_a_killed_worker_costs_nothing_but_time(cluster, store, marks):
    process = processes.sweep(store, 12, 60, "--dask", cluster.address, trainer="slow")
    wait_for(lambda: len(list(marks.iterdir())) >= 4, process)
    processes.kill(cluster.workers[0])
    out, err = process.communicate()
    assert process.returncode == 0 and "12 runs trained" in out, out + err
    assert bits(store).keys() == {spec.key for spec in specs(12, 60)}
    assert len(list(marks.iterdir())) >= 7  # some of them twice


def test_a_killed_scheduler_is_said_and_the_same_command_goes_on(cluster, store, marks):
    process = processes.sweep(store, 12, 60, "--dask", cluster.address, trainer="slow")
    wait_for(lambda: len(again(store).keys()) >= 3, process)
    processes.kill(cluster.scheduler)
    out, err = process.communicate()
    assert process.returncode == 1, out + err
    assert "scheduler is gone" in err.splitlines()[-1] and "Traceback" not in err
    before = bits(store)
    assert 3 <= len(before) < 12
    cluster.stop()
    cluster.begin(1)
    out, err = processes.sweep(
        store, 12, 60, "--dask", cluster.address, trainer="train"
    ).communicate()
    assert len(bits(store)) == 12 and before.items() <= bits(store).items(), out + err


def test_ctrl_c_twice_takes_the_runs_back_from_the_cluster(cluster, store, marks):
    words = ["--dask", cluster.address]
    process = processes.sweep(store, 12, 60, *words, trainer="patient")
    wait_for(lambda: len(list(marks.iterdir())) == 2, process)
    for line in (None, "Ctrl-C again"):
        while line and line not in process.stderr.readline():
            pass
        os.killpg(process.pid, signal.SIGINT)
    out, err = process.communicate()
    assert process.returncode == 130 and "Traceback" not in err, out + err
    # The workers are free again at once: the endless runs have ended.
    process = processes.sweep(store, 4, 60, *words, trainer="train")
    out, err = process.communicate()
    assert process.returncode == 0, out + err


def test_an_address_where_nobody_listens(store):
    process = processes.sweep(store, 2, 60, "--dask", "tcp://127.0.0.1:9")
    out, err = process.communicate()
    assert process.returncode == 2, err
    assert err.splitlines() == ["error: no Dask scheduler answers at tcp://127.0.0.1:9"]
    assert not store.folder.exists()
