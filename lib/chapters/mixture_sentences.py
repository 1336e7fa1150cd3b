"""What the paper's sentences on mixtures come to in our runs (§5, appendix B).

Each function gives words and a verdict for a row of `lib.chapters.tables.check_table`: True, False,
None where a run is missing, `OPEN` where all are there and do not settle it.
"""

from collections.abc import Sequence

from lib.analysis.dynamics import ZERO
from lib.analysis.emergence import (
    Size,
    at_sizes,
    emergent_size,
    larger,
    over_common,
    sizes,
    whole_sizes,
)
from lib.analysis.words import number
from lib.chapters.stories.mixtures import Curve
from lib.paper.claims import OPEN

Row = tuple[str, bool | str | None]
NOTHING = "no emergent size yet"


def compared(mixed: Curve, other: Curve) -> tuple[Size | None, Size | None, bool]:
    """Two emergent sizes over the sizes that both curves have, and whether none is missing.

    None may be missing of those that the study asks of `mixed`; what was filled in comes on top.
    """
    one, two, both = over_common(mixed.runs, other.runs)
    return one, two, bool(mixed.main) and mixed.main <= both


def _shared(found: Sequence[Curve]) -> tuple[Curve | None, list[Curve]]:
    """Addition alone, and its mixtures in a shared MLP."""
    alone = next((c for c in found if not c.amount), None)
    return alone, [c for c in found if c.amount and not c.split]


def emerges_later(found: Sequence[Curve]) -> Row:
    """Alone and mixed emergent sizes in words, and whether every mixture's is larger."""
    alone, mixtures = _shared(found)
    texts, verdicts, complete = [], [], alone is not None
    for curve in mixtures if alone else ():
        mixed, own, whole = compared(curve, alone)
        complete &= whole
        verdicts.append(larger(mixed, own))
        if mixed:
            texts.append(f"with {curve.amount:,}: {mixed.words}, alone {own.words}")
    if not texts:
        return NOTHING, None
    verdict = False if False in verdicts else OPEN if None in verdicts else True
    return "; ".join(texts), verdict if complete else None


def stays_low(found: Sequence[Curve]) -> Row:
    """How low the best seed of a mixture stays at sizes where addition alone generalizes."""
    alone, mixtures = _shared(found)
    start = emergent_size(alone.runs) if alone else None
    values, complete = [], bool(alone and mixtures)
    for curve in (alone, *mixtures) if alone else ():
        complete &= bool(curve.main) and curve.main <= whole_sizes(curve.runs)
    for curve in mixtures if start and start.bound != ">" else ():
        end = emergent_size(curve.runs)
        if end is None:
            continue
        cells = sizes(at_sizes(curve.runs, whole_sizes(curve.runs)))
        inside = (cells["parameters"] >= start.parameters) & (cells["parameters"] <= end.span[0])
        values += cells[inside]["best"].tolist()
    if not values:
        return "no such size tried with three seeds", OPEN if complete else None
    text = f"best seed from {number(min(values))} to {number(max(values))} in {len(values)} cells"
    return text, max(values) < ZERO if complete else None


def split_is_smaller(found: Sequence[Curve], amount: int) -> Row:
    """Both emergent sizes of an amount in words, and whether the split MLP's is smaller."""
    own = {c.split: c for c in found if c.amount == amount}
    if len(own) < 2:
        return NOTHING, None
    shared, split, whole = compared(own[False], own[True])
    if shared is None:
        return NOTHING, None
    verdict = larger(shared, split)
    text = f"split {split.words}, shared {shared.words}"
    return text, (OPEN if verdict is None else verdict) if whole else None
