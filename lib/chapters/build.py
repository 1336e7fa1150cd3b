"""Building the book: executes the chapters that need it, then runs Jupyter Book on them."""

import contextlib
import json
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click
from filelock import FileLock, Timeout

from lib.chapters import execute
from lib.chapters.execute import ChapterFailed
from lib.chapters.parameters import ChapterError, chapters, parameters
from lib.paths import ROOT

BUILD = ROOT / "_build"
_COLOUR = re.compile(r"\x1b\[[0-9;]*m")
_TROUBLE = re.compile(r"WARNING|ERROR|CRITICAL|exception:|^[A-Za-z.]*Error: .")


def build(force: bool = False) -> Path:
    """Executes the chapters that need it, builds the book, returns the path of its index.html.

    A chapter that `run` last wrote with other parameters keeps them; `force` restores the
    defaults and executes everything.  The book that was there stays until the new one is whole.

    Raises:
        ChapterError: if _toc.yml names a chapter without a source, or another build is at work.
        ChapterFailed: if a chapter fails, or the book has a warning.
    """
    with alone():
        names = table_of_contents()
        for i, name in enumerate(names, 1):
            _chapter(name, f"[{i}/{len(names)}] {name}:", force)
        for name in sorted(set(chapters()) - set(names)):
            click.echo(f"note: notebooks/{name}.py is not in _toc.yml and so not in the book")
        return _html()


@contextlib.contextmanager
def alone() -> Iterator[None]:
    """One build, or one chapter of the book, at a time; the system drops the lock at the end."""
    BUILD.mkdir(exist_ok=True)
    try:
        with FileLock(BUILD / ".lock", blocking=False, fallback_to_soft=False):
            yield
    except Timeout as error:
        raise ChapterError("another build of this book is at work; wait for it to end") from error
    except KeyboardInterrupt as error:
        interrupted = ChapterFailed("interrupted; the book that was there is as it was")
        interrupted.exit_code = 130
        raise interrupted from error


def _chapter(name: str, where: str, force: bool) -> None:
    """Execute one chapter, if anything that it is made from has changed."""
    before, now = None if force else made(name), execute.sources(name)
    kept = before["parameters"] if before else {}
    if kept and not kept.keys() <= parameters(name).keys():
        before, kept = None, {}
    note = f", with {kept} of the last run (--force for the defaults)" if kept else ""
    old = before["made_from"] if before else {}
    changed = [what for what, digest in now.items() if old.get(what) != digest]
    if before and not execute.tables_there(before):
        changed.append("its tables")
    if before and not changed:
        click.echo(f"{where} up to date{note}")
        return
    reason = f"changed: {', '.join(changed)}" if before else "forced" if force else "the first time"
    click.echo(f"{where} executing ({reason}){note}")
    started = time.monotonic()
    written = execute.execute(name, kept)
    click.echo(
        f"{where} done in {time.monotonic() - started:.1f} s, "
        f"wrote {', '.join(map(execute.shown, written))}"
    )


def table_of_contents() -> list[str]:
    """The chapters of the book in their order, from _toc.yml."""
    text = (ROOT / "_toc.yml").read_text(encoding="utf-8")
    return re.findall(r"^ *- file: book/chapters/([\w-]+)", text, re.MULTILINE)


def made(chapter: str) -> dict[str, Any] | None:
    """What the executed chapter in the book was made from, or None if there is none."""
    try:
        notebook = json.loads((execute.CHAPTERS / f"{chapter}.ipynb").read_text(encoding="utf-8"))
        return notebook["metadata"]["grokking_companion"]
    except (OSError, ValueError, KeyError, TypeError):  # or JSON of another kind
        return None


def _html() -> Path:
    """Jupyter Book, strict: every warning is an error.  Its full output goes to a log.

    Built beside the book that is there, which it replaces when it is whole.
    """
    click.echo("building the HTML")
    started, log, beside = time.monotonic(), BUILD / "build.log", BUILD / "next"
    shutil.rmtree(beside, ignore_errors=True)  # of a build that was killed
    start = "from jupyter_book.cli.main import main; main()"
    options = ["build", str(ROOT), "--path-output", str(beside), "--all", "-W", "-n"]
    command = [sys.executable, "-c", start, *options, "--keep-going"]
    try:
        with open(log, "w", encoding="utf-8") as file:
            code = subprocess.run(command, cwd=ROOT, stdout=file, stderr=file).returncode
        html, new = BUILD / "html", beside / "_build" / "html"
        whole = not code and (new / "index.html").is_file()
        if whole:
            if html.exists():
                html.rename(beside / "old")
            new.rename(html)
    finally:
        shutil.rmtree(beside, ignore_errors=True)
    if not whole:
        lines = _COLOUR.sub("", log.read_text(encoding="utf-8", errors="replace")).splitlines()
        listed = "\n".join([line for line in lines if _TROUBLE.search(line)] or lines[-15:])
        where = f"all of its messages: {execute.shown(log)}"
        raise ChapterFailed(f"the book was not built cleanly ({where})\n{listed}")
    click.echo(f"built in {time.monotonic() - started:.1f} s")
    return html / "index.html"
