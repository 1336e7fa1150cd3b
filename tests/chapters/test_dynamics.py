"""Which recipes show the paper's four dynamics in its four cells."""

from worlds import jump

from lib.analysis.gather import gather
from lib.chapters.stories.dynamics.four_cells import (
    all_grok_words,
    by_recipe,
    in_four_cells,
    recipes_table,
)
from lib.paper.experiments import EXPERIMENTS
from lib.paper.recipe import DYNAMICS

ENDS = {"progression": 0.5, "ungrokking": 0.02, "grokking": 1.0, "semi-grokking": 0.5}
SHOWN = {cell: name for name, cell in DYNAMICS.items()}


def told(store, ends):
    """What is told of one recipe after another; ends: name -> validation accuracy."""
    specs = in_four_cells()
    plain = {s for name in ("search", "search_wide") for s in EXPERIMENTS[name]}
    recipes = dict.fromkeys((s.lr, s.weight_decay) for s in specs if s.epochs == 60_000)
    for recipe, own in zip(recipes, ends):
        for s in (s for s in specs if (s.lr, s.weight_decay, s.epochs) == (*recipe, 60_000)):
            name = SHOWN[s.d_model, s.train_size]
            if s in plain and s.beta2 == 0.98 and name in own:
                train = 0.8 if name == "progression" else 1.0
                store.add(jump(s, val=own[name], train=train))
    found = gather(specs, store=store)
    rows = by_recipe(found.runs, found.curves)
    return rows, recipes_table(rows)


def test_runs_with_the_rule_are_told_by_how_they_came_to_it(store):
    specs = list(EXPERIMENTS["figure3"].specs([0]))[:3]
    ends = dict(val=1.0, train=1.0), dict(val=1.0, train=0.8), dict(val=0.5, train=1.0)
    store.add_many(jump(spec, **end) for spec, end in zip(specs, ends))
    found = gather(specs, store=store)
    said = all_grok_words(found.runs, found.curves)
    assert "Of the 2 runs" in said and "or above, 1 do" in said  # the other: progression
    assert all_grok_words(found.runs[:0], found.curves) == ""


def test_a_recipe_that_shows_all_four_is_named(store):
    rows, said = told(store, [ENDS, ENDS | {"grokking": 0.0}])
    assert len(rows) == 2 and rows["recipe"].nunique() == 2
    whole = rows[[all(k == n for k, n in row) for row in rows[[*DYNAMICS]].to_numpy()]]
    assert f"With {whole['recipe'].item()}, 60,000 epochs, every run shows" in said
    assert sorted(k for k, _ in rows["grokking"])[0] == 0 and "2 recipes have a run" in said


def test_a_recipe_needs_a_run_in_every_cell(store):
    rows, said = told(store, [{name: ENDS[name] for name in list(ENDS)[:3]}])
    assert rows.empty and said.startswith("*No recipe")


def test_where_none_shows_all(store):
    _, said = told(store, [dict.fromkeys(ENDS, 1.0)])
    assert "No recipe shows in every run" in said
    assert "progression 2 of 2, ungrokking 0 of 2, grokking 2 of 2, semi-grokking 0 of 2" in said
