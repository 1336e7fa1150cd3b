"""The page's kernel against the native one, and against NumPy's random streams."""

import hashlib
import json
import re

import numpy as np
import pytest
import torch
from native_at_four_lanes import at_four_lanes, curve, named
from numba import njit
from wasm_host import Host, compiled
from zone_settings import ZONES

from lib.analysis.dynamics import zone
from lib.circuits import fourier as circuits
from lib.data import build, stream
from lib.engines.wasm import compile as wasm
from lib.engines.wasm import streams, translate
from lib.model import Transformer
from lib.spec import RunSpec
from lib.widgets.inside import Inside
from lib.widgets.presets import PRESETS

pytestmark = pytest.mark.xdist_group("test_wasm")  # one worker compiles and trains for all
BUILDS = wasm.MODULE, wasm.RELAXED
NAMES = [path.stem for path in BUILDS]
SHORT = dict(modulus=31, train_size=400, epochs=100, n_evals=20)
STEPS = [  # 100 steps each
    dict(SHORT, task="subtract", d_model=12),
    dict(SHORT, task="square", modulus=37, d_model=16, seed=3),
    dict(SHORT, task="random", modulus=41, train_size=41**2, d_model=8, seed=1),
    dict(SHORT, task="multitask", train_size=300, memorize_size=200, d_model=16, seed=5),
    dict(SHORT, task="add", train_size=1, d_model=4, seed=2),
]


@pytest.fixture(scope="module")
def native(tmp_path_factory):
    """What the native engine at four lanes makes of `STEPS` and `ZONES`."""
    return at_four_lanes(STEPS + ZONES, tmp_path_factory.mktemp("native") / "found.npz")


class Page:
    """The module as `curve` wants an engine."""

    def __init__(self, spec, path=wasm.MODULE):
        self.spec, self.host, self.epoch = spec, Host(spec, path), 0

    def advance(self, count):
        self.host.call("train", self.epoch + 1, count, self.spec.lr)
        self.epoch += count

    def evaluate(self, split):
        return self.host.evaluate(("train", "val", "memorize").index(split))

    @property
    def param_norm(self):
        return self.host.call("norm")


# ---- the files ---------------------------------------------------------------------------


def test_the_modules_are_the_ones_that_their_sources_make():
    """Whoever edits the kernel runs `make wasm`."""
    noted = json.loads(wasm.MANIFEST.read_text("utf-8"))
    for path in BUILDS:
        assert noted["sha256"][path.name] == hashlib.sha256(path.read_bytes()).hexdigest()
    assert noted["sources"] == wasm.digest(), "the kernel has changed: run `make wasm`"


@pytest.mark.parametrize("path", BUILDS, ids=NAMES)
def test_they_import_nothing_but_functions_of_math(path):
    _, module = compiled(path)
    assert {i.name for i in module.imports} <= set(translate.MATH)


@pytest.mark.parametrize("path", BUILDS, ids=NAMES)
def test_they_name_no_file_of_the_machine_that_built_them(path):
    """Else a checkout in another folder gives other bytes."""
    assert re.findall(rb"[\w./-]+\.py\b|/[\w-]+/[\w./-]+", path.read_bytes()) == []


def test_a_rebuild_gives_the_committed_bytes():
    if wasm.linker() is None:
        pytest.skip("the linker wasm-ld is not installed (package lld)")
    noted = json.loads(wasm.MANIFEST.read_text("utf-8"))["tools"]
    if wasm.tools() != noted:
        pytest.skip(f"built with other versions: {noted} then, {wasm.tools()} here")
    assert wasm.build() == {path: path.read_bytes() for path in BUILDS}


def test_without_a_linker_a_build_says_so_in_one_line(monkeypatch):
    monkeypatch.setattr(wasm, "linker", lambda: None)
    with pytest.raises(wasm.BuildError, match="wasm-ld is missing"):
        wasm.build()


