"""How the fast trainer keeps a network in memory (`lib.engines.kernel.network` says why).

Parameters, gradients and AdamW's moments are flat float32 arrays with the same places:
matrices with rows = outputs, as 4 × 4 blocks; W_E and W_pos together as the columns of E.
"""

from typing import NamedTuple

import numpy as np
from numba import njit
from numba.extending import register_jitable

from lib.engines.simd.processor import LANES, REGISTERS, UNIT
from lib.engines.simd.vectors import INNER

TILE = (4 if REGISTERS == 32 else 6) * LANES  # samples in a tile: whole register blocks
LINE = 16  # floats in a cache line
CACHE_FLOATS = 220_000  # aim for a chunk's activations, in floats (0.9 MB)


class Sizes(NamedTuple):
    """Sizes (padded where the name ends in _p) and places in the flat arrays, in floats."""

    d: int  # d_model
    n_heads: int
    d_head: int
    length: int  # tokens in an input, "=" included
    n_tokens: int
    n_classes: int
    equals: int  # the token "=", which follows the numbers: as many as classes
    d_p: int  # multiples of 4, of 16 with tile registers
    a_p: int  # all heads together: n_heads · d_head
    heads_p: int
    mlp_p: int
    classes_p: int
    panels: int  # tiles of E: tokens, then positions
    # what attention looks at, as columns of the table: tokens, then positions; with LayerNorm
    # each token at each place, "=", then zeros for the positions
    seen: int  # columns before those of the positions
    asking: int  # that of "="
    panels_seen: int  # their tiles
    rows: int  # rows of the table: values, then scores
    rows_p: int  # the same, a multiple of the lanes
    # parameters, flat: E holds W_E and W_pos as columns
    E: int
    W_Q: int
    W_K: int
    W_V: int
    W_O: int
    W_in: int
    b_in: int
    W_out: int
    b_out: int
    W_U: int
    n_flat: int
    # a chunk's gradient, flat: the table (a row of rows_p a token), the residual at "=",
    # then W_O … W_U as above
    x_eq: int
    tail: int
    n_chunk: int
    # a tile of activations
    V: int
    A: int
    O: int  # noqa: E741
    X: int
    H: int
    Y: int
    L: int
    dX: int
    N: int  # the MLP's input: X, or with LayerNorm its own
    spread: int  # with LayerNorm: 1 / deviation at X, then at Y
    stride: int
    # the split into chunks, and that of the MLP (appendix B): half of its units, or 0; the
    # place of the operator "-" in the table
    tiles_per_chunk: int
    half: int
    minus: int
    # parts of a float with tile registers (else 0): places of the packs of W_O … W_U, and of their
    # transposes; the size of all; room for the packs of a chunk
    amx: int
    p_O: int
    p_in: int
    p_out: int
    p_U: int
    t_O: int
    t_in: int
    t_out: int
    t_U: int
    n_packs: int
    n_room: int
    rounds: bool  # the loss's gradient rounds as in float32
    tied: bool  # W_U is the numbers' columns of E
    norm: bool  # a LayerNorm before attention, MLP and W_U


