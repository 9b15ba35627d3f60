"""Which resources exist: a table, and what discovery says about it."""

from __future__ import annotations

import functools
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

from .errors import no_such_resource, qualified
from .schema import Node, from_json_schema, type_named
from .values import Obj

VERBS = ["create", "delete", "deletecollection", "get", "list", "patch", "update", "watch"]


@dataclass(frozen=True)
class Resource:
    """One kind of object. `bumps` says what moves metadata.generation: spec, spec+annotations or nothing ("")."""

    group: str
    version: str
    plural: str
    kind: str
    namespaced: bool = True
    subresources: tuple[str, ...] = ()
    bumps: str = ""
    short: tuple[str, ...] = ()
    model: str = ""
    node: Node = field(default_factory=lambda: from_json_schema(None), compare=False, repr=False)
    custom: bool = False
    schema: Obj = field(default_factory=dict, compare=False, repr=False)  # of a custom resource

    @property
    def api_version(self) -> str:
        return f"{self.group}/{self.version}" if self.group else self.version

    @property
    def key(self) -> tuple[str, str]:
        """What the store files objects under: versions of one group, and both kinds of Event, share their objects."""
        if self.plural == "events":
            return ("", "events")
        return (self.group, self.plural)

    @property
    def title(self) -> str:
        return qualified(self.plural, self.group)

    @property
    def type(self) -> Node:
        return type_named(self.model) if self.model else self.node

    def path(self, namespace: str | None = None, name: str = "") -> str:
        prefix = f"/apis/{self.group}/{self.version}" if self.group else f"/api/{self.version}"
        middle = f"/namespaces/{namespace}" if self.namespaced and namespace else ""
        return f"{prefix}{middle}/{self.plural}" + (f"/{name}" if name else "")


def _table() -> Iterator[Resource]:
    s = ("status",)
    scale = ("scale", "status")

    def core(plural: str, kind: str, namespaced: bool = True, subs: tuple[str, ...] = (), **more: Any) -> Resource:
        more.setdefault("model", f"V1{kind}")
        return Resource("", "v1", plural, kind, namespaced, subs, **more)

    yield core("namespaces", "Namespace", False, ("finalize", "status"), short=("ns",))
    yield core("nodes", "Node", False, s, short=("no",))
    yield core("persistentvolumes", "PersistentVolume", False, s, short=("pv",))
    yield core("pods", "Pod", subs=("eviction", "log", "status"), short=("po",), bumps="spec")
    yield core("podtemplates", "PodTemplate")
    yield core("replicationcontrollers", "ReplicationController", subs=scale, bumps="spec", short=("rc",))
    yield core("events", "Event", model="CoreV1Event", short=("ev",))
    yield core("services", "Service", subs=s, short=("svc",))
    yield core("endpoints", "Endpoints", short=("ep",))
    yield core("configmaps", "ConfigMap", short=("cm",))
    yield core("secrets", "Secret")
    yield core("serviceaccounts", "ServiceAccount", short=("sa",))
    yield core("resourcequotas", "ResourceQuota", subs=s, short=("quota",))
    yield core("limitranges", "LimitRange", short=("limits",))
    yield core("persistentvolumeclaims", "PersistentVolumeClaim", subs=s, short=("pvc",))
    yield Resource(
        "apps", "v1", "deployments", "Deployment", True, scale, "spec+annotations", ("deploy",), "V1Deployment"
    )
    yield Resource("apps", "v1", "replicasets", "ReplicaSet", True, scale, "spec", ("rs",), "V1ReplicaSet")
    yield Resource("apps", "v1", "statefulsets", "StatefulSet", True, scale, "spec", ("sts",), "V1StatefulSet")
    yield Resource("apps", "v1", "daemonsets", "DaemonSet", True, s, "spec", ("ds",), "V1DaemonSet")
    yield Resource("apps", "v1", "controllerrevisions", "ControllerRevision", model="V1ControllerRevision")
    yield Resource("batch", "v1", "jobs", "Job", True, s, "spec", (), "V1Job")
    yield Resource("batch", "v1", "cronjobs", "CronJob", True, s, "spec", ("cj",), "V1CronJob")
    yield Resource("autoscaling", "v2", "horizontalpodautoscalers", "HorizontalPodAutoscaler", True, s, "", ("hpa",),
                   "V2HorizontalPodAutoscaler")  # fmt: skip
    yield Resource("policy", "v1", "poddisruptionbudgets", "PodDisruptionBudget", True, s, "spec", ("pdb",),
                   "V1PodDisruptionBudget")  # fmt: skip
    rbac = "rbac.authorization.k8s.io"
    yield Resource(rbac, "v1", "roles", "Role", model="V1Role")
    yield Resource(rbac, "v1", "rolebindings", "RoleBinding", model="V1RoleBinding")
    yield Resource(rbac, "v1", "clusterroles", "ClusterRole", False, model="V1ClusterRole")
    yield Resource(rbac, "v1", "clusterrolebindings", "ClusterRoleBinding", False, model="V1ClusterRoleBinding")
    net = "networking.k8s.io"
    yield Resource(net, "v1", "ingresses", "Ingress", True, s, "spec+annotations", ("ing",), "V1Ingress")
    yield Resource(net, "v1", "ingressclasses", "IngressClass", False, (), "spec", model="V1IngressClass")
    yield Resource(net, "v1", "networkpolicies", "NetworkPolicy", True, (), "spec", ("netpol",), "V1NetworkPolicy")
    yield Resource("events.k8s.io", "v1", "events", "Event", short=("ev",), model="EventsV1Event")
    yield Resource("coordination.k8s.io", "v1", "leases", "Lease", model="V1Lease")
    yield Resource("scheduling.k8s.io", "v1", "priorityclasses", "PriorityClass", False, (), "spec", ("pc",),
                   "V1PriorityClass")  # fmt: skip
    yield Resource("storage.k8s.io", "v1", "storageclasses", "StorageClass", False, (), "", ("sc",), "V1StorageClass")
    yield Resource("discovery.k8s.io", "v1", "endpointslices", "EndpointSlice", True, (), "spec", (), "V1EndpointSlice")
    yield Resource("apiextensions.k8s.io", "v1", "customresourcedefinitions", "CustomResourceDefinition", False, s,
                   "spec", ("crd", "crds"), "V1CustomResourceDefinition")  # fmt: skip


