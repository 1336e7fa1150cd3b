"""The parameters of a chapter: its cell tagged `parameters`, and what may be put in their place."""

import ast
import io
import re
import sys
import tokenize
from collections.abc import Iterable
from pathlib import Path
from typing import Any, NamedTuple

import yaml

from lib.errors import UserError
from lib.paper.recipe import BASE, RECIPES
from lib.paths import ROOT
from lib.spec import KNOBS, MANY, RunSpec, SpecError

NOTEBOOKS = ROOT / "notebooks"


class ChapterError(UserError):
    """A request that cannot be carried out: nothing is written."""


class Parameter(NamedTuple):
    """A parameter of a chapter: its default as a value (or `...` if that is an expression)."""

    default: Any
    text: str
    help: str


def chapters() -> list[str]:
    """The names of all chapters that have a source."""
    return sorted(path.stem for path in NOTEBOOKS.glob("*.py") if path.name[0] != ".")


def source(chapter: str) -> Path:
    """The file of a chapter.  Raises ChapterError if there is none."""
    if chapter not in (known := chapters()):
        raise ChapterError(f"unknown chapter {chapter!r}; known: {', '.join(known) or 'none'}")
    return NOTEBOOKS / f"{chapter}.py"


def parameters(chapter: str) -> dict[str, Parameter]:
    """The parameters of a chapter by name, in the order of its cell tagged `parameters`.

    Raises:
        ChapterError: if there is no such chapter, or its cell is no Python.
    """
    path = source(chapter)
    cells = re.split(r"^# %%", path.read_text(encoding="utf-8-sig"), flags=re.MULTILINE)
    marked = [cell.partition("\n") for cell in cells if '"parameters"' in cell.partition("\n")[0]]
    code = marked[0][2] if marked else ""
    try:
        tree = ast.parse(code)
    except SyntaxError as error:
        raise ChapterError(f"notebooks/{path.name} cannot be read: {error.msg}") from error
    comments = {
        token.start[0]: token.string.strip("# ")
        for token in tokenize.generate_tokens(io.StringIO(code).readline)
        if token.type == tokenize.COMMENT
    }
    return {
        target.id: Parameter(
            _literal(node.value),
            " ".join(ast.get_source_segment(code, node.value).split()),
            comments.get(node.end_lineno, ""),
        )
        for node in tree.body
        if isinstance(node, (ast.Assign, ast.AnnAssign)) and node.value
        for target in getattr(node, "targets", None) or [node.target]
        if isinstance(target, ast.Name)
    }


def _literal(node: ast.expr) -> Any:
    try:
        return ast.literal_eval(node)
    except ValueError:  # an expression: any value will do
        return ...


def check(chapter: str, given: Iterable[tuple[str, str]]) -> dict[str, Any]:
    """Turns (name, text) pairs into values of the types that a chapter's defaults have.

    Raises:
        ChapterError: if a name is unknown, a value has the wrong type, or no run can have it.
    """
    known, values = parameters(chapter), {}
    for name, text in given:
        if name not in known:
            listed = ", ".join(f"{n} = {p.text}" for n, p in known.items()) or "none"
            raise ChapterError(f"unknown parameter {name!r} of {chapter}; known: {listed}")
        default = known[name].default
        value = text if isinstance(default, str) else _parse(text)
        if not _fits(value, default):
            raise ChapterError(f"{name} must be {_wanted(default)}, got {text!r}")
        if problem := _refused(name, value, timed="decays" in known):
            raise ChapterError(f"{name} cannot be {text}: {problem}")
        values[name] = value
    return values


def _parse(text: str) -> Any:
    """A value from the command line: a Python literal, or else YAML (`true`, `[a, b]`)."""
    try:
        return ast.literal_eval(text)
    except (ValueError, TypeError, SyntaxError, MemoryError, RecursionError):
        pass
    try:
        return text if ":" in text else yaml.safe_load(text)  # YAML reads 1:30 as 90
    except Exception:  # YAMLError, and what its constructors raise: 0x_, a date that is none
        return text


def _fits(value: Any, default: Any) -> bool:
    """Whether a value has the type of a default; lists are compared by their first element."""
    if isinstance(value, (int, float)) and not abs(value) <= sys.float_info.max:
        return False
    if isinstance(value, (list, tuple)) and not isinstance(default, (list, tuple)):
        return default in (None, ...) and all(_fits(item, default) for item in value)
    if default is None or default is ...:
        return True
    if isinstance(value, bool) or isinstance(default, bool):
        return isinstance(value, bool) and isinstance(default, bool)
    if isinstance(default, (list, tuple)):
        first = default[0] if default else ...
        if not isinstance(value, (list, tuple)) or (default and not value):
            return False
        if isinstance(default, tuple) and len(value) != len(default):
            return False
        pairs = isinstance(first, (list, tuple))  # of which none may lack its second part
        return all(_fits(v, first) and not (pairs and len(v) != len(first)) for v in value)
    if isinstance(default, float):
        return isinstance(value, (int, float))
    return isinstance(value, type(default))


def _wanted(default: Any) -> str:
    """What a value must be, in words, from the default."""
    if isinstance(default, (list, tuple)):
        return f"a list like {list(default)}"
    words = {bool: "true or false", int: "a whole number", float: "a finite number"}
    return f"{words.get(type(default), type(default).__name__)} like {default}"


_SHORT = {"sizes": "train_size", "decays": "weight_decay", "checkpoints": "epochs"}
_SHORT |= dict.fromkeys(("memorized", "generalized"), "train_size")
LONGEST = 5
"""How many times a chapter's epochs its longest runs have, at most."""

_PAIRS = {"progression", "grokking", "cells"}  # of d_model and train_size, or a list of them


def _refused(name: str, value: Any, timed: bool = False) -> str | None:
    """Why no run can have a value, where a parameter is named after a field of `RunSpec`.

    `lr`, `deep_lr`, `d_models` and `critical_d_models` are; found out here, in a moment, and
    not in the chapter's eleventh cell.

    timed: runs are as long as so many decay times, of which there are none without decay.
    """
    if name == "recipes":
        unknown = [one for one in value if one not in RECIPES]
        return f"unknown recipe {unknown[0]!r}; known: {', '.join(RECIPES)}" if unknown else None
    if name in _PAIRS:
        pairs = [value] if isinstance(value[0], int) else value
        problems = (_impossible(dict(d_model=d, train_size=size)) for d, size in pairs)
        return next(filter(None, problems), None)
    for field in (*KNOBS, *_SHORT):
        if not re.fullmatch(rf"(.*_)?{field}s?", name):
            continue
        for item in value if isinstance(value, (list, tuple)) else [value]:
            field = _SHORT.get(field, field)
            if timed and field == "weight_decay" and item == 0:
                return "without weight decay there is no decay time"
            if timed and field == "weight_decay":
                decays = min(BASE.epochs * BASE.weight_decay / item, MANY + 1)
                if problem := _impossible({"epochs": LONGEST * max(1, round(decays))}):
                    return f"so many decay times are too long: {problem}"
            if field == "epochs" and not _impossible({field: item}):
                if problem := _impossible({field: LONGEST * item}):
                    return f"a chapter's longest runs have {LONGEST} times as many: {problem}"
            if problem := _impossible({field: item}):
                return problem
    return None


def _impossible(fields: dict[str, Any]) -> str | None:
    """Why no run has these."""
    try:
        RunSpec(**fields)
    except (SpecError, TypeError) as error:
        return str(error)
    return None
