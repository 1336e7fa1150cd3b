"""Sphinx extension of the book: numbers in the text come from `lib`, not from the typist.

Defines MyST substitutions such as {{ lr }} and {{ experiments }} from the recipe and the
grids of `lib.paper`, and puts the project's root on the path for the API page.
"""

import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
if str(ROOT) not in sys.path:
    sys.path.insert(0, str(ROOT))


def substitutions() -> dict[str, str]:
    """Name -> Markdown text, for every field of the recipe and the table of experiments."""
    from lib.paper import BASE, EXPERIMENTS, STOP_AFTER
    from lib.spec import STOP_ACCURACY

    values = {name: number(value) for name, value in BASE.to_dict().items()}
    values["n_pairs"] = number(BASE.n_pairs)
    values["n_unordered_pairs"] = number(BASE.modulus * (BASE.modulus + 1) // 2)
    values["stop_accuracy"] = number(STOP_ACCURACY)
    values["stop_after"] = number(STOP_AFTER)

    rows = ["| name | experiment | cells | seeds | runs |", "|---|---|--:|--:|--:|"]
    for name, grid in EXPERIMENTS.items():
        cells = len(grid.points())
        rows.append(f"| `{name}` | {grid.title} | {cells} | {grid.seeds} | {len(grid):,} |")
    values["experiments"] = "\n".join(rows)
    return values


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
        config.myst_substitutions = {**substitutions(), **(config.myst_substitutions or {})}

    app.connect("config-inited", fill)
    app.connect("autodoc-process-docstring", plain_text, priority=400)  # before napoleon
    return {"parallel_read_safe": True, "parallel_write_safe": True}
