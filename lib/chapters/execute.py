"""Executing chapters with Papermill.

A chapter is `notebooks/NAME.py` (Jupytext, percent format) with one cell tagged `parameters`.
Executed, it becomes `book/chapters/NAME.ipynb`, which the book renders (`lib.chapters.build`).  The
executed notebook remembers what it was made from, so that a build repeats only what changed.
"""

import hashlib
import importlib.util
import json
import logging
import os
import re
import shutil
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import click

from lib.chapters.parameters import ChapterError, source
from lib.chapters.plain import make_plain
from lib.circuits.measures import Measured
from lib.paths import ROOT, default_cache, default_results
from lib.runs.files import forgotten, publish
from lib.runs.store import Store

if TYPE_CHECKING:  # jupytext, nbformat and papermill take seconds: only where a chapter is read
    from nbformat import NotebookNode

CHAPTERS = ROOT / "book" / "chapters"
KERNEL = {"name": "python3", "display_name": "Python 3", "language": "python"}


class ChapterFailed(click.ClickException):
    """A chapter or the book that did not come through: one message, exit code 1."""


def read(chapter: str) -> "NotebookNode":
    """The source of a chapter as a notebook without outputs, paired with no file.

    Raises:
        ChapterError: if there is no such chapter, or its source cannot be read.
    """
    import jupytext

    path = source(chapter)
    try:
        notebook = jupytext.reads(path.read_text(encoding="utf-8-sig"), fmt="py:percent")
    except Exception as error:  # whatever Jupytext makes of a broken file
        raise ChapterError(f"notebooks/{path.name} cannot be read: {_line(error)}") from error
    notebook.metadata.pop("jupytext", None)
    notebook.metadata.kernelspec = KERNEL
    return notebook


def execute(
    chapter: str,
    values: dict[str, Any] | None = None,
    output: Path | None = None,
    results: Path | None = None,
) -> list[Path]:
    """Executes a chapter in a fresh kernel of this interpreter; returns the files written.

    The kernel starts at the project's root.  It finds the stored runs in `GROKKING_RESULTS`
    and a folder for the chapter's tables in `GROKKING_DATA`.  These go to `data` beside the
    book's chapters, and to `NAME-data` beside another output NAME.ipynb.  The output appears
    whole or not at all, and its tables with it.

    Returns:
        The notebook, then its tables.

    Raises:
        ChapterError: if there is no such chapter, or a file lies where its tables go.
        ChapterFailed: if a cell raises, or the kernel dies.
        OSError: if the output's folder cannot be written, before anything is executed.
    """
    output = (output or CHAPTERS / f"{chapter}.ipynb").resolve()
    own = "data" if output.parent == CHAPTERS.resolve() else f"{output.stem}-data"
    data = output.parent / own
    notebook, made_from, started = read(chapter), sources(chapter, results), time.monotonic()
    output.parent.mkdir(parents=True, exist_ok=True)
    if data.exists() and not data.is_dir():
        raise ChapterError(f"the tables go to {shown(data)}, and that is no folder")
    for left in output.parent.glob(f"{_beside(output)}*"):  # by a kernel that was killed
        if left.is_dir() and forgotten(left):
            shutil.rmtree(left, ignore_errors=True)
    with tempfile.TemporaryDirectory(dir=output.parent, prefix=_beside(output)) as folder:
        environment = {
            "GROKKING_CACHE": str(default_cache().resolve()),
            "GROKKING_DATA": folder,
            "GROKKING_RESULTS": str((results or default_results()).resolve()),
        }
        notebook = _run(chapter, notebook, values, environment)
        tables = sorted(path for path in Path(folder).rglob("*") if path.is_file())
        notebook.metadata["grokking_companion"] = {
            "parameters": values or {},
            "made_from": made_from,
            "tables": {f"{data.name}/{path.name}": _hash(path) for path in tables},
            "seconds": round(time.monotonic() - started, 1),
        }
        _publish(chapter, notebook, output, tables, data)
    return [output, *(data / path.name for path in tables)]


def _beside(output: Path) -> str:
    """How temporary folders of an output begin, and nobody else's: what is left is swept up."""
    return f".grokking-{_digest(output.name)[:8]}-"


