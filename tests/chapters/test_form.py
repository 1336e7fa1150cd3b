"""The count of parameters by form, held against models that are built."""

import pytest

from lib.chapters.stories.recipe import form
from lib.data import build
from lib.model import build_model
from lib.spec import RunSpec

CHANGES = {
    "the book's": {},
    "one embedding": dict(tied=True),
    "heads of 32": dict(d_head=32, d_mlp=512),
}


@pytest.mark.parametrize("start", CHANGES)
@pytest.mark.parametrize("d_model, n_layers", [(8, 1), (16, 2)])
def test_a_form_has_as_many_parameters_as_its_model(start, d_model, n_layers):
    spec = RunSpec(task="multitask", memorize_size=9, train_size=9, d_model=d_model,
                   n_layers=n_layers, **CHANGES[start])  # fmt: skip
    model = build_model(spec, build(spec))
    (count,) = [count for name, count in form.FORMS.items() if name.startswith(start)]
    assert sum(p.numel() for p in model.parameters()) == count(d_model, n_layers)


def test_the_paper_s_ratio_is_rounded_to_tens():
    found = [form.fits(ratio) for ratio in (1564.9, 1565.1, 1574.9, 1575.1)]
    assert found == [False, True, True, False]


def test_the_table_names_the_form_that_fits():
    """A ratio hangs on little: biases, or three more classes, give another."""
    found = form.ratios()
    assert {name for name, ratio in found.items() if form.fits(ratio)} == {next(iter(found))}
    text = form.said()
    close = [name for name, ratio in found.items() if 1_554.3 < ratio < 1_585.7]
    assert text.startswith(f"**1 of {len(found)} forms of the model gives the paper's ratio")
    assert f"** {len(close)} are within 1% of it." in text
    assert text.count("| no ") == len(found) - 1
