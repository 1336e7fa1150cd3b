"""Running a chapter: what is refused, and what an executed one looks like."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import nbformat
import pytest
from click.testing import CliRunner
from filelock import FileLock
from processes import gone, wait_for

import lib.chapters.build
from lib.chapters import execute, parameters
from lib.cli.main import main

TINY = """\
# %% [markdown]
# # A tiny chapter

# %% tags=["parameters"]
widths = [4, 8]  # model sizes
d_models = [8]
lr = 0.003
epochs = 10
name = "add"
quick = False

# %%
import os, sys
import lib.spec
print("at", os.getcwd())
print("python", sys.executable)
print("got", widths, lr, epochs, name, quick)
print("cache", os.environ["GROKKING_CACHE"])
print("results", os.environ.get("GROKKING_RESULTS"), os.environ["GROKKING_DATA"])
if epochs == 13:
    raise ValueError("no luck\\nat all")
"""


PAIRS = """\
# %% tags=["parameters"]
decays = [1.0]
pair = (8, 3000)
grokking = (8, 3000)
cells = [[8, 3000]]
calm_memorized = [300]
recipes = ["recipe-3e-3-1.0"]
"""


@pytest.fixture
def book(tmp_path, monkeypatch):
    """A book of its own with one tiny chapter, in whose folder commands are given."""
    (tmp_path / "notebooks").mkdir()
    (tmp_path / "notebooks" / "tiny.py").write_text(TINY)
    monkeypatch.setattr("lib.chapters.parameters.NOTEBOOKS", tmp_path / "notebooks")
    monkeypatch.setattr("lib.chapters.execute.CHAPTERS", tmp_path / "chapters")
    monkeypatch.setattr("lib.chapters.build.BUILD", tmp_path / "_build")
    monkeypatch.setattr("lib.chapters.build.table_of_contents", lambda: ["tiny"])
    monkeypatch.chdir(tmp_path)
    return tmp_path


def contents(folder):
    """Jupyter's view of a folder, as the project's own JupyterLab has it, with Jupytext."""
    from jupyter_server.services.contents.largefilemanager import LargeFileManager
    from jupytext.sync_contentsmanager import build_sync_jupytext_contents_manager_class

    manager = build_sync_jupytext_contents_manager_class(LargeFileManager)()
    manager.root_dir = str(folder)
    return manager


def run(*arguments):
    return call("run", *arguments)


def call(*arguments):
    return CliRunner().invoke(main, [str(a) for a in arguments])


def printed(path):
    """Everything that an executed chapter printed."""
    notebook = nbformat.read(path, as_version=4)
    outputs = [output for cell in notebook.cells for output in cell.get("outputs", [])]
    return "".join(output.text for output in outputs if output.output_type == "stream")


def test_parameters_may_be_annotated_and_hold_any_text(book):
    """Papermill calls these two unknown (its issues 864 and 906)."""
    lines = 'name = "a=b"', "kind: Literal['one', 'two'] = 'one'", "epochs: int = 10", "x: int"
    cell = "\n".join(['# %% tags=["parameters"]', *lines, ""])
    (book / "notebooks" / "tiny.py").write_text(cell)
    assert list(parameters.parameters("tiny")) == ["name", "kind", "epochs"]
    given = [("name", "c=d=e"), ("kind", "two"), ("epochs", "20")]
    assert parameters.check("tiny", given) == dict(name="c=d=e", kind="two", epochs=20)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["nochapter"], "unknown chapter 'nochapter'; known: tiny"),
        (["../tiny"], "unknown chapter '../tiny'; known: tiny"),
        (
            ["tiny", "-p", "nosuch", "1"],
            "unknown parameter 'nosuch' of tiny; known: widths = [4, 8], d_models = [8], "
            'lr = 0.003, epochs = 10, name = "add", quick = False',
        ),
        (["tiny", "-p", "epochs", "many"], "epochs must be a whole number like 10, got 'many'"),
        (["tiny", "-p", "epochs", "1.5"], "epochs must be a whole number like 10, got '1.5'"),
        (["tiny", "-p", "epochs", "true"], "epochs must be a whole number like 10, got 'true'"),
        (["tiny", "-p", "epochs", "1:30"], "epochs must be a whole number like 10, got '1:30'"),
        (["tiny", "-p", "lr", "[1]"], "lr must be a finite number like 0.003, got '[1]'"),
        (["tiny", "-p", "lr", "[1"], "lr must be a finite number like 0.003, got '[1'"),
        (["tiny", "-p", "widths", "8"], "widths must be a list like [4, 8], got '8'"),
        (["tiny", "-p", "widths", "[8, a]"], "widths must be a list like [4, 8], got '[8, a]'"),
        (["tiny", "-p", "widths", "[]"], "widths must be a list like [4, 8], got '[]'"),
        (["tiny", "-p", "widths", "{[1]}"], "widths must be a list like [4, 8], got '{[1]}'"),
        (["tiny", "-p", "lr", "1" * 400], "lr must be a finite number like 0.003, got '111"),
        (["tiny", "-p", "epochs", "0x_"], "epochs must be a whole number like 10, got '0x_'"),
        (
            ["tiny", "-p", "epochs", "2024-13-45"],
            "epochs must be a whole number like 10, got '2024-13-45'",
        ),
        (["tiny", "-p", "lr", "1e999"], "lr must be a finite number like 0.003, got '1e999'"),
        (["tiny", "-p", "lr", ".inf"], "lr must be a finite number like 0.003, got '.inf'"),
        (["tiny", "-p", "epochs", "0"], "epochs cannot be 0: epochs must be"),
        (["tiny", "-p", "lr", "-1"], "lr cannot be -1: lr must be from 1.2e-38"),
        (["tiny", "-p", "d_models", "[8, 3]"], "d_models cannot be [8, 3]: d_model must be"),
        (["tiny", "-p", "decays", "[1, 0]"], "decays cannot be [1, 0]: without weight decay"),
        (["tiny", "-p", "decays", "[1e-310]"], "decays cannot be [1e-310]: so many decay times"),
        (["tiny", "-p", "pair", "[8, 3000, 5]"], "pair must be a list like [8, 3000]"),
        (["tiny", "-p", "grokking", "[7, 3000]"], "grokking cannot be [7, 3000]: d_model must"),
        (["tiny", "-p", "cells", "[[8, 0]]"], "cells cannot be [[8, 0]]: train_size must be"),
        (["tiny", "-p", "calm_memorized", "[20000]"], "calm_memorized cannot be [20000]: train"),
        (
            ["tiny", "-p", "recipes", "[nope]"],
            "recipes cannot be [nope]: unknown recipe 'nope'; known",
        ),
        (["tiny", "-p", "quick", "1"], "quick must be true or false like False, got '1'"),
        (["tiny", "-o", "out.txt"], "-o must name an .ipynb file, got 'out.txt'"),
        (["tiny", "-o", "no/x.ipynb"], "the folder 'no' does not exist"),
        (["tiny", "--results", "no"], "the results folder 'no' does not exist"),
    ],
)
def test_a_mistake_is_one_line_and_writes_nothing(book, arguments, message):
    if (
        arguments[2:3]
        and arguments[2] in "decays pair grokking cells calm_memorized recipes".split()
    ):
        (book / "notebooks" / "tiny.py").write_text(PAIRS)
    before = sorted(book.rglob("*"))
    result = run(*arguments)
    assert (result.exit_code, result.stdout) == (2, "")
    assert result.stderr.startswith(f"error: {message}") and result.stderr.count("\n") == 1
    assert sorted(book.rglob("*")) == before


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("3", 3),
        ("1e-3", 0.001),
        ("True", True),
        ("true", True),
        ("[1, 2]", [1, 2]),
        ("[1e-3]", [0.001]),
        ("[a, b]", ["a", "b"]),
        ("null", None),
        ("word", "word"),
    ],
)
def test_values_are_literals_or_yaml(text, value):
    assert parameters._parse(text) == value


TABLE = """
# %% [markdown]
# Download {download}`it <data/table.csv>`, {download}`this <tiny.ipynb>` or
# {download}`its source <../../notebooks/tiny.py>`; or [it](data/table.csv).

