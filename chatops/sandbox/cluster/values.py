"""Small helpers on JSON values: the only shapes the practice cluster stores."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Iterable, Mapping
from typing import Any

Obj = dict[str, Any]
_encode = json.JSONEncoder(separators=(",", ":"), ensure_ascii=False, check_circular=False).encode


def copy_parts(obj: Obj) -> Obj:
    """A copy whose parts (metadata, spec, status) may be given other values; what lies deeper is shared with `obj`."""
    return {key: part.copy() if isinstance(part, dict) else part for key, part in obj.items()}


def dump(value: Any) -> str:
    return _encode(value)


def now() -> dt.datetime:
    return dt.datetime.now(dt.UTC)


def stamp(when: dt.datetime | None = None) -> str:
    """RFC 3339 in whole seconds, the form of metav1.Time."""
    return (when or now()).isoformat(timespec="seconds")[:19] + "Z"


def micro_stamp(when: dt.datetime | None = None) -> str:
    """RFC 3339 with microseconds, the form of metav1.MicroTime."""
    return (when or now()).isoformat(timespec="microseconds")[:26] + "Z"


def parse_stamp(text: str) -> dt.datetime:
    return dt.datetime.fromisoformat(text.replace("Z", "+00:00"))


def meta(obj: Mapping[str, Any]) -> Obj:
    found: Obj = obj.get("metadata") or {}
    return found


def dig(value: Any, *keys: str, default: Any = None) -> Any:
    """The value under a path of keys, or `default` as soon as one is absent or null."""
    for key in keys:
        value = value.get(key) if isinstance(value, dict) else None
        if value is None:
            return default
    return value


def controller_of(obj: Mapping[str, Any]) -> Obj | None:
    """The owner reference with `controller: true`, if any."""
    for ref in meta(obj).get("ownerReferences") or []:
        if ref.get("controller"):
            found: Obj = ref
            return found
    return None


def owner_reference(owner: Mapping[str, Any]) -> Obj:
    return {
        "apiVersion": owner["apiVersion"],
        "kind": owner["kind"],
        "name": owner["metadata"]["name"],
        "uid": owner["metadata"]["uid"],
        "controller": True,
        "blockOwnerDeletion": True,
    }


def set_condition(conditions: Iterable[Obj], wanted: Obj, *, touch: bool = True) -> list[Obj]:
    """The conditions with `wanted` put in by type; the transition time moves only when the status changes."""
    result = list(conditions)
    at = next((i for i, one in enumerate(result) if one.get("type") == wanted["type"]), len(result))
    old = result[at] if at < len(result) else {}
    if old and all(old.get(key) == wanted.get(key) for key in ("status", "reason", "message")):
        return result
    time = stamp()
    fresh = dict(wanted)
    if touch:
        fresh.setdefault("lastUpdateTime", time)
    fresh.setdefault("lastTransitionTime", time)
    if old.get("status") == wanted.get("status"):
        fresh["lastTransitionTime"] = old.get("lastTransitionTime", time)
    result[at:] = [fresh, *result[at + 1 :]]
    return result
