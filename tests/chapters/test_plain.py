"""A chapter outside the book: no role, no directive and no empty link is left."""

import re

import nbformat
import pytest

from lib.chapters import execute
from lib.chapters.parameters import NOTEBOOKS
from lib.chapters.plain import make_plain, plain


@pytest.mark.parametrize(
    "myst, markdown",
    [
        ("{bdg-warning}`? undecided` **Why**", "**? undecided** **Why**"),
        ("as {cite:t}`huang2024unified` say", "as Huang et al. (2024) say"),
        ("{cite:p}`nakkiran2020deep,wei2022emergent`", "(Nakkiran et al. 2020; Wei et al. 2022)"),
        ("see [](squared_task.ipynb), [](../method.md)", "see *squared task*, *method*"),
        ("[](#the-papers-sizes) and {doc}`cluster`", "*the papers sizes* and *cluster*"),
        ("{download}`the runs <data/runs.csv>`", "[the runs](data/runs.csv)"),
        ("in {glue:text}`live:.1f` s, {glue:text}`who`", "in 1.2 s, Numba"),
        ("{glue:text}`unknown:.1f`", "unknown"),
        (":::{container} provenance\n30 of 30 runs\n:::", "30 of 30 runs"),
        (":::{admonition} Figure 6\n:class: panel\n\n* a\n:::\nb", "**Figure 6**\n\n\n* a\nb"),
        ("::::{dropdown} All\n:::{note}\n:odd: line\n:::\n::::", "**All**\n\n**Note**\n"),
        ("$x$ [link](a.csv) `code`\n:::\n:x: y", "$x$ [link](a.csv) `code`\n:::\n:x: y"),
        ("[the columns](../data.md#what), [here](tiny.ipynb)", "*the columns*, [here](tiny.ipynb)"),
        ("[a page](tiny_one.ipynb) and [x](https://a.b/c.md)", "*a page* and [x](https://a.b/c.md)"),
    ],
)
def test_what_only_the_book_resolves(myst, markdown):
    assert plain(myst, dict(live="1.23", who="'Numba'"), "tiny") == markdown


@pytest.mark.parametrize("chapter", sorted(path.stem for path in NOTEBOOKS.glob("*.py")))
def test_no_chapter_has_anything_else(chapter):
    notebook = execute.read(chapter)
    make_plain(notebook, chapter)
    words = "\n".join(cell.source for cell in notebook.cells if cell.cell_type == "markdown")
    assert not re.search(r"\{[a-z:-]+\}`|^:{3,}|\[\]\(|\{\{|\]\([^)]*\.md", words, flags=re.M)


def test_outputs_and_what_they_glue():
    glued = nbformat.v4.new_output(
        "display_data",
        {"application/papermill.record/text/plain": "2.5"},
        metadata={"scrapbook": {"name": "live"}},
    )
    told = nbformat.v4.new_output("display_data", {"text/markdown": "{bdg-danger}`no`"})
    cells = [
        nbformat.v4.new_code_cell("1", outputs=[glued, told]),
        nbformat.v4.new_markdown_cell("took {glue:text}`live:.2f` s"),
    ]
    notebook = nbformat.v4.new_notebook(cells=cells)
    make_plain(notebook, "tiny")
    assert notebook.cells[1].source == "took 2.50 s"
    assert notebook.cells[0].outputs[1].data["text/markdown"] == "**no**"
