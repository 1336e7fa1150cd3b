"""The sweep command and a Dask cluster as real processes, for tests that kill them.

    python tests/support/processes.py COUNT EPOCHS TRAINER sweep tiny …

is `python -m lib sweep tiny …` on COUNT small runs of EPOCHS epochs, trained by
`fake_train.TRAINER` ("" for the real trainer).
"""

import contextlib
import functools
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from unittest import mock

import psutil
from click.testing import CliRunner

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
if __name__ == "__main__":
    sys.path.insert(0, str(ROOT))

from made_up import fake_run  # noqa: E402

from lib.paper.grid import Grid  # noqa: E402
from lib.runs.store import Store  # noqa: E402
from lib.spec import RunSpec  # noqa: E402
from lib.sweeps.cluster import connect  # noqa: E402
from lib.sweeps.workers import _train  # noqa: E402


def specs(count, epochs):
    """Real runs, of about 3 ms per 60 epochs."""
    base = RunSpec(modulus=7, train_size=30, d_model=8, epochs=epochs, n_evals=12)
    return Grid("tiny", "", base, {"train_size": (20, 30)}).specs(range(count // 2))


def tiny(*seeds, **fields):
    """Specs of the smallest run, for the stand-in trainers."""
    base = dict(modulus=5, train_size=10, d_model=4, epochs=20, n_evals=5) | fields
    return [RunSpec(**base, seed=seed) for seed in seeds]


def rate(width):
    """A speed that nobody measured, in operations a second."""
    return 1e9


def write_some(folder, first, count):
    """Store made-up runs of some seeds one by one, and merge the files now and then."""
    store = Store(folder)
    for seed in range(first, first + count):
        store.add(fake_run(RunSpec(epochs=50, n_evals=5, seed=seed)))
        if seed % 5 == 4:
            store.compact()


def launch(*words, log=subprocess.DEVNULL, before=None, **environment):
    """A process with this project and the stand-in trainers on its path."""
    environment["PYTHONPATH"] = os.pathsep.join([str(HERE), str(ROOT)])
    return subprocess.Popen(
        list(map(str, words)),
        cwd=ROOT,
        env=os.environ | environment,
        stdout=log,
        stderr=log,
        text=True,
        start_new_session=True,  # so that Ctrl-C can be sent to the whole group, as a shell does
        preexec_fn=before,
    )


def sweep(store, count, epochs, *words, trainer="", before=None, **environment):
    """The sweep command, started."""
    environment |= dict(GROKKING_RESULTS=str(store.folder), GROKKING_CACHE=str(store.cache))
    words = [HERE / "processes.py", count, epochs, trainer, "sweep", "tiny", *words]
    return launch(sys.executable, *words, log=subprocess.PIPE, before=before, **environment)


def again(store):
    """The same folder as another process would see it."""
    return Store(store.folder, store.cache)


def kill(process):
    """Kill -9 of a process with all that it started."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def wait_for(condition, process=None):
    """Poll until it holds; a test that hangs is the runner's to end."""
    while not condition():
        assert process is None or process.poll() is None, process.communicate()
        time.sleep(0.01)


def gone(pid):
    """Whether a process has ended, even if its parent has not asked yet."""
    try:
        return psutil.Process(pid).status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


def free_port():
    """A port of this machine that is free now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


# Even without a dashboard Dask serves HTTP, on every interface unless told otherwise.
QUIET = ("--no-dashboard", "--dashboard-address", "127.0.0.1:0")


class Cluster:
    """A Dask scheduler and some workers of one thread each, on this machine."""

    def __init__(self, folder, workers=2, scheme="tcp", **environment):
        self.address = f"{scheme}://127.0.0.1:{free_port()}"
        self.folder, self.environment, self.workers = folder, environment, []
        self.begin(workers)

    def begin(self, workers):
        self.scheduler = self._dask("scheduler", "--host", self.address, *QUIET)
        self.add_workers(workers)

    def add_workers(self, count):
        words = ["--host", "127.0.0.1", "--nthreads", "1", "--no-nanny", *QUIET]
        words += ["--memory-limit", "0"]
        words += ["--local-directory", self.folder, "--death-timeout", "60"]
        self.workers += [self._dask("worker", self.address, *words) for _ in range(count)]
        with self._as_there(), connect(self.address) as client:
            client.wait_for_workers(len(self.workers), timeout=60)

    @contextlib.contextmanager
    def _as_there(self):
        """This process with the variables, and so the certificates, of those of the cluster."""
        import dask  # a sweep's process, which imports this file too, does without

        with (
            mock.patch.dict(os.environ, self.environment),
            mock.patch("lib.sweeps.cluster.PATIENCE", 60),
        ):
            dask.config.refresh()
            yield
        dask.config.refresh()

    def _dask(self, *words):
        code = "from dask.__main__ import main; main()"
        return launch(sys.executable, "-c", code, *words, **self.environment)

    def stop(self):
        for process in (*self.workers, self.scheduler):
            kill(process)
        self.workers = []


class Here:
    """A crew of `lib.sweeps.sweep` without processes: each run is trained where it is begun."""

    jobs = 1

    def __init__(self, store, train=None):
        self._store, self._train, self._ended = store, train, []

    @property
    def flying(self):
        return {spec: 1.0 for spec, *_ in self._ended}

    def room(self):
        return 0 if self._ended else 1

    def begin(self, spec):
        kind, value = _train(spec, self._store, 1, self._train, lambda message: None)
        self._ended.append((spec, kind, value))

    def events(self, timeout):
        ended, self._ended = self._ended, []
        return ended

    def stop(self):
        pass


def sweep_here(store, count, epochs):
    """The sweep command in this process: its exit code, and all that it said."""
    import lib.cli.main
    import lib.cli.sweep

    train_missing = lib.cli.sweep.train_missing
    here = functools.partial(train_missing, crew=lambda: Here(store))
    environment = dict(GROKKING_RESULTS=str(store.folder), GROKKING_CACHE=str(store.cache))
    with (
        mock.patch.dict(os.environ, environment),
        mock.patch("lib.cli.sweep.EXPERIMENTS", experiments(count, epochs)),
        mock.patch("lib.cli.options.EXPERIMENTS", experiments(count, epochs)),
        mock.patch("lib.cli.options.machine_rate", lambda *args, **kwargs: rate),
        mock.patch("lib.cli.sweep.train_missing", here),
        mock.patch("lib.cli.sweep._needed", lambda: ()),  # as below
    ):
        result = CliRunner().invoke(lib.cli.main.main, ["sweep", "tiny"])
    return result.exit_code, result.output


def experiments(count, epochs):
    """The experiments that the commands here know."""

    class Tiny(Grid):
        def specs(self, seeds=None):
            return specs(int(count), int(epochs))

    return {"tiny": Tiny("tiny", "", RunSpec())}


def main(count, epochs, trainer, *words):
    import fake_train

    import lib.cli.main
    import lib.cli.options
    import lib.cli.sweep
    from lib.sweeps import cluster

    lib.cli.sweep.EXPERIMENTS = lib.cli.options.EXPERIMENTS = experiments(count, epochs)
    lib.cli.options.machine_rate = lambda *args, **kwargs: rate
    lib.cli.sweep._needed = lambda: ()  # takes a second, and no claim needs these runs
    cluster.PATIENCE = float(os.environ.get("PATIENCE", cluster.PATIENCE))
    if trainer:
        train = getattr(fake_train, trainer)
        if train is fake_train.in_the_past:
            fake_train.set_clock_back()
        lib.cli.sweep.train_missing = functools.partial(lib.cli.sweep.train_missing, train=train)
        cluster.Crew = functools.partial(cluster.Crew, train=train)
        cluster.machine_rate = lambda client, widths: rate
    lib.cli.main.main(words)


if __name__ == "__main__":
    main(*sys.argv[1:])
