"""Explorers that work in a static page: the numbers are in it, the browser draws them.

Each is an `anywidget` of one small ES module in `lib/widgets/js`, with its data in traits;
beside it stands a figure for browsers without JavaScript.  `flipbook` is the plain `ipywidgets`
pattern: a slider linked to pictures.
"""

import base64
import html
import io
from dataclasses import asdict
from pathlib import Path
from typing import Any

import anywidget
import ipywidgets as widgets
import numpy as np
import pandas as pd
import traitlets
from IPython.display import HTML, Markdown, display
from matplotlib.figure import Figure

from lib.analysis import statistics
from lib.analysis.gather import Gathered
from lib.analysis.zones import critical
from lib.analysis.zones.capacity import distinct_pairs, ordered_pairs
from lib.analysis.zones.prediction import Prediction
from lib.circuits.simulation import TIMES, Setting
from lib.paper.recipe import DYNAMICS
from lib.widgets.packing import epoch_grids, kept, pack, packed_runs

JS = Path(__file__).parent / "js"


def source(name: str) -> str:
    """An explorer's module: the shared drawing code and its own, in one piece."""
    return (JS / "draw.js").read_text("utf-8") + (JS / f"{name}.js").read_text("utf-8")


class Explorer(anywidget.AnyWidget):
    """One explorer: `meta` is small and readable, `data` are packed numbers (`pack`)."""

    _css = (JS / "widgets.css").read_text("utf-8")
    meta = traitlets.Dict().tag(sync=True)
    data = traitlets.Bytes(b"").tag(sync=True)

    def __init__(self, module: str, meta: dict, data: bytes = b""):
        super().__init__(_esm=source(module), meta=meta, data=data)


def _image(figure: Figure, alt: str, kind: str, look: str = "", **how: Any) -> str:
    """A figure as an HTML image that holds it."""
    buffer = io.BytesIO()
    figure.savefig(buffer, **how)
    data = base64.b64encode(buffer.getvalue()).decode()
    return f'<img alt="{html.escape(alt)}"{look} src="data:image/{kind};base64,{data}">'


def beside(widget: widgets.Widget, figure: Figure | None, alt: str) -> widgets.Widget:
    """Shows a figure to browsers without JavaScript, and returns the widget for the others."""
    if figure is not None:
        image = _image(figure, alt, "png", format="png", dpi=80)
        display(HTML(f"<noscript><p>This explorer needs JavaScript. {alt}</p>{image}</noscript>"))
    return widget


# ---- the explorers ---------------------------------------------------------------------


def run_explorer(*grids: Gathered, fallback: Figure | None = None) -> widgets.Widget:
    """Every stored run of some grids: d_model, train size and seed -> its curves (§2.2).

    Args:
        grids: the runs, from `lib.analysis.gather.gather`; all of one task.
        fallback: the figure for browsers without JavaScript.
    """
    runs = pd.concat([grid.runs for grid in grids]).drop_duplicates("key")
    # Two specs may differ in nothing that the sliders show, such as the early stop: one is kept.
    runs = runs.drop_duplicates(["d_model", "train_size", "seed"])
    curves = pd.concat([grid.curves for grid in grids]).drop_duplicates(["key", "epoch"])
    meta, data = packed_runs(curves[curves["key"].isin(runs["key"])], runs)
    stored = {(run["d_model"], run["train_size"]): run["seed"] for run in meta["runs"][::-1]}
    shows = {(r["d_model"], r["train_size"], r["zone"]): r["seed"] for r in meta["runs"][::-1]}
    presets = [  # a seed that shows what the preset is called, where there is one
        dict(name=n, d_model=d, train_size=size,
             seed=shows.get((d, size, n), stored.get((d, size), 0)))
        for n, (d, size) in DYNAMICS.items()
    ]  # fmt: skip
    wanted = [DYNAMICS["grokking"], *DYNAMICS.values()]
    d, size = next((cell for cell in wanted if cell in stored), wanted[0])

    def values(name, *more):
        return sorted({*(run[name] for run in meta["runs"]), *more})

    meta |= dict(
        d_models=values("d_model", *(d for d, _ in DYNAMICS.values())),
        train_sizes=values("train_size", *(size for _, size in DYNAMICS.values())),
        seeds=values("seed", 0),
        presets=presets,
        epochs=int(curves["epoch"].max()) if len(curves) else 1,
        start=dict(d_model=d, train_size=size, seed=stored.get((d, size), 0)),
    )
    return beside(Explorer("run_explorer", meta, data), fallback, "Training curves of single runs.")


