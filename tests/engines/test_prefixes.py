"""Inputs as a tree: every input finds its own tokens, and beginnings are shared."""

import numpy as np
import pytest

from lib.data import build
from lib.engines.torch.inputs import prefixes
from lib.spec import RunSpec

MIXED = RunSpec(task="multitask", memorize_size=40, modulus=13, train_size=65, d_model=16)


@pytest.mark.parametrize("split", [False, True])
@pytest.mark.parametrize("spec", [MIXED, RunSpec(modulus=13, train_size=65)], ids=str)
def test_each_input_is_found_along_its_ancestors(spec, split):
    data = build(spec)
    split = split and spec is MIXED
    tree, tokens = prefixes(data.train.tokens, data.n_tokens, split), data.train.tokens
    rows = tree.row[tree.ancestors[tree.leaves]]
    assert np.array_equal(rows % data.n_tokens, tokens)
    assert np.array_equal(rows // data.n_tokens, np.tile(np.arange(data.length), (len(tokens), 1)))
    minus = tokens[:, 1] == data.n_tokens - 1
    assert np.array_equal(tree.route[tree.leaves], minus & split)
    assert (tree.route[tree.ancestors[tree.leaves]] == (minus & split)[:, None]).all()
    assert np.array_equal(tree.ancestors[np.arange(len(tree.row)), tree.position],
                          np.arange(len(tree.row)))  # fmt: skip


def test_beginnings_are_shared():
    data = build(MIXED)
    tree = prefixes(data.train.tokens, data.n_tokens)
    counts = np.bincount(tree.position)
    assert counts[0] <= 13 and counts[1] <= 26 and counts[2] == counts[3] == 105
    apart = prefixes(data.train.tokens, data.n_tokens, split=True)
    assert 13 < np.bincount(apart.position)[0] <= 26
