"""A chapter's cells executed in this process, without a kernel, from a folder of made-up runs."""

import ast
import re
from html import unescape

import jupytext
import matplotlib
import pytest
from IPython.display import HTML, Markdown
from worlds import like_the_paper

import lib.train
from lib.chapters.parameters import NOTEBOOKS


class Page:
    """What executing a chapter left: its variables, what it showed, its Markdown, its glue."""

    def __init__(self, name, **given):
        matplotlib.use("agg")
        self.name = name
        notebook = jupytext.read(NOTEBOOKS / f"{name}.py", fmt="py:percent")
        self.variables, self.shown, self.text = {"__name__": "chapter"}, [], []
        for cell in notebook.cells:
            if cell.cell_type == "markdown":
                self.text.append(cell.source)
                continue
            self.execute(re.sub(r"(?m)^%.*$", "", cell.source), f"{name}.py")
            if "parameters" in cell.metadata.get("tags", []):
                self.variables |= given

    def execute(self, source, name):
        tree = ast.parse(source)
        last = tree.body.pop() if tree.body and isinstance(tree.body[-1], ast.Expr) else None
        exec(compile(tree, name, "exec"), self.variables)
        if last is not None:
            value = eval(compile(ast.Expression(last.value), name, "eval"), self.variables)
            if value is not None:
                self.shown.append(value)

    @property
    def words(self):
        """All Markdown that the reader sees, written and computed; cells of tables unpadded."""
        shown = [v.data for v in self.shown if isinstance(v, Markdown)]
        return re.sub(r" +", " ", "\n".join(self.text + shown))

    @property
    def html(self):
        """All HTML that the reader sees, but for widgets; without entities."""
        return unescape("\n".join(v.data for v in self.shown if isinstance(v, HTML)))

    @property
    def tables(self):
        """The rows of all computed tables."""
        shown = "\n".join(v.data for v in self.shown if isinstance(v, Markdown))
        return "\n".join(line for line in shown.splitlines() if line.startswith("|"))

    def figures(self):
        return [value for value in self.shown if isinstance(value, matplotlib.figure.Figure)]


@pytest.fixture
def page(results, tmp_path, monkeypatch):
    """Executes a chapter from the results folder; `glue` is written down, not shown."""
    monkeypatch.setenv("GROKKING_RESULTS", str(results))
    monkeypatch.setenv("GROKKING_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("GROKKING_DATA", str(tmp_path / "data"))
    glued = {}
    monkeypatch.setattr("myst_nb.glue", lambda name, value, **_: glued.update({name: value}))
    monkeypatch.setattr(lib.train, "train", lambda spec, **_: like_the_paper(spec))

    def run(name, **given):
        made = Page(name, **given)
        made.glued, made.data = glued, tmp_path / "data"
        return made

    return run
