"""Options of the command line: a run's, one for each field, and callbacks from text to value."""

import os
import re
from pathlib import Path

import click

from lib.engines.choose import engine_of
from lib.engines.flops import bytes_of
from lib.engines.precision import PRECISIONS
from lib.paper.experiments import EXPERIMENTS
from lib.paper.recipe import BASE
from lib.paths import ROOT
from lib.runs.machine import TASKS, edited, memory
from lib.runs.store import Store
from lib.spec import KNOBS
from lib.sweeps.speed import known_rate, machine_rate


def close(store: Store) -> None:
    """The end of a command that read the store: 2 where a file was broken (already said)."""
    if store.broken:
        raise click.exceptions.Exit(2)


def _folder(context, option, text):
    return Path(text) if text else None


def _folder_to_read(context, option, text):
    if text and not Path(text).exists():  # a typo would read as "no run is stored"
        raise click.UsageError(f"the results folder {text!r} does not exist")
    return _folder(context, option, text)


RESULTS, RESULTS_TO_READ = (
    click.option(
        "--results",
        type=click.Path(),
        callback=callback,
        help="Folder of finished runs.  [default: results/, or GROKKING_RESULTS]",
    )
    for callback in (_folder, _folder_to_read)
)


THREADS = click.IntRange(1, 1024)


def _known(context, argument, names):
    for name in names:
        if name not in EXPERIMENTS:
            raise click.UsageError(f"unknown experiment {name!r}; known: {', '.join(EXPERIMENTS)}")
    return names


NAMES = click.argument("names", nargs=-1, required=True, callback=_known, metavar="NAME…")

MEASURE = click.option(
    "--measure",
    is_flag=True,
    help="Measure this machine's speed for the estimate (a minute; kept); training does anyway.",
)


def rate_of(specs, store, jobs, how=None, measure=True):
    """This machine's speed for the widths of some specs, and where it is known from.

    Without `measure` nothing is waited for; then None where nothing tells.
    """
    widths = {spec.d_model for spec in specs}
    if not measure:
        return known_rate(widths, store.cache, store.runs(), jobs, how) or (None, "")
    more = dict(jobs=jobs, how=how, say=lambda line: click.echo(line, err=True))
    return machine_rate(widths, store.cache, **more), "as measured on this machine"


def check_edits(store: Store, engine: str | None):
    """An edited model is not trained by the native code, nor kept among the original's runs."""
    files, ours = edited(), os.path.realpath(store.folder) == os.path.realpath(ROOT / "results")
    if ours and edited(TASKS):
        click.echo(
            f"warning: {TASKS} is edited, and a run knows its task by name alone: until a new "
            "task is right, give its runs a folder of their own, with --results",
            err=True,
        )
    if not files:
        return
    told = f"{' and '.join(files)} {'is' if len(files) == 1 else 'are'} edited"
    if engine != "reference":
        told += "; what trains here is the original: --engine reference trains the edited one"
        click.echo(f"warning: {told}", err=True)
    elif ours:
        raise click.UsageError(
            f"{told}, of which the key of a run does not know: give its runs a folder of their "
            "own, with --results"
        )


def check_memory(specs, at_once=1, threads=1, engine=None, device="cpu"):
    """Refuse what this machine cannot hold, before hours are spent on the way to it.

    A GPU's memory is its own, and PyTorch says at once where it is full.
    """
    if device != "cpu":
        return
    needs, spec = max((bytes_of(s, engine_of(s, engine), threads), s.label()) for s in specs)
    there = memory()
    if needs * at_once > there:
        each = f" for each of {at_once} runs at once" if at_once > 1 else ""
        raise click.UsageError(
            f"{spec} takes about {needs / 1e9:,.0f} GB of memory{each}, "
            f"this machine has {there / 1e9:,.0f}; such runs are for a GPU (--device cuda)"
        )


def how_to_train(command):
    """The command with options for the engine, the device and the precision."""
    precisions = dict.fromkeys(name for names in PRECISIONS.values() for name in names)
    for name, choices, default, told in (
        ("--precision", precisions, "float32", "Of matrix products: bf16x6 (as exact as float32) "
         "or bf16x3 on the kernel, with AMX; bf16 with PyTorch, for a GPU."),
        ("--device", ("cpu", "cuda"), "cpu", "What to train on; on a GPU `sweep` trains many "
         "runs at once."),
        ("--engine", PRECISIONS, None, "How an epoch is computed. numba: the native kernel; "
         "stacked: PyTorch; reference: the textbook, which trains any change of lib/model.py.  "
         "[default: the fastest]"),
    ):  # fmt: skip
        shown = dict(default=default, show_default=default is not None, help=told)
        command = click.option(name, type=click.Choice(list(choices)), **shown)(command)
    return command


def of_a_run(command):
    """The command with an option for each field of RunSpec; defaults: the paper's setting."""
    for knob in reversed(KNOBS.values()):
        if knob.name == "init_from":  # a whole spec: for experiments, not for the command line
            continue
        shown = dict(default=getattr(BASE, knob.name), show_default=True, help=knob.help)
        name = f"--{knob.name.replace('_', '-')}"
        command = click.option(name, type=knob.kind, **shown)(command)
    return command


MOST = 1_000
"""Seeds of a command."""


def seeds(context, option, text):
    """ "0:3", "5" or "0,2,7" as a list of seeds."""
    if text is None:
        return None
    try:
        if ":" in text:
            first, last = map(int, text.split(":"))
            found = range(first, min(last, first + MOST + 1))
        else:
            found = [int(part) for part in text.split(",")]
    except ValueError:
        found = []
    if not found:
        raise click.BadParameter(f"{text!r} names no seeds; say 0:3, 5 or 0,2,7")
    if len(found) > MOST:
        raise click.BadParameter(f"{text!r} names too many seeds: {MOST:,} at most")
    return list(found)


def duration(context, option, text):
    """Seconds in "90s", "45m", "2h", "1h30m" or "90"."""
    if text is None:
        return None
    # so many digits are millions of years, and a float holds them
    match = re.fullmatch(r"(?:(\d{1,15})h)?(?:(\d{1,15})m)?(?:(\d{1,15})(s?))?", text.strip())
    # "1h30" would be an hour and half a minute to one reader, and half an hour more to another
    unclear = match and (match[1] or match[2]) and match[3] and not match[4]
    if not match or not any(match.groups()) or unclear:
        raise click.BadParameter(f"{text!r} is not a duration such as 90s, 45m or 1h30m")
    hours, minutes, seconds = (int(part or 0) for part in match.groups()[:3])
    return 3600.0 * hours + 60 * minutes + seconds


def address(context, option, text):
    """Where a Dask scheduler listens: tcp://host:port, or tls://host:port."""
    if text is not None and not re.fullmatch(r"(tcp|tls)://[\w.:\[\]-]+:\d{1,5}", text):
        raise click.BadParameter(f"{text!r} is no address; say tcp://host:8786")
    return text
