"""Where objects live in the API: ``/apis/apps/v1/namespaces/shop/deployments/checkout``."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any
from urllib.parse import quote

from chatops.kernel.errors import NotFound

# What we touch ourselves; everything else is looked up once in the API's own list.
BUILT_IN = {
    ("v1", "Pod"): "pods",
    ("v1", "Event"): "events",
    ("v1", "Namespace"): "namespaces",
    ("v1", "Secret"): "secrets",
    ("apps/v1", "Deployment"): "deployments",
    ("apps/v1", "ReplicaSet"): "replicasets",
    ("apps/v1", "StatefulSet"): "statefulsets",
    ("batch/v1", "Job"): "jobs",
    ("autoscaling/v2", "HorizontalPodAutoscaler"): "horizontalpodautoscalers",
}
Fetch = Callable[[str], Awaitable[dict[str, Any]]]


class Paths:
    """Knows the plural of each kind; asks discovery (``fetch`` of ``/apis/GROUP/VERSION``) for those it does not."""

    def __init__(self, fetch: Fetch) -> None:
        self._fetch = fetch
        self._plurals = dict(BUILT_IN)
        self._resolved: dict[tuple[str, str], tuple[str, bool]] = {}

    async def collection(self, api_version: str, kind: str, namespace: str) -> str:
        """The path of a kind's collection.

        Raises ``NotFound`` for a kind that the cluster does not have.
        """
        plural = self._plurals.get((api_version, kind)) or await self._discover(api_version, kind)
        within = f"/namespaces/{quote(namespace, safe='')}" if namespace else ""
        return f"{_root(api_version)}{within}/{plural}"

    async def resolve(self, kind: str, group: str) -> tuple[str, bool]:
        """The apiVersion that the cluster prefers for a kind, and whether it is namespaced; no ``group``: the core's.

        Raises ``NotFound`` for a kind that the cluster does not have.
        """
        if (kind, group) not in self._resolved:
            self._resolved[kind, group] = await self._resolve(kind, group)
        return self._resolved[kind, group]

    async def _resolve(self, kind: str, group: str) -> tuple[str, bool]:
        name = f"{kind}.{group}" if group else kind
        try:
            for api_version in await self._versions(group):
                known = await self._fetch(_root(api_version))
                for resource in known.get("resources") or []:
                    if resource["kind"] == kind and "/" not in resource["name"]:
                        return api_version, bool(resource["namespaced"])
        except NotFound as error:
            raise NotFound(f"the cluster has no {name}", status=404) from error
        raise NotFound(f"the cluster has no {name}", status=404)

    async def _versions(self, group: str) -> list[str]:
        """The group's versions, the preferred one first (https://kubernetes.io/docs/concepts/overview/kubernetes-api/)."""
        if not group:
            return ["v1"]
        known = await self._fetch(f"/apis/{quote(group, safe='')}")
        served = [str(one["groupVersion"]) for one in known.get("versions") or []]
        preferred = str((known.get("preferredVersion") or {}).get("groupVersion") or "")
        return sorted(served, key=lambda version: version != preferred)

    async def _discover(self, api_version: str, kind: str) -> str:
        try:
            known = await self._fetch(_root(api_version))
        except NotFound as error:
            raise NotFound(f"the cluster has no {kind} of {api_version}", status=404) from error
        for resource in known.get("resources") or []:
            if "/" not in resource["name"]:  # with a slash: a subresource
                self._plurals.setdefault((api_version, resource["kind"]), resource["name"])
        if (api_version, kind) not in self._plurals:
            raise NotFound(f"the cluster has no {kind} of {api_version}", status=404)
        return self._plurals[api_version, kind]


def _root(api_version: str) -> str:
    return f"/apis/{api_version}" if "/" in api_version else f"/api/{api_version}"
