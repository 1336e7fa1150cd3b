"""Builds `kernel.wasm` and `kernel_relaxed.wasm`, the kernel for a page: `make wasm`.

    python -m lib.engines.wasm.compile [--check]

Writes the modules and `kernel.json`, which says what they were made from; with `--check` it
only says whether a rebuild gives the committed bytes.  It needs the linker `wasm-ld`
(package lld), and takes most of a minute.
"""

import hashlib
import inspect
import json
import os
import shutil
import subprocess
import sys
import tempfile
from importlib.metadata import version
from pathlib import Path

import click

from lib import tasks
from lib.engines.wasm import memory
from lib.engines.wasm.module import HERE, MANIFEST, MODULE, RELAXED
from lib.errors import UserError
from lib.paths import ROOT

_ENVIRONMENT = {
    "GROKKING_LANES": "4",
    "NUMBA_CPU_NAME": "generic",
    "NUMBA_CPU_FEATURES": "+fma",  # that `llvm.fma` is in the text; `translate` replaces it
    "NUMBA_LOOP_VECTORIZE": "0",
    "NUMBA_SLP_VECTORIZE": "0",
}
"""So that Numba's text does not depend on the machine that builds."""

_COMPILE = """
import platform, sys
platform.machine = lambda: "wasm32"  # so that nothing of x86 is compiled in
from lib.engines.wasm import entries, translate
found = entries.entry_points()
text = translate.portable(translate.linked(found), found)
for path, *features in ((sys.argv[1],), (sys.argv[2], translate.RELAXED)):
    open(path, "wb").write(translate.object_code(text, *features))
"""


_NATIVE = ("engine", "pace", "amx", "amx_products", "kept")
"""Files of the kernel that nothing is compiled from for a page."""


class BuildError(UserError):
    """The module cannot be built here."""


def sources() -> list[Path]:
    """The files that the module is made from: the kernel's and this folder's."""
    kernel = [path for name in ("kernel", "simd") for path in (HERE.parent / name).glob("*.py")]
    kernel = [path for path in kernel if path.stem not in _NATIVE]
    return [*sorted(kernel), *sorted(HERE.glob("*.py"))]


def digest() -> str:
    """A hash of all sources, by name and content, and of a page's tasks: another is none of it."""
    found = hashlib.sha256()
    for path in sources():
        name = path.relative_to(ROOT).as_posix()
        found.update(name.encode() + b"\0" + path.read_bytes() + b"\0")
    for labels in (tasks.add, tasks.subtract, tasks.square):
        found.update(inspect.getsource(labels).encode() + b"\0")
    return found.hexdigest()


def linker() -> str | None:
    """The path of wasm-ld, or None."""
    return shutil.which("wasm-ld")


def tools() -> dict[str, str]:
    """What else the bytes depend on: versions of the compiler and of the linker."""
    said = subprocess.run([linker(), "--version"], capture_output=True, text=True, check=True)
    return dict(numba=version("numba"), llvmlite=version("llvmlite"), lld=said.stdout.split()[-1])


def build() -> dict[Path, bytes]:
    """The bytes of `MODULE` and of `RELAXED`.

    Raises:
        BuildError: if there is no linker, or a step fails.
    """
    if linker() is None:
        raise BuildError("the linker wasm-ld is missing (Debian, Ubuntu: apt-get install lld)")
    with tempfile.TemporaryDirectory() as folder:
        codes = {path: Path(folder, path.name).with_suffix(".o") for path in (MODULE, RELAXED)}
        environment = os.environ | _ENVIRONMENT | {"NUMBA_CACHE_DIR": folder}
        command = [sys.executable, "-c", _COMPILE, *map(str, codes.values())]
        _run(command, cwd=ROOT, env=environment)
        return {path: _link(code) for path, code in codes.items()}


def _link(code: Path) -> bytes:
    target = code.with_suffix(".wasm")
    options = ["--no-entry", "--export-dynamic", "--export=__heap_base", "--allow-undefined"]
    options += ["--strip-all", "--stack-first", "-z", "stack-size=262144"]
    _run([linker(), *options, str(code), "-o", str(target)])
    return target.read_bytes()


def _run(command: list[str], **options) -> None:
    done = subprocess.run(command, capture_output=True, text=True, **options)
    if done.returncode:
        last = (done.stderr.strip() or "no message").splitlines()[-1]
        raise BuildError(f"{Path(command[0]).name} failed: {last}")


def manifest(modules: dict[Path, bytes]) -> dict:
    """What is written beside the modules."""
    layout = dict(
        setting=memory.Setting._fields, plan=memory.Plan._fields, tasks=memory.TASKS,
        plan_at=memory.PLAN, header=memory.HEADER,
    )  # fmt: skip
    sums = {path.name: hashlib.sha256(module).hexdigest() for path, module in modules.items()}
    return dict(sha256=sums, sources=digest(), tools=tools(), layout=layout)


@click.command()
@click.option("--check", is_flag=True, help="Compare with the committed modules; write nothing.")
def main(check: bool):
    """Build the page's kernel from the sources of the native one."""
    try:
        modules = build()
    except BuildError as error:
        raise click.UsageError(str(error)) from error
    if check:
        if any(module != path.read_bytes() for path, module in modules.items()):
            raise click.UsageError("a rebuild gives other bytes than the committed ones")
        click.echo("a rebuild gives the committed bytes")
        return
    for path, module in modules.items():
        path.write_bytes(module)
        click.echo(f"{path.name}: {len(module):,} bytes")
    MANIFEST.write_text(json.dumps(manifest(modules), indent=1) + "\n", "utf-8")


if __name__ == "__main__":
    main()
