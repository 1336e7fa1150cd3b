"""Products whose weight gradient keeps a whole GPU busy."""

import torch
import triton
from torch import Tensor

CHUNK = 128
"""Inputs that a sum over inputs takes at a time, at least; stacks are padded to a multiple."""


TILES = 528
"""Blocks of 64 x 64 results that keep a large GPU busy: four for each of its multiprocessors."""


class Product(torch.autograd.Function):
    """(runs, n, in) times (runs, in, out), whose weight gradient is summed in parts.

    It is a small matrix, summed over thousands of inputs: as one product for each run it would
    keep a few multiprocessors busy, and the others waiting.
    """

    @staticmethod
    def forward(ctx, x, matrix):
        ctx.save_for_backward(x, matrix)
        return torch.bmm(x, matrix)

    @staticmethod
    def backward(ctx, upstream):
        x, matrix = ctx.saved_tensors
        return torch.bmm(upstream, matrix.transpose(1, 2)), _outer(x, upstream)


def _outer(x: Tensor, y: Tensor) -> Tensor:
    """Products x^T y summed over inputs: (runs, n, a), (runs, n, b) -> (runs, a, b)."""
    runs, n, (a, b) = len(x), x.shape[1], (x.shape[2], y.shape[2])
    chunks = 1 if n % CHUNK else n // CHUNK
    wanted = TILES / (runs * triton.cdiv(a, 64) * triton.cdiv(b, 64))
    parts = next(
        k for k in range(1, chunks + 1) if chunks % k == 0 and (k >= wanted or k == chunks)
    )
    x, y = (t.reshape(runs * parts, n // parts, -1) for t in (x, y))
    products = torch.bmm(x.transpose(1, 2), y)
    return products if parts == 1 else products.unflatten(0, (runs, parts)).sum(1)
