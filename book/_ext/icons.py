"""Sphinx extension: of the theme's two thousand icons those that the pages show.

The theme ships all of Font Awesome, which is more than half of what a plain page weighs.
"""

import re
from pathlib import Path

SCRIPT = Path("_static", "scripts", "fontawesome.js")
OTHERS = ("pydata-sphinx-theme.js", "sphinx-book-theme.js", "togglebutton.js")
"""Scripts that put icons on a page."""

USED = re.compile(r"\bfa-([a-z0-9-]+)")
ICON = re.compile(
    r'(?:"(?P<quoted>[\w-]+)"|(?P<bare>\w+)):'  # its name
    r'\[\d+,\d+,\[(?P<others>[^\]]*)\],"[0-9a-f]+",(?:"[^"]*"|\[[^\]]*\])\],?'
)


def keep_used(text: str, used: set[str]) -> str:
    """Font Awesome's script with the icons of these names, or of other names that are these."""

    def kept(icon: re.Match) -> str:
        names = {icon["quoted"] or icon["bare"], *re.findall(r'"([\w-]+)"', icon["others"])}
        return icon[0] if names & used else ""

    return ICON.sub(kept, text)


def thin(app, error):
    """Shortens the script in the built book; what it does not understand stays whole."""
    if error or app.builder.format != "html":
        return
    out = Path(app.outdir)
    script = out / SCRIPT
    scripts = [path for path in out.glob("_static/**/*.js") if path.name in OTHERS]
    texts = (path.read_text("utf-8") for path in [*out.rglob("*.html"), *scripts])
    used = {name for text in texts for name in USED.findall(text)}
    if script.exists():
        script.write_text(keep_used(script.read_text("utf-8"), used), "utf-8")
        script.with_suffix(".js.map").unlink(missing_ok=True)


def setup(app):
    app.connect("build-finished", thin)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
