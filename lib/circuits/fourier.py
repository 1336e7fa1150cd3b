"""What a trained network computes: its Fourier spectrum, and the measures of its progress.

A network that has learned (a + b) mod P answers with waves: its logits are sums of
cos(2πk(a + b − c)/P) over a few frequencies k (Nanda et al. 2023, arXiv 2301.05217).  One
that has memorized has no such structure.  Everything here is a function of the logits on
all P² pairs and of the embedding, for an odd P.

Logits are used up to what the softmax cannot see: the mean over the classes is taken away
for each pair.  The mean over the pairs, a bias for each class, is no part of either circuit
and is taken away where shares are measured.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch

from lib.circuits.mlp import ablated
from lib.data import Dataset, Split, all_pairs
from lib.model import Transformer

KEY_SHARE = 0.001
"""Share of the trigonometric part from which a frequency may be a key frequency: weak ones
decide between neighbouring classes where one strong wave cannot."""


ABOVE_NOISE = 10
"""A key frequency also has so many times the median frequency's share."""


BATCH = 4096  # pairs at once: a few MB of activations


def logits_of(model: Transformer, modulus: int) -> np.ndarray:
    """Logits of a network on every pair (a, b), in a mixture under "+": (P, P, P), float64.

    The last axis is the class c; the mean over it is 0.
    """
    a, b = all_pairs(modulus)
    columns = [a, b, np.full(len(a), modulus)]
    if len(model.W_pos) == 4:
        columns.insert(1, np.full(len(a), modulus + 1))
    tokens = torch.from_numpy(np.stack(columns, axis=1))
    with torch.no_grad():
        parts = [model(part)[:, -1] for part in tokens.split(BATCH)]
    logits = torch.cat(parts).double().numpy().reshape(modulus, modulus, modulus)
    return logits - logits.mean(axis=-1, keepdims=True)