# ---- random streams ----------------------------------------------------------------------


@njit
def _drawn(seed, name, order, numbers, normals):
    random = np.zeros(streams.STREAM, np.uint64)
    streams.begin(random, seed, name)
    streams.permutation(random, order)
    for i in range(len(numbers)):
        numbers[i] = streams.integer(random, 113)
    for i in range(len(normals)):
        normals[i] = streams.normal(random)


@pytest.mark.parametrize("name", ["init", "memorize-labels"])
def test_streams_are_numpys_bit_for_bit(name):
    order, numbers, normals = np.zeros(12769, np.int64), np.zeros(500, np.int64), np.zeros(50000)
    for seed in (0, 1, 1000, 2**32 - 1):
        _drawn(seed, tuple(name.encode()), order, numbers, normals)
        expected = stream(RunSpec(seed=seed), name)
        assert np.array_equal(order, expected.permutation(12769)), seed
        assert np.array_equal(numbers, expected.integers(0, 113, size=500)), seed
        assert np.array_equal(normals, expected.standard_normal(50000)), seed


# ---- the network -------------------------------------------------------------------------


@pytest.mark.parametrize("path", BUILDS, ids=NAMES)
@pytest.mark.parametrize("i", range(len(STEPS)))
def test_it_starts_from_the_same_bits_and_steps_as_the_native_kernel(native, i, path):
    spec = RunSpec(**STEPS[i])
    page = Page(spec, path)
    for name, value in page.host.parameters().items():
        assert np.array_equal(value, native[f"start{i} {name}"]), name
    page.host.call("train", 1, 1, 0.0)
    for name, value in page.host.parameters(gradient=True).items():
        expected = native[f"gradient{i} {name}"]
        assert np.abs(value - expected).max() <= 1e-5 * np.abs(expected).max(), name
    np.testing.assert_allclose(curve(page, spec), native[f"curve{i}"], rtol=2e-3, atol=0.006)


@pytest.mark.parametrize("i", range(len(ZONES)))
def test_runs_end_in_the_same_zone(native, i):
    """In the build that every browser has; the other one: tests/browser/test_lab.py."""
    spec = RunSpec(**ZONES[i])
    expected = native[f"curve{len(STEPS) + i}"]
    assert zone(named(curve(Page(spec), spec))) == zone(named(expected))


@pytest.mark.parametrize("preset", PRESETS, ids=lambda preset: preset["name"])
def test_a_presets_seed_earns_its_name(preset):
    """In the build that every browser has; the other one differs by rounding alone."""
    spec = RunSpec(**preset["setting"])
    assert zone(named(curve(Page(spec), spec))) == preset["name"]


@pytest.mark.parametrize("path", BUILDS, ids=NAMES)
def test_the_exponential_holds_over_its_range(path):
    host = Host(RunSpec(**STEPS[0]), path)
    x = np.linspace(-87, 88, 24_000, dtype=np.float32)
    host.put(host.plan.logits, x)
    host._exports["exponentials"](host._store, host._base + 4 * host.plan.logits, len(x))
    found = host.array(host.plan.logits, len(x)).astype(np.float64)
    assert np.abs(found / np.exp(x.astype(np.float64)) - 1).max() < 1e-6


# ---- what it shows of its inside -----------------------------------------------------------


GROWN = {"early": (30, wasm.MODULE), "late": (1500, wasm.MODULE), "relaxed": (1500, wasm.RELAXED)}


@pytest.fixture(scope="module", params=GROWN)
def trained(request):
    """A network with its logits, in the page and as the PyTorch model; its spec and its data.

    Those who read it write `chosen` and results, and nothing else.
    """
    epochs, path = GROWN[request.param]
    spec = RunSpec(modulus=31, train_size=600, d_model=16, lr=1e-2, weight_decay=1.0)
    data, page = build(spec), Page(spec, path)
    page.advance(epochs)
    page.host.call("logits")
    model = Transformer(data.n_tokens, data.n_classes, data.length, spec.d_model)
    values = page.host.parameters()
    model.load_state_dict({name: torch.from_numpy(value) for name, value in values.items()})
    return page.host, model, spec, data


