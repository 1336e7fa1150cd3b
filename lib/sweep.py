"""Training what is missing: one run per worker process, each kept as soon as it is finished.

Nothing finished is ever lost: a worker writes its run to the store before it says so.
Killing a sweep at any moment costs the runs in flight and nothing else; starting it again
goes on with what is missing.
"""

import contextlib
import math
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from multiprocessing.connection import wait
from typing import TYPE_CHECKING

from tqdm import tqdm

from lib.cost import Rate, cores, estimate, format_duration, machine_rate, makespan
from lib.spec import RunSpec
from lib.store import Store
from lib.worker import Worker

if TYPE_CHECKING:
    from lib.model import Transformer

COMPACT_EVERY = 50
"""Runs after which a sweep merges the files that it wrote."""

MAX_DEATHS = 3
"""Workers that may die before a sweep gives up (no memory, a broken installation)."""


@dataclass
class Report:
    """What a sweep did.

    Attributes:
        done: runs finished and stored by it.
        left: runs that are still missing.
        failed: one line for each run whose training raised an error or killed its process.
        fatal: why the sweep had to end early (a full disk, dying workers), in one line.
        interrupted: whether Ctrl-C ended it.
        predicted: wall-clock seconds that the estimate gave for the runs that are done.
        seconds: wall-clock seconds that they took.
    """

    done: int = 0
    left: int = 0
    failed: list[str] = field(default_factory=list)
    fatal: str | None = None
    interrupted: bool = False
    predicted: float = 0.0
    seconds: float = 0.0


def missing(specs: Iterable[RunSpec], store: Store) -> list[RunSpec]:
    """Those specs that are not in the store, in their order and each once."""
    stored = store.keys()
    return [spec for key, spec in {s.key: s for s in specs}.items() if key not in stored]


def sweep(
    specs: Iterable[RunSpec],
    store: Store,
    *,
    jobs: int | None = None,
    budget_s: float | None = None,
    nice: bool = True,
    rate: Rate | None = None,
    train: Callable | None = None,
    progress: bool | None = None,
) -> Report:
    """Train what is missing of some specs, seed by seed and the longest runs of a seed first.

    The first Ctrl-C starts no more runs and waits for those in flight; the second drops them
    (KeyboardInterrupt).  A run that fails does not end the sweep; a full disk does.

    Args:
        jobs: worker processes, by default one a core.  A run that is alone gets as many
            threads instead.
        budget_s: no run is started that is not expected to end within so many seconds.
        nice: let other programs of this machine go first.
        rate: the machine's speed; measured by default (`lib.cost.machine_rate`).
        train: the trainer, `lib.train.train` by default.
        progress: a progress bar on stderr; by default where that is a terminal, and a line
            for each finished run where it is not.

    Raises:
        OSError: if nothing can be written to the store; raised before anything is trained.
    """
    deadline = time.monotonic() + (math.inf if budget_s is None else budget_s)
    todo, jobs = missing(specs, store), jobs or cores()
    if not todo:
        return Report()
    store.probe()
    widths = {spec.d_model for spec in todo}
    rate = rate or machine_rate(widths, store.cache, jobs=jobs, train=train, say=_say)
    threads, jobs = (jobs, 1) if len(todo) == 1 else (1, min(jobs, len(todo)))
    costs = dict(zip(todo, estimate(todo, rate, store.runs()) / threads, strict=True))
    settings = (store.folder, store.cache, threads, nice, train)
    return _Sweep(store, costs, jobs, deadline, settings, progress).run()


