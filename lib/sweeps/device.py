"""`sweep NAME --device cuda`: what is missing, trained in stacks on one device.

Runs of equal shape go into one stack.  A run that ends leaves it; the others go on.  Each is
stored as it ends.  Ctrl-C drops what is in flight; long runs go on from their checkpoints when
the same command is given again.
"""

import contextlib
import math
import time
from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence

import click
import torch

from lib.data import build
from lib.engines.choose import check_device
from lib.engines.flops import epoch_flops, floats_of
from lib.engines.precision import check_precision, name_of
from lib.engines.torch.engine import StackedEngine, shape_of
from lib.engines.torch.single import Member
from lib.runs.checkpoints import Checkpoints
from lib.runs.locks import Locks
from lib.runs.run import Progress, Run
from lib.runs.store import Store
from lib.spec import RunSpec, SpecError
from lib.sweeps import roofline
from lib.sweeps.plan import expected_parts, format_duration, missing
from lib.sweeps.sweep import Report, say
from lib.train import Training

GPU_MEMORY = 0.5
"""Part of a GPU's memory that a stack's activations may fill, as estimated."""


ALONE = (
    "runs with a loss in float32, a batch or another run's weights to start from are trained "
    "one by one, without --device cuda"
)


SHRINK = 0.75
"""A stack is packed anew once no more than this part of it is still in training: before that
the runs that have ended are trained on unseen, which is cheaper than packing."""


def sweep_stacked(
    specs: Iterable[RunSpec],
    store: Store,
    *,
    first: Sequence[Collection[RunSpec]] = (),
    expected: Mapping[RunSpec, float] | None = None,
    device: str = "cuda",
    precision: str = "float32",
    at_once: int | None = None,
    threads: int = 1,
    budget_s: float | None = None,
) -> Report:
    """Train what is missing of some specs in stacks, the groups of `first` before the others.

    Args:
        first: groups of runs that matter more than the others, the most important one first.
        expected: seconds that each run is expected to take, for the report.
        device, precision, at_once, threads: as in `train_many`.
        budget_s: training ends after so many seconds; checkpoints keep what was in flight.

    Raises:
        SpecError: if the device is not there.
        OSError: if nothing can be written to the store.
    """
    began, report = time.monotonic(), Report()
    until = began + (math.inf if budget_s is None else budget_s)
    todo = missing(specs, store)
    if todo:
        store.probe()
    locks, files = Locks(store), []
    free = [spec for spec in todo if locks.take(spec.key)]
    states = Checkpoints(store.cache)

    try:
        for part in _parts(free, first):
            for run in train_many(
                part, device=device, precision=precision, at_once=at_once, threads=threads,
                until=until, checkpoints=states,
            ):  # fmt: skip
                files.append(store.add(run).name)
                with contextlib.suppress(OSError):  # weights are a cache
                    store.save_weights(run)
                states.remove(run.spec)
                locks.release(run.spec.key)
                report.done += 1
                report.predicted += (expected or {}).get(run.spec, 0.0)
                end = f"{run.status} at epoch {run.curve['epoch'][-1]:,}"
                values = f"validation {run.curve['val_accuracy'][-1]:.3f}"
                say(f"[{report.done}/{len(todo)}] {run.spec.label()}: {end}, {values}")
        if report.done < len(free):
            say(f"the budget of {format_duration(budget_s)} is spent")
    finally:
        locks.close()
        with contextlib.suppress(OSError):
            store.compact(files)
    report.left, report.seconds = len(todo) - report.done, time.monotonic() - began
    return report


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
    precision = how.get("precision", "float32")
    check_device(device)
    check_precision("stacked", precision)
    whole, todo = len(todo), list(filter(stackable, todo))
    if not todo:
        raise SpecError(ALONE)
    if others := whole - len(todo):
        click.echo(f"{others:,} of the {whole:,} are left out: {ALONE}")
    found = roofline.measure_device(device, precision)
    parts = expected_parts(todo, store.runs())
    expected = {s: roofline.seconds(s, found, part) for s, part in zip(todo, parts, strict=True)}
    click.echo(
        f"{found.name}: {found.rate / 1e12:.3g} Tflop/s, {found.bandwidth / 1e9:.3g} GB/s; about "
        f"{format_duration(sum(expected.values()))} by the model of operations and bytes, with "
        "early stops where stored neighbours stopped"
    )
    if dry_run:
        parts = dict(enumerate(_parts(todo, how.get("first", ()))))
        for _, layers, width, runs, own, total in roofline.hours(parts, expected):
            took = format_duration(3600 * own), format_duration(3600 * total)
            click.echo(f"{layers} × {width}: {runs:,} runs in {took[0]}, by then {took[1]}")
        return None
    report = sweep_stacked(todo, store, device=device, expected=expected, **how)
    report.left += others
    return report


def stackable(spec: RunSpec) -> bool:
    """Whether a run can be one of a stack."""
    return not (spec.loss or spec.batch or spec.init_from)


