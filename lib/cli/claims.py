"""`claims`: judge the paper's takeaways and sentences."""

import click

from lib.cli import options
from lib.paper.takeaways import judge_all
from lib.paths import ROOT
from lib.runs.machine import cores
from lib.runs.store import Store
from lib.sweeps.plan import estimate, format_duration, makespan


@click.command()
@click.option("--write", is_flag=True, help="Bring the README's table and picture up to date.")
@click.option("--cost/--no-cost", default=True, help="Say what the missing runs cost here.")
@options.MEASURE
@options.RESULTS
def command(write, cost, measure, results) -> None:
    """Judge the paper's takeaways and sentences from the stored runs."""
    store = Store(results)
    verdicts = judge_all(store)
    lacking = {spec for v in verdicts for spec in v.missing}
    rate, known = (None, "")
    if cost and lacking:
        rate, known = options.rate_of(lacking, store, cores(), measure=measure)
    for v in verdicts:
        click.echo(f"{v.claim.name}: {v.verdict}")
        click.echo(f"    the paper   {v.claim.says}")
        click.echo(f"    criterion   {v.claim.criterion}")
        if v.finding:
            click.echo(f"    our runs    {v.finding} ({v.runs:,} runs)")
        if v.missing:
            line = f"    missing     {len(v.missing):,} runs ({v.runs:,} stored)"
            if rate:
                time = makespan(estimate(v.missing, rate, store.runs()), cores())
                line += f", about {format_duration(time)} on {cores()} cores ({known})"
            click.echo(line)
    if write:
        from lib.chapters.report import (  # Matplotlib takes a second
            PICTURE,
            README,
            readme_section,
            with_section,
            write_picture,
        )

        README.write_text(with_section(README.read_text(), readme_section(store)))
        write_picture(store)
        click.echo(f"wrote {README.name} and {PICTURE.relative_to(ROOT)}")
    options.close(store)
