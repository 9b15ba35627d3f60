"""One small parser for each sender: bytes in, alerts out. Pure; what can't be read raises ``Unreadable``."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from chatops.incidents.sources import alertmanager, grafana, own
from chatops.kernel.alert import Delivery

Reader = Callable[[bytes], Delivery]

READERS: Mapping[str, Reader] = {
    "alertmanager": alertmanager.read,
    "grafana": grafana.read,
    "alert": own.read,
}
