"""`compact`: merge small files of finished runs into few."""

import click

from lib.cli import options
from lib.runs.store import Store


@click.command()
@options.RESULTS
def command(results):
    """Merge small files of finished runs into few."""
    store = Store(results)
    before = store.files()
    store.compact()
    click.echo(f"{len(before):,} files before, {len(store.files()):,} now, in {store.folder}")
    options.close(store)
