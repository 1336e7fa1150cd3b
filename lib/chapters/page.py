"""What every chapter does: ask for runs, say where they come from, leave data, end.

A chapter makes one `Page` from its parameters and asks it for everything; it never trains by
hand, and never judges by hand.
"""

import itertools
from collections.abc import Iterable

import pandas as pd
from IPython.display import Markdown

from lib.analysis.gather import Gathered, gather
from lib.chapters.export import OF_A_RUN, commands, export
from lib.chapters.scoreboard import opening
from lib.chapters.tables import claims_table, cost, table
from lib.figures.stated import panel_words
from lib.figures.style import use_style
from lib.paper.experiments import EXPERIMENTS
from lib.paper.takeaways import judge_named
from lib.runs.store import Store
from lib.spec import RunSpec

INTERVALS = (
    "In square brackets: 95% intervals. Where a claim rests on several numbers, each interval is "
    "widened so that all of them together hold in 95% of cases; elsewhere in the book the same "
    "number may have a narrower one. A number is met where its whole interval lies in the range, "
    "not met where it lies outside, open between. "
    "Criteria: [](verdicts.ipynb). Verdicts are on the runs that these name, whatever this page "
    "was run with."
)
"""Under a table of claims."""


class Page:
    """One chapter.

    Args:
        chapter: the notebook's name.
        train: train the runs that the store lacks, after an estimate.
        recipe: fields of every spec, from the chapter's parameters.
    """

    def __init__(self, chapter: str, train: bool = False, **recipe):
        self.chapter, self.train, self.recipe = chapter, train, recipe
        self.store = Store()
        self._runs: list[pd.DataFrame] = []
        self._files: dict[str, str] = {}
        use_style()

    def specs(self, experiment: str, **fields) -> list[RunSpec]:
        """An experiment's runs under the chapter's recipe; a list of values asks for each of them.

        Of the experiment only its base counts: its cells are the chapter's to choose.
        """
        base = EXPERIMENTS[experiment].base
        axes = {n: v for n, v in fields.items() if isinstance(v, (list, tuple, range))}
        base = base.replace(**self.recipe | {n: v for n, v in fields.items() if n not in axes})
        seeds = axes.pop("seed", [base.seed])
        points = [dict(zip(axes, values)) for values in itertools.product(*axes.values())]
        return [base.replace(**point).with_seed(seed) for seed in seeds for point in points]

    def cells(self, *experiments: str, seeds=None, **changes) -> list[RunSpec]:
        """Every cell of some experiments under the chapter's recipe, with changes of fields."""
        every = (s for name in experiments for s in EXPERIMENTS[name].specs(seeds))
        return [s.replace(**self.recipe | changes) for s in every]

    def gather(self, specs: Iterable[RunSpec], train: bool | None = None) -> Gathered:
        """The stored runs of some specs; they count among those behind the page."""
        training = self.train if train is None else train
        found = gather(specs, train_missing=training, store=self.store)
        self._runs.append(found.runs)
        return found

    def runs(self, experiment: str, **fields) -> Gathered:
        """`gather` of `specs`, of whole seeds alone."""
        return self.gather(self.specs(experiment, **fields)).whole()

    def stored(self, *experiments: str) -> pd.DataFrame:
        """Whole seeds of some experiments under the chapter's recipe, for comparison."""
        return gather(self.cells(*experiments), store=self.store).whole().runs

    def export(self, frame: pd.DataFrame, name: str, what: str, columns: Iterable[str] = ()):
        """Leave a table for download as <name>.csv, which the page's end lists as `what`.

        In a table of runs each has the command that trains it again.
        """
        frame = frame[list(columns)] if columns else frame
        if "split_mlp" in frame and frame["split_mlp"].notna().any():
            frame = frame.assign(split_mlp=frame["split_mlp"].eq(True).fillna(False).astype(bool))
        if len(frame) and "key" in frame and frame["key"].is_unique:
            own = (runs[runs["key"].isin(frame["key"])] for runs in self._runs)
            known = {key: words for runs in own for key, words in commands(runs).items()}
            frame = frame.assign(command=frame["key"].map(known))
        export(frame, name)
        if len(frame):  # an empty table is not offered
            self._files[name] = what

    def export_runs(self, runs: pd.DataFrame, name: str, what: str) -> None:
        """Leave the final states of some runs for download."""
        self.export(runs, name, what, OF_A_RUN)

    def verdicts(self, *names: str, who: str = "The claim") -> Markdown:
        """What the claims of these names come to: the very table of the page "Verdicts"."""
        return Markdown(f"{claims_table(judge_named(self.store, *names), who)}\n\n{INTERVALS}")

    def opening(self, *names: str, so_far: str = "") -> Markdown:
        """What the page found, then what the paper claims: its first words.

        Args:
            so_far: what is seen, where the runs that decide are not there or do not settle it.
        """
        return Markdown(opening(judge_named(self.store, *names), so_far))

    def beside(self, figure: int, found: Gathered | dict, paper_seeds: int | None = None):
        """Under our version of a figure: where its runs come from, what the paper's shows."""
        return Markdown(f"{told(found, paper_seeds).data}\n\n{panel_words(figure)}")

    def end(self) -> Markdown:
        """What the page's runs took to train, and everything that it has to download."""
        data = (f"[{what}](data/{name}.csv)" for name, what in self._files.items())
        own = f"{{download}}`this notebook, executed <{self.chapter}.ipynb>`, "
        own += f"{{download}}`its source <../../notebooks/{self.chapter}.py>`"
        took = f"{cost(*self._runs)}\n\n" if self._runs else ""
        words = f"{took}Download {own}"
        if self._files:
            words += f", or its data ([what the columns mean](../data.md)): {', '.join(data)}"
        return Markdown(f"{words}.")


def told(found: Gathered | dict[str, Gathered], paper_seeds: int | None = None) -> Markdown:
    """Where runs come from (`Gathered.provenance`), small; of several, each after its label."""
    several = {"": found} if isinstance(found, Gathered) else found
    lines = [f"{name}: " * bool(name) + g.provenance(paper_seeds) for name, g in several.items()]
    if all(g.runs.empty for g in several.values()):
        lines.append("With `-p train_missing true` this chapter trains missing runs.")
    return Markdown(":::{container} provenance\n" + "\n\n".join(lines) + "\n:::")


def show(header: list[str], rows: Iterable, left: Iterable[int] = (0,), after: str = ""):
    """A table on the page, with a paragraph after it."""
    return Markdown(table(header, rows, left) + (f"\n\n{after}" if after else ""))
