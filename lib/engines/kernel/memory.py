"""The arrays of a network in training, by name: what the compiled code works on.

Everything is float32 where nothing else is said, flat, and starts on cache lines.
"""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from lib.data import Split
from lib.engines.kernel.layout import TILE, Sizes, aligned, places
from lib.engines.simd.processor import LANES


class State(NamedTuple):
    """The network, (n_flat,) each (`lib.engines.kernel.layout`)."""

    P: np.ndarray  # parameters
    G: np.ndarray  # their gradient
    M: np.ndarray  # AdamW's moments: of the gradient …
    V: np.ndarray  # … and of its square


class Recipe(NamedTuple):
    """How AdamW steps (float64).  With `lr` 0 only the gradient is computed."""

    lr: float
    weight_decay: float
    of_biases: float  # their weight decay
    beta1: float
    beta2: float
    eps: float


class Samples(NamedTuple):
    """One split, padded to whole tiles, (n,) or, position by position, (length - 1) × n."""

    tokens: np.ndarray  # where a token's column starts in the table (int32)
    slots: np.ndarray  # where its row starts in the table's gradient (int32)
    classes: np.ndarray  # the right class
    labels: np.ndarray  # the place of its logit in a tile (int32)
    weights: np.ndarray  # 1 / size of the split; padding weighs nothing


class Work(NamedTuple):
    """What an epoch computes once for all samples, and the gradients of its chunks."""

    table: np.ndarray  # (panels_seen, rows, TILE) values and scores of all columns
    x_eq: np.ndarray  # (d_p,) the residual stream at "=" before attention
    asks: np.ndarray  # (d_p,) the same as attention sees it
    q: np.ndarray  # (a_p,) its query
    dq: np.ndarray  # the query's gradient
    u: np.ndarray  # (heads_p, d_p) as 4 × 4 blocks: W_K q for each head, so that scores are u E
    du: np.ndarray  # its gradient
    # with LayerNorm, else empty: what attention sees, (panels_seen, d_p, TILE), its gradient, and
    # (panels_seen, TILE) by how much it was multiplied
    seen: np.ndarray
    dseen: np.ndarray
    spread: np.ndarray
    packs: np.ndarray  # (n_packs,) weights for tile registers
    C: np.ndarray  # (chunks, n_chunk) of each chunk; on one thread two rows: the sum, and one


class Scratch(NamedTuple):
    """Room for one chunk: a row for each thread, or (`of_thread`) one of these rows."""

    S: np.ndarray  # activations: tiles_per_chunk tiles of `stride` floats
    sums: np.ndarray  # (length, rows_p, LANES) sums over samples for the positions
    z: np.ndarray  # (length, rows_p, TILE) the table's gradient of one tile
    room: np.ndarray  # (n_room,) packs and sums of tile registers


def samples(sz: Sizes, split: Split) -> Samples:
    """A split as the compiled code reads it."""
    tokens, slots = places(sz, split.tokens)
    n_padded = len(tokens) // (sz.length - 1)
    classes, weights = aligned(n_padded), aligned(n_padded)
    labels = aligned(n_padded, dtype=np.int32)
    classes[: len(split)] = split.labels
    labels[: len(split)] = split.labels * TILE
    labels += np.arange(n_padded, dtype=np.int32) % TILE
    weights[: len(split)] = 1 / max(len(split), 1)
    return Samples(tokens, slots, classes, labels, weights)


def some(sz: Sizes, whole: Samples, parts: np.ndarray) -> Iterator[Samples]:
    """What `samples` makes of n of a split's samples, by their places in it, k times: (k, n)."""
    n, n_padded = parts.shape[1], -(-parts.shape[1] // TILE) * TILE
    own = np.pad(parts, ((0, 0), (0, n_padded - n)), mode="edge")
    tokens, slots = (
        np.take(x.reshape(sz.length - 1, -1), own, axis=1).transpose(1, 0, 2).reshape(len(own), -1)
        for x in (whole.tokens, whole.slots)
    )
    classes, weights = aligned(len(own), n_padded), aligned(len(own), n_padded)
    labels = aligned(len(own), n_padded, dtype=np.int32)
    classes[:, :n] = whole.classes[parts]
    labels[:, :n] = whole.labels[parts] // TILE * TILE
    labels += np.arange(n_padded, dtype=np.int32) % TILE
    weights[:, :n] = 1 / n
    return map(Samples, tokens, slots, classes, labels, weights)


def work(sz: Sizes, n_chunks: int) -> Work:
    """Room for an epoch; `n_chunks`: rows of C."""
    block = sz.heads_p * sz.d_p
    table, columns = sz.panels_seen * sz.rows * TILE, sz.panels_seen * TILE * sz.norm
    seen = columns * sz.d_p, columns * sz.d_p, columns
    counts = table, sz.d_p, sz.d_p, sz.a_p, sz.a_p, block, block, *seen, sz.n_packs
    return Work(*map(aligned, counts), aligned(n_chunks, sz.n_chunk))


def scratch(sz: Sizes, threads: int) -> Scratch:
    """Room for a chunk on each of some threads."""
    widths = (
        sz.tiles_per_chunk * sz.stride, sz.length * sz.rows_p * LANES,
        sz.length * sz.rows_p * TILE, sz.n_room,
    )  # fmt: skip
    return Scratch(*(aligned(threads, width) for width in widths))
