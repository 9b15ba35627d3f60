"""The custom resources that declared actions need: definitions, schemas only, for any cluster."""

from __future__ import annotations

import functools
from pathlib import Path
from typing import Any

from tests.support import yml

FOLDER = Path(__file__).parents[1] / "crds"


@functools.cache
def definitions() -> list[dict[str, Any]]:
    """Every definition under `tests/crds`."""
    return [document for path in sorted(FOLDER.glob("*.yml")) for document in yml.load_all(path.read_text())]
