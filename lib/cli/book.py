"""`run` and `build`: one chapter, and the book."""

import contextlib
from pathlib import Path

import click

from lib.chapters import execute
from lib.chapters.parameters import ChapterError, check, parameters
from lib.cli import options


@click.command()
@click.argument("chapter")
@click.option("-p", "given", nargs=2, multiple=True, metavar="NAME VALUE", help="Set a parameter.")
@click.option("-o", "output", type=click.Path(path_type=Path), help="Where to write the notebook.")
@options.RESULTS
@click.option("--list", "listing", is_flag=True, help="List the parameters and their defaults.")
def run(chapter, given, output, results, listing) -> None:
    """Execute CHAPTER, with other parameters if asked, into the book (or to -o)."""
    if listing:
        if given or output or results:
            raise click.UsageError("--list only lists: no -p, -o or --results with it")
        for name, parameter in parameters(chapter).items():
            remark = f"  # {parameter.help}" if parameter.help else ""
            click.echo(f"{name} = {parameter.text}{remark}")
        return
    values = check(chapter, given)
    if output is not None:
        _check_output(output)
    if results is not None and not results.is_dir():
        raise ChapterError(f"the results folder {str(results)!r} does not exist")
    if output is None:
        from lib.chapters.build import alone
    else:
        alone = contextlib.nullcontext
    with alone():
        written = execute.execute(chapter, values, output, results)
    for path in written:
        click.echo(f"wrote {execute.shown(path)}")


def _check_output(output: Path) -> None:
    if output.suffix != ".ipynb" or output.is_dir():
        raise ChapterError(f"-o must name an .ipynb file, got {str(output)!r}")
    folder = output.resolve().parent
    if not folder.is_dir():
        raise ChapterError(f"the folder {str(output.parent)!r} does not exist")
    if folder == execute.CHAPTERS.resolve():
        raise ChapterError("the book's chapters are written without -o")


@click.command()
@click.option("--force", is_flag=True, help="Execute every chapter anew, with its defaults.")
def build(force) -> None:
    """Execute the chapters that changed, then build the book; ends with its path."""
    from lib.chapters.build import build as build_book

    click.echo(f"the book is ready: {build_book(force)}")
