"""Files that appear whole or not at all."""

import os
import secrets
from pathlib import Path


def publish(path: Path, data: bytes) -> None:
    """Write a file whole or not at all, and durably.  Raises OSError."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.parent / f".{path.stem}.{os.getpid()}.{secrets.token_hex(4)}.tmp"
    try:
        with open(temporary, "xb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    folder = os.open(path.parent, os.O_RDONLY)  # the name is on disk only when its folder is
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
