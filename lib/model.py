"""The transformer in plain PyTorch: the definition that every other engine must equal.

A decoder-only transformer (§2.1) read at its last token, "=".  No LayerNorm, ReLU MLP with
biases, attention without biases, untied embeddings, learned positions.  The paper states
one layer, four heads and the width; the rest is ours (see the book's method page).

Variants: `norm="pre"` puts a LayerNorm before every sublayer and the unembedding, which makes
depth train; `split_mlp` gives each task of a mixture its own half of the MLP's hidden units
(appendix B); `tied` unembeds with the numbers' embeddings.  None has parameters of its own.
"""

import math

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from lib.data import Dataset
from lib.initial import initial_values
from lib.spec import RunSpec


class Attention(nn.Module):
    """Causal multi-head attention.  x: (batch, time, d_model) -> the same shape."""

    def __init__(self, d_model: int, n_heads: int, d_head: int):
        super().__init__()
        self.n_heads = n_heads
        self.W_Q, self.W_K, self.W_V = (
            nn.Parameter(torch.empty(d_model, n_heads * d_head)) for _ in range(3)
        )
        self.W_O = nn.Parameter(torch.empty(n_heads * d_head, d_model))

    def forward(self, x: Tensor) -> Tensor:
        batch, time, _ = x.shape
        # (batch, time, d_model) -> (batch, head, time, d_head)
        q, k, v = (
            (x @ W).view(batch, time, self.n_heads, -1).transpose(1, 2)
            for W in (self.W_Q, self.W_K, self.W_V)
        )
        scores = q @ k.transpose(-2, -1) / math.sqrt(q.shape[-1])  # (batch, head, time, time)
        future = torch.ones(time, time, dtype=torch.bool, device=x.device).triu(1)
        weights = scores.masked_fill(future, -torch.inf).softmax(dim=-1)
        mixed = (weights @ v).transpose(1, 2).reshape(batch, time, -1)
        return mixed @ self.W_O


class MLP(nn.Module):
    """x: (batch, time, d_model) -> the same shape, through d_mlp ReLU units.

    With `mask` (batch, time or 1, d_mlp) only the units where it is 1 take part.
    """

    def __init__(self, d_model: int, d_mlp: int):
        super().__init__()
        self.W_in = nn.Parameter(torch.empty(d_model, d_mlp))
        self.b_in = nn.Parameter(torch.zeros(d_mlp))
        self.W_out = nn.Parameter(torch.empty(d_mlp, d_model))
        self.b_out = nn.Parameter(torch.zeros(d_model))

    def forward(self, x: Tensor, mask: Tensor | None = None) -> Tensor:
        hidden = (x @ self.W_in + self.b_in).relu()
        return (hidden if mask is None else hidden * mask) @ self.W_out + self.b_out


def layer_norm(x: Tensor) -> Tensor:
    """LayerNorm over the last dimension, without gain and bias: the next matrix has them."""
    return F.layer_norm(x, x.shape[-1:])


class Block(nn.Module):
    """One layer: attention, then the MLP, each added to the residual stream."""

    def __init__(self, d_model: int, n_heads: int, d_head: int, d_mlp: int, norm: str | None):
        super().__init__()
        self.attention = Attention(d_model, n_heads, d_head)
        self.mlp = MLP(d_model, d_mlp)
        self.norm = layer_norm if norm == "pre" else nn.Identity()

    def forward(self, x: Tensor, mask: Tensor | None = None) -> Tensor:
        x = x + self.attention(self.norm(x))
        return x + self.mlp(self.norm(x), mask)


