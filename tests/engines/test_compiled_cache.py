"""Where compiled code is kept: under a name of its sources, whoever chose the folder."""

import errno
import os
import pickle
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import numba
import pytest

from lib.engines.kernel import epochs
from lib.engines.kernel.engine import compiles
from lib.engines.simd import kept
from lib.paths import ROOT


def cache_of(**environment):
    """The folder that a new process uses, whether it was there then, and what it said."""
    code = (
        "from lib.engines.simd import kept; import numba, os\n"
        "print(numba.config.CACHE_DIR, os.path.isdir(numba.config.CACHE_DIR))"
    )
    result = subprocess.run(
        [sys.executable, "-c", code],
        env=os.environ | {"PYTHONPATH": str(ROOT), "NUMBA_CACHE_DIR": ""} | environment,
        capture_output=True,
        text=True,
        check=True,
    )
    folder, there = result.stdout.split()
    return Path(folder), there == "True", result.stderr


def test_a_users_folder_gets_the_name_of_the_sources_inside(tmp_path):
    folders = [
        cache_of(NUMBA_CACHE_DIR=str(tmp_path), GROKKING_LANES=lanes)[0] for lanes in ("4", "8")
    ]
    assert len(set(folders)) == 2  # code for 8 lanes is never loaded for 4
    assert {folder.parent.parent for folder in folders} == {tmp_path}


def test_a_home_that_cannot_be_written_is_one_warning_and_no_litter(tmp_path):
    folder, there, told = cache_of(HOME="/dev/null", XDG_CACHE_HOME="", TMPDIR=str(tmp_path))
    assert there and folder.is_relative_to(tmp_path) and not list(tmp_path.iterdir())
    assert told.count("\n") == 1 and told.startswith("warning: compiled code is not kept")


def test_where_there_is_no_home_no_folder_is_called_so(tmp_path):
    """`~` stays as it is for a user whom the system does not know."""
    home = dict(XDG_CACHE_HOME="~/cache", TMPDIR=str(tmp_path))
    folder, there, told = cache_of(**home)
    assert there and folder.is_relative_to(tmp_path) and told.count("\n") == 1
    assert not (Path.cwd() / "~").exists()


CUT = pickle.UnpicklingError("pickle data was truncated")


class Function:
    """Stands for a compiled function whose kept code is damaged until it is removed."""

    def __init__(self, kept, always=False, why=CUT):
        self.kept, self.always, self.why, self.compiled = kept, always, why, 0

    def compile(self, signature):
        if self.kept.exists() or self.always:
            raise self.why
        self.compiled += 1


def test_damaged_code_is_compiled_again_and_said(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(numba.config, "CACHE_DIR", str(tmp_path))
    for why in (CUT, IndexError()):  # some say nothing
        (tmp_path / "x.nbi").write_bytes(b"half a f")
        function = Function(tmp_path / "x.nbi", why=why)
        kept.compile_kept(function, (1, 2.0))
        told = capsys.readouterr().err
        assert function.compiled == 1 and told.count("\n") == 1 and "damaged" in told
    with pytest.raises(pickle.UnpicklingError):  # what is wrong for good is not hidden
        kept.compile_kept(Function(tmp_path / "x.nbi", always=True), (1, 2.0))


@numba.njit(cache=True)
def twice(x):
    return 2 * x


def test_a_full_disk_keeps_nothing_and_spoils_nothing(tmp_path, monkeypatch, capsys):
    """With Numba's own function: it is compiled, then kept, and only the second fails."""

    def full(*args):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(numba.config, "CACHE_DIR", str(tmp_path))
    monkeypatch.setattr(twice._cache, "save_overload", full)
    kept._say_not_kept.cache_clear()
    (tmp_path / "good.nbi").touch()
    for value in (1, 2.0):
        kept.compile_kept(twice, (value,))
    told = capsys.readouterr().err
    assert told.count("\n") == 1 and "No space left" in told and "damaged" not in told
    assert len(twice.signatures) == 2 and (tmp_path / "good.nbi").exists()


def test_what_a_killed_process_left_half_compiled_is_compiled_again_and_said(tmp_path, monkeypatch):
    """Serial and parallel code are compiled apart, the training first, the evaluation last; code
    of the same sources in another checkout serves that one alone."""
    own = Path(epochs.train_serial.stats.cache_path)
    assert own.parent == Path(numba.config.CACHE_DIR)
    for folder in ("here", "elsewhere"):
        (tmp_path / folder).mkdir()
    names = ("train_serial", "evaluate_serial", "train_parallel", "evaluate_parallel")
    for name in names:
        kept_in = SimpleNamespace(cache_path=str(tmp_path / "here"))
        monkeypatch.setattr(epochs, name, SimpleNamespace(__name__=name, stats=kept_in))
        (tmp_path / "elsewhere" / f"epochs.{name}-175.py311.nbi").touch()
    left = []
    for name in names:
        left.append([compiles(1), compiles(2)])
        (tmp_path / "here" / f"epochs.{name}-175.py311.nbi").touch()
    assert left == [[True, True], [True, True], [False, True], [False, True]]
    assert not compiles(1) and not compiles(2)
