"""Executing chapters with Papermill.

A chapter is `notebooks/NAME.py` (Jupytext, percent format) with one cell tagged `parameters`.
Executed, it becomes `book/chapters/NAME.ipynb`, which the book renders (`lib.chapters.build`).  The
executed notebook remembers what it was made from, so that a build repeats only what changed.
"""

import ast
import hashlib
import json
import os
import sys
import tempfile
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import click
import jupytext
import nbformat
import papermill
import yaml
from nbclient.exceptions import DeadKernelError
from papermill.exceptions import PapermillExecutionError

from lib.errors import UserError
from lib.paths import ROOT, default_results

NOTEBOOKS = ROOT / "notebooks"
CHAPTERS = ROOT / "book" / "chapters"
KERNEL = {"name": "python3", "display_name": "Python 3", "language": "python"}


class ChapterError(UserError):
    """A request that cannot be carried out: nothing is written."""


class ChapterFailed(click.ClickException):
    """A chapter or the book that did not come through: one message, exit code 1."""


class Parameter(NamedTuple):
    """A parameter of a chapter: its default as a value (or `...` if that is an expression)."""

    default: Any
    text: str
    help: str


def chapters() -> list[str]:
    """The names of all chapters that have a source."""
    return sorted(path.stem for path in NOTEBOOKS.glob("*.py"))


def read(chapter: str) -> nbformat.NotebookNode:
    """The source of a chapter as a notebook without outputs.

    Raises:
        ChapterError: if there is no such chapter, or its source cannot be read.
    """
    if chapter not in (known := chapters()):
        raise ChapterError(f"unknown chapter {chapter!r}; known: {', '.join(known) or 'none'}")
    try:
        notebook = jupytext.read(NOTEBOOKS / f"{chapter}.py", fmt="py:percent")
    except Exception as error:  # whatever Jupytext makes of a broken file
        raise ChapterError(f"notebooks/{chapter}.py cannot be read: {_line(error)}") from error
    notebook.metadata.kernelspec = KERNEL
    return notebook


