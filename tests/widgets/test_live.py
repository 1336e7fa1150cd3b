"""The live trainer: alone, and in a notebook under a real Jupyter server."""

import json
import os
import re
import secrets
import socket
import subprocess
import sys
import threading
import time
import urllib.request
from pathlib import Path

import fake_train
import pytest
from browsing import missing, new_context

import lib.runs.run
import lib.train
from lib.paper.recipe import BASE
from lib.runs.store import Store
from lib.spec import RunSpec
from lib.widgets.trainer import CHOICES, Trainer

ROOT = Path(__file__).resolve().parents[2]
QUICK = dict(task="add", d_model=8, train_size=3000, lr=3e-3, weight_decay=1.5, epochs=500, seed=0)


def test_it_trains_draws_and_keeps(store):
    trainer = Trainer(store=store)
    assert trainer.run["phase"] == "idle" and trainer.meta["recorded"] is None
    seen = []
    trainer.observe(lambda change: seen.append(change["new"]), "run")
    trainer._receive(None, {"do": "train", "values": QUICK})
    trainer.wait(120)
    run, spec = trainer.finished, RunSpec(**QUICK)
    assert [state["phase"] for state in seen][0] == "training" and trainer.run["phase"] == "done"
    assert trainer.run["zone"] == "unlearned" and run.spec == spec
    assert trainer.run["curve"]["epoch"][-1] == 500
    drawn, curve = trainer.run["curve"], run.curve
    assert drawn["val_accuracy"] == pytest.approx(curve["val_accuracy"].tolist(), rel=1e-5)
    assert json.dumps(trainer.run, allow_nan=False)
    trainer._receive(None, {"do": "keep"})
    assert store.keys() == {spec.key} and trainer.run["kept"]
    again = Trainer(spec, store=store).meta["recorded"]
    assert again["zone"] == "unlearned" and len(again["curve"]["epoch"]) == len(run.curve["epoch"])


def test_stop_ends_a_training(store, monkeypatch):
    begun = threading.Event()

    def slow(spec, *, threads=1, on_progress=None):
        for epoch in range(100_000):
            on_progress(lib.runs.run.Progress(epoch, spec.epochs, 0.5, 0.1, epoch / 100))
            begun.set()
            time.sleep(0.001)

    monkeypatch.setattr(lib.train, "train", slow)
    trainer = Trainer(store=store)
    trainer.train(**QUICK)
    first = trainer._thread
    trainer.train(**QUICK | {"seed": 1})
    assert trainer._thread is first, "one training at a time"
    assert begun.wait(10)
    trainer.stop()
    trainer.wait(10)
    assert trainer.run["phase"] == "stopped" and trainer.run["zone"] == "progression"
    assert trainer.keep() is None and not store.keys()


def test_what_goes_wrong_is_told(store, monkeypatch):
    trainer = Trainer(store=store)
    trainer.train(**QUICK | {"d_model": 7})
    assert trainer.run["phase"] == "failed" and "multiple of n_heads" in trainer.run["message"]

    def broken(spec, **_):
        raise MemoryError("no room")

    monkeypatch.setattr(lib.train, "train", broken)
    trainer.train(**QUICK)
    trainer.wait(10)
    assert trainer.run == {"phase": "failed", "message": "MemoryError: no room"}


def test_a_run_that_cannot_be_kept_says_so(store, monkeypatch):
    monkeypatch.setattr(lib.train, "train", fake_train.train)
    trainer = Trainer(store=store)
    trainer.train(**QUICK)
    trainer.wait(10)
    store.folder.mkdir()
    monkeypatch.setattr(store, "add", lambda run: (_ for _ in ()).throw(OSError(28, "disk full")))
    assert trainer.keep() is None and "disk full" in trainer.run["message"]


def test_every_choice_is_a_possible_run():
    for name, values in CHOICES.items():
        for value in values:
            BASE.replace(**{name: value})


# ---- under a real server ---------------------------------------------------------------

CELL = """import sys; sys.path.insert(0, {root!r})
from lib.widgets.trainer import trainer
from lib.spec import RunSpec
trainer(RunSpec(d_model=8, epochs=500))"""


@pytest.fixture(scope="module")
def jupyter(tmp_path_factory):
    """Address of a Jupyter server whose folder holds live.ipynb, a notebook with the trainer."""
    pytest.importorskip("jupyterlab")
    folder = tmp_path_factory.mktemp("jupyter")
    notebooks, home = folder / "notebooks", folder / "home"
    notebooks.mkdir()
    cell = dict(cell_type="code", source=CELL.format(root=str(ROOT)), metadata={}, outputs=[],
                execution_count=None, id="live")  # fmt: skip
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
    page.wait_for_selector(".jp-Notebook-ExecutionIndicator[data-status=idle]")
    prompt = page.locator(".jp-Notebook .jp-InputPrompt").first
    for _ in range(300):  # keys that come before the notebook is ready are lost
        page.click(".jp-Notebook .cm-content")
        page.keyboard.press("Shift+Enter")
        page.wait_for_timeout(1000)
        if re.search(r"[*\d]", prompt.inner_text()):
            break
    root = page.locator(".gc-explorer[data-kind=trainer]")
    root.wait_for()
    go = root.get_by_role("button", name="Train", exact=True)
    go.wait_for()
    page.wait_for_function("() => !document.querySelector('.gc-choice button').disabled")
    assert "idle" == root.get_attribute("data-phase")

    # Stop: a long run is ended early.
    slider = root.get_by_label("epochs", exact=True)
    slider.focus()
    page.keyboard.press("End")
    go.click()
    stop = root.get_by_role("button", name="Stop")
    stop.wait_for()
    grown = "n => document.querySelector('.gc-explorer').drawn?.epoch?.length > n"
    page.wait_for_function(grown, arg=3)
    first = root.evaluate("e => e.drawn.epoch.length")
    page.wait_for_function(grown, arg=first)  # it is drawn while it trains
    assert root.locator("polyline[data-name=validation]").first.get_attribute("points")
    stop.click()
    page.wait_for_selector("[data-phase=stopped]")

    # A short run goes to its end, has a zone and is kept.
    slider.focus()
    page.keyboard.press("Home")
    go.click()
    page.wait_for_selector("[data-phase=done]")
    assert root.evaluate("e => e.drawn.zone") == "unlearned"
    assert "unlearned by epoch 500" in root.get_by_role("status").inner_text()
    if folder := os.environ.get("SCREENSHOTS"):
        root.screenshot(path=f"{folder}/trainer-live.png")
    root.get_by_role("button", name="Keep").click()
    root.get_by_role("button", name="Kept").wait_for()
    (run,) = store.runs().itertuples()
    assert (run.epochs, run.d_model, run.status) == (500, 8, "finished")
    drawn = root.evaluate("e => e.drawn")
    curve = store.curve(RunSpec(d_model=8, epochs=500))
    assert drawn["epoch"] == curve["epoch"].tolist()
    assert drawn["val_accuracy"] == pytest.approx(curve["val_accuracy"].tolist(), rel=1e-5)
    assert not problems and not foreign
    context.close()


def test_a_browser_is_demanded_where_it_must_be(monkeypatch):
    monkeypatch.setenv("REQUIRE_BROWSER", "1")
    with pytest.raises(pytest.fail.Exception):
        missing("no browser")
