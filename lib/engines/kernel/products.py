"""The products of the fast trainer, on vectors or, for wide networks, on tile registers."""

from numba import njit

from lib.engines.kernel import amx_products
from lib.engines.kernel.layout import TILE
from lib.engines.simd import amx, blocks
from lib.engines.simd.processor import AMX, LANES
from lib.engines.simd.vectors import JIT


@njit(**JIT)
def linear(W, w, n_in, transposed, blocks_out, blocks_in, X, x, Y, y, bias, b, R, r, start, finish):
    """Y = W X (or Wᵀ X) for one tile; the arguments after an array are places in it.

    `n_in`: blocks in a block row of W as stored.  `start`: 0 from zero, 1 from the bias,
    2 from bias + R, 3 from R.  `finish`: 0 as it is, 1 ReLU, 2 only where R is positive.
    """
    out_step, in_step, row, column = n_in * 16, 16, 4, 1
    if transposed:
        out_step, in_step, row, column = 16, n_in * 16, 1, 4
    for i in range(blocks_out):
        at = i * 4 * TILE
        if start == 0:
            acc = blocks.zero_block()
        elif start == 1:
            acc = blocks.bias_block(bias, b + 4 * i)
        elif start == 2:
            acc = blocks.add_blocks(
                blocks.bias_block(bias, b + 4 * i), blocks.load_block(R, r + at, TILE)
            )
        else:
            acc = blocks.load_block(R, r + at, TILE)
        weight, source = w + i * out_step, x
        for _ in range(blocks_in):
            acc = blocks.add_scaled(acc, W, weight, row, X, source)
            acc = blocks.add_scaled(acc, W, weight + column, row, X, source + TILE)
            acc = blocks.add_scaled(acc, W, weight + 2 * column, row, X, source + 2 * TILE)
            acc = blocks.add_scaled(acc, W, weight + 3 * column, row, X, source + 3 * TILE)
            weight += in_step
            source += 4 * TILE
        if finish == 1:
            acc = blocks.relu_block(acc, blocks.zero_block())
        elif finish == 2:
            acc = blocks.gate_block(blocks.load_block(R, r + at, TILE), acc)
        blocks.store_block(Y, y + at, TILE, acc)


@njit(**JIT)
def outer(A, a, a_stride, B, b, b_stride, n_tiles, blocks_a, blocks_b, G, g, n_in):
    """G = the sum over samples of A Bᵀ, as 4 × 4 blocks; tiles are `stride` floats apart.

    `n_in`: blocks in a block row of the matrix that G is a part of.
    """
    for i in range(blocks_a):
        for j in range(blocks_b):
            acc = blocks.zero_block()
            left, right = a + i * 4 * TILE, b + j * 4 * TILE
            for _ in range(n_tiles):
                for v in range(0, TILE, LANES):
                    acc = blocks.add_products(acc, A, left + v, TILE, B, right + v, TILE)
                left += a_stride
                right += b_stride
            blocks.store_sums(G, g + (i * n_in + j) * 16, acc)


# ---- the choice: `Sizes.amx`; without tile registers nothing is compiled for them --------


@njit(**JIT)
def _on_vectors(
    sz, P, w, shape, n_out, n_in, transposed, S, n_tiles, x, y, bias, b, r, start, finish
):  # fmt: skip
    stored, out, into = shape[1] // 4, n_out // 4, n_in // 4
    for _ in range(n_tiles):
        linear(P, w, stored, transposed, out, into, S, x, S, y, bias, b, S, r, start, finish)
        x += sz.stride
        y += sz.stride
        r += sz.stride


if AMX:

    @njit(**JIT)
    def apply(
        sz, P, w, K, pack, shape, n_out, n_in, transposed, S, n_tiles, x, y, bias, b, r,
        start, finish,
    ):  # fmt: skip
        """`linear` on the tiles of S; W is at w of P and, packed, at `pack` of K[0].

        shape: rows and columns of the matrix that W is all or a part of.  n_out, n_in: rows of
        Y and X.  K: packs of all weights, room for other packs.
        """
        if sz.amx:
            terms = shape[0] if transposed else shape[1]
            for _ in range(n_tiles):
                amx_products.linear(
                    sz.amx, K[0], pack, terms, n_out, n_in, TILE, S, x, S, y, bias, b, S, r,
                    start, finish, K[1],
                )  # fmt: skip
                x += sz.stride
                y += sz.stride
                r += sz.stride
        else:
            _on_vectors(
                sz, P, w, shape, n_out, n_in, transposed, S, n_tiles, x, y, bias, b, r,
                start, finish,
            )  # fmt: skip

    @njit(**JIT)
    def gradient(sz, S, a, n_a, b, n_b, n_tiles, G, g, columns, K):
        """`outer` of `n_a` and `n_b` rows of the tiles of S.

        columns: of the matrix that G at g is all or a part of.
        """
        stride = sz.stride
        if sz.amx:
            amx_products.outer(
                sz.amx, S, a, stride, S, b, stride, TILE, n_tiles, n_a, n_b, G, g, columns, K[1]
            )
        else:
            outer(S, a, stride, S, b, stride, n_tiles, n_a // 4, n_b // 4, G, g, columns // 4)

    @njit(**JIT)
    def begin(sz):
        """Set up this thread's tile registers."""
        if sz.amx:
            amx.configure()

    @njit(**JIT)
    def end(sz):
        """Give them back."""
        if sz.amx:
            amx.release()

    @njit(**JIT)
    def pack_weights(sz, P, packs):
        """The packs of W_O, W_in, W_out and W_U, and of their transposes, once an epoch."""
        if sz.amx:
            d, m, c = sz.d_p, sz.mlp_p, sz.classes_p
            amx_products.pack_weights(sz.amx, P, sz.W_O, d, d, packs, sz.p_O, sz.t_O)
            amx_products.pack_weights(sz.amx, P, sz.W_in, m, d, packs, sz.p_in, sz.t_in)
            amx_products.pack_weights(sz.amx, P, sz.W_out, d, m, packs, sz.p_out, sz.t_out)
            amx_products.pack_weights(sz.amx, P, sz.W_U, c, d, packs, sz.p_U, sz.t_U)

else:

    @njit(**JIT)
    def apply(
        sz, P, w, K, pack, shape, n_out, n_in, transposed, S, n_tiles, x, y, bias, b, r,
        start, finish,
    ):  # fmt: skip
        """`linear` on the tiles of S; n_out, n_in: rows of Y and X; shape: of W's matrix."""
        _on_vectors(
            sz, P, w, shape, n_out, n_in, transposed, S, n_tiles, x, y, bias, b, r, start, finish
        )

    @njit(**JIT)
    def gradient(sz, S, a, n_a, b, n_b, n_tiles, G, g, columns, K):
        """`outer` of `n_a` and `n_b` rows of the tiles of S; columns: of G's matrix."""
        stride = sz.stride
        outer(S, a, stride, S, b, stride, n_tiles, n_a // 4, n_b // 4, G, g, columns // 4)

    @njit(**JIT)
    def begin(sz):
        """No tile registers to set up."""

    @njit(**JIT)
    def end(sz):
        """None to give back."""

    @njit(**JIT)
    def pack_weights(sz, P, packs):
        """Nothing to pack."""
