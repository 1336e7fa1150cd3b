"""Every chapter runs, whatever is stored: nothing, one seed, a few seeds with curves.

The cells are executed in this process, without a kernel, with a results folder of made-up
runs; warnings are errors, as everywhere in the tests.
"""

import re
import sys

import jupytext
import pandas as pd
import pytest
from IPython.core.interactiveshell import InteractiveShell
from IPython.utils.capture import capture_output
from worlds import like_the_paper, outcome

from lib.analysis.dynamics import GENERALIZED, ZERO
from lib.chapters.export import MEANING
from lib.chapters.parameters import NOTEBOOKS
from lib.chapters.parameters import chapters as known_chapters
from lib.paper.claims import VERDICTS
from lib.paper.experiments import EXPERIMENTS
from lib.paper.mixtures import DEEP
from lib.paper.recipe import CALIBRATION_SEED, RECIPE
from lib.paper.takeaways import judge_all
from lib.runs.store import Store

CHAPTERS = known_chapters()
GLUE = re.compile(r"\{glue:text\}`(\w+)(:[^`]*)?`")


def specs(seeds, *names):
    grids = [EXPERIMENTS[name] for name in names or EXPERIMENTS]
    # Calibration has two or three seeds, and nobody reads more of it.
    counts = [min(seeds, g.seeds) if g.first_seed >= CALIBRATION_SEED else seeds for g in grids]
    chosen = [
        s for g, n in zip(grids, counts) for s in g.specs(range(g.first_seed, g.first_seed + n))
    ]
    return {spec.key: spec for spec in chosen}.values()


VERDICT = re.compile(rf"\b(agrees?|does not agree|{'|'.join(VERDICTS)})\b")
CELL = re.compile(r" *\| *")
CARD = re.compile(r'data-claim="([^"]*)" data-verdict="([^"]*)"')


def world(name):
    """Its runs are made up once: all tests on them run in one worker."""
    return pytest.param(name, marks=pytest.mark.xdist_group(name))


@pytest.fixture(scope="session", params=map(world, ("nothing", "one seed", "five seeds")))
def results(request, tmp_path_factory):
    """A results folder with nothing, one seed of all grids but two, five seeds of all."""
    folder = tmp_path_factory.mktemp("stored")
    seeds = {"nothing": 0, "one seed": 1, "five seeds": 5}[request.param]
    names = [n for n in EXPERIMENTS if n not in ("figure4", "figure9")] if seeds == 1 else []
    if seeds:
        Store(folder).add_many(like_the_paper(spec) for spec in specs(seeds, *names))
    return folder


@pytest.fixture(scope="session")
def judged(results):
    """Claim -> its verdict on those runs."""
    return {v.claim.name: v.verdict for v in judge_all(Store(results))}


@pytest.fixture(scope="session")
def read(results):
    """Chapter -> its words on those runs, of each that has been executed with its defaults."""
    return {}


@pytest.mark.parametrize("name", CHAPTERS)
def test_a_chapter_runs_and_reads(page, judged, read, name):
    made = page(name)
    read[name] = made.words
    for key, form in GLUE.findall(made.words):
        assert format(made.glued[key], form[1:]), f"{key} is not glued"
    for file in re.findall(r"data/(\w+)\.csv", (NOTEBOOKS / f"{name}.py").read_text()):
        assert (made.data / f"{file}.csv").is_file(), f"{file}.csv is offered and not there"
    for table in made.data.glob("*.csv"):  # an empty table has no header to look at
        columns = pd.read_csv(table, nrows=1).columns if table.stat().st_size > 1 else ()
        names = {name.removesuffix("_low").removesuffix("_high") for name in columns}
        assert names <= MEANING.keys(), table.name
    words = made.words
    assert not re.search(r"\bnan\b|\binf\b|\bNone\b(?! of the)", words), "a missing number shows"
    check_verdicts(made, judged)
    for figure in made.figures():  # drawn to the end: lazily drawn parts can fail, too
        figure.draw_without_rendering()
    check_what_is_offered(made)


@pytest.mark.parametrize("name", CHAPTERS)
def test_every_figure_has_words(name):
    notebook = jupytext.read(NOTEBOOKS / f"{name}.py", fmt="py:percent")
    for shown in (c.metadata["mystnb"] for c in notebook.cells if "mystnb" in c.metadata):
        assert len(shown["image"]["alt"]) > 40
        assert shown["figure"]["name"].startswith("fig-")
        assert "data/" in shown["figure"]["caption"]
    assert notebook.cells[-1].source == "page.end()"


