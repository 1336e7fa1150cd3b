"""Sphinx extension: formulas as MathML, which browsers set themselves.

MathJax would load 0.7 MB, compressed, for a dozen formulas a page.
"""

from html import escape

from docutils import nodes
from latex2mathml.converter import convert
from sphinx.locale import _
from sphinx.util import logging


def mathml(node, display: str) -> str:
    """The node's formula; one that is not understood is named with its place, as TeX."""
    tex = node.astext().strip()
    try:
        made = convert(tex, display=display)
        if "\\" not in made:
            return made
        error = "a command that is not known"
    except Exception as raised:  # the library's errors have no base class of their own
        error = type(raised).__name__
    logging.getLogger(__name__).warning("formula %s: %s", tex, error, location=node)
    return f"<code>{escape(tex)}</code>"


def inline(self, node):
    self.body.append(f'<span class="math">{mathml(node, "inline")}</span>')
    raise nodes.SkipNode


def block(self, node):
    self.body.append(self.starttag(node, "div", CLASS="math", TABINDEX="0"))
    if node["number"]:
        self.body.append(f'<span class="eqno">({self.encode(str(node["number"]))})')
        self.add_permalink_ref(node, _("Link to this equation"))
        self.body.append("</span>")
    self.body.append(f"{mathml(node, 'block')}</div>\n")
    raise nodes.SkipNode


def setup(app):
    app.add_html_math_renderer("mathml", (inline, None), (block, None))
    return {"parallel_read_safe": True, "parallel_write_safe": True}
