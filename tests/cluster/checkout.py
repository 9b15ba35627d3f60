"""Writes on checkout, and what is read of it."""

from __future__ import annotations

from typing import Any

from chatops.adapters.kubernetes.handle import Reader
from chatops.kernel.plan import Write
from tests.support.acme_cluster import deployment

CHECKOUT = deployment("checkout")


def image(version: str, resource_version: str = "", manager: str = "chatops-deploy") -> Write:
    container = {"name": "app", "image": f"registry.acme.test/shop/checkout:{version}"}
    body = {"spec": {"template": {"spec": {"containers": [container]}}}}
    return Write(ref=CHECKOUT, manager=manager, body=body, resource_version=resource_version)


async def live(reader: Reader) -> dict[str, Any]:
    found = await reader.get(CHECKOUT)
    assert found is not None
    return found


def image_of(found: dict[str, Any]) -> str:
    return str(found["spec"]["template"]["spec"]["containers"][0]["image"]).rpartition(":")[2]
