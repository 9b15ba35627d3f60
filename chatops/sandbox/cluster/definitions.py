"""What a CustomResourceDefinition's schema fills in and refuses, CEL rules and `oneOf`, `anyOf` and `not` aside.

https://kubernetes.io/docs/tasks/extend-kubernetes/custom-resources/custom-resource-definitions/#validation
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from chatops.sandbox.copies import copied

from .errors import Cause, duplicate, invalid_value, not_supported, required

Schema = Mapping[str, Any]
_TYPES: dict[str, type | tuple[type, ...]] = {
    "object": dict, "array": list, "string": str, "boolean": bool, "integer": int, "number": (int, float),
}  # fmt: skip
_NAMES = {dict: "object", list: "array", str: "string", bool: "boolean", int: "integer", float: "number"}
# keyword: when a value breaks it, and what is said then.
_Test = Callable[[Any, Any], bool]
_LIMITS: dict[str, tuple[type | tuple[type, ...], _Test, str]] = {
    "minimum": ((int, float), lambda value, limit: value < limit, "should be greater than or equal to {}"),
    "maximum": ((int, float), lambda value, limit: value > limit, "should be less than or equal to {}"),
    "minLength": (str, lambda value, limit: len(value) < limit, "should be at least {} chars long"),
    "pattern": (str, lambda value, limit: re.search(limit, value) is None, "should match '{}'"),
}


def fill(schema: Schema, value: Any) -> None:
    """Put the schema's defaults in place; what is not there at all gets none of those below it."""
    if isinstance(value, dict):
        for key, inner in (schema.get("properties") or {}).items():
            if key not in value and "default" in inner:
                value[key] = copied(inner["default"])
            if key in value:
                fill(inner, value[key])
        if isinstance(extra := schema.get("additionalProperties"), Mapping):
            for key in value.keys() - (schema.get("properties") or {}).keys():
                fill(extra, value[key])
    elif isinstance(value, list):
        for item in value:
            fill(schema.get("items") or {}, item)


def wrong(schema: Schema, value: Any, at: str = "") -> Iterator[Cause]:
    """What the schema does not allow in the value, as the API server says it."""
    if value is None and schema.get("nullable"):
        return
    kind = schema.get("type", "")
    if kind in _TYPES and (not isinstance(value, _TYPES[kind]) or (isinstance(value, bool) and kind != "boolean")):
        got = "null" if value is None else _NAMES[type(value)]
        yield invalid_value(at, got, f'{at} in body must be of type {kind}: "{got}"')
        return
    if "enum" in schema and value not in schema["enum"]:
        yield not_supported(at, str(value), [str(one) for one in schema["enum"]])
    for keyword, (types, breaks, said) in _LIMITS.items():
        if keyword in schema and isinstance(value, types) and breaks(value, schema[keyword]):
            yield invalid_value(at, value, f"{at} in body {said.format(schema[keyword])}")
    if isinstance(value, str) and len(value) > schema.get("maxLength", len(value)):
        yield Cause("FieldValueTooLong", at, f"Too long: may not be more than {schema['maxLength']} bytes")
    if isinstance(value, dict):
        yield from _object(schema, value, at)
    elif isinstance(value, list):
        yield from _list(schema, value, at)


def _object(schema: Schema, value: dict[str, Any], at: str) -> Iterator[Cause]:
    known, extra = schema.get("properties") or {}, schema.get("additionalProperties")
    for key in schema.get("required") or ():
        if key not in value:
            yield required(_below(at, key))
    for key, item in value.items():
        inner = known.get(key, extra)
        if isinstance(inner, Mapping):
            yield from wrong(inner, item, _below(at, key))


def _list(schema: Schema, value: list[Any], at: str) -> Iterator[Cause]:
    if len(value) > schema.get("maxItems", len(value)):
        said = f"Too many: {len(value)}: must have at most {schema['maxItems']} items"
        yield Cause("FieldValueTooMany", at, said)
    if len(value) < schema.get("minItems", 0):
        yield invalid_value(at, len(value), f"{at} in body should have at least {schema['minItems']} items")
    seen: list[Any] = []
    keys = schema.get("x-kubernetes-list-map-keys") or ()
    for i, item in enumerate(value):
        yield from wrong(schema.get("items") or {}, item, f"{at}[{i}]")
        if schema.get("x-kubernetes-list-type") in ("set", "map"):
            known = {key: item.get(key) for key in keys} if keys and isinstance(item, dict) else item
            if known in seen:
                yield duplicate(f"{at}[{i}]", known)
            seen.append(known)


def _below(at: str, key: str) -> str:
    return f"{at}.{key}" if at else key
