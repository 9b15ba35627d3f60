"""ConfigMaps and Secrets that a pod speaks of: what is missing, in the kubelet's words."""

from __future__ import annotations

from .store import Store
from .values import Obj, dig

# By the field that names it: the resource, and its kind as the kubelet writes it in both of its sentences.
_MAPS = ("configmaps", "configmap", "ConfigMap")
_SECRETS = ("secrets", "secret", "Secret")
_SOURCES = {"configMapRef": _MAPS, "configMapKeyRef": _MAPS, "secretRef": _SECRETS, "secretKeyRef": _SECRETS}
_VOLUMES = {"configMap": ("name", _MAPS), "secret": ("secretName", _SECRETS)}


def missing_setting(store: Store, pod: Obj, container: Obj) -> str:
    """Why the container's environment can't be made (CreateContainerConfigError); "" when it can."""
    namespace = pod["metadata"]["namespace"]
    for group in container.get("envFrom") or []:
        for field, ref in group.items():
            if field in _SOURCES and (why := _lacking(store, namespace, field, ref)):
                return why
    for variable in container.get("env") or []:
        for field, ref in (variable.get("valueFrom") or {}).items():
            if field in _SOURCES and (why := _lacking(store, namespace, field, ref)):
                return why
    return ""


def _lacking(store: Store, namespace: str, field: str, ref: Obj) -> str:
    plural, kind, title = _SOURCES[field]
    if ref.get("optional"):
        return ""
    found = store.get(("", plural), namespace, ref.get("name", ""))
    if found is None:
        return f'{kind} "{ref.get("name", "")}" not found'
    key = ref.get("key")
    if key is not None and key not in {**(found.get("data") or {}), **(found.get("binaryData") or {})}:
        return f"couldn't find key {key} in {title} {namespace}/{ref['name']}"
    return ""


def missing_volume(store: Store, pod: Obj) -> str:
    """Why a volume can't be mounted (FailedMount); "" when all can."""
    namespace = pod["metadata"]["namespace"]
    for volume in dig(pod, "spec", "volumes", default=[]):
        for field, (named, (plural, kind, _)) in _VOLUMES.items():
            source = volume.get(field)
            if not source or source.get("optional"):
                continue
            found = store.get(("", plural), namespace, source.get(named, ""))
            head = f'MountVolume.SetUp failed for volume "{volume["name"]}" : '
            if found is None:
                return f'{head}{kind} "{source.get(named, "")}" not found'
            known = {**(found.get("data") or {}), **(found.get("binaryData") or {})}
            if lacking := [item["key"] for item in source.get("items") or [] if item["key"] not in known]:
                word = "config" if field == "configMap" else kind  # as the kubelet writes it
                return f"{head}references non-existent {word} key: {lacking[0]}"
    return ""
