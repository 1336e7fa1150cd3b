"""From parameters to logits, for a stack of networks: `lib.model` without what is computed twice.

Nothing is approximated:

* inputs that begin alike share their beginnings (`lib.engines.torch.inputs`), and of the last
  layer only the last position is computed, which alone is read;
* the first layer's keys, values and queries are tables over positions and tokens; with one
  layer all inputs have the same query, so a score is a table look-up, as in
  `lib.engines.kernel.network`.
"""

import math

import torch
from torch import Tensor
from torch.nn import functional as F

from lib.data import Dataset
from lib.engines.torch.gradient import Gather
from lib.engines.torch.inputs import Batch
from lib.spec import RunSpec


class Forward:
    """The forward pass of networks of one shape.

    Args:
        spec, data: one of them, for the shape.
        device, precision: as of `lib.engines.torch.engine.StackedEngine`.
        fused: `lib.engines.torch.fused`, where parts are to be kernels of their own.
    """

    def __init__(
        self, spec: RunSpec, data: Dataset, device: torch.device, precision: str, fused=None
    ):
        self.spec, self.precision, self._fused = spec, precision, fused
        self.equals, self.n_tokens = data.n_classes, data.n_tokens
        self.d_head = spec.head_width
        heads = torch.arange(spec.n_heads * self.d_head) // self.d_head  # of each feature
        self._heads = F.one_hot(heads, spec.n_heads).float().to(device)

    def logits(self, p: dict[str, Tensor], batch: Batch) -> Tensor:
        """Logits of whole inputs, (runs, inputs, classes), from parameters by name."""
        spec = self.spec
        x = (p["W_E"][:, None] + p["W_pos"][:, :, None]).flatten(1, 2)  # the table
        for layer in range(spec.n_layers):
            own = {n.rsplit(".", 1)[1]: v for n, v in p.items() if n.startswith(f"blocks.{layer}.")}
            first, last = layer == 0, layer == spec.n_layers - 1
            x, mixed = self._attend(own, x, batch, first, last)
            x = self._add(x, self._mm(mixed, own["W_O"]))
            route = (batch.leaf_routes if last else batch.routes) if spec.split_mlp else None
            hidden = self._hidden(self._mm(self._norm(x), own["W_in"]), own["b_in"], route)
            x = self._add(x, self._mm(hidden, own["W_out"]), own["b_out"])
        return self._mm(self._norm(x), p["W_U"])

    def _add(self, x: Tensor, y: Tensor, bias: Tensor | None = None) -> Tensor:
        """The residual stream x with a sublayer's output y and its bias."""
        if self._fused:
            return self._fused.Residual.apply(x, y, bias)
        return x + y if bias is None else x + y + bias[:, None]

    def _hidden(self, x: Tensor, bias: Tensor, route: Tensor | None) -> Tensor:
        """The hidden units, of a split MLP those of the half that an input uses."""
        if self._fused:
            return self._fused.Hidden.apply(x, bias, route)
        hidden = (x + bias[:, None]).relu()
        if route is None:
            return hidden
        return (hidden.unflatten(-1, (2, -1)) * route).flatten(-2)

    def _mm(self, x: Tensor, matrix: Tensor) -> Tensor:
        """(runs, n, in) times (runs, in, out), in the precision that was asked for."""
        if self.precision == "bf16":
            return torch.bmm(x.bfloat16(), matrix.bfloat16()).float()
        return self._fused.Product.apply(x, matrix) if self._fused else torch.bmm(x, matrix)

    def _norm(self, x: Tensor) -> Tensor:
        return F.layer_norm(x, x.shape[-1:]) if self.spec.norm == "pre" else x

    def _attend(self, p, x, batch: Batch, first: bool, last: bool) -> tuple[Tensor, Tensor]:
        """The residual stream where the layer is computed, and the mixture of values there.

        x: (runs, table rows or nodes, d) -> twice (runs, nodes or inputs, d).
        """
        lines = [[batch.lines, batch.leaf_lines], [batch.row_lines, batch.leaf_rows]][first][last]
        h = self._norm(x)
        k, v = self._mm(h, p["W_K"]), self._mm(h, p["W_V"])
        if first and last and self._fused:
            x, table = self._table(p, x, h, k, lines)
            return x, self._fused.AttendTable.apply(table, v, lines)
        if self._fused:
            x, q = self._query(p, x, h, batch, first, last)
            ahead = None if last else batch.ahead
            attend = self._fused.AttendNodes.apply
            return x, attend(q, k, v, lines, ahead, self.spec.n_heads)
        x, scores = self._scores(p, x, h, k, batch, lines, first, last)
        top = torch.stack([score.detach() for score in scores]).amax(0)
        weights = [(score - top).exp() for score in scores]  # (runs, n, head) for each position
        total = sum(weights[1:], weights[0])
        mixed = None
        for weight, line in zip(weights, lines):
            part = ((weight / total) @ self._heads.T) * _gather(v, line)
            mixed = part if mixed is None else mixed + part
        return x, mixed

    def _scores(self, p, x, h, k, batch: Batch, lines, first: bool, last: bool):
        """The residual stream where the layer is computed, and the scores of each position there.

        Sums within heads are products with a matrix of zeros and ones: short loops would cost
        far more.
        """
        if first and last:
            x, table = self._table(p, x, h, k, lines)
            return x, [_gather(table, line) for line in lines]
        x, q = self._query(p, x, h, batch, first, last)
        scores = [(q * _gather(k, line)) @ self._heads for line in lines]
        if not last:
            scores = [s.masked_fill(o, -torch.inf) for s, o in zip(scores, batch.ahead)]
        return x, scores

    def _query(self, p, x, h, batch: Batch, first: bool, last: bool) -> tuple[Tensor, Tensor]:
        """The residual stream where the layer is computed, and the queries there, scaled."""
        if first:
            q, x = _gather(self._mm(h, p["W_Q"]), batch.rows), _gather(x, batch.rows)
        elif last:
            x = _gather(x, batch.leaves)
            q = self._mm(self._norm(x), p["W_Q"])
        else:
            q = self._mm(h, p["W_Q"])
        return x, q * (1 / math.sqrt(self.d_head))

    def _table(self, p, x, h, k, lines) -> tuple[Tensor, Tensor]:
        """With one layer: the one place where it is computed, and the scores of all rows there.

        All inputs have that query.  -> (runs, 1, d), (runs, rows, head).
        """
        here = (len(lines) - 1) * self.n_tokens + self.equals
        q = self._mm(h[:, here : here + 1], p["W_Q"]) * (1 / math.sqrt(self.d_head))
        return x[:, here : here + 1], (q * k) @ self._heads


def _gather(values: Tensor, index: Tensor) -> Tensor:
    return Gather.apply(values, index).view(len(values), -1, values.shape[-1])
