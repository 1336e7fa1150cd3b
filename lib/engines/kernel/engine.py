"""One network in training, on the Numba kernel: arrays, epochs, evaluations."""

import numpy as np

from lib.data import Dataset, Split
from lib.engines.kernel import epochs
from lib.engines.kernel.layout import TILE, aligned, pack, places, sizes, unpack
from lib.engines.precision import PRECISIONS, check_precision
from lib.engines.simd.processor import LANES
from lib.model import initial_parameters
from lib.spec import RunSpec


def covers(spec: RunSpec) -> bool:
    """Whether the kernel can train this spec: one layer without LayerNorm."""
    return spec.plain


class Engine:
    """A one-layer network with its data and its AdamW state.

    Args:
        spec: what to train.
        data: its data, from `lib.data.build`.
        threads: threads used by `advance` and `evaluate`; the bits do not depend on it.
        parameters: starting values by name (default: `initial_parameters`).
        precision: of the products, one of `lib.engines.precision.PRECISIONS`.

    Raises:
        SpecError: if this processor does not have the precision.
    """

    def __init__(
        self, spec: RunSpec, data: Dataset, threads: int = 1, parameters=None,
        precision: str = "float32",
    ):  # fmt: skip
        check_precision(precision)
        self.name = "numba" if precision == "float32" else f"numba-{precision}"
        self.spec, self.threads, self.epoch = spec, threads, 0
        sz = self.sizes = sizes(
            spec.d_model,
            spec.n_heads,
            spec.d_mlp,
            data.n_tokens,
            data.n_classes,
            data.length,
            equals=data.n_classes,
            split=bool(spec.split_mlp),
            amx=PRECISIONS[precision],
        )
        values = parameters or initial_parameters(spec, data)
        values = {name: np.asarray(value, np.float32) for name, value in values.items()}
        self._shapes = {name: value.shape for name, value in values.items()}
        self._flat = pack(sz, values)
        self._state = (self._flat, *(aligned(sz.n_flat) for _ in range(3)))  # P, G, M, V
        self._data = self._prepare(data.train)
        self._splits = {"train": data.train, "val": data.val, "memorize": data.memorize}
        self._prepared = {name: self._prepare(split) for name, split in self._splits.items()}
        self._n_chunks = -(-len(self._data[3]) // TILE // sz.tiles_per_chunk)
        self._n_chunks = max(1, self._n_chunks)
        block = sz.heads_p * sz.d_p
        self._work = (  # table, x_eq, q, u, du, dq, packs
            aligned(sz.panels * sz.rows * TILE),
            *(aligned(n) for n in (sz.d_p, sz.d_p, block, block, sz.d_p, sz.n_packs)),
        )
        n = max(1, min(threads, self._n_chunks))
        self._chunks = aligned(self._n_chunks if n > 1 else 2, sz.n_chunk)
        self._scratch = (
            aligned(n, sz.tiles_per_chunk * sz.stride),
            aligned(n, sz.length * sz.rows_p * LANES),
            aligned(n, sz.length * sz.rows_p * TILE),
            aligned(n, sz.n_room),
        )

    def _prepare(self, split: Split):
        """Places in table and gradient, labels and weights, padded to whole tiles."""
        tokens, slots = places(self.sizes, split.tokens)
        n_padded = len(tokens) // (self.sizes.length - 1)
        classes, weights = aligned(n_padded), aligned(n_padded)
        labels = aligned(n_padded, dtype=np.int32)
        classes[: len(split)] = split.labels
        labels[: len(split)] = split.labels * TILE
        labels += np.arange(n_padded, dtype=np.int32) % TILE
        weights[: len(split)] = 1 / max(len(split), 1)  # padding weighs nothing
        return tokens, slots, classes, labels, weights

    def _train(self, n_steps: int, lr: float) -> None:
        s = self.spec
        hyper = np.array([lr, s.weight_decay, s.beta1, s.beta2, s.eps])
        parallel = len(self._scratch[0]) > 1
        run = epochs.train_parallel if parallel else epochs.train_serial
        run(
            self.sizes, self._state, self._work, self._data, self._scratch,
            self._chunks, self._n_chunks, self.epoch + 1, n_steps, hyper,
        )  # fmt: skip

    def advance(self, count: int) -> None:
        """Train for some epochs: one full-batch step each."""
        for _ in range(min(count, max(0, (self.spec.warmup or 0) - self.epoch))):
            self._train(1, self.spec.lr * (self.epoch + 1) / self.spec.warmup)
            self.epoch += 1
            count -= 1
        if count > 0:
            self._train(count, self.spec.lr)
            self.epoch += count

    def evaluate(self, split: str) -> tuple[float, float]:
        """Mean loss and accuracy on "train", "val" or "memorize"; NaN where it is empty."""
        count = len(self._splits[split])
        if not count:
            return np.nan, np.nan
        data = self._prepared[split]
        loss, right = np.empty(len(data[3])), np.empty(len(data[3]), np.uint8)
        run = epochs.evaluate_parallel if len(self._scratch[0]) > 1 else epochs.evaluate_serial
        run(self.sizes, self._flat, self._work, data, self._scratch, loss, right)
        return float(loss[:count].sum() / count), float(right[:count].mean())

    def gradients(self) -> dict[str, np.ndarray]:
        """The gradient of the training loss at the present parameters, by name."""
        self._train(1, 0.0)
        return unpack(self.sizes, self._state[1], self._shapes)

    @property
    def parameters(self) -> dict[str, np.ndarray]:
        """The present parameters by their names in `lib.model`, float32 copies."""
        return unpack(self.sizes, self._flat, self._shapes)

    def state(self) -> dict[str, np.ndarray]:
        """All that the run needs to go on from here, on a machine with equal registers."""
        flat, _, m, v = self._state
        here = dict(epoch=np.array(self.epoch), lanes=np.array(LANES))
        return dict(flat=flat.copy(), m=m.copy(), v=v.copy()) | here

    def restore(self, state: dict[str, np.ndarray]) -> None:
        """Go on from a state.  Raises ValueError if it does not fit."""
        flat, _, m, v = self._state
        whole = [state[name] for name in ("flat", "m", "v")]
        if any(x.shape != flat.shape for x in whole) or int(state["lanes"]) != LANES:
            raise ValueError("it is of another network or another kind of processor")
        flat[:], m[:], v[:] = whole
        self.epoch = int(state["epoch"])

    @property
    def param_norm(self) -> float:
        """The Euclidean norm of all parameters together."""
        return float(np.sqrt(np.square(self._flat, dtype=np.float64).sum()))
