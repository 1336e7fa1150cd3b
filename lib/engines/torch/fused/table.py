"""Attention of the only query there is with one layer, over look-ups in tables."""

import torch
import triton
import triton.language as tl

from lib.engines.torch.fused.grid import add_together, first_row, lanes, launch


@triton.jit(do_not_specialize=["n", "inputs"])
def _attend(
    scores, values, lines, mixed, weights, n, inputs, H, WIDTH,
    LENGTH: tl.constexpr, ROWS: tl.constexpr, HEADS: tl.constexpr, SIZE: tl.constexpr,
):  # fmt: skip
    i, h, seen, place, known = lanes(n, H, WIDTH, ROWS, HEADS, SIZE)
    top = tl.full((ROWS, HEADS), -float("inf"), tl.float32)
    for p in tl.static_range(LENGTH):
        row = tl.load(lines + p * inputs + i, mask=seen, other=0).to(tl.int32)
        top = tl.maximum(top, tl.load(scores + row * H + h, mask=seen, other=0.0))
    total = tl.zeros((ROWS, HEADS), tl.float32)
    for p in tl.static_range(LENGTH):
        row = tl.load(lines + p * inputs + i, mask=seen, other=0).to(tl.int32)
        total += tl.exp(tl.load(scores + row * H + h, mask=seen, other=0.0) - top)
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
    i, h, seen, place, known = lanes(n, H, WIDTH, ROWS, HEADS, SIZE)
    at = i[:, :, None] * (H * WIDTH) + place
    up = tl.load(upstream + at, mask=known, other=0.0)
    mean = tl.sum(up * tl.load(mixed + at, mask=known, other=0.0), axis=2)
    for p in tl.static_range(LENGTH):
        first = first_row(lines, p, n, inputs, ROWS)
        row = tl.load(lines + p * inputs + i, mask=seen, other=0).to(tl.int32)
        weight = tl.load(weights + (p * inputs + i) * H + h, mask=seen, other=0.0)
        value = tl.load(values + row[:, :, None] * (H * WIDTH) + place, mask=known, other=0.0)
        d_score = weight * (tl.sum(up * value, axis=2) - mean)  # 0 beyond the last input
        d_value = weight[:, :, None] * up
        # The "=" of all inputs is one row, and an operator that of most neighbours.
        if p == LENGTH - 1:
            one = True
        elif LENGTH == 4 and p == 1:
            one = tl.sum((seen & (row != first)).to(tl.int32)) == 0
        else:
            one = False
        if one:
            head = tl.arange(0, HEADS)
            at_first, total = d_scores + first * H + head, tl.sum(d_score, axis=0)
            tl.atomic_add(at_first, total, sem="relaxed", mask=head < H)
            add_together(d_values, first, d_value, H, WIDTH, HEADS, SIZE)
        else:
            tl.atomic_add(d_scores + row * H + h, d_score, sem="relaxed", mask=seen)
            tl.atomic_add(
                d_values + row[:, :, None] * (H * WIDTH) + place, d_value, sem="relaxed", mask=known
            )


class AttendTable(torch.autograd.Function):
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
        ctx.call = grid, sizes, how = launch(mixed, length, heads, elements=512)
        _attend[grid](scores, values, lines, mixed, weights, *sizes, **how)
        ctx.save_for_backward(scores, values, lines, mixed, weights)
        return mixed

    @staticmethod
    def backward(ctx, upstream):
        scores, *saved = ctx.saved_tensors
        upstream = upstream.contiguous()
        out = torch.zeros_like(scores), torch.zeros_like(saved[0])
        grid, sizes, how = ctx.call
        _attend_back[grid](*saved, upstream, *out, *sizes, **how)
        return *out, None