class Transformer(nn.Module):
    """tokens (batch, time) int64 -> logits (batch, time, n_classes).

    The answer is read at the last position: `model(tokens)[:, -1]`.  With `split_mlp` an
    input [a, op, b, =] goes through one half of every MLP: the first where op is "+", the
    second where it is "-", at all of its positions.  The number of parameters stays
    12 d² + 5 d a layer (d_mlp = 4 d), beside (n_tokens + length + n_classes) d.  Tied, the
    numbers' embeddings are the unembedding, too.
    """

    def __init__(
        self,
        n_tokens: int,
        n_classes: int,
        length: int,
        d_model: int,
        n_heads: int = 4,
        n_layers: int = 1,
        d_head: int | None = None,
        d_mlp: int | None = None,
        norm: str | None = None,
        split_mlp: bool = False,
        tied: bool = False,
    ):
        super().__init__()
        d_head, d_mlp = d_head or d_model // n_heads, d_mlp or 4 * d_model
        self.split_mlp, self.d_mlp, self.minus = split_mlp, d_mlp, n_tokens - 1
        self.W_E = nn.Parameter(torch.empty(n_tokens, d_model))
        self.W_pos = nn.Parameter(torch.empty(length, d_model))
        block = d_model, n_heads, d_head, d_mlp, norm
        self.blocks = nn.ModuleList(Block(*block) for _ in range(n_layers))
        self.norm = self.blocks[0].norm
        self.n_classes = n_classes
        self.W_U = None if tied else nn.Parameter(torch.empty(d_model, n_classes))

    def forward(self, tokens: Tensor) -> Tensor:
        x = self.W_E[tokens] + self.W_pos  # (batch, time, d_model)
        mask = self.own_half(tokens) if self.split_mlp else None
        for block in self.blocks:
            x = block(x, mask)
        return self.norm(x) @ self.unembedding

    @property
    def unembedding(self) -> Tensor:
        """What makes logits of the stream, (d_model, n_classes): W_U, or the numbers' W_E."""
        return self.W_E[: self.n_classes].T if self.W_U is None else self.W_U

    def own_half(self, tokens: Tensor) -> Tensor:
        """Which hidden units an input may use, (batch, 1, d_mlp)."""
        first = torch.arange(self.d_mlp, device=tokens.device) < self.d_mlp // 2
        return (first == (tokens[:, 1:2] != self.minus)).to(self.W_E.dtype)[:, None]


def build_model(spec: RunSpec, data: Dataset) -> Transformer:
    """The initialized model of a run.

    Every parameter whose name begins with ``W_`` is drawn (`lib.initial.initial_values`); any
    other stays as it was made.
    """
    sizes = data.n_tokens, data.n_classes, data.length, spec.d_model, spec.n_heads, spec.n_layers
    widths = spec.head_width, spec.mlp_width
    model = Transformer(*sizes, *widths, spec.norm, bool(spec.split_mlp), bool(spec.tied))
    drawn = {n: p.shape for n, p in model.named_parameters() if n.split(".")[-1].startswith("W_")}
    values = initial_values(spec, data, drawn)
    model.load_state_dict({n: torch.from_numpy(v) for n, v in values.items()}, strict=False)
    return model


class _ExactCrossEntropy(torch.autograd.Function):
    """Cross-entropy whose loss and gradient keep their precision where p(right) is near 1.

    Plain float32 log-softmax rounds the loss to exactly 0 there, and the gradient with it
    ("softmax collapse", Prieto et al. 2025); a memorized network then stops learning.
    """

    @staticmethod
    def forward(ctx, logits, labels):
        top = logits.max(dim=-1, keepdim=True).values
        exps = (logits - top).exp()
        right = exps.gather(1, labels[:, None]).squeeze(1)
        wrong = exps.scatter(1, labels[:, None], 0.0).sum(dim=-1)
        ctx.save_for_backward(exps, right, wrong, labels)
        margin = (top.squeeze(1) - logits.gather(1, labels[:, None]).squeeze(1)).clamp_min(0)
        return torch.where(
            margin == 0, torch.log1p(wrong / right), torch.log(wrong + right) + margin
        ).mean()

    @staticmethod
    def backward(ctx, upstream):
        exps, right, wrong, labels = ctx.saved_tensors
        total = (wrong + right)[:, None]
        gradient = (exps / total).scatter(1, labels[:, None], -wrong[:, None] / total)
        return gradient * (upstream / len(labels)), None


def exact_cross_entropy(logits: Tensor, labels: Tensor) -> Tensor:
    """Mean cross-entropy of logits (n, classes) and labels (n,) int64, without cancellation."""
    return _ExactCrossEntropy.apply(logits, labels)
