"""The explorers: what they pack, and what a browser draws from it in the built book."""

import base64
import functools
import gzip
import json
import re
from itertools import islice

import fake_train
import numpy as np
import pandas as pd
import pytest
from browsing import HTML, SERVED, missing, new_context, visit
from matplotlib.figure import Figure
from sliders import check_competition, moves, on_the_picture, setting, whole

from lib.analysis.gather import gather
from lib.analysis.zones.boundaries import Critical, fit_capacity
from lib.analysis.zones.capacity import distinct_pairs
from lib.analysis.zones.prediction import Prediction, fit, from_neighbours, halves
from lib.chapters import execute
from lib.chapters.build import made
from lib.paper.claims import specs_of
from lib.paper.experiments import EXPERIMENTS
from lib.paper.recipe import CALIBRATION_SEED, DYNAMICS, RECIPE
from lib.runs.store import Store
from lib.widgets import explorers, packing

LIMIT = 2_000_000  # bytes of a compressed page
EXPLORER = ".gc-explorer[data-kind]"  # the lab, which has none, is tested in `test_lab`


# ---- packing ---------------------------------------------------------------------------


def unpack(packed, kind, top):
    """What draw.js reads."""
    unit = np.where(packed == 65535, np.nan, packed / 65534)
    return {"accuracy": unit, "norm": unit * top, "loss": 10.0 ** (-12 + 16 * unit)}[kind]


def test_packed_numbers_come_back():
    accuracy = np.array([0, 1 / 113, 0.5, 1, np.nan])
    back = unpack(packing.pack(accuracy, "accuracy"), "accuracy", 1)
    assert np.nanmax(abs(back - accuracy)) < 1e-5 and np.isnan(back[-1])
    loss = np.array([1e-9, 0.003, 4.7, 80, np.nan])
    back = unpack(packing.pack(loss, "loss"), "loss", 1)
    assert np.nanmax(abs(back / loss - 1)) < 4e-4 and np.isnan(back[-1])
    norm = np.array([3.0, 61.5])
    assert list(packing.pack(np.array([np.inf, np.nan]), "loss")) == [65535, 65535]  # none
    back = unpack(packing.pack(norm, "norm", 61.5), "norm", 61.5)
    assert back == pytest.approx(norm, abs=61.5e-5)


def test_a_stopped_run_needs_no_schedule_of_its_own():
    long = np.array([0, 1, 5, 10, 20])
    assert [g.tolist() for g in packing.epoch_grids([long[:3], long, long[:1]])] == [long.tolist()]
    assert len(packing.epoch_grids([long, np.array([0, 2])])) == 2
    assert packing.kept(5, 2).tolist() == [0, 2, 4] and packing.kept(4, 2).tolist() == [0, 2, 3]
    assert packing.kept(1, 2).tolist() == [0]


def grid_of(specs, folder):
    store = Store(folder)
    store.add_many(fake_train.fake_run(spec) for spec in specs)
    return gather(specs, store=store)


def weight(widget):
    """Compressed bytes of a widget's state, as it stands in a page."""
    text = json.dumps(widget.meta) + base64.b64encode(widget.data).decode()
    return len(gzip.compress(text.encode()))


def test_the_whole_of_figure_3_fits_a_page(tmp_path):
    """Random curves, which compress worst, and no early stop."""
    grid = grid_of(list(EXPERIMENTS["figure3"])[:200], tmp_path)
    runs = len(EXPERIMENTS["figure3"])
    total = weight(explorers.run_explorer(grid)) / 200 * runs
    print(f"\n{runs} runs: {total / 1e6:.2f} MB compressed, {total / runs / 1e3:.2f} kB a run")
    assert total < LIMIT


def test_run_explorer_holds_every_run(tmp_path):
    specs = list(EXPERIMENTS["figure2"]) + list(EXPERIMENTS["figure3"])[:3]
    grid = grid_of(specs, tmp_path)
    made = explorers.run_explorer(grid)
    assert len(made.meta["runs"]) == len(specs)
    cells = {(run["d_model"], run["train_size"]) for run in made.meta["runs"]}
    assert set(DYNAMICS.values()) <= cells
    assert [p["name"] for p in made.meta["presets"]] == list(DYNAMICS)
    packed = np.frombuffer(made.data, "<u2")
    for run in made.meta["runs"]:
        (spec,) = [s for s in specs if (s.d_model, s.train_size, s.seed) ==
                   (run["d_model"], run["train_size"], run["seed"])]  # fmt: skip
        curve = fake_train.fake_run(spec).curve
        at = packing.kept(run["evaluations"], made.meta["step"])
        for k, (name, kind) in enumerate(made.meta["columns"]):
            part = packed[run["start"] + k * len(at) :][: len(at)]
            assert unpack(part, kind, made.meta["norm_top"]) == pytest.approx(
                curve[name][at], rel=4e-4, abs=2e-5
            )