class _Sweep:
    """The state of one sweep, and the loop that hands out runs and takes in messages."""

    def __init__(self, store, costs, jobs, deadline, settings, progress):
        self.store, self.costs, self.jobs, self.deadline = store, costs, jobs, deadline
        self.settings = settings
        self.queue = sorted(costs, key=lambda spec: (spec.seed, -costs[spec]))
        self.report, self.workers = Report(), []
        self.done: list[RunSpec] = []
        self.elsewhere: list[RunSpec] = []  # stored by someone else meanwhile
        self.spent = 0.0  # seconds that the workers took for the runs that are done
        self.fresh: list[str] = []  # files that this sweep wrote: one run each …
        self.merged: list[str] = []  # … and merged
        self.deaths = 0
        self.bar = tqdm(
            total=float(sum(costs.values())),
            bar_format="{desc} {percentage:3.0f}%|{bar}| {elapsed}{postfix}",
            disable=None if progress is None else not progress,
        )
        self.lines = self.bar.disable and progress is None

    def run(self) -> Report:
        start, report = time.monotonic(), self.report
        try:
            with self.bar, self._gentle_interrupt():
                self.workers = [Worker(self.settings) for _ in range(self.jobs)]
                while busy := self._assign():
                    # A finite wait: a signal alone does not end it.
                    for worker in wait(busy, timeout=0.2):
                        self._handle(worker, *worker.receive())
                    self._draw()
        finally:
            for worker in self.workers:
                worker.stop()
        with contextlib.suppress(OSError):  # merging is a convenience: the runs are safe
            self.store.compact(self.merged + self.fresh)
        report.done = len(self.done)
        report.left = len(self.costs) - report.done - len(self.elsewhere)
        report.predicted = float(makespan((self.costs[spec] for spec in self.done), self.jobs))
        report.seconds = time.monotonic() - start
        return report

    def _assign(self) -> list[Worker]:
        """Give every idle worker a run, if there is one for it.  Returns the busy workers."""
        for worker in self.workers:
            if worker.spec is None and (spec := self._next()):
                worker.begin(spec)
        return [worker for worker in self.workers if worker.spec]

    def _next(self) -> RunSpec | None:
        """The first run of the queue that fits the budget and that no one else has stored."""
        if self.report.interrupted or self.report.fatal or not self.queue:
            return None
        # Another sweep may be at work on the same experiment.
        stored = self.store.keys()
        self.elsewhere += [spec for spec in self.queue if spec.key in stored]
        self.queue = [spec for spec in self.queue if spec.key not in stored]
        left = (self.deadline - time.monotonic()) / self._correction()
        spec = next((spec for spec in self.queue if self.costs[spec] <= left), None)
        if spec:
            self.queue.remove(spec)
        return spec

    def _correction(self) -> float:
        """Actual over predicted seconds of the runs so far: estimates learn from them."""
        predicted = sum(self.costs[spec] for spec in self.done)
        return self.spent / predicted if predicted else 1.0

    def _handle(self, worker: Worker, kind: str, value: object) -> None:
        if kind == "progress":
            worker.part = value
            return
        spec, worker.spec = worker.spec, None
        if kind == "done":
            name, seconds, status, last = value
            self.done.append(spec)
            self.spent += seconds
            self._keep_tidy(name)
            if self.lines:
                count = f"[{len(self.done) + len(self.elsewhere)}/{len(self.costs)}]"
                end = f"{status} at epoch {last['epoch']:,.0f} in {format_duration(seconds)}"
                values = "training {train_accuracy:.3f}, validation {val_accuracy:.3f}".format(
                    **last
                )
                _say(f"{count} {spec.label()}: {end}, {values}")
            return
        if kind == "fatal":
            self.report.fatal = value
            return
        if kind == "died":
            value = f"its process died with exit code {value}"
            self.deaths += 1
            if self.deaths == MAX_DEATHS:
                self.report.fatal = f"{MAX_DEATHS} workers died, the last at {spec.label()}"
            worker.stop()
            self.workers[self.workers.index(worker)] = Worker(self.settings)
        self.report.failed.append(f"{spec.label()}: {value}")
        _say(f"failed: {self.report.failed[-1]}")

    def _keep_tidy(self, name: str) -> None:
        """Merge this sweep's files now and then; others' are theirs to merge."""
        self.fresh.append(name)
        if len(self.fresh) >= COMPACT_EVERY:
            with contextlib.suppress(OSError):  # the runs are safe as they are
                self.merged += self.store.compact(self.fresh)
                self.fresh = []

    def _draw(self) -> None:
        left = sum(self.costs[spec] for spec in self.queue)
        left += sum(self.costs[w.spec] * (1 - w.part) for w in self.workers if w.spec)
        self.bar.n = self.bar.total - left
        ended = len(self.done) + len(self.elsewhere)
        self.bar.set_description_str(f"{ended}/{len(self.costs)} runs", refresh=False)
        time_left = format_duration(left * self._correction() / self.jobs)
        self.bar.set_postfix_str(f"about {time_left} left")

    @contextlib.contextmanager
    def _gentle_interrupt(self) -> Iterator[None]:
        """The first Ctrl-C is a wish, which the loop fulfils; the second raises."""

        def handle(signum, frame):
            if self.report.interrupted:
                raise KeyboardInterrupt
            self.report.interrupted = True
            flying = [w for w in self.workers if w.spec]
            seconds = max((self.costs[w.spec] * (1 - w.part) for w in flying), default=0)
            _say(
                f"stopping: {len(flying)} runs in flight will be finished and kept (about "
                f"{format_duration(seconds * self._correction())}); Ctrl-C again drops them"
            )

        if threading.current_thread() is not threading.main_thread():
            yield  # signals are the main thread's
            return
        before = signal.signal(signal.SIGINT, handle)
        try:
            yield
        finally:
            signal.signal(signal.SIGINT, before)


def _say(message: str) -> None:
    """One line on stderr, above the progress bar."""
    tqdm.write(message, file=sys.stderr)


def load_model(
    spec: RunSpec, store: Store | None = None, *, threads: int | None = None, train=None
) -> "Transformer":
    """The trained PyTorch model of a run, from this machine's cache or else trained again.

    Training again gives the same bits on the same machine and takes as long as it took
    (`lib.cost.estimate`); on another machine the model is as good but not the same.
    """
    import torch

    from lib.data import build
    from lib.model import build_model

    store = store or Store()
    weights = store.load_weights(spec)
    if weights is None:
        if train is None:
            from lib.train import train
        run = train(spec, threads=threads or cores())
        store.save_weights(run)
        weights = run.parameters
    model = build_model(spec, build(spec))
    model.load_state_dict({name: torch.tensor(value) for name, value in weights.items()})
    return model
