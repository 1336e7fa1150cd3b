"""What a fresh clone needs: the lists of packages agree, vendored files are what they say."""

import hashlib
import json
import re
import subprocess
import sys
import tomllib

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from lib.paths import ROOT

VENDOR = ROOT / "book" / "static" / "vendor"


def pinned(lines):
    """Name -> exact version, from lines of `name==version`."""
    found = {}
    for line in lines:
        requirement = Requirement(line)
        (specifier,) = requirement.specifier
        assert specifier.operator == "==" and "*" not in specifier.version, line
        assert "+" not in specifier.version, f"{line}: a local build, which no registry has"
        name = canonicalize_name(requirement.name)
        assert name not in found, f"{name} is listed twice"
        found[name] = specifier.version
    return found


@pytest.fixture
def requirements():
    lines = (ROOT / "requirements.txt").read_text().splitlines()
    return pinned(line for line in lines if line.strip() and not line.startswith("#"))


@pytest.fixture
def project():
    return tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]


def test_environment_has_the_packages_of_requirements(requirements):
    environment = yaml.safe_load((ROOT / "environment.yml").read_text())
    (pip,) = [entry["pip"] for entry in environment["dependencies"] if isinstance(entry, dict)]
    assert pip.pop() == "-e ."  # chapters import the project, and have no path of their own to it
    assert pinned(pip) == requirements


def test_requirements_lie_in_the_ranges_of_pyproject(requirements, project):
    direct = project["dependencies"] + project["optional-dependencies"]["dev"]
    names = [canonicalize_name(Requirement(text).name) for text in direct]
    assert len(names) == len(set(names)), "a package is listed twice"
    for text in direct:
        requirement = Requirement(text)
        version = requirements[canonicalize_name(requirement.name)]
        assert requirement.specifier.contains(version), f"{text}, but {version} is pinned"


def test_requirements_are_complete(requirements, project):
    """Everything that a pinned package pulls in here is pinned as well."""
    from importlib.metadata import requires

    for name in requirements:
        for text in requires(name) or []:
            needed = Requirement(text)
            if needed.marker is None or needed.marker.evaluate({"extra": ""}):
                # GPU libraries come with some builds of torch, and differ between machines
                if not needed.name.startswith(("nvidia-", "cuda-", "triton")):
                    assert canonicalize_name(needed.name) in requirements, f"{name} needs {text}"


def test_everything_imported_is_declared(project):
    import ast

    names = {canonicalize_name(Requirement(text).name) for text in project["dependencies"]}
    names |= {"lib", "benchmarks", "yaml", "triton"}  # the last is PyTorch for CUDA's own need
    for path in [*(ROOT / "lib").rglob("*.py"), *(ROOT / "notebooks").glob("*.py")]:
        for node in ast.walk(ast.parse(path.read_text())):
            modules = []
            if isinstance(node, ast.Import):
                modules = [alias.name for alias in node.names]
            elif isinstance(node, ast.ImportFrom) and not node.level:
                modules = [node.module]
            for module in (m.partition(".")[0] for m in modules):
                known = module in sys.stdlib_module_names or canonicalize_name(module) in names
                assert known, f"{path.name} imports {module}"


def test_vendored_files_are_what_they_say():
    listed = {}
    for entry in json.loads((VENDOR / "VENDOR.json").read_text()):
        assert all(entry[key] for key in ("name", "version", "licence", "source")), entry
        listed |= entry["sha256"]
    present = {p.relative_to(VENDOR).as_posix(): p for p in VENDOR.rglob("*") if p.is_file()}
    del present["VENDOR.json"]
    digests = {name: hashlib.sha256(p.read_bytes()).hexdigest() for name, p in present.items()}
    assert digests == listed


def test_git_does_not_ignore_what_a_clone_needs():
    paths = ["lib/spec.py", "results/x.parquet", "book/static/vendor/requirejs/require.js"]
    paths += ["notebooks/x.py", "book/assets/x.svg", "requirements.txt", ".ci/run"]
    asked = subprocess.run(
        ["git", "check-ignore", "--no-index", *paths], cwd=ROOT, capture_output=True, text=True
    )
    if asked.returncode == 128:
        pytest.skip("not a git checkout")
    assert asked.stdout == ""


def test_every_chapter_has_its_cost(monkeypatch):
    monkeypatch.syspath_prepend(str(ROOT / "book" / "_ext"))
    import companion

    chapters = {path.stem for path in (ROOT / "notebooks").glob("*.py")} - {"verdicts"}
    assert set(companion.CHAPTERS) == chapters, "CHAPTERS of book/_ext/companion.py"
    index = (ROOT / "book" / "index.md").read_text("utf-8")
    assert not {name for name in chapters if f"chapters/{name}" not in index}, "cards of index.md"
    rows = companion.costs().splitlines()[2:]
    assert len(rows) == len(chapters)
    assert all(float(row.split("|")[-2]) > 0 for row in rows)
    assert any("other_implementations" in row and row.split("|")[2].strip() == "10" for row in rows)


def test_every_pin_installs_on_the_oldest_python(requirements, project):
    """Debian 12 has 3.11.2: a pin that asks for a later 3.11 leaves its users outside."""
    from importlib.metadata import PackageNotFoundError, metadata

    from packaging.specifiers import SpecifierSet

    assert project["requires-python"] == ">=3.11"
    for name, version in requirements.items():
        try:
            about = metadata(name)
        except PackageNotFoundError:
            continue  # a package of another platform
        if about["Version"].partition("+")[0] == version:
            assert SpecifierSet(about.get("Requires-Python", "")).contains("3.11.2"), name


def test_files_that_texts_name_are_there():
    named = re.compile(r"\b(?:lib|tests|benchmarks)/[\w/]+\.(?:py|js|css)\b")
    texts = [*ROOT.glob("*.md"), ROOT / "Makefile", *(ROOT / "book").glob("*.md")]
    for folder in ("lib", "tests", "benchmarks", "notebooks"):
        texts += [p for end in ("py", "js") for p in (ROOT / folder).rglob(f"*.{end}")]
    found = [(path, name) for path in texts for name in named.findall(path.read_text("utf-8"))]
    assert found
    assert [pair for pair in found if not (ROOT / pair[1]).is_file()] == []


@pytest.mark.parametrize("there", [True, False])
def test_a_venv_that_cannot_be_made_takes_nothing_with_it(tmp_path, there):
    """As on Debian without python3-venv: what lay in the folder stays."""
    python, venv = tmp_path / "python", tmp_path / "env"
    python.write_text('#!/bin/sh\ntest "$1" = -c || { mkdir -p "$3/lib"; exit 1; }\n')
    python.chmod(0o755)
    if there:
        venv.mkdir()
        (venv / "thesis.txt").write_text("all of it")
    words = ["make", "-C", str(ROOT), f"PYTHON={python}", f"VENV={venv}", f"{venv}/bin/python"]
    result = subprocess.run(words, capture_output=True, text=True)
    assert result.returncode == 2 and "python3-venv" in result.stderr
    assert (venv / "thesis.txt").exists() == venv.exists() == there
    blank = subprocess.run([*words[:4], f"VENV={tmp_path}/my env", "book"], capture_output=True)
    assert blank.returncode == 2 and b"must be one word" in blank.stderr
