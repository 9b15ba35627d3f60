"""What differs between two states of one object, in field paths that people read. Pure."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

from chatops.kernel.masking import MASK, mask
from chatops.kernel.plan import Change, ObjectRef, Write

CHANGE_CAUSE = "kubernetes.io/change-cause"
REVISION = "deployment.kubernetes.io/revision"
TEMPLATE_HASH = "pod-template-hash"
# Written by controllers and tools for themselves; nobody approves them.
BOOKKEEPING = (
    CHANGE_CAUSE, "kubectl.kubernetes.io/last-applied-configuration", "deployment.kubernetes.io/",
    "deprecated.daemonset.template.generation",
)  # fmt: skip
_SERVER_SIDE = frozenset({"managedFields", "resourceVersion", "generation", "uid", "creationTimestamp", "selfLink"})
# Lists that are really maps: by which field (`x-kubernetes-list-map-keys` of the API types).
_LIST_KEYS = {
    "volumeMounts": "mountPath",
    "volumeDevices": "devicePath",
    "hostAliases": "ip",
    "topologySpreadConstraints": "topologyKey",
    "ownerReferences": "uid",
    "conditions": "type",
}
_SECRET_NAME = re.compile(
    r"passw(or)?d|passphrase|(^|[_-])pass([_-]|$)|secret|token|credential|(api|private|access|signing)[-_]?key", re.I
)
# Names of secrets and fields about tokens, which hold no secret themselves.
_REFERENCE = re.compile(r"Ref\b|secretName|imagePullSecrets|automount|serviceAccount|expirationSeconds|tokenAudiences")
_ABSENT: Any = object()


def changes(live: Mapping[str, Any], would: Mapping[str, Any]) -> tuple[Change, ...]:
    """Every field that differs, ordered by path; ``None`` stands for absent.

    Status and bookkeeping are left out; values whose name looks secret are masked, their change is still said.
    """
    thing = str(ref_of(would or live))
    found = _walk("", "", _bare(live), _bare(would))
    return tuple(_change(thing, path, before, after) for path, before, after in sorted(found, key=lambda one: one[0]))


def removed(found: tuple[Change, ...]) -> tuple[Change, ...]:
    """The changes that take a field away."""
    return tuple(change for change in found if change.after is None)


def unified(found: tuple[Change, ...]) -> str:
    """The whole diff as text, in the style of ``diff -u``: object, field, ``-`` before, ``+`` after."""
    lines: list[str] = []
    thing = ""
    for change in found:
        if change.object != thing:
            thing = change.object
            lines.append(f"@@ {thing} @@")
        lines.append(f" {change.field}")
        lines += [f"-  {line}" for line in _shown(change.before)]
        lines += [f"+  {line}" for line in _shown(change.after)]
    return "\n".join(lines)


def ref_of(thing: Mapping[str, Any]) -> ObjectRef:
    """The reference of an object as the API gives it."""
    metadata = thing["metadata"]
    return ObjectRef(
        api_version=thing.get("apiVersion") or "apps/v1",
        kind=thing.get("kind") or "Deployment",
        namespace=metadata.get("namespace", ""),
        name=metadata["name"],
    )


def template_of(owner: Mapping[str, Any]) -> dict[str, Any]:
    """The pod template without the label that the Deployment controller adds on ReplicaSets; only to be read."""
    template = owner["spec"]["template"]
    metadata = dict(template.get("metadata") or {})
    metadata.pop("creationTimestamp", None)  # null in what old API servers give
    if "labels" in metadata:
        metadata["labels"] = {name: value for name, value in metadata["labels"].items() if name != TEMPLATE_HASH}
    return {**template, "metadata": metadata}


def same_template(one: Mapping[str, Any], other: Mapping[str, Any]) -> bool:
    """Whether two objects hold the same pod template; the Deployment controller's own rule (``EqualIgnoreHash``)."""
    return template_of(one) == template_of(other)


def holds(live: Mapping[str, Any], write: Write) -> bool:
    """Whether an apply already stands: every value as wanted, and applied under its manager's name."""
    entries = live["metadata"].get("managedFields") or []
    ours = any(entry.get("manager") == write.manager and entry.get("operation") == "Apply" for entry in entries)
    return ours and _covers(live, write.body, "")


def step(path: str, key: str) -> str:
    """The path one field further: ``.image``, or ``[app.kubernetes.io/name]`` for a key that would read badly."""
    if re.search(r"[./\[\]\s]", key):
        return f"{path}[{key}]"
    return f"{path}.{key}" if path else key


