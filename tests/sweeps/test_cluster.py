"""Sweeps on a Dask cluster: a scheduler and two workers, as processes of their own."""

import functools
import os
import platform
import re
import shutil
import signal
import subprocess
import sys
import threading
from types import SimpleNamespace

import fake_train
import processes
import psutil
import pytest
from click.testing import CliRunner
from made_up import fake_run
from processes import again, specs, wait_for

import lib.cli.main
from lib.runs import shard
from lib.runs.store import Store
from lib.sweeps import cluster as cluster_module
from lib.sweeps.sweep import sweep

pytestmark = pytest.mark.xdist_group("cluster")  # the tests share one, and disturb it in turn


@pytest.fixture(scope="module")
def started(tmp_path_factory):
    """A cluster, and where its stand-in trainers leave their marks."""
    folder = tmp_path_factory.mktemp("dask")
    (folder / "marks").mkdir()
    started = processes.Cluster(folder, FAKE_MARKS=str(folder / "marks"))
    yield started, folder / "marks"
    started.stop()


@pytest.fixture
def cluster(started):
    return started[0]


@pytest.fixture
def marks(started):
    for mark in started[1].iterdir():
        mark.unlink()
    return started[1]


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


def test_what_comes_from_a_cluster_lies_where_all_runs_lie(store):
    spec = specs(2, 60)[0]
    crew = cluster_module.Crew(client=None, store=store)
    what, (name,) = crew._keep(shard.encode(shard.table([fake_run(spec)])))
    assert what == "done" and (store.runs_folder / name).exists()
    assert store.keys() == {spec.key}


def test_ctrl_c_twice_takes_the_runs_back_from_the_cluster(cluster, store, marks):
    words = ["--dask", cluster.address]
    process = processes.sweep(store, 12, 60, *words, trainer="patient")
    wait_for(lambda: len(list(marks.iterdir())) == 2, process)
    for line in (None, "Ctrl-C again"):
        assert line is None or any(line in said for said in process.stderr)
        os.killpg(process.pid, signal.SIGINT)
    out, err = process.communicate()
    assert process.returncode == 130 and "Traceback" not in err, out + err
    # The workers are free again at once: the endless runs have ended.
    process = processes.sweep(store, 4, 60, *words, trainer="train")
    out, err = process.communicate()
    assert process.returncode == 0, out + err


def test_a_killed_worker_costs_nothing_but_time(cluster, store, marks):
    process = processes.sweep(store, 12, 60, "--dask", cluster.address, trainer="slow")
    wait_for(lambda: len(list(marks.iterdir())) >= 4, process)
    mine = f"*-{cluster.workers[0].pid}-*"
    before = len(list(marks.glob(mine)))
    wait_for(lambda: len(list(marks.glob(mine))) > before, process)  # it has just begun one
    processes.kill(cluster.workers[0])
    out, err = process.communicate()
    assert process.returncode == 0 and "12 runs trained" in out, out + err
    assert bits(store).keys() == {spec.key for spec in specs(12, 60)}
    assert len(list(marks.iterdir())) > 12  # that one twice


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


def test_an_address_where_nobody_listens(store, monkeypatch):
    monkeypatch.setattr(cluster_module, "PATIENCE", 0.5)
    words = ["sweep", "figure2", "--dask", "tcp://127.0.0.1:9", "--results", str(store.folder)]
    result = CliRunner().invoke(lib.cli.main.main, words)
    assert result.exit_code == 2
    assert result.stderr == "error: no Dask scheduler answers at tcp://127.0.0.1:9\n"
    assert not store.folder.exists()


def test_a_worker_of_another_version_trains_nothing():
    """Its run would be stored under a key that is not its own."""
    (spec,) = processes.tiny(0)
    with pytest.raises(cluster_module.ClusterError, match="another version"):
        cluster_module.train_there(spec.to_dict(), spec.replace(seed=1).key, fake_train.train)


@pytest.mark.parametrize("change", [dict(a_later_field=1), dict(norm="a later word")])
def test_a_worker_that_does_not_know_a_field_is_named(change):
    (spec,) = processes.tiny(0)
    with pytest.raises(cluster_module.ClusterError, match=f"on {platform.node()} has another"):
        cluster_module.train_there(spec.to_dict() | change, spec.key, fake_train.train)


