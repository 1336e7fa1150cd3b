"""`claims`: judge the paper's takeaways and sentences."""

import contextlib
import hashlib
import os
from pathlib import Path

import click

from lib.cli import options
from lib.paths import ROOT
from lib.runs.files import forgotten, keep
from lib.runs.machine import cores, cpu_model
from lib.runs.store import Store
from lib.sweeps.plan import costs_of, format_duration, makespan


@click.command()
@click.option("--write", is_flag=True, help="Bring the README's table and picture up to date.")
@click.option("--cost/--no-cost", default=True, help="Say what the missing runs cost here.")
@options.MEASURE
@options.RESULTS_TO_READ
def command(write, cost, measure, results) -> None:
    """Judge the paper's takeaways and sentences from the stored runs."""
    if measure and not cost:
        raise click.UsageError("--measure is for the cost, which --no-cost leaves out")
    store = Store(results)
    if write:
        store.runs()
        if store.broken or not store.keys():
            raise click.UsageError("--write needs a whole store; nothing was written")
    kept, text = _kept(store, cost), None
    with contextlib.suppress(OSError, ValueError):  # none yet, someone else's, damaged
        text = None if measure else kept.read_text("utf-8")
    if text is None:
        text = "\n".join(_judged(store, cost, measure))
        if not (measure or store.broken):
            keep(kept, text.encode(), store.cache)
            with contextlib.suppress(OSError):
                for old in filter(forgotten, kept.parent.glob("*.txt")):
                    old.unlink()
    click.echo(text)
    if write:
        from lib.chapters import report  # Matplotlib takes a second

        click.echo(report.write(store))
    options.close(store)


def _kept(store: Store, cost: bool, sources: Path = ROOT / "lib") -> Path:
    """Where the answer is kept, by all that it hangs on: code, runs, this machine's speed."""
    digest = hashlib.sha256(os.fsencode(f"{cost} {cores()} {cpu_model()} {store.folder}"))
    for path in sorted(sources.rglob("*.py")):
        digest.update(path.read_bytes())
    for path in sorted(map(store.path, store.files())):
        with contextlib.suppress(FileNotFoundError):  # compacted away meanwhile
            found = path.stat()  # a file is named by its content; a damaged one has another time
            digest.update(os.fsencode(f"{path.name} {found.st_size} {found.st_mtime_ns}"))
    with contextlib.suppress(OSError):  # none yet, or a cache of someone else's
        digest.update((store.cache / "speed.json").read_bytes())
    return store.cache / "claims" / f"{digest.hexdigest()[:20]}.txt"


def _judged(store: Store, cost: bool, measure: bool):
    """The lines that say what every claim comes to."""
    from lib.paper.takeaways import judge_all  # with scipy's tests seconds; a kept answer has none

    verdicts = judge_all(store)
    lacking = {spec for v in verdicts for spec in v.missing}
    rate, known = (None, "")
    if cost and lacking:
        rate, known = options.rate_of(lacking, store, cores(), measure=measure)
    if not store.keys():  # as where GROKKING_RESULTS is misspelt
        yield "no run is stored there (--results, GROKKING_RESULTS)"
    for v in verdicts:
        yield f"{v.claim.name}: {v.verdict}"
        yield f"    the paper   {v.claim.says}"
        yield f"    criterion   {v.claim.criterion}"
        if v.finding:
            yield f"    our runs    {v.finding} ({v.runs:,} runs)"
        if v.missing:
            line = f"    missing     {len(v.missing):,} runs ({v.runs:,} stored)"
            if rate:
                time = makespan(costs_of(v.missing, rate, store).values(), cores())
                line += f", about {format_duration(time)} on {cores()} cores ({known})"
            yield line
