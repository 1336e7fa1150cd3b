"""One network in training, on the Numba kernel: arrays, epochs, evaluations."""

import itertools
from collections.abc import Iterator
from pathlib import Path

import numba
import numpy as np

from lib.data import Dataset, batches
from lib.engines.kernel import epochs, memory
from lib.engines.kernel.layout import aligned, pack, sizes, unpack
from lib.engines.kernel.pace import Pace
from lib.engines.precision import PARTS, name_of
from lib.engines.simd import processor
from lib.engines.simd.kept import compile_kept
from lib.engines.simd.processor import LANES
from lib.initial import initial_values
from lib.spec import RunSpec, SpecError


def check_tiles(precision: str) -> None:
    """Raise SpecError for a precision that needs tile registers, where there are none."""
    if PARTS[precision] and not processor.AMX:
        raise SpecError(f"{precision} needs a processor with tile registers (AMX); use float32")


def compiles(threads: int) -> bool:
    """Whether code for so many threads has to be compiled first, which takes half a minute."""
    kind = "parallel" if threads > 1 else "serial"
    functions = [getattr(epochs, f"{what}_{kind}") for what in ("train", "evaluate")]
    # Each keeps its code in a folder of this checkout's own: another one has the same sources.
    kept = [Path(f.stats.cache_path).glob(f"epochs.{f.__name__}-*.nbi") for f in functions]
    return not all(map(any, kept))


