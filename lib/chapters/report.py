"""What the README shows of the claims: the scoreboard and the picture."""

import re

import click

from lib.analysis import dynamics
from lib.analysis.gather import gather
from lib.analysis.zones import boundaries
from lib.chapters.scoreboard import scoreboard
from lib.figures import style, zones
from lib.paper.experiments import EXPERIMENTS
from lib.paper.recipe import DYNAMICS
from lib.paths import ROOT
from lib.runs.store import Store

README = ROOT / "README.md"
PICTURE = ROOT / "book" / "assets" / "figure1.svg"
BEGIN, END = "<!-- claims: written by `python -m lib claims --write` -->", "<!-- claims end -->"


def readme_section(store: Store) -> str:
    """The README's table "what reproduces so far", from the stored runs."""
    return f"{BEGIN}\n{scoreboard(store)}\n{END}"


def write_picture(store: Store) -> None:
    """The README's and the landing page's picture: figure 1 from the stored runs, as SVG."""
    grids, random = (
        gather([spec for name in names for spec in EXPERIMENTS[name]], store=store).whole()
        for names in (("figure3", "figure6"), ("figure4",))
    )
    seen = {key: dynamics.zone(curve) for key, curve in grids.curves.groupby("key")}
    dots = grids.runs.assign(zone=grids.runs["key"].map(seen))
    style.use_style()
    figure = zones.zone_map(boundaries.measure(grids.runs, random.runs), dots, DYNAMICS)
    PICTURE.parent.mkdir(parents=True, exist_ok=True)
    PICTURE.write_text(style.for_all_screens(figure, ground=True), "utf-8")


def with_section(text: str, section: str) -> str:
    """The README's text with its claims section replaced.

    Raises:
        click.ClickException: if the text has no such section.
    """
    pattern = re.compile(re.escape(BEGIN) + ".*?" + re.escape(END), re.DOTALL)
    if not pattern.search(text):
        raise click.ClickException("README.md has no claims section")
    return pattern.sub(lambda _: section, text)
