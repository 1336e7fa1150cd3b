"""The same cell and seed with one thing changed: what a variant does to the kind of training."""

import pandas as pd

from lib.analysis.dynamics import GENERALIZED, with_curves, zone
from lib.analysis.gather import Gathered
from lib.chapters.stories.recipe.batches import BY_HEART
from lib.chapters.tables import table
from lib.paper.experiments import EXPERIMENTS
from lib.paper.race.scores import RECIPE_FIELDS, in_words
from lib.spec import RunSpec

SWITCHES = ("loss", "init_scale", "norm", "d_head", "d_mlp", "tied", "decayed")
CELL = ["task", "d_model", "train_size", "lr", "weight_decay"]
SEED = "another seed"
"""What the plain run has instead of a variant: how much chance does."""


def compared() -> list[RunSpec]:
    """The search's variants of the loss, the first weights and the model; the plain runs beside."""
    names = "search_arms", "search_norm", "search_shapes"
    varied = [spec for name in names for spec in EXPERIMENTS[name]]
    plain = (spec.replace(**dict.fromkeys(SWITCHES)) for spec in varied)
    return [*dict.fromkeys(plain), *varied]


def pairs(found: Gathered) -> pd.DataFrame:
    """A row for each run with a variant and the plain one of its cell and seed, and for two seeds.

    Columns: `changed` (in words), `CELL`, and `seed`, `zone`, `val_accuracy` and `key` of the one
    and, with `_plain`, of the other.
    """
    runs = with_curves(found.runs, found.curves)
    told = [in_words(values) for values in runs[RECIPE_FIELDS].itertuples(index=False)]
    runs = runs.assign(
        zone=[zone(curve) for curve in runs["curve"]],
        changed=["".join(words.split(", ", 2)[2:]) for words in told],
    )[["changed", *CELL, "seed", "zone", "val_accuracy", "key"]]
    plain = runs[runs["changed"] == ""].drop(columns="changed")
    varied = runs[runs["changed"] != ""].merge(plain, on=[*CELL, "seed"], suffixes=("", "_plain"))
    varied = varied.assign(seed_plain=varied["seed"])
    seeds = plain.merge(plain, on=CELL, suffixes=("", "_plain")).assign(changed=SEED)
    seeds = seeds[seeds["seed"] > seeds["seed_plain"]]
    return pd.concat([seeds[varied.columns], varied], ignore_index=True)


def told(both: pd.DataFrame) -> str:
    """What each change does, beside what another seed does: Markdown."""
    if both.empty:
        return "*No run with a variant is stored beside the plain one of its cell and seed.*"
    kept, rows = {}, []
    for changed, own in both.groupby("changed", sort=False):
        kept[changed] = f"{(own['zone'] == own['zone_plain']).sum()} of {len(own)}"
        heart, rule = (
            [int(held(own[name + form]).sum()) for form in ("", "_plain")]
            for name, held in (
                ("zone", lambda zones: zones.isin(BY_HEART)),
                ("val_accuracy", lambda values: values >= GENERALIZED),
            )
        )
        rows.append((changed, kept[changed], *(f"{a} (plain {b})" for a, b in (heart, rule))))
    header = ["changed", "the same kind of training", "by heart before the rule", "generalize"]
    chance = kept.pop(SEED, None)
    said = "; ".join(f"{changed}, {count}" for changed, count in kept.items())
    words = f"With a variant on the same seed: {said or 'none yet'}."
    if chance:
        words = f"**With another seed {chance} runs show the same kind of training.** {words}"
    return f"{words}\n\n{table(header, rows)}"
