"""What declared actions may touch, and how dangerous that is; judged on names filled in, never on templates."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Literal

from chatops.kernel.catalog import Allowed, Environment, Platform
from chatops.kernel.errors import Refused
from chatops.kernel.plan import ObjectRef, Step

RBAC = "rbac.authorization.k8s.io"
RULE = "guard rail"
# https://kubernetes.io/docs/concepts/overview/working-with-objects/names/
DNS_NAME = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*")
DNS_LABEL = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?")
RBAC_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9:._-]*")  # roles may be called system:node
_LISTED = "The platform team lists what declared actions may touch under `actions:` in platform.yml."
_SHORT_GROUPS = ("", "apps", "batch")  # their kinds are known without the group: Deployment, Job


def check(ref: ObjectRef, platform: Platform, environment: Environment, *, looks: bool = False) -> None:
    """Raises ``Refused`` for an object that a declared action may not touch from this environment.

    ``looks``: it is only looked at, as a ``wait`` does; then a list of kinds that may be touched forbids nothing more
    than the default does.
    """
    check_name(ref)
    allowed, kind, shown = platform.allowed, named(ref), str(ref)
    listed = allowed.kinds is not None and not {kind, *_short(ref)}.isdisjoint(allowed.kinds)
    usual = bool(ref.namespace) and not _is_guarded(ref)
    if not (listed or (usual and (looks or allowed.kinds is None))):
        raise Refused(f"Declared actions may not touch {kind} here ({shown}).", rule=RULE, hint=_LISTED)
    space = ref.namespace or (ref.name if kind == "Namespace" else "")
    if space and not _may_enter(space, allowed, environment):
        raise Refused(f"Declared actions may not touch the namespace {space} here ({shown}).", rule=RULE, hint=_LISTED)
    for other in platform.environments.values():
        # Or a request for staging, which nobody has to approve, would change production.
        if other.namespace == space != environment.namespace and other.cluster == environment.cluster:
            said = f"{space} is the namespace of {other.name}, and this was asked for {environment.name} ({shown})."
            raise Refused(said, rule=RULE, hint=f"Ask for it in {other.name}.")


def check_name(ref: ObjectRef) -> None:
    """Raises ``Refused`` for a name that no object can have, before it becomes part of an address."""
    for text, what, pattern, longest in (
        (ref.namespace, "namespace", DNS_LABEL, 63),
        (ref.name, "name", RBAC_NAME if _group(ref) == RBAC else DNS_NAME, 253),
    ):
        if (text or what == "name") and not (pattern.fullmatch(text) and len(text) <= longest):
            hint = f"Small letters a to z, digits and dashes, at most {longest} characters; it begins and ends with " \
                   "a letter or digit."  # fmt: skip
            raise Refused(f"{text[:80]!r} cannot be the {what} of a {ref.kind[:60]}.", rule=RULE, hint=hint)


def risk_of(steps: Iterable[Step]) -> Literal["", "danger"]:
    """``danger`` for RBAC, Secrets, namespaces, what belongs to the whole cluster, and any removal.

    Undoing is not counted: it removes nothing but what the very same request made.
    """
    for step in steps:
        touched = [write.ref for write in step.writes]
        if step.kind == "remove" or any(not ref.namespace or _is_guarded(ref) for ref in touched):
            return "danger"
    return ""


def named(ref: ObjectRef) -> str:
    """``Secret``, ``Cluster.postgresql.cnpg.io``, ``Deployment.apps``."""
    group = _group(ref)
    return f"{ref.kind}.{group}" if group else ref.kind


def is_secret(ref: ObjectRef) -> bool:
    """Whether it is a Secret of Kubernetes, whose values we neither read nor keep."""
    return named(ref) == "Secret"


def _is_guarded(ref: ObjectRef) -> bool:
    return is_secret(ref) or _group(ref) == RBAC


def _short(ref: ObjectRef) -> tuple[str, ...]:
    return (ref.kind,) if _group(ref) in _SHORT_GROUPS else ()


def _group(ref: ObjectRef) -> str:
    return ref.api_version.partition("/")[0] if "/" in ref.api_version else ""


def _may_enter(namespace: str, allowed: Allowed, environment: Environment) -> bool:
    if allowed.namespaces is None:
        return namespace == environment.namespace
    return any(namespace.startswith(one[:-1]) if one.endswith("*") else namespace == one for one in allowed.namespaces)
