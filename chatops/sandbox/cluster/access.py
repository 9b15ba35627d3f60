"""Who is asking and what they may: bearer tokens, impersonation, and RBAC read from the stored RBAC objects."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from .errors import ApiError, forbidden, unauthorized
from .store import Store
from .values import Obj, dig

RBAC = "rbac.authorization.k8s.io"
MASTERS = "system:masters"
_OPEN_PATHS = ("/healthz", "/livez", "/readyz", "/version")


@dataclass(frozen=True)
class User:
    """A name and groups, as in a SubjectAccessReview."""

    name: str
    groups: tuple[str, ...] = ()

    def info(self) -> Obj:
        return {"username": self.name, "groups": list(self.groups)}


ANONYMOUS = User("system:anonymous", ("system:unauthenticated",))


@dataclass(frozen=True)
class Wish:
    """One thing a request does, in RBAC's terms; `path` is set instead for non-resource URLs."""

    verb: str
    group: str = ""
    resource: str = ""
    subresource: str = ""
    namespace: str = ""
    name: str = ""
    path: str = ""

    @property
    def full_resource(self) -> str:
        return f"{self.resource}/{self.subresource}" if self.subresource else self.resource


class Access:
    """Authentication by token and authorization by RBAC objects; `system:masters` may everything."""

    def __init__(self, store: Store, tokens: Mapping[str, User]) -> None:
        self._store = store
        self.tokens = dict(tokens)

    def authenticate(self, headers: Mapping[str, str]) -> User:
        """The user of the bearer token; raises ApiError 401 for a wrong one.

        Without a token it is the user of the token "", if there is one, else the anonymous user.
        """
        value = headers.get("Authorization", "")
        if not value:
            return self.tokens.get("", ANONYMOUS)
        scheme, _, token = value.partition(" ")
        user = self.tokens.get(token.strip()) if scheme.lower() == "bearer" else None
        if user is None:
            raise unauthorized()
        return User(user.name, (*user.groups, "system:authenticated"))

    def impersonate(self, user: User, name: str, groups: Iterable[str], extras: Iterable[str] = ()) -> User:
        """The user asked for by Impersonate-User and -Group; raises ApiError 403 without the verb `impersonate`."""
        listed = list(groups)
        if not name:
            if listed or list(extras):
                text = "requested [{Group  " + (listed[0] if listed else "") + "}] without impersonating a user"
                raise ApiError(500, "InternalError", f"Internal error occurred: {text}")
            return user
        wishes = [_subject(name), *(Wish("impersonate", "", "groups", name=group) for group in listed)]
        for wish in wishes:
            if not self.allowed(user, wish):
                raise denied(user, wish)
        if name.startswith("system:serviceaccount:") and not listed:
            namespace = name.split(":")[2]
            listed = ["system:serviceaccounts", f"system:serviceaccounts:{namespace}"]
        if name != ANONYMOUS.name and "system:authenticated" not in listed:
            listed.append("system:authenticated")
        return User(name, tuple(listed))

    def check(self, user: User, wish: Wish) -> None:
        """Raises ApiError 403 in Kubernetes' words."""
        if not self.allowed(user, wish):
            raise denied(user, wish)

    def allowed(self, user: User, wish: Wish) -> bool:
        if MASTERS in user.groups:
            return True
        if wish.path:
            return (
                wish.path in _OPEN_PATHS or "system:authenticated" in user.groups or self._by_cluster_roles(user, wish)
            )
        if self._by_cluster_roles(user, wish):
            return True
        if wish.namespace:
            for binding in self._store.objects((RBAC, "rolebindings"), wish.namespace):
                if _binds(binding, user, wish.namespace) and self._rules_allow(
                    binding["roleRef"], wish.namespace, wish
                ):
                    return True
        return (wish.group == "authorization.k8s.io" and wish.resource.startswith("selfsubject")) or (
            wish.group == "authentication.k8s.io" and wish.resource == "selfsubjectreviews"
        )

    def _by_cluster_roles(self, user: User, wish: Wish) -> bool:
        return any(
            _binds(binding, user, "") and self._rules_allow(binding["roleRef"], "", wish)
            for binding in self._store.objects((RBAC, "clusterrolebindings"))
        )

    def _rules_allow(self, ref: Obj, namespace: str, wish: Wish) -> bool:
        cluster = ref["kind"] == "ClusterRole"
        key = (RBAC, "clusterroles" if cluster else "roles")
        role = self._store.get(key, "" if cluster else namespace, ref["name"])
        return role is not None and any(_permits(rule, wish) for rule in role.get("rules") or [])

    def rules_of(self, user: User, namespace: str) -> list[Obj]:
        """All rules that hold for the user in a namespace (SelfSubjectRulesReview)."""
        if MASTERS in user.groups:
            return [{"verbs": ["*"], "apiGroups": ["*"], "resources": ["*"]}]
        found: list[Obj] = []
        bindings = [
            *self._store.objects((RBAC, "clusterrolebindings")),
            *self._store.objects((RBAC, "rolebindings"), namespace),
        ]
        for binding in bindings:
            if not _binds(binding, user, dig(binding, "metadata", "namespace", default="")):
                continue
            cluster = binding["roleRef"]["kind"] == "ClusterRole"
            key = (RBAC, "clusterroles" if cluster else "roles")
            role = self._store.get(key, "" if cluster else namespace, binding["roleRef"]["name"])
            found += (role or {}).get("rules") or []
        return found


