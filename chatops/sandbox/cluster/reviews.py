"""Reviews: questions about access that are answered and not stored."""

from __future__ import annotations

from typing import Protocol

from .access import Access, User, Wish
from .values import Obj, dig, stamp


class Asked(Protocol):
    @property
    def group(self) -> str: ...
    @property
    def version(self) -> str: ...


def answer_review(access: Access, user: User, kind: str, target: Asked, body: Obj) -> Obj:
    """The review with its status filled in."""
    result = {**body, "kind": kind, "apiVersion": f"{target.group}/{target.version}", "metadata": {}}
    spec = body.get("spec") or {}
    if kind == "SelfSubjectReview":
        result["metadata"] = {"creationTimestamp": stamp()}
        result["status"] = {"userInfo": user.info()}
    elif kind == "SelfSubjectRulesReview":
        rules = access.rules_of(user, spec.get("namespace", "default"))
        resources = [rule for rule in rules if rule.get("resources")]
        others = [rule for rule in rules if rule.get("nonResourceURLs")]
        result["status"] = {"resourceRules": resources, "nonResourceRules": others, "incomplete": False}
    elif kind == "TokenReview":
        found = access.tokens.get(spec.get("token", ""))
        result["spec"] = {}
        result["status"] = {"authenticated": True, "user": found.info()} if found else {"authenticated": False}
    else:
        about = user if kind.startswith("Self") else User(spec.get("user", ""), tuple(spec.get("groups") or ()))
        allowed = access.allowed(about, _wish(spec))
        result["status"] = {"allowed": allowed}
        if not allowed:
            result["status"]["reason"] = "no RBAC policy matched"
    return result


def _wish(spec: Obj) -> Wish:
    if path := dig(spec, "nonResourceAttributes", "path"):
        return Wish(dig(spec, "nonResourceAttributes", "verb", default="get"), path=path)
    asked = spec.get("resourceAttributes") or {}
    return Wish(
        asked.get("verb", ""), asked.get("group", ""), asked.get("resource", ""), asked.get("subresource", ""),
        asked.get("namespace", ""), asked.get("name", ""),
    )  # fmt: skip
