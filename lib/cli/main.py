"""The command line: `grokking …`, or `python -m lib …`.

A mistake of the user is one line on stderr, "error: …", and exit code 2; a run or a disk
that fails is exit code 1; Ctrl-C is 130.  A command's module is imported when it is asked
for, so that `--help` answers at once.
"""

import contextlib
import errno
import importlib
import importlib.util
import os
import re
import sys

import click

from lib.errors import UserError

COMMANDS = {  # name -> its module and its name there, and its line in `--help`
    "train": ("lib.cli.train", "command", "Train one run, and keep it."),
    "sweep": ("lib.cli.sweep", "command", "Train what is missing of named experiments."),
    "search": ("lib.cli.search", "command", "Train what decides which recipe fits the paper best."),
    "status": ("lib.cli.status", "command", "Show what is done of each experiment of the paper."),
    "claims": ("lib.cli.claims", "command", "Judge the paper's takeaways and sentences."),
    "run": ("lib.cli.book", "run", "Execute a chapter, with other parameters if asked."),
    "build": ("lib.cli.book", "build", "Execute the chapters that changed, then build the book."),
    "circuits": ("lib.cli.circuits", "command", "Look into the networks of named experiments."),
    "compact": ("lib.cli.status", "compact", "Merge small files of finished runs into few."),
    "bench": ("benchmarks.speed", "command", "Measure the trainer's speed on this machine."),
}


class _Main(click.Group):
    """The group of all commands; turns what goes wrong into one line and an exit code."""

    def list_commands(self, context):
        return [name for name, (module, *_) in COMMANDS.items() if _exists(module)]

    def get_command(self, context, name):
        if name not in self.list_commands(context):
            return None
        module, attribute, _ = COMMANDS[name]
        return getattr(importlib.import_module(module), attribute)

    def format_commands(self, context, formatter):
        with formatter.section("Commands"):
            formatter.write_dl([(name, COMMANDS[name][2]) for name in self.list_commands(context)])

    def main(self, args=None, prog_name=None, **extra):
        args = list(sys.argv[1:] if args is None else args) or ["--help"]
        _print_anything()
        try:
            code = super().main(args, prog_name, **extra | {"standalone_mode": False})
        except (KeyboardInterrupt, click.Abort):
            _fail("interrupted; what was finished is kept", 130)
        except BrokenPipeError:  # the reader of our output has gone, as in `… | head -1`
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            sys.exit(1)
        except click.ClickException as error:
            _fail(error.format_message(), error.exit_code)
        except UserError as error:
            _fail(error, 2)
        except (MemoryError, RuntimeError) as error:  # PyTorch has a RuntimeError for it
            if isinstance(error, RuntimeError) and (found := UNFIT.search(str(error))):
                _fail(f"PyTorch cannot use this GPU: {found[0]}", 2)
            if isinstance(error, RuntimeError) and not LACK.search(str(error)):
                raise
            _fail(f"not enough memory: {str(error).partition(chr(10))[0]}".rstrip(": "), 1)
        except OSError as error:
            where = f": {error.filename}" if error.filename else ""
            if not where and error.errno == errno.ENOSPC:  # what is left would fail at exit again
                with contextlib.suppress(OSError):  # a stdout that is no file has no number
                    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            # A wrong path is the user's to mend, a full disk the machine's.
            _fail(f"{error.strerror or error}{where}", 2 if _of_a_path(error) else 1)
        sys.exit(code if isinstance(code, int) else 0)


def _print_anything() -> None:
    """Let a character that stdout's encoding lacks come out as "?": Latin-1 has no "…".

    Only where it would raise; stderr never does, and what stands in for stdout may not tell.
    """
    if getattr(sys.stdout, "errors", None) == "strict":
        with contextlib.suppress(AttributeError):
            sys.stdout.reconfigure(errors="replace")


LACK = re.compile("out of memory|(not enough|can't allocate) memory|ALLOC_FAILED", re.IGNORECASE)
"""How PyTorch says, on a GPU or a processor, that memory is full."""


UNFIT = re.compile("no kernel image is available.*|device.*busy or unavailable.*")
"""How it says that a GPU is too old or too new for its build, or in another's exclusive use."""


def _of_a_path(error: OSError) -> bool:
    """Whether a path that the user named is wrong."""
    kinds = (
        FileExistsError,
        FileNotFoundError,
        IsADirectoryError,
        NotADirectoryError,
        PermissionError,
    )
    return isinstance(error, kinds) or error.errno in (errno.ENAMETOOLONG, errno.ELOOP)


def _exists(module: str) -> bool:
    """Whether a command is there: benchmarks and the book are so only in a checkout."""
    try:
        return importlib.util.find_spec(module) is not None
    except ModuleNotFoundError:
        return False


def _fail(message: object, code: int) -> None:
    click.echo(f"error: {message}", err=True)
    sys.exit(code)


EPILOG = """\b
Environment:
  GROKKING_RESULTS  folder of finished runs [results/]
  GROKKING_CACHE    what can be made again: weights, checkpoints, speed [cache/]
"""


@click.group(cls=_Main, epilog=EPILOG, context_settings={"help_option_names": ["-h", "--help"]})
def main():
    """Unified View of Grokking (arXiv 2402.15175), reproduced: train, sweep, read the book."""
