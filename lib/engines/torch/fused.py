"""Parts of a training step as one GPU kernel each, in Triton, which PyTorch for CUDA brings along.

In small models a step's time is not in its matrix products: it goes into passes over the
activations and into launches.  Each function here takes one launch and crosses the memory once,
where PyTorch's own operations take three to twenty.  The products stay cuBLAS's.

Shapes are those of `lib.engines.torch.forward`.  Sums over inputs are added atomically, in no
fixed order.  Without a GPU all of it runs in Triton's interpreter (TRITON_INTERPRET=1), as its
tests do.
"""

import torch
import triton
import triton.language as tl
from torch import Tensor

# Attention of the only query, over look-ups in tables


@triton.jit(do_not_specialize=["n", "inputs"])
def _attend(
    scores, values, lines, mixed, weights, n, inputs, H, WIDTH,
    LENGTH: tl.constexpr, ROWS: tl.constexpr, HEADS: tl.constexpr, SIZE: tl.constexpr,
):  # fmt: skip
    own = tl.program_id(0) * ROWS + tl.arange(0, ROWS)
    h, j = tl.arange(0, HEADS)[None, :], tl.arange(0, SIZE)[None, None, :]
    i = (tl.program_id(1) * n + own)[:, None]
    seen = (own < n)[:, None] & (h < H)
    top = tl.full((ROWS, HEADS), -float("inf"), tl.float32)
    for p in tl.static_range(LENGTH):
        row = tl.load(lines + p * inputs + i, mask=seen, other=0).to(tl.int32)
        top = tl.maximum(top, tl.load(scores + row * H + h, mask=seen, other=0.0))
    total = tl.zeros((ROWS, HEADS), tl.float32)
    for p in tl.static_range(LENGTH):
        row = tl.load(lines + p * inputs + i, mask=seen, other=0).to(tl.int32)
        total += tl.exp(tl.load(scores + row * H + h, mask=seen, other=0.0) - top)
    place = h[:, :, None] * WIDTH + j  # of a feature
    known = seen[:, :, None] & (j < WIDTH)
    out = tl.zeros((ROWS, HEADS, SIZE), tl.float32)
    for p in tl.static_range(LENGTH):
        row = tl.load(lines + p * inputs + i, mask=seen, other=0).to(tl.int32)
        weight = tl.exp(tl.load(scores + row * H + h, mask=seen, other=0.0) - top) / total
        tl.store(weights + (p * inputs + i) * H + h, weight, mask=seen)
        value = tl.load(values + row[:, :, None] * (H * WIDTH) + place, mask=known, other=0.0)
        out += weight[:, :, None] * value
    tl.store(mixed + i[:, :, None] * (H * WIDTH) + place, out, mask=known)


@triton.jit(do_not_specialize=["n", "inputs"])
def _attend_back(
    values, lines, mixed, weights, upstream, d_scores, d_values, n, inputs, H, WIDTH,
    LENGTH: tl.constexpr, ROWS: tl.constexpr, HEADS: tl.constexpr, SIZE: tl.constexpr,
):  # fmt: skip
    own = tl.program_id(0) * ROWS + tl.arange(0, ROWS)
    head, feature = tl.arange(0, HEADS), tl.arange(0, SIZE)[None, :]
    h, j = head[None, :], feature[None, :, :]
    i = (tl.program_id(1) * n + own)[:, None]
    seen = (own < n)[:, None] & (h < H)
    place = h[:, :, None] * WIDTH + j
    known = seen[:, :, None] & (j < WIDTH)
    at = i[:, :, None] * (H * WIDTH) + place
    up = tl.load(upstream + at, mask=known, other=0.0)
    mean = tl.sum(up * tl.load(mixed + at, mask=known, other=0.0), axis=2)
    for p in tl.static_range(LENGTH):
        first = tl.load(lines + p * inputs + tl.program_id(1) * n + tl.program_id(0) * ROWS)
        first = first.to(tl.int32)
        row = tl.load(lines + p * inputs + i, mask=seen, other=0).to(tl.int32)
        weight = tl.load(weights + (p * inputs + i) * H + h, mask=seen, other=0.0)
        value = tl.load(values + row[:, :, None] * (H * WIDTH) + place, mask=known, other=0.0)
        d_score = weight * (tl.sum(up * value, axis=2) - mean)  # 0 beyond the last input
        d_value = weight[:, :, None] * up
        # The "=" of all inputs is one row, and an operator that of most neighbours: their sum is
        # added, once, where all would queue up to add to it.
        if p == LENGTH - 1:
            one = True
        elif LENGTH == 4 and p == 1:
            one = tl.sum((seen & (row != first)).to(tl.int32)) == 0
        else:
            one = False
        if one:
            tl.atomic_add(
                d_scores + first * H + head, tl.sum(d_score, axis=0), sem="relaxed", mask=head < H
            )
            inside = (head < H)[:, None] & (feature < WIDTH)
            there = d_values + first * (H * WIDTH) + head[:, None] * WIDTH + feature
            tl.atomic_add(there, tl.sum(d_value, axis=0), sem="relaxed", mask=inside)
        else:
            tl.atomic_add(d_scores + row * H + h, d_score, sem="relaxed", mask=seen)
            tl.atomic_add(
                d_values + row[:, :, None] * (H * WIDTH) + place, d_value, sem="relaxed", mask=known
            )


