"""The page on the library: every block of code on it runs, every edit applies and trains."""

import re
import shlex
import shutil
import subprocess
import sys

import pytest

from lib.paths import ROOT

PAGE = (ROOT / "book" / "library.md").read_text("utf-8")
BLOCKS = re.findall(r"^```(\w+)\n(.*?)^```", PAGE, flags=re.M | re.S)
EDITS = [(BLOCKS[i][1], BLOCKS[i + 1][1]) for i, (kind, _) in enumerate(BLOCKS) if kind == "diff"]


def test_the_code_runs(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    names = {}
    for kind, code in BLOCKS:
        if kind == "python":
            exec(compile(code, "book/library.md", "exec"), names)
    out = capsys.readouterr().out
    assert "numba finished" in out and "reference [" in out
    assert names["run"].curve["val_accuracy"][-1] > 0.95  # what the page trains groks


@pytest.mark.parametrize("diff, command", EDITS, ids=["task", "activation", "optimizer"])
def test_an_edit_applies_and_trains(diff, command, tmp_path):
    for name in ("lib", "pyproject.toml"):
        source = ROOT / name
        copy = shutil.copytree if source.is_dir() else shutil.copy
        copy(source, tmp_path / name)
    git = ["git", "-c", "core.hooksPath=/dev/null"]
    subprocess.run([*git, "init", "-q"], cwd=tmp_path, check=True)
    subprocess.run([*git, "apply", "-"], input=diff, text=True, cwd=tmp_path, check=True)
    python, *words = shlex.split(command.removeprefix("$ "))
    assert python == "python"
    if "--engine" not in words:  # the kernel would be compiled for this folder; test_data has it
        words += ["--engine", "reference"]
    words = [sys.executable, *words, "--n-evals", "5"]
    done = subprocess.run(words, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    accuracy = re.search(r"training accuracy +([\d.]+)", done.stdout)
    assert float(accuracy[1]) > 2 / 31, done.stdout  # it learns: chance is 1 in 31


def test_there_are_three_edits():
    assert len(EDITS) == 3 and all(
        command.startswith("$ python -m lib train") for _, command in EDITS
    )
