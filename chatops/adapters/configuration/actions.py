"""The files under ``actions/``: one declared action each, checked together."""

from __future__ import annotations

from collections.abc import Container, Mapping
from pathlib import Path

from chatops.adapters.configuration.problems import Problem
from chatops.kernel.catalog import Platform
from chatops.kernel.declaration import Declaration

ACTIONS = "actions"
MANIFESTS = "manifests"


class ActionFiles:
    """The actions that a folder declares; ``taken`` are names that other actions have."""

    def __init__(self, folder: Path, contents: Mapping[str, bytes], taken: Container[str]) -> None:
        self._folder = folder
        self._contents = contents
        self._taken = taken
        self.found: tuple[Declaration, ...] = ()
        self.problems: list[Problem] = []

    def read(self, platform: Platform) -> tuple[Declaration, ...]:
        """Reads them all; ``platform`` has the names that their CEL may compare with."""
        self.problems += [
            Problem(str(self._folder / name), 1, "declared actions are not supported by this version: remove the file")
            for name in self._contents
            if name.startswith(f"{ACTIONS}/")
        ]
        return self.found