class Attend(torch.autograd.Function):
    """Values mixed by softmax over positions, for inputs whose one query has a table of scores.

    scores (runs, rows, heads), values (runs, rows, d), lines (length, runs × inputs): indices
    of rows that count over runs -> (runs, inputs, d).
    """

    @staticmethod
    def forward(ctx, scores, values, lines):
        scores, values = scores.contiguous(), values.contiguous()
        runs, heads = len(values), scores.shape[-1]
        length, inputs = lines.shape
        weights = values.new_empty(length, inputs, heads)
        mixed = values.new_empty(runs, inputs // runs, values.shape[-1])
        grid, sizes, how = _launch(weights, mixed)
        _attend[grid](scores, values, lines, mixed, weights, *sizes, **how)
        ctx.save_for_backward(scores, values, lines, mixed, weights)
        return mixed

    @staticmethod
    def backward(ctx, upstream):
        scores, *saved = ctx.saved_tensors
        upstream = upstream.contiguous()
        out = torch.zeros_like(scores), torch.zeros_like(saved[0])
        grid, sizes, how = _launch(saved[3], upstream)
        _attend_back[grid](*saved, upstream, *out, *sizes, **how)
        return *out, None


def _launch(weights: Tensor, mixed: Tensor) -> tuple[tuple, tuple, dict]:
    """The grid of programs, the sizes that they are told, and how large each is."""
    length, inputs, n_heads = weights.shape
    runs, n, width = len(mixed), mixed.shape[1], mixed.shape[2] // n_heads
    heads, size = triton.next_power_of_2(n_heads), triton.next_power_of_2(width)
    warps = 1 if heads * size <= 128 else 4  # one has no need to wait for another
    rows = max(1, warps * 512 // (heads * size))
    how = dict(LENGTH=length, ROWS=rows, HEADS=heads, SIZE=size, num_warps=warps)
    return (triton.cdiv(n, rows), runs), (n, inputs, n_heads, width), how


# Products

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


# What is added to a product


@triton.jit(do_not_specialize=["n", "stride"])
def _add(y, x, bias, n, stride, WIDTH, BIASED: tl.constexpr, ROWS: tl.constexpr,
         COLUMNS: tl.constexpr):  # fmt: skip
    run = tl.program_id(2).to(tl.int64)
    i = tl.program_id(0) * ROWS + tl.arange(0, ROWS)
    j = tl.program_id(1) * COLUMNS + tl.arange(0, COLUMNS)
    seen = (i < n)[:, None] & (j < WIDTH)[None, :]
    place = (run * n + i)[:, None] * WIDTH + j[None, :]
    lines = tl.where(stride == 1, run, run * n + i)  # one line for all inputs, or one for each
    value = tl.load(y + place, mask=seen, other=0.0)
    value += tl.load(x + lines[:, None] * WIDTH + j[None, :], mask=seen, other=0.0)
    if BIASED:
        value += tl.load(bias + run * WIDTH + j, mask=j < WIDTH, other=0.0)[None, :]
    tl.store(y + place, value, mask=seen)


@triton.jit(do_not_specialize=["n"])
def _sums(x, out, n, WIDTH, ROWS: tl.constexpr, COLUMNS: tl.constexpr):
    run = tl.program_id(2).to(tl.int64)
    i = tl.program_id(0) * ROWS + tl.arange(0, ROWS)
    j = tl.program_id(1) * COLUMNS + tl.arange(0, COLUMNS)
    seen = (i < n)[:, None] & (j < WIDTH)[None, :]
    value = tl.load(x + (run * n + i)[:, None] * WIDTH + j[None, :], mask=seen, other=0.0)
    tl.atomic_add(out + run * WIDTH + j, tl.sum(value, axis=0), sem="relaxed", mask=j < WIDTH)


def _tiles(x: Tensor) -> tuple[tuple[int, int, int], dict[str, int]]:
    """The grid of programs over (runs, n, width), and the tile that each has."""
    runs, n, width = x.shape
    columns = min(64, triton.next_power_of_2(width))
    rows = 4096 // columns
    return (triton.cdiv(n, rows), triton.cdiv(width, columns), runs), dict(
        ROWS=rows, COLUMNS=columns
    )


class Residual(torch.autograd.Function):
    """x + y + bias, in place of y.  x may be one line for all inputs, bias None.

    x (runs, n or 1, width), y (runs, n, width), bias (runs, width) -> (runs, n, width).
    """

    @staticmethod
    def forward(ctx, x, y, bias):
        ctx.one, ctx.biased = x.shape[1] == 1 and y.shape[1] > 1, bias is not None
        grid, tile = _tiles(y)
        x, own = x.contiguous(), bias.contiguous() if ctx.biased else y
        _add[grid](y, x, own, y.shape[1], x.shape[1], y.shape[2], BIASED=ctx.biased, **tile)
        ctx.mark_dirty(y)
        return y

    @staticmethod
    def backward(ctx, upstream):
        upstream, total = upstream.contiguous(), None
        if ctx.one or ctx.biased:
            total = upstream.new_zeros(len(upstream), upstream.shape[2])
            grid, tile = _tiles(upstream)
            _sums[grid](upstream, total, upstream.shape[1], upstream.shape[2], **tile)
        d_x = total[:, None] if ctx.one else upstream
        return d_x, upstream, total if ctx.biased else None


# The hidden layer


@triton.jit(do_not_specialize=["n"])
def _hidden(
    x, bias, route, n, WIDTH, ROUTED: tl.constexpr, ROWS: tl.constexpr, COLUMNS: tl.constexpr
):
    run = tl.program_id(2)
    i, j = (
        tl.program_id(0) * ROWS + tl.arange(0, ROWS),
        tl.program_id(1) * COLUMNS + tl.arange(0, COLUMNS),
    )
    seen = (i < n)[:, None] & (j < WIDTH)[None, :]
    line = run.to(tl.int64) * n + i
    place = x + line[:, None] * WIDTH + j[None, :]
    b = tl.load(bias + run * WIDTH + j, mask=j < WIDTH, other=0.0)
    value = tl.load(place, mask=seen, other=0.0) + b[None, :]
    value = tl.maximum(value, 0.0, propagate_nan=tl.PropagateNan.ALL)
    if ROUTED:
        half = (j >= WIDTH // 2).to(tl.int32)
        value *= tl.load(route + line[:, None] * 2 + half[None, :], mask=seen, other=0.0)
    tl.store(place, value, mask=seen)


@triton.jit(do_not_specialize=["n"])
def _hidden_back(
    hidden, upstream, out, d_bias, n, WIDTH, ROWS: tl.constexpr, COLUMNS: tl.constexpr
):
    run = tl.program_id(2)
    i, j = (
        tl.program_id(0) * ROWS + tl.arange(0, ROWS),
        tl.program_id(1) * COLUMNS + tl.arange(0, COLUMNS),
    )
    seen = (i < n)[:, None] & (j < WIDTH)[None, :]
    place = (run.to(tl.int64) * n + i)[:, None] * WIDTH + j[None, :]
    active = tl.load(hidden + place, mask=seen, other=0.0) > 0
    value = tl.where(active, tl.load(upstream + place, mask=seen, other=0.0), 0.0)
    tl.store(out + place, value, mask=seen)
    tl.atomic_add(d_bias + run * WIDTH + j, tl.sum(value, axis=0), sem="relaxed", mask=j < WIDTH)


class Hidden(torch.autograd.Function):
    """ReLU of x + bias, in place of x; with `route` only the half that an input uses.

    x (runs, n, width), bias (runs, width), route (runs, n, 2, 1) or None -> (runs, n, width).
    """

    @staticmethod
    def forward(ctx, x, bias, route):
        n, width = x.shape[1:]
        bias = bias.contiguous()
        grid, tile = _tiles(x)
        routed = route is not None
        _hidden[grid](x, bias, route if routed else x, n, width, ROUTED=routed, **tile)
        ctx.mark_dirty(x)
        ctx.save_for_backward(x)
        return x

    @staticmethod
    def backward(ctx, upstream):
        (hidden,) = ctx.saved_tensors
        runs, n, width = hidden.shape
        out, d_bias = torch.empty_like(hidden), hidden.new_zeros(runs, width)
        grid, tile = _tiles(hidden)
        _hidden_back[grid](hidden, upstream.contiguous(), out, d_bias, n, width, **tile)
        return out, d_bias, None


# The loss, and the step


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
