"""What Kubernetes refuses in the spec of a pod or of a workload's template: the common mistakes."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from .errors import Cause, duplicate, forbidden_field, invalid_value, not_supported, required
from .naming import LABEL, LABEL_TEXT, SUBDOMAIN, SUBDOMAIN_TEXT, wrong_labels
from .quantities import quantity
from .values import Obj, dig

_PORT_NAME = re.compile(r"(?=.*[a-z])[a-z0-9]+(-[a-z0-9]+)*")
PORT_NAME_TEXT = "must contain only alpha-numeric characters (a-z, 0-9), and hyphens (-)"
PROTOCOLS = ["SCTP", "TCP", "UDP"]
_PROBES = ("livenessProbe", "readinessProbe", "startupProbe")
_HANDLERS = ("exec", "httpGet", "tcpSocket", "grpc")
_UNQUALIFIED_RESOURCES = re.compile(r"cpu|memory|ephemeral-storage|storage|hugepages-.+")
# Of a volume source: the field that says what is mounted.
_NAMED_SOURCES = {"secret": "secretName", "configMap": "name", "persistentVolumeClaim": "claimName", "hostPath": "path"}


def wrong_port(value: Any, at: str) -> Iterator[Cause]:
    """A port by number or, in a text, by name."""
    if isinstance(value, str) and (not _PORT_NAME.fullmatch(value) or len(value) > 15):
        yield invalid_value(at, value, PORT_NAME_TEXT)
    elif isinstance(value, int) and not 0 < value < 65536:
        yield invalid_value(at, value, "must be between 1 and 65535, inclusive")


def wrong_spec(spec: Obj, at: str) -> Iterator[Cause]:
    """What is wrong in a pod's spec, which stands at ``at``."""
    if not spec.get("containers"):
        yield required(f"{at}.containers")
    yield from _volumes(spec.get("volumes") or [], f"{at}.volumes")
    volumes = {volume.get("name") for volume in spec.get("volumes") or []}
    names: set[str] = set()
    for group in ("containers", "initContainers"):
        for i, container in enumerate(spec.get(group) or []):
            yield from _container(container, f"{at}.{group}[{i}]", volumes)
            name = container.get("name", "")
            if name and name in names:
                yield duplicate(f"{at}.{group}[{i}].name", name)
            names.add(name)
    yield from wrong_labels(f"{at}.nodeSelector", spec.get("nodeSelector") or {})
    account = spec.get("serviceAccountName")
    if account and not SUBDOMAIN.match(account):
        yield invalid_value(f"{at}.serviceAccountName", account, SUBDOMAIN_TEXT)


def _volumes(volumes: list[Obj], at: str) -> Iterator[Cause]:
    names: set[str] = set()
    for i, volume in enumerate(volumes):
        name, sources = volume.get("name", ""), [key for key in volume if key != "name"]
        if not name:
            yield required(f"{at}[{i}].name")
        elif not LABEL.match(name) or len(name) > 63:
            yield invalid_value(f"{at}[{i}].name", name, LABEL_TEXT)
        elif name in names:
            yield duplicate(f"{at}[{i}].name", name)
        names.add(name)
        for source in sources[1:]:
            yield forbidden_field(f"{at}[{i}].{source}", "may not specify more than 1 volume type")
        field = _NAMED_SOURCES.get(sources[0], "") if sources else ""
        if field and not volume[sources[0]].get(field):
            yield required(f"{at}[{i}].{sources[0]}.{field}")


