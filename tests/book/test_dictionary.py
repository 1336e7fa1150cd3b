"""The page on the data: its lines run, and what a chapter leaves has no empty column."""

import re

import pandas as pd

from lib.chapters.export import MEANING, export
from lib.paper.experiments import EXPERIMENTS
from lib.paths import ROOT
from lib.runs.store import Store

PAGE = (ROOT / "book" / "data.md").read_text("utf-8")


def test_the_lines_read_the_runs(monkeypatch, capsys):
    monkeypatch.chdir(ROOT)
    names = {}
    for code in re.findall(r"^```python\n(.*?)^```", PAGE, flags=re.M | re.S):
        exec(compile(code, "book/data.md", "exec"), names)
    assert set(names["runs"]["key"]) == Store(ROOT / "results").keys()
    panel = {spec.key for spec in EXPERIMENTS["figure6"] if spec.train_size == 3000}
    stored = Store(ROOT / "results").keys()
    assert set(names["own"]["key"]) == panel & stored and "mean" in capsys.readouterr().out


def test_a_table_has_no_empty_column(tmp_path, monkeypatch):
    monkeypatch.setenv("GROKKING_DATA", str(tmp_path))
    frame = pd.DataFrame({"d_model": [8, 16], "val_loss": [float("nan")] * 2})
    assert list(pd.read_csv(export(frame, "some"))) == ["d_model"]


def test_every_column_has_a_meaning():
    assert all(meaning for _, meaning in MEANING.values())
    assert len({meaning for _, meaning in MEANING.values()}) == len(MEANING)
