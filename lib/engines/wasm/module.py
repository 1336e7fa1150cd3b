"""The built module and what was noted of it; without Numba, so that a page is made quickly."""

import json
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
MODULE, MANIFEST = HERE / "kernel.wasm", HERE / "kernel.json"


def noted() -> dict[str, Any]:
    """Checksum, hash of the sources, versions, and `layout`: what is where in the memory."""
    return json.loads(MANIFEST.read_text("utf-8"))
