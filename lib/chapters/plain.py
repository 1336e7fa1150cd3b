"""An executed chapter outside the book, as any viewer of notebooks shows it: plain Markdown.

The book's pages are MyST: roles, directives and links that only its build resolves.
"""

import re
from collections.abc import Mapping
from pathlib import Path

from lib.paths import ROOT

_OPEN = re.compile(r"(:{3,})\{(\w+)\} *(.*)")
_OPTION = re.compile(r":[\w-]+:.*")
_TITLED = ("admonition", "dropdown")


def plain(text: str, values: Mapping[str, str] = {}, own: str = "") -> str:
    """MyST as Markdown: what is a box becomes a bold title, what is a link to a page its name.

    Args:
        values: what the page glues into its text, by name.
        own: the name of this page, whose link to itself stays.
    """
    text = re.sub(r"\{bdg-\w+\}`([^`]*)`", r"**\1**", text)
    text = re.sub(r"\{download\}`([^`<]*?) *<([^`>]*)>`", r"[\1](\2)", text)
    text = re.sub(r"\{cite:([tp])\}`([^`]*)`", _cited, text)
    text = re.sub(r"\{glue:text\}`([^`:]*):?([^`]*)`", lambda m: _glued(m, values), text)
    text = re.sub(r"\{doc\}`([^`]*)`|\[\]\(([^)]*)\)", _page, text)
    text = re.sub(rf"\[([^]]+)\]\((?:\.\./)?(?!{own}\.)\w+\.(?:md|ipynb)[^)]*\)", r"*\1*", text)
    return "\n".join(_without_boxes(text.split("\n")))


def _without_boxes(lines: list[str]):
    """The lines, with a bold title for each box and without its fences and options."""
    fences, head = [], False
    for line in lines:
        if found := _OPEN.fullmatch(line):
            fence, kind, title = found.groups()
            fences.append(fence)
            head = True
            if kind in _TITLED or kind in ("note", "warning"):
                yield f"**{title if kind in _TITLED else kind.capitalize()}**\n"
        elif fences and line == fences[-1]:
            fences.pop()
        elif not (head and _OPTION.fullmatch(line)):
            head = False
            yield line


def _page(found: re.Match) -> str:
    """A link to a page of the book, which is not beside this notebook: the page's name."""
    name = Path((found[1] or found[2]).split("#")[0]).stem or found[2].strip("#")
    return f"*{re.sub('[_-]', ' ', name)}*"


def _glued(found: re.Match, values: Mapping[str, str]) -> str:
    name, form = found.groups()
    if name not in values:
        return name
    return format(float(values[name]), form) if form else values[name].strip("'\"")


def _cited(found: re.Match) -> str:
    from pybtex.database import parse_file  # half a second, which a notebook's end can wait for

    entries = parse_file(ROOT / "book" / "references.bib").entries
    how, keys = found.groups()
    said = []
    for key in keys.split(","):
        names = [" ".join(person.last_names) for person in entries[key].persons["author"]]
        who = f"{names[0]} et al." if len(names) > 2 else " and ".join(names)
        year = entries[key].fields["year"]
        said.append(f"{who} ({year})" if how == "t" else f"{who} {year}")
    return ", ".join(said) if how == "t" else f"({'; '.join(said)})"


def make_plain(notebook, chapter: str) -> None:
    """All Markdown of an executed chapter, of its cells and its outputs, in place."""
    outputs = [out for cell in notebook.cells for out in cell.get("outputs", [])]
    values = {
        out.metadata["scrapbook"]["name"]: out.data["application/papermill.record/text/plain"]
        for out in outputs
        if "application/papermill.record/text/plain" in out.get("data", {})
    }
    for cell in notebook.cells:
        if cell.cell_type == "markdown":
            cell.source = plain(cell.source, values, chapter)
    for out in outputs:
        if "text/markdown" in out.get("data", {}):
            out.data["text/markdown"] = plain(out.data["text/markdown"], values, chapter)
