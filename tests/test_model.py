"""The definition: shapes, causality, initialisation, the exact loss."""

import math

import pytest
import torch
from torch.nn import functional as F

from lib.data import build
from lib.model import Transformer, build_model, exact_cross_entropy
from lib.spec import RunSpec


def test_shapes_and_causality():
    model = Transformer(n_tokens=12, n_classes=11, length=4, d_model=8, n_layers=3)
    torch.manual_seed(0)
    for parameter in model.parameters():
        torch.nn.init.normal_(parameter, std=0.3)
    tokens = torch.randint(0, 12, (5, 4))
    logits = model(tokens)
    assert logits.shape == (5, 4, 11)
    changed = tokens.clone()
    changed[:, -1] = (changed[:, -1] + 1) % 12
    after = model(changed)
    assert torch.equal(logits[:, :-1], after[:, :-1])  # the past does not see the future
    assert not torch.allclose(logits[:, -1], after[:, -1])


def test_initialisation():
    spec = RunSpec(d_model=64)
    model = build_model(spec, build(spec))
    assert model.W_E.std().item() == pytest.approx(1 / 8, rel=0.05)
    assert model.W_U.std().item() == pytest.approx(1 / math.sqrt(113), rel=0.05)
    assert not model.blocks[0].mlp.b_in.any() and not model.blocks[0].mlp.b_out.any()
    again, other = build_model(spec, build(spec)), build_model(spec.replace(seed=1), build(spec))
    assert torch.equal(model.W_E, again.W_E) and not torch.equal(model.W_E, other.W_E)


def test_exact_loss_is_cross_entropy():
    torch.manual_seed(0)
    logits = (5 * torch.randn(50, 7, dtype=torch.float64)).requires_grad_()
    labels = torch.randint(0, 7, (50,))
    ours, usual = exact_cross_entropy(logits, labels), F.cross_entropy(logits, labels)
    assert ours.item() == pytest.approx(usual.item(), rel=1e-12)
    (a,) = torch.autograd.grad(ours, logits)
    (b,) = torch.autograd.grad(usual, logits)
    assert torch.allclose(a, b, atol=1e-15)


def test_exact_loss_does_not_collapse_in_float32():
    logits = torch.tensor([[60.0, 0.0, 0.0]], requires_grad=True)
    label = torch.tensor([0])
    usual = F.cross_entropy(logits, label)
    ours = exact_cross_entropy(logits, label)
    assert usual.item() == 0  # softmax collapse
    assert ours.item() == pytest.approx(2 * math.exp(-60), rel=1e-5)
    (gradient,) = torch.autograd.grad(ours, logits)
    assert gradient[0, 0].item() == pytest.approx(-2 * math.exp(-60), rel=1e-5)
