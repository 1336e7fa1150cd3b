"""What follows a product, in place of it: the residual stream, the hidden units."""

import torch
import triton
import triton.language as tl

from lib.engines.torch.fused.grid import tiles


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


class Residual(torch.autograd.Function):
    """x + y + bias, in place of y.  x may be one line for all inputs, bias None.

    x (runs, n or 1, width), y (runs, n, width), bias (runs, width) -> (runs, n, width).
    """

    @staticmethod
    def forward(ctx, x, y, bias):
        ctx.one, ctx.biased = x.shape[1] == 1 and y.shape[1] > 1, bias is not None
        grid, tile = tiles(y)
        x, own = x.contiguous(), bias.contiguous() if ctx.biased else y
        _add[grid](y, x, own, y.shape[1], x.shape[1], y.shape[2], BIASED=ctx.biased, **tile)
        ctx.mark_dirty(y)
        return y

    @staticmethod
    def backward(ctx, upstream):
        upstream, total = upstream.contiguous(), None
        if ctx.one or ctx.biased:
            total = upstream.new_zeros(len(upstream), upstream.shape[2])
            grid, tile = tiles(upstream)
            _sums[grid](upstream, total, upstream.shape[1], upstream.shape[2], **tile)
        d_x = total[:, None] if ctx.one else upstream
        return d_x, upstream, total if ctx.biased else None


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
        grid, tile = tiles(x)
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
        grid, tile = tiles(hidden)
        _hidden_back[grid](hidden, upstream.contiguous(), out, d_bias, n, width, **tile)
        return out, d_bias, None
