"""A network built by hand that adds with waves: the known answer for `lib.circuits.fourier`.

For each frequency k it does what Nanda et al. 2023 found in trained networks, with weights
written down instead of learned: from cos and sin of ka and kb to cos and sin of k(a + b), and
from there to cos(k(a + b − c)).
"""

from collections.abc import Sequence

import numpy as np
import torch

from lib.model import Transformer

KNOTS = 13  # ReLU units that draw one parabola
SCALE = 12.0  # of the logits: large enough for a small loss


def fourier_network(modulus: int, frequencies: Sequence[int], n_heads: int = 4) -> Transformer:
    """A one-layer network of the book's architecture that computes (a + b) mod P.

    The embedding holds cos and sin of one and two times the angle of each token.  Attention
    is uniform, so "=" reads X = cos ka + cos kb and Y = sin ka + sin kb.  The MLP draws X²,
    Y² and (X + Y)² as piecewise linear functions.  Since

        X² − Y² = cos 2ka + cos 2kb + 2 cos k(a + b)
        (X + Y)² − X² − Y² = sin 2ka + sin 2kb + 2 sin k(a + b)

    and the terms of a or b alone stand in the residual stream already, the unembedding can
    read cos(k(a + b)) and sin(k(a + b)).

    Args:
        frequencies: k, each from 1 to (P−1)/2.

    Raises:
        ValueError: if a frequency is out of range or named twice.
    """
    ks = np.array(list(frequencies), dtype=int)
    if len(set(ks.tolist())) != len(ks) or not len(ks) or ks.min() < 1 or ks.max() > modulus // 2:
        raise ValueError(f"frequencies must be different numbers from 1 to {modulus // 2}")
    used = 6 * len(ks)  # four of the embedding, two that the MLP writes
    d_model = -(-used // n_heads) * n_heads
    model = Transformer(
        modulus + 1, modulus, 3, d_model, n_heads, d_mlp=max(4 * d_model, 3 * KNOTS * len(ks))
    )
    angle = 2 * np.pi * ks[:, None] * np.arange(modulus) / modulus  # (frequencies, tokens)
    features = np.stack([np.cos(angle), np.sin(angle), np.cos(2 * angle), np.sin(2 * angle)], 1)
    W_E = np.zeros((modulus + 1, d_model))
    W_E[:modulus, : 4 * len(ks)] = features.reshape(-1, modulus).T
    n = model.blocks[0].mlp.b_in.numel()
    W_in, b_in, W_out = np.zeros((d_model, n)), np.zeros(n), np.zeros((n, d_model))
    b_out, W_U = np.zeros(d_model), np.zeros((d_model, modulus))
    for i in range(len(ks)):
        x, y, cos2, sin2 = range(4 * i, 4 * i + 4)
        out_cos, out_sin = 4 * len(ks) + 2 * i, 4 * len(ks) + 2 * i + 1
        squares = (  # direction, and its square's part in 2 cos k(a + b) and 2 sin k(a + b)
            ({x: 1.0}, 1.0, -1.0),
            ({y: 1.0}, -1.0, -1.0),
            ({x: 1.0, y: 1.0}, 0.0, 1.0),
        )
        for j, (direction, in_cos, in_sin) in enumerate(squares):
            units = slice((3 * i + j) * KNOTS, (3 * i + j + 1) * KNOTS)
            top = 2.0 * len(direction)
            knots, slopes, level = parabola(top)
            for row, weight in direction.items():
                W_in[row, units] = weight
            b_in[units] = -knots
            W_out[units, out_cos], W_out[units, out_sin] = in_cos * slopes, in_sin * slopes
            b_out[out_cos] += in_cos * level
            b_out[out_sin] += in_sin * level
        cos, sin = np.cos(angle[i]), np.sin(angle[i])
        W_U[out_cos], W_U[out_sin] = cos, sin
        W_U[cos2], W_U[sin2] = -cos, -sin  # takes away the terms of a or b alone
    values = dict(W_E=W_E, W_pos=np.zeros((3, d_model)), W_U=W_U * SCALE / len(ks))
    zeros = np.zeros((d_model, d_model))
    # Uniform attention gives a third of the sum over a, b and "=" (whose embedding is 0).
    attention = dict(W_Q=zeros, W_K=zeros, W_V=3 * np.eye(d_model), W_O=np.eye(d_model))
    mlp = dict(W_in=W_in, b_in=b_in, W_out=W_out, b_out=b_out)
    values |= {f"blocks.0.attention.{name}": value for name, value in attention.items()}
    values |= {f"blocks.0.mlp.{name}": value for name, value in mlp.items()}
    model.load_state_dict({k: torch.tensor(v, dtype=torch.float32) for k, v in values.items()})
    return model


def parabola(top: float) -> tuple[np.ndarray, np.ndarray, float]:
    """u² on [−top, top] as level + Σ slopes · relu(u − knots), exact at the knots.

    Returns:
        knots (KNOTS,), slopes (KNOTS,), level.
    """
    edges = np.linspace(-top, top, KNOTS + 1)
    slopes = np.diff(np.square(edges)) / np.diff(edges)  # of the pieces
    return edges[:-1], np.diff(slopes, prepend=0.0), float(top**2)
