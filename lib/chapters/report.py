"""What the README shows of the claims: the score, the scoreboard and the picture."""

import re

import click

from lib.analysis import dynamics
from lib.analysis.gather import gather
from lib.analysis.zones import boundaries
from lib.chapters.scoreboard import score, scoreboard
from lib.figures import style, zones
from lib.paper.experiments import EXPERIMENTS
from lib.paper.recipe import DYNAMICS
from lib.paths import ROOT
from lib.runs.files import publish
from lib.runs.store import Store

README = ROOT / "README.md"
PICTURE = ROOT / "book" / "assets" / "figure1.svg"
SECTION = "<!-- {0}: written by `python -m lib claims --write` -->", "<!-- {0} end -->"
"""What stands before and after a part of the README that is written here."""


def write(store: Store) -> str:
    """Brings the README's parts and the picture up to date, and says what was written."""
    text = with_section(README.read_text("utf-8"), "score", headline(store))
    publish(README, with_section(text, "claims", scoreboard(store)).encode())
    _write_picture(store)
    return f"wrote {README.name} and {PICTURE.relative_to(ROOT)}"


def _write_picture(store: Store) -> None:
    """The README's and the landing page's picture: figure 1 from the stored runs, as SVG."""
    grids, random = (
        gather([spec for name in names for spec in EXPERIMENTS[name]], store=store).whole()
        for names in (("figure3", "figure6"), ("figure4",))
    )
    seen = {key: dynamics.zone(curve) for key, curve in grids.curves.groupby("key")}
    dots = grids.runs.assign(zone=grids.runs["key"].map(seen))
    style.use_style()
    figure = zones.zone_map(boundaries.measure(grids.runs, random.runs), dots, DYNAMICS)
    publish(PICTURE, style.for_all_screens(figure, ground=True).encode())


def headline(store: Store) -> str:
    """What came of it, for who reads no further."""
    return f"**The paper's eight takeaways, in our runs so far: {score(store)}.**"


def with_section(text: str, name: str, told: str) -> str:
    """The README's text with one of its written parts replaced.

    Raises:
        click.ClickException: if the text has no place for it.
    """
    begin, end = (mark.format(name) for mark in SECTION)
    pattern = re.compile(re.escape(begin) + ".*?" + re.escape(end), re.DOTALL)
    if not pattern.search(text):
        raise click.ClickException(f"README.md has no {name} section")
    return pattern.sub(lambda _: f"{begin}\n{told}\n{end}", text)
