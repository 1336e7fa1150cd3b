"""Training what is missing: one run per worker, each kept as soon as it is finished.

Nothing finished is ever lost: a run is in the store before anyone says so.  Killing a sweep
costs the runs in flight and nothing else; starting it again goes on with what is missing.
"""

import contextlib
import math
import signal
import sys
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, field

from tqdm import tqdm

from lib.runs.checkpoints import Checkpoints
from lib.runs.compaction import CANNOT_MERGE, SHARD
from lib.runs.files import keep
from lib.runs.locks import Locks
from lib.runs.store import Store
from lib.spec import RunSpec
from lib.sweeps.plan import at_once, costs_of, format_duration, in_order, makespan, missing
from lib.sweeps.speed import Rate, machine_rate
from lib.sweeps.workers import Crew

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

    def add(self, other: "Report") -> None:
        """Count another sweep in, which came after; what is left is what it left."""
        self.done += other.done
        self.failed += other.failed
        self.left, self.fatal, self.interrupted = other.left, other.fatal, other.interrupted
        self.predicted += other.predicted
        self.seconds += other.seconds


def sweep(
    specs: Iterable[RunSpec],
    store: Store,
    *,
    first: Sequence[Collection[RunSpec]] = (),
    jobs: int | None = None,
    budget_s: float | None = None,
    nice: bool = True,
    rate: Rate | None = None,
    train: Callable | None = None,
    how: dict | None = None,
    progress: bool | None = None,
    patient: bool = True,
    crew: Callable | None = None,
) -> Report:
    """Train what is missing of some specs, what matters most first (`lib.sweeps.plan.in_order`).

    The first Ctrl-C starts no more runs and waits for those in flight; the second drops them
    (KeyboardInterrupt).  A run that fails does not end the sweep; a full disk does.  Several
    sweeps of one machine may share the work: none trains what another has in flight.

    Args:
        first: groups of runs that matter more than the others (`lib.sweeps.plan.in_order`).
        jobs: worker processes, by default one a core; a run alone gets as many threads.
        budget_s: no run is started that is not expected to end within so many seconds.
        nice: let other programs of this machine go first.
        rate: the machine's speed; measured by default (`lib.sweeps.speed.machine_rate`).
        train: the trainer, `lib.train.train` by default.
        how: engine, precision and device, as `lib.train.train` takes them; on this machine.
        progress: a bar on stderr; by default on a terminal, and elsewhere a line for each run.
        patient: without it the first Ctrl-C drops what is in flight.
        crew: makes the workers, instead of processes on this machine (`lib.sweeps.cluster.Crew`).

    Raises:
        OSError: if nothing can be written to the store; raised before anything is trained.
    """
    deadline = time.monotonic() + (math.inf if budget_s is None else budget_s)
    specs = list(specs)
    todo = missing(specs, store)
    if not todo:
        return Report()
    jobs = at_once(jobs, len(todo))
    store.probe()
    keep(store.own / "writable", b"", store.cache)  # else one warning, here: workers give none
    widths = {spec.d_model for spec in todo}
    rate = rate or machine_rate(widths, store.cache, jobs=jobs, say=say, train=train, how=how)
    threads, jobs = (jobs, 1) if len(todo) == 1 and not crew else (1, min(jobs, len(todo)))
    costs, alone = (
        {s: cost / threads for s, cost in costs_of(todo, rate, store, shared).items()}
        for shared in (not crew, False)  # without and with parents that another run trains first
    )
    make = crew or (lambda: Crew(jobs, (store.folder, store.cache, threads, nice, train, how)))
    queue = in_order(costs, specs, first)
    return _Sweep(store, costs, alone, queue, deadline, progress, patient).run(make)


