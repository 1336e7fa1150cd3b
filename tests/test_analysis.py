"""Zones on synthetic curves whose name is beyond doubt."""

import numpy as np
import pytest

from lib.analysis import first_epoch, zone

EPOCHS = np.arange(0, 1001, 10)


def rise(start, height=1.0, width=50):
    return height / (1 + np.exp(-(EPOCHS - start) / width))


def curve(train, val):
    loss = np.full(len(EPOCHS), 0.5)
    return dict(epoch=EPOCHS, train_accuracy=train, val_accuracy=val, train_loss=loss)


@pytest.mark.parametrize(
    "train, val, name",
    [
        (rise(100, width=10), 0 * EPOCHS + 0.01, "ungrokking"),
        (rise(100, width=10), rise(700, width=30), "grokking"),
        (rise(100, width=10), rise(700, 0.4, 30), "semi-grokking"),
        (rise(500, 0.6), rise(520, 0.5), "progression"),
        (rise(500, width=20), rise(505, width=20), "progression"),
        (rise(100, 0.2), 0 * EPOCHS + 0.01, "unlearned"),
    ],
)
def test_zone(train, val, name):
    assert zone(curve(train, val)) == name


def test_no_validation_set_and_divergence():
    nothing = np.full(len(EPOCHS), np.nan)
    assert zone(curve(rise(100, width=10), nothing)) == "ungrokking"
    diverged = curve(rise(100), rise(100)) | dict(train_loss=nothing)
    assert zone(diverged) == "diverged"


def test_first_epoch():
    assert first_epoch(EPOCHS, rise(500), 0.5) == 500
    assert first_epoch(EPOCHS, rise(500, 0.4), 0.5) == np.inf
