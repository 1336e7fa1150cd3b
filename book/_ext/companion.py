"""Sphinx extension of the book: numbers in the text come from `lib`, not from the typist.

Defines MyST substitutions such as {{ lr }} and {{ experiments }} from the recipe and the
grids of `lib.paper.experiments`, and puts the project's root on the path for the API page.
"""

import sys
from pathlib import Path
from urllib.parse import quote, urlsplit

from online import address

ROOT = Path(__file__).resolve().parents[2]
if str(ROOT) not in sys.path:
    sys.path.insert(0, str(ROOT))

_AT_3000 = dict(train_size=(3000,))
CHAPTERS = {  # chapter -> the experiments that it trains, or (experiment, the cells of it)
    "grokking_grid": ("figure2", "figure3", "stop_rule"),
    "memorization_capacity": ("figure4",),
    "framework_zones": ("figure3", "figure4", "figure5", "figure6"),
    "double_descent": ("figure6", "figure6_long"),
    "squared_task": (
        *(("figure6", _AT_3000), "figure7", "squared_critical", "squared_capacity"),
        *("beyond_3000", "beyond_3400", "beyond_3600"),
        *(("figure3", dict(d_model=(32, 48, 64))), ("figure4", dict(d_model=(8, 16, 24, 32)))),
    ),
    "parameter_norms": ("figure9", "figure9_controls"),
    "multitask_emergence": (
        "emergent_113",
        "emergent_113_fill",
        "emergent_59",
        "emergent_59_wider",
        "emergent_law",
        "emergent_depth",
        "emergent_depth_long",
        *("emergent_twice", "emergent_twice_wide"),
        "emergent_depth_wide",
        "emergent_depth_between",
        *("emergent_two_layers", "emergent_one_layer"),
    ),
    "split_ffn": (
        *("emergent_113", "emergent_113_fill", "emergent_59", "emergent_59_wider"),
        *("emergent_law", "emergent_59_long"),
        *("emergent_depth", "split_depth", "split_depth_more"),
        "mixture_inside",
    ),
    "circuit_efficiency": (
        *("circuits_memorize", "circuits_generalize", "circuits_settle", "circuits_calm"),
        *("circuits_decay", "circuits_decay_more", "circuits_parents"),
        *("circuits_ungrok", "circuits_ungrok_decay"),
        *("circuits_controls", "circuits_scratch", "circuits_semi", "circuits_dynamics"),
    ),
    "recipe": (
        *("recipe-3e-3-1.0", "recipe-3e-3-1.5", "recipe-3e-3-2.0", "recipe-1e-3-1.5"),
        *("deep_recipe", "search", "search_wide", "search_arms"),
        *("search_batches", "search_norm", "search_shapes", "figure6_tied"),
    ),
    "other_implementations": (
        *(("figure6", _AT_3000 | dict(d_model=(8,), seed=range(5))),),
        *(("figure6", dict(d_model=(32,), train_size=(4000,), seed=range(5))),),
    ),
}

CORE = 100e9
"""Operations a second of the core for which the costs of chapters are given."""

MEASURED = {
    "browser": "browser",
    "native": "native",
    "parts": "parts",
    "native_avx2": "native, AVX2",
    "parts_avx2": "parts, AVX2",
    "batches": "native, batches of 512",
    "norm": "native, LayerNorm",
    "deep": "stacked on cpu, float32",
    "gpu": "stacked on cuda, float32",
    "start": "start",
}
"""What the page Speed shows -> the name under which the bench kept it."""


NO_ADDRESS = "(Not yet: this project has no public address. It is set in `_config.yml`.)"