class _Sweep:
    """The state of one sweep, and the loop that hands out runs and takes in what happened."""

    def __init__(self, store, costs, alone, queue, deadline, progress, patient):
        self.store, self.costs, self.deadline, self.patient = store, costs, deadline, patient
        self.alone = alone
        self.queue = OrderedDict.fromkeys(queue)  # any run can be taken from it at once
        self.waiting = math.fsum(costs.values())  # seconds of what is in the queue
        self.report, self.crew, self.locks = Report(), None, Locks(store)
        self.epochs = Checkpoints(store.own).epochs()  # what was interrupted goes on from there
        self.done: list[RunSpec] = []
        self.elsewhere = 0  # runs stored by someone else meanwhile
        self.expected = self.spent = 0.0  # seconds that `done` should have taken, and took
        self.fresh: list[str] = []  # files that this sweep wrote: one run each …
        self.merged: list[str] = []  # … and merged
        self.deaths = 0
        self.bar = bar_over(self.waiting, progress)
        self.lines = self.bar.disable and progress is None

    def run(self, make_crew: Callable) -> Report:
        start, report = time.monotonic(), self.report
        try:
            with self.bar, self._gentle_interrupt():
                self.crew = make_crew()
                while self._assign():
                    for spec, kind, value in self.crew.events(timeout=0.2):
                        self._handle(spec, kind, value)
                    self._draw()
        finally:
            if self.crew:
                self.crew.stop()
            self.locks.close()
        with contextlib.suppress(*CANNOT_MERGE):  # a convenience: the runs are safe
            self.store.compact(self.merged + self.fresh)
        report.done = len(self.done)
        report.left = len(self.costs) - report.done - self.elsewhere
        report.predicted = makespan([self.costs[s] for s in self.done], max(1, self.crew.jobs))
        report.seconds = time.monotonic() - start
        return report

    def _assign(self) -> bool:
        """Begin as many runs as there is room for.  False when there is nothing to wait for."""
        held = False
        if not (self.report.interrupted or self.report.fatal):
            for _ in range(self.crew.room()):
                spec, held = self._next()
                if spec is None:
                    break
                self.crew.begin(spec)
        return held or bool(self.crew.flying)

    def _next(self) -> tuple[RunSpec | None, bool]:
        """The first run that fits the budget and is free; whether others hold runs of ours."""
        left = (self.deadline - time.monotonic()) / self._correction()
        found, held, gone = None, False, []
        for spec in self.queue if left > 0 else ():
            if self._takes(spec) > left:
                continue
            if not self.locks.take(key := spec.key):
                held = True
                continue
            gone.append(spec)
            if key not in self.store.keys():  # free perhaps because the other has finished it
                found = spec
                break
            self.elsewhere += 1
            self.locks.release(key)
        for spec in gone:
            del self.queue[spec]
            self.waiting -= self.costs[spec]
        return found, held

    def _takes(self, spec: RunSpec) -> float:
        """Seconds that a run takes from here; with its parent, where nobody has trained that."""
        cost = self.costs[spec]
        if self.deadline < math.inf and spec.init_from:
            kept = self.store.load_weights(spec.init_from) is not None
            cost = cost if kept else self.alone[spec]
        return cost * (1 - self.epochs.get(spec.key, 0) / spec.epochs)

    def _correction(self) -> float:
        """Actual over predicted seconds of the runs so far: estimates learn from them."""
        return self.spent / self.expected if self.expected else 1.0

    def _handle(self, spec: RunSpec, kind: str, value: object) -> None:
        if kind == "fatal":
            self.report.fatal = value
        elif kind == "done":
            self._finished(spec, *value)
        else:
            if kind == "died":
                value = f"its process died with exit code {value}"
                self.deaths += 1
                if self.deaths == MAX_DEATHS:
                    self.report.fatal = f"{MAX_DEATHS} workers died, the last at {spec.label()}"
            self.report.failed.append(f"{spec.label()}: {value}")
            say(f"failed: {self.report.failed[-1]}")
        self.locks.release(spec.key)

    def _finished(self, spec: RunSpec, name: str, seconds: float, status: str, last: dict) -> None:
        self.done.append(spec)
        self.spent += seconds
        self.expected += self.costs[spec]
        self._keep_tidy(name)
        if self.lines:
            count = f"[{len(self.done) + self.elsewhere}/{len(self.costs)}]"
            end = f"{status} at epoch {last['epoch']:,.0f} in {format_duration(seconds)}"
            values = "training {train_accuracy:.3f}, validation {val_accuracy:.3f}".format(**last)
            say(f"{count} {spec.label()}: {end}, {values}")

    def _keep_tidy(self, name: str) -> None:
        """Merge this sweep's files now and then; others' are theirs to merge."""
        self.fresh.append(name)
        if len(self.fresh) >= COMPACT_EVERY:
            with contextlib.suppress(*CANNOT_MERGE):  # the runs are safe as they are
                self.merged += self.store.compact(self.fresh)
                self.fresh = []
                if len(self.merged) >= SHARD / COMPACT_EVERY:
                    self.merged = self.store.compact(self.merged)

    def _draw(self) -> None:
        if self.bar.disable:
            return
        flying = self.crew.flying.items()
        left = self.waiting + sum(self.costs[spec] * (1 - part) for spec, part in flying)
        self.bar.n = self.bar.total - left
        ended = len(self.done) + self.elsewhere
        self.bar.set_description_str(f"{ended}/{len(self.costs)} runs", refresh=False)
        time_left = format_duration(left * self._correction() / max(1, self.crew.jobs))
        self.bar.set_postfix_str(f"about {time_left} left")

    @contextlib.contextmanager
    def _gentle_interrupt(self) -> Iterator[None]:
        """The first Ctrl-C is a wish, which the loop fulfils; the second raises."""

        def handle(signum, frame):
            if self.report.interrupted:
                raise KeyboardInterrupt
            self.report.interrupted = True
            flying = self.crew.flying if self.crew else {}
            if not self.patient:
                say(f"stopping: {len(flying)} runs in flight go on from their last state next time")
                raise KeyboardInterrupt
            seconds = max((self.costs[s] * (1 - part) for s, part in flying.items()), default=0)
            say(
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


def bar_over(total: float, progress: bool | None = None) -> tqdm:
    """A bar over what a sweep should take; by default only on a terminal."""
    return tqdm(
        total=total,
        bar_format="{desc} {percentage:3.0f}%|{bar}| {elapsed}{postfix}",
        disable=None if progress is None else not progress,
    )


def say(message: str) -> None:
    """One line on stderr, above the progress bar."""
    tqdm.write(message, file=sys.stderr)