def test_a_network_that_is_sure_has_no_denormals():
    """Numbers below 1e-38, with which x86 machines are slow, and no page can have them as 0."""
    spec = RunSpec(**PRESETS[0]["setting"])
    page = Page(spec)
    page.advance(1000)
    plan, sizes = page.host.plan, page.host._sizes
    chunk = page.host.array(plan.scratch, sizes.tiles_per_chunk * sizes.stride)
    wrong = chunk.reshape(-1, sizes.stride)[:, sizes.L : sizes.L + spec.modulus * 16]
    assert (wrong == 0).mean() > 0.001  # some of its probabilities were too small
    numbers = page.host.array(plan.state, plan.random - plan.state)  # state, tables, samples, sums
    assert not ((numbers != 0) & (np.abs(numbers) < 2.0**-126)).any()


def test_spectra_are_those_of_the_circuits_chapter(trained):
    host, model, _, _ = trained
    logits = circuits.logits_of(model, 31)
    found = host.array(host.plan.logits, 31**3).reshape(31, 31, 31)
    np.testing.assert_allclose(found, logits, rtol=1e-3, atol=1e-4)
    host.call("embedding_spectrum")
    host.call("logit_spectrum")
    embedding = host.array(host.plan.embedding, 15, np.float64)
    spectrum = host.array(host.plan.spectrum, 15, np.float64)
    np.testing.assert_allclose(embedding, circuits.embedding_spectrum(model, 31), rtol=1e-4)
    np.testing.assert_allclose(spectrum, circuits.logit_spectrum(logits), rtol=1e-3, atol=1e-7)


def lesion(host, frequencies):
    """What the page's own makes of some frequencies."""
    chosen = np.zeros(31, np.int32)
    chosen[np.array(frequencies, int) - 1] = 1
    host.put(host.plan.chosen, chosen)
    host.call("lesion")
    return host.array(host.plan.result, 4, np.float64)


@pytest.mark.parametrize("frequencies", [[], [3], [1, 4, 9], list(range(1, 16))])
def test_lesions_are_those_of_the_circuits_chapter(trained, frequencies):
    host, model, _, data = trained
    logits = circuits.logits_of(model, 31)
    expected = [
        circuits.accuracy_on(part(logits, frequencies), split.tokens, split.labels)
        for part in (circuits.excluded, circuits.restricted)
        for split in (data.train, data.val)
    ]
    # two nearly equal logits may change places by rounding
    np.testing.assert_allclose(lesion(host, frequencies), expected, atol=0.005)


def test_a_kernel_in_a_notebook_answers_as_the_page_does(trained):
    """`Inside`: the same numbers as the page's, from the same weights."""
    host, _, spec, data = trained
    inside = Inside(spec, data)
    inside.load(1, host.parameters())
    logits = host.array(host.plan.logits, 31**3).reshape(31, 31, 31)[3, 29]
    found = inside.ask(3, 29)
    answers = np.array(found["answers"])
    np.testing.assert_allclose(answers - answers.mean(), logits, rtol=1e-3, atol=1e-4)
    assert found["right"] == (3 + 29) % 31
    for name, place in (("embedding", "embedding"), ("logits", "spectrum")):
        host.call(f"{name.rstrip('s')}_spectrum")
        expected = host.array(getattr(host.plan, place), 15, np.float64)
        np.testing.assert_allclose(inside.spectra()[name], expected, rtol=1e-3, atol=1e-7)
    cut = inside.lesion([1, 4])
    found = [cut[part][split] for part in ("excluded", "restricted") for split in ("train", "val")]
    np.testing.assert_allclose(found, lesion(host, [1, 4]), atol=0.005)
