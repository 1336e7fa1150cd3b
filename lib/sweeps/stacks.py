"""Training in stacks: runs of one shape are trained as one model, whatever keeps or shows them.

A run that ends leaves its stack; the others go on.  Those that were interrupted go on from
their checkpoints, together with those that were saved at the same epoch.
"""

import contextlib
import math
import time
from collections import defaultdict, deque
from collections.abc import Callable, Iterable, Iterator

import torch

from lib.data import build
from lib.engines.choose import check_device
from lib.engines.flops import epoch_flops, floats_of
from lib.engines.precision import check_precision, name_of
from lib.engines.torch.engine import StackedEngine, shape_of
from lib.engines.torch.single import Member
from lib.runs.checkpoints import Checkpoints
from lib.runs.run import Progress, Run, kept_as
from lib.spec import RunSpec, SpecError
from lib.train import Training

GPU_MEMORY = 0.5
"""Part of a GPU's memory that the stacks' activations may fill, as estimated."""

FILLS = 5e9
"""Operations of an epoch with which a stack, beside some others, keeps a GPU busy: a larger one
gains nothing, and its runs would be padded to the longest."""


ALONE = (
    "runs with a loss in float32, a batch or another run's weights to start from are trained "
    "one by one, without --device cuda"
)


STREAMS = 4
"""Stacks that are in training on a GPU at a time."""


END = object()


SHRINK = 0.75
"""A stack is packed anew once no more than this part of it is still in training: before that
the runs that have ended are trained on unseen, which is cheaper than packing."""


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
    choose: Callable[[list[RunSpec]], list[RunSpec]] = list,
) -> Iterator[Run]:
    """Train runs in stacks on the PyTorch engine; each is handed out as it ends.

    Args:
        specs: what to train; any mixture of shapes.
        device: "cuda"; "cpu", where stacks are slower than single runs, is for tests.
        precision: of the matrix products, "float32" or "bf16".
        at_once: runs in a stack; by default as many as fill the device, if it has room for them.
        threads: threads of a CPU.
        until: when on `time.monotonic` training ends: at the next evaluation of a stack, whose
            unfinished runs are saved.
        on_progress: called for each run at its evaluations; what it raises ends it all.
        checkpoints: where long runs keep their states, and find them when they begin again.
        choose: those of a stack that are to be trained, asked before it begins.

    Raises:
        SpecError: if the device is not there, or a run is not for a stack (`stackable`).
    """
    specs = list(dict.fromkeys(specs))
    if not all(map(stackable, specs)):
        raise SpecError(ALONE)
    check_device(device)
    check_precision("stacked", precision)
    name = kept_as(name_of("stacked", precision), device)
    how = dict(threads=threads, device=device, precision=precision)
    turns = _Turns(device)

    def train(group: list[RunSpec]) -> Iterator[Run | None]:
        by_epoch = defaultdict(list)  # runs that were interrupted go on where they were
        for spec in choose(group):
            saved = checkpoints.load(spec, name) if checkpoints else None
            by_epoch[int(saved["epoch"]) if saved else None].append((spec, saved))
        for members in by_epoch.values():
            if time.monotonic() >= until:
                return
            stack, runs = _begin(*zip(*members), checkpoints, on_progress, **how)
            yield from _train_stack(stack, runs, threads, checkpoints, until, turns)

    yield from turns.take(train(group) for group in stacks_of(specs, device, at_once))


class _Turns:
    """Stacks that are in training at a time: on a GPU some, each on a CUDA stream of its own.

    While one is evaluated the others' steps go on, and short kernels of several fill a GPU
    that those of one would not.
    """

    def __init__(self, device: str):
        self._active, self._free, self._on = deque(), [None], contextlib.nullcontext
        if device == "cuda":
            self._free = [torch.cuda.Stream() for _ in range(STREAMS)]
            self._on = torch.cuda.stream

    def __len__(self) -> int:
        """How many are in training, the one whose turn it is included."""
        return len(self._active) + 1

    def take(self, stacks: Iterator[Iterator[Run | None]]) -> Iterator[Run]:
        """The runs of all stacks as they end; a stack hands out None where the next may go on."""
        while True:
            while self._free and (stack := next(stacks, None)) is not None:
                self._active.append((self._free.pop(), stack))
            if not self._active:
                return
            stream, stack = self._active.popleft()
            with self._on(stream):
                run = next(stack, END)
            if run is END:
                self._free.append(stream)
                continue
            self._active.append((stream, stack))
            if run is not None:
                yield run


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
                checkpoints.reject(spec, kept_as(stack.name, stack.device_name), error)
            return _begin(specs, [None], checkpoints, on_progress, **how)
    return stack, runs


def _train_stack(
    stack, runs: list[Training], threads, checkpoints, until, turns
) -> Iterator[Run | None]:
    """The loop of `lib.train.train`, for a run at each place of a stack."""
    before, saved = time.perf_counter(), time.monotonic()
    while live := [place for place, run in enumerate(runs) if not run.ended]:
        if len(live) <= SHRINK * len(runs):
            stack.keep(live)
            runs, live = [runs[place] for place in live], range(len(live))
        epoch = min(runs[place].next_epoch for place in live)
        stack.advance(epoch - stack.epoch)
        yield None
        due = [place for place in live if runs[place].next_epoch == epoch]
        for place in due:
            runs[place].evaluate(Member(stack, place))
        now = time.perf_counter()  # all stacks share the device's time
        spent, before = (now - before) / len(live) / len(turns), now
        for place in live:
            runs[place].seconds += spent
        for place in due:
            runs[place].tell(Member(stack, place))
            if runs[place].ended:
                yield runs[place].run(Member(stack, place), threads)
        before = time.perf_counter()  # what others do with a run is not the others' time
        late = time.monotonic() >= until
        if checkpoints and (late or time.monotonic() - saved >= checkpoints.every):
            saved = time.monotonic()  # of this stack: others save when it is their time
            for place in live:
                if not runs[place].ended:
                    runs[place].save(Member(stack, place), checkpoints)
        if late:
            return


def room_for(spec: RunSpec, device: str) -> int:
    """How many runs like this one a stack has at most."""
    if device == "cpu":
        return 8
    free = GPU_MEMORY * torch.cuda.get_device_properties(0).total_memory / 4 / STREAMS
    return max(1, int(min(free // floats_of(spec), math.ceil(FILLS / epoch_flops(spec)))))


def stacks_of(
    specs: Iterable[RunSpec], device: str = "cuda", at_once: int | None = None
) -> list[list[RunSpec]]:
    """Runs in stacks: of equal shape, those with equally much data together; the cheapest first.

    A stack costs what its longest run does, so a sweep that ends early has many small models.
    """
    groups: dict[tuple, list[RunSpec]] = defaultdict(list)
    for spec in specs:
        groups[shape_of(spec)].append(spec)
    found = []
    for group in groups.values():
        group.sort(key=lambda s: s.train_size + s.memorize_size)
        while group:
            n = at_once or room_for(group[-1], device)
            found.append(group[-n:])
            group = group[:-n]
    return sorted(found, key=lambda stack: max(epoch_flops(s) * s.epochs for s in stack))
