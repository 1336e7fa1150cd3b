"""A short form of `make faults`: once each fault that `test_sweep` and `test_cluster` lack."""

import faults
import pytest

pytestmark = pytest.mark.xdist_group("faults")  # what is undisturbed is trained once

SHORT = [name for name, (_, _, times) in faults.FAULTS.items() if times]


@pytest.mark.parametrize("name", SHORT)
def test_nothing_is_lost_doubled_or_changed(name, tmp_path):
    row = faults.try_fault(name, faults.FAULTS[name][2], tmp_path / "work")
    if not row.tried:
        pytest.skip("modes do not bind root, and nothing can be mounted here")
    assert (row.lost, row.duplicated, row.differing) == (0, 0, 0)
