"""What the fast trainer computes once an epoch for all samples: tables over the vocabulary.

A token's value and score are linear in what attention sees of it.  Without LayerNorm that is a
column of W_E plus one of W_pos, so tokens and positions have columns of their own in the table;
with it, each token at each place has one, and those of the positions are zeros.
"""

import math

import numpy as np
from numba import njit

from lib.engines.kernel.layout import TILE, column_at, element_at
from lib.engines.kernel.products import (
    AS_IS,
    ROWS,
    ZERO,
    Ends,
    Rows,
    linear,
    outer,
    pack_weights,
    whole,
)
from lib.engines.simd import vectors
from lib.engines.simd.vectors import JIT, STRICT

EPS = 1e-5
"""Added to the variance, as PyTorch's LayerNorm does."""


@njit(**JIT)
def prepare(sz, P, work):
    """The tables of an epoch: values and scores of every token and position."""
    x_eq, asks, q, u = work.x_eq, work.asks, work.q, work.u
    d = sz.d_p // 4
    eq, last = _summands(sz, sz.asking, sz.length - 1)
    for k in range(sz.d_p):
        x_eq[k] = P[eq + k * TILE] + P[last + k * TILE]
        asks[k] = x_eq[k]
    if sz.norm:
        _normalize(sz, P, work)
        for k in range(sz.d):
            asks[k] = work.seen[column_at(sz, sz.d_p, sz.asking) + k * TILE]
    scale = np.float32(1 / math.sqrt(sz.d_head))
    vectors.fill(u, 0, len(u), 0)
    for j in range(sz.n_heads * sz.d_head):
        total = np.float32(0)
        for k in range(sz.d):
            total += P[element_at(sz.W_Q, d, j, k)] * asks[k]
        q[j] = total
        for k in range(sz.d):
            u[element_at(0, d, j // sz.d_head, k)] += P[element_at(sz.W_K, d, j, k)] * q[j] * scale
    W_V, scores, E, values = _vocabulary(sz, P, work)
    as_is = Ends(ZERO, AS_IS, P, 0, E)
    linear(W_V, False, E, values, as_is, sz.panels_seen)
    linear(scores, False, E, _below(sz, values), as_is, sz.panels_seen)
    pack_weights(sz, P, work.packs)


@njit(**JIT)
def _vocabulary(sz, P, work):
    """What makes the table: W_V and u as matrices, what is seen and the table as panels of rows."""
    W_V, u = whole(P, sz.W_V, sz.a_p, sz.d_p), whole(work.u, 0, sz.heads_p, sz.d_p)
    return W_V, u, _seen(sz, P, work.seen), Rows(work.table, 0, sz.rows * TILE)


@njit(**JIT)
def _seen(sz, flat, apart):
    """What attention sees, or its gradient: E in a flat array, or with LayerNorm an array apart."""
    return Rows(apart, 0, sz.d_p * TILE) if sz.norm else Rows(flat, sz.E, sz.d_p * TILE)


@njit(**JIT)
def _below(sz, table):
    """The scores of the table, which come after its values."""
    return Rows(table.values, table.at + sz.a_p * TILE, table.step)


@njit(**JIT)
def finish(sz, state, work, C):
    """From the summed chunk gradient C to the gradient G of all parameters.

    The table is not needed any more: it becomes room for its own gradient, feature-major.
    """
    P, G = state.P, state.G
    for column in range(sz.panels_seen * TILE):
        for row in range(sz.rows):
            place = column_at(sz, sz.rows, column) + row * TILE
            work.table[place] = C[column * sz.rows_p + row]
    for i in range(sz.W_O, sz.n_flat):
        G[i] = C[sz.tail - sz.W_O + i]
    W_V, u, E, T = _vocabulary(sz, P, work)
    dE = _seen(sz, G, work.dseen)
    linear(W_V, True, T, dE, Ends(ZERO, AS_IS, P, 0, dE), sz.panels_seen)
    linear(u, True, _below(sz, T), dE, Ends(ROWS, AS_IS, P, 0, dE), sz.panels_seen)
    outer(T, E, sz.panels_seen, W_V, G, sz.W_V)
    outer(_below(sz, T), E, sz.panels_seen, u, work.du, 0)
    _query_gradient(sz, P, G, work, C)
    if sz.norm:
        _normalize_backward(sz, work, G)
    eq, last = _summands(sz, sz.asking, sz.length - 1)
    for k in range(sz.d):
        G[eq + k * TILE] += C[sz.x_eq + k]
        G[last + k * TILE] += C[sz.x_eq + k]


@njit(**JIT)
def _query_gradient(sz, P, G, work, C):
    """From du to the gradients of W_K and W_Q, and of what asks at "="."""
    q, dq, du = work.q, work.dq, work.du
    d, a = sz.d_p // 4, sz.n_heads * sz.d_head
    scale = np.float32(1 / math.sqrt(sz.d_head))
    for j in range(a):
        h, total = j // sz.d_head, np.float32(0)
        for k in range(sz.d):
            grown = du[element_at(0, d, h, k)] * scale
            total += P[element_at(sz.W_K, d, j, k)] * grown
            G[element_at(sz.W_K, d, j, k)] = q[j] * grown
        dq[j] = total
    asks, at, step = C, sz.x_eq, 1
    if sz.norm:
        asks, at, step = work.dseen, column_at(sz, sz.d_p, sz.asking), TILE
    for j in range(a):
        for k in range(sz.d):
            weight = element_at(sz.W_Q, d, j, k)
            G[weight] = dq[j] * work.asks[k]
            asks[at + k * step] += P[weight] * dq[j]


# ---- LayerNorm --------------------------------------------------------------------------


@njit(**JIT)
def _summands(sz, column, position):
    """Where the columns of E lie, in its panels, that a token at a position is the sum of."""
    token = sz.equals if column == sz.asking else column - position * sz.n_tokens
    eq = sz.E + column_at(sz, sz.d_p, token)
    return eq, sz.E + column_at(sz, sz.d_p, sz.n_tokens + position)


@njit(**STRICT)
def _normalize(sz, P, work):
    """Every token at every place as attention sees it."""
    for column in range(sz.seen):
        token, place = _summands(sz, column, column // sz.n_tokens)
        at = column_at(sz, sz.d_p, column)
        mean = square = np.float32(0)
        for k in range(0, sz.d * TILE, TILE):
            work.seen[at + k] = P[token + k] + P[place + k]
            mean += work.seen[at + k]
        mean /= np.float32(sz.d)
        for k in range(0, sz.d * TILE, TILE):
            work.seen[at + k] -= mean
            square += work.seen[at + k] * work.seen[at + k]
        spread = np.float32(1 / math.sqrt(square / sz.d + EPS))
        for k in range(0, sz.d * TILE, TILE):
            work.seen[at + k] *= spread
        work.spread[column] = spread


@njit(**STRICT)
def _normalize_backward(sz, work, G):
    """From the gradient of what attention sees to that of W_E and W_pos."""
    vectors.fill(G, sz.E, sz.E + sz.panels * sz.d_p * TILE, 0)
    seen, dseen = work.seen, work.dseen
    for column in range(sz.seen):
        token, place = _summands(sz, column, column // sz.n_tokens)
        at = column_at(sz, sz.d_p, column)
        mean = slope = np.float32(0)
        for k in range(at, at + sz.d * TILE, TILE):
            mean += dseen[k]
            slope += dseen[k] * seen[k]
        mean /= np.float32(sz.d)
        slope /= np.float32(sz.d)
        for k in range(0, sz.d * TILE, TILE):
            grown = (dseen[at + k] - mean - slope * seen[at + k]) * work.spread[column]
            G[token + k] += grown
            G[place + k] += grown
