"""Running a chapter: what is refused, and what an executed one looks like."""

import os
import signal
import subprocess
import sys
import time

import nbformat
import psutil
import pytest
from click.testing import CliRunner

import lib.chapters.build
from lib.chapters import execute
from lib.cli.main import main

TINY = """\
# %% [markdown]
# # A tiny chapter

# %% tags=["parameters"]
widths = [4, 8]  # model sizes
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
print("results", os.environ.get("GROKKING_RESULTS"), os.environ["GROKKING_DATA"])
if epochs == 13:
    raise ValueError("no luck\\nat all")
"""


@pytest.fixture
def book(tmp_path, monkeypatch):
    """A book of its own with one tiny chapter."""
    (tmp_path / "notebooks").mkdir()
    (tmp_path / "notebooks" / "tiny.py").write_text(TINY)
    monkeypatch.setattr("lib.chapters.execute.NOTEBOOKS", tmp_path / "notebooks")
    monkeypatch.setattr("lib.chapters.execute.CHAPTERS", tmp_path / "chapters")
    return tmp_path


def run(*arguments):
    return CliRunner().invoke(main, ["run", *map(str, arguments)])


def printed(path):
    """Everything that an executed chapter printed."""
    notebook = nbformat.read(path, as_version=4)
    outputs = [output for cell in notebook.cells for output in cell.get("outputs", [])]
    return "".join(output.text for output in outputs if output.output_type == "stream")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["nochapter"], "unknown chapter 'nochapter'; known: tiny"),
        (["../tiny"], "unknown chapter '../tiny'; known: tiny"),
        (
            ["tiny", "-p", "nosuch", "1"],
            "unknown parameter 'nosuch' of tiny; known: widths = [4, 8], lr = 0.003, "
            'epochs = 10, name = "add", quick = False',
        ),
        (["tiny", "-p", "epochs", "many"], "epochs must be a whole number like 10, got 'many'"),
        (["tiny", "-p", "epochs", "1.5"], "epochs must be a whole number like 10, got '1.5'"),
        (["tiny", "-p", "epochs", "true"], "epochs must be a whole number like 10, got 'true'"),
        (["tiny", "-p", "epochs", "1:30"], "epochs must be a whole number like 10, got '1:30'"),
        (["tiny", "-p", "lr", "[1]"], "lr must be a number like 0.003, got '[1]'"),
        (["tiny", "-p", "lr", "[1"], "lr must be a number like 0.003, got '[1'"),
        (["tiny", "-p", "widths", "8"], "widths must be a list like [4, 8], got '8'"),
        (["tiny", "-p", "widths", "[8, a]"], "widths must be a list like [4, 8], got '[8, a]'"),
        (["tiny", "-p", "quick", "1"], "quick must be true or false like False, got '1'"),
        (["tiny", "-o", "out.txt"], "-o must name an .ipynb file, got 'out.txt'"),
        (["tiny", "-o", "no/x.ipynb"], "the folder 'no' does not exist"),
        (["tiny", "--results", "no"], "the results folder 'no' does not exist"),
    ],
)
def test_a_mistake_is_one_line_and_writes_nothing(book, monkeypatch, arguments, message):
    monkeypatch.chdir(book)
    before = sorted(book.rglob("*"))
    result = run(*arguments)
    assert (result.exit_code, result.stderr, result.stdout) == (2, f"error: {message}\n", "")
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
    assert execute._parse(text) == value


def test_a_chapter_runs_with_its_parameters(book, monkeypatch):
    monkeypatch.setenv("JUPYTER_PATH", str(book))
    (book / "runs").mkdir()
    output = book / "mine.ipynb"
    result = run(
        *("tiny", "-o", output, "--results", book / "runs"),
        *("-p", "widths", "[12]", "-p", "lr", "1", "-p", "quick", "true", "-p", "name", "1"),
    )
    assert result.exit_code == 0, result.output
    text = printed(output)
    assert f"at {execute.ROOT}\n" in text
    assert f"python {sys.executable}\n" in text
    assert "got [12] 1 10 1 True\n" in text
    assert f"results {book / 'runs'} {book / 'data'}\n" in text
    notebook = nbformat.read(output, as_version=4)
    nbformat.validate(notebook)
    made = notebook.metadata.grokking_companion
    assert made.parameters == {"widths": [12], "lr": 1, "quick": True, "name": "1"}
    assert "papermill" not in notebook.metadata
    assert os.environ["JUPYTER_PATH"] == str(book)
    assert not (book / "chapters").exists()


