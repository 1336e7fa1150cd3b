"""Worker processes: each trains one run after another and stores it before it reports it."""

import contextlib
import multiprocessing
import os
import signal
import sys
import threading
import time
import types
from collections.abc import Callable, Iterator
from multiprocessing import resource_tracker
from multiprocessing.connection import wait
from pathlib import Path
from typing import Any

from lib.runs.checkpoints import Checkpoints
from lib.runs.store import Store
from lib.spec import RunSpec
from lib.sweeps.weights import start_of


@contextlib.contextmanager
def on_their_own() -> Iterator[None]:
    """Processes started in here neither see Ctrl-C nor run their parent's script again.

    Ctrl-C is the parent's to handle.  It is blocked here, which children inherit, because a
    child could be interrupted before it came to ignoring it; the parent gets it at the end.
    The script is hidden because a spawned process would import it: a script that calls
    `sweep` without a `__main__` guard would never come to an end.
    """
    posix = os.name == "posix"  # elsewhere nothing can be blocked, and a child may be interrupted
    if posix:
        resource_tracker.ensure_running()  # multiprocessing's helper; starting it unblocks Ctrl-C
        before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    script, sys.modules["__main__"] = sys.modules["__main__"], types.ModuleType("__main__")
    try:
        yield
    finally:
        sys.modules["__main__"] = script
        if posix:
            signal.pthread_sigmask(signal.SIG_SETMASK, before)


class Worker:
    """A worker process, seen from its parent.

    Attributes:
        spec: the run in flight, or None.
        part: how much of its epochs is done, 0 to 1.
    """

    def __init__(self, settings: tuple):
        # spawn: a fork would copy locks of Numba's and Arrow's threads in unknown states
        context = multiprocessing.get_context("spawn")
        self.spec: RunSpec | None = None
        self.part = 0.0
        self._connection, theirs = context.Pipe()
        self._process = context.Process(target=_work, args=(theirs, *settings), daemon=True)
        with on_their_own():
            self._process.start()
        theirs.close()  # so that the worker's end of the pipe closes when it dies

    def fileno(self) -> int:
        """For `multiprocessing.connection.wait`."""
        return self._connection.fileno()

    def begin(self, spec: RunSpec) -> None:
        """Hand it a run."""
        self.spec, self.part = spec, 0.0
        with contextlib.suppress(OSError):  # dead: `receive` will say so
            self._connection.send(spec)

    def receive(self) -> tuple[str, Any]:
        """Wait for its next message, a kind and a value.

        ("progress", part of the epochs), ("done", (file name, seconds, status, final
        values)), ("failed", why), ("fatal", why) or ("died", exit code).
        """
        try:
            return self._connection.recv()
        except (EOFError, OSError):
            self._process.join()
            return "died", self._process.exitcode

    def stop(self) -> None:
        """End the process, at once if it is training."""
        if self.spec is None:
            with contextlib.suppress(OSError):
                self._connection.send(None)
            self._process.join(timeout=5)
        self._process.kill()
        self._process.join()
        self._connection.close()


class Crew:
    """Worker processes on this machine.  A crew on a cluster is `lib.sweeps.cluster.Crew`.

    Attributes:
        jobs: runs at once.
    """

    def __init__(self, jobs: int, settings: tuple):
        self.jobs, self._settings = jobs, settings
        self._workers: list[Worker] = []
        for _ in range(jobs):
            self._workers.append(Worker(settings))

    @property
    def flying(self) -> dict[RunSpec, float]:
        """The runs in flight, with the part of its epochs that each has done, 0 to 1."""
        return {worker.spec: worker.part for worker in self._workers if worker.spec}

    def room(self) -> int:
        """How many runs may begin now."""
        return sum(worker.spec is None for worker in self._workers)

    def begin(self, spec: RunSpec) -> None:
        """Start a run where there is room."""
        next(worker for worker in self._workers if worker.spec is None).begin(spec)

    def events(self, timeout: float) -> list[tuple[RunSpec, str, Any]]:
        """What happened: runs with kind and value as of `Worker.receive`, progress left out.

        Returns after `timeout` seconds at the latest: a signal alone does not end a wait.
        """
        happened = []
        for worker in wait([worker for worker in self._workers if worker.spec], timeout):
            kind, value = worker.receive()
            if kind == "progress":
                worker.part = value
                continue
            happened.append((worker.spec, kind, value))
            worker.spec = None
            if kind == "died":
                worker.stop()
                self._workers[self._workers.index(worker)] = Worker(self._settings)
        return happened

    def stop(self) -> None:
        """End all processes, at once where they are training."""
        for worker in self._workers:
            worker.stop()


def _work(
    connection, folder: Path, cache: Path, threads: int, nice: bool, train: Callable | None,
    how: dict | None,
) -> None:  # fmt: skip
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    end_with_parent()
    if nice and hasattr(os, "nice"):  # not on Windows
        os.nice(10)
    store = Store(folder, cache)
    with contextlib.suppress(EOFError, BrokenPipeError):  # the parent is gone
        while (spec := connection.recv()) is not None:
            connection.send(_train(spec, store, threads, train, connection.send, how))


def end_with_parent() -> None:
    """A parent that is killed cannot stop its workers; each watches for itself."""

    def watch():
        multiprocessing.parent_process().join()
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()


def _train(
    spec: RunSpec, store: Store, threads: int, train: Callable | None, send: Callable,
    how: dict | None = None,
) -> tuple[str, Any]:  # fmt: skip
    start, states, more, how = time.monotonic(), Checkpoints(store.own), {}, how or {}
    waits = []  # for a parent that another process trains
    try:
        if train is None:
            from lib.train import train

            more = dict(checkpoints=states, **how)

        def tell(progress):
            send(("progress", progress.epoch / progress.epochs))

        more |= start_of(spec, store, train, threads, how, waits.append, more.get("checkpoints"))
        run = train(spec, threads=threads, on_progress=tell, **more)
    except BrokenPipeError:
        raise
    except Exception as error:
        return "failed", f"{type(error).__name__}: {error}".splitlines()[0]
    try:
        name = store.add(run).name
    except OSError as error:
        return "fatal", f"cannot write to {store.folder}: {error.strerror or error}"
    with contextlib.suppress(Exception):  # the run is stored, whatever befalls the cache
        store.save_weights(run)
        states.remove(spec)
    here = time.monotonic() - start - sum(waits)
    took = max(here, run.wall_seconds)  # before its checkpoint, too
    return "done", (name, took, run.status, final(run))


def final(run) -> dict[str, float]:
    """What is said of a run when it is done."""
    return {key: float(run.curve[key][-1]) for key in ("epoch", "train_accuracy", "val_accuracy")}
