"""Inputs as a tree of their beginnings: what causal attention lets inputs share.

At a position the residual stream depends on the tokens up to there, and on nothing after.
Inputs that begin alike are therefore computed once: [a, op, b, =] has a few hundred different
beginnings [a] and [a, op], and only its last two positions are as many as there are inputs.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from lib.data import Split


@dataclass(frozen=True)
class Prefixes:
    """The different beginnings of some inputs; a *node* is one of them.

    Attributes:
        row: (nodes,) position × n_tokens + last token: where the node's own embedding is in
            the table of all positions and tokens.
        ancestors: (nodes, length) its beginnings, itself included, by node; what lies beyond
            its own position repeats itself.
        position: (nodes,) of its last token.
        route: (nodes,) 1 where the input's operator is "-", else 0.  A route of its own is
            another node: with a split MLP the two are computed differently.
        leaves: (inputs,) the node of each whole input.
    """

    row: np.ndarray
    ancestors: np.ndarray
    position: np.ndarray
    route: np.ndarray
    leaves: np.ndarray


def prefixes(tokens: np.ndarray, n_tokens: int, split: bool = False) -> Prefixes:
    """The tree of some inputs (n, length); with `split` the operator tells routes apart."""
    tokens = tokens.astype(np.int64)
    n, length = tokens.shape
    minus = (tokens[:, 1] == n_tokens - 1).astype(np.int64) if split else np.zeros(n, np.int64)
    code, parents, count = minus, np.empty((n, 0), np.int64), 0
    parts = []
    for position in range(length):
        code = code * n_tokens + tokens[:, position]
        _, where, inverse = np.unique(code, return_index=True, return_inverse=True)
        parents = np.concatenate([parents, count + inverse[:, None]], axis=1)  # of each input
        own = count + np.arange(len(where))
        line = np.concatenate(
            [parents[where], np.repeat(own[:, None], length - position - 1, axis=1)], axis=1
        )
        row = position * n_tokens + tokens[where, position]
        parts.append((row, line, np.full(len(where), position), minus[where]))
        count += len(where)
    row, line, depth, route = (np.concatenate(columns) for columns in zip(*parts))
    return Prefixes(row, line, depth, route, parents[:, -1])


@dataclass
class Batch:
    """One split of all runs on the device, padded to the longest.

    Indices count over runs, too (run × nodes + node), so that one look-up serves all.
    """

    rows: Tensor  # (runs × nodes,) of each node in the table
    row_lines: Tensor  # (length, runs × nodes) of its ancestors in the table
    lines: Tensor  # (length, runs × nodes) its ancestors among the nodes
    ahead: Tensor  # (length, runs, nodes, 1) bool: what it does not see, for it lies ahead
    routes: Tensor  # (runs, nodes, 2, 1) float: the half of a split MLP that it uses
    leaves: Tensor  # (runs × inputs,) nodes of whole inputs
    leaf_rows: Tensor  # (length, runs × inputs) of their ancestors in the table
    leaf_lines: Tensor  # the same among the nodes
    leaf_routes: Tensor  # (runs, inputs, 2, 1)
    labels: Tensor  # (runs, inputs) int64
    weights: Tensor  # (runs, inputs) 1 / number of inputs, 0 for padding
    counts: list[int]  # inputs of each run
    own: Tensor  # (runs, inputs) bool: no padding


def make_batch(
    splits: Sequence[Split], n_tokens: int, split: bool, device, multiple: int = 1
) -> Batch:
    """The same split of several runs as one `Batch`, of whose nodes and inputs is a multiple."""
    trees = [prefixes(s.tokens, n_tokens, split) for s in splits]
    runs, length = len(trees), splits[0].tokens.shape[1]
    nodes, inputs = (
        multiple * max(1, -(-max(map(len, parts)) // multiple))
        for parts in ([t.row for t in trees], splits)
    )

    def gathered(parts, height):
        """Arrays of all runs, padded with 0, (runs, height, …)."""
        whole = np.zeros((runs, height, *parts[0].shape[1:]), parts[0].dtype)
        for r, part in enumerate(parts):
            whole[r, : len(part)] = part
        return whole

    row, line, position, route = (
        gathered([getattr(t, name) for t in trees], nodes)
        for name in ("row", "ancestors", "position", "route")
    )
    leaves = gathered([t.leaves for t in trees], inputs)
    table = length * n_tokens
    each = np.arange(runs)
    at_leaves = each[:, None], leaves

    def send(values):
        return torch.from_numpy(np.ascontiguousarray(values)).to(device)

    def index(values, size):
        values = values + each.reshape(runs, *[1] * (values.ndim - 1)) * size
        if values.ndim == 3:  # one look-up for each position
            return send(values.transpose(2, 0, 1).reshape(length, -1))
        return send(values.reshape(-1))

    row_line = row[each[:, None, None], line]
    halves = np.stack([route == 0, route == 1], axis=-1)[..., None].astype(np.float32)
    weights = gathered([np.full(len(s), 1 / max(len(s), 1), np.float32) for s in splits], inputs)
    labels = gathered([s.labels.astype(np.int64) for s in splits], inputs)
    return Batch(
        index(row, table),
        index(row_line, table),
        index(line, nodes),
        send((np.arange(length)[:, None, None] > position)[..., None]),
        send(halves),
        index(leaves, nodes),
        index(row_line[at_leaves], table),
        index(line[at_leaves], nodes),
        send(halves[at_leaves]),
        send(labels),
        send(weights),
        [len(s) for s in splits],
        send(weights > 0),
    )
