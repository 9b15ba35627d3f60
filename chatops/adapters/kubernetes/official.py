"""The official client's asynchronous half. The other half, which it imports along, waits until somebody asks for it.

That other half (``kubernetes.client``, ``kubernetes.config`` …) brings three HTTP libraries: 0.2 s at every start.
"""

from __future__ import annotations

import importlib
import sys
from types import ModuleType
from typing import Any

_OTHER_HALF = ("client", "config", "dynamic", "informer", "leaderelection", "stream", "utils", "watch")


class _Later(ModuleType):
    """Stands for a module until something of it is needed, and is replaced by it then."""

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__") and name not in ("__all__", "__path__"):  # who looks through all modules needs nothing
            raise AttributeError(name)
        if sys.modules.get(self.__name__) is self:
            del sys.modules[self.__name__]
        return getattr(importlib.import_module(self.__name__), name)


if "kubernetes" not in sys.modules:
    sys.modules.update({name: _Later(name) for name in (f"kubernetes.{part}" for part in _OTHER_HALF)})

from kubernetes.aio import config  # noqa: E402
from kubernetes.aio.client import ApiClient, Configuration  # noqa: E402

__all__ = ["ApiClient", "Configuration", "config"]