def check_verdicts(made, known):
    """Every verdict in a chapter's tables and cards is that of its claim."""
    rows = [CELL.split(line.strip())[1:-1] for line in made.tables.splitlines()]
    said = [(row[0], row[-1]) for row in rows if VERDICT.fullmatch(row[-1].strip("*"))]
    said += CARD.findall(made.html)
    assert said == [(name, known[name]) for name, _ in said]
    assert said or made.name in ("recipe", "other_implementations")  # which have no claim


def check_what_is_offered(made):
    """A chapter ends with links to itself, to its source and to each table that it left."""
    end = made.words.splitlines()[-1]
    assert f"<{made.name}.ipynb>" in end and f"<../../notebooks/{made.name}.py>" in end
    offered = set(re.findall(r"\(data/(\w+)\.csv\)", end))
    tables = {path.stem: path.read_text().splitlines() for path in made.data.glob("*.csv")}
    assert offered == {name for name, lines in tables.items() if len(lines) > 1}


@pytest.mark.parametrize("name", CHAPTERS)
def test_a_chapter_is_prose(name):
    """A chapter computes little and judges nothing: what it says of runs comes from lib."""
    source = (NOTEBOOKS / f"{name}.py").read_text()
    code = [line for line in source.splitlines() if line.strip() and not line.startswith("#")]
    assert len(code) <= 150
    assert not re.search(r"criteria\.\w+\(|\.holds\b|agrees|sys\.path", "\n".join(code))


def test_a_chapter_opened_elsewhere_says_what_is_needed():
    """`lib` is another one there, such as Linux's own folder /lib: one line, no traceback."""
    cells = jupytext.read(NOTEBOOKS / "recipe.py", fmt="py:percent").cells
    first = next(c.source for c in cells if c.cell_type == "code")
    shell = InteractiveShell()
    with pytest.MonkeyPatch.context() as patch, capture_output() as seen:
        patch.setitem(sys.modules, "lib.chapters.page", None)
        assert not shell.run_cell(first).success
    (line,) = seen.stdout.strip().splitlines()
    assert "make lab" in line


@pytest.mark.parametrize("name", CHAPTERS)
def test_defaults_are_the_recipe(name):
    values = {"__name__": "chapter"}
    notebook = jupytext.read(NOTEBOOKS / f"{name}.py", fmt="py:percent")
    (cell,) = [c for c in notebook.cells if "parameters" in c.metadata.get("tags", [])]
    exec(cell.source, values)
    long = EXPERIMENTS["figure9"].base.epochs
    assert values["train_missing"] is False
    assert values.get("lr", RECIPE["lr"]) == RECIPE["lr"]
    assert values.get("deep_lr", DEEP["lr"]) == DEEP["lr"]
    assert values.get("weight_decay", RECIPE["weight_decay"]) == RECIPE["weight_decay"]
    assert values.get("epochs", RECIPE["epochs"]) in (RECIPE["epochs"], long)


@pytest.mark.parametrize("results", [world("five seeds")], indirect=True)
def test_double_descent_tells_what_the_runs_show(page):
    made = page("double_descent", train_sizes=[3000, 5000], seeds=[0, 1, 2, 3, 4])
    dips = made.variables["deepest"]
    assert dips[3000].depth > 0.3 and 24 <= dips[3000].valley <= 36
    assert dips[5000].depth < 0.3 and dips[3000].seeds == 5
    assert "| 3,000 | 0." in made.words and "| 2,600 |" not in made.words


@pytest.mark.parametrize("results", [world("five seeds")], indirect=True)
def test_later_or_never_is_asked_of_every_curve(page, read):
    words = read.get("multitask_emergence") or page("multitask_emergence").words
    trained, asked = map(
        int, re.search(r"(\d+) of these (\d+) sizes have been trained", words).groups()
    )
    assert trained < asked >= 8  # alone, shared and split, of three studies


def test_the_world_has_both_outcomes():
    """Otherwise the tests above would prove little."""
    values = [outcome(s)[1] for s in specs(5, "figure3", "figure6")]
    assert min(values) < ZERO and max(values) >= GENERALIZED
