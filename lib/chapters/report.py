"""The claims as tables: on the terminal, in the book, in the README."""

import re
from pathlib import Path

import click

from lib.chapters.scoreboard import scoreboard
from lib.figures import accuracy, style
from lib.paper.claims import Verdict
from lib.paper.experiments import EXPERIMENTS, SIZES_3, WIDTHS_3
from lib.paths import ROOT
from lib.runs.store import Store
from lib.spec import Grid

README = ROOT / "README.md"
PICTURE = ROOT / "book" / "assets" / "figure3.svg"
BEGIN, END = "<!-- claims: written by `python -m lib claims --write` -->", "<!-- claims end -->"


def claims_table(verdicts: list[Verdict]) -> str:
    """All claims in Markdown: what the paper says, what we found, on how many runs."""
    lines = ["| | The paper says | Our runs | Runs | Verdict |", "|:--|:--|:--|--:|:--|"]
    for v in verdicts:
        found = str(v.finding) if v.finding else f"{len(v.missing):,} runs missing"
        lines.append(f"| {v.claim.name} | {v.claim.says} | {found} | {v.runs:,} | {v.verdict} |")
    return "\n".join(lines)


def progress_table(grids: dict[str, Grid], keys: set[str]) -> str:
    """Runs stored of each experiment, in Markdown."""
    lines = ["| Experiment | Runs stored | Complete seeds |", "|:--|--:|--:|"]
    for grid in grids.values():
        by_seed = [sum(s.key in keys for s in grid.specs([n])) for n in grid.seed_range]
        whole = sum(n == len(grid.points()) for n in by_seed)
        lines.append(
            f"| {grid.title} | {sum(by_seed):,} of {len(grid):,} | {whole} of {grid.seeds} |"
        )
    return "\n".join(lines)


def readme_section(store: Store) -> str:
    """The README's table "what reproduces so far", from the stored runs."""
    return f"{BEGIN}\n{scoreboard(store)}\n{END}"


def write_picture(store: Store, path: Path = PICTURE) -> None:
    """The README's and the landing page's picture: figure 3 from the stored runs, as SVG."""
    grid = EXPERIMENTS["figure3"]
    keys = {spec.key for spec in grid}
    runs = store.runs()
    style.use_style()
    figure = accuracy.accuracy_grid(runs[runs["key"].isin(keys)], WIDTHS_3, SIZES_3)
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, metadata={"Date": None})


def with_section(text: str, section: str) -> str:
    """The README's text with its claims section replaced.

    Raises:
        click.ClickException: if the text has no such section.
    """
    pattern = re.compile(re.escape(BEGIN) + ".*?" + re.escape(END), re.DOTALL)
    if not pattern.search(text):
        raise click.ClickException("README.md has no claims section")
    return pattern.sub(lambda _: section, text)
