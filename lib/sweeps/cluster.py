"""Runs on a Dask cluster: `sweep NAME --dask tcp://host:port`.

The cluster is given whole runs and gives back finished Parquet files; this process alone
writes to the store.  Workers need this project in the same version and nothing else: no
shared folder.  Dask moves pickled objects between its processes, which have to trust each
other; neither results nor parameters ever come from a pickle.
"""

import contextlib
import logging
import math
import platform
import queue
import time
from asyncio import CancelledError
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from lib.errors import UserError
from lib.runs import shard
from lib.runs.store import Store
from lib.spec import RunSpec
from lib.sweeps import speed
from lib.sweeps.sweep import say
from lib.sweeps.workers import final

PATIENCE = 10.0
"""Seconds that a scheduler may take to answer."""


GONE = "the Dask scheduler is gone; finished runs are kept, the same command goes on"


class ClusterError(UserError):
    """A cluster that cannot be used; the message is one line, fit for a user."""


@contextlib.contextmanager
def connect(address: str) -> Iterator[Any]:
    """A `distributed.Client` of the scheduler at an address such as tcp://host:8786.

    Raises:
        ClusterError: if none answers there.
    """
    from distributed import Client  # takes a second, and a local sweep does without

    class Ours(Client):
        """Closed below: one that never connected would wait to be closed, and fail at it."""

        def __del__(self):
            pass

    for name in ("distributed", "distributed.client"):  # we say what goes wrong, in one line
        logging.getLogger(name).setLevel(logging.CRITICAL + 1)
    try:
        client = Ours(address, timeout=PATIENCE, set_as_default=False, name="sweep")
    except Exception as error:  # OSError, ValueError, TypeError …, by kind of address and version
        raise ClusterError(f"no Dask scheduler answers at {address}") from error
    try:
        yield client
    finally:
        with contextlib.suppress(Exception):  # the scheduler may be gone by now
            client.close(timeout=2)


def threads(client: Any) -> int:
    """How many runs the cluster can train at once."""
    return sum(client.nthreads().values())


def machine_rate(client: Any, widths: Iterable[int], train: Callable | None = None) -> speed.Speed:
    """The speed of the cluster's cores, measured on up to 32 of them at once.

    Raises:
        ClusterError: if the cluster has no workers, or they cannot import this project.
    """
    jobs = min(32, threads(client))
    if not jobs:
        raise ClusterError("the cluster has no workers yet")
    widths = sorted({min(width, speed.WIDEST) for width in widths})
    work = [client.submit(speed.measure, widths, train, pure=False) for _ in range(jobs)]
    try:
        return speed.together(widths, client.gather(work))
    except Exception as error:
        hint = "its scheduler and its workers must find this project, by PYTHONPATH for instance"
        raise ClusterError(f"the cluster cannot train ({hint}): {_line(error)}") from error


class Crew:
    """A Dask cluster, used like the processes of `lib.sweeps.workers.Crew`.

    As many runs are in flight as the cluster has threads; workers may come and go.  A run
    whose worker dies is given to another one by the scheduler.

    Attributes:
        jobs: runs at once, as of the last look.
    """

    def __init__(self, client: Any, store: Store, train: Callable | None = None):
        self._client, self._store, self._train = client, store, train
        self._flying: dict[Any, RunSpec] = {}  # by future
        self._ended: queue.SimpleQueue = queue.SimpleQueue()
        # Several, because fetching a result whose worker just died waits for its repetition.
        self._fetchers = ThreadPoolExecutor(8, thread_name_prefix="fetch")
        self._looked, self.jobs = -math.inf, 1

    @property
    def flying(self) -> dict[RunSpec, float]:
        """The runs in flight.  How far they are is not known here: each counts as not begun."""
        return dict.fromkeys(self._flying.values(), 0.0)

    def room(self) -> int:
        """How many runs may begin now: one at least, which then waits for a worker to come."""
        if time.monotonic() - self._looked > 1 and self._client.status == "running":
            self._looked, found = time.monotonic(), threads(self._client)
            if not found and self.jobs:
                say("the cluster has no workers now: waiting for one")
            self.jobs = found
        return max(0, max(1, self.jobs) - len(self._flying))

    def begin(self, spec: RunSpec) -> None:
        """Send a run to the cluster."""
        work = spec.to_dict(), spec.key, self._train
        future = self._client.submit(train_there, *work, pure=False)
        self._flying[future] = spec
        future.add_done_callback(self._ready)

    def _ready(self, future: Any) -> None:
        with contextlib.suppress(RuntimeError):  # after `stop`
            self._fetchers.submit(self._fetch, future)

    def _fetch(self, future: Any) -> None:
        try:
            self._ended.put((future, future.result()))
        except BaseException as error:  # CancelledError is no Exception
            self._ended.put((future, error))

    def events(self, timeout: float) -> list[tuple[RunSpec, str, Any]]:
        """What happened: runs with kind and value as of `lib.sweeps.workers.Worker.receive`."""
        ended = []
        with contextlib.suppress(queue.Empty):
            ended.append(self._ended.get(timeout=timeout))
            while True:
                ended.append(self._ended.get_nowait())
        happened = []
        for future, result in ended:
            spec = self._flying.pop(future)
            if isinstance(result, CancelledError):
                happened.append((spec, "fatal", GONE))
            elif isinstance(result, (ClusterError, ImportError)):  # it would refuse all the others
                happened.append((spec, "fatal", f"{_line(result)}; finished runs are kept"))
            elif isinstance(result, BaseException):
                happened.append((spec, "failed", _line(result)))
            else:
                happened.append((spec, *self._keep(*result)))
        if self._client.status != "running":
            happened += [(spec, "fatal", GONE) for spec in self._flying.values()]
            self._flying.clear()
        return happened

    def _keep(self, data: bytes, *values: Any) -> tuple[str, Any]:
        try:
            return "done", (shard.put(self._store.runs_folder, data).name, *values)
        except OSError as error:
            return "fatal", f"cannot write to {self._store.folder}: {error.strerror or error}"

    def stop(self) -> None:
        """Take back what is in flight; its workers stop at their next evaluation."""
        if self._client.status == "running":
            with contextlib.suppress(Exception):
                self._client.cancel(list(self._flying), force=True)
        self._fetchers.shutdown(wait=False, cancel_futures=True)


def train_there(fields: dict[str, Any], key: str, train: Callable | None) -> tuple:
    """On a worker: train a run.  Returns its file's bytes, seconds, status, final values.

    Raises:
        ClusterError: if the worker's version of this project is not the sweep's.
        Dropped: if nobody wants the result any more.
    """
    start, other = time.monotonic(), f"the worker on {platform.node()} has another version"
    try:
        spec = RunSpec(**fields)
    except (TypeError, UserError) as error:  # fields or values that it does not know
        raise ClusterError(other) from error
    if spec.key != key:
        raise ClusterError(other)
    if train is None:
        from lib.train import train
    run = train(spec, threads=1, on_progress=_still_wanted)
    return shard.encode(shard.table([run])), time.monotonic() - start, run.status, final(run)


class Dropped(Exception):
    """A run that its sweep took back, or whose sweep has died."""


def _still_wanted(progress: Any) -> None:
    """Dask cannot stop a task that runs; but its worker knows that it was cancelled."""
    from distributed import get_worker

    worker = get_worker()
    task = worker.state.tasks.get(worker.get_current_task())
    if task is None or task.state == "cancelled":
        raise Dropped


def _line(error: BaseException) -> str:
    return f"{type(error).__name__}: {error}".splitlines()[0]