# %%
import pandas as pd
from lib.chapters.export import export
_ = export(pd.DataFrame({"lr": [lr]}), "table")
"""


def test_a_chapter_runs_with_its_parameters(book, monkeypatch):
    monkeypatch.setenv("JUPYTER_PATH", str(book))
    monkeypatch.setenv("GROKKING_CACHE", "near")  # of where the command is given
    (book / "notebooks" / "tiny.py").write_text(TINY + TABLE)
    (book / "runs").mkdir()
    output = book / 'my "own".ipynb'  # it stands in JSON
    result = run(
        *("tiny", "-o", output, "--results", book / "runs"),
        *("-p", "widths", "[12]", "-p", "lr", "1", "-p", "quick", "true", "-p", "name", "1"),
    )
    assert result.exit_code == 0, result.output
    text = printed(output)
    assert f"at {execute.ROOT}\n" in text
    assert f"python {sys.executable}\n" in text
    assert "got [12] 1 10 1 True\n" in text
    assert f"cache {book / 'near'}\n" in text
    assert f'results {book / "runs"} {book}/.grokking-' in text
    notebook = nbformat.read(output, as_version=4)
    nbformat.validate(notebook)
    made = notebook.metadata.grokking_companion
    assert made.parameters == {"widths": [12], "lr": 1, "quick": True, "name": "1"}
    assert "papermill" not in notebook.metadata and "jupytext" not in notebook.metadata
    contents(book).get(output.name)  # it opens in Jupyter
    assert (book / 'my "own"-data' / "table.csv").read_text() == "lr\n1\n"
    words = notebook.cells[-2].source  # a link of Markdown has no blanks
    assert words.count("[it](my%20%22own%22-data/table.csv)") == 2
    assert "[this](my%20%22own%22.ipynb)" in words and "[its source](notebooks/tiny.py)" in words
    assert os.environ["JUPYTER_PATH"] == str(book)
    assert not (book / "chapters").exists()


FIGURE = """
# %%
import matplotlib.pyplot as plt
import numpy as np
figure, axes = plt.subplots()
axes.plot(np.arange(3))
figure
"""


def test_settings_of_the_shell_do_not_reach_figures(book, tmp_path, monkeypatch):
    """Neither a backend without pictures, nor colours, nor an editor's byte-order mark."""
    (book / "notebooks" / "tiny.py").write_text(TINY + FIGURE, encoding="utf-8-sig")
    (tmp_path / "matplotlibrc").write_text("axes.facecolor: red")
    for name, value in (("plain", None), ("odd", str(tmp_path / "matplotlibrc"))):
        if value:
            monkeypatch.setenv("MPLBACKEND", "TkAgg")
            monkeypatch.setenv("MATPLOTLIBRC", value)
            monkeypatch.setenv("PYTHONWARNINGS", "error")
        assert run("tiny", "-o", book / f"{name}.ipynb").exit_code == 0
    pictures = [
        [
            output.data["image/png"]
            for cell in nbformat.read(book / f"{name}.ipynb", as_version=4).cells
            for output in cell.get("outputs", [])
            if "image/png" in output.get("data", {})
        ]
        for name in ("plain", "odd")
    ]
    assert pictures[0] and pictures[0] == pictures[1]


