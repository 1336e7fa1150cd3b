"""How many programs look at an array, and how much of it each has."""

import triton
import triton.language as tl
from torch import Tensor


def launch(
    mixed: Tensor, length: int, n_heads: int, elements: int
) -> tuple[tuple[int, int], tuple[int, int, int, int], dict[str, int]]:
    """The grid of programs of an attention, the sizes that they are told, and how large each is.

    Args:
        mixed: (runs, n, d).
        length: of inputs.
        elements: of `mixed` that a warp looks at: what fits in registers.
    """
    runs, n, d = mixed.shape
    heads, size = triton.next_power_of_2(n_heads), triton.next_power_of_2(d // n_heads)
    warps = 1 if heads * size <= 128 else 4  # one has no need to wait for another
    rows = max(1, warps * elements // (heads * size))
    how = dict(LENGTH=length, ROWS=rows, HEADS=heads, SIZE=size, num_warps=warps)
    return (triton.cdiv(n, rows), runs), (n, runs * n, n_heads, d // n_heads), how


@triton.jit
def lanes(n, H, WIDTH, ROWS: tl.constexpr, HEADS: tl.constexpr, SIZE: tl.constexpr):
    """What a program of such a grid looks at: inputs and heads, and which of them there are, both
    (ROWS, HEADS); where its features are in a row, and which there are (ROWS, HEADS, SIZE)."""
    own = tl.program_id(0) * ROWS + tl.arange(0, ROWS)
    h, j = tl.arange(0, HEADS)[None, :], tl.arange(0, SIZE)[None, None, :]
    i = (tl.program_id(1) * n + own)[:, None]
    seen = (own < n)[:, None] & (h < H)
    return i, h, seen, h[:, :, None] * WIDTH + j, seen[:, :, None] & (j < WIDTH)


@triton.jit
def first_row(lines, p, n, inputs, ROWS: tl.constexpr):
    """The row at place p of a program's first input."""
    first = tl.program_id(1) * n + tl.program_id(0) * ROWS
    return tl.load(lines + p * inputs + first).to(tl.int32)


@triton.jit
def add_together(target, row, value, H, WIDTH, HEADS: tl.constexpr, SIZE: tl.constexpr):
    """The features (ROWS, HEADS, SIZE) of all a program's inputs added to one row, once, where
    all would queue up to add to it."""
    head, feature = tl.arange(0, HEADS)[:, None], tl.arange(0, SIZE)[None, :]
    place = target + row * (H * WIDTH) + head * WIDTH + feature
    inside = (head < H) & (feature < WIDTH)
    tl.atomic_add(place, tl.sum(value, axis=0), sem="relaxed", mask=inside)


def tiles(x: Tensor) -> tuple[tuple[int, int, int], dict[str, int]]:
    """The grid of programs over (runs, n, width), and the tile that each has."""
    runs, n, width = x.shape
    columns = min(64, triton.next_power_of_2(width))
    rows = 4096 // columns
    return (triton.cdiv(n, rows), triton.cdiv(width, columns), runs), dict(
        ROWS=rows, COLUMNS=columns
    )
