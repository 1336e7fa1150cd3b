"""What is said of the norm beside the controls."""

import numpy as np

from lib.chapters.stories.dynamics.norms import beside_controls


def curve(before, after, accuracies=(0.0, 0.05, 1.0)):
    return dict(
        epoch=np.array([0, 10, 20]),
        val_accuracy=np.array(accuracies),
        param_norm=np.array([before, before, after], float),
    )


def test_means_over_the_runs_that_generalize_and_have_a_control():
    """By hand: log 2 and log 4 beside controls that stay, or double."""
    runs = [
        ("progression", curve(1, 2), curve(3, 3)),
        ("progression", curve(1, 4), curve(3, 6)),
        ("progression", curve(1, 9), None),
        ("grokking", curve(2, 1, (0.0, 0.0, 0.05)), curve(1, 1)),  # never generalizes
    ]
    said = beside_controls(runs)
    assert "in progression +1.04, in its controls +0.35 (2 runs)" in said
    assert "grokking" not in said
    assert beside_controls(runs[2:]).startswith("No run")
