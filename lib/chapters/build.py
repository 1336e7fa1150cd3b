"""Building the book: executes the chapters that need it, then runs Jupyter Book on them."""

import json
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import click
import yaml

from lib.chapters import execute
from lib.chapters.execute import ChapterFailed
from lib.paths import ROOT

HTML = ROOT / "_build" / "html"
_COLOUR = re.compile(r"\x1b\[[0-9;]*m")
_TROUBLE = re.compile(r"WARNING|ERROR|CRITICAL|exception:|^[A-Za-z.]*Error: .")


def build(force: bool = False) -> Path:
    """Executes the chapters that need it, builds the book, returns the path of its index.html.

    A chapter that `run` last wrote with other parameters keeps them; `force` restores the
    defaults and executes everything.

    Raises:
        ChapterError: if _toc.yml names a chapter without a source.
        ChapterFailed: if a chapter fails, or the book has a warning.
    """
    names = table_of_contents()
    for i, name in enumerate(names, 1):
        where = f"[{i}/{len(names)}] {name}:"
        before, now = None if force else made(name), execute.sources(name)
        kept = before["parameters"] if before else {}
        if kept and not kept.keys() <= execute.parameters(name).keys():
            before, kept = None, {}
        note = f", with {kept} of the last run (--force for the defaults)" if kept else ""
        old = before["made_from"] if before else {}
        changed = ", ".join(what for what, digest in now.items() if old.get(what) != digest)
        if before and not changed:
            click.echo(f"{where} up to date{note}")
            continue
        reason = f"changed: {changed}" if before else "forced" if force else "not there yet"
        click.echo(f"{where} executing ({reason}){note}")
        started = time.monotonic()
        execute.execute(name, kept)
        click.echo(f"{where} done in {time.monotonic() - started:.1f} s")
    for name in sorted(set(execute.chapters()) - set(names)):
        click.echo(f"note: notebooks/{name}.py is not in _toc.yml and so not in the book")
    return _html()


def table_of_contents() -> list[str]:
    """The chapters of the book in their order, from _toc.yml."""
    found = []

    def visit(node: Any) -> None:
        if isinstance(node, dict):
            file = node.get("file") or node.get("root") or ""
            if file.startswith("book/chapters/"):
                found.append(Path(file).name.removesuffix(".ipynb"))
            node = node.values()
        if not isinstance(node, str) and isinstance(node, Iterable):
            for child in node:
                visit(child)

    visit(yaml.safe_load((ROOT / "_toc.yml").read_text(encoding="utf-8")))
    return found


def made(chapter: str) -> dict[str, Any] | None:
    """What the executed chapter in the book was made from, or None if there is none."""
    try:
        notebook = json.loads((execute.CHAPTERS / f"{chapter}.ipynb").read_text(encoding="utf-8"))
        return notebook["metadata"]["grokking_companion"]
    except (OSError, ValueError, KeyError):
        return None


def _html() -> Path:
    """Jupyter Book, strict: every warning is an error.  Its full output goes to a log."""
    click.echo("building the HTML")
    started, log = time.monotonic(), HTML.parent / "build.log"
    shutil.rmtree(HTML, ignore_errors=True)  # pages that are gone from the book
    log.parent.mkdir(parents=True, exist_ok=True)
    start = "from jupyter_book.cli.main import main; main()"
    options = ["build", str(ROOT), "--all", "-W", "-n", "--keep-going"]
    with open(log, "w", encoding="utf-8") as file:
        command = [sys.executable, "-c", start, *options]
        code = subprocess.run(command, cwd=ROOT, stdout=file, stderr=subprocess.STDOUT).returncode
    index = HTML / "index.html"
    if code or not index.is_file():
        lines = _COLOUR.sub("", log.read_text(encoding="utf-8", errors="replace")).splitlines()
        listed = "\n".join([line for line in lines if _TROUBLE.search(line)] or lines[-15:])
        where = f"all of its messages: {execute.shown(log)}"
        raise ChapterFailed(f"the book was not built cleanly ({where})\n{listed}")
    click.echo(f"built in {time.monotonic() - started:.1f} s")
    return index
