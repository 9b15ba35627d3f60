"""The types behind the API: fields, list keys and merge keys.

Field names and types come from the models of the official client; how lists and maps merge is not in them and is
tabled here, after the `+listType`, `+listMapKey`, `+mapType`, `+structType` and `patchMergeKey` marks of the API types
(Kubernetes documentation, "Server-Side Apply: Merge strategy" and "Strategic merge patch").
"""

from __future__ import annotations

import ast
import base64
import functools
import importlib.util
import re
from collections.abc import Callable, Mapping
from importlib.abc import InspectLoader
from importlib.machinery import ModuleSpec
from typing import Any, Literal

from .errors import ApiError, bad_request
from .quantities import WRONG, canonical
from .values import Obj

Relation = Literal["granular", "atomic", "map", "set"]
Shape = Literal["scalar", "struct", "map", "list", "any"]


class Node:
    """One type: what its values look like and how two of them merge."""

    __slots__ = ("_fields", "_source", "defaults", "element", "keys", "merge", "relation", "scalar", "shape", "title")

    def __init__(
        self,
        shape: Shape,
        *,
        title: str = "",
        scalar: str = "",
        element: Node | None = None,
        relation: Relation = "granular",
        keys: tuple[str, ...] = (),
        defaults: Mapping[str, Any] | None = None,
        merge: str = "",
        fields: dict[str, Node] | None = None,
        source: str = "",
    ) -> None:
        self.shape = shape
        self.title = title
        self.scalar = scalar
        self.element = element
        self.relation: Relation = relation
        self.keys = keys
        self.defaults = defaults or {}
        self.merge = merge
        self._fields = fields
        self._source = source

    @property
    def fields(self) -> dict[str, Node]:
        """A struct's fields by JSON name, read from the client's model on first use (types may be recursive)."""
        if self._fields is None:
            self._fields = _fields_of(self._source)
        return self._fields


ANY = Node("any")
_MODELS = "kubernetes.aio.client.models"
_TABLE = re.compile(r"^    (openapi_types|attribute_map)\b[^=\n]*= (\{[^}]*\})", re.MULTILINE)
SCALARS = {
    "str": "string",
    "int": "integer",
    "bool": "boolean",
    "float": "number",
    "datetime": "time",
    "bytes": "base64",
}

_PYTHON: dict[str, type | tuple[type, ...]] = {
    "string": str, "base64": str, "time": str, "boolean": bool, "integer": int, "number": (int, float),
}  # fmt: skip
_AS_THEY_ARE = {("string", str), ("time", str), ("boolean", bool), ("integer", int), ("number", float)}

# (type, field): list-map keys for server-side apply ("" = a set), key for strategic merge.
_MERGED_LISTS: dict[tuple[str, str], tuple[tuple[str, ...], str]] = {
    ("V1PodSpec", "containers"): (("name",), "name"),
    ("V1PodSpec", "initContainers"): (("name",), "name"),
    ("V1PodSpec", "ephemeralContainers"): (("name",), "name"),
    ("V1PodSpec", "volumes"): (("name",), "name"),
    ("V1PodSpec", "imagePullSecrets"): (("name",), "name"),
    ("V1PodSpec", "hostAliases"): (("ip",), "ip"),
    ("V1PodSpec", "schedulingGates"): (("name",), "name"),
    ("V1PodSpec", "resourceClaims"): (("name",), "name"),
    ("V1PodSpec", "topologySpreadConstraints"): (("topologyKey", "whenUnsatisfiable"), "topologyKey"),
    ("V1PodStatus", "conditions"): (("type",), "type"),
    ("V1PodStatus", "podIPs"): (("ip",), "ip"),
    ("V1Container", "env"): (("name",), "name"),
    ("V1Container", "ports"): (("containerPort", "protocol"), "containerPort"),
    ("V1Container", "volumeMounts"): (("mountPath",), "mountPath"),
    ("V1Container", "volumeDevices"): (("devicePath",), "devicePath"),
    ("V1EphemeralContainer", "env"): (("name",), "name"),
    ("V1EphemeralContainer", "volumeMounts"): (("mountPath",), "mountPath"),
    ("V1ResourceRequirements", "claims"): (("name",), ""),
    ("V1ObjectMeta", "ownerReferences"): (("uid",), "uid"),
    ("V1ObjectMeta", "finalizers"): ((), "*"),
    ("V1ServiceSpec", "ports"): (("port", "protocol"), "port"),
    ("V1ServiceStatus", "conditions"): (("type",), "type"),
    ("V1ServiceAccount", "secrets"): (("name",), "name"),
    ("V1NodeStatus", "conditions"): (("type",), "type"),
    ("V1NodeStatus", "addresses"): (("type",), "type"),
    ("V1NamespaceStatus", "conditions"): (("type",), "type"),
    ("V1PersistentVolumeClaimStatus", "conditions"): (("type",), "type"),
    ("V1DeploymentStatus", "conditions"): (("type",), "type"),
    ("V1ReplicaSetStatus", "conditions"): (("type",), "type"),
    ("V1StatefulSetStatus", "conditions"): (("type",), "type"),
    ("V1DaemonSetStatus", "conditions"): (("type",), "type"),
    ("V2HorizontalPodAutoscalerStatus", "conditions"): (("type",), "type"),
    ("V1PodDisruptionBudgetStatus", "conditions"): (("type",), "type"),
    ("V1CustomResourceDefinitionStatus", "conditions"): (("type",), ""),
}
# Lists that strategic merge joins by key although server-side apply takes them whole.
_PATCH_KEYS = {("V1JobStatus", "conditions"): "type"}
_KEY_DEFAULTS = {("V1Container", "ports"): {"protocol": "TCP"}, ("V1ServiceSpec", "ports"): {"protocol": "TCP"}}
_ATOMIC_TYPES = {
    "V1LabelSelector", "V1OwnerReference", "V1SecretKeySelector", "V1ConfigMapKeySelector", "V1LocalObjectReference",
    "V1ObjectFieldSelector", "V1ResourceFieldSelector", "V1ObjectReference", "V1TypedLocalObjectReference",
    "V1TypedObjectReference", "V1NodeSelector", "V1NodeSelectorTerm", "V1ScopeSelector", "V1SecretReference",
    "V1RoleRef", "V1FileKeySelector", "RbacV1Subject", "V1Taint",
}  # fmt: skip
_ATOMIC_MAPS = {
    ("V1PodSpec", "nodeSelector"),
    ("V1ServiceSpec", "selector"),
    ("V1ReplicationControllerSpec", "selector"),
}
_QUANTITIES = {"limits", "requests", "hard", "used", "capacity", "allocatable", "overhead", "default", "defaultRequest",
               "max", "min", "maxLimitRequestRatio"}  # fmt: skip