def as_it_was(chapter, notebook, values, environment):
    """In the place of a kernel: nothing is executed."""
    return notebook


def test_a_failing_chapter_is_one_message_and_keeps_the_old_output(book, monkeypatch):
    with monkeypatch.context() as before:
        before.setattr("lib.chapters.execute._run", as_it_was)
        assert run("tiny").exit_code == 0
    written = book / "chapters" / "tiny.ipynb"
    before = written.read_bytes()
    result = run("tiny", "-p", "epochs", "13")
    assert result.exit_code == 1
    assert result.stderr == "error: tiny failed in cell [3]: ValueError: no luck\n"
    assert [path.name for path in written.parent.iterdir()] == ["tiny.ipynb"]
    assert written.read_bytes() == before


SLOW = """\
import pathlib, sys
from lib.chapters import build, execute, parameters
from lib.cli.main import main
folder = pathlib.Path(sys.argv[1])
parameters.NOTEBOOKS, execute.CHAPTERS = folder / "notebooks", folder / "chapters"
build.BUILD = folder / "_build"
main(["run", "tiny"])
"""


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGKILL])
def test_an_interrupted_chapter_leaves_nothing(book, how, monkeypatch):
    source = f"import os, time\nopen({str(book / 'pid')!r}, 'w').write(str(os.getpid()))\n"
    source += "time.sleep(60)\n"
    (book / "notebooks" / "tiny.py").write_text(TINY + "\n# %%\n" + source)
    process = subprocess.Popen(
        [sys.executable, "-c", SLOW, str(book)],
        cwd=execute.ROOT,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )
    pid = book / "pid"
    wait_for(lambda: pid.exists() and pid.read_text(), process)
    process.send_signal(how)
    _, said = process.communicate()
    assert process.returncode != 0
    if how == signal.SIGINT:
        assert said.strip() == "error: interrupted; the book that was there is as it was"
    assert not list(book.rglob("*.ipynb"))
    wait_for(lambda: gone(int(pid.read_text())))
    left = list((book / "chapters").iterdir())
    assert len(left) == (how == signal.SIGKILL)
    for folder in left:  # the next run a day later takes it away
        os.utime(folder, (0, 0))
    (book / "notebooks" / "tiny.py").write_text(TINY)
    monkeypatch.setattr("lib.chapters.execute._run", as_it_was)
    assert run("tiny").exit_code == 0
    assert [path.name for path in (book / "chapters").iterdir()] == ["tiny.ipynb"]