def test_a_failing_chapter_is_one_message_and_keeps_the_old_output(book):
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
from lib.chapters import execute
from lib.cli.run import command
folder = pathlib.Path(sys.argv[1])
execute.NOTEBOOKS, execute.CHAPTERS = folder / "notebooks", folder / "chapters"
command(["tiny"])
"""


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_an_interrupted_chapter_leaves_nothing(book, how):
    source = f"import os, time\nopen({str(book / 'pid')!r}, 'w').write(str(os.getpid()))\n"
    source += "time.sleep(60)\n"
    (book / "notebooks" / "tiny.py").write_text(TINY + "\n# %%\n" + source)
    process = subprocess.Popen(
        [sys.executable, "-c", SLOW, str(book)],
        cwd=execute.ROOT,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    kernel = wait_for(lambda: (book / "pid").exists() and (book / "pid").read_text())
    process.send_signal(how)
    assert process.wait() != 0
    assert not list(book.rglob("*.ipynb"))
    wait_for(lambda: not alive(int(kernel)))


def alive(pid):
    return psutil.pid_exists(pid) and psutil.Process(pid).status() != psutil.STATUS_ZOMBIE


def wait_for(condition):
    """Waits until a condition holds, a minute at most, and returns its value."""
    for _ in range(600):
        if value := condition():
            return value
        time.sleep(0.1)
    pytest.fail("waited for a minute in vain")


def test_list_shows_the_parameters(book):
    result = run("tiny", "--list")
    assert result.stdout.splitlines()[:2] == ["widths = [4, 8]  # model sizes", "lr = 0.003"]


def test_build_executes_what_has_changed(book, monkeypatch):
    executed = []
    monkeypatch.setattr("lib.chapters.build.table_of_contents", lambda: ["tiny"])
    monkeypatch.setattr("lib.chapters.build._html", lambda: book / "index.html")
    real = execute.execute
    monkeypatch.setattr(
        "lib.chapters.execute.execute",
        lambda name, values, *rest: executed.append(values) or real(name, values, *rest),
    )

    def build(*arguments):
        executed.clear()
        result = CliRunner().invoke(main, ["build", *arguments])
        assert result.exit_code == 0, result.output
        return result.output

    monkeypatch.setenv("GROKKING_RESULTS", str(book / "runs"))
    assert "executing (not there yet)" in build() and executed == [{}]
    last = build()
    assert "tiny: up to date\n" in last and executed == []
    assert last.endswith(f"the book is ready: {book / 'index.html'}\n")
    (book / "runs").mkdir()
    (book / "runs" / "new.parquet").touch()
    assert "executing (changed: the stored runs)" in build()
    assert run("tiny", "-p", "epochs", "11").exit_code == 0
    assert "up to date, with {'epochs': 11}" in build() and executed == []
    (book / "notebooks" / "tiny.py").write_text(TINY + "\n# changed\n")
    assert "changed: its source" in build() and executed == [{"epochs": 11}]
    (book / "notebooks" / "tiny.py").write_text(TINY.replace("epochs", "steps"))
    assert "not there yet" in build() and executed == [{}]
    assert "forced" in build("--force") and executed == [{}]


def test_build_names_a_chapter_without_source(book, monkeypatch):
    monkeypatch.setattr("lib.chapters.build.table_of_contents", lambda: ["gone"])
    result = CliRunner().invoke(main, ["build"])
    assert result.exit_code == 2
    assert result.stderr == "error: unknown chapter 'gone'; known: tiny\n"


def test_every_chapter_is_in_the_book_and_has_parameters():
    assert execute.chapters() == sorted(lib.chapters.build.table_of_contents())
    for name in execute.chapters():
        assert "train_missing" in execute.parameters(name)
