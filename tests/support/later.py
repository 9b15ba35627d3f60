"""Modules that few tests need: all tests are imported at the start, but these only by those who run them."""

from __future__ import annotations

import importlib
from typing import Any


class Later:
    """A module that is imported when something of it is first used."""

    def __init__(self, name: str) -> None:
        self._name = name

    def __getattr__(self, attribute: str) -> Any:
        if attribute.startswith("_"):  # who collects tests asks everything whether it is one
            raise AttributeError(attribute)
        return getattr(importlib.import_module(self._name), attribute)