def test_list_shows_the_parameters(book):
    result = run("tiny", "--list")
    assert result.stdout.splitlines()[:2] == ["widths = [4, 8]  # model sizes", "d_models = [8]"]


def leave_a_table(chapter, notebook, values, environment):
    """In the place of a kernel: the chapter is not executed, its table is written."""
    folder = Path(environment["GROKKING_DATA"])
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "table.csv").write_text(f"lr\n{(values or {}).get('lr', 0.003)}\n")
    return notebook


def test_build_executes_what_has_changed(book, monkeypatch):
    executed = []
    monkeypatch.setattr("lib.chapters.execute._run", leave_a_table)
    monkeypatch.setattr("lib.chapters.build._html", lambda: book / "index.html")
    real = execute.execute
    monkeypatch.setattr(
        "lib.chapters.execute.execute",
        lambda name, values, *rest: executed.append(values) or real(name, values, *rest),
    )

    def build(*arguments):
        executed.clear()
        result = call("build", *arguments)
        assert result.exit_code == 0, result.output
        return result.output

    monkeypatch.setenv("GROKKING_RESULTS", str(book / "runs"))
    assert "executing (the first time)" in build() and executed == [{}]
    last = build()
    assert "tiny: up to date\n" in last and executed == []
    assert last.endswith(f"the book is ready: {book / 'index.html'}\n")
    (book / "runs").mkdir()
    (book / "runs" / "new.parquet").touch()
    assert "executing (changed: the stored runs)" in build()
    (book / "runs" / "new.parquet").write_bytes(b"more of it")  # it was still being copied
    assert "executing (changed: the stored runs)" in build()
    for name, path in (("the library", "lib/x"), ("the list of packages", "requirements.txt")):
        (book / path).parent.mkdir(exist_ok=True)
        (book / path).write_text("changed")
        monkeypatch.setattr("lib.chapters.execute.ROOT", book)
        assert name in build().partition("executing (changed: ")[2].partition(")")[0]
        assert "up to date" in build()
    (book / "lib" / "b").mkdir()
    (book / "lib" / "x").rename(book / "lib" / "b" / "x")  # a module of another name
    assert "executing (changed: the library)" in build()
    assert run("tiny", "-p", "epochs", "11").exit_code == 0
    assert "up to date, with {'epochs': 11}" in build() and executed == []
    (book / "notebooks" / "tiny.py").write_text(HEADER + TINY)
    assert "up to date" in build() and executed == []  # what is executed is the same
    (book / "notebooks" / "tiny.py").write_text(TINY + "\n# changed\n")
    assert "changed: its source" in build() and executed == [{"epochs": 11}]
    (book / "notebooks" / "tiny.py").write_text(TINY.replace("epochs", "steps"))
    assert "the first time" in build() and executed == [{}]
    assert "forced" in build("--force") and executed == [{}]


