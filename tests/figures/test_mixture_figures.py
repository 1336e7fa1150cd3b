"""Accuracy against size: which sizes lines go through, which cells are marked as missing."""

import matplotlib.pyplot as plt
import numpy as np
import pytest
from matplotlib.patches import Rectangle
from worlds import runs

from lib.analysis.emergence import n_parameters
from lib.figures.mixtures import SHARED, accuracy_by_size

WIDTHS = (32, 64, 128, 256)


def lines(values, more=()):
    """The best's and the mean's heights at the widths, and the number of hatched boxes."""
    panel = {"mixed": (runs(values), SHARED, {(1, d): n_parameters(d) for d in WIDTHS})}
    figure = accuracy_by_size({"3,000": panel, **dict(more)})
    ax = figure.axes[0]
    best, mean = (line.get_ydata() for line in ax.get_lines()[:2])
    boxes = sum(isinstance(p, Rectangle) and bool(p.get_hatch()) for p in ax.patches)
    plt.close(figure)
    return best, mean, boxes


def test_a_line_goes_only_through_sizes_with_all_their_seeds():
    best, mean, boxes = lines({32: (0.1, 0.2, 0.6), 64: (0.9,), 128: (1.0, 1.0, 0.7)})
    assert best == pytest.approx([0.6, np.nan, 1.0, np.nan], nan_ok=True)
    assert mean == pytest.approx([0.3, np.nan, 0.9, np.nan], nan_ok=True)
    assert boxes == 1  # 256; a single run is no missing cell


def test_where_no_size_has_three_seeds_the_most_there_are_will_do():
    best, *_ = lines({32: (0.1,), 64: (0.9,)})
    assert best == pytest.approx([0.1, 0.9, np.nan, np.nan], nan_ok=True)


def test_seeds_are_counted_over_all_panels():
    other = {"6,000": {"mixed": (runs({32: (0.5, 0.5, 0.5)}), SHARED, {(1, 32): n_parameters(32)})}}
    best, *_ = lines({32: (0.1,), 64: (0.9,)}, other.items())
    assert np.isnan(best).all()
