"""What our Sphinx extensions make of formulas and of the theme's icon font."""

import logging

import pytest
from docutils import nodes
from fontTools.fontBuilder import FontBuilder
from fontTools.pens.ttGlyphPen import TTGlyphPen
from fontTools.ttLib import TTFont


@pytest.fixture(autouse=True)
def extensions(request, monkeypatch):
    monkeypatch.syspath_prepend(str(request.config.rootpath / "book" / "_ext"))


def test_a_formula_is_mathml():
    from formulas import mathml

    made = mathml(nodes.math("", r"D_\text{crit} \le \frac{1}{2}"), "block")
    assert made.startswith("<math") and 'display="block"' in made and "\\" not in made


@pytest.mark.parametrize("tex", [r"a < \left( b", r"a < \nosuch"])
def test_what_is_no_formula_is_named_and_shown_as_tex(tex, caplog):
    from formulas import mathml

    with caplog.at_level(logging.WARNING):
        assert mathml(nodes.math("", tex), "inline") == f"<code>{tex.replace('<', '&lt;')}</code>"
    assert tex in caplog.text


def font(path, characters):
    names = [".notdef", *(f"c{ord(c):x}" for c in characters)]
    builder = FontBuilder(1000)
    builder.setupGlyphOrder(names)
    builder.setupCharacterMap({ord(c): f"c{ord(c):x}" for c in characters})
    builder.setupGlyf({name: TTGlyphPen(None).glyph() for name in names})
    builder.setupHorizontalMetrics({name: (500, 0) for name in names})
    builder.setupHorizontalHeader()
    builder.setupNameTable({})
    builder.setupOS2()
    builder.setupPost()
    builder.save(path)


def test_of_the_font_stays_what_is_used_by_name_or_by_a_style(tmp_path):
    from icons import thin_font

    file, styles = tmp_path / "fa-solid-900.ttf", tmp_path / "theme.css"
    font(file, "\uf0c9\uf071\uf019")
    file.with_suffix(".woff2").write_bytes(b"all of it")
    text = (
        '.fa-bars:before,.fa-navicon:before{content:"\\f0c9"}.fa-download:before{content:"\\f019"}'
        '--pst-icon-exclamation-triangle:"\uf071"'
        'src:url(../fa-solid-900.woff2) format("woff2"),url(../fa-solid-900.ttf)'
    )
    styles.write_text(text, "utf-8")
    thin_font(styles, file, {"navicon"})
    assert {chr(code) for code in TTFont(file).getBestCmap()} == {"\uf0c9", "\uf071"}
    assert "woff2" not in styles.read_text("utf-8") and not file.with_suffix(".woff2").exists()


def test_styles_that_are_not_understood_leave_the_font_whole(tmp_path):
    from icons import thin_font

    file, styles = tmp_path / "fa-solid-900.ttf", tmp_path / "theme.css"
    font(file, "\uf0c9")
    before = file.read_bytes()
    styles.write_text("nothing known", "utf-8")
    thin_font(styles, file, {"bars"})
    assert file.read_bytes() == before


@pytest.mark.parametrize(
    "heads, name", [(("Our runs", "Runs"), "claims"), (("before", "after"), "claims changes")]
)
def test_tables_of_claims_are_known_by_their_heads(heads, name):
    """By their class a phone shows rows as blocks (book.css)."""
    from access import described

    head = "".join(f'<th class="head"><p>{words}</p></th>\n' for words in heads)
    table = f'<table class="docutils">{head}</table>'
    assert f'<table class="{name} docutils">' in described(table)
    assert 'class="docutils"' in described(table.replace(heads[0], "something else"))
