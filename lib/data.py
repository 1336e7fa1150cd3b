"""The data of a run: splits as arrays of tokens (§2.1, §2.3, §4.3, §5)."""

from dataclasses import dataclass

import numpy as np

from lib.spec import RunSpec, SpecError
from lib.tasks import TASKS, Labels


@dataclass(frozen=True)
class Split:
    """Inputs and labels: `tokens` (n, length) int32, `labels` (n,) int32."""

    tokens: np.ndarray
    labels: np.ndarray

    def __len__(self) -> int:
        return len(self.labels)


@dataclass(frozen=True)
class Dataset:
    """All data of one run.

    Attributes:
        train: everything that is trained on; in the multi-task setting the algorithmic
            points first, the memorization points after them.
        val: the rest of the algorithmic pairs; empty where train_size = P².
        memorize: the memorization points alone (empty in the other tasks).
        n_tokens: size of the vocabulary (input tokens, operators, "=").
        n_classes: size of the output, P.
    """

    train: Split
    val: Split
    memorize: Split
    n_tokens: int
    n_classes: int

    @property
    def length(self) -> int:
        """Tokens in one input: 3, or 4 with an operator."""
        return self.train.tokens.shape[1]


def stream(spec: RunSpec, name: str) -> np.random.Generator:
    """The random stream `name` of the spec's seed.

    Streams are separate by name and depend on nothing else of the spec, so widths share
    their splits and a change of one stream's use leaves the others alone.
    """
    return np.random.default_rng([spec.seed, *name.encode()])


def batches(spec: RunSpec, epoch: int, count: int) -> list[np.ndarray]:
    """The places of each of an epoch's batches among `count` training points, shuffled.

    They depend on the epoch's number alone, so that a run can be taken up anywhere.
    """
    order = stream(spec, f"batch-{epoch}").permutation(count)
    return [order[at : at + spec.batch] for at in range(0, count, spec.batch)]


def all_pairs(modulus: int) -> tuple[np.ndarray, np.ndarray]:
    """Every ordered pair: two int64 arrays of length P², a slow and b fast."""
    a, b = np.divmod(np.arange(modulus**2), modulus)
    return a, b


def build(spec: RunSpec) -> Dataset:
    """The data of a run: the training set is the first `train_size` pairs of a permutation.

    Sets are therefore nested in `train_size` and shared by all widths of a seed.  Tokens are
    0 … P-1, then "=", then the two operators; the operator stands between a and b.

    Raises:
        SpecError: if a label of the task is none of the classes.
    """
    kind, modulus = TASKS[spec.task], spec.modulus
    a, b = all_pairs(modulus)
    labels = _labels(spec, kind.labels, "labels")
    order = stream(spec, "split").permutation(modulus**2)
    chosen, rest = order[: spec.train_size], order[spec.train_size :]
    equals, plus, minus = modulus, modulus + 1, modulus + 2
    mixed = kind.memorize is not None

    def split(index, labels, operator=plus):
        columns = [a[index], b[index], np.full(len(index), equals)]
        if mixed:
            columns.insert(1, np.full(len(index), operator))
        tokens = np.stack(columns, axis=1).astype(np.int32)
        return Split(tokens, np.ascontiguousarray(labels[index]).astype(np.int32))

    train, val = split(chosen, labels), split(rest, labels)
    memorize = split(order[:0], labels)
    if mixed:
        memorized = stream(spec, "memorize-split").permutation(modulus**2)[: spec.memorize_size]
        memorize = split(memorized, _labels(spec, kind.memorize, "memorize-labels"), minus)
        train = Split(
            np.concatenate([train.tokens, memorize.tokens]),
            np.concatenate([train.labels, memorize.labels]),
        )
    return Dataset(train, val, memorize, modulus + (3 if mixed else 1), modulus)


def _labels(spec: RunSpec, labelling: Labels, name: str) -> np.ndarray:
    """The labels of all pairs; engines look nothing up beyond the classes, and do not check."""
    labels = np.asarray(labelling(*all_pairs(spec.modulus), spec.modulus, stream(spec, name)))
    if labels.shape != (spec.modulus**2,) or labels.dtype.kind not in "iu":
        raise SpecError(f"task {spec.task!r} must give a whole number for each pair")
    if not np.all((labels >= 0) & (labels < spec.modulus)):
        raise SpecError(f"a label of task {spec.task!r} is not from 0 to modulus - 1")
    return labels