def item_name(name: str, item: Any) -> str:
    """The key of one item of the list ``name``; empty when it has none."""
    if not isinstance(item, dict):
        return ""
    if name == "ports":
        port = item.get("containerPort") or item.get("port")
        protocol = item.get("protocol") or "TCP"
        return f"{port}" if protocol == "TCP" else f"{port}/{protocol}"
    return str(item.get(_LIST_KEYS.get(name, "name")) or "")


def masked(path: str, value: Any) -> Any:
    """The value, or a mask when the field's name or the value itself looks secret."""
    if value is None:
        return None
    if is_secret(path) and isinstance(value, str | int | float):
        return MASK
    if isinstance(value, str):
        return mask(value)[0]
    if isinstance(value, list):
        return [masked(path, one) for one in value]
    if isinstance(value, dict):
        return {key: masked(step(path, key), one) for key, one in value.items()}
    return value


def is_secret(path: str) -> bool:
    """Whether the last name of a path looks like a secret's."""
    last = re.findall(r"\[([^\]]*)\]|([^.\[\]]+)", path)[-1:] if path else []
    name = "".join(last[0]) if last else ""
    return bool(_SECRET_NAME.search(name)) and not _REFERENCE.search(path)


def _change(thing: str, path: str, before: Any, after: Any) -> Change:
    old = None if before is _ABSENT else masked(path, before)
    new = None if after is _ABSENT else masked(path, after)
    if old == new and old is not None:
        new = f"{new} (another value)"
    return Change(object=thing, field=path, before=old, after=new)


def _bare(thing: Mapping[str, Any]) -> dict[str, Any]:
    bare = {key: value for key, value in thing.items() if key not in ("status", "apiVersion", "kind")}
    metadata = {key: value for key, value in thing.get("metadata", {}).items() if key not in _SERVER_SIDE}
    kept = {k: v for k, v in (metadata.get("annotations") or {}).items() if not k.startswith(BOOKKEEPING)}
    metadata.pop("annotations", None)
    return {**bare, "metadata": {**metadata, **({"annotations": kept} if kept else {})}}


def _walk(path: str, name: str, one: Any, other: Any) -> Iterator[tuple[str, Any, Any]]:
    if one is not _ABSENT and other is not _ABSENT and one == other:
        return
    if _both(one, other, dict):
        for key in sorted({*_items(one), *_items(other)}):
            before, after = _items(one).get(key, _ABSENT), _items(other).get(key, _ABSENT)
            yield from _walk(step(path, key), key, before, after)
    elif _both(one, other, list) and (keyed := _keyed(name, one, other)):
        before, after = keyed
        for key in sorted({*before, *after}):
            yield from _walk(f"{path}[{key}]", "", before.get(key, _ABSENT), after.get(key, _ABSENT))
    else:
        yield path, one, other


def _both(one: Any, other: Any, kind: type) -> bool:
    """Whether both are of a kind, or one is and the other is absent; an empty one is shown as a value."""
    kinds = [value for value in (one, other) if value is not _ABSENT]
    return all(isinstance(value, kind) for value in kinds) and any(kinds)


def _items(value: Any) -> dict[str, Any]:
    return {} if value is _ABSENT else value


def _keyed(name: str, one: Any, other: Any) -> tuple[dict[str, Any], dict[str, Any]] | None:
    sides = [[] if value is _ABSENT else value for value in (one, other)]
    keyed = [{item_name(name, item): _without_key(name, item) for item in side} for side in sides]
    if any(len(found) != len(side) or "" in found for found, side in zip(keyed, sides, strict=True)):
        return None
    return keyed[0], keyed[1]


def _without_key(name: str, item: Any) -> Any:
    if not isinstance(item, dict):
        return item
    key = "containerPort" if name == "ports" else _LIST_KEYS.get(name, "name")
    rest = {field: value for field, value in item.items() if field != key}
    if name == "env" and set(rest) <= {"value"}:
        return rest.get("value", "")
    return rest


def _covers(live: Any, wanted: Any, name: str) -> bool:
    if isinstance(wanted, dict):
        return isinstance(live, dict) and all(_covers(live.get(key), value, key) for key, value in wanted.items())
    if isinstance(wanted, list) and all(item_name(name, item) for item in wanted):
        known = {item_name(name, item): item for item in live or ()}
        return all(_covers(known.get(item_name(name, item)), item, "") for item in wanted)
    return bool(live == wanted)


def _shown(value: Any) -> list[str]:
    if value is None:
        return []
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, indent=2)
    return text.splitlines() or [""]
