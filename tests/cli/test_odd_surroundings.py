"""Odd surroundings: it just works, or one line names the cause.  `tests/README.md` has the table.

Real processes, on commands that train nothing.
"""

import os
import shutil
import subprocess
import sys

import pytest

from lib.paths import ROOT

LIST, HELP = "run grokking_grid --list", "train --help"
ENGINE = "train --task add --epochs 1"  # refused by its surroundings before anything is trained

WORKS = {  # name -> a shell line around the command {c}, and variables
    "LC_ALL=C": (LIST, "{c}", dict(LC_ALL="C", LANG="C", PYTHONUTF8="0")),
    "output in ASCII": (HELP, "{c}", dict(PYTHONIOENCODING="ascii")),
    "output in Latin-1": ("circuits --help", "{c}", dict(PYTHONIOENCODING="latin-1")),
    "a terminal of 5 columns": (HELP, "{c}", dict(COLUMNS="5")),
    "COLUMNS that is no number": ("--help", "{c}", dict(COLUMNS="wide")),
    "warnings are errors": (LIST, "{c}", dict(PYTHONWARNINGS="error")),
    "no home": (LIST, "unset HOME; {c}", {}),
    "no search path": (LIST, "{c}", dict(PATH="/nonexistent")),
    "no folder for temporary files": (LIST, "{c}", dict(TMPDIR="/nonexistent")),
    "a time zone that does not exist": (LIST, "{c}", dict(TZ="Nowhere/Land")),
    "a working folder that is gone": (LIST, "mkdir gone && cd gone && rmdir ../gone && {c}", {}),
    "another package called lib": (LIST, "mkdir lib && touch lib/__init__.py && {c}", {}),
    "24 open files": ("status --no-estimate", "ulimit -n 24; {c}", {}),
    "standard output closed": ("--help", "{c} >&-", {}),
    "standard input closed": (LIST, "{c} <&-", {}),
    "a reader that has gone": (HELP, "{c} | head -1", {}),
    "Python without its own folder": (LIST, "{c}", dict(PYTHONSAFEPATH="1")),
}

ONE_LINE = {  # name -> command, variables, what the line names, exit code
    "GROKKING_LANES=5": (ENGINE, dict(GROKKING_LANES="5"), "GROKKING_LANES", 2),
    "NUMBA_NUM_THREADS=abc": (ENGINE, dict(NUMBA_NUM_THREADS="abc"), "NUMBA_NUM_THREADS", 2),
    "NUMBA_THREADING_LAYER=x": (ENGINE, dict(NUMBA_THREADING_LAYER="x"), "THREADING_LAYER", 2),
    "NUMBA_DISABLE_JIT=1": (ENGINE, dict(NUMBA_DISABLE_JIT="1"), "NUMBA_DISABLE_JIT", 2),
    "results in a file": ("status", dict(GROKKING_RESULTS="/etc/hostname"), "not a folder", 2),
    "a full disk at standard output": ("--help >/dev/full", {}, "No space left", 1),
}


def call(tmp_path, line, **environment):
    folders = dict(GROKKING_RESULTS=str(tmp_path / "results"), PYTHONPATH=str(ROOT))
    folders["GROKKING_CACHE"] = str(tmp_path / "cache")
    return subprocess.run(
        ["/bin/bash", "-c", line],
        cwd=tmp_path,
        env=os.environ | folders | environment,
        capture_output=True,
        text=True,
        errors="replace",
    )


@pytest.mark.parametrize("name", WORKS)
def test_it_just_works(tmp_path, name):
    words, line, environment = WORKS[name]
    command = f"{sys.executable} -m lib {words}"
    result = call(tmp_path, line.format(c=command), **environment)
    assert (result.returncode, result.stderr) == (0, ""), result.stderr


@pytest.mark.parametrize("name", ONE_LINE)
def test_one_line_names_the_cause(tmp_path, name):
    words, environment, cause, code = ONE_LINE[name]
    result = call(tmp_path, f"{sys.executable} -m lib {words}", **environment)
    assert result.returncode == code, result.stderr
    assert result.stderr.startswith("error: ") and result.stderr.count("\n") == 1, result.stderr
    assert cause in result.stderr


def test_an_edited_model_is_neither_ignored_nor_mixed_with_the_others(tmp_path):
    """What is edited is trained by the textbook alone, in a folder of its own, until undone."""
    copy, git = tmp_path / "copy", "git -c core.hooksPath=/dev/null -c user.name=x -c user.email=x"
    copy.mkdir()
    for name in ("lib", "pyproject.toml"):
        source = ROOT / name
        (shutil.copytree if source.is_dir() else shutil.copy)(source, copy / name)
    small = "--modulus 5 --train-size 10 --d-model 4 --epochs 5 --n-evals 2 --threads 1"
    line = f"cd {copy} && {git} init -q && {git} add lib && {git} commit -qm x && "
    train = f"{sys.executable} -m lib train {small} --engine "
    places = dict(PYTHONPATH=str(copy), GROKKING_RESULTS="")

    done = call(tmp_path, line + train + "reference", **places)
    assert done.returncode == 0 and "edited" not in done.stderr, done.stderr
    model = copy / "lib" / "model.py"
    whole = model.read_text()
    model.write_text(whole.replace(".relu()", ".tanh()"))
    done = call(copy, train + "reference", **places)
    assert done.returncode == 2 and done.stdout == ""
    assert done.stderr.startswith("error: lib/model.py is edited") and "--results" in done.stderr
    done = call(copy, train + "reference --results own", **places)
    assert done.returncode == 0 and "edited" not in done.stderr and "stored in own" in done.stdout
    done = call(copy, train + "stacked --results own", **places)
    assert done.returncode == 0 and done.stderr.startswith("warning: lib/model.py is edited; ")
    model.write_text(whole)
    done = call(copy, train + "reference", **places)
    assert done.returncode == 0 and "stored already, trained by reference" in done.stdout
    with (copy / "lib" / "tasks.py").open("a") as tasks:
        tasks.write("# another task\n")
    done = call(copy, train + "reference", **places)
    assert done.returncode == 0 and done.stderr.startswith("warning: lib/tasks.py is edited")
    assert "tasks" not in call(copy, train + "reference --results own", **places).stderr
