"""`sweep NAME --device cuda`: what is missing, trained in stacks on one device.

Runs of equal shape go into one stack.  A run that ends leaves it; the others go on.  Each is
stored as it ends.  Ctrl-C drops what is in flight; long runs go on from their checkpoints when
the same command is given again.
"""

import contextlib
import math
import time
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence

import click

from lib.runs.checkpoints import Checkpoints
from lib.runs.compaction import CANNOT_MERGE
from lib.runs.locks import Locks
from lib.runs.run import Progress, Run
from lib.runs.store import Store
from lib.spec import RunSpec, SpecError
from lib.sweeps import roofline
from lib.sweeps.plan import expected_parts, format_duration, missing
from lib.sweeps.stacks import ALONE, stackable, train_many
from lib.sweeps.sweep import COMPACT_EVERY, Report, bar_over, say


def sweep_stacked(
    specs: Iterable[RunSpec],
    store: Store,
    *,
    first: Sequence[Collection[RunSpec]] = (),
    expected: Mapping[RunSpec, float] | None = None,
    budget_s: float | None = None,
    progress: bool | None = None,
    **how,
) -> Report:
    """Train what is missing of some specs in stacks, the groups of `first` before the others.

    Args:
        first: groups of runs that matter more than the others, the most important one first.
        expected: seconds that each run is expected to take, for the bar and the report.
        budget_s: training ends after so many seconds; checkpoints keep what was in flight.
        progress: as in `lib.sweeps.sweep.sweep`.
        how: device, precision, at_once, threads, as in `train_many`.

    Raises:
        SpecError: if the device is not there.
        OSError: if nothing can be written to the store.
    """
    began, report = time.monotonic(), Report()
    until = began + (math.inf if budget_s is None else budget_s)
    todo = missing(specs, store)
    if todo:
        store.probe()
    locks, files, others = Locks(store), [], []
    costs = {spec: (expected or {}).get(spec, float(spec.epochs)) for spec in todo}
    states, shown = Checkpoints(store.own), _Shown(costs, progress)

    def free(stack: list[RunSpec]) -> list[RunSpec]:
        taken = [spec for spec in stack if locks.take(spec.key)]
        stored = store.keys()  # another sweep may have finished some by now
        ours = [spec for spec in taken if spec.key not in stored]
        for spec in set(stack) - set(ours):
            others.append(spec)
            shown.pass_over(spec)
            locks.release(spec.key)
        return ours

    try:
        for part in _parts(todo, first):
            seen = dict(until=until, on_progress=shown.tell, checkpoints=states, choose=free)
            for run in train_many(part, **seen, **how):
                files.append(store.add(run).name)
                store.save_weights(run)
                states.remove(run.spec)
                locks.release(run.spec.key)
                report.done += 1
                report.predicted += (expected or {}).get(run.spec, 0.0)
                shown.end(run)
                if report.done % COMPACT_EVERY == 0:  # a kill leaves few files, not thousands
                    with contextlib.suppress(*CANNOT_MERGE):
                        files = store.compact(files)
        if report.done + len(others) < len(todo):
            say(f"the budget of {format_duration(budget_s)} is spent")
    finally:
        shown.bar.close()
        locks.close()
        with contextlib.suppress(*CANNOT_MERGE):
            store.compact(files)
    report.left, report.seconds = len(missing(todo, store)), time.monotonic() - began
    return report


class _Shown:
    """What is seen of a sweep in stacks: a bar, or a line for each run where there is none.

    Args:
        costs: what each run should take, in any unit.
        progress: as in `lib.sweeps.sweep.sweep`.
    """

    def __init__(self, costs: Mapping[RunSpec, float], progress: bool | None):
        self._costs, self._left, self._ended = costs, {}, 0
        self._waiting, self._gained = sum(costs.values()), 0.0
        self.bar, self._began = bar_over(self._waiting, progress), time.monotonic()
        self._lines = self.bar.disable and progress is None

    def tell(self, spec: RunSpec, progress: Progress) -> None:
        """A run was evaluated."""
        self._draw(spec, self._costs[spec] * (1 - progress.epoch / progress.epochs))

    def end(self, run: Run) -> None:
        """A run is stored."""
        self._ended += 1
        self._draw(run.spec, 0.0)
        if self._lines:
            end = f"{run.status} at epoch {run.curve['epoch'][-1]:,}"
            values = f"validation {run.curve['val_accuracy'][-1]:.3f}"
            say(f"[{self._ended}/{len(self._costs)}] {run.spec.label()}: {end}, {values}")

    def pass_over(self, spec: RunSpec) -> None:
        """A run is another sweep's."""
        self._draw(spec, 0.0)

    def _draw(self, spec: RunSpec, left: float) -> None:
        before = self._left.get(spec, self._costs[spec])
        if spec in self._left:  # what a run had from its checkpoint took no time here
            self._gained += before - left
        self._left[spec] = left
        self._waiting -= before - left
        self.bar.set_description_str(f"{self._ended}/{len(self._costs)} runs", refresh=False)
        if self._gained:
            seconds = max(0, self._waiting) / self._gained * (time.monotonic() - self._began)
            self.bar.set_postfix_str(f"about {format_duration(seconds)} left", refresh=False)
        self.bar.update(before - left)


def _parts(specs: Iterable[RunSpec], first: Iterable[Collection[RunSpec]]) -> Iterator[list]:
    """Each group of `first` as far as it is asked for, then the rest; each run once."""
    rest = list(specs)
    for group in first:
        chosen = set(group)
        yield [spec for spec in rest if spec in chosen]
        rest = [spec for spec in rest if spec not in chosen]
    yield rest


def sweep_on_device(
    todo: Collection[RunSpec], store: Store, device: str, dry_run: bool = False, **how
) -> Report | None:
    """The command `sweep --device`: the model of the time (`lib.sweeps.roofline`), then the sweep.

    Args:
        dry_run: only say what it takes, size by size; then nothing is returned.
        how: as in `sweep_stacked`.

    Raises:
        SpecError: if the device is not there, or no run is for a stack; what else is not for
            one is said, and left.
    """
    whole, todo = len(todo), list(filter(stackable, todo))
    if not todo:
        raise SpecError(ALONE)
    if others := whole - len(todo):
        click.echo(f"{others:,} of the {whole:,} are left out: {ALONE}")
    found = roofline.measure_device(device, how.get("precision", "float32"))
    parts = expected_parts(todo, store.runs())
    expected = {s: roofline.seconds(s, found, part) for s, part in zip(todo, parts, strict=True)}
    click.echo(
        f"{found.name}: {found.rate / 1e12:.3g} Tflop/s, {found.bandwidth / 1e9:.3g} GB/s; about "
        f"{format_duration(sum(expected.values()))} by the model of operations and bytes, with "
        "early stops where stored neighbours stopped"
    )
    if dry_run:
        parts, budget = dict(enumerate(_parts(todo, how.get("first", ())))), how.get("budget_s")
        for _, layers, width, runs, own, total in roofline.hours(parts, expected):
            took = format_duration(3600 * own), format_duration(3600 * total)
            late = budget is not None and 3600 * total > budget
            click.echo(
                f"{layers} × {width}: {runs:,} runs in {took[0]}, by then {took[1]}"
                f"{', beyond the budget' * late}"
            )
        return None
    report = sweep_stacked(todo, store, device=device, expected=expected, **how)
    report.left += others
    return report
