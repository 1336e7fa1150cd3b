"""Explorers that work in a static page: the numbers are in it, the browser draws them.

Each is an `anywidget` of one small ES module in `lib/js`, with its data in traits; beside it
stands a figure for browsers without JavaScript.  `flipbook` is the plain `ipywidgets`
pattern: a slider linked to pictures.
"""

import base64
import html
import io
from collections.abc import Iterable
from pathlib import Path

import anywidget
import ipywidgets as widgets
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import traitlets
from IPython.display import HTML, display
from matplotlib.figure import Figure

from lib import analysis as an
from lib.notebook import Gathered
from lib.paper import DYNAMICS

JS = Path(__file__).parent / "js"

POINTS = 150
"""Evaluations of a run that an explorer keeps, about: of the stored 300, every second."""


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


def beside(widget: widgets.Widget, figure: Figure | None, alt: str) -> widgets.Widget:
    """Shows a figure to browsers without JavaScript, and returns the widget for the others."""
    if figure is not None:
        buffer = io.BytesIO()
        figure.savefig(buffer, format="png", dpi=80)
        plt.close(figure)
        data = base64.b64encode(buffer.getvalue()).decode()
        image = f'<img alt="{html.escape(alt)}" src="data:image/png;base64,{data}">'
        display(HTML(f"<noscript><p>This explorer needs JavaScript. {alt}</p>{image}</noscript>"))
    return widget


# ---- packing curves --------------------------------------------------------------------

COLUMNS = {
    "train_accuracy": "accuracy",
    "val_accuracy": "accuracy",
    "train_loss": "loss",
    "val_loss": "loss",
    "param_norm": "norm",
}
"""Columns of a packed curve, and how each is written in 16 bits."""


def pack(values: np.ndarray, kind: str, top: float = 1.0) -> np.ndarray:
    """Numbers as 16-bit integers: 0 … 65534, and 65535 for "none".

    Accuracies are exact to 8e-6, norms to 8e-6 of `top`; losses are written as logarithms
    from 1e-12 to 1e4, exact to 0.03 per cent.
    """
    values = np.asarray(values, float)
    if kind == "loss":
        unit = (np.log10(np.clip(values, 1e-12, 1e4)) + 12) / 16
    else:
        unit = np.clip(values / top, 0, 1)
    return np.where(np.isfinite(unit), np.rint(unit * 65534), 65535).astype("<u2")


def kept(n: int, step: int) -> np.ndarray:
    """Which of n evaluations are kept: every `step`-th and the last."""
    return np.append(np.arange(0, n - 1, step), n - 1)


def epoch_grids(curves: Iterable[np.ndarray]) -> list[np.ndarray]:
    """The evaluation schedules among some runs: a run that stopped early has the beginning of
    another's, and needs none of its own."""
    grids: list[np.ndarray] = []
    for epochs in sorted(map(tuple, curves), key=len, reverse=True):
        if not any(tuple(grid[: len(epochs)]) == epochs for grid in grids):
            grids.append(np.array(epochs))
    return grids


def packed_runs(curves: pd.DataFrame, runs: pd.DataFrame) -> tuple[dict, bytes]:
    """All curves of some runs: what the browser has to know about them, and the numbers."""
    by_key = {key: curve for key, curve in curves.groupby("key")}
    runs = runs[runs["key"].isin(by_key)]
    grids = epoch_grids(c["epoch"].to_numpy() for c in by_key.values())
    step = max(1, round(max((len(grid) for grid in grids), default=1) / POINTS))
    norms = curves["param_norm"].to_numpy()
    top = float(np.nanmax(norms, initial=1.0, where=np.isfinite(norms)))
    entries, parts, start = [], [], 0
    for run in runs.itertuples():
        curve = by_key[run.key]
        epochs = curve["epoch"].to_numpy()
        grid = next(i for i, g in enumerate(grids) if np.array_equal(g[: len(epochs)], epochs))
        at = kept(len(epochs), step)
        for name, kind in COLUMNS.items():
            parts.append(pack(curve[name].to_numpy()[at], kind, top if kind == "norm" else 1.0))
        entries.append(
            dict(d_model=run.d_model, train_size=run.train_size, seed=run.seed, zone=an.zone(curve),
                 status=run.status, grid=grid, evaluations=len(epochs), start=start)
        )  # fmt: skip
        start += len(at) * len(COLUMNS)
    meta = dict(
        runs=entries, grids=[grid.tolist() for grid in grids], step=step, norm_top=top,
        columns=list(COLUMNS.items()),
    )  # fmt: skip
    return meta, np.concatenate(parts or [np.empty(0, "<u2")]).tobytes()


# ---- the explorers ---------------------------------------------------------------------


def run_explorer(*grids: Gathered, fallback: Figure | None = None) -> widgets.Widget:
    """Every stored run of some grids: d_model, train size and seed -> its curves (§2.2).

    Args:
        grids: the runs, from `lib.notebook.gather`; all of one task.
        fallback: the figure for browsers without JavaScript.
    """
    runs = pd.concat([grid.runs for grid in grids]).drop_duplicates("key")
    # Two specs may differ in nothing that the sliders show, such as the early stop: one is kept.
    runs = runs.drop_duplicates(["d_model", "train_size", "seed"])
    curves = pd.concat([grid.curves for grid in grids]).drop_duplicates(["key", "epoch"])
    meta, data = packed_runs(curves[curves["key"].isin(runs["key"])], runs)
    presets = [dict(name=n, d_model=d, train_size=size) for n, (d, size) in DYNAMICS.items()]
    stored = {(run["d_model"], run["train_size"]): run["seed"] for run in meta["runs"][::-1]}
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


# ---- pictures and a slider -------------------------------------------------------------


def picture(figure: Figure, alt: str, dpi: int = 100) -> widgets.HTML:
    """A figure as an image inside a widget, with alternative text; closes the figure."""
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=dpi)
    plt.close(figure)
    data = base64.b64encode(buffer.getvalue()).decode()
    style = "max-width: 100%; height: auto"
    return widgets.HTML(
        f'<img alt="{html.escape(alt)}" style="{style}" src="data:image/png;base64,{data}">'
    )


def flipbook(pages: dict[str, tuple[Figure, str]], description: str) -> widgets.Widget:
    """A slider over figures that needs no kernel.

    Args:
        pages: the slider's labels -> (figure, alternative text).
        description: what the slider moves.
    """
    frames = widgets.Stack(
        [picture(figure, alt) for figure, alt in pages.values()], selected_index=0
    )
    slider = widgets.SelectionSlider(
        options=[(label, i) for i, label in enumerate(pages)],
        description=description,
        style={"description_width": "initial"},
    )
    widgets.jslink((slider, "index"), (frames, "selected_index"))
    return widgets.VBox([slider, frames])
