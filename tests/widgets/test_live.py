"""The lab with a kernel as its engine: alone, and in a notebook under a real Jupyter server."""

import json
import os
import re
import secrets
import socket
import subprocess
import sys
import time
import urllib.request
from dataclasses import asdict
from pathlib import Path

import numba
import numpy as np
import pytest
from browsing import missing, new_context

import lib.data
import lib.train
from lib.engines.simd import kept  # noqa: F401  tells Numba where compiled code is kept
from lib.initial import initial_values
from lib.paper.recipe import BASE
from lib.runs.run import CURVE, Progress
from lib.runs.store import Store
from lib.spec import RunSpec, SpecError
from lib.widgets.trainer import WIDER, Trainer

ROOT = Path(__file__).resolve().parents[2]
QUICK = dict(task="add", modulus=31, d_model=4, train_size=300, epochs=500, seed=0)


class Heard(Trainer):
    """A trainer whose front end is a list."""

    def __init__(self, **options):
        self.said = []
        super().__init__(**options)

    def send(self, content, buffers=None):
        self.said.append(dict(content, buffers=buffers))

    def hears(self, do, run=1, **rest):
        self._receive(None, dict(do=do, run=run, **rest))

    def begin(self, run=1, **fields):
        spec = BASE.replace(**QUICK | fields)
        setting = {n: v for n, v in asdict(spec).items() if v is not None}
        self.hears("start", run, setting=setting, epochs=spec.epochs, evals=spec.n_evals)
        return spec

    def of(self, what, run=1):
        return [m for m in list(self.said) if m["what"] == what and m["run"] == run]


def test_it_trains_tells_and_keeps(store):
    trainer = Heard(store=store)
    trainer.hears("hello", None)
    assert trainer.said[0]["what"] == "alive"
    spec = trainer.begin()
    trainer.wait()
    run = trainer.finished
    assert run.spec == spec and trainer.said[-1]["what"] == "done"
    points = [point for message in trainer.of("points") for point in message["points"]]
    for name in ("epoch", "train_loss", "val_accuracy", "param_norm"):
        assert [p[name] for p in points] == run.curve[name].tolist()
    assert {p["memorize_accuracy"] for p in points} == {None}  # NaN is no JSON
    said = [{k: v for k, v in message.items() if k != "buffers"} for message in trainer.said]
    assert json.dumps(said, allow_nan=False)
    last = trainer.of("view")[-1]
    field = np.frombuffer(last["buffers"][0], np.uint8)
    assert last["epoch"] == 500 and (field & 2).astype(bool).sum() == 300
    assert (field[field >= 2] == 3).mean() == pytest.approx(run.curve["train_accuracy"][-1])
    assert (field[field < 2] == 1).mean() == pytest.approx(run.curve["val_accuracy"][-1])
    trainer.hears("keep")
    assert store.keys() == {spec.key} and trainer.of("kept")[0]["label"] == spec.label()


def test_a_mixture_has_a_field_of_its_sums_alone(store):
    trainer = Heard(store=store)
    trainer.begin(task="multitask", memorize_size=200, epochs=5)
    trainer.wait()
    last = trainer.of("view")[-1]
    field = np.frombuffer(last["buffers"][0], np.uint8)
    assert len(field) == 31**2 and (field & 2).astype(bool).sum() == 300
    assert "spectra" not in last
    trainer.hears("ask", a=3, b=29)
    assert trainer.of("answer")[0]["right"] == (3 + 29) % 31


def slow(spec, *, threads=1, on_progress=None, on_evaluation=None):
    weights = initial_values(spec, lib.data.build(spec))
    for epoch in range(100_000):
        values = dict.fromkeys(CURVE, 0.5) | {"epoch": epoch}
        on_evaluation(epoch, weights)
        on_progress(Progress(epoch, spec.epochs, epoch / 100, values))
        time.sleep(0.001)


def until(condition, trainer):
    """Poll while it trains; what was said last tells why a thread has ended."""
    while not condition():
        assert trainer._training.thread.is_alive(), [m for m in trainer.said if m["what"] != "view"]
        time.sleep(0.01)


