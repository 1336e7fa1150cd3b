"""Figures for all screens: the paper's statements drawn in, narrow and dark forms."""

import base64
import re

import numpy as np
import pandas as pd
import pytest
from matplotlib.text import Text

from lib.figures import accuracy, stated, style
from lib.paper.recipe import DYNAMICS

WIDTHS = [8, 16, 24, 32]


def runs(values=(0.0, 1.0, 1.0)):
    rows = [(d, 3000, seed, v, 1.0) for d in WIDTHS for seed, v in enumerate(values)]
    return pd.DataFrame(
        rows, columns=["d_model", "train_size", "seed", "val_accuracy", "train_accuracy"]
    )


def drawn(values=(0.0, 1.0, 1.0)):
    own = runs(values)
    curve = {"validation": (own, "val_accuracy", style.VAL, "--")}
    return accuracy.accuracy_by_width({3000: curve, 4000: curve}, WIDTHS, figure=6)


def test_a_panel_has_the_runs_of_its_training_size():
    line = runs(), "val_accuracy", style.VAL, "--"
    shown = accuracy.by_size({"validation": line}, [3000, 4000])
    (own, *look), (none, *_) = (panel["validation"] for panel in shown.values())
    assert list(shown) == [3000, 4000] and len(own) == 12 and none.empty
    assert look == ["val_accuracy", style.VAL, "--"]


def test_the_paper_s_dip_is_in_its_panel_only():
    of_3000, of_4000 = drawn().axes[:2]
    (band,) = [p for p in of_3000.patches if p.get_label() == stated.LABEL]
    assert (band.get_x(), band.get_x() + band.get_width()) == (28, 36)
    assert not [p for p in of_4000.patches if p.get_label() == stated.LABEL]


def test_every_figure_has_its_panel_and_every_cell_of_figure_2_its_end():
    for figure, (form, statements) in stated.FIGURES.items():
        words = stated.panel_words(figure)
        assert f"figure {figure} shows" in words and form in words
        assert all(statement.says in words for statement in statements)
        marked = any(s.x or s.y for s in statements)
        assert ("straw-coloured" in words) == marked
    assert [s.panel for s in stated.FIGURES[2][1]] == list(DYNAMICS)


@pytest.mark.parametrize("values, share", [((0.0, 1.0, 1.0), 2 / 3), ((0.5, 0.6, 0.7), 0.0)])
def test_a_share_is_drawn_with_its_exact_interval(values, share):
    ax = drawn(values).axes[0]
    diamonds = [line for line in ax.lines if line.get_marker() == "D" and len(line.get_xdata())]
    assert [line.get_ydata()[0] for line in diamonds] == pytest.approx([share] * len(WIDTHS))
    bars = [line.get_ydata() for line in ax.lines if line.get_linewidth() == 4]
    low, high = {0.0: (0, 0.7076), 2 / 3: (0.0943, 0.9916)}[share]
    assert np.allclose(bars, [(low, high)] * len(WIDTHS), atol=1e-3)


def test_a_figure_carries_its_narrow_form(request, monkeypatch):
    monkeypatch.syspath_prepend(str(request.config.rootpath / "book" / "_ext"))
    import pictures

    figure = drawn()
    svg = style.for_all_screens(figure)
    narrow = base64.b64decode(pictures.CARRIED.search(svg)[1]).decode()
    ends = re.search(r'width="(.*?)pt" height="(.*?)pt"', narrow).groups()
    width, height = map(float, ends)
    assert height > width  # the panels stand below each other
    letters = [t.get_fontsize() for t in figure.findobj(Text) if t.get_text()]
    assert min(letters) * 358 / width >= 9  # pixels, on a page of 358
    dark = pictures.darkened(svg)
    assert "#0072b2" not in dark and "#ff8c42" in dark
    assert f'fill="{pictures.DARK["#000000"]}"' in dark


def test_dark_lines_of_a_scale_are_lightened_and_areas_are_not(request, monkeypatch):
    monkeypatch.syspath_prepend(str(request.config.rootpath / "book" / "_ext"))
    import pictures

    svg = '<svg x="1"><path style="stroke: #48186a"/><path style="fill: #00224e"/></svg>'
    dark = pictures.darkened(svg)
    assert "#00224e" in dark and "#48186a" not in dark
    light, ground = pictures.lightened("#48186a"), pictures.DARK["#ffffff"]
    assert (pictures.luminance(light) + 0.05) / (pictures.luminance(ground) + 0.05) >= 3
    assert pictures.lightened("#fde725") == "#fde725"


def test_labels_that_would_touch_on_a_phone_become_ticks():
    figure, ((ax,),) = style.panels(1, 1, (7, 3.8))
    widths = [4, 8, 12, 16, 20, 24, 28, 32, 36, 40, 44, 48, 56, 64, 100]
    style.width_axis(ax, widths)
    wide = [label.get_text() for label in ax.get_xticklabels()]
    style.for_all_screens(figure)
    narrow = [label.get_text() for label in ax.get_xticklabels()]
    assert narrow[0] == "4" and narrow[-1] == "100" and set(narrow) < set(wide)
    assert {*ax.get_xticks(), *ax.get_xticks(minor=True)} == set(widths)


def test_a_figure_of_one_table_keeps_its_form():
    assert style.CARRIED not in style.for_all_screens(
        accuracy.accuracy_grid(runs(), WIDTHS, [3000])
    )


def test_dots_stay_beside_their_place_whatever_the_seeds_are_called():
    place = np.array([8.0, 8.0, 8.0, 16.0])
    moved = style.jitter(place, np.array([1004, 1002, 1013, 1002]), 0.02)
    assert moved == pytest.approx([8.0, 8.0 * 0.98, 8.0 * 1.02, 16.0 * 0.98])
    assert style.jitter(place[:1], np.array([1002]), 0.02).tolist() == [8.0]
    assert style.jitter(place[:0], np.array([]), 0.02).tolist() == []