def test_explorers_stand_without_runs(tmp_path):
    nothing = gather(list(EXPERIMENTS["figure3"])[:3], store=Store(tmp_path))
    assert explorers.run_explorer(nothing).meta["runs"] == []


def test_the_phase_diagram_follows_the_runs(tmp_path):
    base = EXPERIMENTS["figure3"].base
    specs = [base.replace(d_model=d, train_size=s, seed=k)
             for d in (32, 64) for s in (2000, 3000) for k in (0, 1)]  # fmt: skip
    grids = grid_of(specs, tmp_path / "a")
    random = grid_of(list(EXPERIMENTS["figure4"])[:2], tmp_path / "b")
    made = explorers.phase_diagram(grids, random)
    frames = made.meta["frames"]
    packed = np.frombuffer(made.data, "<u2").reshape(4, 2, len(frames))
    for cell, (val, _) in zip(made.meta["cells"], packed, strict=True):
        own = grids.curves[(grids.curves["d_model"] == cell["d_model"])
                           & (grids.curves["train_size"] == cell["train_size"])]  # fmt: skip
        mean = own.groupby("epoch")["val_accuracy"].mean().loc[frames]
        assert cell["seeds"] == 2 and abs(val / 65534 - mean.to_numpy()).max() < 1e-5
    assert len(made.meta["memory"]) == 2 and set(made.meta["critical"]) == {32, 64}


def test_a_critical_size_over_time_is_drawn_only_where_it_is_known():
    never, late = np.zeros((2, 3)), np.array([[0, 1, 1.0], [0, 0, 1.0]])
    found = explorers._critical_over_time({2000: never, 3000: late, 4000: late})
    assert found == [None, None, 2500.0]
    assert explorers._critical_over_time({2000: never}) == [None] * 3


def test_the_formula_is_fitted_to_half_of_the_cells():
    """Runs made by the formula itself give it back, up to the coarseness of half a grid."""
    d_models, sizes = (4, 8, 16, 24, 32, 40, 48, 64, 100), range(2000, 5001, 200)
    facts = distinct_pairs(113**2) * np.array([0.05, 0.12, 0.25, 0.4, 0.55, 0.7, 0.8, 0.95, 1.0])
    random = pd.DataFrame(
        [dict(d_model=d, seed=s, train_size=113**2, modulus=113,
              train_accuracy=f / distinct_pairs(113**2))
         for d, f in zip(d_models, facts) for s in (0, 1, 2)]
    )  # fmt: skip
    law = Prediction(fit_capacity(d_models, facts), Critical(20_000, -0.45, 24, 100), 400, 0.1, 60)
    rows = [(d, s, k, float(law(d, s))) for d in d_models for s in sizes for k in (0, 1, 2)]
    runs = pd.DataFrame(rows, columns=["d_model", "train_size", "seed", "val_accuracy"])
    found, errors = fit(runs, random)
    assert errors.left_out < 0.15 < errors.constant and errors.n_fitted + errors.n_left_out == 144
    assert 0 < errors.neighbours < errors.constant
    assert found.rule == pytest.approx(400, rel=0.3)
    harder = found(np.array(d_models), 3000, 1.3)
    assert (harder <= found(np.array(d_models), 3000) + 1e-12).all()
    assert fit(runs.iloc[:0], random) is None and fit(runs, random.iloc[:0]) is None


def test_a_cell_from_its_neighbours():
    """Those in the grid next to it; at a corner, fewer."""
    cells = pd.MultiIndex.from_product([(4, 8), (2000, 3000)], names=["d_model", "train_size"])
    cells = pd.Series([0.0, 0.2, 0.4, 1.0], cells)
    mask = halves(cells.index)
    assert mask.tolist() == [True, False, False, True]
    assert from_neighbours(cells, mask).tolist() == [0.5, 0.5]
    assert from_neighbours(cells.iloc[:2], mask[:2]).tolist() == [0.0]


