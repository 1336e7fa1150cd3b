"""The book's address: with one, everything that follows from it; without, nothing."""

import pytest
from sphinx.application import Sphinx
from sphinx.util.docutils import docutils_namespace

ADDRESS = "https://github.com/Someone/a-book"
SITE = "https://someone.github.io/a-book/"


@pytest.fixture
def built(tmp_path, monkeypatch, request):
    """A book of two pages, built with or without an address; its folder."""
    monkeypatch.syspath_prepend(str(request.config.rootpath / "book" / "_ext"))
    monkeypatch.delenv("GROKKING_SITE", raising=False)

    def build(address):
        monkeypatch.setenv("GROKKING_ADDRESS", address)
        source = tmp_path / "source"
        source.mkdir()
        (source / "conf.py").write_text(
            "extensions = ['sphinx_book_theme', 'online']\nhtml_theme = 'sphinx_book_theme'\n"
        )
        text = "First\n=====\n\nWhat it is about.\n\n.. toctree::\n\n   other\n"
        (source / "index.rst").write_text(text)
        (source / "other.rst").write_text("Other\n=====\n\nMore.\n")
        out = tmp_path / "html"
        quiet = dict(status=None, warningiserror=True)
        with docutils_namespace():
            Sphinx(source, source, out, tmp_path / "trees", "html", **quiet).build()
        return out

    return build


def test_with_an_address(built):
    out = built(ADDRESS)
    page = (out / "other.html").read_text()
    assert f'property="og:url" content="{SITE}other.html"' in page
    assert f"{SITE}_images/social_previews/" in page
    assert f'href="{ADDRESS}"' in page and f"{ADDRESS}/issues" in page
    assert f"<loc>{SITE}other.html</loc>" in (out / "sitemap.xml").read_text()
    assert 'href="/a-book/_static' in (out / "404.html").read_text()


def test_without_one(built):
    out = built("")
    page = (out / "other.html").read_text()
    assert "social_previews" not in page and "/issues" not in page and "github" not in page.lower()
    assert not (out / "sitemap.xml").exists()
    assert 'href="/_static' in (out / "404.html").read_text()


@pytest.mark.parametrize(
    "address, site",
    [
        (ADDRESS, SITE),
        (f"{ADDRESS}.git", SITE),
        ("https://github.com/Someone/someone.github.io", "https://someone.github.io/"),
        ("https://example.org/a-book", ""),
    ],
)
def test_the_site_of_a_repository(monkeypatch, request, address, site):
    monkeypatch.syspath_prepend(str(request.config.rootpath / "book" / "_ext"))
    monkeypatch.delenv("GROKKING_SITE", raising=False)
    from online import site_of

    assert site_of(address) == site


def test_costs_are_of_an_experiment_s_own_seeds(monkeypatch, request):
    """Those of `split_depth_more` are 8 to 15."""
    monkeypatch.syspath_prepend(str(request.config.rootpath / "book" / "_ext"))
    from companion import trained

    assert {spec.seed for spec in trained("split_depth_more")} == set(range(8, 16))
    some = trained(("figure6", dict(d_model=(8,), train_size=(3000,), seed=range(5))))
    assert sorted((s.d_model, s.train_size, s.seed) for s in some) == [
        (8, 3000, n) for n in range(5)
    ]
