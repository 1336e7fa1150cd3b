"""The built module and what was noted of it; without Numba, so that a page is made quickly."""

import json
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
MODULE, RELAXED, MANIFEST = (HERE / f"kernel{end}" for end in (".wasm", "_relaxed.wasm", ".json"))
"""Both do the same; RELAXED has fused multiply-adds, which not every browser knows."""


def noted() -> dict[str, Any]:
    """Checksum, hash of the sources, versions, and `layout`: what is where in the memory."""
    return json.loads(MANIFEST.read_text("utf-8"))
