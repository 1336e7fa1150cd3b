"""What hangs on a threshold: every verdict again, with one of them moved."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from lib.analysis import dynamics
from lib.chapters.tables import table
from lib.paper.claims import NONE, Claim, Verdict, case
from lib.paper.criteria import addition, mixtures
from lib.runs.store import Store

MOVED = (
    ("validation from which a run has generalized", dynamics, "GENERALIZED", (0.9, 0.99)),
    ("training from which a run knows its set", dynamics, "PERFECT", (0.95, 0.999)),
    ("validation below which it has nothing", dynamics, "ZERO", (0.05, 0.2)),
    ("dip from which there is double descent", addition, "DIP", (0.05, 0.2)),
)
"""Each threshold in words, where it is, and what it is moved to."""


def hangs_on(verdicts: Sequence[Verdict], store: Store) -> str:
    """Which of some verdicts another threshold changes, in Markdown: a row for each that is tried.

    Not asked are claims that lack runs, and those of mixtures, which have four levels anyway.
    """
    asked = [v for v in verdicts if v.verdict != NONE and _module(v.claim) != mixtures.__name__]
    known, runs, rows = {v.claim.name: v.verdict for v in asked}, store.runs(), []
    cases = [case(v.claim, store, runs) for v in asked]  # no threshold chooses runs
    for says, where, name, values in MOVED:
        usual = getattr(where, name)
        for value in values:
            with _moved(where, name, value):
                again = {one.claim.name: one.verdict().verdict for one in cases}
            other = [f"{claim}: {known[claim]} → {again[claim]}"
                     for claim in known if known[claim] != again[claim]]  # fmt: skip
            rows.append((says, f"{usual:g}", f"{value:g}", "; ".join(other) or "none"))
    heads = ["threshold", "in this book", "instead", "verdicts that change"]
    return table(heads, rows, left=(0, 3))


def _module(claim: Claim) -> str:
    return getattr(claim.judge, "func", claim.judge).__module__


@contextmanager
def _moved(where, name: str, value: float) -> Iterator[None]:
    """A module's threshold at another value: all that judges looks it up when it judges."""
    usual = getattr(where, name)
    setattr(where, name, value)
    try:
        yield
    finally:
        setattr(where, name, usual)