def _subject(name: str) -> Wish:
    if name.startswith("system:serviceaccount:") and name.count(":") == 3:
        _, _, namespace, account = name.split(":")
        return Wish("impersonate", "", "serviceaccounts", namespace=namespace, name=account)
    return Wish("impersonate", "", "users", name=name)


def _binds(binding: Obj, user: User, namespace: str) -> bool:
    for subject in binding.get("subjects") or []:
        kind, name = subject.get("kind"), subject.get("name")
        if kind == "User" and name == user.name:
            return True
        if kind == "Group" and name in user.groups:
            return True
        if kind == "ServiceAccount":
            home = subject.get("namespace") or namespace
            if user.name == f"system:serviceaccount:{home}:{name}":
                return True
    return False


def _permits(rule: Obj, wish: Wish) -> bool:
    if not _has(rule.get("verbs"), wish.verb):
        return False
    if wish.path:
        return any(
            url in ("*", wish.path) or (url.endswith("*") and wish.path.startswith(url[:-1]))
            for url in rule.get("nonResourceURLs") or []
        )
    if not _has(rule.get("apiGroups"), wish.group):
        return False
    listed = rule.get("resources") or []
    if not (_has(listed, wish.full_resource) or (wish.subresource and f"*/{wish.subresource}" in listed)):
        return False
    names = rule.get("resourceNames") or []
    return not names or wish.name in names


def _has(listed: Iterable[str] | None, value: str) -> bool:
    entries = list(listed or [])
    return "*" in entries or value in entries


def denied(user: User, wish: Wish) -> ApiError:
    if wish.path:
        text = f'User "{user.name}" cannot {wish.verb} path "{wish.path}"'
        return ApiError(403, "Forbidden", f"forbidden: {text}", {})
    text = f'User "{user.name}" cannot {wish.verb} resource "{wish.full_resource}" in API group "{wish.group}"'
    text += f' in the namespace "{wish.namespace}"' if wish.namespace else " at the cluster scope"
    return forbidden(wish.resource, wish.group, wish.name, text)


_ALL_VERBS = ["get", "list", "watch", "create", "update", "patch", "delete", "deletecollection"]
_WORKLOADS = ["deployments", "deployments/scale", "replicasets", "replicasets/scale", "statefulsets",
              "statefulsets/scale", "daemonsets"]  # fmt: skip
_CORE = ["configmaps", "endpoints", "events", "persistentvolumeclaims", "pods", "serviceaccounts", "services"]


def default_roles() -> list[Obj]:
    """The roles every cluster has: cluster-admin, admin, edit and view (the last without Secrets)."""

    def rules(verbs: list[str], core: list[str]) -> list[Obj]:
        return [
            {"apiGroups": [""], "resources": core, "verbs": verbs},
            {"apiGroups": [""], "resources": ["pods/log", "namespaces", "resourcequotas", "limitranges"],
             "verbs": ["get", "list", "watch"]},
            {"apiGroups": ["apps"], "resources": _WORKLOADS, "verbs": verbs},
            {"apiGroups": ["batch"], "resources": ["jobs", "cronjobs"], "verbs": verbs},
            {"apiGroups": ["autoscaling"], "resources": ["horizontalpodautoscalers"], "verbs": verbs},
            {"apiGroups": ["policy"], "resources": ["poddisruptionbudgets"], "verbs": verbs},
            {"apiGroups": ["networking.k8s.io"], "resources": ["ingresses", "networkpolicies"], "verbs": verbs},
        ]  # fmt: skip

    everything = {"apiGroups": ["*"], "resources": ["*"], "verbs": ["*"]}
    anywhere = {"nonResourceURLs": ["*"], "verbs": ["*"]}
    edit = rules(_ALL_VERBS, [*_CORE, "secrets", "pods/eviction"])
    bindings = {"apiGroups": [RBAC], "resources": ["roles", "rolebindings"], "verbs": _ALL_VERBS}
    roles = {
        "cluster-admin": [everything, anywhere],
        "admin": [*edit, bindings],
        "edit": edit,
        "view": rules(["get", "list", "watch"], _CORE),
    }
    made: list[Obj] = [
        {"apiVersion": f"{RBAC}/v1", "kind": "ClusterRole", "metadata": {"name": name}, "rules": listed}
        for name, listed in roles.items()
    ]
    made.append({
        "apiVersion": f"{RBAC}/v1", "kind": "ClusterRoleBinding", "metadata": {"name": "cluster-admin"},
        "roleRef": {"apiGroup": RBAC, "kind": "ClusterRole", "name": "cluster-admin"},
        "subjects": [{"apiGroup": RBAC, "kind": "Group", "name": MASTERS}],
    })  # fmt: skip
    return made
