"""What the tests of the practice cluster alone share: two people's tokens, one Deployment, a client."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from kubernetes.aio import config

from chatops.sandbox.cluster import PracticeCluster, User

from .kube import Images, Kube, Obj, deployment

BASE = "registry.acme.test/shop/checkout:"
TOKENS = {
    "admin": User("practice-admin", ("system:masters",)),
    "assistant": User("system:serviceaccount:platform:chatops", ("system:serviceaccounts",)),
}


async def until(fits: Callable[[], object]) -> None:
    """Wait until something inside the running cluster is so; fails after ten seconds."""
    async with asyncio.timeout(10):
        while not fits():
            await asyncio.sleep(0.002)


def web(tag: str, replicas: int = 1, name: str = "web") -> Obj:
    body = deployment(name, BASE + tag, replicas)
    body["metadata"]["namespace"] = "shop"
    return body


class opened:
    def __init__(self, cluster: PracticeCluster, token: str = "admin", acting_as: str = "", group: str = "") -> None:
        self._cluster, self._token, self._name, self._group = cluster, token, acting_as, group

    async def __aenter__(self) -> Kube:
        self._api = await config.new_client_from_config_dict(self._cluster.kubeconfig(self._token))
        if self._name:
            self._api.set_default_header("Impersonate-User", self._name)
        if self._group:
            self._api.set_default_header("Impersonate-Group", self._group)
        return Kube(self._api, "shop", Images(BASE + "1.4.1", BASE + "1.4.2", BASE + "missing"), deadline=10)

    async def __aexit__(self, *_: object) -> None:
        await self._api.close()
