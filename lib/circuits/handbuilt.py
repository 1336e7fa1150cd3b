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
    W_E, W_U = _embeddings(angle, d_model)
    zeros = np.zeros((d_model, d_model))
    # Uniform attention gives a third of the sum over a, b and "=" (whose embedding is 0).
    attention = dict(W_Q=zeros, W_K=zeros, W_V=3 * np.eye(d_model), W_O=np.eye(d_model))
    mlp = _mlp(len(ks), d_model, model.blocks[0].mlp.b_in.numel())
    values = dict(W_E=W_E, W_pos=np.zeros((3, d_model)), W_U=W_U * SCALE / len(ks))
    values |= {f"blocks.0.attention.{name}": value for name, value in attention.items()}
    values |= {f"blocks.0.mlp.{name}": value for name, value in mlp.items()}
    model.load_state_dict({k: torch.tensor(v, dtype=torch.float32) for k, v in values.items()})
    return model


def _embeddings(angle: np.ndarray, d_model: int) -> tuple[np.ndarray, np.ndarray]:
    """W_E (tokens, d_model) and W_U (d_model, classes) for angles (frequencies, tokens).

    Of the residual stream each frequency has cos ka, sin ka, cos 2ka, sin 2ka, and after these,
    for all frequencies, the two that the MLP writes.
    """
    count, modulus = angle.shape
    features = np.stack([np.cos(angle), np.sin(angle), np.cos(2 * angle), np.sin(2 * angle)], 1)
    W_E, W_U = np.zeros((modulus + 1, d_model)), np.zeros((d_model, modulus))
    W_E[:modulus, : 4 * count] = features.reshape(-1, modulus).T
    for i, (cos, sin, _, _) in enumerate(features):
        W_U[4 * count + 2 * i], W_U[4 * count + 2 * i + 1] = cos, sin
        W_U[4 * i + 2], W_U[4 * i + 3] = -cos, -sin  # takes away the terms of a or b alone
    return W_E, W_U


def _mlp(count: int, d_model: int, n: int) -> dict[str, np.ndarray]:
    """The MLP's weights, n hidden units: X², Y² and (X + Y)² of each of `count` frequencies."""
    W_in, b_in, W_out = np.zeros((d_model, n)), np.zeros(n), np.zeros((n, d_model))
    b_out = np.zeros(d_model)
    squares = (  # direction, and its square's part in 2 cos k(a + b) and 2 sin k(a + b)
        ((1.0, 0.0), 1.0, -1.0),
        ((0.0, 1.0), -1.0, -1.0),
        ((1.0, 1.0), 0.0, 1.0),
    )
    for i in range(count):
        out = 4 * count + 2 * i + np.array([0, 1])
        for j, (direction, *parts) in enumerate(squares):
            units = slice((3 * i + j) * KNOTS, (3 * i + j + 1) * KNOTS)
            knots, slopes, level = parabola(2 * sum(direction))
            W_in[4 * i : 4 * i + 2, units] = np.array(direction)[:, None]
            b_in[units] = -knots
            W_out[units, out] = np.outer(slopes, parts)
            b_out[out] += np.array(parts) * level
    return dict(W_in=W_in, b_in=b_in, W_out=W_out, b_out=b_out)


def parabola(top: float) -> tuple[np.ndarray, np.ndarray, float]:
    """u² on [−top, top] as level + Σ slopes · relu(u − knots), exact at the knots.

    Returns:
        knots (KNOTS,), slopes (KNOTS,), level.
    """
    edges = np.linspace(-top, top, KNOTS + 1)
    slopes = np.diff(np.square(edges)) / np.diff(edges)  # of the pieces
    return edges[:-1], np.diff(slopes, prepend=0.0), float(top**2)