# ---- in the browser --------------------------------------------------------------------


@pytest.fixture(scope="module")
def stored(explored):
    """(task, d_model, train_size, seed) -> the curves of all stored runs that it may mean."""
    for name in (path.rsplit("/", 1)[-1].removesuffix(".html") for path in explored):
        before, now = made(name), execute.sources(name)
        if not before or before["made_from"]["the stored runs"] != now["the stored runs"]:
            missing(f"{name} is not built from the runs that are stored now: run `make book`")
    store = Store()
    runs = store.runs()
    recipe = (runs[list(RECIPE)] == pd.Series(RECIPE)).all(axis=1)
    runs = runs[recipe & (runs["seed"] < CALIBRATION_SEED) & runs["init_from"].isna()]
    curves = dict(iter(store.curves().groupby("key")))
    found = {}
    for run in runs.itertuples():
        name = run.task, run.d_model, run.train_size, run.seed
        found.setdefault(name, []).append((run, curves[run.key]))
    return found


@functools.cache
def whole_seeds(*names, **cells):
    """Seeds of which all runs of some experiments are stored, at some cells of them."""
    specs = [s for n in names for s in specs_of(n, cells, EXPERIMENTS[n].seed_range)]
    return frozenset(gather(specs).whole().runs["seed"])


def of_grids(stored, seeds, **fields):
    """The stored runs (with curves) that the large grids have at some place."""
    for (task, d, size, seed), runs in stored.items():
        own = dict(task=task, d_model=d, train_size=size)
        if seed in seeds and fields.items() <= own.items():
            # figure 2's runs have no early stop; the grids' have one
            yield from [(run, c) for run, c in runs if not pd.isna(run.stop_after)]


def check_runs(root, stored):
    """The run explorer draws the stored run that its sliders name."""
    said = setting(root)
    name = "add", int(said["d_model"]), whole(said["training points D"]), int(said["seed"])
    drawn, words = root.evaluate("e => e.drawn"), root.get_by_role("status").inner_text()
    if drawn is None:
        assert "this run is not stored" in words
        assert root.locator("polyline").count() == 0
        return False
    assert name in stored, f"{name} is drawn and not stored"
    matches = []
    for _, curve in stored[name]:
        rows = curve.set_index("epoch").reindex(drawn["epoch"])
        same = drawn["epoch"][-1] == curve["epoch"].iloc[-1]
        for column, kind in packing.COLUMNS.items():
            tolerance = dict(rtol=1e-3) if kind != "accuracy" else dict(rtol=0, atol=1e-5)
            known = np.array([np.nan if v is None else v for v in drawn[column]], float)
            same &= np.allclose(known, rows[column], equal_nan=True, **tolerance)
        matches.append(same)
    assert any(matches), f"{name}: what is drawn is not what is stored"
    assert drawn["zone"] in words
    on_the_picture(root, 0, "training", drawn["train_accuracy"])
    on_the_picture(root, 0, "validation", drawn["val_accuracy"])
    return True


def check_phase(root, stored):
    """Every cell shows the mean over its stored seeds at the epoch that the slider names."""
    drawn, epoch = root.evaluate("e => e.drawn"), whole(setting(root)["epoch"])
    assert drawn["epoch"] == epoch
    for cell in drawn["cells"]:
        place = dict(task="add", d_model=cell["d_model"], train_size=cell["train_size"])
        curves = [c for _, c in of_grids(stored, whole_seeds("figure3", "figure6"), **place)]
        values = [c["val_accuracy"][c["epoch"] <= epoch].iloc[-1] for c in curves]
        assert len(values) == cell["seeds"]
        assert cell["mean"] == pytest.approx(np.mean(values), abs=2e-5)
    shown = root.locator("rect.gc-cell:not(.gc-none)")
    assert shown.count() == len(drawn["cells"])
    return bool(drawn["cells"])