@functools.cache
def _standard() -> tuple[Resource, ...]:
    return tuple(_table())


def _priority(version: str) -> tuple[int, int, int]:
    """Which version is preferred: stable ones before beta before alpha, higher ones first.

    https://kubernetes.io/docs/tasks/extend-kubernetes/custom-resources/custom-resource-definition-versioning/
    """
    found = re.fullmatch(r"v(\d+)(?:(alpha|beta)(\d+))?", version)
    if found is None:
        return (3, 0, 0)
    return ({None: 0, "beta": 1, "alpha": 2}[found[2]], -int(found[1]), -int(found[3] or 0))


# Reviews are asked, not stored: kind by plural.
REVIEWS = {
    ("authorization.k8s.io", "selfsubjectaccessreviews"): "SelfSubjectAccessReview",
    ("authorization.k8s.io", "subjectaccessreviews"): "SubjectAccessReview",
    ("authorization.k8s.io", "selfsubjectrulesreviews"): "SelfSubjectRulesReview",
    ("authentication.k8s.io", "selfsubjectreviews"): "SelfSubjectReview",
    ("authentication.k8s.io", "tokenreviews"): "TokenReview",
}
_SCALE_KIND = {"group": "autoscaling", "version": "v1", "kind": "Scale"}


class Registry:
    """All resources by (group, version, plural); `add` is all a custom resource needs."""

    def __init__(self, resources: Iterable[Resource] | None = None) -> None:
        self._all: dict[tuple[str, str, str], Resource] = {}
        self._kinds: dict[tuple[str, str], Resource | None] = {}
        self._plurals: dict[tuple[str, str], Resource] = {}
        for resource in _standard() if resources is None else resources:
            self.add(resource)

    def add(self, resource: Resource) -> None:
        self._all[(resource.group, resource.version, resource.plural)] = resource
        self._forget()

    def drop(self, group: str, plural: str) -> None:
        for key in [key for key in self._all if key[0] == group and key[2] == plural]:
            del self._all[key]
        self._forget()

    def _forget(self) -> None:
        self._kinds.clear()
        self._plurals.clear()

    def __iter__(self) -> Iterator[Resource]:
        return iter(list(self._all.values()))

    def find(self, group: str, version: str, plural: str) -> Resource:
        """Raises ApiError 404 for what is not in the table."""
        found = self._all.get((group, version, plural))
        if found is None:
            raise no_such_resource()
        return found

    def of(self, api_version: str, kind: str) -> Resource | None:
        """The resource of an object's apiVersion and kind."""
        if (api_version, kind) not in self._kinds:
            found = (r for r in self._all.values() if r.kind == kind and r.api_version == api_version)
            self._kinds[(api_version, kind)] = next(found, None)
        return self._kinds[(api_version, kind)]

    def named(self, group: str, plural: str) -> Resource | None:
        """The first version of a resource that was registered."""
        if (group, plural) not in self._plurals:
            found = next((r for r in self._all.values() if (r.group, r.plural) == (group, plural)), None)
            if found is None:
                return None
            self._plurals[(group, plural)] = found
        return self._plurals[(group, plural)]

    def add_definition(self, crd: Obj) -> list[Resource]:
        """Register what a CustomResourceDefinition serves; returns the new resources."""
        spec = crd["spec"]
        names = spec["names"]
        added = []
        for version in spec["versions"]:
            if not version.get("served", True):
                continue
            schema = (version.get("schema") or {}).get("openAPIV3Schema") or {}
            resource = Resource(
                spec["group"], version["name"], names["plural"], names["kind"], spec.get("scope") == "Namespaced",
                tuple(sorted(version.get("subresources") or {})), "custom", tuple(names.get("shortNames", ())),
                node=from_json_schema(schema), custom=True, schema=schema,
            )  # fmt: skip
            self.add(resource)
            added.append(resource)
        return added

    def group_versions(self) -> dict[str, list[str]]:
        found: dict[str, list[str]] = {}
        for group, version, _ in self._all:
            if group and version not in found.setdefault(group, []):
                found[group].append(version)
        for versions in found.values():
            versions.sort(key=_priority)
        for group, _ in REVIEWS:
            found.setdefault(group, ["v1"])
        return found

    def api_groups(self) -> Obj:
        """The answer of /apis."""
        groups = [self.api_group(name, typed=False) for name in self.group_versions()]
        return {"kind": "APIGroupList", "apiVersion": "v1", "groups": groups}

    def api_group(self, name: str, *, typed: bool = True) -> Obj:
        versions = self.group_versions().get(name)
        if not versions:
            raise no_such_resource()
        listed = [{"groupVersion": f"{name}/{version}", "version": version} for version in versions]
        body: Obj = {"name": name, "versions": listed, "preferredVersion": listed[0]}
        return {"kind": "APIGroup", "apiVersion": "v1", **body} if typed else body

    def api_resources(self, group: str, version: str) -> Obj:
        """The answer of /api/v1 and /apis/GROUP/VERSION."""
        listed: list[Obj] = []
        for resource in sorted(self._all.values(), key=lambda r: r.plural):
            if (resource.group, resource.version) != (group, version):
                continue
            base: Obj = {"singularName": resource.kind.lower(), "namespaced": resource.namespaced}
            entry: Obj = {"name": resource.plural, **base, "kind": resource.kind, "verbs": VERBS}
            if resource.short:
                entry["shortNames"] = list(resource.short)
            listed.append(entry)
            for sub in resource.subresources:
                shape = _SCALE_KIND if sub == "scale" else {"kind": resource.kind}
                verbs = ["get"] if sub == "log" else ["create"] if sub == "eviction" else ["get", "patch", "update"]
                listed.append({"name": f"{resource.plural}/{sub}", **base, "singularName": "", **shape, "verbs": verbs})
        for (owner, plural), kind in REVIEWS.items():
            if owner == group and version == "v1":
                listed.append({"name": plural, "singularName": kind.lower(), "namespaced": False, "kind": kind,
                               "verbs": ["create"]})  # fmt: skip
        if not listed:
            raise no_such_resource()
        gv = f"{group}/{version}" if group else version
        return {"kind": "APIResourceList", "apiVersion": "v1", "groupVersion": gv, "resources": listed}
