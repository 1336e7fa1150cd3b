"""Where compiled code is kept, and how it is taken from there."""

import atexit
import contextlib
import errno
import functools
import hashlib
import os
import shutil
import sys
import tempfile
from pathlib import Path

import numba

from lib.engines.simd.processor import AMX, FMA, LANES


def _cache_directory() -> str:
    """A cache folder named by the sources of the compiled code.

    Numba's own cache looks at the calling file alone, so an edit of one file would leave
    stale machine code of another in use.  A folder chosen by the user gets the same name
    inside.
    """
    digest = hashlib.sha256(f"{numba.__version__} {LANES} {AMX} {FMA}".encode())
    engines = Path(__file__).parent.parent
    for path in sorted([*engines.glob("simd/*.py"), *engines.glob("kernel/*.py")]):
        digest.update(path.read_bytes())
    root = os.environ.get("NUMBA_CACHE_DIR") or os.environ.get("XDG_CACHE_HOME")
    root = root or os.path.expanduser("~/.cache")
    folder = Path(root) / "grokking-companion" / digest.hexdigest()[:16]
    if not root.startswith("~"):  # a user without a home
        with contextlib.suppress(OSError):
            folder.mkdir(parents=True, exist_ok=True)
        if os.access(folder, os.W_OK):
            return str(folder)
    # No home, or one that cannot be written to: compiled for this process and those that it starts.
    print(f"warning: compiled code is not kept: {folder} cannot be written", file=sys.stderr)
    os.environ["NUMBA_CACHE_DIR"] = own = tempfile.mkdtemp(prefix="grokking-companion-")
    atexit.register(shutil.rmtree, own, ignore_errors=True)
    return _cache_directory()


numba.config.CACHE_DIR = _cache_directory()


_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EROFS)
"""What a disk says that takes nothing more; what it has is good."""


@functools.cache  # once for all functions
def _say_not_kept(why: str) -> None:
    told = f"warning: compiled code is not kept: {numba.config.CACHE_DIR} cannot be written"
    print(f"{told} ({why})", file=sys.stderr)


def compile_kept(function, arguments: tuple) -> None:
    """Compile a function for some arguments, or load what was compiled before.

    Numba reads what it kept without looking whether it is whole: a file cut off by a full disk
    would end every training from then on.
    """
    signature = tuple(map(numba.typeof, arguments))
    try:
        function.compile(signature)
    except Exception as error:  # of many kinds; what is wrong with the code itself comes again
        if isinstance(error, OSError) and error.errno in _FULL:
            _say_not_kept(error.strerror)
            function.compile(signature)  # at once: it was compiled before it could not be kept
            return
        folder, why = numba.config.CACHE_DIR, str(error).partition("\n")[0] or type(error).__name__
        print(f"warning: compiled again: what {folder} keeps is damaged ({why})", file=sys.stderr)
        for path in Path(folder).rglob("*.nbi"):
            path.unlink(missing_ok=True)
        function.compile(signature)