def _container(container: Obj, at: str, volumes: set[Any]) -> Iterator[Cause]:
    name, image = container.get("name", ""), container.get("image", "")
    if not name:
        yield required(f"{at}.name")
    elif not LABEL.match(name) or len(name) > 63:
        yield invalid_value(f"{at}.name", name, LABEL_TEXT)
    if not image:
        yield required(f"{at}.image")
    elif image.strip() != image:
        yield invalid_value(f"{at}.image", image, "must not have leading or trailing whitespace")
    policy = container.get("imagePullPolicy", "Always")
    if policy not in ("Always", "IfNotPresent", "Never"):
        yield not_supported(f"{at}.imagePullPolicy", policy, ["Always", "IfNotPresent", "Never"])
    for kind in _PROBES:
        if (probe := container.get(kind)) is not None:
            yield from _probe(probe, f"{at}.{kind}", ready=kind == "readinessProbe")
    yield from _ports(container.get("ports") or [], f"{at}.ports")
    yield from _env(container.get("env") or [], f"{at}.env")
    paths: set[str] = set()
    for i, mount in enumerate(container.get("volumeMounts") or []):
        path = mount.get("mountPath", "")
        if mount.get("name") not in volumes:
            yield Cause("FieldValueNotFound", f"{at}.volumeMounts[{i}].name", f'Not found: "{mount.get("name")}"')
        if not path:
            yield required(f"{at}.volumeMounts[{i}].mountPath")
        elif path in paths:
            yield invalid_value(f"{at}.volumeMounts[{i}].mountPath", path, "must be unique")
        paths.add(path)
    yield from _resources(container.get("resources") or {}, f"{at}.resources")


def _probe(probe: Obj, at: str, *, ready: bool) -> Iterator[Cause]:
    handlers = [name for name in _HANDLERS if name in probe]
    if not handlers:
        yield required(at, "must specify a handler type")
    for handler in handlers[1:]:
        yield forbidden_field(f"{at}.{handler}", "may not specify more than 1 handler type")
    for name in ("initialDelaySeconds", "timeoutSeconds", "periodSeconds", "successThreshold", "failureThreshold"):
        if probe.get(name, 0) < 0:
            yield invalid_value(f"{at}.{name}", probe[name], "must be greater than or equal to 0")
    if not ready and probe.get("successThreshold", 1) > 1:
        yield invalid_value(f"{at}.successThreshold", probe["successThreshold"], "must be 1")
    for handler in handlers[:1]:
        if handler in ("httpGet", "tcpSocket"):
            yield from wrong_port(probe[handler].get("port", 0), f"{at}.{handler}.port")


def _ports(ports: list[Obj], at: str) -> Iterator[Cause]:
    names: set[str] = set()
    for i, port in enumerate(ports):
        name, number = port.get("name", ""), port.get("containerPort")
        if name:
            yield from wrong_port(name, f"{at}[{i}].name")
            if name in names:
                yield duplicate(f"{at}[{i}].name", name)
            names.add(name)
        if number is None:
            yield required(f"{at}[{i}].containerPort")
        else:
            yield from wrong_port(number, f"{at}[{i}].containerPort")
        if port.get("protocol", "TCP") not in PROTOCOLS:
            yield not_supported(f"{at}[{i}].protocol", port["protocol"], PROTOCOLS)


def _env(variables: list[Obj], at: str) -> Iterator[Cause]:
    for i, env in enumerate(variables):
        if not env.get("name"):
            yield required(f"{at}[{i}].name")
        if env.get("value") and env.get("valueFrom"):
            yield invalid_value(f"{at}[{i}].valueFrom", "", "may not be specified when `value` is not empty")
        elif env.get("valueFrom") == {}:
            why = "must specify one of: `fieldRef`, `resourceFieldRef`, `configMapKeyRef` or `secretKeyRef`"
            yield invalid_value(f"{at}[{i}].valueFrom", "", why)
        for source in ("configMapKeyRef", "secretKeyRef"):
            if (ref := dig(env, "valueFrom", source)) is not None and not ref.get("key"):
                yield required(f"{at}[{i}].valueFrom.{source}.key")


def _resources(resources: Obj, at: str) -> Iterator[Cause]:
    limits, requests = resources.get("limits") or {}, resources.get("requests") or {}
    for group, amounts in (("limits", limits), ("requests", requests)):
        for name, amount in amounts.items():
            if quantity(amount) < 0:
                yield invalid_value(f"{at}.{group}[{name}]", amount, "must be greater than or equal to 0")
            if "/" not in name and not _UNQUALIFIED_RESOURCES.fullmatch(name):
                yield invalid_value(f"{at}.{group}[{name}]", name, "must be a standard resource for containers")
    for name, amount in requests.items():
        if name in limits and quantity(amount) > quantity(limits[name]):
            why = f"must be less than or equal to {name} limit of {limits[name]}"
            yield invalid_value(f"{at}.requests", amount, why)
