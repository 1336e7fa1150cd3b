"""Which hidden units serve which task of a mixture (§5, appendix B): what is lost without them.

A unit memorizes as far as the loss on the memorization data rises when it is switched off alone.
Then units are switched off together, and both tasks are asked again: the most memorizing first,
and the least memorizing first.
"""

import numpy as np
import torch
from torch.nn import functional as F

from lib.data import Dataset, Split
from lib.model import Transformer

STEPS = 9
"""Shares of the units that are switched off: 0, 1/8, … all."""


@torch.no_grad()
def ablated(model: Transformer, data: Dataset) -> dict[str, list[float]]:
    """Accuracy on held-out addition and on what was memorized, with more and more units off.

    Args:
        model: one layer, without LayerNorm.
        data: a mixture's.

    Returns:
        lists of `STEPS` accuracies, from no unit off to all of them: `ablated_val` and
        `ablated_memorize`, the most memorizing first; `spared_val` and `spared_memorize`, those
        last.
    """
    mlp = model.blocks[0].mlp
    out = mlp.W_out @ model.unembedding  # (units, classes): what a unit adds to the logits
    hidden, rest, labels = _parts(model, data.memorize)
    logits = rest + hidden @ out
    scores = [
        float(F.cross_entropy(logits - hidden[:, j : j + 1] * out[j], labels))
        for j in range(len(out))
    ]
    order = np.argsort(-np.array(scores), kind="stable")
    splits = {"val": _parts(model, data.val), "memorize": (hidden, rest, labels)}
    found = {}
    for how, first in (("ablated", order), ("spared", order[::-1])):
        for name, (units, others, right) in splits.items():
            found[f"{how}_{name}"] = own = []
            for count in np.linspace(0, len(out), STEPS).round().astype(int):
                on = torch.ones(len(out))
                on[first[:count].tolist()] = 0
                answers = (others + (units * on) @ out).argmax(dim=1)
                own.append(float((answers == right).double().mean()))
    return found


def _parts(model: Transformer, split: Split) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """At the last token: hidden units (n, units), logits without them (n, classes), labels (n,)."""
    tokens = torch.from_numpy(split.tokens).long()
    x = model.W_E[tokens] + model.W_pos
    block = model.blocks[0]
    x = (x + block.attention(x))[:, -1]
    hidden = (x @ block.mlp.W_in + block.mlp.b_in).relu()
    if model.split_mlp:
        hidden = hidden * model.own_half(tokens)[:, 0]
    return hidden, (x + block.mlp.b_out) @ model.unembedding, torch.from_numpy(split.labels).long()
