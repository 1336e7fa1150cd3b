"""Options of the command line: a run's, one for each field, and callbacks from text to value."""

import re
from dataclasses import fields

import click

from lib.cost import parse_duration
from lib.paper import BASE
from lib.spec import RunSpec

HELP = {
    "task": "What to learn: add, square, random, multitask, or another registered task.",
    "modulus": "P: tokens 0 to P-1.",
    "train_size": "D: training points, of the P² pairs.",
    "memorize_size": "Random-label points beside them (multitask).",
    "d_model": "Hidden size, a multiple of the heads.",
    "epochs": "T: full-batch steps.",
    "n_evals": "Points of the stored curve, at most.",
    "stop_after": "Stop when validation accuracy has stayed at 0.999 for so many epochs.",
    "split_mlp": "Half of the MLP for each task of a mixture: true or false.",
    "norm": "pre: LayerNorm before each sublayer and the unembedding.  [default: none]",
    "residual": "scaled: W_O and W_out start smaller, by depth.  [default: not]",
    "warmup": "Epochs over which the learning rate rises to its value.",
}


def _plain(kind):
    """The type of a field, of `int | None` the int."""
    return next((part for part in getattr(kind, "__args__", ()) if part is not type(None)), kind)


def of_a_run(command):
    """The command with an option for each field of RunSpec; defaults: the paper's setting."""
    for field in reversed(fields(RunSpec)):
        if field.name == "init_from":  # a whole spec: for experiments, not for the command line
            continue
        command = click.option(
            f"--{field.name.replace('_', '-')}",
            type=_plain(field.type),
            default=getattr(BASE, field.name),
            show_default=True,
            help=HELP.get(field.name),
        )(command)
    return command


def seeds(context, option, text):
    """ "0:3", "5" or "0,2,7" as a list of seeds."""
    if text is None:
        return None
    try:
        if ":" in text:
            first, last = map(int, text.split(":"))
            found = range(first, last)
        else:
            found = [int(part) for part in text.split(",")]
    except ValueError:
        found = []
    if not 1 <= len(found) <= 10_000:
        raise click.BadParameter(f"{text!r} names no seeds; say 0:3, 5 or 0,2,7")
    return list(found)


def duration(context, option, text):
    """A duration such as 1h30m in seconds."""
    try:
        return None if text is None else parse_duration(text)
    except ValueError as error:
        raise click.BadParameter(str(error)) from error


def address(context, option, text):
    """Where a Dask scheduler listens: tcp://host:port, or tls://host:port."""
    if text is not None and not re.fullmatch(r"(tcp|tls)://[\w.:\[\]-]+:\d{1,5}", text):
        raise click.BadParameter(f"{text!r} is no address; say tcp://host:8786")
    return text
