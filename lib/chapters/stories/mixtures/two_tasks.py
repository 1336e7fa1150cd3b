"""Where the two tasks of a mixture live in its MLP, in words (appendix B)."""

import pandas as pd

from lib.analysis.words import seeds_phrase, span
from lib.chapters.page import Page
from lib.chapters.tables import table
from lib.circuits.measures import gather_measures
from lib.circuits.mlp import STEPS

HALF = STEPS // 2
COLUMNS = (
    *("split_mlp", "seed", "epoch", "last", "train_accuracy", "memorize_accuracy"),
    *("val_accuracy", "trig_share", "held_out_share", "key"),
)
"""What a table for download says of a network at an epoch."""


def measured(page: Page, seeds: list[int], **changes) -> dict[str, pd.DataFrame]:
    """The measures of the shared and the split MLP, by title.

    Args:
        changes: fields of the specs that the chapter's parameters change.
    """
    specs = page.cells("mixture_inside", seeds=seeds, **changes)
    page.gather(specs)
    return {
        title: gather_measures([spec for spec in specs if bool(spec.split_mlp) == split])
        for title, split in (("shared MLP", False), ("split MLP", True))
    }


def without_units(shown: dict[str, pd.DataFrame]) -> pd.DataFrame:
    """Accuracy of each network at its end as hidden units are switched off, for download."""
    found = []
    for row in pd.concat(shown.values()).query("last").itertuples():
        for first, val, memorized in (
            ("most", row.ablated_val, row.ablated_memorize),
            ("least", row.spared_val, row.spared_memorize),
        ):
            parts = dict(val_accuracy=val, memorize_accuracy=memorized)
            parts["units_off"] = [i / (STEPS - 1) for i in range(STEPS)]
            which = dict(split_mlp=bool(row.split_mlp), seed=row.seed, first_off=first)
            found.append(pd.DataFrame(which | parts))
    return pd.concat(found) if found else pd.DataFrame()


def halves(shown: dict[str, pd.DataFrame]) -> str:
    """What is left of both tasks without either half of the hidden units, in Markdown."""
    rows = []
    for title, frame in shown.items():
        ends = frame[frame["last"].astype(bool)]
        if ends.empty:
            rows.append((title, "not looked into", *["–"] * 3))
            continue
        for name, task in (("val", "held-out addition"), ("memorize", "random pairs")):
            more, less = (ends[f"{how}_{name}"] for how in ("ablated", "spared"))
            cells = span(own[0] for own in more), *(span(v[HALF] for v in o) for o in (more, less))
            rows.append((f"{title}, {seeds_phrase(ends['seed'])}", task, *cells))
    header = ["", "answered correctly", "by the whole", "without the more memorizing half",
              "without the other half"]  # fmt: skip
    ends = pd.concat(shown.values()).query("last")
    others = int((~ends["shown"]).sum())
    said = (
        f"{others} of these {len(ends)} networks are trainings of their own, and not those "
        "that the figures above show (in another precision, or on another machine): as training is "
        "chaotic, a seed need not end alike in both."
    )
    return table(header, rows, left=(0, 1)) + (f"\n\n{said}" if others else "")
