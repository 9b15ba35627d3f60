"""Label and field selectors, in text (query parameters) and as objects (`spec.selector`)."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

from .errors import bad_request
from .values import Obj, dig, meta

Test = Callable[[Obj], bool]
_SET = re.compile(r"^\s*([^\s!=,()]+)\s+(in|notin)\s+\(([^)]*)\)\s*$")
_EQUAL = re.compile(r"^\s*([^\s!=,()]+)\s*(==|=|!=)\s*([^\s,()]*)\s*$")
_EXISTS = re.compile(r"^\s*(!?)\s*([^\s!=,()]+)\s*$")


def everything(_: Obj) -> bool:
    return True


def labels(text: str) -> Test:
    """A test of an object's labels; raises ApiError 400 on a selector that cannot be parsed."""
    if not text.strip():
        return everything
    tests = [_label_test(part, text) for part in re.split(r",(?![^(]*\))", text)]
    return lambda obj: all(test(meta(obj).get("labels") or {}) for test in tests)


def _label_test(part: str, whole: str) -> Callable[[Mapping[str, str]], bool]:
    if found := _SET.match(part):
        key, how, listed = found.groups()
        values = {item.strip() for item in listed.split(",")}
        if how == "in":
            return lambda have: have.get(key) in values
        return lambda have: have.get(key) not in values
    if found := _EQUAL.match(part):
        key, how, value = found.groups()
        if how == "!=":
            return lambda have: have.get(key) != value
        return lambda have: have.get(key) == value
    if found := _EXISTS.match(part):
        absent, key = found.groups()
        return lambda have: (key in have) != bool(absent)
    raise bad_request(f"unable to parse requirement: invalid label selector {whole!r}")


def matches(selector: Mapping[str, Any] | None, have: Mapping[str, str]) -> bool:
    """Whether a `LabelSelector` object (matchLabels, matchExpressions) picks these labels; an empty one picks all."""
    for key, value in (dig(selector, "matchLabels", default={})).items():
        if have.get(key) != value:
            return False
    for rule in dig(selector, "matchExpressions", default=[]):
        key, values = rule["key"], rule.get("values") or []
        verdict = {
            "In": have.get(key) in values,
            "NotIn": have.get(key) not in values,
            "Exists": key in have,
            "DoesNotExist": key not in have,
        }.get(rule["operator"], False)
        if not verdict:
            return False
    return True


COMMON_FIELDS = ("metadata.name", "metadata.namespace")
_FIELDS = {
    "pods": ("status.phase", "spec.nodeName", "spec.restartPolicy", "spec.schedulerName", "spec.serviceAccountName",
             "status.podIP", "spec.hostNetwork"),
    "events": ("involvedObject.kind", "involvedObject.namespace", "involvedObject.name", "involvedObject.uid",
               "involvedObject.apiVersion", "involvedObject.resourceVersion", "involvedObject.fieldPath", "reason",
               "reportingComponent", "source", "type"),
    "secrets": ("type",),
    "nodes": ("spec.unschedulable",),
    "namespaces": ("status.phase",),
    "jobs": ("status.successful",),
}  # fmt: skip


def fields(text: str, plural: str) -> Test:
    """A test of an object's fields; raises ApiError 400 on a field that Kubernetes does not index for this resource."""
    if not text.strip():
        return everything
    known = (*COMMON_FIELDS, *_FIELDS.get(plural, ()))
    tests: list[Test] = []
    for part in text.split(","):
        found = re.match(r"^\s*([\w.\-/]+)\s*(==|=|!=)\s*(.*?)\s*$", part)
        if not found:
            raise bad_request(f"invalid field selector: {part!r}; can't understand {part!r}")
        path, how, value = found.groups()
        if path not in known:
            raise bad_request(_unknown(path, plural))
        tests.append(_field_test(path.split("."), value, equal=how != "!="))
    return lambda obj: all(test(obj) for test in tests)


def _unknown(path: str, plural: str) -> str:
    """As Kubernetes says it: each kind with fields of its own has words of its own."""
    if plural == "jobs":
        return f'field label "{path}" not supported for batchv1.Job'
    if plural in _FIELDS:
        return f"field label not supported: {path}"
    return f'"{path}" is not a known field selector: only "metadata.name", "metadata.namespace"'


def _field_test(keys: list[str], value: str, *, equal: bool) -> Test:
    def test(obj: Obj) -> bool:
        if keys == ["source"]:
            have = dig(obj, "source", "component", default="") or obj.get("reportingComponent", "")
        else:
            have = dig(obj, *keys, default="")
        shown = str(have).lower() if isinstance(have, bool) else str(have)
        return (shown == value) == equal

    return test