class Engine:
    """A one-layer network with its data and its AdamW state (`lib.engines.choose.Engine`).

    Args:
        spec: what to train.
        data: its data, from `lib.data.build`.
        threads: threads used by `advance` and `evaluate`; the bits do not depend on it.
        parameters: starting values by name (default: `lib.initial.initial_values`).
        precision: of the products, one of `lib.engines.precision.PARTS`.

    Raises:
        SpecError: if this processor does not have the precision.
    """

    device = "cpu"

    def __init__(
        self, spec: RunSpec, data: Dataset, threads: int = 1, parameters=None,
        precision: str = "float32",
    ):  # fmt: skip
        check_tiles(precision)
        self.name = name_of("numba", precision)
        self.spec, self.epoch = spec, 0
        sz = self.sizes = sizes(
            spec.d_model,
            spec.n_heads,
            spec.head_width,
            spec.mlp_width,
            data.n_tokens,
            data.n_classes,
            data.length,
            split=bool(spec.split_mlp),
            amx=PARTS[precision],
            rounds=spec.loss == "float32",
            tied=bool(spec.tied),
            norm=spec.norm == "pre",
        )
        values = parameters or initial_values(spec, data)
        values = {name: np.asarray(value, np.float32) for name, value in values.items()}
        self._shapes = {name: value.shape for name, value in values.items()}
        self._state = memory.State(pack(sz, values), *(aligned(sz.n_flat) for _ in range(3)))
        splits = {"train": data.train, "val": data.val, "memorize": data.memorize}
        self._counts = {name: len(split) for name, split in splits.items()}
        self._splits = {name: memory.samples(sz, split) for name, split in splits.items()}
        chunks = epochs.count_chunks.py_func(sz, self._splits["train"])
        together = epochs.count_chunks.py_func(sz, next(self._batches()))
        n = max(1, min(threads, together))
        self.threads, self._parallel = n, n > 1
        self._work = memory.work(sz, chunks if self._parallel else 2)
        self._scratch = memory.scratch(sz, n)
        self._pace = Pace(n)
        self._compile()

    def _train(self, samples: memory.Samples, step: int, n_steps: int, lr: float) -> None:
        """Some steps on the same samples; `step`: the number of the first, which AdamW needs."""
        s = self.spec
        of_biases = 0.0 if s.decayed else s.weight_decay
        recipe = memory.Recipe(lr, s.weight_decay, of_biases, s.beta1, s.beta2, s.eps)
        run = epochs.train_parallel if self._parallel else epochs.train_serial
        for threads, count in self._pace.blocks(n_steps) if self._parallel else [(1, n_steps)]:
            scratch = self._room(threads)
            run(self.sizes, self._state, self._work, samples, scratch, recipe, step, count)
            step += count

    def _batches(self) -> Iterator[memory.Samples]:
        """What the steps of the next epoch look at: everything, or one batch after the other."""
        if self.spec.batch is None:
            yield self._splits["train"]
            return
        parts = batches(self.spec, self.epoch + 1, self._counts["train"])
        for _, alike in itertools.groupby(parts, len):  # the last may be smaller
            yield from memory.some(self.sizes, self._splits["train"], np.array([*alike]))

    def _compile(self) -> None:
        """Compile, or load what was compiled before, so that training is timed without it."""
        recipe, room = memory.Recipe(*6 * (0.0,)), self._room(self._pace.threads)
        here, samples = (self.sizes, self._state, self._work), self._splits["train"]
        loss, right = np.empty(0), np.empty(0, np.uint8)
        train = epochs.train_parallel if self._parallel else epochs.train_serial
        evaluate = epochs.evaluate_parallel if self._parallel else epochs.evaluate_serial
        calls = {
            train: (*here, samples, room, recipe, 1, 1),
            evaluate: (self.sizes, self._state.P, self._work, samples, room, loss, right),
        }
        for function, arguments in calls.items():
            compile_kept(function, arguments)

    def _room(self, threads: int) -> memory.Scratch:
        """Room for so many threads, and they alone are woken."""
        if self._parallel:
            numba.set_num_threads(min(threads, numba.config.NUMBA_NUM_THREADS))
        return memory.Scratch(*(rows[:threads] for rows in self._scratch))

    def advance(self, count: int) -> None:
        """Train for some epochs: one full-batch step each, or one on each batch."""
        s = self.spec
        while count:
            warming = self.epoch < (s.warmup or 0)
            lr = s.lr * (self.epoch + 1) / s.warmup if warming else s.lr
            block = 1 if warming or s.batch else count
            for step, samples in enumerate(self._batches(), self.epoch * s.steps + 1):
                self._train(samples, step, block, lr)
            self.epoch += block
            count -= block

    def evaluate(self, split: str) -> tuple[float, float]:
        """Mean loss and accuracy on "train", "val" or "memorize"; NaN where it is empty."""
        count, samples = self._counts[split], self._splits[split]
        if not count:
            return np.nan, np.nan
        loss, right = np.empty(len(samples.labels)), np.empty(len(samples.labels), np.uint8)
        run = epochs.evaluate_parallel if self._parallel else epochs.evaluate_serial
        scratch = self._room(self._pace.threads)
        run(self.sizes, self._state.P, self._work, samples, scratch, loss, right)
        return float(loss[:count].sum() / count), float(right[:count].mean())

    def gradients(self) -> dict[str, np.ndarray]:
        """The gradient of the training loss at the present parameters, by name."""
        self._train(self._splits["train"], 1, 1, 0.0)
        return unpack(self.sizes, self._state.G, self._shapes)

    @property
    def parameters(self) -> dict[str, np.ndarray]:
        """The present parameters by their names in `lib.model`, float32 copies."""
        return unpack(self.sizes, self._state.P, self._shapes)

    def state(self) -> dict[str, np.ndarray]:
        """All that the run needs to go on from here, on a machine with equal registers."""
        P, _, M, V = self._state
        here = dict(epoch=np.array(self.epoch), lanes=np.array(LANES))
        return dict(flat=P.copy(), m=M.copy(), v=V.copy()) | here

    def restore(self, state: dict[str, np.ndarray]) -> None:
        """Go on from a state.  Raises KeyError or ValueError if it does not fit."""
        P, _, M, V = self._state
        whole = [state[name] for name in ("flat", "m", "v")]
        if any(x.shape != P.shape for x in whole) or int(state["lanes"]) != LANES:
            raise ValueError("it is of another network or another kind of processor")
        P[:], M[:], V[:] = whole
        self.epoch = int(state["epoch"])

    @property
    def param_norm(self) -> float:
        """The Euclidean norm of all parameters together."""
        P = self._state.P[: self.sizes.W_U if self.sizes.tied else None]
        return float(np.sqrt(np.square(P, dtype=np.float64).sum()))
