"""Which service and environment a pipeline speaks of, when it speaks of images and namespaces."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from chatops.kernel.catalog import Platform


def environment_of(platform: Platform, namespace: str) -> str:
    """The environment of a namespace; the namespace itself when there is none, or more than one."""
    found = [one.name for one in platform.environments.values() if one.namespace == namespace]
    return found[0] if len(found) == 1 else namespace


def services_in(platform: Platform, images: Sequence[str]) -> Iterator[tuple[str, str]]:
    """Each service of the catalog whose image is among them, with the version."""
    for service in platform.services.values():
        for image in images:
            rest = image.removeprefix(service.image) if service.image else ""
            if rest != image and rest[:1] in (":", "@") and len(rest) > 1:
                yield service.name, rest[1:].partition("@")[0]
                break
