"""The products of the fast trainer, on vectors or, where its precision asks, on tile registers.

A product takes the same rows of some tiles of samples to other rows: Y = W X, or Wᵀ X.
"""

from typing import NamedTuple

import numpy as np
from numba import njit

from lib.engines.kernel import amx_products
from lib.engines.kernel.layout import TILE
from lib.engines.simd import amx, blocks
from lib.engines.simd.processor import AMX, COLUMNS, LANES, SUM_ROWS
from lib.engines.simd.vectors import INNER, JIT, stay_a_call

ZERO, BIAS, BIAS_AND_ROWS, ROWS = 0, 1, 2, 3  # what a product is added to
AS_IS, RELU, GATE = 0, 1, 2  # what becomes of it; GATE: 0 where the rows are not positive


class Matrix(NamedTuple):
    """A matrix of weights, or the part that some samples use; rows are outputs."""

    values: np.ndarray  # the array that has it, as 4 × 4 blocks
    at: int  # its first block there
    rows: int
    columns: int
    height: int  # rows and columns of the matrix that this is all or a part of
    width: int
    pack: int  # places of its pack and of its transpose's (`amx_products`)
    turned: int


class Rows(NamedTuple):
    """The same rows of some tiles."""

    values: np.ndarray
    at: int  # where those of the first tile start
    step: int  # from tile to tile


class Ends(NamedTuple):
    """What a product starts from and how it ends."""

    start: int  # ZERO, BIAS, BIAS_AND_ROWS or ROWS
    finish: int  # AS_IS, RELU or GATE
    bias: np.ndarray
    b: int  # where the bias starts in it
    rows: Rows  # what is added, or what gates


class Chunk(NamedTuple):
    """Tiles in work, and what they are multiplied with."""

    n_tiles: int
    packs: np.ndarray  # the parameters on tile registers
    S: np.ndarray  # activations
    room: np.ndarray


@njit(**JIT)
def whole(values, at, rows, columns):
    """A matrix that has no packs."""
    return Matrix(values, at, rows, columns, rows, columns, 0, 0)


@njit(**INNER)
def _start(ends, row, r):
    """The block of rows from `row` on before anything is added; r: its place in `ends.rows`."""
    if ends.start == ZERO:
        return blocks.zero_block()
    if ends.start == BIAS:
        return blocks.bias_block(ends.bias, ends.b + row)
    rows = blocks.load_block(ends.rows.values, r, TILE)
    if ends.start == BIAS_AND_ROWS:
        return blocks.add_blocks(blocks.bias_block(ends.bias, ends.b + row), rows)
    return rows


@njit(**INNER)
def _finish(ends, acc, r):
    if ends.finish == RELU:
        return blocks.relu_block(acc, blocks.zero_block())
    if ends.finish == GATE:
        return blocks.gate_block(blocks.load_block(ends.rows.values, r, TILE), acc)
    return acc


@njit(**INNER)
def _add(acc, W, w, row, column, step, X, x, count):
    """acc += four rows of W times X; row, column, step: from weight to weight, block to block."""
    for _ in range(count):
        acc = blocks.add_scaled(acc, W, w, row, X, x)
        acc = blocks.add_scaled(acc, W, w + column, row, X, x + TILE)
        acc = blocks.add_scaled(acc, W, w + 2 * column, row, X, x + 2 * TILE)
        acc = blocks.add_scaled(acc, W, w + 3 * column, row, X, x + 3 * TILE)
        w += step
        x += 4 * TILE
    return acc


@njit(**JIT)
def linear(matrix, turned, X, Y, ends, n_tiles):
    """Y = W X of some tiles, where `turned` Wᵀ X; X and Y: `Rows`."""
    stay_a_call()
    line = matrix.width // 4 * 16
    for t in range(n_tiles):
        x, y, r = X.at + t * X.step, Y.at + t * Y.step, ends.rows.at + t * ends.rows.step
        for i in range(0, matrix.columns if turned else matrix.rows, 4):
            for v in range(0, TILE, COLUMNS * LANES):
                here = i * TILE + v
                acc = _start(ends, i, r + here)
                if turned:
                    w, count = matrix.at + i * 4, matrix.rows // 4
                    acc = _add(acc, matrix.values, w, 1, 4, line, X.values, x + v, count)
                else:
                    w, count = matrix.at + i // 4 * line, matrix.columns // 4
                    acc = _add(acc, matrix.values, w, 4, 1, 16, X.values, x + v, count)
                blocks.store_block(Y.values, y + here, TILE, _finish(ends, acc, r + here))


@njit(**JIT)
def outer(A, B, n_tiles, matrix, G, g):
    """G = the sum over the samples of some tiles of A Bᵀ; A and B: `Rows`.

    matrix: what G, from g on, is the gradient of.
    """
    stay_a_call()
    for i in range(0, matrix.rows, 4):
        for j in range(0, matrix.columns, 4):
            at = g + (i // 4 * (matrix.width // 4) + j // 4) * 16
            for row in range(0, 4, SUM_ROWS):
                acc = blocks.zero_sums()
                left, right = A.at + (i + row) * TILE, B.at + j * TILE
                for _ in range(n_tiles):
                    for v in range(0, TILE, LANES):
                        acc = blocks.add_products(
                            acc, A.values, left + v, TILE, B.values, right + v, TILE
                        )
                    left += A.step
                    right += B.step
                blocks.store_sums(G, at + 4 * row, acc)


# ---- the choice: `Sizes.amx`.  Where AMX is false Numba leaves those branches out. ----------


@njit(**JIT)
def product(sz, chunk, matrix, turned, x, y, ends):
    """`linear` on the tiles of a chunk, from their rows at x to those at y."""
    X, Y = Rows(chunk.S, x, sz.stride), Rows(chunk.S, y, sz.stride)
    if AMX:
        if sz.amx:
            tiles = sz.amx, chunk.packs, chunk.room
            amx_products.linear(tiles, matrix, turned, X, Y, ends, chunk.n_tiles)
            return
    linear(matrix, turned, X, Y, ends, chunk.n_tiles)


@njit(**JIT)
def gradient(sz, chunk, matrix, y, x, G, g):
    """`outer` of the chunk's rows at y, those of the outputs, and at x, those of the inputs."""
    A, B = Rows(chunk.S, y, sz.stride), Rows(chunk.S, x, sz.stride)
    if AMX:
        if sz.amx:
            amx_products.outer(sz.amx, A, B, chunk.n_tiles, matrix, G, g, chunk.room)
            return
    outer(A, B, chunk.n_tiles, matrix, G, g)


@njit(**JIT)
def begin(sz):
    """Set up this thread's tile registers."""
    if AMX:
        if sz.amx:
            amx.configure()


@njit(**JIT)
def end(sz):
    """Give them back."""
    if AMX:
        if sz.amx:
            amx.release()


@njit(**JIT)
def pack_weights(sz, P, packs):
    """The packs of W_O, W_in, W_out and W_U, and of their transposes, once an epoch."""
    if AMX:
        if sz.amx:
            d, a, m, c = sz.d_p, sz.a_p, sz.mlp_p, sz.classes_p
            amx_products.pack_weights(sz.amx, P, sz.W_O, d, a, packs, sz.p_O, sz.t_O)
            amx_products.pack_weights(sz.amx, P, sz.W_in, m, d, packs, sz.p_in, sz.t_in)
            amx_products.pack_weights(sz.amx, P, sz.W_out, d, m, packs, sz.p_out, sz.t_out)
            amx_products.pack_weights(sz.amx, P, sz.W_U, c, d, packs, sz.p_U, sz.t_U)