HEADER = """\
# ---
# jupyter:
#   jupytext:
#     text_representation:
#       extension: .py
# ---

"""


def test_tables_lie_beside_their_notebook(book, monkeypatch):
    """Trials touch neither the book's tables nor each other's."""
    monkeypatch.setattr("lib.chapters.execute._run", leave_a_table)
    monkeypatch.setattr("lib.chapters.build._html", lambda: book / "index.html")
    (book / "notebooks" / "tiny.py").write_text(TINY + TABLE)
    table = book / "chapters" / "data" / "table.csv"
    assert f"wrote {table.relative_to(book)}" in run("tiny").output
    assert table.read_text() == "lr\n0.003\n"
    settings = book / ".one-settings"  # of someone, and old: nothing is swept up but our own
    settings.mkdir()
    os.utime(settings, (0, 0))
    for name, lr in (("one", 0.5), ("two", 0.25)):
        told = run("tiny", "-o", f"{name}.ipynb", "-p", "lr", lr).output
        assert told == f"wrote {name}.ipynb\nwrote {name}-data/table.csv\n"
    assert settings.is_dir()
    for name, lr in (("one", 0.5), ("two", 0.25)):
        assert (book / f"{name}-data" / "table.csv").read_text() == f"lr\n{lr}\n"
        assert f"]({name}-data/table.csv)" in (book / f"{name}.ipynb").read_text()
    assert table.read_text() == "lr\n0.003\n"
    assert "<data/table.csv>" in (book / "chapters" / "tiny.ipynb").read_text()
    result = run("tiny", "-o", "chapters/mine.ipynb")
    assert result.exit_code == 2 and "without -o" in result.stderr

    assert "up to date" in call("build").output
    table.write_text("lr\n9\n")  # by whatever ran there
    assert "executing (changed: its tables)" in call("build").output
    assert table.read_text() == "lr\n0.003\n"


def test_a_full_disk_leaves_the_book_s_chapter_and_its_tables(book, monkeypatch):
    monkeypatch.setattr("lib.chapters.execute._run", leave_a_table)
    assert run("tiny").exit_code == 0
    before = {p: p.read_bytes() for p in (book / "chapters").rglob("*") if p.is_file()}
    assert len(before) == 2

    def full(path, data):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("lib.chapters.execute.publish", full)
    assert run("tiny", "-p", "lr", "9").exit_code != 0
    assert before == {p: p.read_bytes() for p in (book / "chapters").rglob("*") if p.is_file()}


