"""What the disk has to have before anybody is told that it has it."""

from __future__ import annotations

import os
from pathlib import Path


def durable(path: Path) -> None:
    """Waits until a file, or the names in a folder, would outlive the machine."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