FRAMES = 100
"""Moments that the phase diagram shows."""


def phase_diagram(
    grids: Gathered, random: Gathered, fallback: Figure | None = None
) -> widgets.Widget:
    """Mean validation accuracy of every cell at every moment, with D_crit and D_mem (§3).

    Args:
        grids: addition over widths and training sizes; a run that stopped early keeps its
            last value.
        random: random labels over widths; D_mem is drawn where there are any.
        fallback: the figure for browsers without JavaScript.
    """
    schedules = epoch_grids(c["epoch"].to_numpy() for _, c in grids.curves.groupby("key"))
    schedule = max(schedules, key=lambda epochs: epochs[-1], default=np.array([0]))
    frames = schedule[kept(len(schedule), max(1, len(schedule) // FRAMES))]
    cells, parts, by_width = [], [], {}
    for (d, size), cell in grids.curves.groupby(["d_model", "train_size"]):
        val, train = (_at(cell, name, frames) for name in ("val_accuracy", "train_accuracy"))
        cells.append(dict(d_model=int(d), train_size=int(size), seeds=len(val)))
        parts += [pack(val.mean(axis=0), "accuracy"), pack(train.mean(axis=0), "accuracy")]
        by_width.setdefault(int(d), {})[int(size)] = val
    memory = {}
    for d, cell in random.curves.groupby("d_model"):
        facts = distinct_pairs(cell["train_size"].iloc[0])
        accuracy = _at(cell, "train_accuracy", frames).mean(axis=0)
        memory[int(d)] = np.round(ordered_pairs(accuracy * facts), 1).tolist()
    meta = dict(
        frames=frames.tolist(), cells=cells, memory=memory,
        d_models=sorted(by_width), train_sizes=sorted({cell["train_size"] for cell in cells}),
        critical={d: _critical_over_time(sizes) for d, sizes in by_width.items()},
    )  # fmt: skip
    data = np.concatenate(parts or [np.empty(0, "<u2")]).tobytes()
    return beside(
        Explorer("phase_diagram", meta, data), fallback, "Final validation accuracy of every cell."
    )


def _at(curves: pd.DataFrame, column: str, frames: np.ndarray) -> np.ndarray:
    """A column of some runs at given epochs (seeds, frames): the last value known by then."""
    rows = []
    for _, curve in curves.groupby("seed"):
        last = np.searchsorted(curve["epoch"].to_numpy(), frames, side="right") - 1
        rows.append(curve[column].to_numpy()[last])
    return np.array(rows)


def _critical_over_time(sizes: dict[int, np.ndarray]) -> list[float | None]:
    """D_crit of one width at each frame; None where it is only a bound (or one size alone)."""
    found = []
    for i in range(len(next(iter(sizes.values()))[0])):
        rows = [(size, value) for size, val in sizes.items() for value in val[:, i]]
        runs = pd.DataFrame(rows, columns=["train_size", "val_accuracy"])
        size, bound = critical.critical_point(runs)
        found.append(size if len(sizes) > 1 and not bound else None)
    return found


def accuracy_explorer(runs: pd.DataFrame, fallback: Figure | None = None) -> widgets.Widget:
    """Final accuracies against width: a slider for the training size, a toggle for the task.

    Args:
        runs: final states (`Store.runs`) of one or more tasks (§4, figures 6 and 7).
        fallback: the figure for browsers without JavaScript.
    """
    rows = []
    for task, own in runs.groupby("task"):
        means = {part: statistics.cell_means(own, f"{part}_accuracy") for part in ("train", "val")}
        for (d, size), cell in own.sort_values("seed").groupby(["d_model", "train_size"]):
            row = dict(task=task, d_model=int(d), train_size=int(size), seeds=cell["seed"].tolist())
            for part, table in means.items():
                mean, low, high = table.loc[(d, size), ["mean", "low", "high"]]
                interval = None if np.isnan(low) else [float(low), float(high)]
                values = cell[f"{part}_accuracy"].tolist()
                row[part] = dict(mean=float(mean), interval=interval, values=values)
            rows.append(row)
    sizes, tasks = (sorted({r[n] for r in rows}) for n in ("train_size", "task"))
    start = 3000 if 3000 in sizes else (sizes or [3000])[0]
    first = "square" if "square" in tasks else (tasks or ["add"])[0]
    widths = sorted({r["d_model"] for r in rows}) or [4, 100]
    meta = dict(
        rows=rows, train_sizes=sizes or [3000], tasks=tasks, d_models=widths,
        start=dict(task=first, train_size=start),
    )  # fmt: skip
    return beside(Explorer("accuracy", meta), fallback, "Final accuracies by width.")


def framework(
    prediction: Prediction | None, runs: pd.DataFrame, fallback: Figure | None = None
) -> widgets.Widget | Markdown:
    """The predicted validation accuracy by width: sliders for difficulty and training size (§4).

    Args:
        prediction: from `lib.analysis.zones.prediction.fit`; None where too few runs are stored.
        runs: final states on addition, drawn beside it.
        fallback: the figure for browsers without JavaScript.
    """
    if prediction is None:
        return Markdown("*Too few runs are stored to fit the two curves: nothing is predicted.*")
    low, high = prediction.capacity.widths[[0, -1]]
    d = np.geomspace(low, high, 81)
    d[[0, -1]] = low, high  # not a rounding error beyond what was measured
    measured = [
        dict(d_model=int(d), train_size=int(size), mean=float(mean))
        for (d, size), mean in statistics.cell_means(runs)["mean"].items()
    ]
    meta = dict(
        d_model=d.tolist(), capacity=prediction.capacity(d).tolist(),
        critical=prediction.critical(d).tolist(), rule=prediction.rule, force=prediction.force,
        step=prediction.step, measured=measured,
    )  # fmt: skip
    return beside(Explorer("framework", meta), fallback, "Final accuracies by width.")


COSTS = tuple(round(0.5 + 0.05 * i, 2) for i in range(51))
DECAYS = (0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05)
STARTS = (0.0005, 0.005, 0.05, 0.2, 0.5, 1.0)
"""What the sliders of `competition` offer."""


def competition(fallback: Figure | None = None) -> widgets.Widget:
    """The race of two circuits, worked out in the page (Varma et al. 2023).

    Args:
        fallback: the figure for browsers without JavaScript.
    """
    offered = dict(costs=COSTS, decays=DECAYS, starts=STARTS)
    meta = offered | dict(times=TIMES.tolist(), start=asdict(Setting()))
    alt = "Logits and losses of two circuits that compete."
    return beside(Explorer("competition", meta), fallback, alt)


# ---- pictures and a slider -------------------------------------------------------------


def flipbook(
    pages: dict[str, tuple[Figure, str]], description: str, opens: int = 0
) -> widgets.Widget:
    """A slider over figures that needs no kernel.

    Args:
        pages: the slider's labels -> (figure, alternative text).
        description: what the slider moves.
        opens: the place of the figure that is shown first; -1: the last.
    """
    opens %= len(pages)
    how = dict(format="svg", metadata={"Date": None})
    look = ' style="max-width: 100%; height: auto"'
    images = [_image(*page, "svg+xml", look, **how) for page in pages.values()]
    images = [  # as in the book: what does not stack scrolls by itself on a phone
        image if getattr(figure, "stacks", False) else f'<div class="wide-picture">{image}</div>'
        for image, (figure, _) in zip(images, pages.values())
    ]
    frames = widgets.Stack([widgets.HTML(image) for image in images], selected_index=opens)
    slider = widgets.SelectionSlider(
        index=opens,
        options=[(label, i) for i, label in enumerate(pages)],
        description=description,
        style={"description_width": "initial"},
    )
    widgets.jslink((slider, "index"), (frames, "selected_index"))
    return widgets.VBox([slider, frames])