def test_a_file_in_the_tables_place_is_said_before_anything_is_executed(book):
    (book / "out-data").write_text("a file")
    result = run("tiny", "-o", "out.ipynb")
    assert result.exit_code == 2 and "out-data" in result.stderr
    assert not (book / "out.ipynb").exists()


def test_one_build_at_a_time(book):
    (book / "_build").mkdir()
    with FileLock(book / "_build" / ".lock"):
        for command in (["build"], ["run", "tiny"]):  # which would change what a build reads
            result = call(*command)
            assert result.exit_code == 2 and result.stderr.startswith("error: another build")
        assert not (book / "chapters").exists()


@pytest.mark.parametrize("end", ["fails", "is interrupted"])
def test_a_book_that_is_not_whole_replaces_nothing(book, monkeypatch, end):
    monkeypatch.setattr("lib.chapters.build.table_of_contents", lambda: [])
    page = book / "_build" / "html" / "index.html"
    page.parent.mkdir(parents=True)
    page.write_text("the old book")

    def jupyter_book(command, **options):
        beside = Path(command[command.index("--path-output") + 1])
        (beside / "_build" / "html").mkdir(parents=True)
        (beside / "_build" / "html" / "index.html").write_text("half a")
        if end == "is interrupted":
            raise KeyboardInterrupt
        return SimpleNamespace(returncode=1)

    monkeypatch.setattr("lib.chapters.build.subprocess.run", jupyter_book)
    result = call("build")
    assert result.exit_code == (1 if end == "fails" else 130)
    assert "the book" in result.stderr and page.read_text() == "the old book"
    assert [path.name for path in (book / "_build").iterdir() if path.is_dir()] == ["html"]


def test_saving_a_chapter_from_jupyterlab_changes_nothing(tmp_path):
    for path in [*parameters.NOTEBOOKS.glob("*.py"), parameters.NOTEBOOKS / "jupytext.toml"]:
        (tmp_path / "notebooks").mkdir(exist_ok=True)
        (tmp_path / "notebooks" / path.name).write_text(path.read_text())
    for root in (tmp_path, tmp_path / "notebooks"):
        manager = contents(root)
        for path in sorted((tmp_path / "notebooks").glob("*.py")):
            before, name = path.read_text(), str(path.relative_to(root))
            model = manager.get(name)
            model["content"]["metadata"]["language_info"] = {"name": "python", "version": "3"}
            manager.save(model, name)
            assert path.read_text() == before, name


def test_build_names_a_chapter_without_source(book, monkeypatch):
    monkeypatch.setattr("lib.chapters.build.table_of_contents", lambda: ["gone"])
    result = call("build")
    assert result.exit_code == 2
    assert result.stderr == "error: unknown chapter 'gone'; known: tiny\n"


def test_every_chapter_is_in_the_book():
    assert parameters.chapters() == sorted(lib.chapters.build.table_of_contents())


def test_chapters_open_as_notebooks_in_the_projects_jupyterlab(tmp_path):
    """The setting that `make lab` and Binder bring names a viewer that Jupytext has."""
    settings = execute.ROOT / "notebooks" / "labconfig" / "default_setting_overrides.json"
    (viewer,) = {
        viewers["python"]
        for plugin in json.loads(settings.read_text()).values()
        for viewers in plugin.values()
    }
    scripts = Path(sys.prefix, "share/jupyter/labextensions/jupyterlab-jupytext").rglob("*.js")
    assert any(viewer in path.read_text(encoding="utf-8") for path in scripts)
    (tmp_path / "bin").mkdir()
    python = tmp_path / "bin" / "python"
    python.write_text(f"#!/bin/sh\necho {tmp_path}\n")
    python.chmod(0o755)
    path = f"{tmp_path / 'bin'}:{os.environ['PATH']}"
    subprocess.run(["./postBuild"], cwd=execute.ROOT, env={"PATH": path}, check=True)
    made = tmp_path / "etc" / "jupyter" / "labconfig" / settings.name
    assert made.read_text() == settings.read_text()