@pytest.mark.parametrize("error", [cluster_module.ClusterError("another version"), ImportError()])
def test_a_late_worker_that_cannot_train_does_not_eat_the_queue(store, error):
    """It would refuse run after run in no time, while the others train."""
    futures = []

    class Future:
        def __init__(self, function, *work, pure):
            self.work, self.number = work, len(futures)
            futures.append(self)

        def result(self):
            if self.number >= 3:
                raise error
            return cluster_module.train_there(*self.work)

        def add_done_callback(self, ready):
            threading.Timer(0.01, ready, [self]).start()

    client = SimpleNamespace(
        status="running", nthreads=lambda: {"a": 1}, submit=Future, cancel=lambda *a, **k: None
    )
    specs = processes.tiny(*range(50))
    crew = functools.partial(cluster_module.Crew, client, store, lambda spec, **_: fake_run(spec))
    report = sweep(specs, store, rate=processes.rate, crew=crew, progress=False)
    assert (report.done, report.left, report.failed) == (3, 47, [])
    assert "finished runs are kept" in report.fatal and len(futures) == 4


def test_a_cluster_that_cannot_train_is_told_in_one_line():
    def gather(work):
        raise ModuleNotFoundError("No module named 'lib'\nat all")

    client = SimpleNamespace(nthreads=dict, submit=lambda *a, **k: None, gather=gather)
    with pytest.raises(cluster_module.ClusterError, match="no workers yet"):
        cluster_module.machine_rate(client, [8])
    client.nthreads = lambda: {"tcp://a": 2}
    with pytest.raises(cluster_module.ClusterError, match="PYTHONPATH.*No module") as error:
        cluster_module.machine_rate(client, [8])
    assert "\n" not in str(error.value)


def ports(*processes):
    """The addresses at which some processes, and those that they started, listen."""
    everyone = [q for p in processes for q in (p, *p.children(recursive=True))]
    connections = [c for process in everyone for c in process.net_connections()]
    return {c.laddr for c in connections if c.status == psutil.CONN_LISTEN}


def commands_of_the_page(start):
    """The lines of the page's first block that begins with this word, without what follows &."""
    page = (processes.ROOT / "book" / "cluster.md").read_text()
    block = next(b for b in re.findall("```bash\n(.*?)```", page, re.DOTALL) if start in b)
    return [line.strip() for line in block.replace("\\\n", " ").splitlines()]


def test_the_pages_own_commands_open_no_port_to_others(tmp_path):
    """As the reader types them, on another port."""
    port = processes.free_port()
    lines = commands_of_the_page("dask scheduler --host 127.0.0.1")
    starts = [line.rstrip("&").split() for line in lines if line.startswith("dask ")]
    assert len(starts) == 2
    starts[0] += ["--port", str(port)]
    starts[1] += ["--local-directory", str(tmp_path)]
    code = "from dask.__main__ import main; main()"
    begun = []
    try:
        for words in starts:
            words = [word.replace("8786", str(port)) for word in words[1:]]
            begun.append(processes.launch(sys.executable, "-c", code, *words))
        with cluster_module.connect(f"tcp://127.0.0.1:{port}") as client:
            client.wait_for_workers(2, timeout=60)
            there = ports(*(psutil.Process(process.pid) for process in begun))
            assert len(there) >= 6 and {address.ip for address in there} == {"127.0.0.1"}
    finally:
        for process in begun:
            processes.kill(process)


@pytest.mark.skipif(not shutil.which("openssl"), reason="needs openssl")
def test_tls_as_the_page_has_it(tmp_path, monkeypatch):
    """The page's certificate and variables; who has none is turned away, and soon gives up."""
    monkeypatch.chdir(tmp_path)
    (certificate,) = commands_of_the_page("openssl")
    variables = "\n".join(commands_of_the_page("TLS=DASK")[:-1])
    out = subprocess.run(
        ["bash", "-c", f"{certificate} && {variables}\nenv"],
        capture_output=True, text=True, check=True,
    ).stdout  # fmt: skip
    environment = dict(line.split("=", 1) for line in out.splitlines() if line.startswith("DASK_"))
    assert len(environment) == 8
    begun = processes.Cluster(tmp_path / "dask", 1, scheme="tls", **environment)
    try:
        for known, code in ((environment, 0), (dict(PATIENCE="2"), 2)):
            process = processes.sweep(
                Store(tmp_path / f"results{code}", tmp_path / "cache"),
                *(2, 60, "--dask", begun.address),
                trainer="train",
                **known,
            )
            out, err = process.communicate()
            assert process.returncode == code and "Traceback" not in err, out + err
            if code:
                assert err.startswith("error: no Dask scheduler answers")
    finally:
        begun.stop()
