"""The loss's gradient and AdamW."""

import triton
import triton.language as tl
from torch import Tensor


@triton.jit(do_not_specialize=["n"])
def _loss(logits, labels, weights, n, CLASSES, ROWS: tl.constexpr, COLUMNS: tl.constexpr):
    i, c = tl.program_id(0) * ROWS + tl.arange(0, ROWS), tl.arange(0, COLUMNS)[None, :]
    line, there = logits + i.to(tl.int64) * CLASSES, i < n
    seen = there[:, None] & (c < CLASSES)
    label = tl.load(labels + i, mask=there, other=0).to(tl.int32)
    x = tl.load(line[:, None] + c, mask=seen, other=-float("inf"))
    own = tl.load(line + label, mask=there, other=0.0)
    weight = tl.load(weights + i, mask=there, other=0.0)
    top = tl.where(there, tl.max(x, axis=1), 0.0)
    other = c != label[:, None]
    e = tl.where(other, tl.exp(x - top[:, None]), 0.0)
    wrong = tl.sum(e, axis=1)
    scale = weight / (wrong + tl.exp(own - top))
    value = tl.where(other, e, -wrong[:, None]) * scale[:, None]
    tl.store(line[:, None] + c, value, mask=seen)


def loss_gradient(logits: Tensor, labels: Tensor, weights: Tensor) -> Tensor:
    """`lib.engines.torch.gradient.loss_gradient`, in place of the logits."""
    logits, classes, n = logits.contiguous(), logits.shape[-1], labels.numel()
    wide = triton.next_power_of_2(classes)
    rows = max(1, 1024 // wide)
    how = dict(ROWS=rows, COLUMNS=wide, num_warps=1)
    _loss[(triton.cdiv(n, rows),)](logits, labels, weights, n, classes, **how)
    return logits


@triton.jit(do_not_specialize=["size"])
def _adamw(flat, m, v, g, hyper, step, size, COLUMNS: tl.constexpr):
    run = tl.program_id(1)
    j = tl.program_id(0) * COLUMNS + tl.arange(0, COLUMNS)
    at, seen = run.to(tl.int64) * size + j, j < size
    t, own = tl.load(step), hyper + run * 6  # float64, as PyTorch has them
    lr = tl.load(own) * tl.minimum(t / tl.load(own + 2), 1.0)
    beta1, beta2 = tl.load(own + 3), tl.load(own + 4)
    keep = (1 - lr * tl.load(own + 1)).to(tl.float32)
    size1 = (lr / (1 - tl.exp(t * tl.log(beta1)))).to(tl.float32)
    root = (1 / tl.sqrt(1 - tl.exp(t * tl.log(beta2)))).to(tl.float32)
    gradient = tl.load(g + at, mask=seen, other=0.0)
    mean = tl.load(m + at, mask=seen, other=0.0)
    mean += (1 - beta1).to(tl.float32) * (gradient - mean)
    square = tl.load(v + at, mask=seen, other=0.0)
    square = square * beta2.to(tl.float32) + gradient * (1 - beta2).to(tl.float32) * gradient
    below = tl.sqrt(square) * root + tl.load(own + 5).to(tl.float32)
    value = tl.load(flat + at, mask=seen, other=0.0) * keep - mean / below * size1
    tl.store(m + at, mean, mask=seen)
    tl.store(v + at, square, mask=seen)
    tl.store(flat + at, value, mask=seen)


def adamw(flat: Tensor, m: Tensor, v: Tensor, g: Tensor, hyper: Tensor, step: Tensor) -> None:
    """One step of each run's parameters and moments (runs, parameters), in place.

    hyper: (runs, 6) float64: lr, weight decay, epochs of warm-up (1: none), beta1, beta2, eps.
    step: () float64, its number.
    """
    runs, size = flat.shape
    _adamw[triton.cdiv(size, 1024), runs](flat, m, v, g, hyper, step, size, COLUMNS=1024)
