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
from lib.engines.known import unknown_to
from lib.engines.precision import check_precision, name_of
from lib.engines.torch.engine import StackedEngine, shape_of
from lib.engines.torch.single import Member
from lib.runs.checkpoints import Checkpoints
from lib.runs.run import Progress, Run, kept_as
from lib.spec import RunSpec, SpecError
from lib.train import Training

GPU_MEMORY = 0.5
"""Part of a GPU's free memory that the stacks' activations may fill, as estimated."""

FILLS = 5e9
"""Operations of an epoch with which a stack, beside some others, keeps a GPU busy: a larger one
gains nothing, and its runs would be padded to the longest."""


ALONE = (
    "runs with a loss in float32, a batch, tied embeddings, biases without decay or another run's "
    "weights to start from are trained one by one, without --device cuda"
)


STREAMS = 4
"""Stacks that are in training on a GPU at a time."""


END, LONELY = object(), object()
"""What a stack hands out that has ended, and one that has to wait until no other is in training."""


SHRINK = 0.75
"""A stack is packed anew once no more than this part of it is still in training: before that
the runs that have ended are trained on unseen, which is cheaper than packing."""


def stackable(spec: RunSpec) -> bool:
    """Whether a run can be one of a stack."""
    return not (unknown_to("stacked", spec) or spec.init_from)


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

    def train(group: list[RunSpec]) -> Iterator[Run | object | None]:
        """The runs of a stack; where they do not fit beside the others, once more by themselves."""
        left, lonely = list(choose(group)) if time.monotonic() < until else [], False
        while left:
            try:
                for run in attempt(left):
                    if run is not None:
                        left.remove(run.spec)
                    yield run
                return
            except torch.OutOfMemoryError:
                if lonely:
                    raise
            lonely = True
            yield LONELY

    def attempt(specs: list[RunSpec]) -> Iterator[Run | None]:
        by_epoch = defaultdict(list)  # runs that were interrupted go on where they were
        for spec in specs:
            saved = checkpoints.load(spec, name) if checkpoints else None
            by_epoch[int(saved["epoch"]) if saved else None].append((spec, saved))
        for members in by_epoch.values():
            if time.monotonic() >= until:
                return
            with turns.aside():
                stack, runs = _begin(*zip(*members), checkpoints, on_progress, **how)
            yield from _train_stack(stack, runs, threads, checkpoints, until, turns)

    groups = stacks_of(specs, device, at_once)
    yield from turns.take((bytes_of(group), train(group)) for group in groups)


class _Turns:
    """Stacks that are in training at a time: on a GPU some, each on a CUDA stream of its own.

    While one is evaluated the others' steps go on, and short kernels of several fill a GPU
    that those of one would not.  The device's time is charged to them in equal shares.
    """

    def __init__(self, device: str):
        self._active, self._free, self._on = deque(), [None], contextlib.nullcontext
        self._room = math.inf
        self._charged, self._since, self._aside = 0.0, time.perf_counter(), 0.0
        if device == "cuda":
            self._free = [torch.cuda.Stream() for _ in range(STREAMS)]
            self._on, self._room = torch.cuda.stream, _memory()

    @property
    def now(self) -> float:
        """Seconds that a stack in training has been charged, for one whose turn it is."""
        spent = time.perf_counter() - self._since - self._aside
        return self._charged + spent / (len(self._active) + 1)

    @contextlib.contextmanager
    def aside(self) -> Iterator[None]:
        """What happens within is not training, and charged to nobody."""
        began = time.perf_counter()
        yield
        self._aside += time.perf_counter() - began

    def take(self, stacks: Iterable[tuple[float, Iterator[Run | None]]]) -> Iterator[Run]:
        """The runs of all stacks as they end; a stack hands out None where the next may go on.

        One that finds the memory full (`LONELY`) goes on after all others, alone.

        Args:
            stacks: the bytes that each needs, and the stack.
        """
        stacks = deque(stacks)
        while stacks or self._active:
            while stacks and self._free and self._fits(stacks[0][0]):
                self._active.append((self._free.pop(), *stacks.popleft()))
            stream, size, stack = self._active.popleft()
            self._since, self._aside = time.perf_counter(), 0.0
            with self._on(stream):
                run = next(stack, END)
            self._charged = self.now
            if run is END or run is LONELY:
                self._free.append(stream)
                if run is LONELY:
                    torch.cuda.empty_cache()  # nothing without a GPU
                    stacks.append((math.inf, stack))
            elif run is None:
                self._active.append((stream, size, stack))
            else:  # others may end at the same evaluation: all are handed out before others go on
                self._active.appendleft((stream, size, stack))
                yield run

    def _fits(self, size: float) -> bool:
        return not self._active or sum(own for _, own, _ in self._active) + size <= self._room


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
    before, saved = turns.now, time.monotonic()
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
        spent, before = (turns.now - before) / len(live), turns.now
        for place in live:
            runs[place].seconds += spent
        for place in due:
            runs[place].tell(Member(stack, place))
            if runs[place].ended:
                yield runs[place].run(Member(stack, place), threads)
        late = time.monotonic() >= until
        if checkpoints and (late or time.monotonic() - saved >= checkpoints.every):
            for place in live:
                if not runs[place].ended:
                    runs[place].save(Member(stack, place), checkpoints)
            saved = time.monotonic()  # of this stack: others save when it is their time
        if late:
            return


def room_for(spec: RunSpec, device: str) -> int:
    """How many runs like this one a stack has at most."""
    if device == "cpu":
        return 8
    free = _memory() / STREAMS
    return max(1, int(min(free // bytes_of([spec]), math.ceil(FILLS / epoch_flops(spec)))))


def _memory() -> float:
    free, _ = torch.cuda.mem_get_info()  # others may use the GPU as well
    return GPU_MEMORY * free


def bytes_of(stack: list[RunSpec]) -> float:
    """About what a stack's activations take: runs are padded to the longest."""
    return 4.0 * len(stack) * max(map(floats_of, stack))


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
