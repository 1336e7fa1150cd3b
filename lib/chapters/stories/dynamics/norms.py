"""What the chapter on parameter norms says beside its table (appendix A, figure 9)."""

from collections.abc import Iterable

import numpy as np

from lib.analysis.dynamics import norm_change


def beside_controls(runs: Iterable[tuple]) -> str:
    """How far the norm moves while runs generalize, and in their controls meanwhile, in words.

    Args:
        runs: (the paper's name, the curve, the control's curve or None) of each.
    """
    found: dict[str, list] = {}
    for name, curve, control in runs:
        pair = () if control is None else (norm_change(curve), norm_change(curve, control))
        if pair and np.isfinite(pair).all():
            found.setdefault(name, []).append(pair)
    if not found:
        return "No run that generalizes has a control yet."
    said = []
    for name, pairs in found.items():
        own, control = np.mean(pairs, axis=0)
        runs_ = f"{len(pairs)} run{'s' * (len(pairs) > 1)}"
        said.append(f"in {name} {own:+.2f}, in its controls {control:+.2f} ({runs_})")
    return (
        f"Mean change of the norm, as a logarithm: {'; '.join(said)}. A control changes without "
        "finding any rule, so takeaway 4 asks for the difference."
    )
