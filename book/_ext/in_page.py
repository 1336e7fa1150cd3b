"""Sphinx extension: the lab's script on every page that has an element of class grokking-lab."""

from pathlib import Path

PLACE = 'class="grokking-lab"'
SCRIPT = "lab.js"


def add_script(app, pagename, templatename, context, doctree):
    """Only where it is used: it is the heaviest file of the book's own."""
    if PLACE in context.get("body", ""):
        app.add_js_file(SCRIPT, loading_method="defer")


def write_script(app, error):
    """The bundle, from the kernel and the sources of the front end, beside the static files."""
    if error or app.builder.format != "html":
        return
    from lib.widgets.lab import bundle  # the project is on the path by now (companion)

    page = f"../{app.builder.get_target_uri('book/lab')}"
    Path(app.outdir, "_static", SCRIPT).write_text(bundle(page), "utf-8")


def setup(app):
    app.connect("html-page-context", add_script)
    app.connect("build-finished", write_script)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