def _publish(
    chapter: str, notebook: "NotebookNode", output: Path, tables: list[Path], data: Path
) -> None:
    """Write an executed chapter and its tables; its links follow where these go.

    The tables lie in a folder beside the output, where the notebook is written first: a disk
    that is full changes nothing of what was there.
    """
    import nbformat

    if output.parent != CHAPTERS.resolve():
        make_plain(notebook, chapter)
    notebook.metadata.pop("papermill", None)  # it names folders of this machine
    notebook.metadata.kernelspec = KERNEL
    text = nbformat.writes(notebook) + "\n"
    for path in tables:
        place = f"{data.name}/{path.name}"
        link, place = quote(place), json.dumps(place, ensure_ascii=False)[1:-1]
        old = rf"(?<![\w-])data/{re.escape(path.name)}\b"
        text = re.sub(rf"(?<=\]\(){old}", lambda _, link=link: link, text)
        text = re.sub(rf"(?<!\]\(){old}", lambda _, place=place: place, text)
    if output.parent != CHAPTERS.resolve():
        origin = os.path.relpath(source(chapter), output.parent)
        for old, new in (
            (f"{chapter}.ipynb", output.name),
            (f"../../notebooks/{chapter}.py", origin),
        ):
            text = text.replace(f"]({old})", f"]({quote(new)})")
    with tempfile.TemporaryDirectory(dir=output.parent, prefix=_beside(output)) as folder:
        whole = Path(folder) / output.name
        publish(whole, text.encode())
        for path in tables:
            data.mkdir(exist_ok=True)
            shutil.move(path, data / path.name)
        os.replace(whole, output)


def _run(chapter: str, notebook: "NotebookNode", values: dict | None, environment: dict):
    """The notebook, executed."""
    import nbformat
    import papermill
    from nbclient.exceptions import DeadKernelError
    from papermill.exceptions import PapermillExecutionError

    with tempfile.TemporaryDirectory() as folder, _kernel(Path(folder), environment):
        before, after = Path(folder) / "source.ipynb", Path(folder) / "executed.ipynb"
        nbformat.write(notebook, before)
        try:
            how = dict(kernel_name=KERNEL["name"], cwd=ROOT, progress_bar=False)
            how["stderr_file"] = sys.stderr  # a chapter's own progress bars
            papermill.execute_notebook(before, after, values, **how)
        except PapermillExecutionError as error:
            what = f"{error.ename}: {_line(error.evalue)}"
            raise ChapterFailed(f"{chapter} failed in cell [{error.exec_count}]: {what}") from error
        except DeadKernelError as error:
            raise ChapterFailed(f"the kernel of {chapter} died (out of memory?)") from error
        except RuntimeError as error:
            raise ChapterFailed(f"the kernel of {chapter} did not start: {_line(error)}") from error
        except KeyboardInterrupt:  # what Papermill leaves behind would say so again, at length
            logging.getLogger("asyncio").setLevel(logging.CRITICAL)
            raise
        return nbformat.read(after, as_version=4)


@contextmanager
def _kernel(folder: Path, environment: dict[str, str]) -> Iterator[None]:
    """Makes "python3" mean this interpreter, whatever kernels are installed on the machine."""
    path = os.pathsep.join([str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])])
    own = {"IPYTHONDIR": str(folder / "ipython"), "PYTHONPATH": path}  # no one's start-up files
    matplotlib = Path(importlib.util.find_spec("matplotlib").origin).parent
    own |= {  # and no one's settings of figures and warnings
        "MATPLOTLIBRC": str(matplotlib / "mpl-data" / "matplotlibrc"),
        "MPLBACKEND": "module://matplotlib_inline.backend_inline",
        "PYTHONWARNINGS": "",
    }
    spec = {
        "argv": [sys.executable, "-m", "ipykernel_launcher", "-f", "{connection_file}"]
        + ["--log-level=CRITICAL"],  # it is interrupted at its end, which is no error
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


def sources(chapter: str, results: Path | None = None) -> dict[str, str]:
    """Hashes of everything that a chapter is made from, by what a reader would call it."""
    every = sorted((ROOT / "lib").rglob("*"))
    library = [p for p in every if p.is_file() and "__pycache__" not in p.parts]
    cells = [(cell.cell_type, cell.source, cell.metadata) for cell in read(chapter).cells]
    stores = Store(results), Measured(Store(results))
    # A file is named by its content; one that was still being copied has another length.
    files = ((name, s.path(name)) for s in stores for name in s.files())
    sizes = sorted(f"{name} {path.stat().st_size}" for name, path in files if path.exists())
    for _, _, metadata in cells:
        metadata.pop("lines_to_next_cell", None)  # of the form of the file
    return {
        "its source": _digest(json.dumps(cells, sort_keys=True)),  # not how it is written
        "the library": _digest("\n".join(f"{p.relative_to(ROOT)} {_hash(p)}" for p in library)),
        "the list of packages": _hash(ROOT / "requirements.txt"),
        "the stored runs": _digest("\n".join(sizes)),
    }


def tables_there(made: dict[str, Any]) -> bool:
    """Whether the tables that an executed chapter of the book offers are there, unchanged."""
    return all(_hash(CHAPTERS / n) == digest for n, digest in made.get("tables", {}).items())


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:20]


def _hash(path: Path) -> str:
    content = path.read_bytes() if path.is_file() else b""
    return hashlib.sha256(f"{path.name}\0{len(content)}\0".encode() + content).hexdigest()[:20]


def _line(text: object) -> str:
    """The first line of a message."""
    return (str(text).strip().splitlines() or [""])[0]


def shown(path: Path) -> str:
    """A path as a user would type it, relative to the working folder where that is shorter."""
    return min(os.path.relpath(path), str(path), key=len)