# Fields that Go leaves out of the JSON when they hold their zero value (`omitempty` on a plain value).
_DROPPED_ZEROES = {"paused", "hostNetwork", "hostPID", "hostIPC", "stdin", "stdinOnce", "tty", "readOnly", "value",
                   "minReadySeconds", "nodeName", "subdomain", "hostname", "immutable_"}  # fmt: skip


@functools.cache
def type_named(name: str) -> Node:
    """The struct behind a model's name (`V1Deployment`); `ANY` for names the client does not know."""
    if _module_of(name) is None:
        return ANY
    return Node("struct", title=name, source=name, relation="atomic" if name in _ATOMIC_TYPES else "granular")


def _module_of(name: str) -> ModuleSpec | None:
    """Where a model's class is written: `V1HTTPGetAction` in `v1_http_get_action`."""
    words = re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", "_", name)
    return importlib.util.find_spec(f"{_MODELS}.{words.lower()}")


def _fields_of(name: str) -> dict[str, Node]:
    """Read from the model's source: imported, it would bring along every model it refers to, half a second in all."""
    module = _module_of(name)
    source = module.loader.get_source(module.name) if module and isinstance(module.loader, InspectLoader) else ""
    tables = {key: ast.literal_eval(text) for key, text in _TABLE.findall(source or "")}
    names = tables["attribute_map"]
    return {names[key]: _field(name, names[key], text) for key, text in tables["openapi_types"].items()}


def _field(owner: str, field: str, text: str) -> Node:
    if text.startswith("List["):
        element = _plain(text[5:-1])
        keys, merge = _MERGED_LISTS.get((owner, field), (None, _PATCH_KEYS.get((owner, field), "")))
        if keys is None:
            return Node("list", element=element, relation="atomic", merge=merge)
        defaults = _KEY_DEFAULTS.get((owner, field))
        relation: Relation = "map" if keys else "set"
        return Node("list", element=element, relation=relation, keys=keys, merge=merge, defaults=defaults)
    if text.startswith("Dict["):
        inner = text[5:-1].split(", ", 1)[1]
        element = Node("scalar", scalar="quantity") if field in _QUANTITIES and inner == "str" else _plain(inner)
        return Node("map", element=element, relation="atomic" if (owner, field) in _ATOMIC_MAPS else "granular")
    return _plain(text)


def _plain(text: str) -> Node:
    if text in SCALARS:
        return Node("scalar", scalar=SCALARS[text])
    if text.startswith("List["):
        return Node("list", element=_plain(text[5:-1]), relation="atomic")
    return ANY if text == "object" else type_named(text)


