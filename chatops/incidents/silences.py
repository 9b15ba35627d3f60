"""Which alerts a silence is about: what those of one incident have in common."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any, Protocol

from chatops.kernel.alert import Alert

SENDER = "alertmanager"
# Labels of what comes and goes with each new pod: the next one is to be silent, too.
PASSING = frozenset({"pod", "instance", "uid", "id", "container_id"})
Matcher = dict[str, Any]


class Silencer(Protocol):
    """Keeps a monitor quiet."""

    async def silence(self, matchers: Sequence[Matcher], start: float, end: float, by: str, comment: str) -> str:
        """Makes a silence (times: epoch seconds) and gives its address.

        Raises ``Refused`` when the monitor says no or does not answer.
        """
        ...

    async def standing(self, comment: str, end: float) -> tuple[str, Sequence[Matcher]] | None:
        """The address of the one that says this and ends then, if it goes on, and its matchers; raises as above."""
        ...

    async def end(self, address: str) -> None:
        """Ends the silence with this address; raises ``Refused`` as above."""
        ...


def matchers_of(alerts: Sequence[Alert]) -> list[Matcher]:
    """Matchers of Alertmanager's API for these alerts: their names, and the labels on which all agree.

    Shape: https://github.com/prometheus/alertmanager/blob/main/api/v2/openapi.yaml (matcher).
    """
    names = sorted({alert.labels.get("alertname") or alert.name for alert in alerts})
    named = _matcher("alertname", names[0] if len(names) == 1 else "|".join(map(re.escape, names)), len(names) > 1)
    shared = set.intersection(*(set(alert.labels.items()) for alert in alerts))
    lasting = sorted((name, value) for name, value in shared if name != "alertname" and name not in PASSING)
    return [named, *(_matcher(name, value) for name, value in lasting)]


def _matcher(name: str, value: str, regex: bool = False) -> Matcher:
    return {"name": name, "value": value, "isRegex": regex, "isEqual": True}