def test_pause_resume_and_end(store, monkeypatch):
    monkeypatch.setattr(lib.train, "train", slow)
    trainer = Heard(store=store)
    trainer.begin()
    until(lambda: trainer.of("points"), trainer)
    trainer.hears("pause")
    time.sleep(0.3)
    at = len(trainer.said)
    time.sleep(0.3)
    assert len(trainer.said) == at, "it goes on while it is paused"
    trainer.hears("ask", a=1, b=2)
    assert trainer.said[-1]["what"] == "answer"
    trainer.hears("resume")
    until(lambda: len(trainer.said) > at + 3, trainer)
    first = trainer._training.thread
    trainer.begin(run=2)  # what came before ends, and its view, perhaps another, hears of it
    assert not first.is_alive() and "another view" in trainer.of("failed")[0]["message"]
    trainer.hears("pause", run=1)  # of one that is over
    at = len(trainer.of("points", 2))
    until(lambda: len(trainer.of("points", 2)) > at + 2, trainer)
    trainer.hears("end", run=2)
    trainer.wait()
    assert not trainer._training.thread.is_alive() and trainer.finished is None


def test_what_goes_wrong_is_told(store, monkeypatch):
    trainer = Heard(store=store)
    trainer.hears("start", setting=dict(d_model=7), epochs=5, evals=2)
    assert "multiple of n_heads" in trainer.of("failed")[0]["message"]

    def broken(spec, **_):
        raise MemoryError("no room")

    monkeypatch.setattr(lib.train, "train", broken)
    trainer.begin(run=2)
    trainer.wait()
    assert trainer.of("failed", 2)[0]["message"] == "MemoryError: no room"


def test_a_run_that_cannot_be_kept_says_so(store, monkeypatch):
    trainer = Heard(store=store)
    trainer.begin(epochs=5)
    trainer.wait()
    monkeypatch.setattr(store, "add", lambda run: (_ for _ in ()).throw(OSError(28, "disk full")))
    trainer.hears("keep")
    assert "disk full" in trainer.of("kept")[0]["problem"]


def test_a_network_that_another_view_has_replaced_says_so(store):
    trainer = Heard(store=store)
    for run in (1, 2):
        trainer.begin(run, epochs=5)
        trainer.wait()
    trainer.hears("ask", a=1, b=2)
    assert "another view" in trainer.of("failed")[0]["message"]
    trainer.hears("pause")
    assert len(trainer.of("failed")) == 1 and not trainer.of("failed", run=2)


def test_a_start_that_has_no_control_is_refused():
    with pytest.raises(SpecError, match="has no n_heads, beta2, tied"):
        Trainer(RunSpec(n_heads=2, beta2=0.999, tied=True))


def test_every_choice_is_a_possible_run():
    for name, values in WIDER.items():
        for value in values:
            BASE.replace(**{name: value, "train_size": 300})


# ---- under a real server ---------------------------------------------------------------

CELL = """import sys; sys.path.insert(0, {root!r})
from lib.widgets.trainer import Trainer
from lib.spec import RunSpec
Trainer(RunSpec(**{quick}))"""


@pytest.fixture(scope="module")
def jupyter(tmp_path_factory):
    """Address of a Jupyter server whose folder holds live.ipynb, a notebook with the trainer."""
    pytest.importorskip("jupyterlab")
    folder = tmp_path_factory.mktemp("jupyter")
    notebooks, home = folder / "notebooks", folder / "home"
    notebooks.mkdir()
    code = CELL.format(root=str(ROOT), quick=QUICK)
    cell = dict(cell_type="code", source=code, metadata={}, outputs=[], execution_count=None,
                id="live")  # fmt: skip
    kernel = {"name": "python3", "display_name": "Python 3", "language": "python"}
    notebook = dict(cells=[cell], metadata={"kernelspec": kernel}, nbformat=4, nbformat_minor=5)
    (notebooks / "live.ipynb").write_text(json.dumps(notebook))
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    token = secrets.token_hex(16)
    environment = os.environ | {
        "HOME": str(home), "JUPYTER_CONFIG_DIR": str(home / "config"),
        "JUPYTER_DATA_DIR": str(home / "data"), "JUPYTER_RUNTIME_DIR": str(home / "runtime"),
        "GROKKING_RESULTS": str(folder / "results"), "GROKKING_CACHE": str(folder / "cache"),
        "JUPYTER_TOKEN": token,
        # the kernel's user has a home of his own, and need not compile the trainer again
        "NUMBA_CACHE_DIR": str(Path(numba.config.CACHE_DIR).parents[1]),
    }  # fmt: skip
    options = [f"--port={port}", "--ip=127.0.0.1", "--no-browser", "--allow-root"]
    options += [f"--ServerApp.root_dir={notebooks}", "--LabApp.news_url=''"]
    options += ["--LabApp.check_for_updates_class=jupyterlab.NeverCheckForUpdate"]
    with open(folder / "log", "w") as log:
        command = [sys.executable, "-m", "jupyterlab", *options]
        server = subprocess.Popen(command, env=environment, stdout=log, stderr=log)
    try:
        address = f"http://127.0.0.1:{port}"
        for _ in range(3000):
            try:
                urllib.request.urlopen(f"{address}/api?token={token}", timeout=2).close()
                break
            except OSError:
                assert server.poll() is None, (folder / "log").read_text()[-2000:]
                time.sleep(0.2)
        yield f"{address}/lab/tree/live.ipynb?token={token}", Store(folder / "results")
    finally:
        server.terminate()
        server.wait(30)