def from_json_schema(schema: Mapping[str, Any] | None, *, root: bool = True) -> Node:
    """The type of a custom resource from its `openAPIV3Schema`; everything is preserved where it says nothing."""
    if not schema or schema.get("x-kubernetes-preserve-unknown-fields"):
        return _root({}, keep=True) if root else ANY
    kind = schema.get("type")
    if kind == "object" or "properties" in schema:
        relation: Relation = "atomic" if schema.get("x-kubernetes-map-type") == "atomic" else "granular"
        extra = schema.get("additionalProperties")
        if "properties" not in schema and not root:
            inner = from_json_schema(extra, root=False) if isinstance(extra, Mapping) else ANY
            return Node("map", element=inner, relation=relation)
        fields = {key: from_json_schema(item, root=False) for key, item in (schema.get("properties") or {}).items()}
        return _root(fields, keep=False) if root else Node("struct", fields=fields, relation=relation)
    if kind == "array":
        inner = from_json_schema(schema.get("items"), root=False)
        how: str = schema.get("x-kubernetes-list-type", "atomic")
        list_relation: Relation = "map" if how == "map" else "set" if how == "set" else "atomic"
        return Node(
            "list", element=inner, relation=list_relation, keys=tuple(schema.get("x-kubernetes-list-map-keys", ()))
        )
    if kind in ("string", "integer", "boolean", "number"):
        return Node("scalar", scalar=kind)
    return ANY


def _root(fields: dict[str, Node], *, keep: bool) -> Node:
    string = Node("scalar", scalar="string")
    named = {**fields, "apiVersion": string, "kind": string, "metadata": type_named("V1ObjectMeta")}
    if keep:
        named.setdefault("spec", ANY)
        named.setdefault("status", ANY)
    return Node("struct", fields=named, element=ANY if keep else None)


def decode(node: Node, value: Any, path: str = "", unknown: list[str] | None = None, *, empty: bool = False) -> Any:
    """The value as Go would decode it: unknown fields and nulls dropped, numbers of quantities as text.

    With ``empty`` what Go's types leave out when it is empty is kept: an applied configuration names it. Names of
    unknown fields go to `unknown` ("spec.foo"). Raises ApiError 400 when a value has the wrong JSON type.
    """
    if node.shape == "any" or value is None:
        return value
    if node.shape == "scalar":
        return _decode_scalar(node, value, path)
    if node.shape == "list":
        if not isinstance(value, list):
            raise _wrong_type(value, path, "[]" + (node.element.title if node.element else ""))
        inner = node.element or ANY
        return [decode(inner, item, f"{path}[{i}]", unknown, empty=empty) for i, item in enumerate(value)]
    if not isinstance(value, dict):
        raise _wrong_type(value, path, node.title or "map[string]string")
    result: Obj = {}
    fields = node.fields if node.shape == "struct" else {}
    for key, item in value.items():
        child = fields.get(key) or node.element
        if child is None:
            if unknown is not None:
                unknown.append(_below(path, key))
            continue
        plain = (child.scalar, type(item)) in _AS_THEY_ARE
        decoded = item if plain else decode(child, item, _below(path, key), unknown, empty=empty)
        if decoded is None or (not decoded and node.title and not empty and _is_dropped(child, key)):
            continue
        result[key] = decoded
    return result


def _below(path: str, key: str) -> str:
    return f"{path}.{key}" if path else key


def _is_dropped(child: Node, key: str) -> bool:
    """Whether Go leaves the field out when it is empty."""
    return child.shape in ("list", "map") or (key in _DROPPED_ZEROES and child.shape == "scalar")


def _decode_scalar(node: Node, value: Any, path: str) -> Any:
    kind = node.scalar
    if kind == "quantity":
        if isinstance(value, bool) or not isinstance(value, str | int | float):
            raise _wrong_type(value, path, "Quantity")
        return _formed(canonical, value if isinstance(value, str) else f"{value:g}")
    if kind == "base64" and isinstance(value, str):
        _formed(functools.partial(base64.b64decode, validate=True), re.sub(r"[\r\n]", "", value))
        return value
    if not isinstance(value, _PYTHON[kind]) or (isinstance(value, bool) and kind != "boolean"):
        go = {"string": "string", "time": "string", "boolean": "bool", "integer": "int32", "number": "float64",
              "base64": "string"}[kind]  # fmt: skip
        raise _wrong_type(value, path, go)
    return value


class Malformed(ApiError):
    """A text of the right type that Go's type cannot read: a quantity, base64. Schemas do not know, decoders do."""


def _formed(read: Callable[[str], Any], text: str) -> Any:
    try:
        return read(text)
    except ValueError as error:
        said = WRONG if read is canonical else "illegal base64 data at input byte 0"
        raise Malformed(400, "BadRequest", said) from error


def _wrong_type(value: Any, path: str, wanted: str) -> ApiError:
    got = {str: "string", bool: "bool", int: "number", float: "number", list: "array", dict: "object"}[type(value)]
    return bad_request(f"json: cannot unmarshal {got} into Go struct field .{path} of type {wanted}")
