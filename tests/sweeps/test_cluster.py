"""Sweeps on a Dask cluster: a scheduler and two workers, as processes of their own."""

import os
import re
import shutil
import signal
import subprocess
import sys

import processes
import psutil
import pytest
from made_up import fake_run
from processes import Cluster, again, specs, wait_for

from lib.runs import shard
from lib.runs.store import Store
from lib.sweeps import cluster as cluster_module


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


def test_what_comes_from_a_cluster_lies_where_all_runs_lie(store):
    spec = specs(2, 60)[0]
    crew = cluster_module.Crew(client=None, store=store)
    what, (name,) = crew._keep(shard.encode(shard.table([fake_run(spec)])))
    assert what == "done" and (store.runs_folder / name).exists()
    assert store.keys() == {spec.key}


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


def ports(*processes):
    """The addresses at which some processes, and those that they started, listen."""
    everyone = [q for p in processes for q in (p, *p.children(recursive=True))]
    connections = [c for process in everyone for c in process.net_connections()]
    return {c.laddr for c in connections if c.status == psutil.CONN_LISTEN}


def test_no_port_is_open_to_others(cluster):
    there = ports(*(psutil.Process(p.pid) for p in (cluster.scheduler, *cluster.workers)))
    assert len(there) >= 3 and {address.ip for address in there} == {"127.0.0.1"}


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
    """The page's certificate and variables; who has none is turned away."""
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
        for known, code in ((environment, 0), ({}, 2)):
            process = processes.sweep(
                Store(tmp_path / f"results{code}", tmp_path / "cache"),
                *(2, 60, "--dask", begun.address),
                **known,
            )
            out, err = process.communicate()
            assert process.returncode == code and "Traceback" not in err, out + err
            if code:
                assert err.startswith("error: no Dask scheduler answers")
    finally:
        begun.stop()
