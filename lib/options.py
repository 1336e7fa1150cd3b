"""Values of options on the command line: click callbacks from text to value."""

import re

import click

from lib.cost import parse_duration


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
