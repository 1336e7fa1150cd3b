"""How many programs look at an array, and how much of it each has."""

import triton
from torch import Tensor


def launch(weights: Tensor, mixed: Tensor, length: int = 0) -> tuple[tuple, tuple, dict]:
    """The grid of programs, the sizes that they are told, and how large each is.

    Args:
        length: of inputs; by default the first dimension of `weights`, and more fits in registers.
    """
    _, inputs, n_heads = weights.shape
    runs, n, width = len(mixed), mixed.shape[1], mixed.shape[2] // n_heads
    heads, size = triton.next_power_of_2(n_heads), triton.next_power_of_2(width)
    warps = 1 if heads * size <= 128 else 4  # one has no need to wait for another
    rows = max(1, warps * (256 if length else 512) // (heads * size))
    how = dict(LENGTH=length or len(weights), ROWS=rows, HEADS=heads, SIZE=size, num_warps=warps)
    return (triton.cdiv(n, rows), runs), (n, inputs, n_heads, width), how


def tiles(x: Tensor) -> tuple[tuple[int, int, int], dict[str, int]]:
    """The grid of programs over (runs, n, width), and the tile that each has."""
    runs, n, width = x.shape
    columns = min(64, triton.next_power_of_2(width))
    rows = 4096 // columns
    return (triton.cdiv(n, rows), triton.cdiv(width, columns), runs), dict(
        ROWS=rows, COLUMNS=columns
    )