@register_jitable
def _up(n: int, unit: int) -> int:
    return -(-n // unit) * unit


@register_jitable
def _pack_size(rows: int, terms: int, step: int) -> int:
    return _up(rows, 16) // 16 * (_up(terms, 32) // 32) * step


@njit(**INNER)
def element_at(w, n_in, j, k):
    """Where row j, column k of a matrix stored as 4 × 4 blocks lies."""
    return w + ((j >> 2) * n_in + (k >> 2)) * 16 + (j & 3) * 4 + (k & 3)


@njit(**INNER)
def column_at(sz, n_rows, token):
    """Where a vocabulary column starts in panels of `n_rows` rows; its rows are TILE apart."""
    return (token // TILE) * n_rows * TILE + token % TILE


@register_jitable
def sizes(
    d_model: int, n_heads: int, d_head: int, d_mlp: int, n_tokens: int, n_classes: int,
    length: int, split: bool = False, amx: int = 0, rounds: bool = False, tied: bool = False,
    norm: bool = False,
) -> Sizes:  # fmt: skip
    """Everything that the kernel has to know about a network's shape.

    Plain arithmetic, so that Numba can compile it for a page too (`lib.engines.wasm`).

    split: an MLP with a half for each task.  amx: parts of a float in products on tile
    registers (`lib.engines.kernel.amx_products`), 0 for products on vectors.  rounds: the
    gradient of the loss as plain float32 has it.  tied: one matrix embeds numbers and unembeds.
    norm: LayerNorm.
    """
    unit = 16 if amx else 4
    d_p, mlp_p, classes_p = _up(d_model, unit), _up(d_mlp, unit), _up(n_classes, unit)
    a_p = _up(n_heads * d_head, unit)
    heads_p = _up(n_heads, 4)
    panels = _up(n_tokens + length, TILE) // TILE
    seen = (length - 1) * n_tokens + 1 if norm else n_tokens
    asking = seen - 1 if norm else n_classes
    panels_seen = _up(seen + length, TILE) // TILE
    rows = a_p + heads_p
    # parameters, one after the other, each from a cache line on
    square, wide = _up(a_p * d_p, LINE), _up(mlp_p * d_p, LINE)
    W_Q = _up(panels * d_p * TILE, LINE)
    W_K = W_Q + square
    W_V = W_K + square
    W_O = W_V + square
    W_in = W_O + square
    b_in = W_in + wide
    W_out = b_in + _up(mlp_p, LINE)
    b_out = W_out + wide
    W_U = b_out + _up(d_p, LINE)
    n_flat = W_U + _up(classes_p * d_p, LINE)
    # a chunk's gradient
    rows_p = _up(rows, LANES)
    x_eq = _up(panels_seen * TILE * rows_p, LINE)
    tail = x_eq + _up(d_p, LINE)
    n_chunk = tail + n_flat - W_O
    # a tile of activations, in rows
    A = (length - 1) * a_p
    O = A + length * heads_p  # noqa: E741
    X = O + a_p
    H = X + d_p
    Y = H + mlp_p
    L = Y + max(d_p, a_p)
    dX = L + classes_p
    N = dX + d_p if norm else X
    spread = dX + d_p + (d_p if norm else 0)
    # An odd number of 4-row groups: tiles then start in different sets of the first-level
    # cache (a multiple of 4 KiB would make them evict each other).
    stride = ((spread + (4 if norm else 0)) // 4 | 1) * 4 * TILE
    # tile registers are so fast that reading packs and adding up gradients count: fewer chunks
    least = 512 if amx else 256
    per_chunk = max(least // TILE, min(768 // TILE, CACHE_FLOATS // stride))
    # packs of the weights, and of their transposes
    step = amx * UNIT
    p_in = _pack_size(d_p, a_p, step)
    p_out = p_in + _pack_size(mlp_p, d_p, step)
    p_U = p_out + _pack_size(d_p, mlp_p, step)
    t_O = p_U + _pack_size(classes_p, d_p, step)
    t_in = t_O + _pack_size(a_p, d_p, step)
    t_out = t_in + _pack_size(d_p, mlp_p, step)
    t_U = t_out + _pack_size(mlp_p, d_p, step)
    n_packs = t_U + _pack_size(d_p, classes_p, step)
    block = per_chunk * TILE // 32 * step
    widest = _up(max(a_p, d_p, mlp_p, classes_p), 32) // 32
    room = max(4 * widest * step, (d_p // 16 + 2) * block) + 1024
    room = room if amx else 0
    half = d_mlp // 2 if split else 0
    operator = n_tokens - 1 + (n_tokens if norm else 0)
    minus = operator // TILE * rows * TILE + operator % TILE
    return Sizes(
        d_model, n_heads, d_head, length, n_tokens, n_classes, n_classes,
        d_p, a_p, heads_p, mlp_p, classes_p, panels, seen, asking, panels_seen, rows, rows_p,
        0, W_Q, W_K, W_V, W_O, W_in, b_in, W_out, b_out, W_U, n_flat,
        x_eq, tail, n_chunk,
        0, A * TILE, O * TILE, X * TILE, H * TILE, Y * TILE, L * TILE, dX * TILE, N * TILE,
        spread * TILE, stride,
        per_chunk, half, minus,
        amx, 0, p_in, p_out, p_U, t_O, t_in, t_out, t_U, n_packs, room, rounds, tied,
        norm,
    )  # fmt: skip


def aligned(*shape: int, dtype=np.float32) -> np.ndarray:
    """Zeros whose rows start on cache lines (a vector that straddles two costs double)."""
    unit = 64 // np.dtype(dtype).itemsize
    width = _up(shape[-1], unit)
    count = int(np.prod(shape[:-1], dtype=np.int64)) * width
    raw = np.zeros(count * np.dtype(dtype).itemsize + 64, np.uint8)
    start = -raw.ctypes.data % 64
    whole = raw[start : start + count * np.dtype(dtype).itemsize].view(dtype)
    return whole.reshape(*shape[:-1], width)[..., : shape[-1]]


def _matrices(sz: Sizes) -> dict[str, tuple[int, int, int]]:
    """Parameter name in `lib.model` -> place, padded rows (outputs), padded columns."""
    d, a, m = sz.d_p, sz.a_p, sz.mlp_p
    attention, mlp = "blocks.0.attention.", "blocks.0.mlp."
    return {
        attention + "W_Q": (sz.W_Q, a, d),
        attention + "W_K": (sz.W_K, a, d),
        attention + "W_V": (sz.W_V, a, d),
        attention + "W_O": (sz.W_O, d, a),
        mlp + "W_in": (sz.W_in, m, d),
        mlp + "W_out": (sz.W_out, d, m),
        "W_U": (sz.W_U, sz.classes_p, d),
    }


def pack(sz: Sizes, parameters: dict[str, np.ndarray]) -> np.ndarray:
    """Parameters by their names in `lib.model` -> one flat array (n_flat,)."""
    flat = aligned(sz.n_flat)
    if sz.tied:
        parameters = parameters | {"W_U": np.asarray(parameters["W_E"])[: sz.n_classes].T}
    for name, (at, rows, columns) in _matrices(sz).items():
        padded = np.zeros((rows, columns), np.float32)
        value = np.asarray(parameters[name]).T
        padded[: value.shape[0], : value.shape[1]] = value
        blocks = padded.reshape(rows // 4, 4, columns // 4, 4).transpose(0, 2, 1, 3)
        flat[at : at + rows * columns] = blocks.ravel()
    for name, at in (("b_in", sz.b_in), ("b_out", sz.b_out)):
        value = np.asarray(parameters["blocks.0.mlp." + name])
        flat[at : at + len(value)] = value
    columns = np.concatenate([np.asarray(parameters["W_E"]), np.asarray(parameters["W_pos"])])
    panels = np.zeros((sz.panels * TILE, sz.d_p), np.float32)
    panels[: len(columns), : sz.d] = columns
    panels = panels.reshape(sz.panels, TILE, sz.d_p).transpose(0, 2, 1)
    flat[: panels.size] = panels.ravel()
    return flat


def unpack(
    sz: Sizes, flat: np.ndarray, shapes: dict[str, tuple[int, ...]]
) -> dict[str, np.ndarray]:
    """The opposite of `pack`: arrays of the given shapes, by name, in the order of `shapes`."""
    values = {}
    for name, (at, rows, columns) in _matrices(sz).items():
        if name not in shapes:  # tied
            continue
        blocks = flat[at : at + rows * columns].reshape(rows // 4, columns // 4, 4, 4)
        whole = blocks.transpose(0, 2, 1, 3).reshape(rows, columns).T
        values[name] = whole[tuple(slice(n) for n in shapes[name])].copy()
    for name, at in (("b_in", sz.b_in), ("b_out", sz.b_out)):
        name = "blocks.0.mlp." + name
        values[name] = flat[at : at + shapes[name][0]].copy()
    panels = flat[: sz.panels * sz.d_p * TILE].reshape(sz.panels, sz.d_p, TILE)
    columns = panels.transpose(0, 2, 1).reshape(-1, sz.d_p)[:, : sz.d]
    values["W_E"] = columns[: sz.n_tokens].copy()
    values["W_pos"] = columns[sz.n_tokens : sz.n_tokens + sz.length].copy()
    return {name: values[name] for name in shapes}


def places(sz: Sizes, tokens: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Tokens (n, length) -> where their columns lie in the table, and in its gradient.

    Both (length - 1, n padded), flat int32.  The last token is "=" everywhere and is left
    out; padding repeats the last sample, so that it needs no other half of a split MLP.
    """
    n_padded = _up(max(len(tokens), 1), TILE)
    padded = np.zeros((n_padded, sz.length - 1), np.int32)
    padded[: len(tokens)] = tokens[:, :-1]
    if len(tokens):
        padded[len(tokens) :] = tokens[-1, :-1]
    if sz.norm:
        padded += np.arange(sz.length - 1, dtype=np.int32) * sz.n_tokens
    table = padded // TILE * sz.rows * TILE + padded % TILE
    return np.ascontiguousarray(table.T).ravel(), np.ascontiguousarray(padded.T).ravel() * sz.rows_p