def train_many(
    specs: Iterable[RunSpec],
    *,
    device: str = "cuda",
    precision: str = "float32",
    at_once: int | None = None,
    threads: int = 1,
    until: float = math.inf,
    on_progress: Callable[[RunSpec, Progress], None] | None = None,
    checkpoints: Checkpoints | None = None,
) -> Iterator[Run]:
    """Train runs in stacks on the PyTorch engine; each is handed out as it ends.

    Args:
        specs: what to train; any mixture of shapes.
        device: "cuda"; "cpu", where stacks are slower than single runs, is for tests.
        precision: of the matrix products, "float32" or "bf16".
        at_once: runs in a stack; by default as many as the device has room for.
        threads: threads of a CPU.
        until: when on `time.monotonic` training ends: at the next evaluation of a stack, whose
            unfinished runs are saved.
        on_progress: called for each run at its evaluations; what it raises ends it all.
        checkpoints: where long runs keep their states, and find them when they begin again.

    Raises:
        SpecError: if the device is not there, or a run is not for a stack (`stackable`).
    """
    specs = list(dict.fromkeys(specs))
    if not all(map(stackable, specs)):
        raise SpecError(ALONE)
    check_device(device)
    check_precision("stacked", precision)
    name = name_of("stacked", precision)
    for group in stacks_of(specs, device, at_once):
        by_epoch = defaultdict(list)  # runs that were interrupted go on where they were
        for spec in group:
            saved = checkpoints.load(spec, name) if checkpoints else None
            by_epoch[int(saved["epoch"]) if saved else None].append((spec, saved))
        for members in by_epoch.values():
            if time.monotonic() >= until:
                return
            how = dict(threads=threads, device=device, precision=precision)
            stack, runs = _begin(*zip(*members), checkpoints, on_progress, **how)
            yield from _train_stack(stack, runs, threads, checkpoints, until)


def _begin(specs, saved, checkpoints, on_progress, **how) -> tuple[StackedEngine, list[Training]]:
    """A stack and what is kept of its runs, from their checkpoints if they have any that fit."""

    def tell(spec):
        return on_progress and (lambda progress: on_progress(spec, progress))

    stack = StackedEngine(specs, [build(spec) for spec in specs], **how)
    runs = [Training(spec, tell(spec)) for spec in specs]
    if saved[0] is not None:
        try:
            stack.restore(saved)
            for run, state in zip(runs, saved):
                run.resume(state)
        except (KeyError, ValueError) as error:
            for spec in specs:
                checkpoints.reject(spec, stack.name, error)
            return _begin(specs, [None], checkpoints, on_progress, **how)
    return stack, runs


def _train_stack(stack, runs: list[Training], threads, checkpoints, until) -> Iterator[Run]:
    """The loop of `lib.train.train`, for a run at each place of a stack."""
    before = time.perf_counter()
    while live := [place for place, run in enumerate(runs) if not run.ended]:
        if len(live) <= SHRINK * len(runs):
            stack.keep(live)
            runs, live = [runs[place] for place in live], range(len(live))
        epoch = min(runs[place].next_epoch for place in live)
        stack.advance(epoch - stack.epoch)
        due = [place for place in live if runs[place].next_epoch == epoch]
        for place in due:
            runs[place].evaluate(Member(stack, place))
        spent, before = (time.perf_counter() - before) / len(live), time.perf_counter()
        for place in live:
            runs[place].seconds += spent
        for place in due:
            runs[place].tell(Member(stack, place))
            if runs[place].ended:
                yield runs[place].run(Member(stack, place), threads)
        late = time.monotonic() >= until
        if checkpoints and (late or checkpoints.due()):
            for place in live:
                if not runs[place].ended:
                    runs[place].save(Member(stack, place), checkpoints)
        if late:
            return


def room_for(spec: RunSpec, device: str) -> int:
    """How many runs like this one a stack may have."""
    if device == "cpu":
        return 8
    free = GPU_MEMORY * torch.cuda.get_device_properties(0).total_memory / 4
    return max(1, int(free // floats_of(spec)))


def stacks_of(
    specs: Iterable[RunSpec], device: str = "cuda", at_once: int | None = None
) -> list[list[RunSpec]]:
    """Runs in stacks: of equal shape, those with equally much data together; the cheapest first.

    A stack costs what its longest run does, so a sweep that ends early has many small models.
    """
    groups: dict[tuple, list[RunSpec]] = defaultdict(list)
    shapes: dict[tuple, tuple] = {}  # data are built once for each shape
    for spec in specs:
        cell = spec.task, spec.modulus, spec.d_model, spec.n_heads, spec.n_layers, spec.norm
        cell += (spec.split_mlp,)
        if cell not in shapes:
            shapes[cell] = shape_of(spec, build(spec))
        groups[shapes[cell]].append(spec)
    found = []
    for group in groups.values():
        group.sort(key=lambda s: s.train_size + s.memorize_size)
        while group:
            n = at_once or room_for(group[-1], device)
            found.append(group[-n:])
            group = group[:-n]
    return sorted(found, key=lambda stack: max(epoch_flops(s) * s.epochs for s in stack))
