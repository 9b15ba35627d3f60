"""Pure rules of writing: which parts an endpoint owns, which patches it takes, what moves the generation."""

from __future__ import annotations

import json
from typing import Any

import yaml

from . import errors
from .admission import NAMESPACES, PODS
from .errors import bad_request
from .fields import Path
from .patch import json_patch, merge_patch, strategic_merge
from .resources import Resource
from .schema import Node
from .values import Obj, dig, meta

JSON_PATCH = "application/json-patch+json"
MERGE_PATCH = "application/merge-patch+json"
STRATEGIC = "application/strategic-merge-patch+json"
APPLY = "application/apply-patch+yaml"
TEMPLATES = "deprecated.daemonset.template.generation"


def ignored(resource: Resource, sub: str = "") -> tuple[Path, ...]:
    """The parts an endpoint resets, so that writing there makes nobody their owner."""
    if sub == "status":
        return (("f:spec",), ("f:metadata", "f:labels"))
    return (("f:status",),) if "status" in resource.subresources else ()


def patch_object(node: Node, live: Obj, media: str, body: Any, *, custom: bool) -> Any:
    """Raises ApiError 415 for a media type that this resource does not take."""
    accepted = [JSON_PATCH, MERGE_PATCH, *([] if custom else [STRATEGIC]), APPLY]
    if media not in accepted:
        raise errors.unsupported_media(accepted)
    if media == JSON_PATCH:
        return json_patch(live, body)
    if not isinstance(body, dict):
        raise bad_request("error decoding patch: json: cannot unmarshal into Go value of type map[string]interface {}")
    return merge_patch(live, body) if media == MERGE_PATCH else strategic_merge(node, live, body)


def bumps_generation(resource: Resource, live: Obj, obj: Obj) -> bool:
    if resource.bumps == "custom":
        skipped = {"metadata"} | ({"status"} if "status" in resource.subresources else set())
        return {k: v for k, v in live.items() if k not in skipped} != {k: v for k, v in obj.items() if k not in skipped}
    if live.get("spec") != obj.get("spec"):
        return True
    return "annotations" in resource.bumps and meta(live).get("annotations") != meta(obj).get("annotations")


def count_templates(resource: Resource, live: Obj | None, obj: Obj) -> None:
    """A DaemonSet says in an annotation how many pod templates it has had; whatever else is written there is lost."""
    if (resource.group, resource.plural) != ("apps", "daemonsets"):
        return
    before = int((meta(live).get("annotations") or {}).get(TEMPLATES, 0)) if live else 0
    changed = live is None or dig(live, "spec", "template") != dig(obj, "spec", "template")
    annotations = obj["metadata"].get("annotations") or {}
    obj["metadata"]["annotations"] = {**annotations, TEMPLATES: str(before + changed)}


def without_times(obj: Obj) -> Obj:
    entries = [{k: v for k, v in entry.items() if k != "time"} for entry in obj["metadata"].get("managedFields", [])]
    return {**obj, "metadata": {**obj["metadata"], "managedFields": entries}}


def only_finalizers_held(resource: Resource, obj: Obj) -> bool:
    """Whether only finalizers kept the object; pods wait for their kubelet, namespaces for their content."""
    if resource.key == PODS:
        return not obj["metadata"].get("deletionGracePeriodSeconds")
    return resource.key != NAMESPACES or not dig(obj, "spec", "finalizers")


def read_json(raw: bytes) -> Any:
    try:
        return json.loads(raw)
    except ValueError as error:
        raise bad_request(f"error decoding patch: {error}") from error


def read_yaml(raw: bytes) -> Any:
    if raw.lstrip()[:1] == b"{":
        return read_json(raw)
    try:
        return yaml.load(raw, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))  # noqa: S506
    except yaml.YAMLError as error:
        raise bad_request(f"error decoding YAML: {error}") from error
