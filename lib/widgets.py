"""Explorers that work in a static page: the pictures are in it, the browser turns them."""

import base64
import html
import io

import ipywidgets as widgets
import matplotlib.pyplot as plt
from matplotlib.figure import Figure


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
