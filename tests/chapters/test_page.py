"""What every chapter does through its page: specs, runs, files, verdicts, the end."""

from dataclasses import replace

import pandas as pd
import pytest
from worlds import jump

from lib.chapters.page import Page, told
from lib.cli.train import command
from lib.paper.experiments import EXPERIMENTS
from lib.runs.store import Store
from lib.spec import KNOBS, RunSpec


@pytest.fixture
def page(tmp_path, monkeypatch):
    monkeypatch.setenv("GROKKING_RESULTS", str(tmp_path / "results"))
    monkeypatch.setenv("GROKKING_DATA", str(tmp_path / "data"))
    return Page("tiny", lr=0.01)


def test_a_list_asks_for_each_of_its_values(page):
    specs = page.specs("figure6", d_model=[8, 16], train_size=3000, seed=[0, 1])
    assert [(s.d_model, s.seed) for s in specs] == [(8, 0), (16, 0), (8, 1), (16, 1)]
    assert {(s.lr, s.train_size) for s in specs} == {(0.01, 3000)}
    assert specs[0].stop_after == EXPERIMENTS["figure6"].base.stop_after


def test_a_seed_is_its_parent_s_too(page):
    (parent,) = page.specs("circuits_parents")
    specs = page.specs("circuits_ungrok", train_size=300, seed=[3], init_from=parent)
    assert [(s.seed, s.init_from.seed) for s in specs] == [(3, 3)]


def test_the_end_names_what_was_left_and_what_runs_took(page, tmp_path):
    specs = page.specs("figure6", d_model=[8, 16], train_size=3000)
    Store().add(jump(specs[0], val=1.0))
    found = page.gather(specs)
    page.export_runs(found.runs, "some", "some runs")
    assert (tmp_path / "data" / "some.csv").is_file()
    end = page.end().data
    assert "The 1 stored runs" in end and "[some runs](data/some.csv)" in end
    assert "<tiny.ipynb>" in end and "<../../notebooks/tiny.py>" in end
    assert told({"Both": found}).data.splitlines()[1].startswith("Both: 1 of 2 runs")
    none = page.gather(page.specs("figure6", d_model=[12]))
    assert "train_missing" in told(none).data
    assert "train_missing" not in told({"some": found, "none": none}).data


def test_each_run_of_a_table_has_the_command_that_trains_it_again(page, tmp_path):
    """Read as the command line reads it; what begins from another's weights has none."""
    (parent,) = page.specs("circuits_parents")
    mixed = dict(task="multitask", memorize_size=9, split_mlp=[None, True])
    specs = page.specs("emergent_depth", d_model=[8, 16], n_layers=2, **mixed)
    specs += page.specs("circuits_ungrok", init_from=parent)
    for spec in specs:
        Store().add(jump(spec, val=1.0))
    page.export(page.gather(specs).runs, "some", "some runs", ["key", "d_model"])
    table = pd.read_csv(tmp_path / "data" / "some.csv").set_index("key")["command"]
    assert pd.isna(table.pop(specs[-1].key)) and len(table) == len(specs) - 1 == 4
    for key, words in table.items():
        given = command.make_context("train", words.removeprefix("python -m lib train ").split())
        assert given.params["force"]  # it is stored
        assert RunSpec(**{n: v for n, v in given.params.items() if n in KNOBS}).key == key
    page.export(pd.DataFrame({"key": ["a", "a"], "epoch": [0, 1]}), "curves", "evaluations")
    assert "command" not in (tmp_path / "data" / "curves.csv").read_text()


def test_a_run_is_trained_again_as_it_was(page, tmp_path):
    """In its precision, on a GPU, by the textbook, as it was; not where JAX did."""
    specs = page.specs("figure3", train_size=[2000, 2200, 2400, 2600], seed=0)
    engines = "numba-bf16x6", "stacked-bf16", "reference", "jax"
    for spec, engine in zip(specs, engines):
        device = "NVIDIA H200" if engine.startswith("stacked") else "cpu"
        Store().add(replace(jump(spec, val=1.0), engine=engine, device=device))
    page.export(page.gather(specs).runs, "some", "some runs", ["key"])
    table = pd.read_csv(tmp_path / "data" / "some.csv").set_index("key")["command"]
    ends = [table[spec.key] for spec in specs[:3]]
    assert ends[0].endswith(" --precision bf16x6 --force")
    assert ends[1].endswith(" --engine stacked --device cuda --precision bf16 --force")
    assert ends[2].endswith(" --engine reference --force")
    assert pd.isna(table[specs[3].key])


def test_an_unsplit_mlp_is_not_missing(page, tmp_path):
    split = pd.Series([True, None], dtype="boolean")
    page.export(pd.DataFrame(dict(split_mlp=split, d_model=[8, 8])), "some", "some runs")
    assert pd.read_csv(tmp_path / "data" / "some.csv")["split_mlp"].tolist() == [True, False]


def test_runs_for_comparison_are_not_behind_the_page(page):
    specs = EXPERIMENTS["figure9"].specs([0])
    Store().add(jump(specs[0].replace(lr=0.01), val=1.0))
    assert len(page.stored("figure9")) == 1
    assert page.end().data.startswith("Download")


def test_verdicts_are_those_of_the_claims(page):
    shown = page.verdicts("takeaway 2", who="They say").data
    assert "takeaway 2" in shown and "not enough runs" in shown and "They say" in shown
    with pytest.raises(KeyError):
        page.verdicts("no such claim")
