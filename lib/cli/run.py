"""`run`: one chapter, with other parameters if asked."""

from pathlib import Path

import click

from lib.chapters.execute import ChapterError, check, execute, parameters, shown


@click.command()
@click.argument("chapter")
@click.option("-p", "given", nargs=2, multiple=True, metavar="NAME VALUE", help="Set a parameter.")
@click.option("-o", "output", type=click.Path(path_type=Path), help="Where to write the notebook.")
@click.option("--results", type=click.Path(path_type=Path), help="Folder of stored runs.")
@click.option("--list", "listing", is_flag=True, help="List the parameters and their defaults.")
def command(chapter, given, output, results, listing) -> None:
    """Execute CHAPTER, with other parameters if asked, into the book (or to -o)."""
    if listing:
        for name, parameter in parameters(chapter).items():
            remark = f"  # {parameter.help}" if parameter.help else ""
            click.echo(f"{name} = {parameter.text}{remark}")
        return
    values = check(chapter, given)
    if output is not None and (output.suffix != ".ipynb" or output.is_dir()):
        raise ChapterError(f"-o must name an .ipynb file, got {str(output)!r}")
    if output is not None and not output.resolve().parent.is_dir():
        raise ChapterError(f"the folder {str(output.parent)!r} does not exist")
    if results is not None and not results.is_dir():
        raise ChapterError(f"the results folder {str(results)!r} does not exist")
    click.echo(f"wrote {shown(execute(chapter, values, output, results))}")