def parameters(chapter: str) -> dict[str, Parameter]:
    """The parameters of a chapter by name, in the order of its cell tagged `parameters`."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "chapter.ipynb"
        nbformat.write(read(chapter), path)
        found = papermill.inspect_notebook(path)
    known = {}
    for name, entry in found.items():
        try:
            default = ast.literal_eval(entry["default"])
        except (ValueError, SyntaxError):  # an expression: any value will do
            default = ...
        known[name] = Parameter(default, entry["default"], entry["help"])
    return known


def check(chapter: str, given: Iterable[tuple[str, str]]) -> dict[str, Any]:
    """Turns (name, text) pairs into values of the types that a chapter's defaults have.

    Raises:
        ChapterError: if a name is unknown or a value has the wrong type.
    """
    known, values = parameters(chapter), {}
    for name, text in given:
        if name not in known:
            listed = ", ".join(f"{n} = {p.text}" for n, p in known.items()) or "none"
            raise ChapterError(f"unknown parameter {name!r} of {chapter}; known: {listed}")
        default = known[name].default
        value = text if isinstance(default, str) else _parse(text)
        if not _fits(value, default):
            raise ChapterError(f"{name} must be {_wanted(default)}, got {text!r}")
        values[name] = value
    return values


def _parse(text: str) -> Any:
    """A value from the command line: a Python literal, or else YAML (`true`, `[a, b]`)."""
    try:
        return ast.literal_eval(text)
    except (ValueError, SyntaxError, MemoryError, RecursionError):
        pass
    try:
        return text if ":" in text else yaml.safe_load(text)  # YAML reads 1:30 as 90
    except yaml.YAMLError:
        return text


def _fits(value: Any, default: Any) -> bool:
    """Whether a value has the type of a default; lists are compared by their first element."""
    if default is None or default is ...:
        return True
    if isinstance(value, bool) or isinstance(default, bool):
        return isinstance(value, bool) and isinstance(default, bool)
    if isinstance(default, (list, tuple)):
        first = default[0] if default else ...
        return isinstance(value, (list, tuple)) and all(_fits(item, first) for item in value)
    if isinstance(default, float):
        return isinstance(value, (int, float))
    return isinstance(value, type(default))


def _wanted(default: Any) -> str:
    """What a value must be, in words, from the default."""
    if isinstance(default, (list, tuple)):
        return f"a list like {list(default)}"
    words = {bool: "true or false", int: "a whole number", float: "a number"}
    return f"{words.get(type(default), type(default).__name__)} like {default}"


def execute(
    chapter: str,
    values: dict[str, Any] | None = None,
    output: Path | None = None,
    results: Path | None = None,
) -> Path:
    """Executes a chapter in a fresh kernel of this interpreter; returns the path written.

    The kernel starts at the project's root.  It finds the stored runs in `GROKKING_RESULTS`
    and the folder for a chapter's data files, `data` beside the output, in `GROKKING_DATA`.
    The output appears whole or not at all.

    Raises:
        ChapterError: if there is no such chapter.
        ChapterFailed: if a cell raises, or the kernel dies.
    """
    output = (output or CHAPTERS / f"{chapter}.ipynb").resolve()
    notebook, made_from, started = read(chapter), sources(chapter, results), time.monotonic()
    environment = {
        "GROKKING_DATA": str(output.parent / "data"),
        "GROKKING_RESULTS": str((results or default_results()).resolve()),
    }
    with tempfile.TemporaryDirectory() as folder, _kernel(Path(folder), environment):
        source, executed = Path(folder) / "source.ipynb", Path(folder) / "executed.ipynb"
        nbformat.write(notebook, source)
        try:
            papermill.execute_notebook(
                source,
                executed,
                parameters=values,
                kernel_name=KERNEL["name"],
                cwd=ROOT,
                progress_bar=False,
                stderr_file=sys.stderr,  # a chapter's own progress bars
            )
        except PapermillExecutionError as error:
            what = f"{error.ename}: {_line(error.evalue)}"
            raise ChapterFailed(f"{chapter} failed in cell [{error.exec_count}]: {what}") from error
        except DeadKernelError as error:
            raise ChapterFailed(f"the kernel of {chapter} died (out of memory?)") from error
        notebook = nbformat.read(executed, as_version=4)
    notebook.metadata.pop("papermill", None)  # it names folders of this machine
    notebook.metadata.kernelspec = KERNEL
    notebook.metadata["grokking_companion"] = {
        "parameters": values or {},
        "made_from": made_from,
        "seconds": round(time.monotonic() - started, 1),
    }
    _write(output, nbformat.writes(notebook) + "\n")
    return output


@contextmanager
def _kernel(folder: Path, environment: dict[str, str]) -> Iterator[None]:
    """Makes "python3" mean this interpreter, whatever kernels are installed on the machine."""
    path = os.pathsep.join([str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])])
    own = {"IPYTHONDIR": str(folder / "ipython"), "PYTHONPATH": path}  # no one's start-up files
    spec = {
        "argv": [sys.executable, "-m", "ipykernel_launcher", "-f", "{connection_file}"]
        + ["--log-level=ERROR"],
        "display_name": KERNEL["display_name"],
        "language": KERNEL["language"],
        "env": {name: value.replace("$", "$$") for name, value in (own | environment).items()},
    }
    place = folder / "jupyter" / "kernels" / KERNEL["name"]
    place.mkdir(parents=True)
    (place / "kernel.json").write_text(json.dumps(spec))
    before = os.environ.get("JUPYTER_PATH", "")
    os.environ["JUPYTER_PATH"] = str(folder / "jupyter") + os.pathsep + before
    try:
        yield
    finally:
        os.environ["JUPYTER_PATH"] = before


def _write(path: Path, text: str) -> None:
    """Writes a file whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        with open(part, "w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        os.replace(part, path)
    finally:
        part.unlink(missing_ok=True)


def sources(chapter: str, results: Path | None = None) -> dict[str, str]:
    """Hashes of everything that a chapter is made from, by what a reader would call it."""
    results = results or default_results()
    library = [p for p in (ROOT / "lib").rglob("*") if p.is_file() and "__pycache__" not in p.parts]
    runs = sorted(p.relative_to(results).as_posix() for p in results.rglob("*.parquet"))
    return {
        "its source": _hash(NOTEBOOKS / f"{chapter}.py"),
        "the library": _hash(*sorted(library)),
        "the list of packages": _hash(ROOT / "requirements.txt"),
        "the stored runs": hashlib.sha256("\n".join(runs).encode()).hexdigest()[:20],
    }


def _hash(*paths: Path) -> str:
    total = hashlib.sha256()
    for path in paths:
        content = path.read_bytes() if path.is_file() else b""
        total.update(f"{path.name}\0{len(content)}\0".encode() + content)
    return total.hexdigest()[:20]


def _line(text: object) -> str:
    """The first line of a message."""
    return (str(text).strip().splitlines() or [""])[0]


def shown(path: Path) -> str:
    """A path as a user would type it, relative to the working folder where that is shorter."""
    return min(os.path.relpath(path), str(path), key=len)