def test_the_trainer_works_under_a_real_server(jupyter, browser):
    address, store = jupyter
    context = new_context(browser, height=1000)
    page, problems, foreign = context.new_page(), [], []
    page.on("pageerror", lambda error: problems.append(str(error)))
    host = address[: address.index("/lab")]
    page.on("request", lambda r: foreign.append(r.url) if not r.url.startswith(
        (host, host.replace("http", "ws"), "data:", "blob:")) else None)  # fmt: skip
    page.goto(address)
    page.wait_for_selector(".jp-Notebook .cm-content")
    idle = ".jp-Notebook-ExecutionIndicator[data-status=idle]"
    page.wait_for_selector(idle)
    prompt = page.locator(".jp-Notebook .jp-InputPrompt").first
    for second in range(600):
        if re.search(r"\d", prompt.inner_text()):  # it has run
            break
        # Keys that come before the notebook is ready are lost, and so is what is sent before
        # the kernel listens: the prompt is [*] then, and nothing runs.
        if (asks := page.locator(".jp-Dialog .jp-mod-accept")).count():  # which kernel, perhaps
            print(page.locator(".jp-Dialog").inner_text())
            asks.first.click()
        elif second % 10 == 0 and page.locator(idle).count():
            page.click(".jp-Notebook .cm-content")
            page.keyboard.press("Shift+Enter")
        page.wait_for_timeout(1000)
    page.wait_for_selector(idle)
    root = page.locator(".gc-explorer[data-kind=trainer]")
    go = root.get_by_role("button", name="Train", exact=True)
    go.wait_for()
    single = root.locator(".lab-single")
    assert single.get_attribute("data-phase") == "idle"
    root.locator("summary").first.click()

    # Pause, Resume and Stop: a long run is ended early, and answers.
    def slide(key):
        for name in ("d_model", "epochs"):
            root.get_by_label(name, exact=True).focus()
            page.keyboard.press(key)

    slide("End")
    go.click()
    grown = "n => document.querySelector('.lab-single').drawn.curve?.epoch.length > n"
    page.wait_for_function(grown, arg=3)
    first = single.evaluate("e => e.drawn.curve.epoch.length")
    page.wait_for_function(grown, arg=first)  # it is drawn while it trains
    assert root.locator("polyline[data-name=validation]").first.get_attribute("points")
    root.get_by_role("button", name="Pause", exact=True).click()
    page.wait_for_selector("[data-phase=paused]")
    root.get_by_role("button", name="Ask").click()
    root.locator("[aria-label='Ask it'] [role=status]").filter(has_text="mod 31").wait_for()
    root.get_by_role("button", name="Remove").click()
    root.locator("[aria-label='Lesion it'] td").first.wait_for()
    root.get_by_role("button", name="Stop").click()
    page.wait_for_selector("[data-phase=stopped]")

    # A short run goes to its end, has a zone and is kept.
    slide("Home")
    go.click()
    page.wait_for_selector("[data-phase=done]")
    assert single.evaluate("e => e.drawn.zone") == "unlearned"
    assert "unlearned by epoch 500" in root.locator(".gc-status").inner_text()
    assert sum(root.locator(".lab-field").evaluate("e => e.drawn")) == 31**2
    if folder := os.environ.get("SCREENSHOTS"):
        root.screenshot(path=f"{folder}/trainer-live.png")
    root.get_by_role("button", name="Keep").click()
    root.get_by_role("button", name="Kept").wait_for()
    (run,) = store.runs().itertuples()
    assert (run.epochs, run.d_model, run.status) == (500, 4, "finished")
    drawn = single.evaluate("e => e.drawn.curve")
    curve = store.curve(RunSpec(**QUICK))
    for name in ("epoch", "val_accuracy", "train_loss", "param_norm"):
        assert drawn[name] == pytest.approx(curve[name].tolist(), rel=1e-6)
    assert not problems and not foreign
    context.close()


def test_a_browser_is_demanded_where_it_must_be(monkeypatch):
    monkeypatch.setenv("REQUIRE_BROWSER", "1")
    with pytest.raises(pytest.fail.Exception):
        missing("no browser")
