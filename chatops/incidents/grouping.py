"""Where an alert belongs: which environment, service and team it is about, and which alerts are one incident."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from chatops.kernel.alert import Alert
from chatops.kernel.catalog import Environment, Platform, Service
from chatops.kernel.keys import bounded

# The labels that people and kube-prometheus use, the most telling first.
ENVIRONMENT = ("environment", "env")
SERVICE = ("service", "app", "app_kubernetes_io_name", "deployment", "workload", "job_name", "container")
TEAM = ("team", "owner")


@dataclass(frozen=True, slots=True)
class Place:
    """What an alert is about; what nobody could tell is empty."""

    environment: str = ""
    service: str = ""
    team: str = ""


def place(alert: Alert, platform: Platform) -> Place:
    """Read from the labels: names of the catalog, else the namespace, the workload and the pod."""
    environment = _environment(alert, platform.environments)
    service = _service(alert, platform)
    team = service.team if service else next((one for one in _labels(alert, TEAM) if one in platform.teams), "")
    return Place(environment, service.name if service else "", team)


def stranger(alert: Alert, at: Place) -> str:
    """The service that the alert names and the catalog does not know; empty where it names none, or one that is known.

    What a workload is called may be nobody's service: only the label that says so counts.
    """
    return "" if at.service else str(alert.labels.get(SERVICE[0]) or "")


def default_key(alert: Alert, at: Place) -> str:
    """Alerts of the same service in the same environment are one incident; without a service: those of one name."""
    return f"{at.environment}/{at.service}" if at.service else bounded(f"{at.environment}//{alert.name}")


def _labels(alert: Alert, names: Iterable[str]) -> list[str]:
    return [value for name in names if (value := str(alert.labels.get(name) or ""))]


def _environment(alert: Alert, environments: dict[str, Environment]) -> str:
    for value in _labels(alert, ENVIRONMENT):
        if value in environments:
            return value
    namespace, cluster = alert.labels.get("namespace", ""), alert.labels.get("cluster", "")
    fitting = [one for one in environments.values() if namespace and one.namespace == namespace]
    exact = [one for one in fitting if cluster and one.cluster == cluster]
    found = exact or fitting
    return found[0].name if len(found) == 1 else ""


def _service(alert: Alert, platform: Platform) -> Service | None:
    with_workload = platform.indexed.with_workload
    for value in _labels(alert, SERVICE):
        if value in platform.services:
            return platform.services[value]
        if found := with_workload(value):
            return found[-1]
    pod = str(alert.labels.get("pod") or "")
    parts = pod.split("-")  # checkout-7d9f8b6c5-x2x4z: the workload's name comes before the last parts
    for length in range(len(parts) - 1, 0, -1):
        if found := with_workload("-".join(parts[:length])):
            return found[-1]
    return None
