"""How old a claim's test is, by this repository's own history."""

import ast
import inspect
import subprocess
from functools import partial
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
WORDS = ("lib/paper/takeaways.py", "lib/paper/predictions.py")


def git(*words, root=ROOT) -> str:
    """What git says; "" where it fails, as in a folder without a history."""
    done = subprocess.run(["git", *words], cwd=root, capture_output=True, text=True)
    return done.stdout if done.returncode == 0 else ""


def whole(root=ROOT) -> bool:
    """Whether all of the history is there."""
    return git("rev-parse", "--is-shallow-repository", root=root).strip() == "false"


def place(judge) -> tuple[str, str]:
    """The file and the name of the function that judges."""
    function = judge.func if isinstance(judge, partial) else judge
    return str(Path(inspect.getsourcefile(function)).relative_to(ROOT)), function.__name__


def unchanged_since(time, name: str, file: str, function: str, root=ROOT) -> bool:
    """Whether a claim's entry and the function that judges it were the same at some time.

    That is, in the last commit before it; comments and layout do not count.  Nor may a constant
    have changed that the entry or the judge reads, or that a function of their files reads for
    them, wherever in `lib` the constant stands.  What is called elsewhere is not looked into.

    Args:
        time: of the first run that the claim judges, with its zone.
        name: of the claim.
        file, function: where it is judged.
    """
    commit = git("rev-list", "-1", f"--until={time.isoformat()}", "HEAD", root=root).strip()
    if not commit:
        return False

    def parts(read):
        nodes = (n for path in WORDS for n in ast.walk(ast.parse(read(path))))
        calls = (n for n in nodes if isinstance(n, ast.Call) and n.args)
        entry = [n for n in calls if getattr(n.args[0], "value", None) == name]
        body = [n for n in ast.parse(read(file)).body if getattr(n, "name", None) == function]
        limits = _constants(read, file, {function})
        for path in WORDS:
            names = (n.id for e in entry for n in ast.walk(e) if isinstance(n, ast.Name))
            limits |= _constants(read, path, set(names))
        return len(entry) + len(body), [*map(ast.dump, entry + body), *sorted(limits)]

    before = parts(lambda path: git("show", f"{commit}:{path}", root=root))
    now = parts(lambda path: (root / path).read_text() if (root / path).exists() else "")
    return before[0] == 2 and before == now


def _constants(read, file: str, names: set[str], seen: frozenset = frozenset()) -> set[str]:
    """The constants that some names of a file rest on, as text: its own, and those it imports.

    Args:
        seen: names of files that are looked into already, by path: imports may go in a circle.
    """
    top = ast.parse(read(file)).body
    known = {getattr(n, "name", None): n for n in top}
    constants = {
        name.id: n
        for n in top
        if isinstance(n, (ast.Assign, ast.AnnAssign))
        for target in getattr(n, "targets", None) or [n.target]
        for name in ast.walk(target)
        if isinstance(name, ast.Name)
    }
    known |= constants
    imported = {
        alias.asname or alias.name: (n.module.replace(".", "/"), alias.name)
        for n in top
        if isinstance(n, ast.ImportFrom) and n.module
        for alias in n.names
    }
    reached, new, elsewhere = set(), set(names), set()
    while new:
        reached |= new
        inside = [n for name in new & known.keys() for n in ast.walk(known[name])]
        elsewhere |= {
            ("/".join(imported[n.value.id]), n.attr)
            for n in inside
            if isinstance(n, ast.Attribute) and getattr(n.value, "id", None) in imported
        }
        new = {n.id for n in inside if isinstance(n, ast.Name)} - reached
    elsewhere |= {imported[name] for name in reached & imported.keys()}
    elsewhere = {at for at in elsewhere - seen if at[1].isupper() and at[0].startswith("lib/")}
    found = {ast.dump(constants[name]) for name in reached & constants.keys()}
    for module, name in elsewhere:
        path = next(filter(read, (f"{module}.py", f"{module}/__init__.py")), None)
        assert path, f"{module}, of which {file} reads {name}, is no module: follow it, too"
        found |= _constants(read, path, {name}, seen | elsewhere)
    return found