def waves(modulus: int) -> np.ndarray:
    """Orthonormal cos and sin of every frequency k = 1 … (P−1)/2: ((P−1)/2, 2, P)."""
    k = np.arange(1, (modulus + 1) // 2)
    angle = 2 * np.pi * k[:, None] * np.arange(modulus) / modulus
    return np.stack([np.cos(angle), np.sin(angle)], axis=1) * np.sqrt(2 / modulus)


def embedding_spectrum(model: Transformer, modulus: int) -> np.ndarray:
    """Share of the number tokens' embedding (its mean taken away) at each frequency.

    ((P−1)/2,), for k = 1 …; the shares add up to 1.
    """
    W_E = model.W_E.detach().double().numpy()[:modulus]
    power = np.square(waves(modulus) @ W_E).sum(axis=(1, 2))
    return power / power.sum()


def by_sum(logits: np.ndarray) -> np.ndarray:
    """Mean logits of all pairs with the same (a + b) mod P: (P sums, P classes).

    This is the projection on all functions of a + b: on cos and sin of 2πk(a + b)/P for every
    k, and the constant.
    """
    modulus = len(logits)
    a, b = all_pairs(modulus)
    flat = logits.reshape(-1, modulus)
    return np.stack([flat[(a + b) % modulus == s].mean(axis=0) for s in range(modulus)])


def logit_spectrum(logits: np.ndarray) -> np.ndarray:
    """Share of the logits' squared norm along cos and sin of 2πk(a + b)/P: ((P−1)/2,).

    What is left to 1 lies outside the trigonometric subspace.
    """
    modulus = len(logits)
    centred = logits - logits.mean(axis=(0, 1))
    # A function f of a + b has norm P |f|² over all pairs.
    power = modulus * np.square(waves(modulus) @ by_sum(centred)).sum(axis=(1, 2))
    return power / np.square(centred).sum()


def held_out_share(logits: np.ndarray, pairs: np.ndarray) -> float:
    """Share of some pairs' logits that a + b explains (of their variance), 0 to 1.

    Of n pairs whose logits are noise it is about (P − 1) / (n − 1): nothing to speak of while
    thousands are left, a third where some 350 are.

    Args:
        pairs: rows (a, b), such as the validation set's; NaN if there are none.
    """
    if not len(pairs):
        return np.nan
    modulus, (a, b) = len(logits), pairs.T
    own = logits[a, b]
    own = own - own.mean(axis=0)
    total, explained = np.square(own).sum(), 0.0
    if total <= 1e-18 * np.square(logits[a, b]).sum():  # a bias alone: rounding is no share
        return np.nan
    for s in range(modulus):
        group = own[(a + b) % modulus == s]
        if len(group):
            explained += len(group) * np.square(group.mean(axis=0)).sum()
    return float(explained / total)


def key_frequencies(spectrum: np.ndarray) -> list[int]:
    """The frequencies that stand out, strongest first (`KEY_SHARE`, `ABOVE_NOISE`); maybe none.

    Args:
        spectrum: from `logit_spectrum`.
    """
    share = spectrum / spectrum.sum()
    least = max(KEY_SHARE, ABOVE_NOISE * float(np.median(share)))
    order = np.argsort(-share, kind="stable")
    return [int(k) + 1 for k in order if share[k] >= least]


def wave_part(logits: np.ndarray, frequencies: list[int]) -> np.ndarray:
    """The part of the logits along cos and sin of 2πk(a + b)/P for some k: (P, P, P)."""
    modulus = len(logits)
    basis = waves(modulus)[np.array(frequencies, dtype=int) - 1].reshape(-1, modulus)
    f = basis.T @ (basis @ by_sum(logits))  # (sums, classes)
    a, b = all_pairs(modulus)
    return f[(a + b) % modulus].reshape(logits.shape)


def restricted(logits: np.ndarray, frequencies: list[int]) -> np.ndarray:
    """The logits with the waves of some frequencies alone, and the mean over all pairs."""
    return wave_part(logits, frequencies) + logits.mean(axis=(0, 1))


def excluded(logits: np.ndarray, frequencies: list[int]) -> np.ndarray:
    """The logits without the waves of some frequencies: what is left to memorize with."""
    return logits - wave_part(logits, frequencies)


def loss_on(logits: np.ndarray, tokens: np.ndarray, labels: np.ndarray) -> float:
    """Mean cross-entropy in nats on some inputs; NaN if there are none."""
    own, right = _on(logits, tokens, labels)
    top = own.max(axis=1, initial=-np.inf)
    return _mean(np.log(np.exp(own - top[:, None]).sum(axis=1)) + top - right)


def margin_on(logits: np.ndarray, tokens: np.ndarray, labels: np.ndarray) -> float:
    """Mean logit of the right class above the mean of all classes; NaN without inputs."""
    return _mean(_on(logits, tokens, labels)[1])


def accuracy_on(logits: np.ndarray, tokens: np.ndarray, labels: np.ndarray) -> float:
    """Share of inputs whose largest logit is the right class's; NaN without inputs."""
    return _mean(_on(logits, tokens, labels)[0].argmax(axis=1) == labels)


def _on(logits, tokens, labels) -> tuple[np.ndarray, np.ndarray]:
    """Logits of some inputs (n, P), and those of their right classes (n,)."""
    own = logits[tokens[:, 0], tokens[:, 1]]
    return own, own[np.arange(len(labels)), labels]


def _mean(values: np.ndarray) -> float:
    return float(values.mean()) if len(values) else np.nan


def mirrored(data: Dataset, *earlier: Dataset) -> np.ndarray:
    """Which validation pairs (a, b) have their mirror (b, a) in the training set: a mask.

    A network that treats both places alike answers them without any rule of addition.

    Args:
        data: the data of a run.
        earlier: those of the runs that it goes on from; what they were trained on, and its
            mirrors, count as seen, too.
    """
    seen = np.zeros((data.n_classes, data.n_classes), bool)
    for known in (data, *earlier):
        seen[known.train.tokens[:, 1], known.train.tokens[:, 0]] = True
    for known in earlier:
        seen[known.train.tokens[:, 0], known.train.tokens[:, 1]] = True
    return seen[data.val.tokens[:, 0], data.val.tokens[:, 1]]


def algorithmic(data: Dataset) -> Dataset:
    """The data of the algorithmic task alone, as [a, b, =]: what else a mixture has is left out."""
    if data.length == 3:
        return data
    count, columns = len(data.train) - len(data.memorize), [0, 2, 3]
    train = Split(data.train.tokens[:count, columns], data.train.labels[:count])
    val = Split(data.val.tokens[:, columns], data.val.labels)
    empty = Split(val.tokens[:0], val.labels[:0])
    return Dataset(train, val, empty, data.n_tokens, data.n_classes)


@dataclass(frozen=True)
class Measures:
    """What a network computes at one moment.

    Attributes:
        trig_share: share of the logits' squared norm in the trigonometric subspace, 0 to 1.
            About 1/P for logits that know nothing of a + b.  On the labels of a + b a memorized
            training set lifts it (its labels are functions of a + b), and so do the mirrors of
            its pairs: `held_out_share` on pairs that are neither does not have that flaw.
        held_out_share: the same on the validation pairs that are not mirrored; NaN without any.
        restricted_loss: loss on all the task's pairs with the key frequencies' waves alone.
        excluded_loss: loss on the training set without them.
        margin: mean logit of the right class above the mean, on the training set.
        val_margin: the same on the validation set; NaN without any.
        mirrored_accuracy: on validation pairs whose mirror was trained on (`mirrored`).
        unmirrored_accuracy: on the others.
        unseen_accuracy: on those of them that no earlier run has seen, nor their mirrors.
        frequencies: the key frequencies that were used, strongest first.
        logit_spectrum, embedding_spectrum: ((P−1)/2,) shares, see the functions.
        ablated_val, ablated_memorize, spared_val, spared_memorize: of a mixture,
            `lib.circuits.mlp.ablated`; otherwise None.
    """

    trig_share: float
    held_out_share: float
    restricted_loss: float
    excluded_loss: float
    margin: float
    val_margin: float
    mirrored_accuracy: float
    unmirrored_accuracy: float
    unseen_accuracy: float
    frequencies: list[int]
    logit_spectrum: np.ndarray
    embedding_spectrum: np.ndarray
    ablated_val: list[float] | None = None
    ablated_memorize: list[float] | None = None
    spared_val: list[float] | None = None
    spared_memorize: list[float] | None = None


def measure(
    model: Transformer,
    data: Dataset,
    frequencies: list[int] | None = None,
    earlier: Sequence[Dataset] = (),
) -> Measures:
    """All measures of a network with one layer; of a mixture those of addition, and `ablated`.

    Args:
        model: the network.
        data: its data, from `lib.data.build`: training and validation are told apart.
        frequencies: the key frequencies, those of the run's end for instance (Nanda et al.);
            by default the network's own.
        earlier: the data of the runs that this one goes on from.
    """
    modulus = data.n_classes
    if modulus % 2 == 0:
        raise ValueError("measured are networks that work modulo an odd number")
    units = ablated(model, data) if len(data.memorize) else {}
    data = algorithmic(data)
    logits = logits_of(model, modulus)
    spectrum = logit_spectrum(logits)
    keys = key_frequencies(spectrum) if frequencies is None else list(frequencies)
    tokens = np.concatenate([data.train.tokens, data.val.tokens])
    labels = np.concatenate([data.train.labels, data.val.labels])
    train = data.train.tokens, data.train.labels
    val = data.val.tokens, data.val.labels
    mask, known = mirrored(data), mirrored(data, *earlier)
    return Measures(
        trig_share=float(spectrum.sum()),
        held_out_share=held_out_share(logits, data.val.tokens[~mask, :2]),
        restricted_loss=loss_on(restricted(logits, keys), tokens, labels),
        excluded_loss=loss_on(excluded(logits, keys), *train),
        margin=margin_on(logits, *train),
        val_margin=margin_on(logits, *val),
        mirrored_accuracy=accuracy_on(logits, *(part[mask] for part in val)),
        unmirrored_accuracy=accuracy_on(logits, *(part[~mask] for part in val)),
        unseen_accuracy=accuracy_on(logits, *(part[~known] for part in val)),
        frequencies=keys,
        logit_spectrum=spectrum,
        embedding_spectrum=embedding_spectrum(model, modulus),
        **units,
    )
