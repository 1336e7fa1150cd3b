"""The kernel on tile registers (AMX): three or six bfloat16 products for one of float32."""

import numpy as np
import pytest
import torch
from click.testing import CliRunner
from numba import njit
from oracles import CASES, STEPS, TINY, autograd, error, torch_steps

from lib.cli.main import main
from lib.data import build
from lib.engines.kernel import amx_products
from lib.engines.kernel.engine import Engine
from lib.engines.kernel.layout import TILE, aligned
from lib.engines.kernel.products import AS_IS, BIAS_AND_ROWS, ROWS, Ends, Matrix, Rows
from lib.engines.simd import amx, processor
from lib.engines.simd.processor import AMX, UNIT
from lib.engines.simd.vectors import ENTRY
from lib.spec import RunSpec, SpecError
from lib.train import train

pytestmark = pytest.mark.xdist_group("amx")  # one worker compiles, and steps as PyTorch does
with_amx = pytest.mark.skipif(not AMX, reason="this processor has no tile registers")
# among them odd widths, a mixture, a split MLP, LayerNorm
MIXED = [CASES[i] for i in (0, 3, 4, 6, 9, 11, 12, 16, 17)]


def blocked(matrix):
    """A matrix as the kernel stores it: 4 × 4 blocks."""
    rows, columns = matrix.shape
    return matrix.reshape(rows // 4, 4, columns // 4, 4).transpose(0, 2, 1, 3).ravel()


PARTS = pytest.mark.parametrize("parts", [3, 2])
PRECISION = pytest.mark.parametrize("precision", ["bf16x6", "bf16x3"])


@njit(cache=True, **ENTRY)  # in a folder named by the sources of what it calls
def both(parts, rows, columns, n_tiles, P, packs, X, Y, Z, D, R, bias, K, G):
    """Y = W X + bias + R and D += Wᵀ Z for the first tile, G = Z Xᵀ over all."""
    amx.configure()
    turned, a, b = packs.shape[0] // 2, rows * TILE, columns * TILE
    W = Matrix(P, 0, rows, columns, rows, columns, 0, turned)
    amx_products.pack_weights(parts, P, 0, rows, columns, packs, 0, turned)
    x, y, z, d = Rows(X, 0, b), Rows(Y, 0, a), Rows(Z, 0, a), Rows(D, 0, b)
    tiles = parts, packs, K
    ends = Ends(BIAS_AND_ROWS, AS_IS, bias, 0, Rows(R, 0, a))
    amx_products.linear(tiles, W, False, x, y, ends, 1)
    amx_products.linear(tiles, W, True, z, d, Ends(ROWS, AS_IS, bias, 0, d), 1)
    amx_products.outer(parts, z, x, n_tiles, W, G, 0, K)
    amx.release()


@with_amx
@PARTS
@pytest.mark.parametrize("rows, columns", [(16, 16), (48, 80), (64, 32), (32, 112)])
def test_products_with_any_number_of_blocks(rows, columns, parts):
    rng = np.random.default_rng(0)
    W = rng.normal(size=(rows, columns)).astype(np.float32)
    P, n_tiles = aligned(W.size), 3
    P[:] = blocked(W)
    X, Z, Y, R, D = (aligned(n_tiles * n * TILE) for n in (columns, rows, rows, rows, columns))
    for array in (X, Z, R, D):
        array[:] = rng.normal(size=array.size)
    added, bias = D.copy(), rng.normal(size=rows).astype(np.float32)
    packs = aligned(2 * 8 * 8 * parts * UNIT)
    K, G = aligned(64 * 8 * parts * UNIT), aligned(W.size)

    both(parts, rows, columns, n_tiles, P, packs, X, Y, Z, D, R, bias, K, G)
    x, z = (v.reshape(n_tiles, -1, TILE).astype(float) for v in (X, Z))
    bound = 1e-5 if parts == 2 else 3e-7  # float32 on vectors: 2e-7
    first = R[: rows * TILE].reshape(rows, TILE) + bias[:, None]
    assert error(Y[: rows * TILE].reshape(rows, TILE), W @ x[0] + first) <= bound
    more = added[: columns * TILE].reshape(columns, TILE)
    assert error(D[: columns * TILE].reshape(columns, TILE), W.T @ z[0] + more) <= bound
    truth = np.einsum("trn,tcn->rc", z, x)
    assert error(G, blocked(truth)) <= bound


@with_amx
@pytest.mark.parametrize("spec", CASES, ids=lambda s: f"{s.label()} P={s.modulus}")
def test_gradients_of_bf16x6_are_as_exact_as_those_of_float32(spec):
    data = build(spec)
    engine = Engine(spec, data, precision="bf16x6")
    loss, truth = autograd(spec, data)
    for name, gradient in engine.gradients().items():
        assert error(gradient, truth[name]) <= 1e-5, name
    assert engine.evaluate("train")[0] == pytest.approx(loss, rel=1e-5)


@with_amx
@pytest.mark.parametrize("spec", MIXED, ids=RunSpec.label)
def test_gradients_of_bf16x3_at_initialisation(spec):
    """Products are right to 1e-5.  A hidden unit that is nearly 0 may fall on the other side of
    its ReLU, which moves what is behind it by parts of a percent; a block in a wrong place would
    move it by ten percent and more."""
    data = build(spec)
    engine = Engine(spec, data, precision="bf16x3")
    loss, truth = autograd(spec, data)
    for name, gradient in engine.gradients().items():
        smooth = name == "W_U" or name.endswith(("W_out", "b_out"))  # not behind a ReLU
        assert error(gradient, truth[name]) <= (3e-5 if smooth else 2e-2), name
    assert engine.evaluate("train")[0] == pytest.approx(loss, rel=1e-4)


@with_amx
@PRECISION
@pytest.mark.parametrize("spec", [STEPS[0], STEPS[1]], ids=RunSpec.label)
def test_a_hundred_steps_follow_torch_adamw(spec, precision):
    """As in test_kernel.py, on more points: here a chunk holds up to 768."""
    spec = spec.replace(eps=0.1, train_size=min(1000, spec.train_size))
    data = build(spec)
    engine = Engine(spec, data, precision=precision)
    engine.advance(100)
    for name, value in torch_steps(spec, 100, torch.float64).items():
        assert error(engine.parameters[name], value) <= (2e-3 if precision == "bf16x3" else 5e-4), (
            name
        )


@with_amx
@PRECISION
def test_a_network_groks(precision):
    spec = RunSpec(**TINY, d_model=24, epochs=2500, seed=1)
    run = train(spec, precision=precision)
    assert run.engine == f"numba-{precision}"
    assert run.curve["val_accuracy"][-1] > 0.95


@with_amx
@PRECISION
@pytest.mark.parametrize("spec", [MIXED[0], MIXED[4]], ids=RunSpec.label)
def test_bits_do_not_depend_on_threads(spec, precision):
    data, results = build(spec), []
    for threads in (1, 2, 3):
        engine = Engine(spec, data, threads, precision=precision)
        engine.advance(5)
        flat = np.concatenate([p.ravel() for p in engine.parameters.values()])
        results.append((flat.tobytes(), engine.evaluate("train"), engine.evaluate("val")))
    assert results[1] == results[0] and results[2] == results[0]


@with_amx
@PRECISION
@pytest.mark.parametrize("poison", [np.nan, np.inf])
def test_nan_and_inf_are_not_hidden(poison, precision):
    spec = RunSpec(**TINY, d_model=16)
    data = build(spec)
    parameters = dict(Engine(spec, data).parameters)
    parameters["W_U"] = np.full_like(parameters["W_U"], poison)
    loss, accuracy = Engine(spec, data, 1, parameters, precision).evaluate("train")
    assert not np.isfinite(loss) and accuracy < 0.5


def test_a_machine_without_tile_registers_says_so(monkeypatch, tmp_path):
    monkeypatch.setattr(processor, "AMX", False)
    with pytest.raises(SpecError, match="tile registers"):
        train(RunSpec(**TINY, d_model=16), precision="bf16x3")
    command = ["sweep", "figure5", "--precision", "bf16x3", "--results", str(tmp_path)]
    result = CliRunner().invoke(main, command)
    assert result.exit_code == 2 and result.stderr.startswith("error: bf16x3 needs a processor")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    "spec, precision",
    [(RunSpec(n_layers=2), "bf16x3"), (RunSpec(), "int8")],
)
def test_a_precision_that_does_not_fit_is_one_line(spec, precision):
    with pytest.raises(SpecError, match=precision):
        train(spec.replace(epochs=1, n_evals=2), precision=precision)