def check_accuracy(root, stored):
    """The lines are the means of the stored seeds of this task and training size."""
    drawn, said = root.evaluate("e => e.drawn"), setting(root)
    assert drawn["train_size"] == whole(said["training points D"])
    square = "figure7" if drawn["train_size"] == 3000 else "squared_critical"
    seeds = whole_seeds({"add": "figure6", "square": square}[drawn["task"]])
    if drawn["task"] == "add" and root.page.url.endswith("squared_task.html"):
        seeds = whole_seeds("figure6", train_size=(3000,))  # the only size of that page
    for d, train, val in zip(drawn["d_model"], drawn["train"], drawn["val"], strict=True):
        place = dict(task=drawn["task"], d_model=d, train_size=drawn["train_size"])
        runs = [run for run, _ in of_grids(stored, seeds, **place)]
        assert val == pytest.approx(np.mean([run.val_accuracy for run in runs]))
        assert train == pytest.approx(np.mean([run.train_accuracy for run in runs]))
    if not drawn["d_model"]:
        assert "no run is stored" in root.get_by_role("status").inner_text()
        return False
    on_the_picture(root, 0, "validation", drawn["val"])
    assert root.locator("circle").count() == 2 * len(drawn["d_model"]) + 2 * len(drawn["dots"])
    return bool(drawn["d_model"])


def check_framework(root, stored):
    """The formula is that of lib.analysis.zones.prediction; the dots are stored means."""
    drawn = root.evaluate("e => e.drawn")
    prediction = _fitted()[0]
    expected = prediction(drawn["d_model"], drawn["size"], drawn["difficulty"])
    assert drawn["predicted"] == pytest.approx(expected.tolist(), abs=1e-6)
    assert f"{drawn['difficulty']:.2f}" in setting(root)["difficulty (D_crit)"]
    on_the_picture(root, 0, "predicted", drawn["predicted"])
    return True


@functools.cache
def _fitted():
    def grid(*names):
        specs = [s for n in names for s in EXPERIMENTS[n]]
        return gather(specs).whole().runs

    return fit(grid("figure3", "figure6"), grid("figure4"))


CHECKS = {
    "runs": check_runs,
    "phase": check_phase,
    "accuracy": check_accuracy,
    "framework": check_framework,
    "competition": check_competition,
}


@pytest.fixture(scope="module")
def explored(pages):
    """The pages that have an explorer."""
    found = [p for p in pages if re.search(r'"_esm"', (HTML / p).read_text("utf-8"))]
    return found or missing("no page of the built book has an explorer")


def test_every_slider_draws_what_is_stored(explored, context, base, stored):
    """From files one or two moves each: only where the data come from differs.  Two of the race,
    too: it has no data, and test_simulation moves all of it."""
    counts, files = {}, base.startswith("file:")
    for path in explored:
        page, problems = visit(context, base, path)
        for root in page.locator(EXPLORER).all():
            kind = root.get_attribute("data-kind")
            most = 2 if files or kind == "competition" else None
            if files and counts.get(kind):
                most = 1
            for slider in root.locator("input[type=range]").all():
                for _ in islice(moves(slider), most):
                    counts[kind] = counts.get(kind, 0) + bool(CHECKS[kind](root, stored))
        assert not problems, path
        page.close()
    assert counts.keys() == CHECKS.keys() and all(counts.values()), counts


@SERVED
def test_the_four_dynamics_are_a_button_away(explored, context, base, stored):
    page, _ = visit(context, base, "book/chapters/grokking_grid.html")
    root = page.locator(".gc-explorer[data-kind=runs]")
    for name, (d, size) in DYNAMICS.items():
        button = root.get_by_role("button", name=f"{name} ({d}, {size:,})", exact=True)
        button.click()
        assert button.get_attribute("aria-pressed") == "true"
        said = setting(root)
        assert (int(said["d_model"]), whole(said["training points D"])) == (d, size)
        check_runs(root, stored)
    root.get_by_label("epochs on a logarithmic axis").uncheck()
    check_runs(root, stored)
    page.close()


@SERVED
def test_without_javascript_a_figure_stands_there(explored, browser, base):
    context = new_context(browser, java_script_enabled=False)
    page = context.new_page()
    for path in explored:
        page.goto(f"{base}/{path}", wait_until="load")
        images = page.locator("noscript img").all()
        assert images, f"{path}: nothing stands in for its explorers"
        for image in images:
            assert image.get_attribute("alt") and image.bounding_box()["width"] > 200
    context.close()


def test_a_flipbook_opens_where_it_is_told():
    """On the map of recipes the training length grows to the right, and the longest is shown."""
    pages = {name: (Figure(), name) for name in ("5,000", "10,000", "15,000")}
    for opens, label in ((0, "5,000"), (-1, "15,000")):
        slider, frames = explorers.flipbook(pages, "T", opens).children
        assert slider.label == label and label in frames.children[frames.selected_index].value
