"""Memorization capacity D_mem (§2.3, figure 4), and the units that it is counted in."""

import numpy as np
import pandas as pd

from lib.analysis.statistics import student


def ordered_pairs(facts, modulus: int = 113):
    """The number of random ordered pairs that hold `facts` unordered ones: the inverse of
    `distinct_pairs`, cut at 0 and at all pairs."""
    off = modulus * (modulus - 1) / 2
    facts = np.clip(np.asarray(facts, float), 0, modulus + off)
    b = modulus + 2 * off  # facts = b s − off s², with s the share of all ordered pairs
    share = (b - np.sqrt(np.maximum(b * b - 4 * off * facts, 0))) / (2 * off)
    return share * modulus**2


def distinct_pairs(train_size, modulus: int = 113):
    """Unordered pairs expected among `train_size` random ordered ones (PAPER: footnote 3).

    The task commutes, so (a, b) and (b, a) are one fact to memorize: 12,769 ordered pairs
    hold 6,441, and 3,000 random ones about 2,650.
    """
    share = np.asarray(train_size, float) / modulus**2
    return modulus * share + modulus * (modulus - 1) / 2 * (1 - (1 - share) ** 2)


CAPACITY = ["d_model", "accuracy", "estimate", "low", "high", "seeds"]


def capacities(runs: pd.DataFrame) -> pd.DataFrame:
    """D_mem of every width: d_model, accuracy, estimate, low, high (unordered pairs), seeds.

    The capacity is training accuracy on random labels times the unordered pairs; the 95%
    interval over seeds is Student's.
    """
    rows = []
    for d_model, cell in runs.groupby("d_model"):
        facts = distinct_pairs(cell["train_size"].iloc[0], cell["modulus"].iloc[0])
        values = cell["train_accuracy"].to_numpy() * facts
        mean, *ends = student(values)
        low, high = np.clip(ends, 0, facts)  # nobody knows more than there is
        rows.append((d_model, mean / facts, mean, low, high, len(values)))
    return pd.DataFrame(rows, columns=CAPACITY)