def substitutions() -> dict[str, str]:
    """Name -> Markdown text, for every field of the recipe and the table of experiments."""
    from benchmarks.kept import table as measured
    from lib.analysis.gather import of_whole_seeds
    from lib.analysis.words import seeds_phrase
    from lib.chapters.export import MEANING
    from lib.chapters.scoreboard import score, scoreboard
    from lib.chapters.stories.memorable import memorable
    from lib.chapters.tables import table
    from lib.paper.experiments import BASE, EXPERIMENTS, STOP_AFTER
    from lib.paper.mixtures import DEEP
    from lib.runs.store import Store
    from lib.spec import STOP_ACCURACY

    values = {name: number(value) for name, value in BASE.to_dict().items()}
    values["n_pairs"] = number(BASE.n_pairs)
    values["n_unordered_pairs"] = number(BASE.modulus * (BASE.modulus + 1) // 2)
    values["deep_lr"] = number(DEEP["lr"])
    values["stop_accuracy"] = number(STOP_ACCURACY)
    values["stop_after"] = number(STOP_AFTER)

    rows = ["| name | experiment | cells | seeds | runs |", "|---|---|--:|--:|--:|"]
    for name, grid in EXPERIMENTS.items():
        cells = len(grid.points())
        rows.append(f"| `{name}` | {grid.title} | {cells} | {grid.seeds} | {len(grid):,} |")
    values["experiments"] = "\n".join(rows)
    values["costs"] = costs()
    values |= every_run()
    values["fields"] = fields()
    values["gpu_hours"] = gpu_hours()
    values |= on_gpus(Store().runs(every=True))
    values |= {f"speed_{place}": measured(name) for place, name in MEASURED.items()}
    values["columns"] = table(
        ["column", "unit", "meaning"], [(f"`{n}`", *said) for n, said in MEANING.items()], (0, 1, 2)
    )
    values["scoreboard"] = scoreboard(Store(), book=True)
    values["score"] = score(Store())
    values["memorable"] = memorable(Store())
    runs = Store().runs()
    for what, names in (("grids", ("figure3", "figure6")), ("capacity", ("figure4",))):
        specs = [spec for name in names for spec in EXPERIMENTS[name]]
        values[f"seeds_{what}"] = seeds_phrase(of_whole_seeds(runs, specs)["seed"])
    return values


def fields() -> str:
    """What a run is made of, in Markdown: field, meaning, values, the book's value."""
    from lib.paper.experiments import BASE
    from lib.spec import KNOBS

    rows = ["| field | what it is | values | in the book |", "|---|---|---|--:|"]
    for name, knob in KNOBS.items():
        allowed = knob.allowed.replace("'", "`")
        value = getattr(BASE, name)
        rows.append(
            f"| `{name}` | {knob.help} | {allowed} | {'' if value is None else number(value)} |"
        )
    return "\n".join(rows)


def costs() -> str:
    """What each chapter costs from nothing, in Markdown: runs, operations, hours on two cores."""
    from lib.sweeps.plan import estimate, flops

    rows = ["| chapter | runs | PFlop | hours, two cores |", "|---|--:|--:|--:|"]
    for chapter, names in CHAPTERS.items():
        specs = list({spec.key: spec for name in names for spec in trained(name)}.values())
        work = sum(map(flops, specs)) / 1e15
        hours = estimate(specs, lambda width: CORE).sum() / 3600 / 2
        rows.append(f"| [](chapters/{chapter}.ipynb) | {len(specs):,} | {work:.2g} | {hours:.2g} |")
    return "\n".join(rows)


def trained(what: str | tuple[str, dict]) -> list:
    """The runs of one entry of `CHAPTERS`."""
    from lib.paper.experiments import EXPERIMENTS

    name, cells = (what, {}) if isinstance(what, str) else what
    every = EXPERIMENTS[name]  # its own seeds
    return [s for s in every if all(getattr(s, field) in of for field, of in cells.items())]


def every_run() -> dict[str, str]:
    """What all runs cost that need no GPU and are not the search's, and many more like them."""
    from lib.paper.experiments import EXPERIMENTS
    from lib.paper.mixtures import FOR_A_GPU
    from lib.sweeps.plan import estimate, flops

    names = [n for n in EXPERIMENTS if n not in FOR_A_GPU and not n.startswith("search")]
    specs = list({spec.key: spec for name in names for spec in EXPERIMENTS[name]}.values())
    work, seconds = sum(map(flops, specs)) / 1e15, estimate(specs, lambda width: CORE).sum()
    each = seconds / len(specs)
    return {
        "every_run": f"{len(specs):,} runs of all experiments, without the search for a recipe and "
        "without figures 8 and 10 at the paper's own sizes, which need a GPU, are "
        f"{work:.0f} PFlop, each taken to its last epoch, and {seconds / 3600:.0f} hours of a core "
        f"that does {CORE / 1e9:.0f} GFlop/s: {each:.0f} s a run",
        "many_runs": f"{round(100_000 * each / 3600, -2):,.0f}",
        "many_cores": f"{round(37 * each, -2):,.0f}",
    }


def on_gpus(runs) -> dict[str, str]:
    """What has been trained on GPUs: how many runs, in what time, and what they are to a core."""
    from lib.chapters.stories.again.gpu import on_gpus
    from lib.engines.flops import flops
    from lib.paper.experiments import EXPERIMENTS
    from lib.sweeps.plan import format_duration

    own, specs = on_gpus(runs), {spec.key: spec for grid in EXPERIMENTS.values() for spec in grid}
    work = sum(flops(specs[r.key], r.epoch / r.epochs) for r in own.itertuples())
    return {
        "gpu_runs": f"{len(own):,}",
        "gpu_time": format_duration(own["wall_seconds"].sum()),
        "gpu_cores": f"a core that does {CORE / 1e9:.0f} GFlop/s {work / CORE / 3600:.0f} hours",
    }


def gpu_hours() -> str:
    """Figures 8 and 10 on an H100, hour by hour on paper, in Markdown."""
    from lib.chapters.tables import table
    from lib.paper.experiments import EXPERIMENTS
    from lib.paper.mixtures import FOR_A_GPU, decisive
    from lib.sweeps.roofline import H100, hours, seconds

    specs = {spec for name in FOR_A_GPU for spec in EXPERIMENTS[name]}
    first = {spec for spec in specs if decisive(spec)}
    parts = {"alone, 3,000 shared and split": first, "4,000 to 6,000": specs - first}
    single, half = (
        hours(parts, {spec: seconds(spec, device) for spec in specs}) for device in H100.values()
    )
    rows = [
        (f"{layers} × {width}", part, runs, f"{own:.2f}", f"{total:.2f}", f"{other[-1]:.2f}")
        for (part, layers, width, runs, own, total), other in zip(single, half)
    ]
    header = ["layers × d_model", "runs of", "runs", "hours, float32", "by then", "by then, bf16"]
    return table(header, rows, (0, 1))


def binder(config, chapter: str = "grokking_grid") -> str | None:
    """Address of a chapter's Jupytext source on Binder; None while the project has no address."""
    there = address(config)
    if not there:
        return None
    branch = config.html_theme_options.get("repository_branch") or "main"
    if (site := urlsplit(there)).netloc == "github.com":
        place = f"gh{site.path}"
    else:  # any other host, by the whole address
        place = f"git/{quote(there, safe='')}"
    path = quote(f"lab/tree/notebooks/{chapter}.py", safe="")
    return f"https://mybinder.org/v2/{place}/{quote(branch, safe='')}?urlpath={path}"


def add_binder_button(app, pagename, templatename, context, doctree):
    """A button on every chapter; the theme's own would open a notebook that is not in git."""
    folder, _, name = pagename.rpartition("/")
    url = binder(app.config, name) if folder == "book/chapters" else None
    if url and "header_buttons" in context:
        button = {"type": "link", "url": url, "icon": "fas fa-rocket", "label": "binder"}
        button |= {"text": "Binder", "tooltip": "Train it yourself on Binder"}
        context["header_buttons"].insert(0, button)


def number(value) -> str:
    """A value as it reads in a sentence: thousands with commas."""
    if isinstance(value, int):
        return f"{value:,}"
    return f"{value:g}".replace("e-0", "e-") if isinstance(value, float) else str(value)


def plain_text(app, what, name, obj, options, lines):
    """Docstrings are plain text: an indented block after a colon and a blank line is code.

    Where a property's docstring has a colon in its first line, napoleon would take what
    stands before it for a type; a blank line in front keeps it a sentence.
    """
    for i, line in enumerate(lines[:-2]):
        indented = lines[i + 2].startswith(" " * (len(line) - len(line.lstrip()) + 4))
        if line.endswith(":") and not line.endswith("::") and not lines[i + 1] and indented:
            lines[i] = line + ":"
    if what in ("property", "attribute", "data"):
        lines.insert(0, "")


def setup(app):
    def fill(app, config):
        url = binder(config)
        words = f"[Open the trainer on Binder]({url})." if url else NO_ADDRESS
        given = config.myst_substitutions or {}
        config.myst_substitutions = {**substitutions(), "binder": words, **given}

    app.connect("config-inited", fill)
    app.connect("html-page-context", add_binder_button, priority=600)  # after the theme's own
    app.connect("autodoc-process-docstring", plain_text, priority=400)  # before napoleon
    return {"parallel_read_safe": True, "parallel_write_safe": True}
