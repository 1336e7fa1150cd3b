"""Attention of nodes, each with a query of its own, over their beginnings: for depth."""

import torch
import triton
import triton.language as tl

from lib.engines.torch.fused.grid import add_together, first_row, lanes, launch


@triton.jit
def _seen_by(ahead, place, seen, MASKED: tl.constexpr):
    """Whether a node sees one of its places: those that lie ahead it does not."""
    if MASKED:
        seen = seen & (tl.load(ahead + place, mask=seen, other=1) == 0)
    return seen


@triton.jit(do_not_specialize=["n", "inputs"])
def _attend_nodes(
    queries, keys, values, lines, ahead, mixed, logs, n, inputs, H, WIDTH,
    MASKED: tl.constexpr, LENGTH: tl.constexpr, ROWS: tl.constexpr, HEADS: tl.constexpr,
    SIZE: tl.constexpr,
):  # fmt: skip
    i, h, seen, place, known = lanes(n, H, WIDTH, ROWS, HEADS, SIZE)
    at = i[:, :, None] * (H * WIDTH) + place
    query = tl.load(queries + at, mask=known, other=0.0)
    top = tl.full((ROWS, HEADS), -float("inf"), tl.float32)
    total = tl.zeros((ROWS, HEADS), tl.float32)
    out = tl.zeros((ROWS, HEADS, SIZE), tl.float32)
    for p in tl.static_range(LENGTH):  # the first place is never ahead
        row = tl.load(lines + p * inputs + i, mask=seen, other=0).to(tl.int32)
        there = row[:, :, None] * (H * WIDTH) + place
        score = tl.sum(query * tl.load(keys + there, mask=known, other=0.0), axis=2)
        sees = _seen_by(ahead, p * inputs + i, seen, MASKED)
        score = tl.where(sees | (p == 0), score, -float("inf"))
        above = tl.maximum(top, score)
        shrunk, weight = tl.exp(top - above), tl.exp(score - above)
        total = total * shrunk + weight
        value = tl.load(values + there, mask=known, other=0.0)
        out = out * shrunk[:, :, None] + weight[:, :, None] * value
        top = above
    tl.store(mixed + at, out / total[:, :, None], mask=known)
    tl.store(logs + i * H + h, top + tl.log(total), mask=seen)


@triton.jit(do_not_specialize=["n", "inputs"])
def _attend_nodes_back(
    queries, keys, values, lines, ahead, mixed, logs, upstream, d_queries, d_keys, d_values,
    n, inputs, H, WIDTH,
    MASKED: tl.constexpr, LENGTH: tl.constexpr, ROWS: tl.constexpr, HEADS: tl.constexpr,
    SIZE: tl.constexpr,
):  # fmt: skip
    i, h, seen, place, known = lanes(n, H, WIDTH, ROWS, HEADS, SIZE)
    at = i[:, :, None] * (H * WIDTH) + place
    query = tl.load(queries + at, mask=known, other=0.0)
    up = tl.load(upstream + at, mask=known, other=0.0)
    mean = tl.sum(up * tl.load(mixed + at, mask=known, other=0.0), axis=2)
    log = tl.load(logs + i * H + h, mask=seen, other=0.0)
    d_query = tl.zeros((ROWS, HEADS, SIZE), tl.float32)
    for p in tl.static_range(LENGTH):
        first = first_row(lines, p, n, inputs, ROWS)
        row = tl.load(lines + p * inputs + i, mask=seen, other=0).to(tl.int32)
        there = row[:, :, None] * (H * WIDTH) + place
        key = tl.load(keys + there, mask=known, other=0.0)
        value = tl.load(values + there, mask=known, other=0.0)
        sees = _seen_by(ahead, p * inputs + i, seen, MASKED)
        weight = tl.where(sees, tl.exp(tl.sum(query * key, axis=2) - log), 0.0)
        d_score = weight * (tl.sum(up * value, axis=2) - mean)
        d_query += d_score[:, :, None] * key
        d_key, d_value = d_score[:, :, None] * query, weight[:, :, None] * up
        if tl.sum((seen & (row != first)).to(tl.int32)) == 0:  # neighbours share a beginning
            add_together(d_keys, first, d_key, H, WIDTH, HEADS, SIZE)
            add_together(d_values, first, d_value, H, WIDTH, HEADS, SIZE)
        else:
            live = known & sees[:, :, None]
            tl.atomic_add(d_keys + there, d_key, sem="relaxed", mask=live)
            tl.atomic_add(d_values + there, d_value, sem="relaxed", mask=live)
    tl.store(d_queries + at, d_query, mask=known)


class AttendNodes(torch.autograd.Function):
    """Values mixed by softmax over a node's beginnings, by its own query (already scaled).

    queries (runs, n, d), keys and values (runs, rows, d), lines (length, runs × n): rows, which
    count over runs; ahead (length, runs, n, 1) bool or None -> (runs, n, d).
    """

    @staticmethod
    def forward(ctx, queries, keys, values, lines, ahead, n_heads):
        given = *(x.contiguous() for x in (queries, keys, values)), lines, lines
        if ahead is not None:
            given = *given[:4], ahead.view(torch.uint8)
        mixed = torch.empty_like(given[0])
        logs = mixed.new_empty(lines.shape[1], n_heads)
        grid, sizes, how = launch(mixed, len(lines), n_heads, elements=256)
        ctx.call = grid, sizes, how | dict(MASKED=ahead is not None)
        _attend_nodes[grid](*given, mixed, logs, *sizes, **ctx.call[2])
        ctx.save_for_backward(*given, mixed, logs)
        return mixed

    @staticmethod
    def backward(ctx, upstream):
        *given, mixed, logs = ctx.saved_tensors
        upstream = upstream.contiguous()
        out = torch.empty_like(mixed), *(torch.zeros_like(x) for x in given[1:3])
        grid, sizes, how = ctx.call
        _attend_nodes_back[grid](*given, mixed, logs, upstream, *out, *sizes, **how)
        return *out, None, None, None
