"""Builds `kernel.wasm`, the kernel for a page: `make wasm`.

    python -m lib.engines.wasm.compile [--check]

Writes the module and `kernel.json`, which says what it was made from; with `--check` it
only says whether a rebuild gives the committed bytes.  It needs the linker `wasm-ld`
(package lld), and takes about two minutes.
"""

import hashlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
from importlib.metadata import version
from pathlib import Path

import click

from lib.engines.wasm import memory
from lib.engines.wasm.module import HERE, MANIFEST, MODULE
from lib.errors import UserError
from lib.paths import ROOT

_ENVIRONMENT = {
    "GROKKING_LANES": "4",
    "NUMBA_CPU_NAME": "generic",
    "NUMBA_CPU_FEATURES": "",
    "NUMBA_LOOP_VECTORIZE": "0",
    "NUMBA_SLP_VECTORIZE": "0",
}
"""So that Numba's text does not depend on the machine that builds."""

_COMPILE = """
import platform, sys
platform.machine = lambda: "wasm32"  # so that nothing of x86 is compiled in
from lib.engines.wasm import entries, translate
text = translate.linked(entries.entry_points())
code = translate.object_code(translate.portable(text, entries.NAMES), *sys.argv[2:])
open(sys.argv[1], "wb").write(code)
"""


class BuildError(UserError):
    """The module cannot be built here."""


def sources() -> list[Path]:
    """The files that the module is made from: the tasks', the kernel's and this folder's."""
    kernel = [f"kernel/{name}.py" for name in ("epochs", "layout", "memory", "network", "products")]
    vectors = [f"simd/{name}.py" for name in ("blocks", "processor", "vectors")]
    return [ROOT / "lib/tasks.py", *(HERE.parent / n for n in kernel + vectors), *_here()]


def _here() -> list[Path]:
    return sorted(HERE.glob("*.py"))


def digest() -> str:
    """A hash of all sources, by name and content."""
    found = hashlib.sha256()
    for path in sources():
        name = path.relative_to(ROOT).as_posix()
        found.update(name.encode() + b"\0" + path.read_bytes() + b"\0")
    return found.hexdigest()


def linker() -> str | None:
    """The path of wasm-ld, or None."""
    return shutil.which("wasm-ld")


def tools() -> dict[str, str]:
    """What else the bytes depend on: versions of the compiler and of the linker."""
    said = subprocess.run([linker(), "--version"], capture_output=True, text=True, check=True)
    return dict(numba=version("numba"), llvmlite=version("llvmlite"), lld=said.stdout.split()[-1])


def build(*features: str) -> bytes:
    """The module's bytes; `features`: for LLVM, other than `translate.FEATURES`.

    Raises:
        BuildError: if there is no linker, or a step fails.
    """
    if linker() is None:
        raise BuildError("the linker wasm-ld is missing (Debian, Ubuntu: apt-get install lld)")
    with tempfile.TemporaryDirectory() as folder:
        code, target = Path(folder, "kernel.o"), Path(folder, "kernel.wasm")
        environment = os.environ | _ENVIRONMENT | {"NUMBA_CACHE_DIR": folder}
        command = [sys.executable, "-c", _COMPILE, str(code), *features]
        _run(command, cwd=ROOT, env=environment)
        _link(code, target)
        return target.read_bytes()


def _link(code: Path, target: Path) -> None:
    options = ["--no-entry", "--export-dynamic", "--export=__heap_base", "--allow-undefined"]
    options += ["--strip-all", "--stack-first", "-z", "stack-size=262144"]
    _run([linker(), *options, str(code), "-o", str(target)])


def _run(command: list[str], **options) -> None:
    done = subprocess.run(command, capture_output=True, text=True, **options)
    if done.returncode:
        last = (done.stderr.strip() or "no message").splitlines()[-1]
        raise BuildError(f"{Path(command[0]).name} failed: {last}")


def manifest(module: bytes) -> dict:
    """What is written beside a module."""
    checksum = hashlib.sha256(module).hexdigest()
    layout = dict(
        setting=memory.Setting._fields, plan=memory.Plan._fields, tasks=memory.TASKS,
        plan_at=memory.PLAN, header=memory.HEADER,
    )  # fmt: skip
    noted = dict(sha256=checksum, bytes=len(module), sources=digest(), tools=tools())
    return noted | dict(layout=layout)


@click.command()
@click.option("--check", is_flag=True, help="Compare with the committed module; write nothing.")
def main(check: bool):
    """Build the page's kernel from the sources of the native one."""
    try:
        module = build()
    except BuildError as error:
        raise click.UsageError(str(error)) from error
    if check:
        if module != MODULE.read_bytes():
            raise click.UsageError("a rebuild gives other bytes than the committed ones")
        click.echo("a rebuild gives the committed bytes")
        return
    MODULE.write_bytes(module)
    MANIFEST.write_text(json.dumps(manifest(module), indent=1) + "\n", "utf-8")
    click.echo(f"{MODULE.name}: {len(module):,} bytes")


if __name__ == "__main__":
    main()
