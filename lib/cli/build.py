"""`build`: the book."""

import click

from lib.chapters.build import build


@click.command()
@click.option("--force", is_flag=True, help="Execute every chapter anew, with its defaults.")
def command(force) -> None:
    """Execute the chapters that changed, then build the book; ends with its path."""
    click.echo(f"the book is ready: {build(force)}")
