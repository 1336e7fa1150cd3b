"""Training many runs at once on one device: `train_many(specs)`, on `lib.engines.torch.engine`.

Runs of equal shape go into one stack.  A run that ends leaves it; the others go on.
"""

import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator

import numpy as np
import torch

from lib.data import Dataset, build
from lib.engines.flops import epoch_flops, floats_of
from lib.engines.torch.engine import PRECISIONS, StackedEngine, engine_name, shape_of
from lib.runs.checkpoints import Checkpoints
from lib.runs.run import Progress, Record, Run
from lib.spec import RunSpec, SpecError

CPU_STACK, CPU_FLOATS = 8, 8_000_000
"""Runs in a stack on a CPU at most, and floats: beyond its caches stacking costs more than it
saves."""


GPU_MEMORY = 0.5
"""Part of a GPU's memory that a stack's activations may fill, as estimated."""


SHRINK = 0.75
"""A stack is packed anew once no more than this part of it is still in training: before that
the runs that have ended are trained on unseen, which is cheaper than packing."""


def check_device(device: str, precision: str = "float32") -> str:
    """The name of a device, for the provenance.

    Raises:
        SpecError: if it is not there, or the precision is unknown.
    """
    if precision not in PRECISIONS:
        raise SpecError(f"unknown precision {precision!r}; known: {', '.join(PRECISIONS)}")
    if device == "cpu":
        return "cpu"
    if device != "cuda":
        raise SpecError(f"unknown device {device!r}; known: cpu, cuda")
    if not torch.cuda.is_available():
        raise SpecError("PyTorch finds no CUDA device here")
    return torch.cuda.get_device_name()


def room_for(spec: RunSpec, device: str) -> int:
    """How many runs like this one a stack may have."""
    if device == "cpu":
        return max(1, min(CPU_STACK, CPU_FLOATS // floats_of(spec)))
    free = GPU_MEMORY * torch.cuda.get_device_properties(0).total_memory / 4
    return max(1, int(free // floats_of(spec)))


def stacks_of(
    specs: Iterable[RunSpec], device: str = "cpu", at_once: int | None = None
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


def train_many(
    specs: Iterable[RunSpec],
    *,
    device: str = "cpu",
    precision: str = "float32",
    at_once: int | None = None,
    threads: int = 1,
    on_progress: Callable[[RunSpec, Progress], None] | None = None,
    checkpoints: Checkpoints | None = None,
) -> Iterator[Run]:
    """Train runs in stacks on the PyTorch engine; each is handed out as it ends.

    Args:
        specs: what to train; any mixture of shapes.
        device: "cpu" or "cuda".
        precision: of the matrix products, "float32" or "bf16" (`lib.engines.torch.engine`).
        at_once: runs in a stack; by default as many as the device has room for.
        threads: threads of a CPU.
        on_progress: called for each run at its evaluations; what it raises ends it all.
        checkpoints: where long runs keep their states, and find them when they begin again.

    Raises:
        SpecError: if the device is not there, or a run starts from another's weights.
    """
    specs = list(dict.fromkeys(specs))
    if any(spec.init_from for spec in specs):
        raise SpecError("runs that start from another run's weights are trained one by one")
    where, name = check_device(device, precision), engine_name(precision)
    for stack in stacks_of(specs, device, at_once):
        by_epoch = defaultdict(list)  # runs that were interrupted go on where they were
        for spec in stack:
            saved = checkpoints.load(spec, name) if checkpoints else None
            by_epoch[int(saved["epoch"]) if saved else 0].append((spec, saved))
        for members in by_epoch.values():
            own, saved = zip(*members)
            datas = [build(spec) for spec in own]
            network = StackedEngine(own, datas, threads, device=device, precision=precision)
            yield from _Stack(network, own, saved, datas, name, where, threads).train(
                on_progress, checkpoints
            )


class _Stack:
    """One stack in training.  `live`: the runs' places in it; None: a run that has ended."""

    def __init__(self, network, specs, saved, datas: list[Dataset], name, where, threads):
        self.network, self.name, self.where, self.threads = network, name, where, threads
        self.records: list[Record | None] = [Record(spec) for spec in specs]
        self.seconds = dict.fromkeys(specs, 0.0)
        if saved[0] is not None:
            network.restore(saved)
            for record, state in zip(self.records, saved):
                self.seconds[record.spec] = float(state["seconds"])
                for row in state["rows"].tolist():
                    record.add(tuple(row))

    def train(self, on_progress, checkpoints) -> Iterator[Run]:
        schedules = {r.spec: set(r.spec.eval_epochs().tolist()) for r in self.records}
        before = time.perf_counter()
        while any(self.records):
            live = [record for record in self.records if record]
            now = self.network.epoch
            epoch = min(int(r.spec.eval_epochs()[len(r.rows)]) for r in live)
            self.network.advance(epoch - now)
            rows = self._measure()
            spent, before = (time.perf_counter() - before) / len(live), time.perf_counter()
            for place, record in enumerate(self.records):
                if record is None:
                    continue
                self.seconds[record.spec] += spent
                if epoch not in schedules[record.spec]:
                    continue
                ended = record.add((epoch, *rows[place]))
                if on_progress and record.status != "diverged":
                    on_progress(record.spec, record.progress(self.seconds[record.spec]))
                if ended:
                    yield record.run(
                        self.network.parameters[place], self.name, self.threads,
                        self.seconds[record.spec], self.where,
                    )  # fmt: skip
                    self.records[place] = None
            self._pack()
            if checkpoints and checkpoints.due():
                for place, record in enumerate(self.records):
                    if record:
                        state, spent = self.network.state(place), self.seconds[record.spec]
                        checkpoints.save(record.spec, self.name, state, record.rows, spent)

    def _measure(self) -> list[tuple]:
        """A row of the curve for each place, in the order of `lib.runs.run.CURVE`."""
        train, val, memorize = (self.network.evaluate(s) for s in ("train", "val", "memorize"))
        columns = (train[0], val[0], train[1], val[1], memorize[1], self.network.param_norms)
        return [tuple(row) for row in np.stack(columns, axis=1).tolist()]

    def _pack(self) -> None:
        places = [i for i, record in enumerate(self.records) if record]
        if places and len(places) <= SHRINK * len(self.records):
            self.network.keep(places)
            self.records = [self.records[i] for i in places]
